"""Rules that take a cutoff from judged scores: arrays in, numbers out.

A rule is a function of `Judged` that gives one number, beside the source it comes from. Most numbers are cosines; those
of the per-query rules say where to cut the scores of each query. Where only a sample was judged, a rule works on what
is to be expected of the unjudged pictures (see `relevance`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np

from ..deprecation import renamed_attribute
from ..errors import JudgementError
from ..search import ranking
from .relevance import TEMPER, Expectation, RelevanceModel, Unjudged, relevance_features
from .sampling import BELOW, TOP, Sample, sample

COLUMNS = {"scores": float, "relevant": bool, "query": np.int64, "weight": float}
TRIED = 200  # cutoffs that are compared at most where only a sample was judged


@dataclass(frozen=True)
class Judged:
    """n judged scores of q queries, and the scores that nobody judged.

    Args:
        scores: float (n,), cosines.
        relevant: bool (n,).
        query: int (n,), 0 to q - 1.
        weight: float (n,), one over the probability with which each was chosen to be judged, see `sampling`; empty:
            all were judged.
        noise: float (m,), the best score that each of m nonsense queries reached over the whole library.
        unjudged: the unjudged pictures. None where there are none, or where only the weights are known: then a judged
            picture of weight w stands for w - 1 unjudged ones with its score.
        borrowed: another ranking than that of `scores` chose the pictures. Then only the weights tell what the
            unjudged ones are like.
        model: the fitted `RelevanceModel`; None: fitted when first needed.

    Raises:
        JudgementError: when the lengths differ, a score is not finite, or a weight is under 1.
    """

    scores: np.ndarray
    relevant: np.ndarray
    query: np.ndarray
    weight: np.ndarray = field(default_factory=lambda: np.empty(0))
    noise: np.ndarray = field(default_factory=lambda: np.empty(0))
    unjudged: Unjudged | None = None
    borrowed: bool = False
    model: RelevanceModel | None = None

    def __post_init__(self) -> None:
        if self.weight is None or not len(self.weight):
            object.__setattr__(self, "weight", np.ones(len(self.scores)))
        for name, kind in {**COLUMNS, "noise": float}.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), kind))
        lengths = {name: len(getattr(self, name)) for name in COLUMNS}
        if len(set(lengths.values())) > 1:
            raise JudgementError(f"one entry for each judgement is needed in each column, got {lengths}")
        if not np.isfinite(self.scores).all():
            raise JudgementError(f"{int((~np.isfinite(self.scores)).sum())} scores are not finite: leave them out")
        if not (self.weight >= 1).all():
            raise JudgementError("a weight is one over a probability, and at least 1: leave out what has none")

    @classmethod
    def of_samples(
        cls,
        scores: Sequence[np.ndarray],
        samples: Sequence[Sample],
        relevant: Sequence[np.ndarray],
        noise: Sequence[float] | np.ndarray = (),
    ) -> Judged:
        """The judgements of q queries, each of which was sampled from all its scores.

        Args:
            scores: for each query those of every picture, float (n,).
            samples: for each query what `sampling.sample` gave.
            relevant: for each query the answers for the sample's rows, in their order, bool.
            noise: as above.
        """
        known = [np.asarray(of, float)[one.rows] for of, one in zip(scores, samples, strict=True)]
        unjudged = [
            Unjudged.of(np.delete(of, one.rows), number)
            for number, (of, one) in enumerate(zip(scores, samples, strict=True))
        ]
        number = np.repeat(np.arange(len(samples)), [len(one) for one in samples])
        weight = 1 / np.concatenate([one.probability for one in samples])
        return cls(
            np.concatenate(known),
            np.concatenate(relevant),
            number,
            weight,
            np.asarray(noise, float),
            Unjudged.joined(unjudged),
        )

    def __len__(self) -> int:
        return len(self.scores)

    is_whole = renamed_attribute("Judged.is_whole", "all_judged")

    @cached_property
    def queries(self) -> np.ndarray:
        """The numbers of the queries, sorted: int (q,)."""
        return np.unique(self.query)

    @cached_property
    def ranked(self) -> list[np.ndarray]:
        """The rows of each of `queries`, best first: q arrays of positions."""
        order = np.lexsort((-self.scores, self.query))
        return np.split(order, np.searchsorted(self.query[order], self.queries)[1:])

    @property
    def all_judged(self) -> bool:
        """Whether every picture of every query was judged."""
        return bool((self.weight == 1).all()) and (self.unjudged is None or not len(self.unjudged.scores))

    @cached_property
    def expectation(self) -> Expectation | None:
        """What to expect of the unjudged pictures; None where there are none."""
        if self.all_judged:
            return None
        if self.unjudged is None:
            every = Unjudged(self.scores, self.query, self.weight)
        else:
            every = Unjudged.joined([Unjudged(self.scores, self.query, np.ones(len(self))), self.unjudged])
        features = relevance_features(every.scores, every.query, every.count, by_query=self.unjudged is not None)
        judged, others = features[: len(self)], features[len(self) :]
        unjudged = self.unjudged
        if unjudged is None or self.borrowed:
            unjudged, others = Unjudged(self.scores, self.query, self.weight - 1), judged
        model = self.model or RelevanceModel.fit(judged, self.relevant, self.query, self.weight**TEMPER)
        if self.borrowed and not self.model:
            model = model.balanced(judged, self.relevant, self.query, self.weight - 1)
        order = np.lexsort((-unjudged.scores, unjudged.query))
        unjudged = Unjudged(*(getattr(unjudged, one.name)[order] for one in fields(Unjudged)))
        ranked = [(self.scores[rows], np.concatenate([[0], np.cumsum(self.relevant[rows])])) for rows in self.ranked]
        return Expectation(self.queries, ranked, unjudged, others[order], judged, model)

    def of(self, queries: np.ndarray) -> Judged:
        """The judgements of some of the queries, int (q',). The model of the unjudged pictures stays that of all."""
        keep = np.isin(self.query, queries)
        columns = {name: getattr(self, name)[keep] for name in COLUMNS}
        if self.expectation is None:
            return replace(self, **columns)
        unjudged = None if self.unjudged is None else self.unjudged.of_queries(queries)
        model = self.expectation.model.for_queries(self.queries[np.isin(self.queries, queries)])
        return replace(self, **columns, unjudged=unjudged, model=model)

    def clicked(self, top: int = TOP, below: int = BELOW, seed: int = 0) -> Judged:
        """What 15 clicks a query would tell: only a `sampling.sample` of each query, where all pictures were judged."""
        self.require_all_judged("what a sample would show", "it")
        scores = [self.scores[rows] for rows in self.ranked]
        samples = [sample(of, top, below, seed + number) for number, of in enumerate(scores)]
        answers = [self.relevant[rows][one.rows] for rows, one in zip(self.ranked, samples, strict=True)]
        return Judged.of_samples(scores, samples, answers, self.noise)

    def require_classes(self, *classes: bool) -> None:
        """JudgementError unless there are judgements of each of these classes: True is relevant, False irrelevant."""
        for wanted in classes:
            if not (self.relevant == wanted).any():
                word, says = ("relevant", "no") if wanted else ("irrelevant", "yes")
                raise JudgementError(
                    f"this rule needs at least one {word} picture, and all {len(self)} judgements say {says}: judge "
                    f"more pictures, also {'of queries that have a match' if wanted else 'poor matches'}"
                )

    def require_all_judged(self, rule: str, what: str) -> None:
        """JudgementError unless every picture was judged: `what` of the `rule` depends on which ones were."""
        if not self.all_judged:
            raise JudgementError(
                f"{rule} needs every picture judged: of a sample, {what} depends on which pictures were chosen. Take "
                "another rule, or judge them all"
            )

    @cached_property
    def every_score(self) -> tuple[np.ndarray, np.ndarray]:
        """The scores of all pictures, judged or not, and their queries: float and int (n + m,)."""
        if self.expectation is None:
            return self.scores, self.query
        others = self.expectation.unjudged
        return np.concatenate([self.scores, others.scores]), np.concatenate([self.query, others.query])

    @cached_property
    def pictures(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every picture, judged or not.

        Returns:
            Three of float (n + m,): the score, how likely it is relevant (0 or 1 where judged), how many it stands for.
        """
        found = [(self.scores, self.relevant.astype(float), np.ones(len(self)))]
        if self.expectation:
            found.append((self.expectation.unjudged.scores, self.expectation.shares(), self.expectation.unjudged.count))
        scores, share, count = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return scores, share, count

    def as_weighted_classes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`pictures` as scikit-learn takes them, each once as relevant and once as irrelevant.

        Returns:
            relevant bool, scores float and weight float, one each for up to 2 (n + m) rows.
        """
        scores, share, count = self.pictures
        relevant = np.repeat([True, False], len(scores))
        weight = np.concatenate([count * share, count * (1 - share)])
        kept = weight > 0
        return relevant[kept], np.tile(scores, 2)[kept], weight[kept]

    @cached_property
    def best(self) -> np.ndarray:
        """The best score of each query, judged or not: float (q,)."""
        best = np.array([self.scores[rows[0]] for rows in self.ranked])
        if self.unjudged is not None and len(self.unjudged.scores):
            np.maximum.at(best, np.searchsorted(self.queries, self.unjudged.query), self.unjudged.scores)
        return best

    def rates(self, cutoffs: np.ndarray) -> np.ndarray:
        """Precision, recall and F1 of each query, those to be expected where only a sample was judged.

        Args:
            cutoffs: float (c,), the same for all queries, or (q, c).

        Returns:
            float (q, c, 3).
        """
        cutoffs = np.broadcast_to(np.asarray(cutoffs, float), (len(self.queries), np.shape(cutoffs)[-1]))
        if self.expectation:
            return self.expectation.rates(cutoffs)
        return np.stack(rates(*counts(self, cutoffs)), axis=-1)

    def values(self, cutoffs: np.ndarray) -> np.ndarray:
        """`rates` of each query at its own cutoff, float (q,), for means and intervals: float (q, 3).

        Where only a sample was judged, the query's influence on the model is added to each value. The mean stays the
        same, and the variance holds the model's own uncertainty. Single values may then leave 0 to 1.
        """
        if self.expectation:
            return self.expectation.values(np.broadcast_to(cutoffs, len(self.queries)))
        return self.rates(np.broadcast_to(cutoffs, len(self.queries))[:, None])[:, 0]


@dataclass(frozen=True)
class Matched:
    """The same judgements by match, and where a search without labels cuts: see `search.background`.

    Args:
        judged: as the other, with matches as scores.
        cutoffs: float (q,), the cutoff without labels of each query.
    """

    judged: Judged
    cutoffs: np.ndarray

    def values(self) -> np.ndarray:
        """`Judged.values` at these cutoffs: float (q, 3). No query is held out, for nothing was fitted."""
        return self.judged.values(self.cutoffs)


@dataclass(frozen=True)
class Rule:
    """A rule for a cutoff.

    Args:
        fit: gives the rule's number for a `Judged`.
        source: where the rule comes from.
        meaning: what it does, in a few words.
        per_query: turns the number into a cosine for each query, float (q,). None: the number is the cosine of all.
    """

    fit: Callable[[Judged], float]
    source: str
    meaning: str
    per_query: Callable[[Judged, float], np.ndarray] | None = None

    def cutoffs(self, judged: Judged, number: float) -> np.ndarray:
        """The cosine at which each of `judged.queries` is cut: float (q,)."""
        return np.full(len(judged.queries), number) if self.per_query is None else self.per_query(judged, number)


def lowest_relevant(judged: Judged) -> float:
    """The mean over queries of the lowest score among their relevant pictures; queries without any do not count."""
    judged.require_classes(True)
    judged.require_all_judged("the paper's rule", "the lowest relevant score")
    found = [judged.scores[rows][judged.relevant[rows]] for rows in judged.ranked]
    return float(np.mean([scores[-1] for scores in found if len(scores)]))


def best_f1(judged: Judged) -> float:
    """The cutoff with the highest mean over queries of F1; of several the highest.

    The cutoffs that are tried lie halfway from a relevant picture's score to the next lower score: F1 can only be
    highest where a relevant picture is the last to be accepted.
    """
    judged.require_classes(True)
    tried = _tried(judged, judged.every_score[0], judged.scores)
    return float(tried[judged.rates(tried)[:, :, 2].mean(0).argmax()])


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

    judged.require_classes(True)
    relevant, scores, weight = judged.as_weighted_classes()
    reached, _, cutoffs = precision_recall_curve(relevant, scores, sample_weight=weight)
    enough = np.flatnonzero(reached[:-1] >= precision)
    if not len(enough):
        raise JudgementError(
            f"no cutoff has a precision of {precision}: the best is {reached[:-1].max():.2f}. Ask for less, or judge "
            "more queries"
        )
    return _below(judged, cutoffs[enough[0]])


def youden(judged: Judged) -> float:
    """The cutoff with the largest sum of sensitivity and specificity, of several the highest; all queries together."""
    from sklearn.metrics import roc_curve

    judged.require_classes(True, False)
    relevant, scores, weight = judged.as_weighted_classes()
    false, true, cutoffs = roc_curve(relevant, scores, sample_weight=weight)
    return _below(judged, cutoffs[1:][int((true - false)[1:].argmax())])  # the first accepts nothing


def percentile_of_irrelevant(judged: Judged, percent: float = 99.0) -> float:
    """The score that `percent` of the irrelevant pictures do not pass."""
    judged.require_classes(False)
    scores, share, count = judged.pictures
    irrelevant = share < 1
    scores, weight = scores[irrelevant], (count * (1 - share))[irrelevant]
    order = np.argsort(scores)
    reached = np.cumsum(weight[order]) >= weight.sum() * percent / 100 * (1 - 1e-12)
    return float(np.nextafter(scores[order][int(reached.argmax())], np.inf))


def miss_at_most(judged: Judged, miss: float = 0.2) -> float:
    """The highest cutoff at which a new query is to be expected to miss at most `miss` of its relevant pictures.

    Conformal risk control, with the share that is missed as the loss. What holds is the mean over queries like the
    judged ones, not each query; and where only a sample was judged, as far as the estimate of recall holds.
    JudgementError when there are too few queries for any cutoff to promise that.
    """
    judged.require_classes(True)
    q = len(judged.queries)
    if 1 / (q + 1) > miss:
        raise JudgementError(
            f"{q} judged queries cannot promise to miss at most {miss:.0%}: judge at least {int(np.ceil(1 / miss)) - 1}"
        )
    tried = _tried(judged, judged.every_score[0], judged.scores)
    risk = (q / (q + 1)) * (1 - judged.rates(tried)[:, :, 1].mean(0)) + 1 / (q + 1)
    kept = np.flatnonzero(risk <= miss + 1e-12)
    return float(tried[kept[0]] if len(kept) else judged.every_score[0].min())


def share_of_best(judged: Judged, floor: float = -np.inf) -> float:
    """The share of each query's best score with the highest mean F1; `floor`: no query is cut below that."""
    judged.require_classes(True)
    best = np.maximum(judged.best, 1e-12)
    scores, query = judged.every_score
    shares = np.minimum(scores / best[np.searchsorted(judged.queries, query)], 1.0)
    tried = _tried(judged, shares, shares[: len(judged)])
    cutoffs = np.maximum(np.stack([at_share(judged, share) for share in tried], axis=1), floor)
    return float(tried[judged.rates(cutoffs)[:, :, 2].mean(0).argmax()])


def at_share(judged: Judged, share: float) -> np.ndarray:
    """Where `share_of_best` cuts each query: float (q,). A best score of 0 or less is accepted alone."""
    return np.where(judged.best > 0, share * judged.best, judged.best)


def share_above_floor(judged: Judged) -> float:
    """`share_of_best`, where nothing under the noise floor is accepted: a query that finds only noise shows nothing."""
    return share_of_best(judged, noise_floor(judged))


def at_share_above_floor(judged: Judged, share: float) -> np.ndarray:
    """Where `share_above_floor` cuts each query: float (q,)."""
    return np.maximum(at_share(judged, share), noise_floor(judged))


def largest_gap(judged: Judged) -> float:
    """It has no number: `at_largest_gap` cuts each query on its own. JudgementError when only a sample was judged."""
    judged.require_all_judged("the largest gap", "the gap")
    return 0.0


def at_largest_gap(judged: Judged, _: float = 0.0) -> np.ndarray:
    """The middle of the largest gap between neighbouring scores of each query: float (q,); of equal gaps the first."""
    found = []
    for rows in judged.ranked:
        ranked = judged.scores[rows]
        first = int((ranked[:-1] - ranked[1:]).argmax()) if len(ranked) > 1 else 0
        found.append((ranked[first] + ranked[min(first + 1, len(ranked) - 1)]) / 2)
    return np.array(found)


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
    "miss 20 %": Rule(
        miss_at_most, "conformal risk control, Angelopoulos and others 2022", "on average misses at most 20 %"
    ),
    "share of best": Rule(
        share_of_best, "min-p, as asked for in CLIPPyX issue 2", "a share of the query's own best score", at_share
    ),
    "share above floor": Rule(
        share_above_floor, "both of its parts", "a share of the best score, nothing under noise", at_share_above_floor
    ),
    "largest gap": Rule(
        largest_gap, "practice, as in TIBCO Patterns' gap cutoff", "the query's own largest gap", at_largest_gap
    ),
}
MATCH_RULE = "match without labels"  # no rule of this table: it has another score and needs no judgements
MAIN_RULES = ("paper", "best F1", "noise floor")  # what a first look at a table shows


def counts(judged: Judged, cutoffs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True positives, false positives and false negatives of each query at cutoffs (q,) or (q, c): three of that shape.

    Accepted is a score of at least the cutoff. Only judged pictures count, each for itself.
    """
    cutoffs = np.asarray(cutoffs, float)
    accepted, found, all_relevant = (np.zeros(cutoffs.shape) for _ in range(3))
    for number, rows in enumerate(judged.ranked):
        scores, relevant = judged.scores[rows], judged.relevant[rows]
        passing = np.searchsorted(-scores, -cutoffs[number], side="right")
        accepted[number] = passing
        found[number] = np.concatenate([[0], np.cumsum(relevant)])[passing]
        all_relevant[number] = relevant.sum()
    return found, accepted - found, all_relevant - found


def rates(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 from counts of any one shape, as scikit-learn's with zero_division=1.

    Nothing accepted is a precision of 1, nothing to find a recall of 1; F1 is 1 only where both hold.
    """

    def divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.divide(part, whole, out=np.ones_like(whole, float), where=whole > 0)

    return divide(tp, tp + fp), divide(tp, tp + fn), divide(2 * tp, 2 * tp + fp + fn)


def _below(judged: Judged, score: float) -> float:
    """Halfway from `score` to the next lower one, or `score` itself when it is the lowest."""
    return float(_halfway(judged.every_score[0], np.array([score]))[0])


def _tried(judged: Judged, scores: np.ndarray, of_judged: np.ndarray) -> np.ndarray:
    """The cutoffs to compare: halfway below each score of a relevant picture, falling. Of a sample `TRIED` do."""
    last = np.unique(of_judged[judged.relevant])[::-1]
    if not judged.all_judged and len(last) > TRIED:
        last = last[np.linspace(0, len(last) - 1, TRIED).round().astype(int)]
    return _halfway(scores, last)


def _halfway(scores: np.ndarray, last: np.ndarray) -> np.ndarray:
    """For each score of `last`, some of `scores`, halfway to the next lower one of them; the lowest of all itself."""
    every = np.unique(scores)
    at = np.searchsorted(every, last)
    return np.where(at > 0, (every[at] + every[np.maximum(at - 1, 0)]) / 2, every[at])
