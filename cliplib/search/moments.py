"""Moments: the stretches of a video in which a query holds, found in the scores of its sampled frames.

Arrays in, records out; no file is opened here. The rule is hysteresis, as in Schmitt's trigger (1938) and Canny's edge
detector (1986): a stretch needs a score of at least the threshold, and lasts while scores stay above a lower one. A
score that flickers around one single threshold would tear an event to pieces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, overload

import numpy as np

from ..deprecation import renamed_attribute
from ..errors import QueryError, printable
from .mode import Mode
from .ranking import top_k

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

LEAVE_BELOW = 0.02  # so far under the threshold a stretch goes on; frames of one drawn scene differ by 0.01
ONE_MISSED = 1.5  # sampling intervals: longer than the hole that one sample leaves, shorter than that of two


class Videos(Protocol):
    """What a moment asks of the search engine that found it."""

    @property
    def warning(self) -> str:
        """What every answer of the model must say of itself, or ""."""

    def poster(self, moment: Moment) -> bytes | None:
        """The JPEG of the moment's best frame, from the index."""

    def preview(self, moment: Moment) -> bytes:
        """A small MP4 of the moment. Raises MediaError where the video fails."""

    def save_clip(self, moment: Moment, file: str | Path) -> None:
        """Write the moment to an MP4 file, at the source's size and quality."""

    def drive_link(self, path: str) -> str | None:
        """The address of a file in Google Drive, where it has one."""


@dataclass(frozen=True)
class Moment:
    """A stretch of a video in which a query holds.

    `path` is POSIX, relative to the library's root. `start_s`, `end_s` and `peak_s` are the seconds that a player's
    `currentTime` shows; `score` is the cosine at the peak, the best frame, and `match` its match, None where the cosine
    ranks. `digest` names the content.
    """

    path: str
    start_s: float
    end_s: float
    peak_s: float
    score: float
    digest: str = field(default="", repr=False)
    engine: Videos | None = field(default=None, repr=False, compare=False)
    match: float | None = field(default=None, compare=False)

    @property
    def length_s(self) -> float:
        """How long it lasts, in seconds."""
        return self.end_s - self.start_s

    def save_clip(self, file: str | Path) -> None:
        """Write the stretch as H.264 in MP4 to `file`, at the source's size and quality, with its sound.

        Raises QueryError for a moment that comes from no library, a name that does not end in .mp4 and a folder that is
        not there, MediaError where the video cannot be decoded.
        """
        if self.engine is None:
            raise QueryError(
                f"this moment of {self.path} comes from no library: take it from library.score().moments()"
            )
        self.engine.save_clip(self, file)

    def __str__(self) -> str:
        start, end, peak = (clock(time_s) for time_s in (self.start_s, self.end_s, self.peak_s))
        return f"{self.score:6.3f}  {printable(self.path)}  {start} to {end}, best {peak}"

    def _repr_html_(self) -> str:
        from ..display.html import moment_html

        return moment_html(self)


@dataclass(frozen=True)
class Moments(Sequence):
    """The best moments of a query, best first, none overlapping: a sequence of `Moment`.

    `best_score` is that of the best frame, whether it reaches the threshold or not; both are matches or cosines, as
    `scale` says.
    """

    query: str
    mode: Mode
    threshold: float
    moments: tuple[Moment, ...]
    best_score: float = float("nan")
    engine: Videos | None = field(default=None, repr=False, compare=False)
    scale: str = "cosine"

    @property
    def warning(self) -> str:
        """What every answer of the model must say of itself, or ""."""
        return self.engine.warning if self.engine else ""

    def __len__(self) -> int:
        return len(self.moments)

    @overload
    def __getitem__(self, index: int) -> Moment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Moment, ...]: ...
    def __getitem__(self, index: int | slice) -> Moment | tuple[Moment, ...]:
        return self.moments[index]

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame, one row a moment: path, start_s, end_s, peak_s, match where matches rank, and score."""
        import pandas as pd

        columns = ["path", "start_s", "end_s", "peak_s", *(["match"] if self.scale == "match" else []), "score"]
        return pd.DataFrame([[getattr(moment, name) for name in columns] for moment in self.moments], columns=columns)

    def save(self, file: str | Path) -> Path:
        """Write the moments to a ".csv" file, or to ".html" as one page that plays them; see `export.answers.save`."""
        from ..export.answers import save

        return save(self, file)

    def empty_message(self) -> str:
        """Why there are none, in words."""
        if math.isnan(self.best_score):
            return "Nothing was compared: no frame of the index passes the filters."
        if self.scale == "match":
            return f"Nothing here matches {self.query!r}: no frame fits it better than other words would."
        return f"Nothing reaches the threshold; the best frame scores {self.best_score:.3f}."

    nothing = renamed_attribute("Moments.nothing", "empty_message")

    def __str__(self) -> str:
        reach = f"{self.threshold:.2f}" if self.scale == "cosine" else f"a match of {self.threshold:.3f}"
        lines = [f"{self.query}  ({self.mode}, moments that reach {reach}: {len(self)})"]
        lines += [str(moment) for moment in self.moments]
        if not self.moments:
            lines += [self.empty_message()]
        return "\n".join([self.warning, *lines] if self.warning else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display.html import moments_html

        return moments_html(self)


@dataclass(frozen=True)
class Stretch:
    """A stretch on the way to a moment, in seconds.

    Its first edge lies between the samples at `outside_s[0]` and `inside_s[0]`, its last between those at `inside_s[1]`
    and `outside_s[1]`; None where the video begins or ends.
    """

    start_s: float
    end_s: float
    peak_s: float
    score: float
    inside_s: tuple[float, float]
    outside_s: tuple[float | None, float | None]


def stretches(
    times_s: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    *,
    duration_s: float,
    every_s: float,
    gap_s: float | None = None,
    lengths_s: ArrayLike | None = None,
) -> list[Stretch]:
    """The stretches of one video, in order, none overlapping.

    times_s, scores: (n,), the sampled frames in order of time; a NaN score is under every threshold. A stretch is a run
    of samples of at least `threshold - LEAVE_BELOW`, one of them at least `threshold`. Its edges lie at the midpoints
    between its own samples and their neighbours; where the video begins, at the first sample; where it ends, at
    `duration_s`, but no more than `every_s` after the last sample. A frame that stands longer (`lengths_s`, (n,), NaN
    where that is not known), as in slides, lasts until the next one begins, the last until the end. Stretches with
    `gap_s` or less between their edges become one (None: what one missed sample leaves).
    """
    times_s, scores = np.asarray(times_s, float), np.asarray(scores, float)
    if gap_s is not None and not 0 <= gap_s < float("inf"):
        raise QueryError(f"gap_s is {gap_s!r}: give the seconds of the longest hole in a moment, 0 or more")
    gap_s = ONE_MISSED * every_s if gap_s is None else gap_s
    last_s = max(times_s[-1], min(duration_s, times_s[-1] + every_s)) if len(times_s) else 0.0
    stood_s = times_s + (0.0 if lengths_s is None else np.nan_to_num(np.asarray(lengths_s, float)))
    if len(times_s):
        last_s = max(last_s, float(stood_s[-1]))
    edges = np.concatenate(
        [times_s[:1], _between(times_s, stood_s), [last_s]]
    )  # sample i stands for edges[i] to edges[i + 1]
    runs: list[list[int]] = []  # [first sample, one past the last]
    for first, end in _runs(scores >= threshold - LEAVE_BELOW):
        if np.nanmax(scores[first:end]) < threshold:
            continue
        if runs and edges[first] - edges[runs[-1][1]] <= gap_s:
            runs[-1][1] = end
        else:
            runs.append([first, end])
    found = []
    for first, end in runs:
        peak = first + int(np.nanargmax(scores[first:end]))
        inside = float(times_s[first]), float(times_s[end - 1])
        outside = (float(times_s[first - 1]) if first else None, float(times_s[end]) if end < len(times_s) else None)
        edge = float(edges[first]), float(edges[end])
        found.append(Stretch(*edge, float(times_s[peak]), float(scores[peak]), inside, outside))
    return found


def _between(times_s: np.ndarray, stood_s: np.ndarray) -> np.ndarray:
    """Where each two neighbours meet, (n - 1,): midway, or where the first, which stood so long, ended."""
    middles = (times_s[1:] + times_s[:-1]) / 2
    return np.maximum(middles, np.minimum(stood_s[:-1], times_s[1:]))


def _runs(holds: np.ndarray) -> np.ndarray:
    """Where `holds`, bool (n,), stays true: int (m, 2), the first position and one past the last."""
    steps = np.diff(np.concatenate([[False], holds, [False]]).astype(np.int8))
    return np.stack([np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)], axis=1)


def best_stretches(
    videos: np.ndarray,
    contents: np.ndarray,
    times_s: np.ndarray,
    scores: np.ndarray,
    duration_s: np.ndarray,
    every_s: np.ndarray,
    k: int,
    threshold: float,
    gap_s: float | None = None,
    lengths_s: np.ndarray | None = None,
) -> list[tuple[int, Stretch]]:
    """The best `k` stretches over all videos by the score of their peaks: pairs of a row of the video and the stretch.

    All arrays are (n,), one row a sampled frame in any order; `videos` names its video by a number, and `contents` the
    video's content: of several with one content, only the first that may be found counts. See `stretches`.
    """
    order = np.lexsort((times_s, videos))
    found, known = [], set()
    for rows in np.split(order, np.flatnonzero(np.diff(videos[order])) + 1) if len(order) else ():
        first = rows[0]
        if contents[first] in known or np.isnan(scores[rows]).all():
            continue
        known.add(contents[first])
        lasting = None if lengths_s is None else lengths_s[rows]
        span_s = {"duration_s": float(duration_s[first]), "every_s": float(every_s[first])}
        of_video = stretches(times_s[rows], scores[rows], threshold, gap_s=gap_s, lengths_s=lasting, **span_s)
        found += [(int(first), one) for one in of_video]
    best = top_k(np.array([stretch.score for _, stretch in found]), k, threshold)
    return [found[i] for i in best]


def step_s(times_s: ArrayLike, scores: ArrayLike, lengths_s: ArrayLike | None = None) -> float | None:
    """Where scores (n,) at times_s (n,) step from one level to another, in seconds.

    It is the midpoint between two samples, or the end of the first where it stood longer (`lengths_s`, (n,)). The step
    is where two constants fit the scores best (least squares), so that one odd frame moves it little. None for fewer
    than two samples.
    """
    times_s, scores = np.asarray(times_s, float), np.asarray(scores, float)
    if len(times_s) < 2:
        return None
    misfit = [scores[:i].var() * i + scores[i:].var() * (len(scores) - i) for i in range(1, len(scores))]
    first = int(np.argmin(misfit))
    stood_s = times_s + (0.0 if lengths_s is None else np.asarray(lengths_s, float))
    return float(_between(times_s, stood_s)[first])


def clock(seconds: float) -> str:
    """Seconds as m:ss.s, or h:mm:ss.s from one hour."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
