"""The cache on disk: immutable parts of rows and thumbnails, and the manifests that name them.

A checkpoint writes a part, then a manifest under a new name. Nothing is changed in place, so a stop at any moment
leaves the state before or the state after. Loading folds all heads: the union of their parts less the dead rows; so two
writers lose nothing. A part that does not match its checksum is named, and its rows are looked for in the generation
before. Files may arrive in any order, or never, where the cache lies on a mount and the machine dies (see `mounts`).

    .cliplib/<model>/manifest-<time>-<id>.json
                     part-<id>.parquet          rows, see `rows`
                     thumbs-<id>.parquet        see `thumbs`
"""

import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from . import manifest, mounts
from . import rows as rows_
from .durable import write_durably
from .errors import CacheError
from .files import patiently
from .retention import KEPT_SECONDS, delete_old
from .thumbs import Key, Thumbs, write_pack

MANY_PARTS = 8  # more than this are merged when a run ends


@dataclass
class _State:
    live: dict[str, pa.Table] = field(default_factory=dict)  # live rows by part
    entries: dict[str, dict] = field(default_factory=dict)  # name, size, sha256, rows, thumbs of each part
    dead: dict[str, set[str]] = field(default_factory=dict)  # paths by part
    failures: dict[str, dict] = field(default_factory=dict)  # size, mtime_ns, stage, reason by path
    dropped: set[str] = field(default_factory=set)  # parts merged into others
    heads: list[str] = field(default_factory=list)


class Store:
    """The cache of one library for one model.

    `folder` is `.cliplib/<model>`; `model` says in a flat dict which encoder made the rows (`model_id`, `name`, ...)
    and how wide its embeddings are (`dim`). Nothing is written before the first `checkpoint`. `problems` says, in
    sentences, what could not be believed.
    """

    def __init__(self, folder: Path, model: dict):
        self.folder, self.model = Path(folder), model
        self._read()

    def _read(self) -> None:
        self.problems: list[str] = []
        self._rows: pa.Table | None = None
        self._thumbs: Thumbs | None = None
        self._manifests = self._manifests_there()
        self._state = self._load()

    def refresh(self) -> bool:
        """Read again if another writer has added to the cache since it was read; whether one had."""
        changed = self._manifests_there() != self._manifests
        if changed:
            self._read()
        return changed

    def _manifests_there(self) -> set[str]:
        return {file.name for file in self.folder.glob("manifest*.json")}

    @property
    def rows(self) -> pa.Table:
        """The live rows, each (path, time_s) once, in one chunk; photos before frames, so that either is a slice."""
        if self._rows is None:
            live = [
                rows.filter(pc.equal(rows["kind"], kind)) for kind in rows_.KINDS for rows in self._state.live.values()
            ]
            self._rows = pa.concat_tables([rows_.empty(self.model["dim"]), *live]).combine_chunks()
        return self._rows

    @property
    def failures(self) -> dict[str, dict]:
        """Files that could not be indexed whole: {path: {size, mtime_ns, stage, reason}}."""
        return self._state.failures

    def thumb_files(self) -> list[dict]:
        """Name, size and sha256 of the thumbnail packs."""
        return [entry["thumbs"] for entry in self._state.entries.values() if "thumbs" in entry]

    def thumbnail(self, key: Key) -> bytes | None:
        """The JPEG of a row by (digest, time_s), or None where the cache has none."""
        if self._thumbs is None:
            self._thumbs = Thumbs([self.folder / Path(entry["name"]).name for entry in self.thumb_files()])
            self.problems.extend(self._thumbs.problems)
        return self._thumbs.get(key)

    # writing

    def checkpoint(self, new: pa.Table, thumbs: dict[Key, bytes], gone: set[str], failures: dict[str, dict]) -> None:
        """Make the rows `new` and their `thumbs` durable; the older rows of their paths, and of the paths in `gone`,
        die.

        `failures` replaces those on record. Raises CacheError, with the state before intact, when the disk refuses.
        """
        doomed = pa.array(sorted(gone | set(new["path"].unique().to_pylist())), pa.string())
        state = _State(failures=failures, dropped=set())
        for name, rows in self._state.live.items():
            hit = pc.is_in(rows["path"], doomed)
            alive = rows.filter(pc.invert(hit)) if pc.any(hit).as_py() else rows
            if alive.num_rows:
                state.live[name], state.entries[name] = alive, self._state.entries[name]
                dead = self._state.dead.get(name, set()) | set(rows["path"].filter(hit).to_pylist())
                state.dead |= {name: dead} if dead else {}
            else:
                state.dropped.add(name)
        if new.num_rows:
            self._add_part(state, new, thumbs)
        self._commit(state, new.num_rows)

    def compact(self) -> None:
        """Merge the parts when they are many (not one with half the rows); delete what need not be kept."""
        if len(self._state.live) > MANY_PARTS:
            self._merge()
        if len(self._manifests) > MANY_PARTS:
            self._manifests = delete_old(self.folder, self._state.heads)

    def _merge(self) -> None:
        total = self.rows.num_rows
        stay = {n for n, rows in self._state.live.items() if rows.num_rows > total / 2 and n not in self._state.dead}
        state = _State(failures=self._state.failures, dropped=set(self._state.live) - stay)
        for name in stay:
            state.live[name], state.entries[name] = self._state.live[name], self._state.entries[name]
        merged = pa.concat_tables([self._state.live[name] for name in sorted(state.dropped)]).combine_chunks()
        keys = dict.fromkeys(rows_.keys(merged))
        found = {key: jpeg for key in keys if (jpeg := self.thumbnail(key)) is not None}
        self._add_part(state, merged, found)
        self._commit(state, 0)

    def _add_part(self, state: _State, rows: pa.Table, thumbs: dict[Key, bytes]) -> None:
        ident = uuid.uuid4().hex[:16]
        about = {f"cliplib.{key}": str(value) for key, value in self.model.items()}
        data = rows_.to_parquet(rows, about)
        entry = self._write(f"part-{ident}.parquet", lambda file: file.write(data)) | {"rows": rows.num_rows}
        if thumbs:
            entry["thumbs"] = self._write(f"thumbs-{ident}.parquet", lambda file: write_pack(file, thumbs))
        state.live[entry["name"]], state.entries[entry["name"]] = rows, entry

    def _commit(self, state: _State, new_rows: int) -> None:
        parts = list(state.entries.values())
        body = manifest.new(self.model, self._known, parts, state.dead, sorted(state.dropped), state.failures)
        name = manifest.file_name(body)
        mounts.note(self.folder / name, new_rows)
        self._write(name, lambda file: file.write(manifest.to_bytes(body)))
        self._manifests.add(name)
        self._known.add(body["id"])
        state.heads = [body["id"]]
        self._state, self._rows, self._thumbs = state, None, None

    def _write(self, name: str, write: Callable) -> dict:
        """Let `write` fill a new file of the cache; its name, size in bytes and sha256."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            size, sha256 = patiently(lambda: write_durably(self.folder / name, write))
        except OSError as error:
            raise CacheError(
                f"could not save {name} in {self.folder}: {error.strerror or error}. What was saved before is intact. "
                "Free some space, or give another folder with Library(..., cache=...), and run index() again."
            ) from error
        return {"name": name, "size": size, "sha256": sha256}

    # reading

    def _load(self) -> _State:
        bodies, damaged = manifest.read_all(self.folder)
        self.problems += [f"{name} is damaged and was passed over" for name in damaged]
        for ident in [i for i, body in bodies.items() if body["model"].get("model_id") != self.model["model_id"]]:
            body = bodies.pop(ident)
            self.problems.append(
                f"{manifest.file_name(body)} is of model {body['model'].get('name')!r}, not {self.model['name']!r}"
            )
        believed = manifest.believed(bodies, manifest.part_sizes(self.folder))
        missing = {ident: bodies[ident] for ident in bodies.keys() - believed.keys()}
        for ident in manifest.heads(bodies):
            if ident in missing:
                name = manifest.file_name(bodies[ident])
                self.problems.append(
                    f"{name} names parts that are not there whole, perhaps not yet; it was passed over"
                )
        # What a new manifest names is over for good, so one whose parts may still come is not named.
        young = time.time_ns() - KEPT_SECONDS * 10**9
        self._known = believed.keys() | {ident for ident, body in missing.items() if body["created_ns"] < young}
        state = _State(heads=manifest.heads(believed))
        read: dict[str, pa.Table | None] = {}
        folded: dict[str, bool] = {}
        for ident in state.heads:
            self._fold(ident, believed, read, state, folded)
        for name in sorted(set(state.entries) - state.dropped):
            dead = pa.array(sorted(state.dead.get(name, ())), pa.string())
            state.live[name] = (
                read[name].filter(pc.invert(pc.is_in(read[name]["path"], dead))) if len(dead) else read[name]
            )
        state.entries = {name: state.entries[name] for name in state.live}
        state.live = rows_.without_doubles(state.live)
        return state

    def _fold(self, ident: str, bodies: dict, read: dict, into: _State, folded: dict[str, bool]) -> bool:
        """Add a manifest to a state: whole, or what is sound of it and the generations before; whether one was whole.

        Rows that are dead in a manifest that is not whole live on in what is added from the generations before: those
        that took their place may be in the part that is missing.
        """
        if ident in folded:
            return folded[ident]
        body = bodies[ident]
        for entry in body["parts"]:
            if entry["name"] not in read:
                read[entry["name"]] = self._read_part(entry)
            if read[entry["name"]] is not None:
                into.entries[entry["name"]] = entry
        whole = folded[ident] = all(read[entry["name"]] is not None for entry in body["parts"])
        if whole:
            into.dropped.update(body["dropped"])
        else:
            earlier = manifest.before(body, bodies)
            folded[ident] = max((self._fold(one, bodies, read, into, folded) for one in earlier), default=False)
        if whole or not folded[ident]:
            for part, paths in body["dead"].items():
                into.dead.setdefault(part, set()).update(paths)
        into.failures |= body["failures"]
        return folded[ident]

    def _read_part(self, entry: dict) -> pa.Table | None:
        try:
            data = patiently((self.folder / Path(entry["name"]).name).read_bytes)
            if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                raise CacheError(f"{entry['name']} does not match its checksum ({len(data)} bytes of {entry['size']})")
            rows, said = rows_.checked(rows_.from_parquet(data, entry["name"])[0], self.model["dim"], entry["name"])
        except (OSError, CacheError) as error:
            self.problems.append(f"{error}; the next index() encodes its files again")
            return None
        self.problems += said
        return rows


def folder_name(model: str, model_id: str) -> str:
    """The name of a model's cache folder, "ViT-B-32-<id>" for "ViT-B/32"; a checkpoint's path gives its file name."""
    name = Path(model).name if Path(model).expanduser().is_file() else model
    return "".join(c if c.isalnum() or c in "-." else "-" for c in name) + f"-{model_id[:12]}"
