"""An album: one HTML file with thumbnails and the answers to prepared queries, which a browser searches by itself.

There is no model in it and no picture larger than a thumbnail. A query is a text of the bank, or one that its maker
gives; each picture has its look-alikes. Of every answer only the best are kept, as a picture's number and how strong
the match is in 8 bits. `album.html`, `album.css` and `album.js` become part of the page; its policy lets no other
script run, and nothing be fetched.
"""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

import numpy as np
import pyarrow as pa
from PIL import Image

from ..display.scale import Scale
from ..display.style import STYLE
from ..errors import QueryError, printable
from ..media.photo import THUMBNAIL_EDGE, thumbnail
from ..places import output_file
from ..search.engine import SearchEngine
from ..search.mode import Mode
from ..search.results import Hit, Scores
from .originals import drive_link

SHOWN = ("name", "date", "folder", "drive")  # what an album may say of a picture
TITLE = "Photos and moments"
OPTIONS = ("paths", "queries", "show", "title")  # of `save`, which `Library.save_page` takes
MOST_PICTURES = 20_000  # beyond that no page is pleasant
MOST_FOUND, MOST_ALIKE, NEAREST = 100, 12, 3  # pictures of an answer; of the look-alikes; where nothing passes
MOST_WORDS = 6  # of a text of the bank; longer ones nobody types
FRAMES = 6  # of one video
SUGGESTED = 18  # queries that are offered before anything is typed
MOST_BYTES, BYTES_EACH = 12_000_000, 16_000  # of all thumbnails, and of one on average: 200 stay under 5 MB in base64
EDGES = (192, 144, 112, 96)  # pixels, of smaller thumbnails where there are too many bytes
PASSES = 85  # the strength at the cutoff: a third of 255, see `Scale.strength`
FACTS = ("path", "time_s", "digest", "taken_at", "taken_from")
HERE = Path(__file__).parent

Answer = tuple[np.ndarray, np.ndarray]  # numbers of pictures, int (k,), and strengths, 0 to 255, int (k,)
NOTHING: Answer = np.zeros(0, int), np.zeros(0, int)


def save(
    engine: SearchEngine,
    file: str | Path,
    paths: Iterable[str] | None = None,
    queries: Iterable[str] = (),
    show: Iterable[str] = ("name", "date"),
    title: str = TITLE,
    ranking: str = "match",
    intro: str = "",
) -> Path:
    """Write photos and video moments as one page that can be searched without Python, and without a network.

    Args:
        engine: What answers; its photos, and of each video the frames that answer most queries, at most 6.
        file: The page, named .html.
        paths: The photos and videos that go in, as the index names them (None: all).
        queries: Texts that are prepared besides those of the bank. They stay in even where they find nothing.
        show: What is told of a picture: any of "name", "date" (the day it was taken), "folder" and "drive" (a link,
            where the library lies on Google Drive). Places, cameras and absolute paths are never in it.
        title: The page's heading.
        ranking: "match" or "cosine", what orders and cuts the answers.
        intro: HTML that stands over the search; trusted.

    Returns:
        The path of the file. It has some 15 KB for each photo, and from about a thousand photos on smaller thumbnails,
        so that it stays under 20 MB up to some thousands.

    Raises:
        QueryError: For an unknown path or word in `show`, for more pictures than a page can hold, for another ending
            of `file`, and where its folder is not there.
    """
    file, show = output_file(file, ".html", ".htm"), frozenset([show] if isinstance(show, str) else show)
    if unknown := show - set(SHOWN):
        raise QueryError(f"show has {sorted(unknown)}: an album can show {', '.join(SHOWN)}")
    queries = [queries] if isinstance(queries, str) else [text.strip() for text in queries if text.strip()]
    album = _Album(engine, None if paths is None else list(paths), queries, ranking)
    file.write_text(_page(album, show, title, intro), encoding="utf-8")
    return file


@dataclass(frozen=True)
class _Rows:
    """Rows of one kind that may go in: `positions` among all of that kind, int (n,), and which `group` each is of: a
    photo alone, a frame with those of its video. An answer has the best of each group.
    """

    kind: str
    positions: np.ndarray
    table: pa.Table
    groups: np.ndarray

    @classmethod
    def of(cls, engine: SearchEngine, kind: str, paths: set[str] | None) -> _Rows:
        """Those with one of these paths (None: all), of one content once."""
        rows = engine.gallery(kind)[0]
        found: dict[tuple, int] = {}
        facts = (rows[name].to_pylist() for name in ("path", "digest", "time_s"))
        for position, (path, digest, time_s) in enumerate(zip(*facts, strict=True)):
            if paths is None or path in paths:
                found.setdefault((digest, time_s), position)
        positions = np.fromiter(found.values(), int, len(found))
        number = np.unique(
            [digest if kind == "frame" else str(i) for i, (digest, _) in enumerate(found)], return_inverse=True
        )
        return cls(kind, positions, rows.take(positions), number[1].reshape(-1))

    @cached_property
    def digests(self) -> np.ndarray:
        """Their contents' names, (n,)."""
        return np.array(self.table["digest"].to_pylist(), object)

    def only(self, picked: np.ndarray) -> _Rows:
        """These of them, int (k,)."""
        return _Rows(self.kind, self.positions[picked], self.table.take(picked), self.groups[picked])

    def among(self, scores: Scores) -> Scores:
        """Scores of all rows of the kind, as if there were only these."""
        matching = scores.matching and replace(scores.matching, values=scores.matching.values[self.positions])
        return replace(scores, values=scores.values[self.positions], rows=self.table, matching=matching)

    def passing(self, scores: Scores, nearest: int = 0) -> Answer:
        """The rows that reach the cutoff, the best first; where none does, so many of the nearest, below it."""
        matching, cutoff = scores.chosen(None)
        values = scores.values if matching is None else matching.values
        order = np.argsort(-values, kind="stable")[: np.count_nonzero(np.isfinite(values))]  # NaN comes last
        order = (
            order[: np.count_nonzero(values[order] >= cutoff)] if (values[order] >= cutoff).any() else order[:nearest]
        )
        scale = Scale.of(values, cutoff, "cosine" if matching is None else "match")
        return order, np.array([_in_8_bits(scale.strength(value), value >= cutoff) for value in values[order]], int)

    def best_of_groups(self, answer: Answer, most: int) -> Answer:
        """Of each group the best row, at most so many."""
        order, strengths = answer
        first = np.sort(np.unique(self.groups[order], return_index=True)[1])[:most]
        return order[first], strengths[first]


def _in_8_bits(strength: float, passes: bool) -> int:
    """0 to 255, rounded, and never across the cutoff."""
    rounded = round(255 * strength)
    return max(PASSES, rounded) if passes else min(PASSES - 1, rounded)


def passing(strengths: np.ndarray) -> bool:
    """Whether an answer has pictures that reach the cutoff, and not the nearest only."""
    return bool(len(strengths)) and strengths[0] >= PASSES


class _Album:
    """What goes into a page: pictures, numbered, and the answers to queries and to each picture."""

    def __init__(self, engine: SearchEngine, paths: list[str] | None, own: Sequence[str], ranking: str):
        self.engine, self._ranking = engine, ranking
        wanted = None if paths is None else set(paths)
        if unknown := [path for path in paths or () if path not in set(engine.paths.to_pylist())]:
            raise QueryError(f"{unknown[0]!r} is not in the index, and {len(unknown)} of these paths are not")
        photos, frames = (_Rows.of(engine, kind, wanted) for kind in ("image", "frame"))
        days = [row["taken_at"] or "" for row in photos.table.select(["taken_at"]).to_pylist()]
        photos = photos.only(np.argsort(days, kind="stable")[::-1])
        own = list(dict.fromkeys(own))
        self._own = len(own)
        of_photos, of_frames = (dict(self._answers(rows, own)) for rows in (photos, frames))
        picked = _frames_that_answer(frames, of_frames, own)
        self.rows = photos, frames.only(picked)
        if (number := len(self.facts)) > MOST_PICTURES:
            raise QueryError(
                f"{number:,} pictures are too many for one page, which holds {MOST_PICTURES:,}: give paths="
            )
        numbers = np.full(len(frames.positions), -1)
        numbers[picked] = len(photos.positions) + np.arange(len(picked))
        self.queries: list[str] = []
        self.found: list[Answer] = []
        for text in dict.fromkeys([*own, *of_photos, *of_frames]):
            rows, strengths = of_frames.get(text, NOTHING)
            kept = numbers[rows] >= 0
            best, strengths = frames.best_of_groups((rows[kept], strengths[kept]), MOST_FOUND)
            answer = _joined([of_photos.get(text, NOTHING), (numbers[best], strengths)], MOST_FOUND)
            if text in own or passing(answer[1]):
                self.queries.append(text)
                self.found.append(answer)

    def _answers(self, rows: _Rows, own: Sequence[str]) -> Iterator[tuple[str, Answer]]:
        """The rows that answer each text, those of somebody's own first; for these the nearest, where none does."""
        if len(rows.positions):
            for scores in self.engine.scores(own, rows.kind, self._ranking):
                yield scores.query, rows.passing(rows.among(scores), NEAREST)
            for scores in self.engine.bank_scores(rows.kind, self._ranking):
                if scores.query not in own and len(scores.query.split()) <= MOST_WORDS:
                    yield scores.query, rows.passing(rows.among(scores))

    @cached_property
    def facts(self) -> list[dict]:
        """Of each picture its `FACTS`."""
        return [row for rows in self.rows for row in rows.table.select(list(FACTS)).to_pylist()]

    @cached_property
    def alike(self) -> list[Answer]:
        """Of each picture those that are like it; where none is, the nearest."""
        offsets, found = (0, len(self.rows[0].positions)), []
        for own in self.rows:
            gallery = self.engine.gallery(own.kind)[1]
            for position, digest in zip(own.positions, own.digests, strict=True):
                parts = []
                for offset, rows in zip(offsets, self.rows, strict=True):
                    if not len(rows.positions):
                        continue
                    mode = Mode.of("image", rows.kind)
                    scores = rows.among(self.engine.score_vector(gallery[position], "", mode, self._ranking))
                    same = rows.digests == digest
                    for values in (scores.values, *([scores.matching.values] if scores.matching else [])):
                        values[same] = np.nan
                    order, strengths = rows.best_of_groups(rows.passing(scores, NEAREST), MOST_ALIKE)
                    parts.append((order + offset, strengths))
                found.append(_joined(parts, MOST_ALIKE))
        return found

    @property
    def covers(self) -> list[int]:
        """The pictures that stand for everything: each photo, and of each video one frame."""
        photos, frames = (rows.groups for rows in self.rows)
        first = np.unique(frames, return_index=True)[1] if len(frames) else np.zeros(0, int)
        return [*range(len(photos)), *(len(photos) + np.sort(first)).tolist()]

    @property
    def suggested(self) -> list[int]:
        """Queries to begin with: somebody's own, then those that between them show most of the album, each the one that
        adds most.
        """
        left, chosen = np.ones(len(self.facts)), []
        worth = np.array([1.0 if len(text.split()) <= 3 else 0.4 for text in self.queries])
        worth[: self._own] = 1000
        for _ in range(min(SUGGESTED, len(self.queries))):
            gains = worth * [
                (left[items] * strengths).sum() if passing(strengths) else 0 for items, strengths in self.found
            ]
            best = int(np.argmax(gains))
            if not gains[best]:
                break
            chosen.append(best)
            worth[best] = 0
            left[self.found[best][0]] *= 0.3
        return chosen

    def thumbnails(self) -> tuple[list[bytes], int]:
        """The JPEG of each picture, b"" where there is none, and their longest edge in pixels."""
        hits = [Hit(row["path"], 0.0, row["time_s"], digest=row["digest"]) for row in self.facts]
        return fitted([self.engine.thumbnail(hit) or b"" for hit in hits])


def _frames_that_answer(frames: _Rows, answers: dict[str, Answer], own: Sequence[str]) -> np.ndarray:
    """Of each video the frames that are its best for most queries, in the order of their times; the middle one where
    it answers none. A query that somebody gave counts as much as all those of the bank.
    """
    picks: Counter[int] = Counter()
    for text, answer in answers.items():
        weight = len(answers) if text in own else 1
        picks.update({int(row): weight for row in frames.best_of_groups(answer, len(answer[0]))[0]})
    kept: list[int] = []
    for group in np.unique(frames.groups):
        rows = np.flatnonzero(frames.groups == group).tolist()
        best = sorted((row for row in rows if picks[row]), key=lambda row: -picks[row])[:FRAMES]
        kept += sorted(best or [rows[len(rows) // 2]])
    return np.array(kept, int)


def _joined(answers: Iterable[Answer], most: int) -> Answer:
    """One answer of several, the strongest first; what is below the cutoff only where nothing passes it."""
    items, strengths = (np.concatenate(parts) if parts else np.zeros(0, int) for parts in zip(*answers, strict=True))
    order = np.argsort(-strengths, kind="stable")[:most]
    order = order[strengths[order] >= PASSES] if passing(strengths[order]) else order[:NEAREST]
    return items[order], strengths[order]


def fitted(jpegs: list[bytes]) -> tuple[list[bytes], int]:
    """Thumbnails with few enough bytes in all for a page, made smaller where they have more; and their longest edge."""
    most = min(MOST_BYTES, BYTES_EACH * len(jpegs))
    if sum(map(len, jpegs)) <= most:
        return jpegs, THUMBNAIL_EDGE
    sample = [jpeg for jpeg in jpegs if jpeg][:: max(1, len(jpegs) // 50)]
    share = most / sum(map(len, jpegs)) * sum(map(len, sample))
    edge = next((edge for edge in EDGES if sum(len(_smaller(jpeg, edge)) for jpeg in sample) <= share), EDGES[-1])
    return [_smaller(jpeg, edge) for jpeg in jpegs], edge


def _smaller(jpeg: bytes, edge: int) -> bytes:
    if not jpeg:
        return b""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        return thumbnail(image.convert("RGB"), edge)


def _day(row: dict) -> str:
    """The day a picture was taken; "" where only its file has a date, which is that of a copy as often as not."""
    return (row["taken_at"] or "")[:10] if row["taken_from"] != "mtime" else ""


def _packed(answers: Sequence[Answer]) -> dict:
    """Answers as the page reads them: how many pictures each has, then all of these, and all strengths, as base64."""
    items = np.concatenate([np.zeros(0, int), *(items for items, _ in answers)]).astype("<u2")
    strengths = np.concatenate([np.zeros(0, int), *(strengths for _, strengths in answers)]).astype(np.uint8)
    packed = {"items": items, "strengths": strengths}
    return {"counts": [len(one) for one, _ in answers]} | {
        name: b64encode(values.tobytes()).decode() for name, values in packed.items()
    }


def _data(album: _Album, show: frozenset[str], jpegs: list[bytes]) -> dict:
    """What the script reads; see album.js."""
    photos, videos = len(album.rows[0].positions), len(np.unique(album.rows[1].groups))
    told = {
        "names": ("name", lambda row: printable(row["path"].rpartition("/")[2])),
        "dates": ("date", _day),
        "folders": ("folder", lambda row: printable(row["path"].rpartition("/")[0])),
        "links": ("drive", lambda row: drive_link(album.engine.root / row["path"]) or ""),
    }
    summary = " and ".join(
        f"{count:,} {what}{'s' * (count > 1)}" for count, what in ((photos, "photo"), (videos, "video")) if count
    )
    examples = " or ".join(f"“{album.queries[query]}”" for query in album.suggested[:2])
    return {
        "pictures": [b64encode(jpeg).decode() for jpeg in jpegs],
        "ratios": [_ratio(jpeg) for jpeg in jpegs],
        "times": [row["time_s"] for row in album.facts],
        **{name: [of(row) for row in album.facts] for name, (word, of) in told.items() if word in show},
        "covers": album.covers,
        "queries": [printable(query) for query in album.queries],
        "found": _packed(album.found),
        "alike": _packed(album.alike),
        "most": MOST_FOUND,
        "start": album.suggested,
        "summary": summary,
        "hint": f"{len(album.queries):,} searches are prepared"
        + (f", such as {examples}. Open a picture to see more like it." if examples else "."),
    }


def _ratio(jpeg: bytes) -> float:
    """Width over height; of what has no picture 4 to 3."""
    if not jpeg:
        return 1.333
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        return round(image.width / image.height, 3)


def _page(album: _Album, show: frozenset[str], title: str, intro: str) -> str:
    """The whole file."""
    jpegs, edge = album.thumbnails()
    data = _data(album, show, jpegs)
    told = [name for name, word in (("file names", "name"), ("days", "date"), ("folders", "folder")) if word in show]
    holds = (
        f"{data['summary']}: small pictures of at most {edge} pixels, {', '.join(told) or 'no names'}, and what "
        f"{len(album.queries):,} prepared searches find. No originals, no places, no cameras, no model. The page asks "
        "nothing of the network. Made with cliplib; what a picture shows is a model's guess."
    )
    script, css = ((HERE / f"album.{ending}").read_text(encoding="utf-8") for ending in ("js", "css"))
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return Template((HERE / "album.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        style=STYLE,
        css=css,
        intro=intro,
        holds=escape(holds),
        warning=escape(album.engine.warning),
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        script=script,
        script_hash=f"sha256-{digest}",
    )
