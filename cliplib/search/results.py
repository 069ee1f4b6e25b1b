"""What a search answers with: `Scores`, every row's cosine with one query, and `Hits`, the best of them.

Frozen records that print well and show themselves in a notebook. Taking hits or moments from scores encodes nothing, so
that a slider can move the threshold freely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from functools import cached_property
from numbers import Real
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple, Protocol, overload

import numpy as np
import pyarrow.compute as pc

from ..cache import rows as rows_
from ..deprecation import renamed_attribute, renamed_keywords
from ..errors import QueryError, printable
from ..media.screenshot import is_screenshot
from .duplicates import group_duplicates
from .mode import Mode
from .moments import Moment, Moments, Stretch, Videos, best_stretches, clock
from .query import Term, normalised_path, normalised_paths
from .ranking import checked_cosine, rocchio

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

NEAREST = 3  # how many of the best are kept when nothing passes the threshold


class Engine(Videos, Protocol):
    """What an answer asks of the search engine that gave it, which is `engine.SearchEngine`."""

    @property
    def paths(self) -> pa.ChunkedArray:
        """The paths of all rows, of photos and of frames."""

    def thumbnail(self, hit: Hit) -> bytes | None:
        """The JPEG of a hit's row, where the index has one."""

    def noise_floor(self, row_kind: str) -> float:
        """What texts that mean nothing reach on the rows of a kind."""

    def score_vector(self, embedding: np.ndarray, name: str, mode: Mode, ranking_by: str = "match") -> Scores:
        """The scores of a direction, float (d,), that is called `name`."""

    def best_bank_text(self, row_kind: str, position: int) -> str | None:
        """The text of the bank that fits a row best; None where there is no bank."""

    def refined(self, path: str, stretch: Stretch, threshold: float, embedding: np.ndarray) -> Stretch:
        """The stretch of a video with its edges where the scores step."""


class Odds(NamedTuple):
    """Of the pictures with a score, the share that is right, 0 to 1, and the two ends of its 95 % interval."""

    share: float
    low: float
    high: float

    def __str__(self) -> str:
        low, high = round(10 * self.low), round(10 * self.high)
        if low == high:
            share = {0: "hardly any", 10: "nearly all"}.get(low, f"about {low} in 10")
        else:
            share = f"{low} to {high} in 10"
        return f"{share} at this score are right"


@dataclass(frozen=True)
class Cutoff:
    """From which score on a row is found, unless a search says otherwise.

    `value` is a cosine, or a match where `scale` says so. `calibrated`: people judged it, so that it goes before the
    cutoff without labels. Once the library was calibrated for the mode, `odds_of` gives of all scores of a query, float
    (n,), a function from one of them to its `Odds`; None before.
    """

    value: float
    odds_of: Callable[[np.ndarray], Callable[[float], Odds | None]] | None = field(
        default=None, repr=False, compare=False
    )
    scale: str = "cosine"
    calibrated: bool = False


@dataclass(frozen=True)
class Matching:
    """The matches of all rows with a query, see `background`: `values`, float32 (n,), NaN where a row may not be found.

    `rule` takes them to the cutoff without labels.
    """

    values: np.ndarray = field(repr=False)
    rule: Callable[[np.ndarray], float] = field(repr=False)

    @cached_property
    def cutoff(self) -> float:
        """The match from which a row is found: of these rows, filtered or not."""
        return float(self.rule(self.values))

    def filter(self, keep: np.ndarray) -> Matching:
        """The same with rows left out, bool (n,)."""
        return replace(self, values=np.where(keep, self.values, np.float32(np.nan)))


@dataclass(frozen=True)
class Hit:
    """One found photo or frame.

    `path` is POSIX, relative to the library's root; `score` the cosine similarity with the query; `match` how much
    better it fits than other texts would, None where the cosine ranks; `time_s` the seconds that a player's
    `currentTime` shows, None for a photo; `digest` names the content; `taken_at` is ISO 8601, local time. `duplicates`
    are the paths of the others that count as one picture with it, the best first, one for each row: a video with many
    such frames comes many times. `expected_precision` is the share of the pictures with this
    score that are right, 0 to 1, once the library was calibrated, and `precision_range` its 95 % interval; None
    before, and outside of what was judged.
    """

    path: str
    score: float
    time_s: float | None = None
    width: int | None = None
    height: int | None = None
    taken_at: str | None = None
    digest: str = field(default="", repr=False)
    duplicates: tuple[str, ...] = ()
    expected_precision: float | None = None
    precision_range: tuple[float, float] | None = None
    match: float | None = field(default=None, compare=False)
    alike = renamed_attribute("Hit.alike", "duplicates")

    def __str__(self) -> str:
        when = "" if self.time_s is None else f"  at {clock(self.time_s)}"
        others = f"  +{len(self.duplicates)} alike" if self.duplicates else ""
        match = "" if self.match is None else f"{self.match:6.3f}  cosine "
        return f"{match}{self.score:6.3f}  {printable(self.path)}{when}{others}" + (
            f"  ({self.odds})" if self.odds else ""
        )

    @property
    def odds(self) -> str:
        """The expected precision in words, such as "7 to 9 in 10 at this score are right"; "" when it is not known."""
        if self.expected_precision is None:
            return ""
        share = self.expected_precision
        return str(Odds(share, *(self.precision_range or (share, share))))


@dataclass(frozen=True)
class Scores:
    """Every row's cosine similarity with one query: `values`, float32 (n,), beside `rows`, the n rows of that kind.

    Taking hits from it costs no encoding, so a slider can move the threshold freely. NaN marks a row that may not be
    found, such as the query picture itself, or one that a filter leaves out. `embedding`, float32 (d,), is the query's;
    `terms` what it was composed of, empty once it was refined; `engine` gave the answer, None for scores of no library.
    `matching` are the matches of the same rows; None where the cosine ranks.
    """

    query: str
    mode: Mode
    values: np.ndarray = field(repr=False)
    rows: pa.Table = field(repr=False)
    cutoff: Cutoff
    embedding: np.ndarray | None = field(default=None, repr=False, compare=False)
    terms: tuple[Term, ...] = field(default=(), repr=False, compare=False)
    engine: Engine | None = field(default=None, repr=False, compare=False)
    matching: Matching | None = field(default=None, repr=False, compare=False)

    @property
    def threshold(self) -> float:
        """The cosine of `cutoff`: the calibrated one of the mode, or the model's own. See `chosen` for `None`."""
        return self.cutoff.value

    def chosen(self, threshold: float | str | None) -> tuple[Matching | None, float]:
        """What a threshold means: the matches that order and cut, or None for the cosines; and where they cut.

        A number is a cosine. "auto" is the cutoff without labels; None the calibrated one, where there is one, else
        "auto". Where the cosine ranks, both are `threshold`.
        """
        auto = isinstance(threshold, str) and threshold == "auto"
        if threshold is not None and not auto:
            return None, checked_cosine(threshold)
        if self.matching is None or (self.cutoff.calibrated and self.cutoff.scale == "cosine" and not auto):
            return None, self.threshold
        calibrated = self.cutoff.calibrated and not auto
        return self.matching, self.cutoff.value if calibrated else self.matching.cutoff

    @property
    def warning(self) -> str:
        """What every answer of the model must say of itself, or ""."""
        return self.engine.warning if self.engine else ""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def gallery(self) -> np.ndarray:
        """The embeddings of `rows`: float32 (n, d), unit rows. `gallery @ embedding` are the values, NaN aside."""
        return rows_.matrix(self.rows)

    @renamed_keywords(fold="near_duplicates")
    def top(
        self,
        k: int = 5,
        threshold: float | str | None = None,
        near_duplicates: float | None = None,
        distinct: bool = True,
    ) -> Hits:
        """The best `k` rows that reach `threshold`, see `chosen`: the best match unless that is a cosine.

        One photo is one hit, in however many albums its file lies, and so is an edited twin ("IMG-edited.jpg") with its
        original; `duplicates` names the others. All are hits of their own with `distinct=False`. `near_duplicates`, a
        cosine such as 0.97: pictures at least so alike are one hit, too; `k` counts what is left. See
        `ranking.group_near_duplicates`. Frames are joined like photos, whatever their times: a long still shot is one
        hit. QueryError for a bad k, threshold or cosine.
        """
        matching, cutoff = self.chosen(threshold)
        found = self._hits(k, matching, cutoff, near_duplicates, distinct)
        nearest = () if found else self._hits(NEAREST, matching, -1, near_duplicates, distinct)
        searched = int(np.count_nonzero(~np.isnan(self.values)))
        scale = "cosine" if matching is None else "match"
        return Hits(self.query, self.mode, cutoff, found, nearest, searched, self, scale)

    def filter(
        self,
        folder: str | PurePath | None = None,
        since: str | date | None = None,
        until: str | date | None = None,
        screenshots: bool = True,
        near: tuple[float, float] | None = None,
        km: float = 5.0,
    ) -> Scores:
        """The same scores with other rows left out (NaN); costs no encoding and reads no file.

        `folder`: POSIX, relative to the library's root, with all below it; "trips" is not the start of "trips 2024/".
        `since`, `until`: the first and the last day, "YYYY-MM-DD" or `datetime.date`, compared with `taken_at`, which
        is the file's own date where the camera left none. Where a day is asked for, rows without a date are left out.
        `screenshots=False` leaves those out, see `screenshot.is_screenshot`. `near`, (latitude, longitude) in degrees,
        keeps what was taken within `km` kilometres of there; rows without a place are left out.
        QueryError for a folder of which the index has nothing, a day or a place that is none, and for `since` after
        `until`.
        """
        keep = np.ones(len(self), bool)
        if folder:
            keep &= self._below(folder)
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
        if near is not None:
            places = (self.rows[name].to_numpy(zero_copy_only=False) for name in ("latitude", "longitude"))
            keep &= distances_km(near, *places) <= _radius(km)
        matching = self.matching and self.matching.filter(keep)
        return replace(self, values=np.where(keep, self.values, np.float32(np.nan)), matching=matching)

    only = renamed_attribute("Scores.only", "filter")

    def _below(self, folder: str | PurePath) -> np.ndarray:
        """Which rows lie below a folder, bool (n,): written as it is, or as another system writes it."""
        paths = self.rows["path"]
        everywhere = self.engine.paths if self.engine else paths
        for name, read in ((str(folder), lambda paths: paths), (normalised_path(str(folder)), normalised_paths)):
            start = "/".join(part for part in name.split("/") if part not in ("", "."))
            start = f"{start}/" if start else ""
            if pc.any(pc.starts_with(read(everywhere), start)).as_py():
                return pc.starts_with(read(paths), start).to_numpy()
        folders = sorted({path.rpartition("/")[0] for path in everywhere.to_pylist()} - {""})
        near = get_close_matches(str(folder), folders, n=3, cutoff=0.4) or folders[:5]
        said = f"; it has {', '.join(map(repr, near))}" if near else ", which has no folders"
        raise QueryError(f"nothing of the index lies below the folder {str(folder)!r:.100}{said}")

    def refined(
        self, relevant: Iterable[Hit | Moment], irrelevant: Iterable[Hit | Moment] = (), **factors: float
    ) -> Scores:
        """The scores of the query moved towards the hits that a user marked as right, and away from the wrong ones.

        Of a moment its best frame counts. The rule and its `factors` (keep, towards, away) are those of
        `ranking.rocchio`. Rows that are left out here stay left out; marked ones stay in. `query` says that it was
        refined, and a text refined by pictures is of mode "mixed". QueryError when nothing is marked, a hit is of
        another kind of row, or the scores are of no library.
        """
        if self.engine is None or self.embedding is None:
            raise QueryError("these scores come from no library, so there is no query to refine: ask library.score()")
        yes, no = ([self._row(hit) for hit in marked] for marked in (relevant, irrelevant))
        if not yes and not no:
            raise QueryError("nothing is marked: give the hits that are right, or those that are wrong, or both")
        gallery = rows_.matrix(self.rows)
        embedding = rocchio(self.embedding, gallery[yes], gallery[no], **factors)
        name = f"{self.query}, refined by {len(yes)} yes and {len(no)} no"
        mode = self.mode if self.mode.query == "image" else Mode.of("mixed", self.mode.row_kind)
        moved = self.engine.score_vector(embedding, name, mode, "match" if self.matching else "cosine")
        keep = ~np.isnan(self.values)
        matching = moved.matching and moved.matching.filter(keep)
        return replace(moved, values=np.where(keep, moved.values, self.values), matching=matching)

    @property
    def noise_floor(self) -> float | None:
        """What queries without a meaning reach in this library, whatever the filters; see `ranking.noise_floor`.

        Encodes 32 short texts when it is first asked for after an index run; a search alone never does. None where
        nothing can be found, and for every query but a single text: sums of nonsense scatter wider than sense does, and
        on the drawn world reached 0.36 where right answers to "a car" less "the beach" had 0.35.
        """
        single_text = [(term.kind, term.factor > 0) for term in self.terms] == [("text", True)]
        return self.engine.noise_floor(self.mode.row_kind) if self.engine and single_text and len(self) else None

    def moments(
        self, k: int = 5, threshold: float | str | None = None, gap_s: float | None = None, refine: bool = False
    ) -> Moments:
        """The best `k` stretches of video whose frames reach `threshold`, see `chosen`; none overlap.

        The rule is `moments.stretches`: holes of up to `gap_s` seconds are bridged (None: one missed sample). A video
        that lies in several folders counts once. `refine` decodes the videos again around the edges and moves these to
        where the scores step. Only for kind="frame": QueryError for photos, for a bad k, threshold or gap.
        """
        import pandas as pd

        if self.mode.target != "video":
            raise QueryError("moments are stretches of videos, and these are scores of photos: ask kind='frame'")
        matching, cutoff = self.chosen(threshold)
        values = self.values if matching is None else matching.values
        videos, contents = (pd.factorize(self.rows[name].to_pandas())[0] for name in ("path", "digest"))
        times_s, *facts = (self.rows[name].to_numpy() for name in ("time_s", "duration_s", "every_s"))
        lengths_s = self.rows["frame_s"].to_numpy().astype(float)
        best = best_stretches(videos, contents, times_s, values, *facts, k, cutoff, gap_s, lengths_s)
        found = []
        for row, one in best:
            path, digest = (self.rows[name][row].as_py() for name in ("path", "digest"))
            own = np.flatnonzero(videos == videos[row])
            if refine and self.engine and self.embedding is not None:
                level = float(np.nanmean(self.values[own] - values[own]))  # 0 where the cosine ranks
                one = self.engine.refined(path, one, cutoff + level, self.embedding)
            peak = own[np.argmin(np.abs(times_s[own] - one.peak_s))]
            match = None if matching is None else float(values[peak])
            score = float(self.values[peak])
            found.append(Moment(path, one.start_s, one.end_s, one.peak_s, score, digest, self.engine, match))
        best_score = float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")
        scale = "cosine" if matching is None else "match"
        return Moments(self.query, self.mode, cutoff, tuple(found), best_score, self.engine, scale)

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame of all rows, best first: path, time_s, match where matches rank, score."""
        frame = self.rows.select(["path", "time_s"]).to_pandas()
        if self.matching is not None:
            frame = frame.assign(match=self.matching.values)
        frame, by = frame.assign(score=self.values), "score" if self.matching is None else "match"
        return frame.sort_values(by, ascending=False, kind="stable", ignore_index=True)

    def _hits(
        self,
        k: int,
        matching: Matching | None,
        threshold: float,
        near_duplicates: float | None,
        distinct: bool,
    ) -> tuple[Hit, ...]:
        ranked = self.values if matching is None else matching.values
        groups = group_duplicates(self.rows, ranked, k, threshold, near_duplicates, distinct)
        columns = ["path", "time_s", "width", "height", "taken_at", "digest"]
        judged = self.matching.values if self.matching and self.cutoff.scale == "match" else self.values
        odds_of = self.cutoff.odds_of(judged) if self.cutoff.odds_of else lambda score: None
        odds = [odds_of(float(judged[group[0]])) for group in groups]
        picked = self.rows.select(columns).take(np.array([group[0] for group in groups], np.int64)).to_pylist()
        matches = [None if matching is None else float(matching.values[group[0]]) for group in groups]
        return tuple(
            Hit(
                score=float(self.values[group[0]]),
                expected_precision=right.share if right else None,
                precision_range=(right.low, right.high) if right else None,
                match=match,
                duplicates=tuple(self.rows["path"].take(group[1:]).to_pylist()) if len(group) > 1 else (),
                **row,
            )
            for group, row, right, match in zip(groups, picked, odds, matches, strict=True)
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


@dataclass(frozen=True)
class Hits(Sequence):
    """The answer to a query, best first: a sequence of `Hit`.

    `nearest` holds the best that did not pass, when nothing did. `searched` counts the rows that were compared.
    `scores` is what the hits were taken from; None for hits of no search. `scale` says what orders them and what
    `threshold` is: "match" or "cosine".
    """

    query: str
    mode: Mode
    threshold: float
    hits: tuple[Hit, ...]
    nearest: tuple[Hit, ...] = ()
    searched: int = 0
    scores: Scores | None = field(default=None, repr=False, compare=False)
    scale: str = "cosine"

    @property
    def warning(self) -> str:
        """What every answer of the model must say of itself, or ""."""
        return self.scores.warning if self.scores else ""

    def thumbnail(self, hit: Hit) -> bytes | None:
        """The small JPEG of a hit, from the index; None where there is none."""
        return self.scores.engine.thumbnail(hit) if self.scores and self.scores.engine else None

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index):
        return self.hits[index]

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame with the columns path, match (where matches rank), score, time_s, width, height, taken_at;
        one row a hit.
        """
        import pandas as pd

        match = ["match"] if self.scale == "match" else []
        columns = ["path", *match, "score", "time_s", "width", "height", "taken_at"]
        return pd.DataFrame([[getattr(hit, name) for name in columns] for hit in self.hits], columns=columns)

    def moments(self, k: int = 5, threshold: float | None = None, gap_s: float | None = None, refine=False) -> Moments:
        """`Scores.moments` of the same query, over all frames; `threshold` None: the one the hits were taken with."""
        if self.scores is None:
            raise QueryError("these hits come from no search: ask library.score(text, kind='frame').moments()")
        if threshold is None and self.scale == "cosine":
            threshold = self.threshold
        return self.scores.moments(k, threshold, gap_s, refine)

    def save(self, file: str | Path) -> Path:
        """Write the hits to a ".csv" file, or to ".html" as one page with its pictures; see `export.answers.save`."""
        from ..export.answers import save

        return save(self, file)

    @property
    def noise_floor(self) -> float | None:
        """`Scores.noise_floor` of the scores that these were taken from."""
        return self.scores.noise_floor if self.scores else None

    def empty_message(self) -> str:
        """Why the answer is empty, in words: how far the best is from the threshold and from the noise floor."""
        if not self.nearest:
            return "Nothing was compared: no row of the index passes the filters."
        if self.scale == "match":
            return self._no_match()
        best, floor = self.nearest[0].score, self.noise_floor
        words = f"Nothing reaches the threshold. The best scores {best:.3f}, {self.threshold - best:.3f} too little"
        if floor is not None:
            side = "above" if best > floor else "below"
            words += f"; nonsense reaches {floor:.3f} here, and the best is {abs(best - floor):.3f} {side} that"
        terms = self.scores.terms if self.scores else ()
        if terms and (len(terms) > 1 or terms[0].factor < 0):
            words += ". But the threshold is one of single queries; sums and differences score otherwise: lower it"
        return f"{words}."

    nothing = renamed_attribute("Hits.nothing", "empty_message")

    def _no_match(self) -> str:
        """Why nothing matched, in words: what the nearest picture would rather be called."""
        things = "photo" if self.mode.target == "image" else "frame"
        words = f"Nothing here matches {self.query!r}: the nearest {things} fits it no better than other words would"
        scores = self.scores
        rather = (
            scores.engine.best_bank_text(self.mode.row_kind, scores._row(self.nearest[0])) if scores.engine else None
        )
        return f"{words}; {rather!r}, for one, fits it better." if rather and self.mode.query == "text" else f"{words}."

    def __str__(self) -> str:
        reach = f"{self.threshold:.2f}" if self.scale == "cosine" else f"a match of {self.threshold:.3f}"
        lines = [f"{self.query}  ({self.mode}, {len(self)} of {self.searched} at {reach} or more)"]
        lines += [str(hit) for hit in self.hits]
        if not self.hits:
            lines += [self.empty_message(), *map(str, self.nearest)]
        return "\n".join([self.warning, *lines] if self.warning else lines)

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
            scores = hits.scores
            values = scores.matching.values if hits.scale == "match" else scores.values
            passing = np.flatnonzero(values >= hits.threshold)
            counts[tag] = len(hits.scores.rows["digest"].take(passing).unique())
        return counts

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame of the hits of all tags, the tag in the first column; see `Hits.to_frame`."""
        import pandas as pd

        frames = [hits.to_frame().assign(tag=tag) for tag, hits in self.hits.items()]
        table = pd.concat(frames, ignore_index=True)
        return table[["tag", *(name for name in table.columns if name != "tag")]]

    def save(self, file: str | Path) -> Path:
        """Write the hits of all tags to a ".csv" file, or to ".html" as one page; see `export.answers.save`."""
        from ..export.answers import save

        return save(self, file)

    def __str__(self) -> str:
        return "\n".join(f"{count:6,}  {tag}" for tag, count in self.counts().items())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display.html import tags_html

        return tags_html(self)


def distances_km(place: tuple[float, float], latitudes: np.ndarray, longitudes: np.ndarray) -> np.ndarray:
    """Great-circle distances on a sphere of 6,371 km (the haversine formula; within 0.5 % of the true ones).

    Args:
        place: latitude and longitude in degrees, north and east positive.
        latitudes, longitudes: float (n,) in degrees; NaN where there is none.

    Returns:
        float (n,), kilometres; NaN where there is no place.

    Raises:
        QueryError: `place` is none on Earth.
    """
    try:
        latitude, longitude = (float(degrees) for degrees in place)
    except (TypeError, ValueError):
        latitude = longitude = float("nan")
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise QueryError(f"near is {place!r}: give latitude and longitude in degrees, such as (48.85, 2.35)")
    here, there = np.radians([latitude, longitude]), np.radians(np.stack([latitudes, longitudes]).astype(float))
    across = np.sin((there - here[:, None]) / 2) ** 2
    haversine = across[0] + np.cos(here[0]) * np.cos(there[0]) * across[1]
    return 2 * 6371.0 * np.arcsin(np.sqrt(np.minimum(haversine, 1)))


def _radius(km: float) -> float:
    if isinstance(km, bool) or not isinstance(km, Real) or not 0 < km < float("inf"):
        raise QueryError(f"km is {km!r}: give the kilometres around the place, more than 0")
    return float(km)


def _day(day: str | date | None, name: str) -> str | None:
    """A day as "YYYY-MM-DD", which sorts as days do."""
    try:
        return None if day is None else (day if isinstance(day, date) else date.fromisoformat(day)).isoformat()[:10]
    except (TypeError, ValueError) as error:
        raise QueryError(f"{name} is {day!r}: give a day such as '2024-05-31', or a datetime.date") from error
