"""Indexing, the only orchestrator: scan the folder, compare with the cache, encode what is new, checkpoint, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm.auto import tqdm

from ..cache import mounts
from ..cache import rows as rows_
from ..cache.store import Store
from ..errors import LibraryError
from ..media.files import Listing, find_media
from .companions import Companions
from .journal import Journal
from .pipeline import Finished, Reader, Sample
from .plan import Plan, plan
from .presence import Presence
from .report import IndexReport, Skipped

if TYPE_CHECKING:
    from ..models.encoder import Encoder

CHECKPOINT_FILES = 256
CHECKPOINT_S = 30.0
MANY_REMOVED = 0.2  # of all files: more than this are only removed when asked for


def update(
    root: Path,
    store: Store,
    encoder: Encoder,
    every_s: float | None = None,
    confirm_removals: bool = False,
    progress: bool = True,
    motion_clips: bool = False,
    listing: Listing | None = None,
    read: Callable = Reader.read,
) -> IndexReport:
    """Bring the cache up to date with the folder and say what was done.

    Only new and changed files are encoded; a moved file keeps its rows, identical files are encoded once. `every_s` is
    the time between the sampled frames of a video in seconds (None: as they are, 1 s for new ones). A Live Photo's clip
    is left out unless `motion_clips` asks for it; one indexed before stays. Ctrl-C saves first. Raises LibraryError
    when the folder is missing or empty, or when more than a fifth of the files are gone and no `confirm_removals`;
    nothing is lost then. `listing` is what the folder holds where that is known already; `read` turns the reader and
    the files to encode into events (`cluster` has them read elsewhere).
    """
    started = time.monotonic()
    listing = listing or find_media(root)
    if not listing.files and store.rows.num_rows and not confirm_removals:
        raise LibraryError(
            f"{root} holds no photo or video, but its index has {store.rows.num_rows} rows. "
            "If the folder is a mount, check that it is mounted. Nothing was removed; if they are "
            "really gone, run index(confirm_removals=True)"
        )
    companions = Companions(root, listing, store.rows, motion_clips)
    todo = plan(listing, store, every_s, motion_clips)
    with Presence(store.folder) as presence:
        run = _Run(root, store, encoder, every_s or 1.0, todo, companions, presence)
        run.encode_all(progress, read)
        removed = run.finish(confirm_removals)
        companions.redate(store)
        store.compact()
    problems = [*store.problems, *presence.others, *companions.problems]
    return _report(run, listing, removed, problems, time.monotonic() - started)


def _report(run: _Run, listing: Listing, removed: int, problems: list[str], seconds: float) -> IndexReport:
    """What a finished run did, and what the index holds now."""
    store = run.store
    written, outlook = mounts.outlook(store.folder, store.rows.num_rows)
    skipped = [Skipped(error.path, error.stage, error.reason) for error in listing.problems]
    failures = sorted(store.failures.items())
    skipped += [Skipped(path, f["stage"], f["reason"]) for path, f in failures if f["stage"] != "motion"]
    frames = pc.sum(pc.equal(store.rows["kind"], "frame")).as_py() or 0
    return IndexReport(
        indexed=run.indexed,
        unchanged=run.unchanged,
        removed=removed,
        skipped=skipped,
        encoded=run.encoded,
        moved=run.moved,
        photos=store.rows.num_rows - frames,
        frames=frames,
        seconds=seconds,
        cache=str(store.folder),
        banner=run.encoder.banner,
        problems=problems,
        written=written,
        outlook=outlook,
        sidecars=len(set(run.companions.sidecars.values())),
        motion_clips=sum(f["stage"] == "motion" for _, f in failures),
    )


class _Run:
    """One run: events come in order and wait in `pending` for a batch; their rows wait in `ready` for a checkpoint."""

    def __init__(self, root, store, encoder, every_s: float, todo: Plan, companions: Companions, presence: Presence):
        self.root, self.store, self.encoder, self.every_s, self.plan = root, store, encoder, every_s, todo
        self.companions, self.presence = companions, presence
        self.before = store.rows  # a moved or copied file may need a row that this run replaces
        self.indexed = self.encoded = self.moved = self.since_saved = 0
        self.unchanged = todo.unchanged
        self.saved_at = time.monotonic()
        self.pending: list[Sample | Finished] = []
        self.unfinished: dict[str, list[tuple[Sample, np.ndarray]]] = {}  # samples with their embeddings, by path
        self.ready: list[tuple[Sample, np.ndarray]] = []
        self.twins: list[Finished] = []  # files whose content is encoded already
        self.lost: set[str] = set()  # files with rows, whose new content cannot be decoded
        self.failures = dict(todo.failed)
        columns = (self.before[c].to_pylist() for c in ("path", "digest", "every_s")) if todo.todo else ()
        whole = (row for row in zip(*columns, strict=True) if row[0] not in store.failures)
        self.digests = {(digest, sampled) for _, digest, sampled in whole}

    def known(self, digest: str, kind: str) -> bool:
        """Whether this content needs no encoding. Called from the reading threads too."""
        return (digest, self.every_s if kind == "video" else None) in self.digests

    def encode_all(self, progress: bool, read: Callable) -> None:
        """Encode the plan's files. Ctrl-C finishes the batch in hand and saves, then goes on to the caller."""
        journal = Journal(self.store.folder)
        encoder, suspects = self.encoder, journal.left_open()
        more = (self.every_s, self.known, journal, self.companions, suspects)
        events = read(Reader(self.root, encoder.prepare, encoder.resolution, *more), self.plan.todo)
        try:
            files = len(self.plan.todo)
            with tqdm(total=files, desc="Indexing", unit=" files", disable=not (progress and files)) as bar:
                for event in events:
                    self.pending.append(event)
                    if isinstance(event, Finished):
                        bar.update()
                    elif event.time_s is not None:
                        bar.set_postfix_str(f"{event.file.path[-30:]} at {event.time_s:.0f} s", refresh=False)
                    if len(self.pending) >= 2 * self.encoder.batch_size:
                        self.encode()
                        if self.since_saved >= CHECKPOINT_FILES or time.monotonic() - self.saved_at >= CHECKPOINT_S:
                            self.checkpoint()
            self.encode()
        except KeyboardInterrupt:
            self.encode()
            raise
        finally:
            events.close()
            journal.close()
            self.checkpoint()

    def encode(self) -> None:
        """Encode the pending samples, and settle the files that are finished."""
        samples = [event for event in self.pending if isinstance(event, Sample) and event.vector is None]
        vectors = iter(self.encoder.encode_images([sample.pixels for sample in samples]))
        pending, self.pending = self.pending, []
        for event in pending:
            if isinstance(event, Sample):
                vector = next(vectors) if event.vector is None else event.vector
                slim = replace(event, pixels=None, vector=None)  # those of a long video's frames would fill the memory
                self.unfinished.setdefault(event.file.path, []).append((slim, vector))
            else:
                self.settle(event)

    def settle(self, done: Finished) -> None:
        """Count a finished file, and put its rows with those to be saved."""
        file, rows = done.file, self.unfinished.pop(done.file.path, [])
        self.since_saved += 1
        if done.error:
            stage, reason = done.error.stage, done.error.reason
            self.failures[file.path] = {"size": file.size, "mtime_ns": file.mtime_ns, "stage": stage, "reason": reason}
            self.ready += rows
            if stage in ("decode", "motion") and not rows:
                self.lost.add(file.path)
        elif self.known(done.digest, file.kind):
            self.twins.append(done)
        else:
            self.ready += rows
            self.digests.add((done.digest, self.every_s if file.kind == "video" else None))
            self.indexed += 1
            self.encoded += 1

    def checkpoint(self) -> None:
        """Save the rows that are ready, and the failures."""
        self.presence.refresh()
        if self.ready or self.lost or self.failures != self.store.failures:
            vectors = np.array([vector for _, vector in self.ready], np.float32).reshape(-1, self.encoder.dim)
            thumbs = {(sample.digest, sample.time_s): sample.jpeg for sample, _ in self.ready}
            self.store.checkpoint(
                rows_.table([sample.row() for sample, _ in self.ready], vectors), thumbs, self.lost, self.failures
            )
        self.ready, self.lost, self.saved_at, self.since_saved = [], set(), time.monotonic(), 0

    def finish(self, confirmed: bool) -> int:
        """Give moved and copied files the rows of their content; drop those of files that are gone, and count these."""
        if not self.twins and not self.plan.gone:
            return 0
        path_of = zip(self.before["digest"].to_pylist(), self.before["path"].to_pylist(), strict=True)
        gone_with: dict[str, list[str]] = {}  # paths that are gone, by content
        for digest, path in dict.fromkeys(pair for pair in path_of if pair[1] in self.plan.gone):
            gone_with.setdefault(digest, []).append(path)
        known = dict(zip(self.before["path"].to_pylist(), self.before["digest"].to_pylist(), strict=True))
        came_from = set()
        for twin in self.twins:
            if twin.file.path not in known and gone_with.get(twin.digest):
                came_from.add(gone_with[twin.digest].pop())
        touched = sum(known.get(twin.file.path) == twin.digest for twin in self.twins)
        self.moved = len(came_from)
        self.unchanged += touched + self.moved
        self.indexed += len(self.twins) - touched - self.moved
        removed = self.plan.gone - came_from
        refused = len(removed) > MANY_REMOVED * len(known) and not confirmed
        new, thumbs = self._twin_rows()
        if new.num_rows or (removed and not refused):
            self.store.checkpoint(new, thumbs, came_from | (set() if refused else removed), self.failures)
        if refused:
            raise LibraryError(
                f"{len(removed)} of {len(known)} files are gone from {self.root}. Nothing was removed. "
                "If a folder is not mounted, mount it; if they are really gone, run index(confirm_removals=True)"
            )
        return len(removed)

    def _twin_rows(self) -> tuple[pa.Table, dict]:
        """Rows and thumbnails for the files whose content is encoded under another path."""
        found = pa.concat_tables([self.store.rows, self.before])
        found = found.filter(pc.is_in(found["digest"], pa.array([twin.digest for twin in self.twins], pa.string())))
        columns = [found[c].to_pylist() for c in ("digest", "time_s", "every_s")]
        positions: dict[str, dict[float | None, int]] = {}
        for position, (digest, time_s, sampled) in enumerate(zip(*columns, strict=True)):
            if sampled in (None, self.every_s):
                positions.setdefault(digest, {})[time_s] = position
        keys = [(digest, time_s) for digest in positions for time_s in positions[digest]]
        thumbs = {key: jpeg for key in keys if (jpeg := self.store.thumbnail(key)) is not None}
        pairs = [(twin.file, position) for twin in self.twins for position in positions[twin.digest].values()]
        return rows_.of_files(
            found.take(pa.array([p for _, p in pairs], pa.int64())), [file for file, _ in pairs]
        ), thumbs
