"""How long indexing will take: a short trial on files drawn at random, through the very pipeline that will do the work.

The trial keeps nothing. Reading, decoding and encoding overlap as they will in the run, so their times are not added:
what the trial took as a whole is scaled to all videos by their bytes, and to all photos by their number or by their
bytes, whichever was steadier.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..cache.store import Store
from ..media.files import MediaFile, find_media
from .first_pass import photos_of
from .pipeline import READERS, Reader, Sample, Sampling
from .plan import EVERY_S, plan
from .sidecars import Sidecars

if TYPE_CHECKING:
    from ..models.encoder import Encoder

DRAWN = 2000  # files of a kind that a trial may draw
BLOCK_S = 1.0  # photos overlap; what was done is counted in blocks of so many seconds
REDRAWN = 500  # bootstrap draws
SPREAD = 1.1  # the range is widened by so much, for mounts are faster and slower by the hour
PREVIEWS = 0.15  # of the time that is allowed, for the previews of photos where there is a first pass
SHARE = 0.92  # of the time that is allowed; the rest is for what is in hand then
LEFTOVER_S = 3.0  # so long is waited for photos that are still being read when the videos' turn has come
FEW_BLOCKS, FEW_SPREAD = 3, 2.0  # with fewer blocks than that, by so much


@dataclass(frozen=True)
class Part:
    """The photos or the videos: how many there are to do, and how long that will take, `low_s` to `high_s` seconds.

    `limit` is what the time goes into: "reading", "decoding" or "encoding". Seconds are NaN where none could be tried.
    """

    files: int
    bytes: int
    seconds: float
    low_s: float
    high_s: float
    limit: str = ""

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
    """What `Library.estimate` answers: photos are done first, then the videos. `trial_s` is its own time.

    `previews` are the photos that a first pass looks at, where there will be one: when that has ended they can be
    searched.
    """

    photos: Part
    videos: Part
    trial_s: float
    previews: Part | None = None

    @property
    def seconds(self) -> float:
        """For all that is to do; NaN where a part is not known."""
        return sum(part.seconds for part in (self.previews, self.photos, self.videos) if part)

    def __str__(self) -> str:
        lines = [f"Photos: {self.photos}.", f"Videos: {self.videos}."]
        if self.previews and not np.isnan(self.seconds):
            quick = f"Searchable in about {spoken(self.previews.seconds)}, by the previews in the photos' files"
            lines.insert(0, f"{quick}; exact in {spoken(self.seconds)}.")
        return "\n".join([*lines, f"Tried for {spoken(self.trial_s)}; nothing was kept."])

    __repr__ = __str__


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


def measure(root: Path, store: Store, encoder: Encoder, seconds: float, ignore: Sequence[str] = ()) -> Estimate:
    """Say after a trial how long it will take to index what is new.

    Photos and videos get half of the trial each, and previews some of the photos' half. What one does not need, the
    next one gets. The walk through the folder, with a look at the heads of a few photos, comes before it.

    Args:
        root: the library's folder.
        store: its cache, which is not written.
        encoder: the model.
        seconds: how long the trial may be, about.
        ignore: rules of what is left out, see `find_media`.
    """
    listing = find_media(root, ignore)
    sidecars = Sidecars(root, listing, store.rows)
    todo = plan(listing, store, sidecars).todo
    quick = photos_of(root, todo, store.rows, encoder.resolution, None)
    started = time.monotonic()
    encoder.encode_images([encoder.prepare(Image.new("RGB", (64, 64)))])  # the first is slower
    parts = []
    photos, videos = ([file for file in todo if file.file_kind == kind] for kind in ("photo", "video"))
    for kind, files, share in (("preview", quick, PREVIEWS), ("photo", photos, 0.5), ("video", videos, SHARE)):
        last = kind == "video" or (kind == "photo" and not videos)
        trial = _Trial(root, encoder, sidecars, files, kind == "preview")
        trial.run(started + seconds * (SHARE if last else share), 0.0 if last else LEFTOVER_S)
        limit = limit_of(trial.wall_s, trial.encode_s, trial.read_s / (1 if kind == "video" else READERS))
        parts.append(scaled(files, trial.blocks, limit))
    previews, of_photos, of_videos = parts
    return Estimate(of_photos, of_videos, time.monotonic() - started, previews if quick else None)


def scaled(files: list[MediaFile], blocks: list[tuple[float, float, float]], limit: str) -> Part:
    """What a trial says of all `files`; its `blocks` are (seconds, files, bytes)."""
    total = len(files), sum(file.size for file in files)
    if not blocks:
        seconds = float("nan") if files else 0.0
        return Part(*total, seconds, seconds, seconds)
    done = np.array(blocks)
    draws = done[np.random.default_rng(0).integers(0, len(done), (REDRAWN, len(done)))].sum(axis=1)
    times = [total[i] * draws[:, 0] / np.maximum(draws[:, i + 1], 1e-9) for i in (0, 1)]
    by_bytes = np.std(times[1]) / np.mean(times[1]) < np.std(times[0]) / np.mean(times[0])
    best = int(by_bytes or files[0].file_kind == "video")  # a trial sees few videos, of sizes that differ a hundredfold
    seconds = total[best] * done[:, 0].sum() / done[:, best + 1].sum()
    if len(done) <= FEW_BLOCKS:
        return Part(*total, seconds, seconds / FEW_SPREAD, seconds * FEW_SPREAD, limit)
    low_s, high_s = np.percentile(times[best], [5, 95])
    return Part(*total, seconds, min(low_s, seconds) / SPREAD, max(high_s, seconds) * SPREAD, limit)


def limit_of(wall_s: float, encode_s: float, read_s: float) -> str:
    """What the time of a trial went into; reading and decoding are what the encoder waited for."""
    waited_s = wall_s - encode_s
    if encode_s > waited_s:
        return "encoding"
    return "reading" if read_s >= waited_s / 2 else "decoding"


class _Trial:
    """A run over files drawn at random, timed. It stands for the journal, too, which hears of each file twice."""

    def __init__(
        self, root: Path, encoder: Encoder, sidecars: Sidecars, files: list[MediaFile], previews: bool = False
    ):
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
        self.here, self.reading, self.changed = threading.local(), 0, threading.Condition()
        sampling = Sampling(encoder.prepare, encoder.resolution, EVERY_S)
        self.suspects: set[str] = set()
        self.reader = Reader(root, sampling, self.known, self, sidecars, previews)

    def begin(self, path: str) -> None:
        self.here.path, self.here.began = path, time.monotonic()
        with self.changed:
            self.reading += 1

    def known(self, digest: str, file_kind: str) -> bool:
        self.read_s += time.monotonic() - self.here.began
        return self.here.path in self.copies

    def end(self, path: str) -> None:
        with self.changed:
            self.reading -= 1
            self.changed.notify_all()

    def run(self, deadline: float, leftover_s: float) -> None:
        """Go on until all that was drawn is done, or it is `deadline` by the monotonic clock.

        Reads that go on then are waited for, `leftover_s` at most: they would slow down the next trial.
        """
        started = began = ended = time.monotonic()
        files, size, pixels, last = 0.0, 0.0, [], None
        # Of many photos the clock starts with the first that is there: at the end, too, others are half read.
        filling = len(self.drawn) > 4 * READERS and self.drawn[0].file_kind == "photo"
        for event in _until(self.reader.read(self.drawn), deadline):
            if isinstance(event, Sample):
                pixels.append(event.pixels)
                last = event
            elif filling:
                began, filling, last = time.monotonic(), False, None
            else:
                files, size, last = files + 1, size + event.file.size, None
            if len(pixels) >= self.encoder.batch_size:
                self._encode(pixels)
            ended = time.monotonic()
            if files and ended - began >= BLOCK_S:
                self.blocks.append((ended - began, files, size))
                began, files, size = ended, 0.0, 0.0
        waited_s = time.monotonic() - ended if files or last else 0.0  # for what the trial saw nothing of
        self._encode(pixels)
        if last is not None and last.time_s is not None:  # a part of a video is a part of a file
            files, size = files + last.share, size + last.share * last.file.size
        if files:
            self.blocks.append((time.monotonic() - began - waited_s, files, size))
        self.wall_s = time.monotonic() - started
        with self.changed:
            self.changed.wait_for(lambda: not self.reading, leftover_s)

    def _encode(self, pixels: list) -> None:
        """Encode what is there, on the clock, and let it go."""
        before = time.monotonic()
        if pixels:
            self.encoder.encode_images(pixels)
        self.encode_s += time.monotonic() - before
        pixels.clear()


def _until(events: Generator, deadline: float) -> Iterator:
    """The events that come before it is `deadline`."""
    waiter = ThreadPoolExecutor(1, "cliplib-trial")
    try:
        while (left_s := deadline - time.monotonic()) > 0:
            coming = waiter.submit(next, events, None)
            if not wait([coming], left_s).done or (event := coming.result()) is None:
                break
            yield event
    finally:
        waiter.submit(events.close)  # after the event that is being waited for
        waiter.shutdown(wait=False)
