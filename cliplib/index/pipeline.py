"""From files to prepared samples: each file is read once, in threads, with bounded memory.

From one read come the digest, the picture at the model's size, the thumbnail and the facts. Photos are read by many
threads, for a mount answers slowly and many at once, and decoded by as many as there are cores, ahead of the encoder by
a fixed window; nothing is copied to the local disk. A video is one forward pass in one thread, ahead by a few frames
(its decoder has threads of its own).
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np

from ..errors import MediaError
from ..media.files import MediaFile
from ..media.photo import fitted, open_photo, thumbnail
from ..media.reading import DIGEST_WHOLE_BYTES, RetryingFile, digest_of, read_bytes
from ..media.video import open_video
from .companions import Companions
from .journal import Journal, try_alone

READERS = 16  # photos that are read at once; as many may lie in memory undecoded
PHOTOS_AHEAD = 96  # prepared pictures that may wait for the encoder: about 15 MB at 224 pixels
FRAMES_AHEAD = 16


@dataclass(frozen=True)
class Sample:
    """A photo or frame ready for the encoder: `pixels` uint8 (r, r, 3), a thumbnail, `facts` for its row.

    Once it is encoded, its pixels are let go (None). One that was encoded elsewhere brings its `vector`, float32 (d,).
    """

    file: MediaFile
    digest: str
    pixels: np.ndarray | None = field(repr=False)
    jpeg: bytes = field(repr=False)
    facts: dict
    time_s: float | None = None
    vector: np.ndarray | None = field(default=None, repr=False)

    def row(self) -> dict:
        """The columns of its row but for the embedding; a file that does not know its date has its mtime for that."""
        facts = dict(self.facts)
        if not facts.get("taken_at"):
            facts["taken_at"] = datetime.fromtimestamp(self.file.mtime_ns / 1e9).isoformat(timespec="seconds")
            facts["taken_from"] = "mtime"
        about = {name: getattr(self.file, name) for name in ("path", "size", "mtime_ns")}
        kind = "image" if self.time_s is None else "frame"
        return about | {"kind": kind, "time_s": self.time_s, "digest": self.digest} | facts


@dataclass(frozen=True)
class Finished:
    """A file has no more samples; one of known content has none at all.

    `digest` is None when it could not be read; `error` says why it, or its rest, is missing.
    """

    file: MediaFile
    digest: str | None
    error: MediaError | None = None


@dataclass(frozen=True)
class Reader:
    """How files become samples.

    `prepare` turns a PIL RGB image into uint8 (r, r, 3) and needs `shortest` pixels on the short side; `every_s` is the
    time between the frames of a video; `known(digest, kind)` tells whether content needs no encoding; `companions` add
    what sidecars tell, and know a Live Photo's clip, which ends with an error of stage "motion". Files in `suspects`
    may have killed the last run: they are tried in a child process first.
    """

    root: Path
    prepare: Callable
    shortest: int
    every_s: float
    known: Callable[[str, str], bool]
    journal: Journal
    companions: Companions
    suspects: set[str] = field(default_factory=set)

    def read(self, files: Iterable[MediaFile]) -> Iterator[Sample | Finished]:
        """The samples of all files, photos first; each file ends with its `Finished`."""
        files, turns = list(files), BoundedSemaphore(os.cpu_count() or 1)
        with ThreadPoolExecutor(READERS, "cliplib-read") as pool:
            try:
                photos = (file for file in files if file.kind == "image")
                waiting = deque(pool.submit(self._photo, file, turns) for file in islice(photos, PHOTOS_AHEAD))
                while waiting:
                    events = waiting.popleft().result()
                    waiting.extend(pool.submit(self._photo, file, turns) for file in islice(photos, 1))
                    yield from events
                for file in files:
                    if file.kind == "video":
                        yield from _ahead(self._video(file), pool)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _photo(self, file: MediaFile, turns: BoundedSemaphore) -> list[Sample | Finished]:
        digest = None
        self.journal.begin(file.path)
        try:
            self._try_suspect(file)
            data = read_bytes(self.root / file.path)
            digest = digest_of(data)
            if self.known(digest, file.kind):
                return [Finished(file, digest)]
            with turns:
                photo = open_photo(data, self.shortest)
                image = fitted(photo.image, self.shortest)
                pixels, jpeg = self.prepare(image), thumbnail(image)
            facts = self.companions.completed(file.path, {"width": photo.width, "height": photo.height} | photo.exif)
            return [Sample(file, digest, pixels, jpeg, facts), Finished(file, digest)]
        except Exception as error:
            return [Finished(file, digest, _as_media_error(file, error))]
        finally:
            self.journal.end(file.path)

    def _video(self, file: MediaFile) -> Iterator[Sample | Finished]:
        digest = None
        self.journal.begin(file.path)
        try:
            self._try_suspect(file)
            path = self.root / file.path
            if photo := self.companions.photo_of(file):
                raise MediaError(path, "motion", f"the moving part of {photo}")
            large = file.size > DIGEST_WHOLE_BYTES
            source = RetryingFile(path) if large else read_bytes(path)
            digest = source.digest() if large else digest_of(source)
            if self.known(digest, file.kind):
                yield Finished(file, digest)
                return
            with open_video(source) as video:
                names = ("width", "height", "duration_s", "taken_at", "taken_from")
                facts = {name: getattr(video.facts, name) for name in names} | {"every_s": self.every_s}
                facts = self.companions.completed(file.path, facts)
                for frame in video.sample(self.every_s):
                    image = fitted(frame.image, self.shortest)
                    yield Sample(file, digest, self.prepare(image), thumbnail(image), facts, frame.time_s)
            yield Finished(file, digest)
        except Exception as error:
            yield Finished(file, digest, _as_media_error(file, error))
        finally:
            self.journal.end(file.path)

    def _try_suspect(self, file: MediaFile) -> None:
        if file.path in self.suspects:
            try_alone(self.root / file.path, file.kind)


def _ahead(iterator: Iterator, pool: ThreadPoolExecutor) -> Iterator:
    """The same items, a chunk of them made in a thread while the last chunk is being used."""
    future = pool.submit(list, islice(iterator, FRAMES_AHEAD))
    while chunk := future.result():
        future = pool.submit(list, islice(iterator, FRAMES_AHEAD))
        yield from chunk


def _as_media_error(file: MediaFile, error: Exception) -> MediaError:
    """The error with the file's own path; also one that no decoder should raise, for no file may stop a run."""
    if isinstance(error, OSError):
        return MediaError(file.path, "read", f"cannot be read: {error.strerror or error}")
    if isinstance(error, MediaError):
        return MediaError(file.path, error.stage, error.reason)
    return MediaError(file.path, "decode", f"{type(error).__name__}: {error}")
