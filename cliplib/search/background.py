"""Match: how much better a query fits a picture than the other things one might have asked. Arrays in, arrays out.

A cosine alone says little. CLIP gives every text some likeness to every picture, some pictures are near all texts
(hubs), and a sentence reaches 0.33 where "a dog" on a dog reaches 0.23. A *bank* of other texts tells what a picture
would answer to anything: taken from the cosine, it leaves a number that means the same for every picture, query and
model. This is query bank normalisation (Bogolin et al., CVPR 2022), the inverted softmax (Smith et al. 2017) in
logarithms and in the units of a cosine; the gap between texts and pictures is described by Liang et al. 2022.

Asked in words, the match of a query q with a picture x is

    q.x - log(mean over the texts t of the bank of exp(50 t.x)) / 50

that is, its cosine less a soft maximum of the bank's. Fifty is half of the sharpness that CLIP was trained with: at
100 one text that happens to fit decides all, at 0 (the mean) structure of the bank comes through. Texts of the bank
that say the same as the query (cosine 0.95) are left out for it: a query is not its own background.

Asked by a picture, the match is the cosine within the span of the bank's texts: what words can tell apart counts, the
rest (framing, grain, the direction that all pictures share) does not.

How the constants were found, and what else was tried: data/README.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..deprecation import renamed_keywords
from ..errors import QueryError

SHARPNESS = 50.0  # of the soft maximum: half of the 100 by which CLIP multiplies its cosines
SAME_TEXT = 1 - 1e-6  # the cosine of a text with itself, but for rounding
SAME_MEANING = (
    0.95  # texts whose cosine is at least this say the same: "a dog" and "dog"; "a dog" and "a puppy" have 0.945
)
USUAL = 0.8  # the share of the bank that a picture's usual text lies above
MARGIN = 0.024  # by which a query must fit better than that
SHARE = 0.4  # of the best match of the query, which a picture must reach
WINDOW = 0.045  # below the best match, in which its equals lie
SPANNED = 0.95  # of the variance of the bank's texts, which the span holds
LEAST_TEXTS = 64  # that span enough to compare pictures by
ALIKE = 0.55  # the match from which two pictures can be alike
NEARNESS = 0.7  # the window below the best picture, as a share of its distance from the query
MIXED_SHARE = 0.65  # of the way from the median picture to the best, where a composed query is cut
CENTRED_ALIKE, CENTRED_NEARNESS = 0.12, 1.2  # the same two where the bank is of pictures
OF_ONE_KIND = 0.8  # the cosine between the means of a bank and a gallery, both of pictures: texts and photos have 0.3
SAME_PICTURE = 1 - 1e-4  # a match of the query's own row
PAPER_TEXT, PAPER_IMAGE = 0.25, 0.70  # the paper's cutoffs, for where there is no bank
BLOCK = 4096  # rows that are compared with the bank at once: 25 MB for 1,500 texts


class RowStatistics(NamedTuple):
    """What a match needs to know of n rows besides their cosines with the query.

    It depends on the rows and the bank alone, so that it is computed once and kept.

    Attributes:
        level: float32 (n,), the soft maximum of the row's cosines with the bank.
        usual: float32 (n,), the match that four of five texts of the bank stay under.
        span: float32 (n,), the length of the row within the span of the bank's texts; 1 where that spans too little.
    """

    level: np.ndarray
    usual: np.ndarray
    span: np.ndarray


@renamed_keywords(asked="query_kind")
def match(queries: np.ndarray, gallery: np.ndarray, bank: np.ndarray, query_kind: str | None = None) -> np.ndarray:
    """How well each query fits each row, comparable across queries, rows and models.

    Args:
        queries: float (m, d), rows of any length but zero; a row that is zero or not finite matches nothing (NaN).
        gallery: float (n, d), pictures, likewise.
        bank: float (b, d), other texts; for pictures that ask, other pictures will do, the gallery itself for one.
            Without any, the match is the cosine.
        query_kind: "text" or "image", what the queries are. None tells it from each query's embedding: texts lie nearer
            to the bank of texts, pictures nearer to the gallery.

    Returns:
        float32 (m, n), higher is better.

    Raises:
        QueryError: the three are not tables of one width, or `query_kind` is neither.
    """
    return _matches(queries, gallery, bank, query_kind)[0]


@renamed_keywords(asked="query_kind")
def cutoff(queries: np.ndarray, gallery: np.ndarray, bank: np.ndarray, query_kind: str | None = None) -> np.ndarray:
    """The match from which a row is an answer to each query. Nobody has to label anything.

    See `text_cutoff` and `image_cutoff` for the rules. Where the bank is empty the paper's cosines, 0.25 and 0.70.

    Args:
        queries: As for `match`.
        gallery: As for `match`.
        bank: As for `match`.
        query_kind: As for `match`.

    Returns:
        float32 (m,); NaN for a query that matches nothing.

    Raises:
        QueryError: as for `match`.
    """
    return _matches(queries, gallery, bank, query_kind)[1]


def row_statistics(gallery: np.ndarray, bank: np.ndarray, axes: np.ndarray | None = None) -> RowStatistics:
    """The statistics of rows under a bank; zeros, and spans of 1, without one.

    Args:
        gallery: float32 (n, d), unit rows.
        bank: float32 (b, d), unit rows.
        axes: `span_of` the bank, float32 (k, d). None: found here.
    """
    n, b = len(gallery), len(bank)
    level, usual, span = np.zeros(n, np.float32), np.zeros(n, np.float32), np.ones(n, np.float32)
    axes, position = span_of(bank) if axes is None else axes, min(b - 1, int(USUAL * b))
    for start in range(0, n if b else 0, BLOCK):
        part = slice(start, start + BLOCK)
        cosines = gallery[part] @ bank.T
        level[part] = soft_maximum(cosines)
        usual[part] = np.partition(cosines, position, axis=1)[:, position] - level[part]
        if len(axes):
            span[part] = np.linalg.norm(gallery[part] @ axes.T, axis=1)
    return RowStatistics(level, usual, span)


def soft_maximum(cosines: np.ndarray) -> np.ndarray:
    """log(mean(exp(50 c))) / 50 of each row of cosines, float (n, b): float (n,)."""
    highest = cosines.max(axis=1, keepdims=True)
    return highest[:, 0] + np.log(np.exp(SHARPNESS * (cosines - highest)).mean(axis=1)) / SHARPNESS


def same_meaning(queries: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Which texts of the bank, unit rows float (b, d), say the same as each query, float (m, d): bool (m, b)."""
    return queries @ bank.T >= SAME_MEANING


def level_without(level: np.ndarray, cosines: np.ndarray, size: int) -> np.ndarray:
    """The soft maximum of a bank of `size` texts without k of them.

    Args:
        level: float32 (n,), with them.
        cosines: float32 (n, k), of the rows with those k.
        size: more than k.

    Returns:
        float32 (n,)
    """
    share = np.exp(SHARPNESS * (cosines - level[:, None])).sum(axis=1) / size
    rest = np.maximum(1 - share, 1e-6)  # of rounding only
    return level + np.log(rest * (size / (size - cosines.shape[1]))) / SHARPNESS


def span_of(bank: np.ndarray) -> np.ndarray:
    """The axes along which the bank's texts, unit rows float32 (b, d), differ: orthonormal rows, float32 (k, d).

    The fewest principal axes with 95 % of the variance. None, (0, d), for a bank of under 64 texts: too few to compare
    pictures by.
    """
    if len(bank) < LEAST_TEXTS:
        return np.zeros((0, bank.shape[1]), np.float32)
    centred = bank - bank.mean(axis=0)
    variance, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))  # rising
    held = np.cumsum(variance[::-1]) / variance.sum()
    return np.ascontiguousarray(axes[:, ::-1].T[: np.searchsorted(held, SPANNED) + 1], np.float32)


def within(query: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """A picture's embedding within the span of the bank's texts.

    Its product with a row, divided by the row's `span`, is the match.

    Args:
        query: float (d,).
        axes: `span_of` the bank, float32 (k, d).

    Returns:
        float (d,), unit; the query itself where there are no axes.
    """
    if not len(axes):
        return query
    inside = axes.T @ (axes @ query)
    return inside / np.linalg.norm(inside)


def text_cutoff(matches: np.ndarray, usual: float) -> float:
    """Where to cut the matches, float (n,), of a query in words; NaN does not count. `usual`: their `usual_match`.

    Three things are asked of an answer. It fits better, by a margin, than four of five texts of the bank usually do in
    this library: so what is not there finds nothing. It is at least 0.4 as strong as the best. And it lies within 0.045
    of the best: a sentence reaches further than a noun, and what it is about stands alone.
    """
    floor = MARGIN + usual
    best = _highest(matches)
    return max(floor, SHARE * best, best - WINDOW) if np.isfinite(best) else floor


def usual_match(statistics: RowStatistics) -> float:
    """The match that four of five texts of the bank stay under, on the mean over the rows; 0 of no rows."""
    return _mean(statistics.usual)


def image_cutoff(matches: np.ndarray, alike: float = ALIKE, nearness: float = NEARNESS) -> float:
    """Where to cut the matches, float (n,), of a picture that asks; NaN and its own row do not count.

    An answer reaches `alike`, and is not much further away than the nearest picture: twice as far, or so. Beside a
    second shot of the same scene, another scene is no answer.
    """
    best = _highest(matches[~(matches >= SAME_PICTURE)])
    return max(alike, best - nearness * float(np.sqrt(2 - 2 * best))) if np.isfinite(best) else alike


def mixed_cutoff(matches: np.ndarray) -> float:
    """Where to cut the matches, float (n,), of a composed or refined query; NaN does not count.

    What such a sum reaches hangs on its terms, so the library itself is the scale: an answer lies in the upper part of
    the way from the median picture to the best.
    """
    best = _highest(matches)
    return best if not np.isfinite(best) else best - (1 - MIXED_SHARE) * (best - float(np.nanmedian(matches)))


def text_matches(
    cosines: np.ndarray, queries: np.ndarray, gallery: np.ndarray, bank: np.ndarray, statistics: RowStatistics
) -> np.ndarray:
    """The matches of queries in words: float32 (m, n).

    Args:
        cosines: float32 (m, n), of the queries with the gallery.
        queries: float32 (m, d), unit rows.
        gallery: float32 (n, d), unit rows.
        bank: float32 (b, d), unit rows.
        statistics: of the gallery under the bank.
    """
    found = np.empty_like(cosines)
    for number, likeness in enumerate(queries @ bank.T):
        same, own = likeness >= SAME_MEANING, likeness >= SAME_TEXT
        known, others = cosines[number], bank[same & ~own]  # what is at hand: a product over all rows is a search
        left_out = [known[:, None]] * int(own.sum()) + [gallery @ others.T] * bool(len(others))
        together = np.concatenate(left_out, axis=1) if left_out else known[:, None][:, :0]
        found[number] = text_match(known, statistics.level, together, len(bank))
    return found


def text_match(cosines: np.ndarray, level: np.ndarray, same: np.ndarray, size: int) -> np.ndarray:
    """The matches of rows with one query in words.

    Args:
        cosines: float32 (n,), of the rows with the query.
        level: float32 (n,), see `RowStatistics`.
        same: float32 (n, k), of the rows with the texts of the bank that say the same as the query.
        size: How many texts the bank has.

    Returns:
        float32 (n,); the cosines where the bank has no other texts.
    """
    if same.shape[1] == size:
        return cosines.copy()
    return cosines - (level_without(level, same, size) if same.shape[1] else level)


def image_matches(queries: np.ndarray, gallery: np.ndarray, axes: np.ndarray, statistics: RowStatistics) -> np.ndarray:
    """The matches of pictures that ask: float32 (m, n). `axes`: of the bank, see `span_of`; the rest as above."""
    return np.stack([within(query, axes) for query in queries]) @ gallery.T / statistics.span


def _matches(
    queries: np.ndarray, gallery: np.ndarray, bank: np.ndarray, query_kind: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """The matches, float32 (m, n), and the cutoffs, float32 (m,)."""
    if query_kind not in ("text", "image", None):
        raise QueryError(
            f"query_kind is {query_kind!r}: it can be 'text' or 'image', or None to tell it from the embeddings"
        )
    queries, gallery, bank = _tables(queries, gallery, bank)
    matches, cutoffs = queries @ gallery.T, np.full(len(queries), np.nan, np.float32)
    sound = np.isfinite(queries).all(axis=1)
    pictures = _pictures(queries, gallery, bank) if query_kind is None else np.full(len(queries), query_kind == "image")
    words, pictures = np.flatnonzero(sound & ~pictures), np.flatnonzero(sound & pictures)
    axes = span_of(bank) if len(pictures) else bank[:0]
    statistics = row_statistics(gallery, bank, axes)
    if len(words):
        alone = same_meaning(queries[words], bank).all(axis=1)
        matches[words] = text_matches(matches[words], queries[words], gallery, bank, statistics)
        usual = usual_match(statistics)
        cutoffs[words] = [text_cutoff(row, usual) for row in matches[words]]
        cutoffs[words[alone]] = PAPER_TEXT
    if len(pictures):
        matches[pictures], cutoffs[pictures] = _of_pictures(queries[pictures], gallery, bank, axes, statistics)
    return matches, cutoffs


def _of_pictures(
    queries: np.ndarray, gallery: np.ndarray, bank: np.ndarray, axes: np.ndarray, statistics: RowStatistics
) -> tuple[np.ndarray, np.ndarray]:
    """The matches and cutoffs of pictures that ask, whatever the bank is of."""
    if len(bank) and _direction(bank) @ _direction(gallery) > OF_ONE_KIND:
        mean = bank.mean(axis=0)
        matches = _unit(queries - mean) @ _unit(gallery - mean).T
        return matches, np.array([image_cutoff(row, CENTRED_ALIKE, CENTRED_NEARNESS) for row in matches], np.float32)
    if not len(axes):
        return queries @ gallery.T, np.full(len(queries), PAPER_IMAGE, np.float32)
    matches = image_matches(queries, gallery, axes, statistics)
    return matches, np.array([image_cutoff(row) for row in matches], np.float32)


def _tables(*tables: np.ndarray) -> list[np.ndarray]:
    """Each at unit rows, float32; what is zero or not finite becomes a row of NaN. A bank leaves such rows out."""
    found = []
    for name, table in zip(("queries", "gallery", "bank"), tables, strict=True):
        table = np.asarray(table, np.float32)
        if table.ndim != 2 and table.size:
            raise QueryError(f"{name} has the shape {table.shape}: give rows, (number, width)")
        found.append(table.reshape(len(table), -1) if table.size else None)
    widths = {table.shape[1] for table in found if table is not None}
    if len(widths) > 1:
        raise QueryError(f"the rows are {sorted(widths)} wide: queries, gallery and bank must be of one model")
    width = widths.pop() if widths else 0
    unit = [_unit(np.zeros((0, width), np.float32) if table is None else table) for table in found]
    unit[2] = unit[2][np.isfinite(unit[2]).all(axis=1)]
    return unit


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows at length one, float32; NaN where a row has no direction."""
    rows = rows.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[~np.isfinite(lengths) | (lengths == 0)] = np.nan
    with np.errstate(invalid="ignore"):
        return (rows / lengths).astype(np.float32)


def _direction(rows: np.ndarray) -> np.ndarray:
    """Where the rows lie on the whole, float (d,): zero where there are none."""
    rows = rows[np.isfinite(rows).all(axis=1)]
    mean = rows.mean(axis=0) if len(rows) else np.zeros(rows.shape[1], np.float32)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


def _pictures(queries: np.ndarray, gallery: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Which queries are pictures: bool (m,).

    CLIP keeps texts and pictures in two cones (Liang et al. 2022): on the recordings all texts lie nearer to the bank,
    by 0.01 to 0.7, and all photos nearer to the gallery, by 0.1 to 0.8.
    """
    to_bank = queries @ _direction(bank) if len(bank) else 0.5
    return queries @ _direction(gallery) >= to_bank - 1e-6


def _mean(values: np.ndarray) -> float:
    """The mean of what is finite; 0 of nothing."""
    if not len(values) or not np.isfinite(values.sum()):  # the rule copies nothing
        values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else 0.0


def _highest(values: np.ndarray) -> float:
    """The highest that is finite; NaN of nothing."""
    highest = float(np.fmax.reduce(values)) if len(values) else float("nan")
    if np.isfinite(highest):
        return highest
    values = values[np.isfinite(values)]
    return float(values.max()) if len(values) else float("nan")
