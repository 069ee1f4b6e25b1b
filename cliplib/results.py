"""What the library answers with: frozen records that print well and show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

import numpy as np

from .errors import QueryError
from .moments import Moment, Moments, best_stretches, clock
from .search import top_k

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from .footage import Footage

NEAREST = 3  # how many of the best are kept when nothing passes the threshold


@dataclass(frozen=True)
class Hit:
    """One found photo or frame.

    `path` is POSIX, relative to the library's root; `score` the cosine similarity with the query; `time_s` the seconds
    that a player's `currentTime` shows, None for a photo; `digest` names the content; `taken_at` is ISO 8601, local
    time.
    """

    path: str
    score: float
    time_s: float | None = None
    width: int | None = None
    height: int | None = None
    taken_at: str | None = None
    digest: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.score:6.3f}  {self.path}" + ("" if self.time_s is None else f"  at {clock(self.time_s)}")


@dataclass(frozen=True)
class Hits(Sequence):
    """The answer to a query, best first: a sequence of `Hit`.

    `nearest` holds the best that did not pass, when nothing did. `banner` is a warning that every answer of the model
    must carry.
    """

    query: str
    mode: str  # "text->image", "image->image", "text->video", "image->video"
    threshold: float
    hits: tuple[Hit, ...]
    nearest: tuple[Hit, ...] = ()
    banner: str = ""
    searched: int = 0  # rows compared
    thumbnail: Callable[[Hit], bytes | None] = field(default=lambda hit: None, repr=False, compare=False)
    scores: Scores | None = field(default=None, repr=False, compare=False)  # where the hits were taken from

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index):
        return self.hits[index]

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame with the columns path, score, time_s, width, height, taken_at; one row a hit."""
        import pandas as pd

        columns = ["path", "score", "time_s", "width", "height", "taken_at"]
        return pd.DataFrame([[getattr(hit, name) for name in columns] for hit in self.hits], columns=columns)

    def moments(self, k: int = 5, threshold: float | None = None, gap_s: float | None = None, refine=False) -> Moments:
        """`Scores.moments` of the same query, over all frames; `threshold` None: the one the hits were taken with."""
        if self.scores is None:
            raise QueryError("these hits come from no search: ask library.score(text, kind='frame').moments()")
        return self.scores.moments(k, self.threshold if threshold is None else threshold, gap_s, refine)

    def __str__(self) -> str:
        lines = [f"{self.query}  ({self.mode}, {len(self)} of {self.searched} at {self.threshold:.2f} or more)"]
        lines += [str(hit) for hit in self.hits]
        if not self.hits:
            lines += ["Nothing reaches the threshold. The nearest, below it:"] + [str(hit) for hit in self.nearest]
        return "\n".join([self.banner, *lines] if self.banner else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .display import hits_html

        return hits_html(self)


@dataclass(frozen=True)
class Scores:
    """Every row's cosine similarity with one query: `values`, float32 (n,), beside `rows`, the n rows of that kind.

    Taking hits from it costs no encoding, so a slider can move the threshold freely. NaN marks a row that may not be
    found, such as the query picture itself.
    """

    query: str
    mode: str
    values: np.ndarray = field(repr=False)
    rows: pa.Table = field(repr=False)
    threshold: float
    banner: str = ""
    thumbnail: Callable[[Hit], bytes | None] = field(default=lambda hit: None, repr=False, compare=False)
    footage: Footage | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.values)

    def top(self, k: int = 5, threshold: float | None = None) -> Hits:
        """The best `k` rows with a cosine of at least `threshold` (None: the library's own). QueryError for a bad k."""
        threshold = self.threshold if threshold is None else threshold
        found = self._hits(top_k(self.values, k, threshold))
        nearest = () if found else self._hits(top_k(self.values, NEAREST))
        return Hits(self.query, self.mode, threshold, found, nearest, self.banner, len(self), self.thumbnail, self)

    def moments(self, k: int = 5, threshold: float | None = None, gap_s: float | None = None, refine=False) -> Moments:
        """The best `k` stretches of video whose frames reach `threshold` (None: the library's own), none overlapping.

        The rule is `moments.stretches`: holes of up to `gap_s` seconds are bridged (None: one missed sample). `refine`
        decodes the videos again around the edges and moves these to where the scores step. Only for kind="frame":
        QueryError for photos, for a bad k, threshold or gap.
        """
        import pandas as pd

        if not self.mode.endswith("->video"):
            raise QueryError("moments are stretches of videos, and these are scores of photos: ask kind='frame'")
        threshold = self.threshold if threshold is None else threshold
        facts = [self.rows[name].to_numpy() for name in ("time_s", "duration_s", "every_s")]
        videos = pd.factorize(self.rows["path"].to_pandas())[0]
        best = best_stretches(videos, facts[0], self.values, *facts[1:], k, threshold, gap_s)
        files = self.rows.select(["path", "digest"]).take(np.array([row for row, _ in best], np.int64)).to_pylist()
        found = []
        for (_, one), file in zip(best, files, strict=True):
            if refine and self.footage:
                one = self.footage.refined(file["path"], one, threshold)
            edges = {name: getattr(one, name) for name in ("start_s", "end_s", "peak_s", "score")}
            found.append(Moment(**file, **edges, footage=self.footage))
        best_score = float(np.nanmax(self.values)) if np.isfinite(self.values).any() else float("nan")
        return Moments(self.query, self.mode, threshold, tuple(found), self.banner, best_score)

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame of all rows, best first: path, time_s, score."""
        frame = self.rows.select(["path", "time_s"]).to_pandas().assign(score=self.values)
        return frame.sort_values("score", ascending=False, kind="stable", ignore_index=True)

    def _hits(self, positions: np.ndarray) -> tuple[Hit, ...]:
        columns = ["path", "time_s", "width", "height", "taken_at", "digest"]
        picked = self.rows.select(columns).take(positions).to_pylist()
        return tuple(Hit(score=float(self.values[i]), **row) for i, row in zip(positions, picked, strict=True))

    def __str__(self) -> str:
        best = f", best {np.nanmax(self.values):.3f}" if np.isfinite(self.values).any() else ""
        return f"Scores of {self.query!r} ({self.mode}): {len(self)} rows{best}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.top()._repr_html_()


@dataclass(frozen=True)
class Skipped:
    """A file that could not be indexed, or not whole: its path, the stage ("walk", "read", "decode"), the reason."""

    path: str
    stage: str
    reason: str


@dataclass(frozen=True)
class IndexReport:
    """What an index run did. Counts are of files: seen = indexed + unchanged + len(skipped).

    `indexed` files are new or changed; `encoded` of them went through the model (a copy of a known file does not);
    `moved` of the unchanged only have another path; `removed` files are gone. `problems` says what was wrong with the
    cache.
    """

    indexed: int
    unchanged: int
    removed: int
    skipped: list[Skipped]
    encoded: int = 0
    moved: int = 0
    photos: int = 0  # in the index now
    frames: int = 0
    seconds: float = 0.0
    cache: str = ""
    banner: str = ""
    problems: list[str] = field(default_factory=list)
    sidecars: int = 0  # JSON files that tell when and where a photo or video was taken
    motion_clips: int = 0  # short videos that belong to a Live Photo and are no items of their own

    @property
    def seen(self) -> int:
        """Media files found in the library folder."""
        return self.indexed + self.unchanged + len(self.skipped)

    def __str__(self) -> str:
        lines = [
            f"{self.seen} files: {self.indexed} indexed, {self.unchanged} unchanged, {len(self.skipped)} skipped; "
            f"{self.removed} removed. {self.encoded} encoded in {self.seconds:.1f} s.",
            f"The index holds {self.photos} photos and {self.frames} video frames, in {self.cache}",
        ]
        if self.sidecars or self.motion_clips:
            lines.append(f"{self.sidecars} sidecars matched; {self.motion_clips} clips are part of their photos")
        lines += [f"  skipped {item.path}: {item.reason}" for item in self.skipped] + [
            f"  note: {text}" for text in self.problems
        ]
        return "\n".join([self.banner, *lines] if self.banner else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .display import report_html

        return report_html(self)
