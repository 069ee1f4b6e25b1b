"""The cache on disk: immutable parts of rows and thumbnails, and the manifests that name them.

A checkpoint writes a part, then a manifest under a new name. Nothing is changed in place, so a stop at any moment
leaves the state before or the state after. Loading folds all heads: the union of their parts less the dead rows; so two
writers lose nothing. A part that does not match its checksum is named, and its rows are looked for in the generation
before.

    .cliplib/<model>/manifest-<time>-<id>.json
                     part-<id>.parquet          rows, see `rows`
                     thumbs-<id>.parquet        see `thumbs`
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from . import manifest
from . import rows as rows_
from .durable import write_durably
from .errors import CacheError
from .thumbs import Key, Thumbs, write_pack

KEPT_GENERATIONS = 4
KEPT_SECONDS = 3600  # a file younger than this may belong to a writer whose manifest is still to come
READERS = 4  # parts that are read and checked at once
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

    def refresh(self) -> None:
        """Read again if another writer has added to the cache since it was read."""
        if self._manifests_there() != self._manifests:
            self._read()

    def _manifests_there(self) -> set[str]:
        return {file.name for file in self.folder.glob("manifest*.json")}

    @property
    def rows(self) -> pa.Table:
        """The live rows, each (path, time_s) once, in one chunk; photos before frames, so that either is a slice."""
        if self._rows is None:
            self._rows = rows_.joined(list(self._state.live.values()), self.model["dim"])
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
        return self._packs().get(key)

    def _packs(self) -> Thumbs:
        if self._thumbs is None:
            self._thumbs = Thumbs([self.folder / Path(entry["name"]).name for entry in self.thumb_files()])
            self.problems.extend(self._thumbs.problems)
        return self._thumbs

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
            self._add_part(state, new, thumbs.items)
        self._commit(state)

    def compact(self) -> None:
        """Merge the parts when they are many (not one with half the rows); delete what no recent manifest names."""
        if len(self._state.live) <= MANY_PARTS:
            return
        total = sum(rows.num_rows for rows in self._state.live.values())
        stay = {n for n, rows in self._state.live.items() if rows.num_rows > total / 2 and n not in self._state.dead}
        state = _State(failures=self._state.failures, dropped=set(self._state.live) - stay)
        for name in stay:
            state.live[name], state.entries[name] = self._state.live[name], self._state.entries[name]
        merged = pa.concat_tables([self._state.live[name] for name in sorted(state.dropped)]).combine_chunks()
        keys, packs = dict.fromkeys(rows_.keys(merged)), self._packs()
        self._add_part(state, merged, lambda: packs.among(keys))
        self._commit(state)
        self._delete_old()

    def _add_part(self, state: _State, rows: pa.Table, thumbs: Callable[[], Iterable[tuple[Key, bytes]]]) -> None:
        ident = uuid.uuid4().hex[:16]
        about = {f"cliplib.{key}": str(value) for key, value in self.model.items()}
        write = partial(rows_.write_parquet, rows, about)
        entry = self._write(f"part-{ident}.parquet", write) | {"rows": rows.num_rows}
        if next(iter(thumbs()), None):
            entry["thumbs"] = self._write(f"thumbs-{ident}.parquet", lambda file: write_pack(file, thumbs()))
        state.live[entry["name"]], state.entries[entry["name"]] = rows, entry

    def _commit(self, state: _State) -> None:
        parts = list(state.entries.values())
        body = manifest.new(self.model, self._state.heads, parts, state.dead, sorted(state.dropped), state.failures)
        name = manifest.file_name(body)
        self._write(name, lambda file: file.write(manifest.to_bytes(body)))
        self._manifests.add(name)
        state.heads = [body["id"]]
        self._state, self._rows, self._thumbs = state, None, None

    def _write(self, name: str, write: Callable) -> dict:
        """Let `write` fill a new file of the cache; its name, size in bytes and sha256."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            size, sha256 = write_durably(self.folder / name, write)
        except OSError as error:
            raise CacheError(
                f"could not save {name} in {self.folder}: {error.strerror or error}. What was saved before is intact. "
                "Free some space, or give another folder with Library(..., cache=...), and run index() again."
            ) from error
        return {"name": name, "size": size, "sha256": sha256}

    def _delete_old(self) -> None:
        """Delete manifests that are neither recent nor of the last generations, then files that no other names."""
        horizon = time.time() - KEPT_SECONDS
        needed: set[str] = set()
        files = sorted(self.folder.glob("manifest*.json"))
        for generation, file in enumerate(reversed(files)):
            body = manifest.read(file)
            recent = generation < KEPT_GENERATIONS or file.stat().st_mtime > horizon
            if body is not None and (recent or body["id"] in self._state.heads):
                needed |= manifest.files_named(body)
            elif body is not None:
                file.unlink(missing_ok=True)
                self._manifests.discard(file.name)
        for file in [*self.folder.glob("part-*.parquet"), *self.folder.glob("thumbs-*.parquet")]:
            if file.name not in needed and file.stat().st_mtime < horizon:
                file.unlink(missing_ok=True)

    # reading

    def _load(self) -> _State:
        bodies, damaged = manifest.read_all(self.folder)
        self.problems += [f"{name} is damaged and was passed over" for name in damaged]
        for ident in [i for i, body in bodies.items() if body["model"].get("model_id") != self.model["model_id"]]:
            body = bodies.pop(ident)
            self.problems.append(
                f"{manifest.file_name(body)} is of model {body['model'].get('name')!r}, not {self.model['name']!r}"
            )
        state = _State(heads=manifest.heads(bodies))
        entries = {entry["name"]: entry for ident in state.heads for entry in bodies[ident]["parts"]}
        with ThreadPoolExecutor(READERS) as pool:  # one thread decodes the embeddings of a part
            read: dict[str, pa.Table | None] = dict(
                zip(entries, pool.map(self._read_part, entries.values()), strict=True)
            )
        for ident in state.heads:
            self._fold(bodies[ident], bodies, read, state)
        for name in sorted(set(state.entries) - state.dropped):
            dead = pa.array(sorted(state.dead.get(name, ())), pa.string())
            state.live[name] = (
                read[name].filter(pc.invert(pc.is_in(read[name]["path"], dead))) if len(dead) else read[name]
            )
        state.entries = {name: state.entries[name] for name in state.live}
        state.live = rows_.without_doubles(state.live)
        return state

    def _fold(self, body: dict, bodies: dict, read: dict, into: _State) -> None:
        """Add a manifest to a state; where one of its parts is damaged, the generation before as well."""
        for entry in body["parts"]:
            if entry["name"] not in read:
                read[entry["name"]] = self._read_part(entry)
            if read[entry["name"]] is not None:
                into.entries[entry["name"]] = entry
        for part, paths in body["dead"].items():
            into.dead.setdefault(part, set()).update(paths)
        into.failures |= body["failures"]
        if all(read[entry["name"]] is not None for entry in body["parts"]):
            into.dropped.update(body["dropped"])
            return
        for parent in body["parents"]:
            if parent in bodies:
                self._fold(bodies[parent], bodies, read, into)

    def _read_part(self, entry: dict) -> pa.Table | None:
        try:
            data = (self.folder / Path(entry["name"]).name).read_bytes()
            if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                raise CacheError(f"{entry['name']} does not match its checksum ({len(data)} bytes of {entry['size']})")
            rows, said = rows_.checked(
                rows_.from_parquet(data, entry["name"], intact=True)[0], self.model["dim"], entry["name"]
            )
        except (OSError, CacheError) as error:
            self.problems.append(f"{error}; the next index() encodes its files again")
            return None
        self.problems += said
        return rows


def folder_name(model: str, model_id: str) -> str:
    """The name of a model's cache folder, "ViT-B-32-<id>" for "ViT-B/32"; a checkpoint's path gives its file name."""
    name = Path(model).name if Path(model).expanduser().is_file() else model
    return "".join(c if c.isalnum() or c in "-." else "-" for c in name) + f"-{model_id[:12]}"
