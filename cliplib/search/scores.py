"""Every row's cosine with one query: what hits and moments are taken from, again and again, without encoding."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from ..cache import rows as rows_
from ..errors import QueryError
from ..media.screenshot import is_screenshot
from .copies import grouped
from .moments import Moment, Moments, best_stretches
from .ranking import rocchio
from .results import Hit, Hits

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from .asking import Asking
    from .footage import Footage
    from .query import Query

NEAREST = 3  # how many of the best are kept when nothing passes the threshold


@dataclass(frozen=True)
class Scores:
    """Every row's cosine similarity with one query: `values`, float32 (n,), beside `rows`, the n rows of that kind.

    Taking hits from it costs no encoding, so a slider can move the threshold freely. NaN marks a row that may not be
    found, such as the query picture itself, or one that a filter leaves out. `embedding`, float32 (d,), is the query's;
    `asked` the query as an object, None once it was refined. `expected` gives the expected precision at a score, once
    the library was calibrated for this mode.
    """

    query: str
    mode: str
    values: np.ndarray = field(repr=False)
    rows: pa.Table = field(repr=False)
    threshold: float
    banner: str = ""
    thumbnail: Callable[[Hit], bytes | None] = field(default=lambda hit: None, repr=False, compare=False)
    footage: Footage | None = field(default=None, repr=False, compare=False)
    asking: Asking | None = field(default=None, repr=False, compare=False)
    embedding: np.ndarray | None = field(default=None, repr=False, compare=False)
    asked: Query | None = field(default=None, repr=False, compare=False)
    expected: Callable[[float], float | None] | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def gallery(self) -> np.ndarray:
        """The embeddings of `rows`: float32 (n, d), unit rows. `gallery @ embedding` are the values, NaN aside."""
        return rows_.matrix(self.rows)

    def top(self, k: int = 5, threshold: float | None = None, fold: float | None = None, distinct: bool = True) -> Hits:
        """The best `k` rows with a cosine of at least `threshold` (None: the library's own).

        One photo is one hit, in however many albums its file lies, and so is an edited twin ("IMG-edited.jpg") with its
        original; `alike` names the others. All are hits of their own with `distinct=False`. With `fold`, a cosine
        between found pictures such as 0.97, near-duplicates are one hit, too; `k` counts what is left. See
        `ranking.folded`. Frames fold like photos, whatever their times, so that a long still shot is one hit.
        QueryError for a bad k, threshold or fold.
        """
        threshold = self.threshold if threshold is None else threshold
        found = self._hits(k, threshold, fold, distinct)
        nearest = () if found else self._hits(NEAREST, -1, fold, distinct)
        searched = int(np.count_nonzero(~np.isnan(self.values)))
        return Hits(self.query, self.mode, threshold, found, nearest, self.banner, searched, self.thumbnail, self)

    def only(
        self,
        folder: str | PurePath | None = None,
        since: str | date | None = None,
        until: str | date | None = None,
        screenshots: bool = True,
    ) -> Scores:
        """The same scores with other rows left out (NaN); costs no encoding and reads no file.

        `folder`: POSIX, relative to the library's root, with all below it; "trips" is not the start of "trips 2024/".
        `since`, `until`: the first and the last day, "YYYY-MM-DD" or `datetime.date`, compared with `taken_at`, which
        is the file's own date where the camera left none. Where a day is asked for, rows without a date are left out.
        `screenshots=False` leaves those out, see `screenshot.is_screenshot`.
        QueryError for a day that is none, and for `since` after `until`.
        """
        keep = np.ones(len(self), bool)
        folder = "/".join(part for part in str(folder or "").split("/") if part not in ("", "."))
        if folder:
            keep &= pc.starts_with(self.rows["path"], f"{folder}/").to_numpy()
        first, last = _day(since, "since"), _day(until, "until")
        if first and last and first > last:
            raise QueryError(f"since is {first} and until {last}: the first day must not come after the last")
        if first or last:
            days = pc.utf8_slice_codeunits(self.rows["taken_at"], 0, 10)
            within = pc.and_(pc.greater_equal(days, first or "0000"), pc.less_equal(days, last or "9999-12-31"))
            keep &= pc.fill_null(within, False).to_numpy()
        if not screenshots:
            facts = (self.rows[name].to_pylist() for name in ("path", "width", "height", "camera"))
            keep &= ~np.fromiter(map(is_screenshot, *facts), bool, len(self))
        return replace(self, values=np.where(keep, self.values, np.float32(np.nan)))

    def refined(
        self, relevant: Iterable[Hit | Moment], irrelevant: Iterable[Hit | Moment] = (), **weights: float
    ) -> Scores:
        """The scores of the query moved towards the hits that a user marked as right, and away from the wrong ones.

        Of a moment its best frame counts. The rule and its `weights` (keep, towards, away) are those of
        `ranking.rocchio`. Rows that are left out here stay left out; marked ones stay in. `query` says that it was
        refined, and a text refined by pictures is of mode "mixed". QueryError when nothing is marked, a hit is of
        another kind of row, or the scores are of no library.
        """
        if self.asking is None or self.embedding is None:
            raise QueryError("these scores come from no library, so there is no query to refine: ask library.score()")
        yes, no = ([self._row(hit) for hit in marked] for marked in (relevant, irrelevant))
        if not yes and not no:
            raise QueryError("nothing is marked: give the hits that are right, or those that are wrong, or both")
        gallery = rows_.matrix(self.rows)
        embedding = rocchio(self.embedding, gallery[yes], gallery[no], **weights)
        asked, _, shown = self.mode.partition("->")
        name = f"{self.query}, refined by {len(yes)} yes and {len(no)} no"
        kind = "frame" if shown == "video" else "image"
        moved = self.asking.towards(embedding, name, "image" if asked == "image" else "mixed", kind)
        return replace(moved, values=np.where(np.isnan(self.values), self.values, moved.values))

    @property
    def noise_floor(self) -> float | None:
        """What queries without a meaning reach in this library, whatever the filters; see `ranking.noise_floor`.

        Encodes 32 short texts when it is first asked for after an index run; a search alone never does. None where
        nothing can be found, and for every query but a single text: sums of nonsense scatter wider than sense does, and
        on the drawn world reached 0.36 where right answers to "a car" less "the beach" had 0.35.
        """
        text = self.asked is not None and self.asked.kind == "text" and self.asked.plain
        if self.asking is None or not text or not len(self):
            return None
        return self.asking.noise_floor("frame" if self.mode.endswith("->video") else "image")

    def moments(self, k: int = 5, threshold: float | None = None, gap_s: float | None = None, refine=False) -> Moments:
        """The best `k` stretches of video whose frames reach `threshold` (None: the library's own), none overlapping.

        The rule is `moments.stretches`: holes of up to `gap_s` seconds are bridged (None: one missed sample). A video
        that lies in several folders counts once. `refine` decodes the videos again around the edges and moves these to
        where the scores step. Only for kind="frame": QueryError for photos, for a bad k, threshold or gap.
        """
        import pandas as pd

        if not self.mode.endswith("->video"):
            raise QueryError("moments are stretches of videos, and these are scores of photos: ask kind='frame'")
        threshold = self.threshold if threshold is None else threshold
        videos, contents = (pd.factorize(self.rows[name].to_pandas())[0] for name in ("path", "digest"))
        times_s, *facts = (self.rows[name].to_numpy() for name in ("time_s", "duration_s", "every_s"))
        best = best_stretches(videos, contents, times_s, self.values, *facts, k, threshold, gap_s)
        found = []
        for row, one in best:
            path, digest = (self.rows[name][row].as_py() for name in ("path", "digest"))
            if refine and self.footage:
                one = self.footage.refined(path, one, threshold)
            found.append(Moment(path, one.start_s, one.end_s, one.peak_s, one.score, digest, self.footage))
        best_score = float(np.nanmax(self.values)) if np.isfinite(self.values).any() else float("nan")
        return Moments(self.query, self.mode, threshold, tuple(found), self.banner, best_score)

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame of all rows, best first: path, time_s, score."""
        frame = self.rows.select(["path", "time_s"]).to_pandas().assign(score=self.values)
        return frame.sort_values("score", ascending=False, kind="stable", ignore_index=True)

    def _hits(self, k: int, threshold: float, fold: float | None, distinct: bool) -> tuple[Hit, ...]:
        groups = grouped(self.rows, self.values, k, threshold, fold, distinct)
        columns = ["path", "time_s", "width", "height", "taken_at", "digest"]
        picked = self.rows.select(columns).take(np.array([group[0] for group in groups], np.int64)).to_pylist()
        return tuple(
            Hit(
                score=float(self.values[group[0]]),
                expected_precision=self.expected(float(self.values[group[0]])) if self.expected else None,
                alike=tuple(self.rows["path"].take(group[1:]).to_pylist()) if len(group) > 1 else (),
                **row,
            )
            for group, row in zip(groups, picked, strict=True)
        )

    def _row(self, hit: Hit | Moment) -> int:
        """The position of a hit's row, or of a moment's best frame."""
        at, time_s = pc.equal(self.rows["path"], hit.path), hit.peak_s if isinstance(hit, Moment) else hit.time_s
        if time_s is not None:
            at = pc.and_(at, pc.equal(self.rows["time_s"], time_s))
        position = pc.index(at, True).as_py()
        if position < 0:
            raise QueryError(f"{hit.path} is not among these rows: mark hits of the same library and kind")
        return position

    def __str__(self) -> str:
        best = f", best {np.nanmax(self.values):.3f}" if np.isfinite(self.values).any() else ""
        return f"Scores of {self.query!r} ({self.mode}): {len(self)} rows{best}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display.html import scores_html

        return scores_html(self)


def _day(day: str | date | None, name: str) -> str | None:
    """A day as "YYYY-MM-DD", which sorts as days do."""
    try:
        return None if day is None else (day if isinstance(day, date) else date.fromisoformat(day)).isoformat()[:10]
    except (TypeError, ValueError) as error:
        raise QueryError(f"{name} is {day!r}: give a day such as '2024-05-31', or a datetime.date") from error
