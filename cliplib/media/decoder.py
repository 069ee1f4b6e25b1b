"""The decoder behind `video`: PyAV, which is FFmpeg, asked for every frame with its presentation time.

Frame rates and frame counts in headers are not used: they lie (1000 fps, negative counts), presentation times do not.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import struct
from dataclasses import dataclass
from datetime import datetime

from PIL import Image

from ..errors import MediaError

CLOCK_STARTS_ANYWHERE = ("mpeg", "mpegts")
BUFFER_BYTES = 2**18
ENCRYPTED, ENCRYPTED_TAGS = "it is encrypted (copy protection)", ("encv", "drmi")
NO_FRAME = "none of its frames can be decoded"
WEEK_S = 7 * 86400.0  # a header that claims a longer video is not believed
USUAL_FRAME_S = 0.04  # the length of a frame that tells none
SLACK_S = 1.0  # so much, or 1 %, may a header claim too much
TURNS = {  # signs of a display matrix's a, b, c, d -> what sets a frame upright
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
SIDEWAYS = {turn for (a, *_), turn in TURNS.items() if not a}  # these swap width and height


@dataclass(frozen=True)
class VideoFacts:
    """Upright size as shown, in pixels; duration in seconds; when taken.

    `taken_at` is "YYYY-MM-DDTHH:MM:SS", by the camera's clock where the file tells it, else UTC, and `taken_from` is
    "container"; or both are None.
    """

    width: int
    height: int
    duration_s: float
    taken_at: str | None = None
    taken_from: str | None = None


def no_video(path, why: str) -> MediaError:
    """The error for a file of which no frame can be decoded."""
    return MediaError(path, "decode", f"no decodable video: {why}")


class PyAVReader:
    """Decodes with PyAV from the binary file object `file`, by FFmpeg's `demuxer` of that name and no other.

    `lost_bytes` is how much shorter the file is than it says itself. Raises MediaError where no frame can be decoded.
    """

    def __init__(self, file, demuxer: str, name, lost_bytes: int = 0):
        try:
            import av
        except ImportError:
            raise MediaError(name, "read", "videos need PyAV: pip install av, then index again") from None
        self._av, self.file, self.demuxer, self.name, self.lost_bytes = av, file, demuxer, name, lost_bytes
        self._rewind()
        self.zero_s = (self.container.start_time or 0) / 1e6 if demuxer in CLOCK_STARTS_ANYWHERE else 0.0
        self.pixel_aspect = self.stream.sample_aspect_ratio
        self.reformatter = av.video.reformatter.VideoReformatter()  # one for all frames, for it is slow to set up
        self.duration_s = self._duration_s()
        self.turn, self.size = self._look()

    def _rewind(self):
        """Open the file at its beginning; to seek there misses some first key frames, and fails in damaged files."""
        self.file.seek(0)
        options = {"buffer_size": BUFFER_BYTES, "metadata_errors": "replace"}
        try:
            self.container = self._av.open(self.file, format=self.demuxer, **options)
        except self._av.error.FFmpegError as error:
            cut = "its table of contents is missing or damaged (an unfinished upload?)"
            why = cut if self.demuxer == "mov" else f"a damaged file ({error.strerror})"
            raise no_video(self.name, why) from error
        self.stream = self._video_stream()
        self.stream.thread_type = "AUTO"

    @property
    def facts(self) -> VideoFacts:
        taken_at = _taken_at(self.container.metadata)
        return VideoFacts(*self.size, self.duration_s, taken_at, "container" if taken_at else None)

    def close(self):
        self._waiting = None
        self.container.close()
        self.file.close()

    def shots(self, start_s: float):
        """All frames from the key frame before `start_s` on, as (time_s, length_s, function that makes the image)."""
        shots, self._waiting = self._waiting, None  # of the first pass the first frame is decoded already
        if start_s > 0:
            shots = self._decode_from(start_s)
        if shots is None:
            self._rewind()
            shots = self._decode()
        for time_s, length_s, frame in shots:
            yield time_s, length_s, functools.partial(self._upright, frame)

    def _decode_from(self, start_s):
        """`_decode` from the key frame before `start_s`; None where that is not found."""
        try:
            self.container.seek(int((start_s + self.zero_s) / self.stream.time_base), stream=self.stream)
        except self._av.error.FFmpegError:
            return None
        shots = self._decode()
        first = next(shots, None)
        return itertools.chain([first], shots) if first and first[0] <= start_s else None

    def _video_stream(self):
        """The first video stream that can be decoded and is no cover picture."""
        cover = self._av.stream.Disposition.attached_pic
        streams = [stream for stream in self.container.streams.video if not stream.disposition & cover]
        if not streams:
            raise no_video(self.name, "sound only" if self.container.streams.audio else "no pictures are in it")
        known = [stream for stream in streams if stream.codec_context is not None]
        for stream in known:
            if stream.codec_context.codec_tag not in ENCRYPTED_TAGS and "enc_key_id" not in stream.metadata:
                return stream
        raise no_video(self.name, ENCRYPTED if known else "its codec has no decoder here")

    def _look(self):
        """Decode the first frame, which then waits in `_waiting`; its turn, and its size as it is shown."""
        shots = self._decode()
        first = next(shots, None)
        if first is None:
            raise no_video(self.name, NO_FRAME)
        self._waiting = itertools.chain([first], shots)
        turn = _turn(first[2])  # of one frame only: to be asked for it keeps a frame from being freed
        width, height = _square(first[2], self.pixel_aspect)
        return turn, (height, width) if turn in SIDEWAYS else (width, height)

    def _duration_s(self):
        """When the last stream ends, as the headers say it; else as the packets do."""
        stream, container = self.stream, self.container
        end_s = (container.duration or 0) / 1e6
        if stream.duration:
            told_s = float((stream.duration + (stream.start_time or 0)) * stream.time_base) - self.zero_s
            end_s = max(end_s, told_s)
        if 0 < end_s < WEEK_S:
            return end_s
        end = 0
        with contextlib.suppress(self._av.error.FFmpegError):  # recorded live, or a header that lies
            for packet in container.demux(stream):
                end = max(end, _end(packet))
        self._rewind()
        return end * float(stream.time_base) - self.zero_s

    def _upright(self, frame):
        """The PIL RGB image that a player shows for a PyAV frame: pixels made square, turned upright."""
        width, height = _square(frame, self.pixel_aspect)
        rgb = self.reformatter.reformat(frame, width=width, height=height, format="rgb24")
        plane = rgb.planes[0]  # as frame.to_image() does it, without its two further copies: 2 to 5 times faster
        image = Image.frombytes("RGB", (width, height), memoryview(plane), "raw", "RGB", plane.line_size)
        return image if self.turn is None else image.transpose(self.turn)

    def _decode(self):
        """Every frame from here on as (time_s, length_s, frame). MediaError at the end where some are missing."""
        ticks_s = [float(stream.time_base or 0) for stream in self.container.streams]
        tick_s, shown_s, reached_s, damaged_at_s = ticks_s[self.stream.index], 0.0, 0.0, []
        for packet in self._packets():
            reached_s = max(reached_s, _end(packet) * ticks_s[packet.stream_index] - self.zero_s)
            if not shown_s and packet.has_sidedata("encryption_info"):  # else it would be decoded to rubbish
                raise no_video(self.name, ENCRYPTED)
            try:
                frames = packet.decode() if packet.stream is self.stream else ()
            except self._av.error.FFmpegError:
                damaged_at_s.append(shown_s)
                continue
            for frame in frames:
                begin = frame.pts if frame.pts is not None else frame.dts
                time_s = shown_s if begin is None else begin * tick_s - self.zero_s
                length_s = (frame.duration or 0) * tick_s or USUAL_FRAME_S
                shown_s = time_s + length_s
                if time_s > self.duration_s:
                    self.duration_s = shown_s
                yield time_s, length_s, frame
        self._complain(shown_s, reached_s, damaged_at_s)

    def _packets(self):
        """The packets of the video and of the sound: a file that was cut ends early in both, a short video in one."""
        try:
            yield from self.container.demux([self.stream, *self.container.streams.audio])
        except self._av.error.FFmpegError:
            flush = self._av.Packet()  # for what the decoder still holds; the times will tell that something is missing
            flush.stream = self.stream
            yield flush
        except OSError as error:
            raise MediaError(self.name, "read", f"cannot be read: {error.strerror or error}") from error

    def _complain(self, shown_s, reached_s, damaged_at_s):
        """Raise MediaError where frames are missing."""
        duration_s, damaged = self.duration_s, len(damaged_at_s)
        nearly_s = duration_s - max(SLACK_S, duration_s / 100)
        unfinished = reached_s < nearly_s or self.lost_bytes
        if not shown_s and (unfinished or damaged):
            raise no_video(self.name, NO_FRAME)
        if shown_s < nearly_s and (unfinished or damaged):
            why = "the file ends early, an unfinished upload?" if unfinished else f"{damaged} damaged packets"
            reason = f"only the first {shown_s:.1f} s of {duration_s:.1f} s could be decoded ({why})"
        elif self.lost_bytes:
            lost = f"{self.lost_bytes:,} bytes are missing at the end"
            reason = f"only the first {shown_s:.1f} s could be decoded ({lost})"
        elif damaged:
            reason = f"{damaged} damaged packets, the first near {damaged_at_s[0]:.1f} s; the rest was decoded"
        else:
            return
        raise MediaError(self.name, "decode", reason)


def _end(packet):
    """When what a packet holds ends, in ticks of its stream; 0 where it does not say."""
    return (packet.pts if packet.pts is not None else packet.dts or 0) + (packet.duration or 0)


def _turn(frame):
    """What sets a PyAV frame upright: a PIL transpose, or None."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    return TURNS.get(tuple((value > 0) - (value < 0) for value in (a, b, c, d)))


def _square(frame, pixel_aspect):
    """The (width, height) of a PyAV frame whose pixels are made square, before it is turned."""
    if pixel_aspect and 1 / 4 <= pixel_aspect <= 4:
        return round(frame.width * max(1, pixel_aspect)), round(frame.height / min(1, pixel_aspect))
    return frame.width, frame.height


def _taken_at(metadata):
    """The time of recording without its zone: the camera's where Apple wrote it, else UTC; None for a clock at zero."""
    for key in ("com.apple.quicktime.creationdate", "creation_time"):
        try:
            taken = datetime.strptime(metadata[key][:19], "%Y-%m-%dT%H:%M:%S")
        except (KeyError, ValueError):
            continue
        if taken.year > 1970:
            return taken.isoformat()
    return None
