"""What a page shows of an answer: tiles as plain records, for JSON. Photos one by one, videos one moment a tile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..display.scale import Scale
from ..search.moments import Moment, clock
from ..search.ordering import Cutoff
from ..search.ranking import group_near_duplicates
from ..search.results import Hit, Scores

MOST = 2_000  # tiles that one answer can grow to; whoever wants more asks more narrowly
CURVE_POINTS = 160  # of the scores along a video; a longer one shows the best of each stretch
ONE_SCENE = 0.95  # moments of one video whose best frames are this alike are one tile
LEAD_S = 1.0  # a clip begins so long before the best frame
CLIP_S = 8.0
FACTS = ["path", "time_s", "digest", "width", "height", "taken_at", "taken_from", "camera", "latitude", "longitude"]
FACTS += ["duration_s", "size"]


def ranked(scores: Scores, by: str = "match") -> Scores:
    """The scores that order and cut an answer, as if they were cosines.

    They are the matches, where the search gives them and `by` does not ask for "cosine"; else the cosines themselves.
    """
    order = scores.ordering(ranking="cosine" if by == "cosine" else "match")
    if order.scale == "cosine":
        return scores
    return replace(scores, values=order.values, cutoff=Cutoff(order.cutoff), matching=None)


def passing(scores: Scores) -> np.ndarray:
    """Which rows reach the default cutoff, bool (n,)."""
    scores = ranked(scores)
    return np.nan_to_num(scores.values, nan=-1.0) >= scores.threshold


class FileRecords:
    """What the index knows of files, looked up by path: made once for a table of rows."""

    def __init__(self, rows: pa.Table):
        self.rows = rows.select(FACTS)
        self._first: dict[str, int] = {}
        self._at: dict[tuple[str, float | None], int] = {}
        for position, place in enumerate(zip(rows["path"].to_pylist(), rows["time_s"].to_pylist(), strict=True)):
            self._first.setdefault(place[0], position)
            self._at[place] = position

    @property
    def paths(self) -> list[str]:
        """Each file once, in the order of the rows."""
        return list(self._first)

    def __contains__(self, path: str) -> bool:
        return path in self._first

    def row(self, path: str, time_s: float | None) -> int:
        """The position of a photo's row, or of a frame's."""
        return self._at[path, time_s]

    def of(self, paths: Iterable[str]) -> list[dict[str, Any]]:
        """The facts of the first row of each path."""
        return self.rows.take(pa.array([self._first[path] for path in paths], pa.int64())).to_pylist()

    def record(self, path: str, **more: Any) -> dict[str, Any]:
        """A tile without a score: `more` overrides what the row says."""
        facts = self.of([path])[0] | more
        folder, _, name = path.rpartition("/")
        return facts | {"name": name, "folder": folder}


def merged(answers: list[list[dict[str, Any]]], sort: str | None = None, below: bool = False) -> list[dict[str, Any]]:
    """Tiles of photos and of videos as one answer.

    What passes comes first, by how far it lies above the cutoff of its own kind: photos and frames have other scores.
    Where nothing passes, or `below` is wanted too, the others follow. With `sort` "date", and where nothing was asked,
    the newest come first, those without a date of their own last.
    """
    tiles = [tile for answer in answers for tile in answer]
    if len(answers) > 1 and not below and any(tile["passes"] for tile in tiles):
        tiles = [tile for tile in tiles if tile["passes"]]
    browsing = any(tile["score"] is None for tile in tiles)
    if sort == "date" or (browsing and len(answers) > 1):
        tiles.sort(key=lambda tile: (tile["passes"], *_own_date(tile)), reverse=True)
    elif len(answers) > 1:
        tiles.sort(key=lambda tile: (tile["passes"], tile["lead"]), reverse=True)
    return tiles


def _own_date(tile: dict[str, Any]) -> tuple[bool, str]:
    """Whether a file has a date of its own, which the time of a copy is not, and its date."""
    return bool(tile["taken_at"]) and tile["taken_from"] != "mtime", tile["taken_at"] or ""


def photo_tiles(
    scores: Scores, facts: FileRecords, scale: Scale, least: float, near_duplicates: float | None
) -> list[dict[str, Any]]:
    """The photos with a score of `least` or more, best first; those alike under one tile, see `Scores.top`."""
    return [_tile(facts, hit, scale) for hit in scores.top(MOST, least, near_duplicates=near_duplicates)]


def video_tiles(scores: Scores, facts: FileRecords, scale: Scale, least: float) -> list[dict[str, Any]]:
    """The moments that reach the cutoff, best first; those of one video that show one scene share a tile.

    Where `least` asks for more, the best frame of each other video that reaches it follows.
    """
    tiles = []
    for moment, others in scenes(scores, scale.cutoff):
        hit = Hit(moment.path, moment.score, moment.peak_s, digest=moment.digest)
        span = {"start_s": moment.start_s, "end_s": moment.end_s}
        tiles.append(_tile(facts, hit, scale) | span | {"stacked": [_span(other) for other in others]})
    if least < scale.cutoff:
        seen = {tile["path"] for tile in tiles}
        for hit in best_frames(scores, least):
            if hit.path not in seen and hit.score < scale.cutoff:
                tiles.append(_tile(facts, hit, scale) | {"stacked": []})
    for tile in tiles:
        tile |= {"curve": curve(scores, tile["path"]), "clip": clip_span(tile)}
    return tiles


def scenes(scores: Scores, cutoff: float) -> list[tuple[Moment, list[Moment]]]:
    """The moments, best first, each with the others of its video that show the same scene."""
    moments = list(scores.moments(MOST, cutoff))
    if not moments:
        return []
    frames = zip(*(scores.rows[name].to_pylist() for name in ("path", "time_s")), strict=True)
    at = {frame: row for row, frame in enumerate(frames)}
    peaks = scores.gallery[[at[moment.path, moment.peak_s] for moment in moments]]
    groups = []
    for path in dict.fromkeys(moment.path for moment in moments):
        of_video = np.array([i for i, moment in enumerate(moments) if moment.path == path])
        groups += group_near_duplicates(peaks, of_video, len(of_video), ONE_SCENE)
    groups.sort(key=lambda group: group[0])
    return [(moments[first], [moments[i] for i in others]) for first, *others in groups]


def best_frames(scores: Scores, least: float) -> list[Hit]:
    """The best frame of each video that reaches `least`, best first."""
    values = scores.values
    best: dict[str, int] = {}
    for row in np.argsort(-values, kind="stable")[: np.count_nonzero(values >= least)]:
        best.setdefault(scores.rows["digest"][int(row)].as_py(), int(row))
    picked = scores.rows.select(["path", "time_s", "digest"]).take(pa.array(best.values(), pa.int64())).to_pylist()
    return [Hit(score=float(values[row]), **one) for row, one in zip(best.values(), picked, strict=True)]


def curve(scores: Scores, path: str) -> list[list[float]]:
    """The scores along a video: [seconds, score] in order of time, at most `CURVE_POINTS`, the best of each stretch."""
    own = np.flatnonzero(pc.equal(scores.rows["path"], path).to_numpy())
    times_s = scores.rows["time_s"].take(pa.array(own)).to_numpy()
    order = np.argsort(times_s)
    times_s, values = times_s[order], np.nan_to_num(scores.values[own][order], nan=-1.0)
    edges = np.unique(np.linspace(0, len(own), CURVE_POINTS + 1).astype(int)[:-1])
    best = [first + int(np.argmax(part)) for first, part in zip(edges, np.split(values, edges[1:]), strict=True)]
    return [[round(float(times_s[i]), 2), round(float(values[i]), 4)] for i in best]


def clip_span(tile: dict[str, Any]) -> list[float]:
    """What plays for a tile, [from, to] in seconds: from a second before the best frame, through the moment."""
    start_s = max(0.0, tile["time_s"] - LEAD_S)
    end_s = min(max(tile.get("end_s", 0.0), start_s + CLIP_S / 2), start_s + CLIP_S)
    length_s = tile["duration_s"] or end_s
    return [round(start_s, 3), round(min(end_s, max(length_s, start_s + 0.5)), 3)]


def newest(scores: Scores, facts: FileRecords) -> list[dict[str, Any]]:
    """Every file that the filters let through, each content once: the newest first, those without a date last."""
    kept = scores.rows.select(["path", "taken_at", "taken_from", "digest"]).filter(pa.array(np.isfinite(scores.values)))
    copied = pc.fill_null(pc.equal(kept["taken_from"], "mtime"), True)  # the time of a copy, not of the picture
    tiles: list[dict[str, Any]] = []
    seen: set[str] = set()
    kept = kept.append_column("copied", copied)
    order = pc.sort_indices(kept, sort_keys=[("copied", "ascending"), ("taken_at", "descending")])
    for row in kept.take(order).to_pylist():
        if row["digest"] in seen or len(tiles) >= MOST:
            continue
        seen.add(row["digest"])
        tile = facts.record(row["path"]) | {"score": None, "passes": True, "stacked": []}
        if tile["time_s"] is not None:
            tile |= {"clip": [tile["time_s"], tile["time_s"] + CLIP_S / 2]}
        tiles.append(tile)
    return tiles


def without_scene(scores: Scores, path: str, time_s: float, cutoff: float) -> Scores:
    """The scores without the moment of a frame: whoever asks for what is like it knows it already."""
    own = np.flatnonzero(pc.equal(scores.rows["path"], path).to_numpy())
    own = own[np.argsort(scores.rows["time_s"].take(pa.array(own)).to_numpy())]
    times_s = scores.rows["time_s"].take(pa.array(own)).to_numpy()
    holds = scores.values[own] >= cutoff
    at = int(np.abs(times_s - time_s).argmin())
    first = at - int(np.argmin(np.append(holds[: at + 1][::-1], False))) + 1
    last = at + int(np.argmin(np.append(holds[at:], False))) - 1
    values = scores.values.copy()
    values[own[min(first, at) : max(last, at) + 1]] = np.nan
    return replace(scores, values=values)


def _tile(facts: FileRecords, hit: Hit, scale: Scale) -> dict[str, Any]:
    strength = scale.strength(hit.score)
    return facts.record(hit.path, time_s=hit.time_s, digest=hit.digest) | {
        "score": round(hit.score, 4),
        "strength": round(strength, 3),
        "words": scale.words(hit.score),
        "odds": hit.odds,
        "stacked": [{"path": path, "name": PurePosixPath(path).name} for path in dict.fromkeys(hit.duplicates)],
    }


def _span(moment: Moment) -> dict[str, Any]:
    return {
        "path": moment.path,
        "time_s": moment.peak_s,
        "digest": moment.digest,
        "start_s": moment.start_s,
        "end_s": moment.end_s,
        "name": f"{clock(moment.start_s)} to {clock(moment.end_s)}",
    }
