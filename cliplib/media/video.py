"""A video's facts, and its frames with the times at which a player shows them, in one forward pass.

A time is what a browser's `currentTime` shows: the presentation time in the file, not counted from its first frame.
(Chromium moves no timeline: a video whose first frame is at 3.2 s shows it at 3.2 s. Measured with version 150 on webm,
mp4 and mkv.) Only in MPEG transport and program streams, whose clocks start anywhere and which browsers do not play,
times count from the start.
"""

from __future__ import annotations

import io
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from ..errors import MediaError
from .content import HEAD_BYTES, stranger, video_demuxer
from .decoder import PyAVReader, VideoFacts, no_video
from .patient import PatientFile

LONGEST_FRAME_S = 0.1  # where the frame rate varies, "half a frame" is half of this at most


@dataclass(frozen=True)
class Frame:
    """One frame: its presentation time in seconds, as a player's `currentTime` shows it, and the upright RGB image."""

    time_s: float
    image: Image.Image


def open_video(source) -> Video:
    """The video in `source` (a path, bytes, or a binary file object), its first frame decoded.

    What it is, its first bytes tell, and nothing but its own bytes is read, whatever it or its name says.
    Raises MediaError: stage "read" where the bytes cannot be had; "decode", "no decodable video: ...", for playlists,
    text, pictures, sound only, encrypted files, a missing table of contents, and codecs without a decoder here.
    """
    name, file = "the video given", None
    try:
        if isinstance(source, (bytes, bytearray, memoryview)):
            file = io.BytesIO(source)
        elif hasattr(source, "read"):
            file = source
        else:
            name = source
            file = PatientFile(source)
        return Video(_reader(file, name))
    except BaseException as error:
        if file is not None:
            file.close()
        if isinstance(error, OSError):
            raise MediaError(name, "read", f"cannot be read: {error.strerror or error}") from error
        raise


def _reader(file, name):
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    demuxer = video_demuxer(head)
    if demuxer is None:
        raise no_video(name, stranger(head, "video"))
    claimed_bytes = int.from_bytes(head[4:8], "little") + 8 if demuxer == "avi" else 0
    try:
        return PyAVReader(file, demuxer, name, max(0, claimed_bytes - size_bytes))
    except ImportError:
        return OpenCVReader(file, name)


class Video:
    """An open video: `facts`, `sample`, and the `reader` behind both. Close it, or use it in a `with` statement."""

    def __init__(self, reader):
        self.reader = reader

    @property
    def facts(self) -> VideoFacts:
        """The facts; a duration that a frame has been seen beyond is corrected."""
        return self.reader.facts

    def sample(self, every_s: float = 1.0, start_s: float = 0.0, end_s: float | None = None) -> Iterator[Frame]:
        """Frames `every_s` seconds apart from `start_s` to `end_s` (None: the end), decoded in one forward pass.

        For each time `start_s + k * every_s` the first frame that begins at it, or at most half a frame earlier. No
        frame is given twice, so times increase; where frames are rarer than `every_s`, there are fewer.
        Raises MediaError (stage "decode") after the last frame where a part could not be decoded, and ValueError.
        """
        if not (0 < every_s < math.inf and 0 <= start_s < math.inf):
            raise ValueError(f"every_s must be above 0 and start_s 0 or more, in seconds; got {every_s} and {start_s}")
        next_s = start_s
        for time_s, length_s, to_image in self.reader.shots(start_s):
            if end_s is not None and time_s > end_s:
                return
            half_s = min(length_s, LONGEST_FRAME_S) / 2
            if time_s < max(0.0, next_s - half_s):
                continue
            next_s = start_s + every_s * (math.floor((time_s + half_s - start_s) / every_s) + 1)
            yield Frame(time_s, to_image())

    def close(self):
        self.reader.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class OpenCVReader:
    """Decodes with OpenCV, where PyAV is not installed.

    Its limits: times count from the first frame, so that a video that begins late has all its times too early by that
    much; no dates; damage within the file is not noticed; AV1 may have no decoder; `start_s` is reached by decoding.
    """

    def __init__(self, file, name):
        import cv2

        self._cv2, self.name, self._folder, self.path = cv2, name, None, getattr(file, "path", "")
        if not os.path.isfile(self.path):  # OpenCV opens files of the disk only
            self._folder = tempfile.TemporaryDirectory()
            self.path = os.path.join(self._folder.name, "video")
            with open(self.path, "wb") as copy:
                shutil.copyfileobj(file, copy)
        file.close()
        self.facts = self._facts()

    def close(self):
        if self._folder:
            self._folder.cleanup()

    def shots(self, start_s: float):
        """All frames as (time_s, length_s, function that makes the image before the next is asked for)."""
        capture, time_s = self._capture(), 0.0
        length_s = 1 / self._rate(capture)
        while capture.grab():
            time_s = capture.get(self._cv2.CAP_PROP_POS_MSEC) / 1000  # true only after the frame was grabbed
            yield time_s, length_s, lambda: Image.fromarray(capture.retrieve()[1][:, :, ::-1])
        if time_s + length_s < self.facts.duration_s - max(1.0, self.facts.duration_s / 100):
            told = f"only the first {time_s + length_s:.1f} s of {self.facts.duration_s:.1f} s could be decoded"
            raise MediaError(self.name, "decode", f"{told} (by OpenCV; PyAV may do better: pip install av)")

    def _capture(self):
        return self._cv2.VideoCapture(self.path, self._cv2.CAP_FFMPEG)

    def _rate(self, capture):
        rate = capture.get(self._cv2.CAP_PROP_FPS)
        return rate if 1 <= rate <= 240 else 25.0

    def _facts(self):
        capture = self._capture()
        grabbed, frame = capture.read()
        if not grabbed:
            why = "no decodable video: OpenCV decodes none of its frames; PyAV may: pip install av"
            raise MediaError(self.name, "read", why)  # so that it is tried again once PyAV is there
        rate, frames = self._rate(capture), capture.get(self._cv2.CAP_PROP_FRAME_COUNT)
        last_s = 0.0
        if frames < 1 or rate != capture.get(self._cv2.CAP_PROP_FPS):  # headers that lie: look for the last frame
            while capture.grab():
                last_s = capture.get(self._cv2.CAP_PROP_POS_MSEC) / 1000
            frames = 0
        height, width = frame.shape[:2]
        return VideoFacts(width, height, frames / rate if frames else last_s + 1 / rate)
