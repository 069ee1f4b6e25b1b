"""What a search answers with: `Scores`, every row's cosine with one query, and `Hits`, the best of them.

Frozen records that print well and show themselves in a notebook. Taking hits or moments from scores encodes nothing, so
that a slider can move the threshold freely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Protocol, overload

import numpy as np
import pyarrow.compute as pc

from ..cache import rows as rows_
from ..deprecation import renamed_attribute, renamed_keywords
from ..errors import QueryError, printable
from . import filters, ordering
from .duplicates import group_duplicates
from .mode import Mode
from .moments import Moment, Moments, Stretch, Videos, best_stretches, clock
from .ordering import Cutoff, Matching, Odds, Ordering
from .query import Term
from .ranking import rocchio

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
    """Every row's cosine similarity with one query, and its match.

    Taking hits from it costs no encoding, so a slider can move the threshold freely.

    Attributes:
        query: The query in words.
        mode: What the query is made of, and which rows are compared.
        values: The cosines, float32 (n,). NaN marks a row that may not be found, such as the query picture itself, or
            one that a filter leaves out.
        rows: The n rows of that kind, as the index has them.
        cutoff: From where on a row is found.
        embedding: The query's, float32 (d,), unit; None for scores of no library.
        terms: What the query was composed of; empty once it was refined.
        engine: What gave the answer; None for scores of no library.
        matching: The matches of the same rows; None where the cosine ranks.
        odds_of: How likely the row at a position is right, once the library was calibrated; None before.
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
    odds_of: Callable[[int], Odds | None] | None = field(default=None, repr=False, compare=False)

    @property
    def threshold(self) -> float:
        """The cosine of `cutoff`: the calibrated one of the mode, or the model's own."""
        return self.cutoff.cosine

    def ordering(self, threshold: float | str | None = None, ranking: str = "match") -> Ordering:
        """What orders an answer with this threshold, and where it is cut; see `ordering.order`."""
        return ordering.order(self.values, self.matching, self.cutoff, threshold, ranking)

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
        """The best `k` rows that reach `threshold`, see `ordering`: the best match unless that is a cosine.

        One photo is one hit, in however many albums its file lies, and so is an edited twin ("IMG-edited.jpg") with its
        original; `duplicates` names the others. All are hits of their own with `distinct=False`. `near_duplicates`, a
        cosine such as 0.97: pictures at least so alike are one hit, too; `k` counts what is left. See
        `ranking.group_near_duplicates`. Frames are joined like photos, whatever their times: a long still shot is one
        hit. QueryError for a bad k, threshold or cosine.
        """
        order = self.ordering(threshold)
        found = self._hits(order, k, order.cutoff, near_duplicates, distinct)
        nearest = () if found else self._hits(order, NEAREST, -1, near_duplicates, distinct)
        searched = int(np.count_nonzero(~np.isnan(self.values)))
        return Hits(self.query, self.mode, order.cutoff, found, nearest, searched, self, order.scale)

    def filter(
        self,
        folder: str | PurePath | None = None,
        since: str | date | None = None,
        until: str | date | None = None,
        screenshots: bool = True,
        near: tuple[float, float] | None = None,
        km: float = 5.0,
        place: str | None = None,
        camera: str | None = None,
    ) -> Scores:
        """The same scores with other rows left out (NaN); costs no encoding and reads no file.

        Args:
            folder: POSIX, relative to the library's root, with all below it; "trips" is not the start of "trips 2024/".
            since: The first day, "YYYY-MM-DD" or `datetime.date`. It is compared with `taken_at`, which is the file's
                own date where the camera left none. Rows without any date are left out.
            until: The last day, likewise.
            screenshots: False leaves them out, see `screenshot.is_screenshot`.
            near: Latitude and longitude in degrees. Rows without a place are left out.
            km: How far from there, in kilometres.
            place: A town, county, state or country by its English name or code: "Lisbon", "PT", "Paris, Texas". It is
                told offline by the nearest place of 1,000 inhabitants, and needs the extra `places`.
            camera: Its name as the index has it.

        Returns:
            The scores of as many rows.

        Raises:
            QueryError: Nothing of the index lies below the folder or in the place, a day or a position is none, or
                `since` is after `until`.
        """
        keep = np.ones(len(self), bool)
        if folder:
            everywhere = self.engine.paths if self.engine else self.rows["path"]
            keep &= filters.below_folder(self.rows["path"], folder, everywhere)
        if since is not None or until is not None:
            keep &= filters.within_days(self.rows["taken_at"], since, until)
        if not screenshots:
            keep &= ~filters.screenshots(self.rows)
        if near is not None:
            keep &= filters.within_km(self.rows, near, km)
        if place is not None:
            keep &= filters.in_place(self.rows, place)
        if camera:
            keep &= pc.fill_null(pc.equal(self.rows["camera"], camera), False).to_numpy()
        matching = self.matching and self.matching.filter(keep)
        return replace(self, values=np.where(keep, self.values, np.float32(np.nan)), matching=matching)

    only = renamed_attribute("Scores.only", "filter")

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
        """The best `k` stretches of video whose frames reach `threshold`; none overlap, see `moments.stretches`.

        A video that lies in several folders counts once. Only for kind="frame".

        Args:
            k: At most so many.
            threshold: See `ordering`.
            gap_s: Holes of up to so many seconds are bridged. None: those that one missed sample leaves.
            refine: Decode the videos again around the edges, and move these to where the scores step.

        Returns:
            The moments, best first.

        Raises:
            QueryError: These are scores of photos, or k, threshold or gap is none.
        """
        import pandas as pd

        if self.mode.target != "video":
            raise QueryError("moments are stretches of videos, and these are scores of photos: ask kind='frame'")
        scale, values, cutoff = self.ordering(threshold)
        videos, contents = (pd.factorize(self.rows[name].to_pandas())[0] for name in ("path", "digest"))
        times_s, duration_s, every_s = (self.rows[name].to_numpy() for name in ("time_s", "duration_s", "every_s"))
        lengths_s = self.rows["frame_s"].to_numpy().astype(float)
        found = []
        facts = (videos, contents, times_s, values, duration_s, every_s)
        for row, one in best_stretches(*facts, k, cutoff, gap_s, lengths_s):
            path, digest = (self.rows[name][row].as_py() for name in ("path", "digest"))
            own = np.flatnonzero(videos == videos[row])
            if refine and self.engine and self.embedding is not None:
                level = float(np.nanmean(self.values[own] - values[own]))  # 0 where the cosine ranks
                one = self.engine.refined(path, one, cutoff + level, self.embedding)
            peak = own[np.argmin(np.abs(times_s[own] - one.peak_s))]
            match, score = None if scale == "cosine" else float(values[peak]), float(self.values[peak])
            found.append(Moment(path, one.start_s, one.end_s, one.peak_s, score, digest, self.engine, match))
        best_score = float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")
        return Moments(self.query, self.mode, cutoff, tuple(found), best_score, self.engine, scale)

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame of all rows, best first: path, time_s, match where matches rank, score."""
        frame = self.rows.select(["path", "time_s"]).to_pandas()
        if self.matching is not None:
            frame = frame.assign(match=self.matching.values)
        frame, by = frame.assign(score=self.values), "score" if self.matching is None else "match"
        return frame.sort_values(by, ascending=False, kind="stable", ignore_index=True)

    def _hits(
        self, order: Ordering, k: int, threshold: float, near_duplicates: float | None, distinct: bool
    ) -> tuple[Hit, ...]:
        groups = group_duplicates(self.rows, order.values, k, threshold, near_duplicates, distinct)
        columns = ["path", "time_s", "width", "height", "taken_at", "digest"]
        picked = self.rows.select(columns).take(np.array([group[0] for group in groups], np.int64)).to_pylist()
        odds = [self.odds_of(group[0]) if self.odds_of else None for group in groups]
        return tuple(
            Hit(
                score=float(self.values[group[0]]),
                expected_precision=right.share if right else None,
                precision_range=(right.low, right.high) if right else None,
                match=None if order.scale == "cosine" else float(order.values[group[0]]),
                duplicates=tuple(self.rows["path"].take(group[1:]).to_pylist()) if len(group) > 1 else (),
                **row,
            )
            for group, row, right in zip(groups, picked, odds, strict=True)
        )

    def best_bank_text(self, hit: Hit | Moment) -> str | None:
        """The text of the bank that fits a hit best; None where there is no bank."""
        return self.engine.best_bank_text(self.mode.row_kind, self._row(hit)) if self.engine else None

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

    def drive_link(self, hit: Hit) -> str | None:
        """The address of a hit's file in Google Drive; None where it has none."""
        return self.scores.engine.drive_link(hit.path) if self.scores and self.scores.engine else None

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame, one row a hit: path, match where matches rank, score, time_s, width, height, taken_at."""
        import pandas as pd

        match = ["match"] if self.scale == "match" else []
        columns = ["path", *match, "score", "time_s", "width", "height", "taken_at"]
        return pd.DataFrame([[getattr(hit, name) for name in columns] for hit in self.hits], columns=columns)

    def moments(
        self, k: int = 5, threshold: float | None = None, gap_s: float | None = None, refine: bool = False
    ) -> Moments:
        """`Scores.moments` of the same query, over all frames; `threshold` None: the one the hits were taken with."""
        if self.scores is None:
            raise QueryError("these hits come from no search: ask library.score(text, kind='frame').moments()")
        if threshold is None and self.scale == "cosine":
            threshold = self.threshold
        return self.scores.moments(k, threshold, gap_s, refine)

    def passing(self) -> int:
        """How many pictures reach the threshold, whatever k was; copies of one file count once."""
        if self.scores is None:
            return len(self.hits)
        values = self.scores.values if self.scale == "cosine" else self.scores.ordering(ranking=self.scale).values
        return len(self.scores.rows["digest"].take(np.flatnonzero(values >= self.threshold)).unique())

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
        thing = "photo" if self.mode.target == "image" else "frame"
        if self.mode.query != "text":
            return f"Nothing here matches {self.query!r}: the nearest {thing} is not near enough."
        words = f"Nothing here matches {self.query!r}: the nearest {thing} fits it no better than other words would"
        rather = self.scores.best_bank_text(self.nearest[0]) if self.scores else None
        return f"{words}; {rather!r}, for one, fits it better." if rather else f"{words}."

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

    def __iter__(self) -> Iterator[str]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def counts(self) -> dict[str, int]:
        """How many photos have each tag: all that reach the threshold, not only those kept; copies count once."""
        return {tag: hits.passing() for tag, hits in self.hits.items()}

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


@dataclass(frozen=True)
class PhotosAndVideos(Sequence):
    """Photos and moments of videos that answer one query; together a sequence, best first.

    Attributes:
        photos: As `Library.search` finds them.
        videos: As `Library.search_videos(...).moments()` finds them.
    """

    photos: Hits
    videos: Moments

    @property
    def query(self) -> str:
        """The query in words."""
        return self.photos.query

    @property
    def warning(self) -> str:
        """What every answer of the model must say of itself, or ""."""
        return self.photos.warning

    @cached_property
    def _found(self) -> tuple[Hit | Moment, ...]:
        both = (*self.photos, *self.videos)
        if self.photos.scale != self.videos.scale:  # one of the two is calibrated by cosine: photos come first
            return both
        by = "score" if self.photos.scale == "cosine" else "match"
        return tuple(sorted(both, key=lambda one: getattr(one, by), reverse=True))

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> Hit | Moment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit | Moment, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | Moment | tuple[Hit | Moment, ...]:
        return self._found[index]

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame, best first: path, start_s, end_s, peak_s (none for a photo), match, score."""
        import pandas as pd

        match = ["match"] if "match" in (self.photos.scale, self.videos.scale) else []
        columns = ["path", "start_s", "end_s", "peak_s", *match, "score"]
        return pd.DataFrame([[getattr(one, name, None) for name in columns] for one in self], columns=columns)

    def save(self, file: str | Path) -> Path:
        """Write both to a ".csv" file, or to ".html" as one page; see `export.answers.save`."""
        from ..export.answers import save

        return save(self, file)

    def __str__(self) -> str:
        return f"{self.photos}\n{self.videos}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display.html import photos_and_videos_html

        return photos_and_videos_html(self)
