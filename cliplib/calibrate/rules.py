"""Rules that take a cutoff from judged scores: arrays in, numbers out.

A rule is a function of `Judged` that gives one number, beside the source it comes from. Most numbers are cosines; those
of the two per-query rules say where to cut the scores of each query.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import JudgementError
from ..search import ranking

COLUMNS = {"scores": float, "relevant": bool, "query": np.int64, "weight": float}


@dataclass(frozen=True)
class Judged:
    """n judged scores of q queries.

    scores: float (n,), cosines. relevant: bool (n,). query: int (n,), 0 to q - 1. weight: float (n,), how many pictures
    each stands for (None: itself alone), see `lab.weights`. noise: float (m,), the best score that each of m nonsense
    queries reached over the whole library. JudgementError when the lengths differ or a score is not finite.
    """

    scores: np.ndarray
    relevant: np.ndarray
    query: np.ndarray
    weight: np.ndarray | None = None
    noise: np.ndarray = ()

    def __post_init__(self):
        if self.weight is None:
            object.__setattr__(self, "weight", np.ones(len(self.scores)))
        for name, kind in {**COLUMNS, "noise": float}.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), kind))
        lengths = {name: len(getattr(self, name)) for name in COLUMNS}
        if len(set(lengths.values())) > 1:
            raise JudgementError(f"one entry for each judgement is needed in each column, got {lengths}")
        if not np.isfinite(self.scores).all():
            raise JudgementError(f"{int((~np.isfinite(self.scores)).sum())} scores are not finite: leave them out")

    def __len__(self) -> int:
        return len(self.scores)

    @cached_property
    def queries(self) -> np.ndarray:
        """The numbers of the queries, sorted: int (q,)."""
        return np.unique(self.query)

    @cached_property
    def ranked(self) -> list[np.ndarray]:
        """The rows of each of `queries`, best first: q arrays of positions."""
        order = np.lexsort((-self.scores, self.query))
        return np.split(order, np.searchsorted(self.query[order], self.queries)[1:])

    def of(self, queries) -> Judged:
        """The judgements of some of the queries."""
        keep = np.isin(self.query, queries)
        return replace(self, **{name: getattr(self, name)[keep] for name in COLUMNS})

    def need(self, *classes: bool) -> None:
        """JudgementError unless there are relevant (True), irrelevant (False) judgements, as asked."""
        for wanted in classes:
            if not (self.relevant == wanted).any():
                word, says = ("relevant", "no") if wanted else ("irrelevant", "yes")
                raise JudgementError(
                    f"this rule needs at least one {word} picture, and all {len(self)} judgements say {says}: judge "
                    f"more pictures, also {'of queries that have a match' if wanted else 'poor matches'}"
                )


@dataclass(frozen=True)
class Rule:
    """A rule: `fit(judged)` gives its number; `source` says where it comes from, `meaning` what it does.

    `at(scores, number)` turns the number into a cosine for the scores (m,) of one query; None when the number is one.
    """

    fit: Callable[[Judged], float]
    source: str
    meaning: str
    at: Callable[[np.ndarray, float], float] | None = None

    def cutoffs(self, judged: Judged, number: float) -> np.ndarray:
        """The cosine at which each of `judged.queries` is cut: float (q,)."""
        if self.at is None:
            return np.full(len(judged.queries), number)
        return np.array([self.at(judged.scores[rows], number) for rows in judged.ranked])


def lowest_relevant(judged: Judged) -> float:
    """The mean over queries of the lowest score among their relevant pictures; queries without any do not count."""
    judged.need(True)
    found = [judged.scores[rows][judged.relevant[rows]] for rows in judged.ranked]
    return float(np.mean([scores[-1] for scores in found if len(scores)]))


def best_f1(judged: Judged) -> float:
    """The cutoff with the highest mean over queries of F1; of several the highest.

    F1 can only be highest where a relevant picture is the last to be accepted, so only their scores are tried. The
    cutoff lies halfway to the next lower score.
    """
    judged.need(True)
    tried = np.unique(judged.scores[judged.relevant])[::-1]
    f1 = rates(*counts(judged, np.broadcast_to(tried, (len(judged.queries), len(tried)))))[2]
    return _below(judged, tried[int(f1.mean(0).argmax())])


def noise_floor(judged: Judged) -> float:
    """Just above `ranking.noise_floor`, what 95 % of the nonsense queries do not pass; it needs no judgements.

    JudgementError when no nonsense query was scored.
    """
    if not len(judged.noise):
        raise JudgementError("the noise floor needs scores of nonsense queries: give Judged(noise=...)")
    return float(np.nextafter(ranking.noise_floor(judged.noise), np.inf))


def recall_at_precision(judged: Judged, precision: float = 0.9) -> float:
    """The lowest cutoff at which, over all queries together, `precision` of what is accepted is relevant.

    JudgementError when no cutoff reaches it.
    """
    from sklearn.metrics import precision_recall_curve

    judged.need(True)
    reached, _, cutoffs = precision_recall_curve(judged.relevant, judged.scores, sample_weight=judged.weight)
    enough = np.flatnonzero(reached[:-1] >= precision)
    if not len(enough):
        raise JudgementError(
            f"no cutoff has a precision of {precision}: the best is {reached[:-1].max():.2f}. Ask for less, or judge "
            "more queries"
        )
    return _below(judged, cutoffs[enough[0]])


def youden(judged: Judged) -> float:
    """The cutoff with the largest sum of sensitivity and specificity, over all queries together; of several the
    highest.
    """
    from sklearn.metrics import roc_curve

    judged.need(True, False)
    false, true, cutoffs = roc_curve(judged.relevant, judged.scores, sample_weight=judged.weight)
    return _below(judged, cutoffs[1:][int((true - false)[1:].argmax())])  # the first accepts nothing


def percentile_of_irrelevant(judged: Judged, percent: float = 99.0) -> float:
    """The score that `percent` of the irrelevant pictures do not pass."""
    judged.need(False)
    scores, weight = judged.scores[~judged.relevant], judged.weight[~judged.relevant]
    order = np.argsort(scores)
    reached = np.cumsum(weight[order]) >= weight.sum() * percent / 100 * (1 - 1e-12)
    return float(np.nextafter(scores[order][int(reached.argmax())], np.inf))


def share_of_best(judged: Judged) -> float:
    """The share of each query's best score with the highest mean F1. A best score of 0 or less is accepted alone."""
    best = np.empty(len(judged))
    for rows in judged.ranked:
        best[rows] = judged.scores[rows[0]]
    shares = np.divide(judged.scores, best, out=(judged.scores >= best).astype(float), where=best > 0)
    return best_f1(replace(judged, scores=shares))


def at_share(scores: np.ndarray, share: float) -> float:
    """Where `share_of_best` cuts the scores (m,) of one query."""
    best = float(scores.max())
    return share * best if best > 0 else best


def at_largest_gap(scores: np.ndarray, _: float = 0.0) -> float:
    """The middle of the largest gap between neighbouring scores (m,) of one query; of equal gaps the highest."""
    ranked = np.sort(scores)[::-1]
    if len(ranked) < 2:
        return float(ranked[0])
    first = int((ranked[:-1] - ranked[1:]).argmax())
    return float((ranked[first] + ranked[first + 1]) / 2)


RULES = {
    "paper": Rule(lowest_relevant, "the paper, section 6.3", "mean over queries of the lowest relevant score"),
    "best F1": Rule(
        best_f1, "van Rijsbergen 1979; Lipton and others 2014", "the highest mean F1 of the judged queries"
    ),
    "noise floor": Rule(
        noise_floor, "Currie 1968, the critical level over blanks", "above what 95 % of nonsense queries reach"
    ),
    "precision 0.9": Rule(
        recall_at_precision, "the precision-recall curve, scikit-learn", "the highest recall at a precision of 0.9"
    ),
    "Youden": Rule(youden, "Youden 1950", "the largest sum of sensitivity and specificity"),
    "99th percentile": Rule(
        percentile_of_irrelevant, "Neyman and Pearson 1933, a fixed false alarm rate", "above 99 % of the irrelevant"
    ),
    "share of best": Rule(
        share_of_best, "min-p, as asked for in CLIPPyX issue 2", "a share of the query's own best score", at_share
    ),
    "largest gap": Rule(
        lambda judged: 0.0, "practice, as in TIBCO Patterns' gap cutoff", "the query's own largest gap", at_largest_gap
    ),
}
IN_FRONT = ("paper", "best F1", "noise floor")


def counts(judged: Judged, cutoffs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True positives, false positives and false negatives of each query at cutoffs (q,) or (q, c): three of that shape.

    Accepted is a score of at least the cutoff. Counts are sums of weights.
    """
    cutoffs = np.asarray(cutoffs, float)
    accepted, found, all_relevant = (np.zeros(cutoffs.shape) for _ in range(3))
    for number, rows in enumerate(judged.ranked):
        scores, weight = judged.scores[rows], judged.weight[rows]
        relevant = weight * judged.relevant[rows]
        passing = np.searchsorted(-scores, -cutoffs[number], side="right")
        accepted[number] = np.concatenate([[0.0], np.cumsum(weight)])[passing]
        found[number] = np.concatenate([[0.0], np.cumsum(relevant)])[passing]
        all_relevant[number] = relevant.sum()
    return found, np.maximum(accepted - found, 0), np.maximum(all_relevant - found, 0)


def rates(tp, fp, fn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 from counts of any one shape, as scikit-learn's with zero_division=1.

    Nothing accepted is a precision of 1, nothing to find a recall of 1; F1 is 1 only where both hold.
    """

    def divide(part, whole):
        return np.divide(part, whole, out=np.ones_like(whole, float), where=whole > 0)

    return divide(tp, tp + fp), divide(tp, tp + fn), divide(2 * tp, 2 * tp + fp + fn)


def _below(judged: Judged, score: float) -> float:
    """Halfway from `score` to the next lower one, or `score` itself when it is the lowest."""
    lower = judged.scores[judged.scores < score]
    return float((score + lower.max()) / 2 if len(lower) else score)
