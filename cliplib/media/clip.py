"""Clips: a stretch of any video as H.264 and AAC in MP4, which every browser plays.

Everything is decoded and encoded anew, so that HEVC, AV1 and VP9 play as well, a turned phone video stands upright, and
the clip begins at the very frame that a player shows at `start_s`, not at the key frame before.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import MediaError
from .video import Source, Video, open_video

CLOCK = Fraction(1, 90_000)  # ticks of a clip's times, in seconds
SOUND_HZ = 48_000
SHORTEST_S = 0.04  # a last frame that is shown for longer is written twice, so that the clip is not cut short by it


@dataclass(frozen=True)
class Recipe:
    """How a clip is encoded: `crf` is x264's constant quality (lower is better, 18 looks like the source)."""

    crf: int
    preset: str
    sound_bps: int
    most_fps: float = float("inf")
    most_height: int | None = None  # pixels; None: the source's size
    most_bytes: int | None = None  # about, sound included

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The clip's (width, height) for a source's: even numbers, as yuv420p needs them, never enlarged."""
        scale = min(1.0, self.most_height / height) if self.most_height else 1.0
        return max(2, int(width * scale / 2) * 2), max(2, int(height * scale / 2) * 2)

    def x264(self, length_s: float) -> dict[str, str]:
        """Options of libx264 for a clip of that length: constant quality, under a ceiling where bytes are limited."""
        options = {"crf": str(self.crf), "preset": self.preset}
        if self.most_bytes:
            ceiling_bps = max(30_000, int(0.85 * 8 * self.most_bytes / max(length_s, 1.0)) - self.sound_bps)
            options |= {"maxrate": str(ceiling_bps), "bufsize": str(ceiling_bps)}
        return options


KEEP = Recipe(crf=17, preset="fast", sound_bps=192_000)


def write_clip(source: Source, file: str | os.PathLike, start_s: float, end_s: float, recipe: Recipe = KEEP) -> None:
    """Write what a video shows from one time to another to an MP4 file.

    The clip's second 0 is the source's `start_s`. Its table of contents comes first (faststart), so that it plays while
    it loads. Where the source is damaged, the clip ends early. Nothing is left of a clip that failed.

    Args:
        source: see `video.open_video`.
        file: the MP4 to write; one that is there is replaced.
        start_s: in seconds, as a player's `currentTime` shows it.
        end_s: likewise, later.
        recipe: how it is encoded.

    Raises:
        MediaError: no frame can be decoded, or no H.264 encoded.
        OSError: the file cannot be written.
        ValueError: the end is not after the start.
    """
    if not 0 <= start_s < end_s:
        raise ValueError(f"a clip goes from start_s (0 or more) to a later end_s; got {start_s} and {end_s}")
    file = Path(os.path.abspath(file))  # FFmpeg takes what stands before a colon in a relative path for a protocol
    unfinished = file.with_name(f".clip-{uuid.uuid4().hex}.mp4")
    unfinished.touch()  # FFmpeg would not say which file it is that cannot be made
    try:
        with open_video(source) as video:
            _encode(video, unfinished, start_s, end_s, recipe, str(source))
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _encode(video: Video, file: Path, start_s: float, end_s: float, recipe: Recipe, name: str) -> None:
    import av

    try:
        _mux(video, file, start_s, end_s, recipe, name)
    except (av.error.FFmpegError, ValueError) as error:  # an encoder is missing, or takes no such sound or picture
        raise MediaError(name, "decode", f"no clip can be made of it: {error}") from error


def _mux(video: Video, file: Path, start_s: float, end_s: float, recipe: Recipe, name: str) -> None:
    import av

    size = recipe.size(video.facts.width, video.facts.height)
    shown = _shown(video, start_s, end_s, recipe.most_fps, min(size))
    first = next(shown, None)
    if first is None or start_s >= video.facts.duration_s:
        raise MediaError(name, "decode", f"no frame between {start_s:.2f} s and {end_s:.2f} s can be decoded")
    with av.open(str(file), "w", format="mp4", options={"movflags": "+faststart"}) as clip:
        pictures = clip.add_stream("libx264", rate=30, options=recipe.x264(end_s - start_s))
        (pictures.width, pictures.height), pictures.pix_fmt = size, "yuv420p"
        pictures.codec_context.time_base = CLOCK
        pictures.codec_context.colorspace = pictures.codec_context.color_primaries = 1  # BT.709, said so that no
        pictures.codec_context.color_trc = pictures.codec_context.color_range = 1  # player has to guess it; 1: limited
        heard = _sound_stream(video)
        sound = clip.add_stream("aac", rate=SOUND_HZ, layout="stereo") if heard else None
        for time_s, image in itertools.chain([first], shown):
            frame = av.VideoFrame.from_image(image).reformat(*size, format="yuv420p", dst_colorspace="ITU709")
            frame.time_base, frame.pts = CLOCK, round(time_s / CLOCK)
            clip.mux(pictures.encode(frame))
        clip.mux(pictures.encode(None))
        if sound:
            sound.bit_rate = recipe.sound_bps
            for frame in _heard(video, heard, start_s, end_s):
                clip.mux(sound.encode(frame))
            clip.mux(sound.encode(None))


def _shown(
    video: Video, start_s: float, end_s: float, most_fps: float, shortest: int
) -> Iterator[tuple[float, Image.Image]]:
    """What is on the screen from `start_s` to `end_s`, as (seconds after start_s, image), the first at 0."""
    on_screen = None
    with contextlib.suppress(MediaError):  # a damaged rest: what there is, is shown
        for decoded in video.frames(start_s):
            after_s = decoded.time_s - start_s
            if decoded.time_s >= end_s:
                break
            if on_screen and after_s > 0:
                if after_s < on_screen[0] + 0.75 / most_fps:
                    continue
                yield on_screen[0], video.upright(on_screen[1], shortest)
            on_screen = after_s if on_screen and after_s > 0 else 0.0, decoded.frame
    if on_screen:
        yield on_screen[0], (last := video.upright(on_screen[1], shortest))
        if end_s - start_s - on_screen[0] > 2 * SHORTEST_S:
            yield end_s - start_s - SHORTEST_S, last


def _sound_stream(video: Video) -> Any:
    """The first sound stream that can be decoded, or None."""
    return next((stream for stream in video.container.streams.audio if stream.codec_context is not None), None)


def _heard(video: Video, stream: Any, start_s: float, end_s: float) -> Iterator[Any]:
    """The sound from `start_s` to `end_s` as PyAV frames, timed from start_s; it ends early where it is damaged."""
    import av

    video.container.seek(int((start_s + video.zero_s) * 1e6), backward=True)
    with contextlib.suppress(av.error.FFmpegError):
        for frame in video.container.decode(stream):
            at_s = float(frame.pts * frame.time_base) - video.zero_s if frame.pts is not None else -1.0
            if at_s >= end_s:
                return
            if at_s >= start_s:
                frame.pts = round((at_s - start_s) / frame.time_base)
                yield frame
