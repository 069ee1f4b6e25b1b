"""What a moment needs of its video: a short preview, and the true edges of a stretch. Files in, bytes or times out."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import MediaError
from ..media.clip import Recipe, write_clip
from ..media.video import open_video
from .moments import LEAVE_BELOW, Moment, Stretch, step_s

FINE_S = 0.1  # between the frames that are looked at around an edge
LONGEST_PREVIEW_S = 30.0
SHORT_S = 12.0  # a longer preview is smaller on the screen, for it has as many bytes
PREVIEW_BYTES = 380_000  # so that five moments in one page stay under 3 MB, base64 included
PREVIEW = Recipe(crf=29, preset="veryfast", sound_bps=64_000, most_fps=30, most_height=360, most_bytes=PREVIEW_BYTES)
KEPT_BYTES = 200 * 2**20  # of previews; beyond that the oldest are deleted


def preview_span(moment: Moment) -> tuple[float, float]:
    """What the preview of a moment shows, in seconds: all of it, or of a long one the part around its best frame."""
    if moment.length_s <= LONGEST_PREVIEW_S:
        return moment.start_s, moment.end_s
    start_s = min(max(moment.start_s, moment.peak_s - LONGEST_PREVIEW_S / 2), moment.end_s - LONGEST_PREVIEW_S)
    return start_s, start_s + LONGEST_PREVIEW_S


def preview(video: Path, moment: Moment, folder: Path) -> bytes:
    """A small MP4 of `preview_span`, kept in `folder`: from there, or cut now.

    Raises:
        MediaError: where the video cannot be decoded.
        OSError: where the folder cannot be written.
    """
    start_s, end_s = preview_span(moment)
    name = hashlib.sha256(f"{moment.digest} {start_s:.3f} {end_s:.3f}".encode()).hexdigest()[:24]
    file = folder / f"{name}.mp4"
    if file.is_file():
        return file.read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    recipe = PREVIEW if end_s - start_s <= SHORT_S else replace(PREVIEW, most_height=240)
    write_clip(video, file, start_s, end_s, recipe)
    clip = file.read_bytes()
    _delete_oldest(folder)
    return clip


def refined(
    video: Path,
    stretch: Stretch,
    threshold: float,
    shortest: int,
    prepare: Callable[[Image.Image], np.ndarray],
    score: Callable[[list[np.ndarray]], np.ndarray],
) -> Stretch:
    """The stretch with its edges where the scores step, looked for in frames `FINE_S` apart around each edge.

    Where the video goes on to its end above the lower threshold, that edge stays; where it cannot be decoded again,
    both stay, with a warning.

    Args:
        video: the file.
        stretch: as `moments.stretches` found it.
        threshold: of the stretch, on the scale of its scores.
        shortest: pixels of a frame's shorter side that are enough.
        prepare: a PIL RGB image at the model's size: uint8 (r, r, 3).
        score: n such frames to their scores, float (n,).
    """

    def dense(from_s: float, to_s: float) -> tuple[list[float], np.ndarray, list[float]]:
        times_s, pixels, lengths_s = [], [], []
        with contextlib.suppress(MediaError):  # damaged further on: what there is, is looked at
            for frame in opened.sample(FINE_S, from_s, to_s, shortest=shortest):
                times_s.append(frame.time_s)
                pixels.append(prepare(frame.image))
                lengths_s.append(frame.length_s)
        return times_s, score(pixels), lengths_s

    (first_s, last_s), (before_s, after_s) = stretch.inside_s, stretch.outside_s
    start_s, end_s = stretch.start_s, stretch.end_s
    try:
        with open_video(video) as opened:
            if before_s is not None:
                start_s = step_s(*dense(before_s, first_s)) or start_s
            times_s, values, lengths_s = dense(last_s, end_s if after_s is None else after_s)
    except MediaError as error:
        warnings.warn(f"the edges in {video.name} stay as they are: {error.reason}", stacklevel=4)
        return stretch
    if after_s is not None or (len(values) and values[-1] < threshold - LEAVE_BELOW):
        end_s = step_s(times_s, values, lengths_s) or end_s
    return replace(stretch, start_s=start_s, end_s=end_s)


def _delete_oldest(folder: Path) -> None:
    """Delete the previews that were made first, until `KEPT_BYTES` are left."""
    with contextlib.suppress(OSError):  # another process may delete them, too
        files = sorted(folder.glob("*.mp4"), key=lambda file: file.stat().st_mtime, reverse=True)
        total = np.cumsum([file.stat().st_size for file in files])
        for file in (file for file, size in zip(files, total, strict=True) if size > KEPT_BYTES):
            os.unlink(file)
