"""Indexing, the only orchestrator: scan the folder, compare with the cache, encode what is new, checkpoint, report."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
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
from ..cache.thumbs import Key
from ..errors import LibraryError, MediaError, QueryError, printable
from ..media.files import Listing, MediaFile, find_media
from .active_writers import ActiveWriters
from .first_pass import photos_of
from .journal import Journal
from .known_content import KnownContent, about
from .pipeline import Finished, Reader, Sample, Sampling
from .plan import EVERY_S, Plan, moving_part, plan, versions
from .report import IndexContents, IndexReport, OtherFiles, Skipped, by_suffix
from .sidecars import Sidecars

if TYPE_CHECKING:
    from ..models.encoder import Encoder

CHECKPOINT_FILES = 256
CHECKPOINT_S = 30.0
FIRST_CHECKPOINT_S = 10.0  # the sooner something can be searched, and is safe, the better
ENCODE_S = 1.5  # so long may one batch take on a slow machine, for Ctrl-C is heard after it
FIRST_BATCH = 8  # pictures, until it is known how long they take
WAIT_S = 3.0  # so long may what is read wait for the rest of its batch
MANY_REMOVED = 0.2  # of all files: more than this are only removed when asked for


def update(
    root: Path,
    store: Store,
    encoder: Encoder,
    every_s: float | None = None,
    confirm_removals: bool = False,
    progress: bool = True,
    motion_clips: bool = False,
    retry_failed: bool = False,
    first_pass: bool | None = None,
    listing: Listing | None = None,
    read: Callable = Reader.read,
    ignore: Sequence[str] = (),
) -> IndexReport:
    """Bring the cache up to date with the folder and say what was done.

    Only new and changed files are encoded; a moved file keeps its rows, identical files are encoded once. Ctrl-C saves
    first.

    Args:
        root: the library's folder.
        store: its cache, which is written.
        encoder: the model whose cache that is.
        every_s: seconds between the sampled frames of a video. None: as they are, 1 s for new videos.
        confirm_removals: whether the rows of files that are gone may go, however many these are.
        progress: whether a bar is shown.
        motion_clips: whether the clip of a Live Photo is a video of its own; one that was asked for stays.
        retry_failed: whether files are tried again that could not be decoded, also where no decoder has changed.
        first_pass: whether new photos are first encoded by the previews in their files. None: where half carry one.
        listing: what the folder holds, where that is known already.
        read: turns a reader and the files to encode into events, for `cluster` has them read elsewhere.
        ignore: rules of what is left out, see `find_media`.

    Raises:
        LibraryError: the folder is missing or empty, or more than a fifth of its files are gone and
            `confirm_removals` is False. Nothing is lost then.
        CacheError: the cache cannot be read or written.
    """
    every_s, started = every_s_of(every_s), time.monotonic()
    listing = listing or find_media(root, ignore)
    if not (listing.files or confirm_removals):
        _refuse_to_empty(root, store)
    store.refresh(deleted=True)
    sidecars = Sidecars(root, listing, store.rows, motion_clips)
    todo = plan(listing, store, sidecars, every_s, motion_clips, retry_failed)
    with ActiveWriters(store.folder) as writers:
        run = _Run(root, store, encoder, todo, KnownContent(store, todo, every_s), sidecars, writers)
        with closing(Journal(store.folder)) as journal:
            sampling = Sampling(encoder.prepare, encoder.resolution, every_s or EVERY_S)
            reader = Reader(root, sampling, run.content.has, journal, sidecars)
            if quick := photos_of(root, todo.todo, store.rows, encoder.resolution, first_pass):
                with closing(read(replace(reader, previews=True), quick)) as events:
                    run.consume(events, len(quick), progress, "First pass, by previews")
            with closing(read(reader, todo.todo)) as events:
                run.consume(events, len(todo.todo), progress)
        removed = run.remove_gone(confirm_removals, listing.leaves_out)
        store.upgrade()
        store.compact()
    return _report(run, listing, sidecars, removed, time.monotonic() - started)


def _refuse_to_empty(root: Path, store: Store) -> None:
    """Raise LibraryError where the index of a folder without photos and videos has rows."""
    if store.rows.num_rows:
        raise LibraryError(
            f"{root} holds no photo or video, but its index has {store.rows.num_rows} rows. "
            "If the folder is a mount, check that it is mounted. Nothing was removed; if they are "
            "really gone, run index(confirm_removals=True)"
        )


def every_s_of(seconds: float | None) -> float | None:
    """The seconds between the sampled frames of a video, as asked for; QueryError where that cannot be."""
    if seconds is None:
        return None
    try:
        found = float(seconds)
    except (TypeError, ValueError):
        found = float("nan")
    if not 0 < found < float("inf"):
        raise QueryError(f"every_s is {seconds!r:.60}: give the seconds between two sampled frames, more than 0")
    return found


def _report(run: _Run, listing: Listing, sidecars: Sidecars, removed: int, seconds: float) -> IndexReport:
    """What a finished run did, and what the index holds now."""
    store, counts = run.store, Counter(run.outcome.values())
    written, durability = mounts.durability(store.folder, store.rows.num_rows)
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
        seconds=seconds,
        warning=run.encoder.warning,
        problems=[
            *store.problems,
            *run.writers.others,
            *sidecars.problems,
            *_undated(store.rows),
            *rows_.provisional_note(store.rows),
        ],
        holds=IndexContents(str(store.folder), store.rows.num_rows - frames, frames, written, durability),
        found=OtherFiles(
            sidecars=len(set(sidecars.by_path.values())),
            motion_clips=sum(f["stage"] == "motion" for _, f in failures),
            not_read=by_suffix(listing.not_read),
            left_out=listing.left_out,
        ),
    )


def _undated(rows: pa.Table) -> list[str]:
    """A sentence about files that have no date, where there are any."""
    paths = rows["path"].filter(pc.is_null(rows["taken_at"])).unique().to_pylist()
    if not paths:
        return []
    why = "they tell none themselves, and their file times cannot be true"
    return [f"{len(paths)} files are in the index without a date, for example {min(paths)}: {why}"]


class _Run:
    """One run.

    Events wait in `pending` for a batch, samples in `unfinished` for the end of their file, rows in `new_rows` for a
    checkpoint. A file of known content waits in `content`.
    """

    def __init__(
        self,
        root: Path,
        store: Store,
        encoder: Encoder,
        todo: Plan,
        content: KnownContent,
        sidecars: Sidecars,
        writers: ActiveWriters,
    ):
        self.root, self.store, self.encoder, self.plan, self.content = root, store, encoder, todo, content
        self.sidecars, self.writers, self.before = sidecars, writers, store.rows
        self.outcome: dict[str, str] = {}  # what each file of this run was: "encoded", "copied", "moved", "touched"
        self.pending: list[Sample | Finished] = []
        self.unfinished: dict[str, list[tuple[Sample, np.ndarray]]] = {}  # by path
        self.new_rows: list[pa.Table] = []
        self.thumbs: dict[Key, bytes] = {}  # of the rows that are ready
        self.unreadable: set[str] = set()  # files with rows, whose new content cannot be decoded
        again = {file.path for file in todo.todo} & store.failures.keys()  # kept until they are read
        self.failures = todo.failed | {path: store.failures[path] for path in again}
        self.batch_size, self.timed, self.waiting = min(FIRST_BATCH, encoder.batch_size), False, False
        self.in_flight: tuple[Future, list[Sample | Finished]] | None = None  # what is being encoded, in a thread
        self.since_saved, self.saves = 0, 0
        self.saved_at = self.encoded_at = time.monotonic()

    def consume(self, events: Generator[Sample | Finished], files: int, progress: bool, what: str = "Indexing") -> None:
        """Encode so many files as they come, and save them now and then. Ctrl-C saves what is read, then goes on."""
        self.encoder_thread = ThreadPoolExecutor(1, "cliplib-batch")
        with tqdm(total=files, desc=what, unit=" files", disable=not (progress and files)) as bar:
            try:
                for event in events:
                    self.pending.append(event)
                    if isinstance(event, Finished):
                        bar.update()
                    elif event.time_s is not None:
                        bar.set_postfix_str(
                            f"{printable(event.file.path[-30:])} at {event.time_s:.0f} s", refresh=False
                        )
                    if self.should_encode():
                        self.encode()
                        if self.should_save():
                            self.checkpoint()
                self.encode()
                self.collect()
            except KeyboardInterrupt:
                bar.set_description_str("Stopping: saving")
                if not self.waiting:  # else it is a slow model that was stopped: its batch waits for the next run
                    self.encode()
                    self.collect()
                raise
            finally:
                self.encoder_thread.shutdown(wait=False, cancel_futures=True)
                self.checkpoint()

    def should_encode(self) -> bool:
        """Whether a batch waits, or some have waited long enough for the rest of theirs."""
        waiting = len(self.pending)
        if waiting >= 2 * self.batch_size or (waiting and time.monotonic() - self.encoded_at >= WAIT_S):
            return True
        return sum(isinstance(event, Sample) for event in self.pending) >= self.batch_size

    def should_save(self) -> bool:
        """Whether there is so much to lose that it is saved."""
        age_s = time.monotonic() - self.saved_at
        return self.since_saved >= CHECKPOINT_FILES or age_s >= (CHECKPOINT_S if self.saves else FIRST_CHECKPOINT_S)

    def encode(self) -> None:
        """Have the pending samples encoded in a thread; meanwhile finish what was encoded before them."""
        pending, self.pending = self.pending, []
        samples = (event for event in pending if isinstance(event, Sample) and event.vector is None)
        pixels = [sample.pixels for sample in samples if sample.pixels is not None]
        before, self.in_flight = self.in_flight, (self.encoder_thread.submit(self.encode_batch, pixels), pending)
        self.encoded_at = time.monotonic()
        if before:
            self.collect(before)
        if not self.timed:  # nobody knows yet how many may follow at once
            self.collect()

    def encode_batch(self, pixels: list[np.ndarray]) -> tuple[np.ndarray, float]:
        """The embeddings of pictures, float32 (n, d), and the seconds that they took. Runs in the thread."""
        began = time.monotonic()
        return self.encoder.encode_images(pixels), time.monotonic() - began

    def collect(self, batch: tuple[Future, list[Sample | Finished]] | None = None) -> None:
        """Wait for a batch, by default for the one that is being encoded, and finish the files that end in it."""
        if batch is None:
            batch, self.in_flight = self.in_flight, None
        if batch is None:
            return
        self.waiting = True
        vectors, seconds = batch[0].result()
        self.waiting = False
        if len(vectors) >= self.batch_size:  # a slow model takes fewer, in powers of two, so that Ctrl-C is heard
            fitting = max(1.0, len(vectors) * ENCODE_S / max(seconds, 1e-6))
            self.batch_size, self.timed = min(self.encoder.batch_size, 2 ** int(np.log2(fitting))), True
        left = iter(vectors)
        for event in batch[1]:
            if isinstance(event, Sample):
                vector = next(left) if event.vector is None else event.vector
                slim = replace(event, pixels=None, vector=None)  # those of a long video's frames would fill the memory
                self.unfinished.setdefault(event.file.path, []).append((slim, vector))
            else:
                self.finish_file(event)

    def finish_file(self, done: Finished) -> None:
        """Note what a finished file was, and put its rows with those to be saved."""
        file, samples = done.file, self.unfinished.pop(done.file.path, [])
        if not done.digest and not done.error:  # without a preview it waits for the second pass
            return
        self.failures.pop(file.path, None)
        self.since_saved += 1
        try:
            rows = rows_of(done, samples, self.encoder.dim)
        except Exception as error:  # whatever a file says of itself: it may cost its own rows, and no other's
            why = MediaError(file.path, "decode", f"its facts cannot be stored: {error!s:.300}")
            done, samples = replace(done, error=done.error or why), []
        if done.error:
            self.outcome.pop(file.path, None)  # what the first pass made of it
            self.fail(file, done.error)
            if done.error.stage in ("decode", "motion") and not samples:
                self.unreadable.add(file.path)
        elif self.content.has(done.digest, file.file_kind):
            self.outcome[file.path] = self.content.take(done)
            samples = []
        else:
            self.outcome[file.path] = "encoded"
            self.content.add(done)
        self.sidecars.note_indexed(file, done.facts if samples or not done.error else {})
        if samples:
            self.new_rows.append(rows)
            self.thumbs |= {(sample.digest, sample.time_s): sample.jpeg for sample, _ in samples}

    def fail(self, file: MediaFile, error: MediaError) -> None:
        """Note why a file, or a part of it, is not in the index."""
        about = {"size": file.size, "mtime_ns": file.mtime_ns, "stage": error.stage, "reason": error.reason}
        self.failures[file.path] = about | {"versions": versions()}

    def checkpoint(self) -> None:
        """Save the rows that are ready or known, and the failures."""
        self.writers.refresh()
        clips = self.sidecars.claims()
        for clip, photo in clips:
            self.fail(clip, moving_part(clip.path, photo))
            if not self.outcome.pop(clip.path, None):
                self.plan.unchanged -= 1
        claimed = {clip.path for clip, _ in clips}
        if self.new_rows or self.content.waiting or self.unreadable or self.failures != self.store.failures:
            new = rows_.join(self.new_rows, self.encoder.dim)
            if self.content.waiting:
                new = rows_.join([new, self.content.rows(new, self.thumbs)], self.encoder.dim)
            new, _ = rows_.without_paths(new, pa.array(sorted(claimed), pa.string()))
            self.store.checkpoint(new, self.thumbs, self.unreadable | claimed | self.content.left, self.failures)
            self.content.saved(new)
            self.saves += 1
        self.new_rows, self.thumbs, self.unreadable = [], {}, set()
        self.saved_at, self.since_saved = time.monotonic(), 0

    def remove_gone(self, confirmed: bool, left_out: Callable[[str], bool]) -> int:
        """Drop the rows of files that are gone; how many files these are.

        Raises LibraryError where they are many and this is not `confirmed`. Files that are `left_out` on purpose do not
        count for that.
        """
        gone = self.plan.gone - self.content.left
        files = pc.count_distinct(self.before["path"]).as_py() if gone else 0
        lost = sum(not left_out(path) for path in gone)
        if lost > MANY_REMOVED * files and not confirmed:
            raise LibraryError(
                f"{lost} of {files} files are gone from {self.root}. Nothing was removed. "
                "If a folder is not mounted, mount it; if they are really gone, run index(confirm_removals=True)"
            )
        if gone:
            self.store.checkpoint(self.before.slice(0, 0), {}, gone, self.failures)
        return len(gone)


def rows_of(done: Finished, samples: list[tuple[Sample, np.ndarray]], dim: int) -> pa.Table:
    """The rows of one file from its samples and their embeddings, float32 (d,); raises where its facts fit no row.

    Without samples there are none, but its facts are tried all the same: rows of known content will get them.
    """
    common = about(done) | {"kind": "image" if done.file.file_kind == "photo" else "frame", "digest": done.digest or ""}
    vectors = np.array([vector for _, vector in samples] or [np.zeros(dim)], np.float32)
    rows = rows_.table([common | sample.facts for sample, _ in samples] or [common], vectors)
    if re.search(rows_.UNSAFE, done.file.path):  # no session would believe it
        raise ValueError("on another system its path would lead outside of the library; rename it")
    return rows.slice(0, len(samples))
