"""What the library answers with: frozen records that print well and show themselves in a notebook."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, overload

from .errors import QueryError
from .moments import Moments, clock

if TYPE_CHECKING:
    import pandas as pd

    from .scores import Scores

FORMULA = "=+-@＝＋－＠"  # what makes a spreadsheet take a cell for a formula; the last four in East Asian settings


@dataclass(frozen=True)
class Hit:
    """One found photo or frame.

    `path` is POSIX, relative to the library's root; `score` the cosine similarity with the query; `time_s` the seconds
    that a player's `currentTime` shows, None for a photo; `digest` names the content; `taken_at` is ISO 8601, local
    time. `alike` are the paths of the near-duplicates that were folded into it, the best first, one for each row: of a
    video that has many frames alike the path comes many times.
    """

    path: str
    score: float
    time_s: float | None = None
    width: int | None = None
    height: int | None = None
    taken_at: str | None = None
    digest: str = field(default="", repr=False)
    alike: tuple[str, ...] = ()

    def __str__(self) -> str:
        when = "" if self.time_s is None else f"  at {clock(self.time_s)}"
        return f"{self.score:6.3f}  {self.path}{when}" + (f"  +{len(self.alike)} alike" if self.alike else "")


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
        """Write the hits to `file`: ".csv" as `to_frame` has them, or ".html" as one self-contained page.

        A path is text from somebody's disk, and a spreadsheet runs formulas: in CSV, a text that begins as one gets an
        apostrophe in front, and control characters are written as escapes such as \\x07. Numbers stay numbers.
        QueryError for another ending.
        """
        file = Path(file).expanduser()
        if file.suffix.lower() == ".csv":
            self.to_frame().map(_harmless).to_csv(file, index=False, encoding="utf-8")
        elif file.suffix.lower() in (".html", ".htm"):
            from .display import save_html

            save_html([self], file)
        else:
            raise QueryError(f"cannot save results as {file.name!r}: the name must end in .csv or .html")
        return file

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
        return f"{words}."

    def __str__(self) -> str:
        lines = [f"{self.query}  ({self.mode}, {len(self)} of {self.searched} at {self.threshold:.2f} or more)"]
        lines += [str(hit) for hit in self.hits]
        if not self.hits:
            lines += [self.nothing(), *map(str, self.nearest)]
        return "\n".join([self.banner, *lines] if self.banner else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .display import hits_html

        return hits_html(self)


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
        lines += [f"  skipped {item.path}: {item.reason}" for item in self.skipped] + [
            f"  note: {text}" for text in self.problems
        ]
        return "\n".join([self.banner, *lines] if self.banner else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .display import report_html

        return report_html(self)


def _harmless(cell):
    """A cell of a table that no spreadsheet takes for a formula, without control characters; no text as it is."""
    if not isinstance(cell, str):
        return cell
    cell = re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda sign: f"\\x{ord(sign[0]):02x}", cell)
    return f"'{cell}" if cell.lstrip().startswith(tuple(FORMULA)) else cell
