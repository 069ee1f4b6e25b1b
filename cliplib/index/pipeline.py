"""From files to prepared samples: each file is read once, in threads, with bounded memory.

From one read come the digest, the picture at the model's size, the thumbnail and the facts. Photos are read by many
threads, for a mount answers slowly and many at once, and decoded by as many as there are cores, ahead of the encoder by
a fixed window; large ones wait for one another. Nothing is copied to the local disk. A video is one forward pass in one
thread, ahead by a few frames (its decoder has threads of its own).
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from threading import BoundedSemaphore, Condition, Event
from typing import Protocol

import numpy as np
from PIL import Image

from ..errors import MediaError
from ..media.files import MediaFile
from ..media.formats import picture_format
from ..media.photo import fitted, open_photo, thumbnail
from ..media.preview import read_preview
from ..media.reading import DIGEST_WHOLE_BYTES, RetryingFile, digest_of, read_bytes
from ..media.video import open_video
from .first_pass import digest_of_preview, upright_size
from .journal import decode_in_child
from .plan import moving_part
from .sidecars import Sidecars

READERS = 16  # photos that are read at once; as many may lie in memory undecoded ...
BYTES_AT_ONCE = 256 * 2**20  # ... if they are no larger than this together; a larger one is read alone
PHOTOS_AHEAD = 96  # prepared pictures that may wait for the encoder: about 15 MB at 224 pixels
FRAMES_AHEAD = 16


@dataclass(frozen=True)
class Sample:
    """A photo or frame that is ready for the encoder.

    Attributes:
        file: where it comes from.
        digest: of the file's content.
        pixels: uint8 (r, r, 3); None once it is encoded.
        jpeg: its thumbnail.
        facts: the columns of its row that all files of this content share, such as `time_s`.
        share: how much of the file has been read with it, 0 to 1.
        vector: float32 (d,), a unit vector, where it was encoded elsewhere.
    """

    file: MediaFile
    digest: str
    pixels: np.ndarray | None = field(repr=False)
    jpeg: bytes = field(repr=False)
    facts: dict
    share: float = 1.0
    vector: np.ndarray | None = field(default=None, repr=False)

    @property
    def time_s(self) -> float | None:
        """When its frame is shown, in seconds; None for a photo."""
        return self.facts.get("time_s")


@dataclass(frozen=True)
class Finished:
    """A file has no more samples; a file of known content has none at all.

    Attributes:
        file: which one.
        digest: of its content; "" where that could not be read.
        error: why the file, or its rest, is missing. With neither digest nor error the file carries no preview, and
            waits for the second pass.
        facts: the columns that all its rows share: when and where it was taken and the like. They are read also where
            the content is known, for two files of one content may differ in their dates.
    """

    file: MediaFile
    digest: str
    error: MediaError | None = None
    facts: dict = field(default_factory=dict)


class FileLog(Protocol):
    """Who is told which file is being read, such as a `Journal`. Called from the reading threads.

    Attributes:
        suspects: paths of files that may have killed the last run.
    """

    suspects: set[str]

    def begin(self, path: str) -> None:
        """A file is being read."""

    def end(self, path: str) -> None:
        """It has been read, well or not."""


@dataclass(frozen=True)
class Sampling:
    """What a picture must be for the encoder, and which frames of a video are taken.

    Attributes:
        prepare: turns a PIL RGB image into uint8 (r, r, 3).
        shortest: pixels that it needs on the short side.
        every_s: seconds between the frames of a video.
    """

    prepare: Callable[[Image.Image], np.ndarray]
    shortest: int
    every_s: float


@dataclass(frozen=True)
class Reader:
    """How files become samples.

    Attributes:
        root: the library's folder.
        sampling: what pictures and which frames the encoder gets.
        known: `known(digest, file_kind)` tells whether content needs no encoding.
        journal: is told which files are being read. Its suspects are tried in a child process first.
        sidecars: adds what sidecars tell. A Live Photo's clip, which it knows, ends with an error of stage "motion".
        previews: whether photos are read by their embedded previews alone, see `first_pass`.
    """

    root: Path
    sampling: Sampling
    known: Callable[[str, str], bool]
    journal: FileLog
    sidecars: Sidecars
    previews: bool = False

    def read(self, files: Iterable[MediaFile]) -> Generator[Sample | Finished]:
        """The samples of all files, photos first; each file ends with its `Finished`."""
        files, shared, pool = list(files), _Shared(), ThreadPoolExecutor(READERS, "cliplib-read")
        read = self._preview if self.previews else self._photo
        try:
            photos = (file for file in files if file.file_kind == "photo")
            waiting = deque(pool.submit(read, file, shared) for file in islice(photos, PHOTOS_AHEAD))
            while waiting:
                events = waiting.popleft().result()
                waiting.extend(pool.submit(read, file, shared) for file in islice(photos, 1))
                yield from events
            for file in files:
                if file.file_kind == "video":
                    yield from _ahead(self._video(file, shared), pool)
        finally:  # what is being read ends by itself, soon; who pressed Ctrl-C does not wait for it
            shared.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _photo(self, file: MediaFile, shared: "_Shared") -> list[Sample | Finished]:
        digest = ""
        self.journal.begin(file.path)
        try:
            self._try_suspect(file)
            with shared.room_for(file.size):
                if shared.stopped.is_set():
                    return []
                data = read_bytes(self.root / file.path)
                digest = digest_of(data)
                known = self.known(digest, file.file_kind)
                with shared.turns:
                    photo = open_photo(data, self.sampling.shortest, decode=not known)
                    samples = [] if known else [self._sample(file, digest, photo.image, {})]
            facts = {"width": photo.width, "height": photo.height} | photo.facts
            return [*samples, Finished(file, digest, facts=self.sidecars.completed(file, facts))]
        except Exception as error:
            return [Finished(file, digest, _as_media_error(file, error))]
        finally:
            self.journal.end(file.path)

    def _preview(self, file: MediaFile, shared: "_Shared") -> list[Sample | Finished]:
        """A photo by its preview; whatever is wrong with that, the second pass reads the whole."""
        self.journal.begin(file.path)
        try:
            waits = file.path in self.journal.suspects or shared.stopped.is_set()
            if waits or not (preview := read_preview(self.root / file.path, self.sampling.shortest)):
                return [Finished(file, "")]
            digest = digest_of_preview(file, preview)
            known = self.known(digest, file.file_kind)
            with shared.turns:
                photo = open_photo(preview.data, self.sampling.shortest)
                samples = [] if known else [self._sample(file, digest, photo.image, {"provisional": True})]
            facts = photo.facts | upright_size(preview, photo.width, photo.height)
            return [*samples, Finished(file, digest, facts=self.sidecars.completed(file, facts))]
        except Exception:  # damaged bytes, or a decoder that is wanting
            return [Finished(file, "")]
        finally:
            self.journal.end(file.path)

    def _video(self, file: MediaFile, shared: "_Shared") -> Iterator[Sample | Finished]:
        digest, facts = "", {}
        self.journal.begin(file.path)
        try:
            self._try_suspect(file)
            path = self.root / file.path
            if photo := self.sidecars.photo_of(file):
                raise moving_part(path, photo)
            large = file.size > DIGEST_WHOLE_BYTES
            source: RetryingFile | bytes
            if large:
                source = RetryingFile(path)
                digest = source.digest()
            else:
                source = read_bytes(path)
                if picture_format(source):
                    yield from self._photo(file._replace(file_kind="photo"), shared)
                    return
                digest = digest_of(source)
            known = self.known(digest, file.file_kind)
            with open_video(source) as video:
                facts = self.sidecars.completed(file, asdict(video.facts))
                for frame in () if known else video.sample(self.sampling.every_s, shortest=self.sampling.shortest):
                    if shared.stopped.is_set():
                        return
                    share = min(1.0, (frame.time_s + self.sampling.every_s) / max(facts["duration_s"], 1e-3))
                    own = {"time_s": frame.time_s, "every_s": self.sampling.every_s, "frame_s": frame.length_s}
                    yield self._sample(file, digest, frame.image, own, share)
                facts["duration_s"] = video.facts.duration_s
            yield Finished(file, digest, facts=facts)
        except Exception as error:
            yield Finished(file, digest, _as_media_error(file, error), facts)
        finally:
            self.journal.end(file.path)

    def _sample(
        self, file: MediaFile, digest: str, image: Image.Image | None, facts: dict, share: float = 1.0
    ) -> Sample:
        assert image is not None  # which it is only where no decoding was asked for
        image = fitted(image, self.sampling.shortest)
        return Sample(file, digest, self.sampling.prepare(image), thumbnail(image), facts, share)

    def _try_suspect(self, file: MediaFile) -> None:
        if file.path in self.journal.suspects:
            decode_in_child(self.root / file.path, file.file_kind)


class _Shared:
    """What the threads of one read share: turns to decode, room for the bytes of files, and whether it was stopped."""

    def __init__(self) -> None:
        self.turns, self.stopped = BoundedSemaphore(os.cpu_count() or 1), Event()
        self._held, self._changed = 0, Condition()

    @contextmanager
    def room_for(self, size: int) -> Iterator[None]:
        """Wait until so many bytes may be read besides what is held, or nothing is; they are held while this lasts."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + size <= BYTES_AT_ONCE)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()


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
