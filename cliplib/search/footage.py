"""The videos behind a query's scores: what a moment needs to show itself, to be saved, and to find its true edges."""

import contextlib
import hashlib
import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import MediaError
from ..media.clip import Recipe, write_clip
from ..media.photo import fitted
from ..media.video import open_video
from .moments import LEAVE_BELOW, Moment, Stretch, step_s
from .ranking import cosines

FINE_S = 0.1  # between the frames that are looked at around an edge
LONGEST_PREVIEW_S = 30.0
SHORT_S = 12.0  # a longer preview is smaller on the screen, for it has as many bytes
PREVIEW_BYTES = 380_000  # so that five moments in one page stay under 3 MB, base64 included
PREVIEW = Recipe(crf=29, preset="veryfast", sound_bps=64_000, most_fps=30, most_height=360, most_bytes=PREVIEW_BYTES)
KEPT_BYTES = 200 * 2**20  # of previews; beyond that the oldest are deleted


class Footage:
    """The videos of a `library` for one query, whose `embedding` is float (d,)."""

    def __init__(self, library, embedding: np.ndarray):
        self._library, self._embedding = library, embedding

    @property
    def banner(self) -> str:
        """A warning that every answer of the model must carry; "" where there is none."""
        return self._library.encoder.banner

    def poster(self, moment: Moment) -> bytes | None:
        """The JPEG of the moment's best frame, from the index."""
        return self._library.store.thumbnail((moment.digest, moment.peak_s))

    def preview_span(self, moment: Moment) -> tuple[float, float]:
        """What the preview shows, in seconds: the moment; of a long one the part around its best frame."""
        if moment.length_s <= LONGEST_PREVIEW_S:
            return moment.start_s, moment.end_s
        start_s = min(max(moment.start_s, moment.peak_s - LONGEST_PREVIEW_S / 2), moment.end_s - LONGEST_PREVIEW_S)
        return start_s, start_s + LONGEST_PREVIEW_S

    def preview(self, moment: Moment) -> bytes:
        """A small MP4 of `preview_span`, from the cache or cut now. Raises MediaError where the video fails."""
        start_s, end_s = self.preview_span(moment)
        folder = self._library.cache / "clips"
        name = hashlib.sha256(f"{moment.digest} {start_s:.3f} {end_s:.3f}".encode()).hexdigest()[:24]
        file = folder / f"{name}.mp4"
        if file.is_file():
            return file.read_bytes()
        folder.mkdir(parents=True, exist_ok=True)
        recipe = PREVIEW if end_s - start_s <= SHORT_S else replace(PREVIEW, most_height=240)
        write_clip(self._library.root / moment.path, file, start_s, end_s, recipe)
        clip = file.read_bytes()
        _delete_oldest(folder)
        return clip

    def save_clip(self, moment: Moment, path) -> None:
        """Write the moment to the MP4 file `path`, at the source's size and quality."""
        write_clip(self._library.root / moment.path, os.path.expanduser(path), moment.start_s, moment.end_s)

    def refined(self, path: str, stretch: Stretch, threshold: float) -> Stretch:
        """The stretch with its edges where the scores step, looked for in frames `FINE_S` apart around each edge.

        Where the video goes on to its end above the lower threshold, that edge stays; where it cannot be decoded again,
        both stay, with a warning.
        """
        (first_s, last_s), (before_s, after_s) = stretch.inside_s, stretch.outside_s
        start_s, end_s = stretch.start_s, stretch.end_s
        try:
            with open_video(self._library.root / path) as video:
                if before_s is not None:
                    start_s = step_s(*self._dense(video, before_s, first_s)) or start_s
                times_s, values = self._dense(video, last_s, end_s if after_s is None else after_s)
        except MediaError as error:
            warnings.warn(f"the edges in {path} stay as they are: {error.reason}", stacklevel=4)
            return stretch
        if after_s is not None or (len(values) and values[-1] < threshold - LEAVE_BELOW):
            end_s = step_s(times_s, values) or end_s
        return replace(stretch, start_s=start_s, end_s=end_s)

    def _dense(self, video, start_s: float, end_s: float) -> tuple[list[float], np.ndarray]:
        """Times and cosines of frames `FINE_S` apart; of those there are, where the video is damaged further on."""
        encoder, times_s, pixels = self._library.encoder, [], []
        with contextlib.suppress(MediaError):
            for frame in video.sample(FINE_S, start_s, end_s):
                times_s.append(frame.time_s)
                pixels.append(encoder.prepare(fitted(frame.image, encoder.resolution)))
        return times_s, cosines(encoder.encode_images(pixels), self._embedding)


def _delete_oldest(folder: Path) -> None:
    """Delete the previews that were made first, until `KEPT_BYTES` are left."""
    with contextlib.suppress(OSError):  # another process may delete them, too
        files = sorted(folder.glob("*.mp4"), key=lambda file: file.stat().st_mtime, reverse=True)
        total = np.cumsum([file.stat().st_size for file in files])
        for file in (file for file, size in zip(files, total, strict=True) if size > KEPT_BYTES):
            os.unlink(file)
