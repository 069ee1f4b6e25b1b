"""A video's facts, and its frames with the times at which a player shows them, in one forward pass by PyAV (FFmpeg).

A time is what a browser's `currentTime` shows: the presentation time in the file, not counted from its first frame.
(Chromium moves no timeline: a video whose first frame is at 3.2 s shows it at 3.2 s. Measured with version 150 on webm,
mp4 and mkv.) Only in MPEG transport and program streams, whose clocks start anywhere and which browsers do not play,
times count from the start. Frame rates and frame counts in headers are not used: they lie (1000 fps, negative counts),
presentation times do not.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from ..errors import MediaError
from . import dates
from .colour import HLG, PQ, from_hdr, from_primaries
from .container import missing_bytes
from .formats import HEAD_BYTES, describe_unknown, video_demuxer
from .reading import RetryingFile

LONGEST_FRAME_S = 0.1  # where the frame rate varies, "half a frame" is half of this at most
FEW_FROM_S = 0.3  # frames so far apart are had without decoding all
DROPS = ("h264", "hevc")  # decoders that know which frames nobody refers to
RESUMES = (*DROPS, "mpeg2video", "vp9", "av1", "libdav1d", "mjpeg", "prores", "dnxhd")  # and go on at a key frame
FEW_LEFT = 4  # packets: fewer are decoded in less time than the decoder needs to begin anew
MOST_PACKETS, MOST_PACKET_BYTES = 300, 2**24  # of a piece between two key frames, in memory
CLOCK_STARTS_ANYWHERE = ("mpeg", "mpegts")
JUMP_S = 10.0  # so far on, or any way back, the clock of such a stream belongs to another recording that follows
BUFFER_BYTES = 2**18
ENCRYPTED, ENCRYPTED_TAGS = "it is encrypted (copy protection)", ("encv", "drmi")
NO_FRAME = "none of its frames can be decoded"
CONTENT_ID = "com.apple.quicktime.content.identifier"  # which a Live Photo's clip shares with its photo
WEEK_S = 7 * 86400.0  # a header that claims a longer video is not believed
USUAL_FRAME_S = 0.04  # the length of a frame that tells none
SLACK_S = 1.0  # so much, or 1 %, may a header claim too much
Source = str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | RetryingFile
# What FFmpeg calls the date and the place of a recording, the surest first; "date" is also AVI's ICRD.
DATED = ("com.apple.quicktime.creationdate", "creation_time", "creationdate", "DATE_RECORDED", "date")
PLACED = ("com.apple.quicktime.location.ISO6709", "location", "location-eng")
ISO_6709 = re.compile(r"([+-]\d{1,2}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)")
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
    """What a video's file tells of it.

    Attributes:
        width: upright, as it is shown, in pixels; `height` likewise.
        duration_s: in seconds.
        taken_at: "YYYY-MM-DDTHH:MM:SS", by the camera's clock where the file tells it, else UTC; or None.
        taken_from: "container", or None.
        latitude: in degrees north; `longitude` in degrees east; or None.
        place_from: "container", or None.
        content_id: what Apple gives a Live Photo and its clip alike, or None.
    """

    width: int
    height: int
    duration_s: float
    taken_at: str | None = None
    taken_from: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    place_from: str | None = None
    content_id: str | None = None


@dataclass(frozen=True)
class Frame:
    """One frame as it is shown.

    Attributes:
        time_s: its presentation time in seconds, as a player's `currentTime` shows it.
        image: upright, sRGB.
        length_s: for how many seconds it stands: until the next frame of the file begins, the last until the end.
    """

    time_s: float
    image: Image.Image
    length_s: float


class DecodedFrame(NamedTuple):
    """A PyAV frame: when it is shown, how long it stands by its packet, and how long it really does; in seconds."""

    time_s: float
    told_s: float
    length_s: float
    frame: Any


@dataclass
class _Seen:
    """What one pass over a video has seen so far.

    Attributes:
        tick_s: a tick of the clock of its pictures, in seconds.
        shown_s: when the last frame ended.
        reached_s: when the last packet ended, of pictures or sound.
        pictures_s: when the last packet of pictures ended.
        jumped_s: how far the clock jumped between recordings that follow one another.
        damaged_at_s: where packets could not be decoded.
        lengths_s: how long frames stand, by their pts.
        cell: the last interval of a sampling that has a frame.
    """

    tick_s: float
    shown_s: float = 0.0
    reached_s: float = 0.0
    pictures_s: float = 0.0
    jumped_s: float = 0.0
    damaged_at_s: list[float] = field(default_factory=list)
    lengths_s: dict[int, float] = field(default_factory=dict)
    cell: int = -1

    def end_s(self, packet: Any) -> float:
        """When the content of a packet ends; 0 where it does not say."""
        begin = packet.pts if packet.pts is not None else packet.dts or 0
        return (begin + (packet.duration or 0)) * float(packet.time_base or 0)


def no_video(path: Any, why: str) -> MediaError:
    """The error for a file of which no frame can be decoded."""
    return MediaError(path, "decode", f"no decodable video: {why}")


def open_video(source: Source) -> Video:
    """Open a video and decode its first frame.

    What it is, its first bytes tell. Nothing but its own bytes is read, whatever it or its name says.

    Args:
        source: a path, the bytes of a file, or a binary file object.

    Returns:
        The video; close it, or use it in a `with` statement.

    Raises:
        MediaError: stage "read" where the bytes cannot be had. Stage "decode" ("no decodable video: ...") for
            playlists, text, pictures, sound only, encrypted files, a missing table of contents, and codecs without a
            decoder here.
    """
    name: Any = "the video given"
    file: Any = None
    try:
        if isinstance(source, (bytes, bytearray, memoryview)):
            file = io.BytesIO(source)
        elif isinstance(source, (str, os.PathLike)):
            name, file = source, RetryingFile(source)
        else:
            file = source
        return Video(file, name)
    except BaseException as error:
        if file is not None:
            file.close()
        if isinstance(error, OSError):
            raise MediaError(name, "read", f"cannot be read: {error.strerror or error}") from error
        raise


class Video:
    """An open video: `facts`, and `sample` and `frames` for its frames. Close it, or use it in a `with` statement.

    `container` and `stream` are PyAV's, which `clip` takes the sound from; `zero_s` is what their clock shows at 0.
    """

    def __init__(self, file: Any, name: Any) -> None:
        """Decode the first frame of the binary file object `file`. Raises MediaError, OSError; see `open_video`."""
        try:
            import av
        except ImportError:
            raise MediaError(name, "read", "videos need PyAV: pip install av, then index again") from None
        self._av, self.file, self.name = av, file, name
        self._waiting: Iterator[DecodedFrame] | None = None  # the first pass, its first frame decoded
        file.seek(0)
        head = file.read(HEAD_BYTES)
        self.demuxer = video_demuxer(head)
        if self.demuxer is None:
            raise no_video(name, describe_unknown(head, "video"))
        self.lost_bytes = missing_bytes(file, self.demuxer)
        self._rewind()
        self.zero_s = (self.container.start_time or 0) / 1e6 if self.demuxer in CLOCK_STARTS_ANYWHERE else 0.0
        self.pixel_aspect = self.stream.sample_aspect_ratio
        self.reformatter = av.video.reformatter.VideoReformatter()  # one for all frames, for it is slow to set up
        self.duration_s = self._duration_s()
        self.turn, self.size = self._look()

    @property
    def facts(self) -> VideoFacts:
        """The facts; the duration is better known after all frames have been seen."""
        metadata = self.container.metadata
        taken_at, (latitude, longitude) = _taken_at(metadata), _place(metadata) or (None, None)
        return VideoFacts(
            width=self.size[0],
            height=self.size[1],
            duration_s=self.duration_s,
            taken_at=taken_at,
            taken_from="container" if taken_at else None,
            latitude=latitude,
            longitude=longitude,
            place_from="container" if latitude is not None else None,
            content_id=metadata.get(CONTENT_ID),
        )

    def sample(
        self,
        every_s: float = 1.0,
        start_s: float = 0.0,
        end_s: float | None = None,
        shortest: int | None = None,
        exact: bool = False,
    ) -> Iterator[Frame]:
        """Frames at equal distances, in one forward pass.

        For each time `start_s + k * every_s` it is the first frame that begins at it, or at most half a frame earlier.
        No frame is given twice, so times increase; where frames are rarer than `every_s`, there are fewer.

        Args:
            every_s: seconds between frames. From the start and from `FEW_FROM_S` on, the same frames are had for half
                the work, not deblocked.
            start_s: where to begin, in seconds.
            end_s: where to stop, in seconds; None: at the end.
            shortest: see `upright`.
            exact: decode every frame, for the very pixels.

        Yields:
            The frames, in order.

        Raises:
            MediaError: after the last frame, stage "decode", where a part could not be decoded.
            ValueError: a number is out of range.
        """
        if not (0 < every_s < math.inf and 0 <= start_s < math.inf):
            raise ValueError(f"every_s must be above 0 and start_s 0 or more, in seconds; got {every_s} and {start_s}")
        next_s = start_s
        few = not exact and start_s == 0 and every_s >= FEW_FROM_S and self.demuxer not in CLOCK_STARTS_ANYWHERE
        for each in self.frames(start_s, every_s if few else None):
            if end_s is not None and each.time_s > end_s:
                return
            half_s = min(each.told_s, LONGEST_FRAME_S) / 2
            if each.time_s < max(0.0, next_s - half_s):
                continue
            next_s = start_s + every_s * (math.floor((each.time_s + half_s - start_s) / every_s) + 1)
            yield Frame(each.time_s, self.upright(each.frame, shortest), each.length_s)

    def frames(self, start_s: float = 0.0, every_s: float | None = None) -> Iterator[DecodedFrame]:
        """Frames from the key frame before `start_s` on, not made to images: all, or with `every_s` some.

        With `every_s` and from the start, they are at least those that `sample` gives. Raises MediaError as `sample`.
        """
        frames, self._waiting = self._waiting, None  # of the first pass the first frame is decoded already
        if start_s > 0:
            frames = self._decode_from(start_s)
        if frames is None or every_s:
            self._rewind()
            frames = self._decode_few(every_s) if every_s else self._decode()
        held = None  # the last frame, until it is known when the next begins
        while True:
            try:
                following = next(frames, None)
            except MediaError:
                if held:
                    yield held
                raise
            if held:
                until_s = following.time_s if following else self.duration_s
                stands = until_s > held.time_s and (following is None or not every_s)
                yield held._replace(length_s=until_s - held.time_s) if stands else held
            if following is None:
                return
            held = following

    def close(self) -> None:
        """Let the file go."""
        self._waiting = None
        self.container.close()
        self.file.close()

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _rewind(self) -> None:
        """Open the file at its beginning; to seek there misses some first key frames, and fails in damaged files."""
        self.file.seek(0)
        try:
            self.container = self._av.open(
                self.file, "r", format=self.demuxer, buffer_size=BUFFER_BYTES, metadata_errors="replace"
            )
        except self._av.error.FFmpegError as error:
            cut = "its table of contents is missing or damaged (an unfinished upload?)"
            why = cut if self.demuxer == "mov" else f"a damaged file ({error.strerror})"
            raise no_video(self.name, why) from error
        self.stream = self._video_stream()
        self.stream.thread_type = "AUTO"

    def _decode_from(self, start_s: float) -> Iterator[DecodedFrame] | None:
        """`_decode` from the key frame before `start_s`; None where that is not found."""
        try:
            self.container.seek(int((start_s + self.zero_s) / self.stream.time_base), stream=self.stream)
        except self._av.error.FFmpegError:
            return None
        frames = self._decode()
        first = next(frames, None)
        return itertools.chain([first], frames) if first and first.time_s <= start_s else None

    def _video_stream(self) -> Any:
        """The video stream that is shown: the default of those that can be decoded (covers aside), else the largest."""
        cover, default = self._av.stream.Disposition.attached_pic, self._av.stream.Disposition.default
        streams = [stream for stream in self.container.streams.video if not stream.disposition & cover]
        if not streams:
            raise no_video(self.name, "sound only" if self.container.streams.audio else "no pictures are in it")
        known = [stream for stream in streams if stream.codec_context is not None]
        known.sort(key=lambda s: (not s.disposition & default, -(s.width or 0) * (s.height or 0)))
        for stream in known:
            if stream.codec_context.codec_tag not in ENCRYPTED_TAGS and "enc_key_id" not in stream.metadata:
                return stream
        raise no_video(self.name, ENCRYPTED if known else "its codec has no decoder here")

    def _look(self) -> tuple[Image.Transpose | None, tuple[int, int]]:
        """Decode the first frame, which then waits in `_waiting`; its turn, and its size as it is shown."""
        frames = self._decode()
        first = next(frames, None)
        if first is None:
            raise no_video(self.name, NO_FRAME)
        self._waiting = itertools.chain([first], frames)
        turn = _turn(first.frame)  # of one frame only: to be asked for it keeps a frame from being freed
        width, height = _square(first.frame, self.pixel_aspect)
        return turn, (height, width) if turn in SIDEWAYS else (width, height)

    def _duration_s(self) -> float:
        """When the last stream ends, by the headers; where these do not say, by the packets."""
        stream, container = self.stream, self.container
        end_s = (container.duration or 0) / 1e6
        if stream.duration:
            told_s = float((stream.duration + (stream.start_time or 0)) * stream.time_base) - self.zero_s
            end_s = max(end_s, told_s)
        if 0 < end_s < WEEK_S:
            return end_s
        end_s, seen = 0.0, _Seen(float(stream.time_base or 0))
        with contextlib.suppress(self._av.error.FFmpegError):  # recorded live, or a header that lies
            for packet in container.demux(stream):
                end_s = max(end_s, seen.end_s(packet))
        self._rewind()
        return end_s - self.zero_s

    def upright(self, frame: Any, shortest: int | None = None) -> Image.Image:
        """The sRGB image that a player shows for a PyAV frame: pixels made square, turned upright, HDR as SDR.

        An HDR frame that will be resized to `shortest` pixels is reduced before, to twice that.
        """
        width, height = _square(frame, self.pixel_aspect)
        if frame.color_trc in (HLG, PQ):
            times = max(1.0, min(width, height) / (2 * shortest)) if shortest else 1.0
            width, height = round(width / times), round(height / times)
            deep = self.reformatter.reformat(frame, width=width, height=height, format="rgb48le", interpolation="AREA")
            image = from_hdr(
                _rows(deep.planes[0], np.dtype("<u2"), width, height), frame.color_trc, frame.color_primaries
            )
        else:
            rgb = self.reformatter.reformat(frame, width=width, height=height, format="rgb24")
            plane = rgb.planes[0]  # as frame.to_image() does it, without its two further copies: 2 to 5 times faster
            image = Image.frombytes("RGB", (width, height), memoryview(plane), "raw", "RGB", plane.line_size)
            image = from_primaries(image, frame.color_primaries)
        return image if self.turn is None else image.transpose(self.turn)

    def _decode(self) -> Iterator[DecodedFrame]:
        """Every frame from here on. MediaError at the end where some are missing."""
        seen = _Seen(float(self.stream.time_base or 0))
        for packet in self._packets():
            seen.reached_s = max(seen.reached_s, seen.end_s(packet) - self.zero_s)
            if packet.stream is self.stream:
                yield from self._decoded(packet, seen)
        if seen.jumped_s:  # several recordings, of which the headers knew the clock of one
            self.duration_s = seen.shown_s
        self._complain(seen)

    def _decode_few(self, every_s: float) -> Iterator[DecodedFrame]:
        """As `_decode`, but not all frames: those that no frame of `sample(every_s)` is made from are left out.

        A piece of the stream from one key frame to the next is decoded as far as the last frame that is wanted of it,
        in H.264 and HEVC without what nobody refers to (FFmpeg's "nonref"). Nothing is deblocked: the model sees
        pixels of four or more.
        """
        seen = _Seen(float(self.stream.time_base or 0))
        context = self.stream.codec_context
        context.options = {"skip_loop_filter": "all"}
        left: list = []  # of the last piece, behind the last frame that was wanted of it
        stopped = False  # what was decoded last is not what comes before the next packets
        for piece, following in self._pieces(seen):
            wanted = self._wanted(piece, following, every_s, seen)
            if piece[0].is_keyframe and context.name in RESUMES:
                leading = any(
                    (piece[at].pts or 0) < (piece[0].pts or 0) for at in wanted
                )  # they refer to frames before
                needed, last = leading or (len(left) < FEW_LEFT and not stopped), max(wanted, default=-1)
            else:
                needed, last = True, len(piece) - 1
            due = (left if needed else []), piece[: last + 1]
            stopped = stopped or (bool(left) and not needed)
            if stopped and any(due):
                yield from self._decoded(None, seen)
                context.flush_buffers()
                stopped = False
            yield from self._feed(due[0], set(), seen)
            yield from self._feed(due[1], wanted, seen)
            left = piece[last + 1 :]
        yield from self._decoded(None, seen)
        if seen.shown_s:
            seen.shown_s = max(seen.shown_s, min(seen.pictures_s, seen.shown_s + every_s))
        self._complain(seen)

    def _feed(self, packets: list, wanted: set[int], seen: _Seen) -> Iterator[DecodedFrame]:
        """The frames of packets; those that are not `wanted` (positions) are decoded where others refer to them."""
        context = self.stream.codec_context
        for at, packet in enumerate(packets):
            if context.name in DROPS:
                context.skip_frame = "DEFAULT" if at in wanted else "NONREF"
            yield from self._decoded(packet, seen)

    def _pieces(self, seen: _Seen) -> Iterator[tuple[list, int | None]]:
        """The packets of the video in pieces, each with the pts at which the next begins (None: there is none).

        A piece begins with a key frame, or where the one before grew too large for memory.
        """
        piece: list[Any] = []
        held: list[Any] = []
        size = 0
        for packet in self._packets():
            end_s = seen.end_s(packet) - self.zero_s
            seen.reached_s = max(seen.reached_s, end_s)
            if packet.stream is not self.stream or not packet.size:
                continue
            seen.pictures_s = max(seen.pictures_s, end_s)
            if piece and (packet.is_keyframe or len(piece) >= MOST_PACKETS or size >= MOST_PACKET_BYTES):
                if held:
                    yield held, min((p.pts for p in piece if p.pts is not None), default=None)
                held, piece, size = piece, [], 0
            piece.append(packet)
            size += packet.size
        if held:
            yield held, min((p.pts for p in piece if p.pts is not None), default=None)
        if piece:
            yield piece, None

    def _wanted(self, piece: list, following: int | None, every_s: float, seen: _Seen) -> set[int]:
        """The positions of the packets whose frames `sample(every_s)` gives. Notes how long each frame stands."""
        times = sorted((packet.pts, at) for at, packet in enumerate(piece) if packet.pts is not None)
        if len(times) < len(piece):  # AVI tells when packets are decoded, not when frames are shown
            return set(range(len(piece)))
        wanted, tick_s = set(), seen.tick_s
        ends = [pts for pts, _ in times[1:]] + [following]
        for (pts, at), until in zip(times, ends, strict=True):
            if until is not None and until > pts:
                seen.lengths_s[pts] = (until - pts) * tick_s
            time_s = pts * tick_s - self.zero_s
            half_s = min((piece[at].duration or 0) * tick_s or USUAL_FRAME_S, LONGEST_FRAME_S) / 2
            cell = math.floor((time_s + half_s) / every_s)
            if time_s >= 0 and cell > seen.cell:
                seen.cell = cell
                wanted.add(at)
        return wanted

    def _decoded(self, packet: Any, seen: _Seen) -> Iterator[DecodedFrame]:
        """The frames that come out of the decoder when a packet goes in; for None, all that it still holds."""
        if packet is not None and not seen.shown_s and packet.has_sidedata("encryption_info"):
            raise no_video(self.name, ENCRYPTED)  # else it would be decoded to rubbish
        try:
            frames = self.stream.codec_context.decode(packet) if packet is None else packet.decode()
        except self._av.error.FFmpegError:
            seen.damaged_at_s.append(seen.shown_s)
            return
        tick_s = seen.tick_s
        for frame in frames:
            begin = frame.pts if frame.pts is not None else frame.dts
            time_s = seen.shown_s if begin is None else begin * tick_s - self.zero_s - seen.jumped_s
            if self.demuxer in CLOCK_STARTS_ANYWHERE and not -SLACK_S < time_s - seen.shown_s < JUMP_S:
                seen.jumped_s += time_s - seen.shown_s
                time_s = seen.shown_s
            told_s = (frame.duration or 0) * tick_s or USUAL_FRAME_S
            length_s = seen.lengths_s.pop(begin, told_s)
            seen.shown_s = time_s + told_s
            if time_s > self.duration_s:
                self.duration_s = seen.shown_s
            yield DecodedFrame(time_s, told_s, length_s, frame)

    def _packets(self) -> Iterator[Any]:
        """The packets of the video and of the sound: a file that was cut ends early in both, a short video in one."""
        try:
            yield from self.container.demux([self.stream, *self.container.streams.audio])
        except (self._av.error.FFmpegError, IndexError):  # of a damaged file that names a stream it has not
            flush = self._av.Packet()  # for what the decoder still holds; the times will tell that something is missing
            flush.stream = self.stream
            yield flush
        except OSError as error:
            raise MediaError(self.name, "read", f"cannot be read: {error.strerror or error}") from error

    def _complain(self, seen: _Seen) -> None:
        """Raise MediaError where frames are missing."""
        duration_s, damaged, shown_s = self.duration_s, len(seen.damaged_at_s), seen.shown_s
        nearly_s = duration_s - max(SLACK_S, duration_s / 100)
        unfinished = seen.reached_s < nearly_s or self.lost_bytes
        if not shown_s and (unfinished or damaged):
            raise no_video(self.name, NO_FRAME)
        if shown_s < nearly_s and (unfinished or damaged):
            why = "the file ends early, an unfinished upload?" if unfinished else f"{damaged} damaged packets"
            reason = f"only the first {shown_s:.1f} s of {duration_s:.1f} s could be decoded ({why})"
        elif self.lost_bytes:
            lost = f"{self.lost_bytes:,} bytes are missing at the end"
            reason = f"only the first {shown_s:.1f} s could be decoded ({lost})"
        elif damaged:
            reason = f"{damaged} damaged packets, the first near {seen.damaged_at_s[0]:.1f} s; the rest was decoded"
        else:
            return
        raise MediaError(self.name, "decode", reason)


def _rows(plane: Any, kind: np.dtype, width: int, height: int) -> np.ndarray:
    """The pixels of a PyAV plane of three channels, (height, width, 3)."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, : 3 * width * kind.itemsize]
    return np.ascontiguousarray(rows).view(kind).reshape(height, width, 3)


def _turn(frame: Any) -> Image.Transpose | None:
    """What sets a PyAV frame upright: a PIL transpose, or None."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    return TURNS.get(tuple((value > 0) - (value < 0) for value in (a, b, c, d)))


def _square(frame: Any, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """The (width, height) of a PyAV frame whose pixels are made square, before it is turned."""
    if pixel_aspect and 1 / 4 <= pixel_aspect <= 4:
        return round(frame.width * max(1, pixel_aspect)), round(frame.height / min(1, pixel_aspect))
    return frame.width, frame.height


def _taken_at(metadata: dict[str, str]) -> str | None:
    """The time of recording without its zone: the camera's own where Apple wrote it, else mostly UTC."""
    return next(filter(None, (dates.parsed(metadata.get(name)) for name in DATED)), None)


def _place(metadata: dict[str, str]) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, written as in ISO 6709 ("+48.8577+002.2950+035/"), or None."""
    for name in PLACED:
        if found := ISO_6709.match(metadata.get(name, "")):
            latitude, longitude = map(float, found.groups())
            if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
                return latitude, longitude
    return None
