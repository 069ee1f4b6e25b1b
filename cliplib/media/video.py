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
from collections import deque
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
NEAR = 0.05  # of the time between samples: so far from a wanted time may a key frame lie that is taken for it
DENSE = 1.5  # of the time between samples: so far apart are key frames at most that are taken thus
DROPS = ("h264", "hevc")  # decoders that know which frames nobody refers to
RESUMES = (*DROPS, "mpeg2video", "vp9", "av1", "libdav1d", "mjpeg", "prores", "dnxhd")  # and go on at a key frame
FEW_LEFT = 4  # packets: fewer are decoded in less time than the decoder needs to begin anew
MOST_PACKETS, MOST_PACKET_BYTES = 300, 2**24  # of a piece between two key frames, in memory
CLOCK_STARTS_ANYWHERE = ("mpeg", "mpegts")
TELL_NO_TIMES = (*CLOCK_STARTS_ANYWHERE, "avi")  # before decoding
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


class _Packet(NamedTuple):
    """A PyAV packet of the pictures, with the time at which its frame is shown in seconds; None where it tells none."""

    time_s: float | None
    told_s: float
    packet: Any


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
    """

    tick_s: float
    shown_s: float = 0.0
    reached_s: float = 0.0
    pictures_s: float = 0.0
    jumped_s: float = 0.0
    damaged_at_s: list[float] = field(default_factory=list)

    def end_s(self, packet: Any) -> float:
        """When the content of a packet ends; 0 where it does not say."""
        begin = packet.pts if packet.pts is not None else packet.dts or 0
        return (begin + (packet.duration or 0)) * float(packet.time_base or 0)


@dataclass
class _Sampling:
    """Which frames are taken: the first that begins at each wanted time, or a key frame near it.

    A key frame costs nothing but itself, where another costs all frames that it refers to. Where key frames are about
    as dense as the wanted times, as telephones write them, one no further than `NEAR` from such a time is taken for it.

    Attributes:
        every_s: seconds between the wanted times.
        next_s: the next wanted time.
        dense_s: when the coming key frame is shown, where it follows the one before so closely; else None.
        due: pts and length in seconds of the frames that were chosen and are not decoded yet.
        chosen: whether `choose` knew the times, so that only what is due is taken.
    """

    every_s: float
    next_s: float
    dense_s: float | None = 0.0
    due: deque[tuple[int, float]] = field(default_factory=deque)
    chosen: bool = False

    def takes(self, time_s: float, told_s: float) -> bool:
        """Whether a frame begins at the wanted time, or at most half a frame before it. If so, the next is wanted."""
        half_s = min(told_s, LONGEST_FRAME_S) / 2
        if time_s < max(0.0, self.next_s - half_s):
            return False
        self._go_on(time_s + half_s)
        return True

    def choose(self, piece: list[_Packet], key_s: float | None, ahead_s: float | None, until_s: float) -> set[int]:
        """The positions of the packets whose frames are taken.

        Args:
            piece: packets of which the first may be a key frame.
            key_s: when that key frame is shown; None where it is none, or decoding does not begin at one.
            ahead_s: when the key frame behind the piece is shown, likewise.
            until_s: when the last frame of the piece ends.
        """
        times = sorted((packet.time_s, at) for at, packet in enumerate(piece) if packet.time_s is not None)
        self.chosen = len(times) == len(piece)
        if not self.chosen:  # such packets tell when they are decoded, not when their frames are shown
            return set(range(len(piece)))
        wanted = set()
        reaches = until_s >= self.next_s + piece[0].told_s / 2  # for the end of a video there is no wanted time
        preferred = key_s is not None and key_s >= 0 and reaches and self._prefers(self.dense_s, ahead_s)
        dense = key_s is not None and ahead_s is not None and ahead_s - key_s <= DENSE * self.every_s
        self.dense_s = ahead_s if dense else None
        for (time_s, at), (end_s, _) in zip(times, [*times[1:], (until_s, 0)], strict=True):
            told_s = piece[at].told_s
            if at == 0 and preferred:
                self._go_on(time_s + NEAR * self.every_s)
                preferred = False
            elif preferred or self._is_near(self.dense_s) or not self.takes(time_s, told_s):
                continue
            wanted.add(at)
            self.due.append((piece[at].packet.pts, end_s - time_s if end_s > time_s else told_s))
        return wanted

    def taken(self, decoded: DecodedFrame) -> DecodedFrame | None:
        """A decoded frame if it is taken: it was chosen, or one chosen before it could not be decoded."""
        if not self.chosen and not self.due:
            return decoded if self.takes(decoded.time_s, decoded.told_s) else None
        begin, length_s = decoded.frame.pts, None
        while self.due and begin is not None and self.due[0][0] <= begin:
            length_s = self.due.popleft()[1]
        return None if length_s is None else decoded._replace(length_s=length_s)

    def _go_on(self, time_s: float) -> None:
        """Let the next wanted time be the first after a time."""
        self.next_s += self.every_s * (math.floor((time_s - self.next_s) / self.every_s) + 1)

    def _is_near(self, key_s: float | None) -> bool:
        return key_s is not None and abs(key_s - self.next_s) <= NEAR * self.every_s

    def _prefers(self, key_s: float | None, ahead_s: float | None) -> bool:
        """Whether a key frame is near the wanted time, and the one ahead no nearer."""
        if key_s is None or not self._is_near(key_s):
            return False
        return ahead_s is None or abs(key_s - self.next_s) <= abs(ahead_s - self.next_s)


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
        self._read: list[Any] = []  # the packets of the first frame: a first pass in `_decode_few` begins with them
        file.seek(0)
        head = file.read(HEAD_BYTES)
        self.demuxer = video_demuxer(head)
        if self.demuxer is None:
            raise no_video(name, describe_unknown(head, "video"))
        self.lost_bytes = missing_bytes(file, self.demuxer)
        self._rewind(deblock=False)
        self.zero_s = (self.container.start_time or 0) / 1e6 if self.demuxer in CLOCK_STARTS_ANYWHERE else 0.0
        self.pixel_aspect = self.stream.sample_aspect_ratio
        self.reformatter = av.video.reformatter.VideoReformatter()  # one for all frames, for it is slow to set up
        self.codec = self.stream.codec_context.name
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

        For each wanted time it is the first frame that begins at it, or at most half a frame earlier. No frame is given
        twice, so times increase; where frames are rarer than `every_s`, there are fewer.

        From the start, with `every_s` of at least `FEW_FROM_S`, only what is needed is decoded, and nothing is
        deblocked. Where key frames are about as dense, one within 5 % of `every_s` of a wanted time is taken for it.

        Args:
            every_s: seconds between wanted times.
            start_s: the first of them, in seconds.
            end_s: where to stop, in seconds; None: at the end.
            shortest: see `upright`.
            exact: decode and deblock every frame, and take none but the first of each wanted time.

        Yields:
            The frames, in order.

        Raises:
            MediaError: after the last frame, stage "decode", where a part could not be decoded.
            ValueError: a number is out of range.
        """
        if not (0 < every_s < math.inf and 0 <= start_s < math.inf):
            raise ValueError(f"every_s must be above 0 and start_s 0 or more, in seconds; got {every_s} and {start_s}")
        sampling = _Sampling(every_s, start_s)
        few = not exact and start_s == 0 and every_s >= FEW_FROM_S and self.demuxer not in TELL_NO_TIMES
        for decoded in self._decode_few(sampling) if few else self.frames(start_s):
            if end_s is not None and decoded.time_s > end_s:
                return
            if each := sampling.taken(decoded):
                yield Frame(each.time_s, self.upright(each.frame, shortest), each.length_s)

    def frames(self, start_s: float = 0.0) -> Iterator[DecodedFrame]:
        """All frames from the key frame before `start_s` on, not made to images. Raises MediaError as `sample`."""
        frames = self._decode_from(start_s) if start_s > 0 else None
        if frames is None:
            self._rewind()
            frames = self._decode()
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
                yield held._replace(length_s=until_s - held.time_s) if until_s > held.time_s else held
            if following is None:
                return
            held = following

    def close(self) -> None:
        """Let the file go."""
        self._read = []
        self.container.close()
        self.file.close()

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _rewind(self, deblock: bool = True) -> None:
        """Open the file at its beginning; to seek there misses some first key frames, and fails in damaged files."""
        self._read = []
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
        if not deblock:
            self.stream.codec_context.options = {"skip_loop_filter": "all"}
        self._demuxed = self._demux()

    def _demux(self) -> Iterator[Any]:
        return self.container.demux([self.stream, *self.container.streams.audio])

    def _decode_from(self, start_s: float) -> Iterator[DecodedFrame] | None:
        """`_decode` from the key frame before `start_s`; None where that is not found."""
        self._rewind()
        next(self._decode(), None)  # parameter sets that all frames need may stand in the first packet alone
        try:
            self.container.seek(int((start_s + self.zero_s) / self.stream.time_base), stream=self.stream)
        except self._av.error.FFmpegError:
            return None
        self._demuxed = self._demux()
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
        """Decode the first frame, and keep the packets that it took; its turn, and its size as it is shown."""
        packets: list[Any] = []
        first = next(self._decode(packets), None)
        if first is None:
            raise no_video(self.name, NO_FRAME)
        self._read = packets
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
        self._rewind(deblock=False)
        return end_s - self.zero_s

    def upright(self, frame: Any, shortest: int | None = None) -> Image.Image:
        """The sRGB image that a player shows for a PyAV frame: pixels made square, turned upright, HDR as SDR.

        A frame that will be resized to `shortest` pixels is reduced to twice that as it is converted.
        """
        width, height = _square(frame, self.pixel_aspect)
        times = max(1.0, min(width, height) / (2 * shortest)) if shortest else 1.0
        width, height = round(width / times), round(height / times)
        if frame.color_trc in (HLG, PQ):
            deep = self.reformatter.reformat(frame, width=width, height=height, format="rgb48le", interpolation="AREA")
            image = from_hdr(
                _rows(deep.planes[0], np.dtype("<u2"), width, height), frame.color_trc, frame.color_primaries
            )
        else:
            rgb = self.reformatter.reformat(frame, width=width, height=height, format="rgb24", interpolation="AREA")
            plane = rgb.planes[0]  # as frame.to_image() does it, without its two further copies: 2 to 5 times faster
            image = Image.frombytes("RGB", (width, height), memoryview(plane), "raw", "RGB", plane.line_size)
            image = from_primaries(image, frame.color_primaries)
        return image if self.turn is None else image.transpose(self.turn)

    def _decode(self, read: list[Any] | None = None) -> Iterator[DecodedFrame]:
        """Every frame from here on, its packets noted in `read`. MediaError at the end where some are missing."""
        seen = _Seen(float(self.stream.time_base or 0))
        for packet in self._packets():
            if read is not None:
                read.append(packet)
            seen.reached_s = max(seen.reached_s, seen.end_s(packet) - self.zero_s)
            if packet.stream is self.stream:
                yield from self._decoded(packet, seen)
        if seen.jumped_s:  # several recordings, of which the headers knew the clock of one
            self.duration_s = seen.shown_s
        self._complain(seen)

    def _decode_few(self, sampling: _Sampling) -> Iterator[DecodedFrame]:
        """As `_decode`, but of all frames only those that the frames of a sampling are made from.

        A piece of the stream from one key frame to the next is decoded as far as the last frame that is wanted of it,
        in H.264 and HEVC without what nobody refers to (FFmpeg's "nonref"). Nothing is deblocked: the model sees
        pixels of four or more.
        """
        if not self._read:
            self._rewind(deblock=False)
        seen = _Seen(float(self.stream.time_base or 0))
        context = self.stream.codec_context
        if self._read:
            context.flush_buffers()
        left: list = []  # of the last piece, behind the last frame that was wanted of it
        stopped = False  # what was decoded last is not what comes before the next packets
        for piece, following in self._pieces(seen):
            key_s, ahead_s = self._key_s(piece), self._key_s(following)
            until_s = min((each.time_s for each in following if each.time_s is not None), default=self.duration_s)
            wanted = sampling.choose(piece, key_s, ahead_s, until_s)
            if piece[0].packet.is_keyframe and context.name in RESUMES:
                leading = any((piece[at].time_s or 0) < (piece[0].time_s or 0) for at in wanted)  # need frames before
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
            seen.shown_s = max(seen.shown_s, min(seen.pictures_s, seen.shown_s + (1 + NEAR) * sampling.every_s))
        self._complain(seen)

    def _key_s(self, piece: list[_Packet]) -> float | None:
        """When the key frame is shown that a piece begins with; None where it is none that decoding can begin at."""
        first = piece[0] if piece else None
        return first.time_s if first and first.packet.is_keyframe and self.codec in RESUMES else None

    def _feed(self, packets: list[_Packet], wanted: set[int], seen: _Seen) -> Iterator[DecodedFrame]:
        """The frames of packets; those that are not `wanted` (positions) are decoded where others refer to them."""
        context = self.stream.codec_context
        for at, each in enumerate(packets):
            if context.name in DROPS:
                context.skip_frame = "DEFAULT" if at in wanted else "NONREF"
            yield from self._decoded(each.packet, seen)

    def _pieces(self, seen: _Seen) -> Iterator[tuple[list[_Packet], list[_Packet]]]:
        """The packets of the video in pieces, each with the piece that follows it.

        A piece begins with a key frame, or where the one before grew too large for memory.
        """
        piece: list[_Packet] = []
        held: list[_Packet] = []
        size, tick_s = 0, seen.tick_s
        for packet in self._packets():
            end_s = seen.end_s(packet) - self.zero_s
            seen.reached_s = max(seen.reached_s, end_s)
            if packet.stream is not self.stream or not packet.size:
                continue
            seen.pictures_s = max(seen.pictures_s, end_s)
            if piece and (packet.is_keyframe or len(piece) >= MOST_PACKETS or size >= MOST_PACKET_BYTES):
                if held:
                    yield held, piece
                held, piece, size = piece, [], 0
            time_s = None if packet.pts is None else packet.pts * tick_s - self.zero_s
            piece.append(_Packet(time_s, (packet.duration or 0) * tick_s or USUAL_FRAME_S, packet))
            size += packet.size
        if held:
            yield held, piece
        if piece:
            yield piece, []

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
            seen.shown_s = time_s + told_s
            if time_s > self.duration_s:
                self.duration_s = seen.shown_s
            yield DecodedFrame(time_s, told_s, told_s, frame)

    def _packets(self) -> Iterator[Any]:
        """The packets of the video and of the sound: a file that was cut ends early in both, a short video in one."""
        read, self._read = self._read, []
        yield from read
        try:
            for packet in self._demuxed:  # noqa: UP028 - `yield from` would close it, and the next pass goes on with it
                yield packet
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
