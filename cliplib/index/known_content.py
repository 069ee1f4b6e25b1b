"""Files whose content the index knows already, by another path or another date: they take its rows, unencoded."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ..cache import rows as rows_
from ..cache.store import Store
from ..cache.thumbs import Key, Thumbs
from .pipeline import Finished
from .plan import Plan

# Columns that files of one content share; the others are a file's own.
OF_CONTENT = ("kind", "time_s", "digest", "every_s", "frame_s", "provisional")


class KnownContent:
    """What is known by content in one run, and the files of known content that wait for their rows.

    A video is known at the sampling interval `every_s`; None: at any.

    Attributes:
        waiting: files that get rows at the next checkpoint.
        left: paths that are gone and whose content was found under another path. Their rows go when the other's are
            saved.
    """

    def __init__(self, store: Store, todo: Plan, every_s: float | None):
        self.store, self.every_s = store, every_s
        self.waiting: list[Finished] = []
        self.left: set[str] = set()
        facts = store.rows.select(["path", "kind", "digest", "every_s"])
        asked = pa.array([*todo.gone, *(file.path for file in todo.todo)], pa.string())
        named = facts.filter(pc.is_in(facts["path"], asked))
        self._before = dict(zip(named["path"].to_pylist(), named["digest"].to_pylist(), strict=True))
        self._gone: dict[str, list[str]] = {}  # paths that are gone, by digest
        for path in sorted(todo.gone):
            self._gone.setdefault(self._before[path], []).append(path)
        # Contents, with the interval where that matters; a file that failed may be there in part only.
        columns = (facts[c].to_pylist() for c in facts.column_names) if todo.todo else ()
        whole = (row for row in zip(*columns, strict=True) if row[0] not in store.failures)
        self._contents = {(kind, digest, sampled if every_s else None) for _, kind, digest, sampled in whole}
        # Where the rows and pictures of known content are, also of what this run replaces.
        self._tables = [store.rows]
        self._thumb_files: dict[str, Thumbs | None] = {}
        self._note_thumb_files()

    def has(self, digest: str, file_kind: str) -> bool:
        """Whether the content of a file of this kind needs no encoding. Called from the reading threads too."""
        return self._content(digest, file_kind) in self._contents

    def add(self, done: Finished) -> None:
        """The content of this file is known from now on."""
        self._contents.add(self._content(done.digest, done.file.file_kind))

    def _content(self, digest: str, file_kind: str) -> tuple[str, str, float | None]:
        """What is known: the rows of a photo are no answer for a file that is called a video, and the other way."""
        return ("frame", digest, self.every_s) if file_kind == "video" else ("image", digest, None)

    def take(self, done: Finished) -> str:
        """Let a file of known content wait for its rows; what it is: "touched" (of a new date), "moved" or "copied"."""
        self.waiting.append(done)
        before = self._before.get(done.file.path)
        if before == done.digest:
            return "touched"
        if before is None and self._gone.get(done.digest):
            self.left.add(self._gone[done.digest].pop())
            return "moved"
        return "copied"

    def rows(self, new: pa.Table, thumbs: dict[Key, bytes]) -> pa.Table:
        """The rows of the files that wait; `new` and `thumbs` are about to be saved, and get their thumbnails too."""
        digests = pa.array(sorted({done.digest for done in self.waiting}), pa.string())
        tables = [new, *reversed(self._tables)]  # what this run has read whole goes first
        found = rows_.concatenate([t.filter(pc.is_in(t["digest"], digests)) for t in tables])
        positions: dict[tuple, dict[float | None, int]] = {}  # by kind and content, by time
        intervals: dict[tuple, float | None] = {}
        known = zip(*(found[name].to_pylist() for name in ("kind", "digest", "time_s", "every_s")), strict=True)
        for position, (kind, digest, time_s, sampled) in enumerate(known):
            fits = sampled is None or self.every_s in (None, sampled)
            if fits and intervals.setdefault((kind, digest), sampled) == sampled:
                positions.setdefault((kind, digest), {}).setdefault(time_s, position)
        contents = [self._content(done.digest, done.file.file_kind)[:2] for done in self.waiting]
        pairs = [(done, at) for done, key in zip(self.waiting, contents, strict=True) for at in positions[key].values()]
        rows = with_facts(found.take(pa.array([at for _, at in pairs], pa.int64())), [done for done, _ in pairs])
        for key in dict.fromkeys(rows_.keys(rows)):
            if key not in thumbs and (jpeg := self._thumbnail(key)):
                thumbs[key] = jpeg
        return rows

    def saved(self, new: pa.Table) -> None:
        """The rows `new`, and those of all that waited, are in the store."""
        self._tables.append(new)
        self.waiting = []
        self._note_thumb_files()

    def _note_thumb_files(self) -> None:
        self._thumb_files = (
            dict.fromkeys(Path(entry["name"]).name for entry in self.store.thumb_files()) | self._thumb_files
        )

    def _thumbnail(self, key: Key) -> bytes | None:
        for name, thumbs in self._thumb_files.items():
            if thumbs is None:  # only its name is known so far
                thumbs = self._thumb_files[name] = Thumbs([self.store.folder / name])
            if jpeg := thumbs.get(key):
                return jpeg
        return None


def about(done: Finished) -> dict:
    """The columns that all rows of a finished file have alike; None for what it does not tell."""
    known = {name: getattr(done.file, name) for name in ("path", "size", "mtime_ns")} | done.facts
    return {name: known.get(name) for name in rows_.COLUMNS if name not in OF_CONTENT}


def with_facts(rows: pa.Table, files: list[Finished]) -> pa.Table:
    """The same rows as if of other files with the same content, a file a row: with what is known of these."""
    facts = [about(done) for done in files]
    for name in facts[0]:
        rows = rows_.with_column(rows, name, [each[name] for each in facts])
    return rows
