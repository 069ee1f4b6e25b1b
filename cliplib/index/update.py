"""Indexing, the only orchestrator: scan the folder, compare with the cache, encode what is new, checkpoint, report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from tqdm.auto import tqdm

from ..cache import mounts
from ..cache import rows as rows_
from ..cache.store import Store
from ..errors import LibraryError, QueryError
from ..media.files import Listing, find_media
from .companions import Companions
from .copies import Copies
from .journal import Journal
from .pipeline import Finished, Reader, Sample
from .plan import EVERY_S, Plan, plan
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
    if every_s is not None and not 0 < every_s < float("inf"):
        raise QueryError(f"every_s is {every_s!r}: give the seconds between two sampled frames, more than 0")
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
    copies = Copies(store, todo, every_s)
    with Presence(store.folder) as presence:
        run = _Run(root, store, encoder, todo, copies, presence)
        with closing(Journal(store.folder)) as journal:
            suspects, sampled_s = journal.left_open(), every_s or EVERY_S
            reader = Reader(
                root, encoder.prepare, encoder.resolution, sampled_s, copies.known, journal, companions, suspects
            )
            with closing(read(reader, todo.todo)) as events:
                run.take_in(events, progress)
        removed = run.remove_gone(confirm_removals)
        companions.redate(store)
        store.compact()
    return _report(run, listing, companions, removed, time.monotonic() - started)


def _report(run: _Run, listing: Listing, companions: Companions, removed: int, seconds: float) -> IndexReport:
    """What a finished run did, and what the index holds now."""
    store, counts = run.store, run.counts
    written, outlook = mounts.outlook(store.folder, store.rows.num_rows)
    failures = sorted(store.failures.items())
    skipped = [Skipped(error.path, error.stage, error.reason) for error in listing.problems]
    skipped += [Skipped(path, f["stage"], f["reason"]) for path, f in failures if f["stage"] != "motion"]
    frames = pc.sum(pc.equal(store.rows["kind"], "frame")).as_py() or 0
    return IndexReport(
        indexed=counts["encoded"] + counts["copied"],
        unchanged=run.plan.unchanged + counts["touched"] + counts["moved"],
        removed=removed,
        skipped=skipped,
        encoded=counts["encoded"],
        moved=counts["moved"],
        photos=store.rows.num_rows - frames,
        frames=frames,
        seconds=seconds,
        cache=str(store.folder),
        banner=run.encoder.banner,
        problems=[*store.problems, *run.presence.others, *companions.problems],
        written=written,
        outlook=outlook,
        sidecars=len(set(companions.sidecars.values())),
        motion_clips=sum(f["stage"] == "motion" for _, f in failures),
    )


class _Run:
    """One run. Events wait in `pending` for a batch, samples in `unfinished` for the end of their file, and then, with
    their embeddings, in `ready` for a checkpoint; a file of known content waits in `copies`.
    """

    def __init__(self, root: Path, store: Store, encoder: Encoder, todo: Plan, copies: Copies, presence: Presence):
        self.root, self.store, self.encoder, self.plan, self.copies = root, store, encoder, todo, copies
        self.presence, self.before = presence, store.rows
        self.counts = Counter()  # of files: "encoded", "copied", "moved", "touched"
        self.pending: list[Sample | Finished] = []
        self.unfinished: dict[str, list[tuple[Sample, np.ndarray]]] = {}  # by path
        self.ready: list[tuple[Sample, np.ndarray]] = []
        self.lost: set[str] = set()  # files with rows, whose new content cannot be decoded
        again = {file.path for file in todo.todo} & store.failures.keys()  # kept until they are settled
        self.failures = todo.failed | {path: store.failures[path] for path in again}
        self.since_saved, self.saved_at = 0, time.monotonic()

    def take_in(self, events: Generator[Sample | Finished], progress: bool) -> None:
        """Encode the plan's files as they come. Ctrl-C finishes the batch in hand and saves, then goes on."""
        files = len(self.plan.todo)
        try:
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
        self.failures.pop(file.path, None)
        self.since_saved += 1
        if done.error:
            stage, reason = done.error.stage, done.error.reason
            self.failures[file.path] = {"size": file.size, "mtime_ns": file.mtime_ns, "stage": stage, "reason": reason}
            self.ready += rows
            if stage in ("decode", "motion") and not rows:
                self.lost.add(file.path)
        elif self.copies.known(done.digest, file.kind):
            self.counts[self.copies.take(done)] += 1
        else:
            self.counts["encoded"] += 1
            self.copies.add(done)
            self.ready += rows

    def checkpoint(self) -> None:
        """Save the rows that are ready or known, and the failures."""
        self.presence.refresh()
        waiting = self.copies.waiting
        if self.ready or waiting or self.lost or self.failures != self.store.failures:
            vectors = np.array([vector for _, vector in self.ready], np.float32).reshape(-1, self.encoder.dim)
            thumbs = {(sample.digest, sample.time_s): sample.jpeg for sample, _ in self.ready}
            new = rows_.table([sample.row() for sample, _ in self.ready], vectors)
            if waiting:
                new = rows_.joined([new, self.copies.rows(new, thumbs)], self.encoder.dim)
            self.store.checkpoint(new, thumbs, self.lost | self.copies.left, self.failures)
            self.copies.saved(new)
        self.ready, self.lost, self.saved_at, self.since_saved = [], set(), time.monotonic(), 0

    def remove_gone(self, confirmed: bool) -> int:
        """Drop the rows of files that are gone, and count these; LibraryError where they are many."""
        gone = self.plan.gone - self.copies.left
        files = pc.count_distinct(self.before["path"]).as_py() if gone else 0
        if len(gone) > MANY_REMOVED * files and not confirmed:
            raise LibraryError(
                f"{len(gone)} of {files} files are gone from {self.root}. Nothing was removed. "
                "If a folder is not mounted, mount it; if they are really gone, run index(confirm_removals=True)"
            )
        if gone:
            self.store.checkpoint(self.before.slice(0, 0), {}, gone, self.failures)
        return len(gone)
