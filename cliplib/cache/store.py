"""The cache on disk: immutable parts of rows and thumbnails, and the manifests that name them.

A checkpoint writes a part, then a manifest under a new name. Nothing is changed in place, so a stop at any moment
leaves the state before or the state after. Loading merges all heads, the union of their parts less the dead rows, so
that two writers lose nothing. A part that does not match its checksum is named, and its rows are looked for in the
generation before. Files may arrive in any order, or never, where the cache lies on a mount and the machine dies (see
`mounts`).

    .cliplib/<model>/manifest-<time>-<id>.json
                     part-<id>.parquet          rows, see `rows`
                     thumbs-<id>.parquet        see `thumbs`
"""

import errno
import hashlib
import os
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pyarrow as pa

from ..errors import CacheError
from ..media.retry import with_retries
from ..places import home
from . import format, manifest, mounts
from . import rows as rows_
from .durable import writable, write_durably
from .merging import Merger, State
from .retention import delete_old
from .thumbs import Key, Thumbs, write_thumbs

MANY_PARTS = 8  # more than this are merged when a run ends


class Store:
    """The cache of one library for one model, an `IndexReader` that can be written.

    Nothing is written before the first `checkpoint`.

    Args:
        folder: `.cliplib/<model>`.
        model: which encoder made the rows (`model_id`, `name`, ...) and the numbers of its embeddings (`dim`).
        embeddings: in what precision they are written, "float32" or "float16". `upgrade` brings older parts to it.
            None: as they are, float32 for a new index.

    Raises:
        CacheError: the folder cannot be listed, or its index is of a later format.
    """

    def __init__(self, folder: Path, model: dict, embeddings: str | None = None):
        self.folder, self.model, self.embeddings = Path(folder), model, embeddings
        self._read()

    def _read(self) -> None:
        found, merger = set(manifest.files(self.folder)), Merger(self.folder, self.model)
        self._state = merger.state()  # where that raises, what was read before stays, and is still to be read again
        self._manifests, self.problems = found, merger.problems
        self._beneath = next(folder for folder in (self.folder, *self.folder.parents) if os.path.isdir(folder))
        self._rows: pa.Table | None = None
        self._thumbs: Thumbs | None = None

    def refresh(self, deleted: bool = False) -> bool:
        """Read the cache again where another writer has changed it; whether one had.

        Where nothing of it is there any more, its mount may be away for a moment: what was read stays.

        Args:
            deleted: the library's own files are in sight. A cache that is not there was deleted, then.
        """
        found = set(manifest.files(self.folder))
        changed = found != self._manifests and (deleted or bool(found))
        if changed:
            self._read()
        return changed

    def move(self, folder: Path) -> None:
        """Go on in another folder, with what is there."""
        self.folder = Path(folder)
        self._read()

    @property
    def rows(self) -> pa.Table:
        """The live rows, each (path, time_s) once, in one chunk; photos before frames, so that either is a slice.

        Their parts come by name: every session answers in the same order where scores are equal.
        """
        if self._rows is None:
            live = self._state.live
            self._rows = rows_.join([live[name] for name in sorted(live)], self.model["dim"])
        return self._rows

    @property
    def failures(self) -> dict[str, dict]:
        """Files that could not be indexed whole: {path: {size, mtime_ns, stage, reason}}."""
        return self._state.failures

    def thumb_files(self) -> list[dict]:
        """Name, size and sha256 of the thumbnail files."""
        return [entry["thumbs"] for entry in self._state.entries.values() if "thumbs" in entry]

    def thumbnail(self, key: Key) -> bytes | None:
        """The JPEG of a row by (digest, time_s), or None where the cache has none."""
        return self._all_thumbs().get(key)

    def _all_thumbs(self) -> Thumbs:
        if self._thumbs is None:
            if not os.path.isdir(self.folder):  # away for a moment: there is nothing to note
                return Thumbs([])
            self._thumbs = Thumbs([self.folder / entry["name"] for entry in self.thumb_files()])
            self.problems += [text for text in self._thumbs.problems if text not in self.problems]
        return self._thumbs

    # writing

    def checkpoint(self, new: pa.Table, thumbs: dict[Key, bytes], gone: set[str], failures: dict[str, dict]) -> None:
        """Make new rows durable. Older rows of the same paths die.

        Args:
            new: rows in the columns of `rows.schema`.
            thumbs: their JPEGs by (digest, time_s).
            gone: paths whose rows die, too.
            failures: files that could not be indexed whole, in place of those on record.

        Raises:
            CacheError: the disk refuses. The state before is intact then.
        """
        doomed = pa.array([*gone, *new["path"].unique().to_pylist()], pa.string())
        state = State(failures=failures)
        for name, rows in self._state.live.items():
            alive, died = rows_.without_paths(rows, doomed)
            if not alive.num_rows:
                state.dropped.add(name)
                continue
            state.live[name], state.entries[name] = alive, self._state.entries[name]
            if dead := self._state.dead.get(name, set()) | died:
                state.dead[name] = dead
        if new.num_rows:
            self._add_part(state, new, self._write_thumbs(thumbs.items))
        self._commit(state, new.num_rows)

    def upgrade(self) -> None:
        """Bring parts of an earlier format, and of another precision than is asked for, up to date.

        See `rows.upgraded`. Thumbnails stay where they are. Nothing is written where nothing changes.
        """
        state = State(failures=self._state.failures)
        for name, rows in self._state.live.items():
            entry, complete = self._state.entries[name], rows_.upgraded(rows)
            if complete is rows and self.embeddings in (None, _precision(entry)):
                state.live[name], state.entries[name] = rows, entry
                if name in self._state.dead:
                    state.dead[name] = self._state.dead[name]
            else:
                state.dropped.add(name)
                self._add_part(state, complete, entry.get("thumbs"))
        if state.dropped:
            self._commit(state, 0)

    def compact(self) -> None:
        """Merge the parts when they are many (not one with half the rows); delete what need not be kept."""
        if len(self._state.live) > MANY_PARTS:
            self._merge()
        if len(self._manifests) > MANY_PARTS:
            delete_old(self.folder)
            self._manifests &= set(manifest.files(self.folder))  # not what came meanwhile: `refresh` has yet to see it

    def _merge(self) -> None:
        total = sum(rows.num_rows for rows in self._state.live.values())
        stay = {n for n, rows in self._state.live.items() if rows.num_rows > total / 2 and n not in self._state.dead}
        state = State(failures=self._state.failures, dropped=set(self._state.live) - stay)
        for name in stay:
            state.live[name], state.entries[name] = self._state.live[name], self._state.entries[name]
        merged = rows_.concatenate([self._state.live[name] for name in sorted(state.dropped)]).combine_chunks()
        keys, pictures = dict.fromkeys(rows_.keys(merged)), self._all_thumbs()
        self._add_part(state, merged, self._write_thumbs(lambda: pictures.among(keys)))
        self._commit(state, 0)

    def _write_thumbs(self, thumbs: Callable[[], Iterable[tuple[Key, bytes]]]) -> dict | None:
        """Write a file of thumbnails; its name, size and sha256, or None where there are none."""
        if next(iter(thumbs()), None) is None:
            return None
        return self._write(f"thumbs-{uuid.uuid4().hex[:16]}.parquet", lambda file: write_thumbs(file, thumbs()))

    def _add_part(self, state: State, rows: pa.Table, thumbs: dict | None) -> None:
        """Write a part, whose thumbnails are in the file `thumbs`, and add it to a state."""
        about = {f"cliplib.{key}": str(value) for key, value in {**self.model, "format": format.VERSION}.items()}
        before = {_precision(entry) for entry in self._state.entries.values()}
        precision = self.embeddings or (before.pop() if len(before) == 1 else rows_.PRECISIONS[0])
        stored = rows_.with_embeddings_of(rows, precision)
        rows = rows_.with_embeddings_of(stored, "float32")  # as the next session will read them
        write = partial(rows_.write_parquet, stored, about)
        entry = self._write(f"part-{uuid.uuid4().hex[:16]}.parquet", write)
        entry |= {"rows": rows.num_rows, "embeddings": precision} | ({"thumbs": thumbs} if thumbs else {})
        state.live[entry["name"]], state.entries[entry["name"]] = rows, entry

    def _commit(self, state: State, new_rows: int) -> None:
        parts = list(state.entries.values())
        body = manifest.new(self.model, self._state.known, parts, state.dead, state.dropped, state.failures)
        name = manifest.file_name(body)
        mounts.note(self.folder / name, new_rows)
        self._write(name, lambda file: file.write(manifest.to_bytes(body)))
        self._manifests.add(self.folder / name)
        state.known = self._state.known | {body["id"]}
        self._state, self._rows, self._thumbs = state, None, None

    def _write(self, name: str, write: Callable) -> dict:
        """Let `write` fill a new file of the cache; its name, size in bytes and sha256."""
        beneath = self.folder if self._manifests else self._beneath
        if not os.path.isdir(beneath):  # to make it anew could mean to write where a mount was, on another disk
            raise CacheError(
                f"the cache {self.folder} cannot be written: {beneath} is not there any more. If it lies on a mount, "
                "mount it anew; if it was deleted, run index() again"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            size, sha256 = with_retries(lambda: write_durably(self.folder / name, write))
        except OSError as error:
            room = "Free some space, or give" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Give"
            raise CacheError(
                f"could not save {name} in {self.folder}: {error.strerror or error}. What was saved before is intact. "
                f"{room} another folder with Library(..., cache=...), and run index() again."
            ) from error
        return {"name": name, "size": size, "sha256": sha256}


def _precision(entry: dict) -> str:
    """The precision of the embeddings of a part; one of format 1 says nothing."""
    return entry.get("embeddings", "float32")


def folder_name(model: str, model_id: str) -> str:
    """The name of a model's cache folder, "ViT-B-32-<id>" for "ViT-B/32"; a checkpoint's path gives its file name."""
    name = Path(model).name if Path(model).expanduser().is_file() else model
    return "".join(c if c.isalnum() or c in "-." else "-" for c in name) + f"-{model_id[:12]}"


def cache_of(root: Path) -> Path:
    """Where a library's caches are written: `root/.cliplib`, or in the home folder where that cannot be written."""
    beside = root / ".cliplib"
    can_write = os.access(beside, os.W_OK) if beside.is_dir() else not os.path.lexists(beside) and writable(root)
    return beside if can_write else cache_elsewhere(root)


def cache_elsewhere(root: Path) -> Path:
    """The folder in the home folder for the caches of a library that cannot hold them itself."""
    name = hashlib.sha256(str(root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return home() / ".cache" / "cliplib" / name
