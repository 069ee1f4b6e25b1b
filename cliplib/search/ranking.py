"""Ranking: cosine similarity, top-k, composed and refined queries, near-duplicates, the noise floor.

Arrays in, arrays out.

Exact search is enough: a million rows of 512 numbers take 0.15 s, far less than encoding the query feels like, so there
is no approximate index to build, tune or keep in step.
"""

import numpy as np

from ..errors import QueryError

CANCELLED = 0.01  # a sum this short, as a share of its factors, is rounding: one photo encoded twice differs by as much
ROUNDING = 1e-6  # of a cosine in float32: two copies may come out a little under 1
CHUNK_ROWS = 512  # rows whose best is looked for at once, where only the best of all are wanted
BLOCK = 128  # candidates among which leaders are looked for, before these are compared with the whole gallery


def unit(vector: np.ndarray) -> np.ndarray:
    """`vector`, float (d,), at length one as float32. QueryError when it has no direction (zero or not finite)."""
    vector = np.asarray(vector, dtype=np.float64).reshape(-1)
    norm = np.linalg.norm(vector)
    if not np.isfinite(norm) or norm == 0:
        raise QueryError(
            "the query has no direction: its embedding is zero or not finite. Try other words or another picture"
        )
    return (vector / norm).astype(np.float32)


def cosines(gallery: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Cosine similarity of each row of `gallery`, float32 (n, d) unit rows, with `query`, float (d,): float32 (n,).

    Several queries, float (m, d), are one product of matrices, many times faster than one by one: float32 (m, n).
    """
    query = unit(query) if np.ndim(query) == 1 else np.stack([unit(one) for one in query])
    if gallery.shape[1] != query.shape[-1]:
        raise QueryError(
            f"the query has {query.shape[-1]} numbers, the index {gallery.shape[1]}: they are of different models"
        )
    return gallery @ query if query.ndim == 1 else query @ gallery.T


def composed(embeddings: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """The direction of a weighted sum: unit rows, float (m, d), times `factors`, float (m,), gives float32 (d,).

    Directions add up because the embeddings are unit vectors: each term pulls as hard as its factor. QueryError for no
    terms, and for terms that cancel.
    """
    embeddings, factors = np.asarray(embeddings, np.float64), np.asarray(factors, np.float64)
    if not len(factors):
        raise QueryError("the query has no terms: begin with cliplib.text('a dog') or cliplib.image('pool.jpg')")
    total = factors @ embeddings
    if np.linalg.norm(total) <= CANCELLED * np.abs(factors).sum():
        raise QueryError("the query has no direction: its terms cancel. Change a factor, or take one of them out")
    return unit(total)


def rocchio(
    query: np.ndarray,
    relevant: np.ndarray,
    irrelevant: np.ndarray,
    keep: float = 1.0,
    towards: float = 0.75,
    away: float = 0.15,
) -> np.ndarray:
    """The query moved by what was marked: `keep` q + `towards` mean(relevant) - `away` mean(irrelevant), float32 (d,).

    query: unit, float (d,). relevant, irrelevant: unit rows, float (r, d) and (s, d); either may be empty. Rocchio's
    formula (1971), with the factors that Manning, Raghavan and Schütze call reasonable (Introduction to Information
    Retrieval, 2008, section 9.1.1): what is wanted tells more than what is not.
    """
    rows, factors = [np.asarray(query, np.float64)[None]], [keep]
    for marked, factor in ((relevant, towards), (irrelevant, -away)):
        if len(marked):
            rows.append(marked)
            factors += [factor / len(marked)] * len(marked)
    return composed(np.concatenate(rows), np.array(factors))


def noise_floor(best_scores: np.ndarray) -> float:
    """What nonsense reaches: the 95th percentile of the best cosines, float (n,), that n meaningless queries found.

    A best score above it comes from nonsense once in twenty times. The largest would follow the one oddest text, and
    the mean would call half of all nonsense a find.
    """
    return float(np.percentile(best_scores, 95))


def top_k(scores: np.ndarray, k: int, threshold: float = -1.0) -> np.ndarray:
    """Positions of the best `k` scores that are at least `threshold`, best first, of equal scores the earlier first.

    Args:
        scores: float (n,); NaN marks a row that may not be found.
        k: At least 1.
        threshold: A cosine.

    Returns:
        int64, at most k.

    Raises:
        QueryError: `k` is no number of results, or the threshold no cosine.
    """
    check_k(k)
    threshold = checked_cosine(threshold)
    passing = np.flatnonzero(scores >= max(threshold, _reached(scores, k)))
    if len(passing) > k:
        kth = np.partition(scores[passing], len(passing) - k)[len(passing) - k]
        passing = passing[scores[passing] >= kth]  # all that are equal at the k-th place: the stable sort decides
    return passing[np.argsort(-scores[passing], kind="stable")][:k]


def _reached(scores: np.ndarray, k: int) -> float:
    """A score that at least `k` of many reach; -1 where there are too few.

    The best of each chunk of rows tell it, so that millions need not be partitioned.
    """
    chunks = len(scores) // CHUNK_ROWS
    if chunks < 2 * k:
        return -1.0
    best = np.fmax.reduce(scores[: chunks * CHUNK_ROWS].reshape(chunks, CHUNK_ROWS), axis=1)
    best = np.where(np.isnan(best), -1.0, best)
    return float(np.partition(best, chunks - k)[chunks - k])


def checked_cosine(threshold: float | str) -> float:
    """A threshold as a number; QueryError where it is no cosine."""
    try:
        value = float(threshold)
    except (TypeError, ValueError):
        value = float("nan")
    if not -1 <= value <= 1:
        raise QueryError(
            f"the threshold is {threshold!r:.60}: cosines lie between -1 and 1 (the paper: 0.25 for text, 0.70 for "
            "images)"
        )
    return value


def group_near_duplicates(gallery: np.ndarray, order: np.ndarray, k: int, least_cosine: float) -> list[np.ndarray]:
    """The first `k` groups of near-duplicates: of each, the positions in the gallery, the best first.

    gallery: float32 (n, d), unit rows. order: int (m,), positions of candidates, best first. The best candidate that is
    in no group yet leads the next one, and takes in all others, not yet in a group, whose cosine with it is at least
    `least_cosine`. So members are like their leader, not always like one another: a slow pan across a beach does not
    become one long chain. QueryError for a k or cosine that is none.
    """
    check_k(k)
    if not 0 < least_cosine <= 1:
        raise QueryError(
            f"near_duplicates is {least_cosine!r}: give the cosine from which two pictures are one, over 0 and at most "
            "1"
        )
    if 2 * len(order) < len(gallery):  # copying most of a gallery costs more than comparing with all of it
        gallery, rows = gallery[order], np.arange(len(order))
    else:
        rows = order
    group, found, least = np.full(len(order), -1), 0, least_cosine - ROUNDING
    while found < k and (group < 0).any():
        block = np.flatnonzero(group < 0)[:BLOCK]
        near, leaders = gallery[rows[block]] @ gallery[rows[block]].T >= least, list[int]()
        for candidate in range(len(block)):
            if len(leaders) < k - found and not near[candidate, leaders].any():
                leaders.append(candidate)
        near = (gallery @ gallery[rows[block[leaders]]].T)[rows] >= least
        for column, leader in enumerate(block[leaders]):
            group[(group < 0) & near[:, column]] = found
            group[leader] = found  # a stored row is a little longer or shorter than 1
            found += 1
    return [order[group == number] for number in range(found)]


def check_k(k: int) -> None:
    """QueryError where `k` is no number of results."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise QueryError(f"k is {k!r:.60}: the number of results must be a whole number of at least 1")
