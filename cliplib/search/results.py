"""What the library answers with: frozen records that print well and show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from ..errors import QueryError
from .moments import Moments, clock
from .saving import save

if TYPE_CHECKING:
    import pandas as pd

    from .scores import Scores


@dataclass(frozen=True)
class Hit:
    """One found photo or frame.

    `path` is POSIX, relative to the library's root; `score` the cosine similarity with the query; `time_s` the seconds
    that a player's `currentTime` shows, None for a photo; `digest` names the content; `taken_at` is ISO 8601, local
    time. `alike` are the paths of the near-duplicates that were folded into it, the best first, one for each row: of a
    video that has many frames alike the path comes many times. `expected_precision` is the share of the pictures with
    this score that are right, 0 to 1, once the library was calibrated; None before.
    """

    path: str
    score: float
    time_s: float | None = None
    width: int | None = None
    height: int | None = None
    taken_at: str | None = None
    digest: str = field(default="", repr=False)
    alike: tuple[str, ...] = ()
    expected_precision: float | None = None

    def __str__(self) -> str:
        when = "" if self.time_s is None else f"  at {clock(self.time_s)}"
        alike = f"  +{len(self.alike)} alike" if self.alike else ""
        return f"{self.score:6.3f}  {self.path}{when}{alike}" + (f"  ({self.odds})" if self.odds else "")

    @property
    def odds(self) -> str:
        """The expected precision in words, such as "about 8 in 10 at this score are right"; "" when it is not known."""
        if self.expected_precision is None:
            return ""
        tenths = round(10 * self.expected_precision)
        share = {0: "hardly any", 10: "nearly all"}.get(tenths, f"about {tenths} in 10")
        return f"{share} at this score are right"


@dataclass(frozen=True)
class Hits(Sequence):
    """The answer to a query, best first: a sequence of `Hit`.

    `nearest` holds the best that did not pass, when nothing did. `banner` is a warning that every answer of the model
    must carry.
    """

    query: str
    mode: str  # "text->image", "image->image", "mixed->image", and the same three for "video"
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

    def save(self, file: str | Path) -> Path:
        """Write the hits to a ".csv" file, or to ".html" as one page with its pictures; see `saving.save`."""
        return save(self, file)

    @property
    def noise_floor(self) -> float | None:
        """`Scores.noise_floor` of the scores that these were taken from."""
        return self.scores.noise_floor if self.scores else None

    def nothing(self) -> str:
        """Why the answer is empty, in words: how far the best is from the threshold and from the noise floor."""
        if not self.nearest:
            return "Nothing was compared: no row of the index passes the filters."
        best, floor = self.nearest[0].score, self.noise_floor
        words = f"Nothing reaches the threshold. The best scores {best:.3f}, {self.threshold - best:.3f} too little"
        if floor is not None:
            side = "above" if best > floor else "below"
            words += f"; nonsense reaches {floor:.3f} here, and the best is {abs(best - floor):.3f} {side} that"
        asked = self.scores.asked if self.scores else None
        if asked and (len(asked.terms) > 1 or asked.terms[0].weight < 0):
            words += ". But the threshold is one of single queries; sums and differences score otherwise: lower it"
        return f"{words}."

    def __str__(self) -> str:
        lines = [f"{self.query}  ({self.mode}, {len(self)} of {self.searched} at {self.threshold:.2f} or more)"]
        lines += [str(hit) for hit in self.hits]
        if not self.hits:
            lines += [self.nothing(), *map(str, self.nearest)]
        return "\n".join([self.banner, *lines] if self.banner else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display.html import hits_html

        return hits_html(self)


@dataclass(frozen=True)
class Tags(Mapping):
    """Photos by tag: a mapping from each tag to its `Hits`, in the order in which the tags were asked for."""

    hits: dict[str, Hits]

    def __getitem__(self, tag: str) -> Hits:
        return self.hits[tag]

    def __iter__(self):
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def counts(self) -> dict[str, int]:
        """How many photos have each tag: those that reach the threshold, also where more than were kept; copies of one
        file count once.
        """
        counts = {}
        for tag, hits in self.hits.items():
            passing = np.flatnonzero(hits.scores.values >= hits.threshold)
            counts[tag] = len(hits.scores.rows["digest"].take(passing).unique())
        return counts

    def __str__(self) -> str:
        return "\n".join(f"{count:6,}  {tag}" for tag, count in self.counts().items())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display.html import tags_html

        return tags_html(self)
