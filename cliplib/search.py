"""Ranking: cosine similarity and top-k. Arrays in, arrays out.

Exact search is enough: a million rows of 512 numbers take 0.15 s, far less than encoding the query feels like, so there
is no approximate index to build, tune or keep in step.
"""

import numpy as np

from .errors import QueryError


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
    """Cosine similarity of each row of `gallery`, float32 (n, d) unit rows, with `query`, float (d,): float32 (n,)."""
    query = unit(query)
    if gallery.shape[1] != len(query):
        raise QueryError(
            f"the query has {len(query)} numbers, the index {gallery.shape[1]}: they are of different models"
        )
    return gallery @ query


def top_k(scores: np.ndarray, k: int, threshold: float = -1.0) -> np.ndarray:
    """Positions of the best `k` scores that are at least `threshold`, best first; of equal scores the earlier first:
    int64 (<= k,).

    NaN marks a row that may not be found. QueryError when k is under 1 or the threshold is no cosine.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise QueryError(f"k is {k!r}: the number of results must be a whole number of at least 1")
    if not -1 <= threshold <= 1:
        raise QueryError(
            f"the threshold is {threshold!r}: cosines lie between -1 and 1 (the paper: 0.25 for text, 0.70 for images)"
        )
    passing = np.flatnonzero(scores >= threshold)
    if len(passing) > k:
        kth = np.partition(scores[passing], len(passing) - k)[len(passing) - k]
        passing = passing[
            scores[passing] >= kth
        ]  # with ties at the k-th place, all of them: the stable sort then decides
    return passing[np.argsort(-scores[passing], kind="stable")][:k]
