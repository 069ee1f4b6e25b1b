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
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from ..display.html import POLICY
from ..display.scale import Scale
from ..display.style import STYLE
from ..errors import QueryError, printable
from ..media.photo import THUMBNAIL_EDGE, thumbnail
from ..places import drive_link, output_file
from ..search.engine import SearchEngine
from ..search.mode import ROW_KINDS, Mode
from ..search.results import Hit, Scores

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
BAR_AFTER_S = 2.0  # a bar is shown for what takes longer
PASSES = 85  # the strength at the cutoff: a third of 255, see `Scale.strength`
FACTS = ("path", "time_s", "digest", "taken_at", "taken_from")
# What the best picture of a bank's text must reach: half of the scale, a "good" match. On 200 photos of the recordings
# of the real CLIP, of 19 things that are in none of them 1 or 2 pass the cutoff and none reaches this; of 1,568 nouns
# 700 pass it, and 320 reach this.
GOOD = 128
HERE = Path(__file__).parent

Answer = tuple[np.ndarray, np.ndarray]  # rows, int (k,), and how strong each match is, 0 to 255, int (k,)


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


def _passing(scores: Scores, first_row: int, nearest: int) -> Answer:
    """The rows that reach the cutoff, the best first; where none does, so many of the nearest, below it.

    Args:
        scores: Of the rows of a kind.
        first_row: Where these begin among all rows.
        nearest: How many.
    """
    unit, values, cutoff = scores.ordering()
    order = np.argsort(-values, kind="stable")[: np.count_nonzero(np.isfinite(values))]  # NaN comes last
    order = order[: np.count_nonzero(values[order] >= cutoff) or nearest]
    scale = Scale.of(values, cutoff, unit)
    strengths = [_in_8_bits(scale.strength(value), value >= cutoff) for value in values[order]]
    return order + first_row, np.array(strengths, int)


def _best_of_groups(answer: Answer, groups: np.ndarray, most: int) -> Answer:
    """Of each group, such as a video, the best row; at most so many. `groups`: of each row its group, int (n,)."""
    rows, strengths = answer
    first = np.sort(np.unique(groups[rows], return_index=True)[1])[:most]
    return rows[first], strengths[first]


def _in_8_bits(strength: float, passes: bool) -> int:
    """0 to 255, rounded, and never across the cutoff."""
    rounded = round(255 * strength)
    return max(PASSES, rounded) if passes else min(PASSES - 1, rounded)


def passes(strengths: np.ndarray) -> bool:
    """Whether an answer has pictures that reach the cutoff, and not the nearest only."""
    return bool(len(strengths)) and strengths[0] >= PASSES


class _Album:
    """What goes into a page: pictures, numbered, and the answers to queries and to each picture.

    `rows` are the pictures: dictionaries of `FACTS`, photos first. `queries` have `found`, an answer each, and pictures
    have `alike`.
    """

    def __init__(self, engine: SearchEngine, paths: list[str] | None, own: Sequence[str], ranking: str):
        self._ranking, self._own = ranking, list(dict.fromkeys(own))
        engine = engine.narrowed(_each_content_once(engine, paths))
        answers = dict(self._answers(engine))
        groups = _groups(engine)
        kept = _rows_that_answer(groups, answers, self._own)
        self.engine = engine.narrowed(kept)
        self.rows = self.engine.rows.select(list(FACTS)).to_pylist()
        self.groups = groups[kept]
        if (number := len(self.rows)) > MOST_PICTURES:
            raise QueryError(
                f"{number:,} pictures are too many for one page, which holds {MOST_PICTURES:,}: give paths="
            )
        numbers = np.cumsum(kept) - 1
        self.queries: list[str] = []
        self.found: list[Answer] = []
        for text, (rows, strengths) in answers.items():
            here = kept[rows]
            rows, strengths = _best_of_groups((rows[here], strengths[here]), groups, MOST_FOUND)
            if text in self._own or (len(rows) and strengths[0] >= GOOD):
                self.queries.append(text)
                self.found.append((numbers[rows], strengths))

    def _answers(self, engine: SearchEngine) -> Iterator[tuple[str, Answer]]:
        """The rows that answer each text, those of somebody's own first; for these the nearest, where none does."""
        starts = _starts(engine)
        own = [engine.scores(self._own, kind, self._ranking) for kind in starts]
        bank = [engine.bank_scores(kind, self._ranking) for kind in starts]
        for nearest, scores_of_kinds in ((NEAREST, own), (0, bank)):
            for of_kinds in zip(*scores_of_kinds, strict=True):
                text = of_kinds[0].query
                if nearest or (text not in self._own and len(text.split()) <= MOST_WORDS):
                    parts = zip(of_kinds, starts.values(), strict=True)
                    yield text, _joined(_passing(scores, start, nearest) for scores, start in parts)

    @cached_property
    def alike(self) -> list[Answer]:
        """Of each picture those that are like it; where none is, the nearest."""
        starts, found = _starts(self.engine), []
        digests = np.array([row["digest"] for row in self.rows], object)
        embeddings = np.concatenate([self.engine.gallery(kind)[1] for kind in starts])
        bar = tqdm(digests, desc="Looking for what is alike", delay=BAR_AFTER_S, leave=False)
        for embedding, digest in zip(embeddings, bar, strict=True):
            parts = []
            for kind, start in starts.items():
                scores = self.engine.score_vector(embedding, "", Mode.of("image", kind), self._ranking)
                same = digests[start : start + len(scores)] == digest
                for values in (scores.values, *([scores.matching.values] if scores.matching else [])):
                    values[same] = np.nan
                parts.append(_passing(scores, start, NEAREST))
            found.append(_best_of_groups(_joined(parts), self.groups, MOST_ALIKE))
        return found

    @property
    def covers(self) -> list[int]:
        """The pictures that stand for everything, the newest first: each photo, and of each video one frame."""
        first = np.unique(self.groups, return_index=True)[1].tolist()
        return sorted(first, key=lambda row: _day(self.rows[row]) and self.rows[row]["taken_at"], reverse=True)

    @property
    def suggested(self) -> list[int]:
        """Queries to begin with: somebody's own, then at each step the one that shows most that is not shown yet."""
        left, chosen = np.ones(len(self.rows)), []
        worth = np.array([1.0 if len(text.split()) <= 3 else 0.4 for text in self.queries])
        worth[: len(self._own)] = 1000
        for _ in range(min(SUGGESTED, len(self.queries))):
            gains = worth * [
                (left[items] * strengths).sum() if passes(strengths) else 0 for items, strengths in self.found
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
        hits = [Hit(row["path"], 0.0, row["time_s"], digest=row["digest"]) for row in self.rows]
        return fitted([self.engine.thumbnail(hit) or b"" for hit in hits])


def _each_content_once(engine: SearchEngine, paths: list[str] | None) -> np.ndarray:
    """Which rows can go in, bool (n,): those of the paths (None: all), of one content the first."""
    columns = (engine.rows[name].to_pylist() for name in ("path", "digest", "time_s"))
    wanted = None if paths is None else set(paths)
    first: dict[tuple, int] = {}
    known = set()
    for number, (path, digest, time_s) in enumerate(zip(*columns, strict=True)):
        if wanted is None or path in wanted:
            first.setdefault((digest, time_s), number)
            known.add(path)
    if unknown := sorted((wanted or set()) - known):
        raise QueryError(f"{unknown[0]!r} is not in the index, nor are {len(unknown) - 1} others of these paths")
    keep = np.zeros(len(engine.rows), bool)
    keep[list(first.values())] = True
    return keep


def _groups(engine: SearchEngine) -> np.ndarray:
    """Of each row its group, int (n,): a photo is one, and so are the frames of a video."""
    columns = (engine.rows[name].to_pylist() for name in ("digest", "time_s"))
    names = [
        f"photo {number}" if time_s is None else digest
        for number, (digest, time_s) in enumerate(zip(*columns, strict=True))
    ]
    return np.unique(names, return_inverse=True)[1].reshape(-1)


def _starts(engine: SearchEngine) -> dict[str, int]:
    """The kinds that there are rows of, with where these begin among all rows."""
    photos, frames = (len(engine.gallery(kind)[0]) for kind in ROW_KINDS)
    return {kind: start for kind, start, number in zip(ROW_KINDS, (0, photos), (photos, frames), strict=True) if number}


def _rows_that_answer(groups: np.ndarray, answers: dict[str, Answer], own: Sequence[str]) -> np.ndarray:
    """Which rows go in, bool (n,): every photo, and of a video the frames that are its best for most queries.

    Somebody's own query counts as much as all those of the bank. A video that answers none has its middle frame.
    """
    picks = np.zeros(len(groups))
    for text, answer in answers.items():
        rows, _ = _best_of_groups(answer, groups, len(groups))
        picks[rows] += len(answers) if text in own else 1
    kept = np.zeros(len(groups), bool)
    for rows in np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1]):
        best = rows[np.argsort(-picks[rows], kind="stable")][:FRAMES]
        kept[best[picks[best] > 0] if picks[rows].any() else rows[len(rows) // 2]] = True
    return kept


def _joined(answers: Iterable[Answer]) -> Answer:
    """One answer of several, the strongest first; what is below the cutoff only where nothing passes it."""
    rows, strengths = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    order = np.argsort(-strengths, kind="stable")
    order = order[strengths[order] >= PASSES] if passes(strengths[order]) else order[:NEAREST]
    return rows[order], strengths[order]


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
    photos = sum(row["time_s"] is None for row in album.rows)
    videos = len(np.unique(album.groups)) - photos
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
        "times": [row["time_s"] for row in album.rows],
        **{name: [of(row) for row in album.rows] for name, (word, of) in told.items() if word in show},
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
        policy=POLICY,
        style=STYLE,
        css=css,
        intro=intro,
        holds=escape(holds),
        warning=escape(album.engine.warning),
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        script=script,
        script_hash=f"sha256-{digest}",
    )
