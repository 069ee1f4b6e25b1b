"""How long indexing will take: a short trial on files drawn at random, through the very pipeline that will do the work.

The trial keeps nothing. Reading, decoding and encoding overlap as they will in the run, so their times are not added:
what the trial took as a whole is scaled to all videos by their bytes, and to all photos by their number or by their
bytes, whichever was steadier.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from ..cache.store import Store
from ..media.files import MediaFile, find_media
from .companions import Companions
from .pipeline import READERS, Reader, Sample
from .plan import plan

DRAWN = 2000  # files of a kind that a trial may draw
BLOCK_S = 1.0  # photos overlap; what was done is counted in blocks of so many seconds
REDRAWN = 500  # bootstrap draws
SPREAD = 1.1  # the range is widened by so much, for mounts are faster and slower by the hour
LEFTOVER_S = 3.0  # so long is waited for photos that are still being read when the videos' turn has come
FEW_BLOCKS, FEW_SPREAD = 3, 2.0  # with fewer blocks than that, by so much


@dataclass(frozen=True)
class Part:
    """The photos or the videos: how many there are to do, and how long that will take, `low_s` to `high_s` seconds.

    `limit` is what the time goes into: "reading", "decoding" or "encoding"; `tried` how many the trial did. Seconds are
    NaN where it did none.
    """

    files: int
    bytes: int
    seconds: float
    low_s: float
    high_s: float
    limit: str = ""
    tried: float = 0.0

    def __str__(self) -> str:
        size = f"{self.bytes / 1e9:.2f} GB" if self.bytes > 1e8 else f"{self.bytes / 1e6:.1f} MB"
        size = f"{self.files:,} files, {size}"
        if not self.files:
            return "nothing to do"
        if np.isnan(self.seconds):
            return f"{size}: the trial was too short to say how long"
        range_ = f"{spoken(self.low_s)} to {spoken(self.high_s)}"
        return f"{size}: about {spoken(self.seconds)} ({range_}); most of it is {self.limit}"


@dataclass(frozen=True)
class Estimate:
    """What `Library.estimate` answers: photos are done first, then the videos. `trial_s` is its own time."""

    photos: Part
    videos: Part
    trial_s: float

    @property
    def seconds(self) -> float:
        """For all that is to do; NaN where a part is not known."""
        return self.photos.seconds + self.videos.seconds

    def __str__(self) -> str:
        return f"Photos: {self.photos}.\nVideos: {self.videos}.\nTried for {spoken(self.trial_s)}; nothing was kept."

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(line)}</p>" for line in str(self).split("\n"))


def spoken(seconds: float) -> str:
    """A time as people say it, with two digits or so: "40 s", "12 min", "3 h 20 min", "2 days"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        minutes = 10 * round(minutes / 10)
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"{round(minutes / 60 / 24)} days"


def measure(root: Path, store: Store, encoder, seconds: float = 60.0, every_s: float = 1.0) -> Estimate:
    """How long it will take to index what is new in `root`, after a trial of at most about `seconds`.

    Photos and videos get half of the time each; what the photos do not need, the videos get. The walk through the
    folder is not part of it.
    """
    listing = find_media(root)
    todo = plan(listing, store, None).todo
    companions = Companions(root, listing, store.rows)
    started = time.monotonic()
    encoder.encode_images([np.zeros((encoder.resolution, encoder.resolution, 3), np.uint8)])  # the first is slower
    parts = []
    for kind, share in (("image", 0.5 * seconds), ("video", seconds)):
        files = [file for file in todo if file.kind == kind]
        trial = _Trial(root, encoder, every_s, companions, files)
        last = kind == "video" or len(files) == len(todo)
        trial.run(started + (0.92 * seconds if last else share), 0.0 if last else LEFTOVER_S)
        parts.append(trial.part())
    return Estimate(*parts, time.monotonic() - started)


class _Trial:
    """A run over files drawn at random, timed. It stands for the journal, too, which hears of each file twice."""

    def __init__(self, root, encoder, every_s, companions, files: list[MediaFile]):
        self.encoder, self.files = encoder, files
        self.drawn = random.Random(0).sample(files, min(DRAWN, len(files)))
        self.blocks: list[tuple[float, float, float]] = []  # seconds, files, bytes
        self.read_s = self.encode_s = self.wall_s = 0.0
        seen: set[tuple] = set()
        self.copies = set()  # of one name and size: most likely the same photo in another album, which is only read
        for file in files:
            same = (file.path.rpartition("/")[2], file.size)
            self.copies |= {file.path} if same in seen else set()
            seen.add(same)
        self.here = threading.local()
        self.reader = Reader(root, encoder.prepare, encoder.resolution, every_s, self.known, self, companions)

    def begin(self, path: str) -> None:
        self.here.path, self.here.began = path, time.monotonic()

    def known(self, digest: str, kind: str) -> bool:
        self.read_s += time.monotonic() - self.here.began
        return self.here.path in self.copies

    def end(self, path: str) -> None:
        """Nothing is noted."""

    def run(self, deadline: float, leftover_s: float) -> None:
        """Until all that was drawn is done, or it is `deadline` by the monotonic clock; see `_until`."""
        started = time.monotonic()
        self.blocks = list(self._blocks(_until(self.reader.read(self.drawn), deadline, leftover_s)))
        self.wall_s = time.monotonic() - started

    def _blocks(self, events: Iterator) -> Iterator[tuple[float, float, float]]:
        ended = began = time.monotonic()
        files, size, pixels, last = 0.0, 0.0, [], None
        # Of many photos the clock starts with the first that is there: at the end, too, others are half read.
        filling = len(self.drawn) > 4 * READERS and self.drawn[0].kind == "image"
        for event in events:
            if isinstance(event, Sample):
                pixels.append(event.pixels)
                last = event
            else:
                files, size, last = files + 1, size + event.file.size, None
                if filling:
                    began, files, size, filling = time.monotonic(), 0.0, 0.0, False
            if len(pixels) >= self.encoder.batch_size:
                pixels = self._encoded(pixels)
            ended = time.monotonic()
            if files and ended - began >= BLOCK_S:
                yield ended - began, files, size
                began, files, size = ended, 0.0, 0.0
        waited_s = time.monotonic() - ended if files or last else 0.0  # for what the trial saw nothing of
        self._encoded(pixels)
        if last is not None and last.time_s is not None:  # a part of a video is a part of a file
            part = min(1.0, (last.time_s + last.facts["every_s"]) / max(last.facts["duration_s"], 1e-3))
            files, size = files + part, size + part * last.file.size
        if files:
            yield time.monotonic() - began - waited_s, files, size

    def _encoded(self, pixels: list) -> list:
        """Encode what is there, on the clock; an empty list."""
        before = time.monotonic()
        if pixels:
            self.encoder.encode_images(pixels)
        self.encode_s += time.monotonic() - before
        return []

    def part(self) -> Part:
        """What the trial says of all its files."""
        total = len(self.files), sum(file.size for file in self.files)
        if not self.files or not self.blocks:
            seconds = 0.0 if not self.files else float("nan")
            return Part(*total, seconds, seconds, seconds)
        blocks = np.array(self.blocks)
        rng = np.random.default_rng(0)
        draws = blocks[rng.integers(0, len(blocks), (REDRAWN, len(blocks)))].sum(axis=1)
        scaled = [total[i] * draws[:, 0] / np.maximum(draws[:, i + 1], 1e-9) for i in (0, 1)]
        video = self.files[0].kind == "video"  # a trial sees few, of sizes that differ a hundredfold: bytes tell more
        best = 1 if video else int(np.argmin([np.std(s) / np.mean(s) for s in scaled]))
        seconds = total[best] * blocks[:, 0].sum() / blocks[:, best + 1].sum()
        spread = SPREAD if len(blocks) > FEW_BLOCKS else FEW_SPREAD
        low, high = np.percentile(scaled[best], [5, 95]) if len(blocks) > FEW_BLOCKS else (seconds, seconds)
        waited_s = max(0.0, self.wall_s - self.encode_s)
        threads = 1 if video else READERS
        reading = self.read_s / threads >= waited_s / 2
        limit = "encoding" if self.encode_s > waited_s else "reading" if reading else "decoding"
        tried = float(blocks[:, 1].sum())
        return Part(*total, seconds, min(low, seconds) / spread, max(high, seconds) * spread, limit, tried)


def _until(events: Iterator, deadline: float, leftover_s: float) -> Iterator:
    """The events that come before it is `deadline`. A read that goes on is waited for `leftover_s` more, for it would
    slow down the next trial; what takes longer ends by itself.
    """
    ready, over = queue.Queue(maxsize=32), threading.Event()

    def carry():
        for event in events:
            while not over.is_set():
                try:
                    ready.put(event, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if over.is_set():
                break
        events.close()
        over.set()

    carrier = threading.Thread(target=carry, name="cliplib-trial", daemon=True)
    carrier.start()
    try:
        while (left_s := deadline - time.monotonic()) > 0 and not (over.is_set() and ready.empty()):
            try:
                yield ready.get(timeout=min(left_s, 0.05))
            except queue.Empty:
                continue
    finally:
        over.set()
        carrier.join(leftover_s)
