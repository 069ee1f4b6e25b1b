"""How likely a picture that nobody judged is to be relevant, and what precision, recall and F1 to expect of that.

Fifteen of a thousand pictures are judged for a query. A judged picture that stands for two hundred others says next to
nothing about one query, so no query is taken alone: all of them together show how the share of relevant pictures falls
with the score, and each query's own judgements how many relevant pictures it has.

    P(relevant | z, r, query) = logistic(a + b (z - 3) + c (z - 3)² - d log r + u),    u of the query ~ N(0, s²)

z is the score in robust deviations from the median of the query's own scores: a text that is close to every picture
moves them all alike. r is the rank: where each query has one right picture, a good score below a better one is no sign
of another. The model is fitted by maximum likelihood (Gauss-Hermite quadrature over u). How a picture was
chosen depends on its rank, and so on its score, which the model knows; the judgements are weighted a little besides
(the inverse probability to the power `TEMPER`), so that the few from far down keep a say where the curve is another.
Model-assisted estimation is as in Särndal, Swensson and Wretman (1992), influence values as in Huber (1967).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

NODES, MASS = np.polynomial.hermite_e.hermegauss(11)
MASS = MASS / MASS.sum()
UNIT, UNIT_MASS = (np.polynomial.legendre.leggauss(8)[0] + 1) / 2, np.polynomial.legendre.leggauss(8)[1] / 2
TEMPER = 0.25
# a, b, c, d, log s. So weak that a handful of judgements has an answer and no more: where each query has one right
# picture, d is 3 or 4, and a narrower one made of an 8 in 10 at the first place a 6.
PRIOR_MEAN = np.array([0.0, 1.0, 0.0, 0.0, 0.0])
PRIOR_DEVIATION = np.array([5.0, 2.0, 0.5, 3.0, 1.0])
SIZE = len(PRIOR_MEAN)
STEP = 1e-3  # for derivatives by differences
EXACT, GROUPS = 100, 30  # unjudged pictures of a query that are kept one by one, and groups of like scores below them


@dataclass(frozen=True)
class Unjudged:
    """Pictures that nobody judged: scores float (m,), query int (m,), count float (m,), how many each row is."""

    scores: np.ndarray
    query: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, query: int) -> Unjudged:
        """The unjudged pictures of one query, so that a large library costs no more than a small one.

        The best `EXACT` stay one by one, the others become `GROUPS` groups of neighbouring scores. NaN is left out.

        Args:
            scores: float (m,).
            query: its number.
        """
        ranked = -np.sort(-np.asarray(scores, float)[np.isfinite(scores)])
        exact, parts = ranked, []
        if len(ranked) > EXACT + GROUPS:
            edges = np.linspace(EXACT, len(ranked), GROUPS + 1).astype(int)
            exact, *parts = np.split(ranked, edges[:-1])
        means, sizes = [part.mean() for part in parts], [len(part) for part in parts]
        kept = np.concatenate([exact, means])
        return cls(kept, np.full(len(kept), query), np.concatenate([np.ones(len(exact)), sizes]))

    @classmethod
    def joined(cls, parts: list[Unjudged]) -> Unjudged:
        """Several as one."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    def of_queries(self, queries: np.ndarray) -> Unjudged:
        """Those of some queries."""
        keep = np.isin(self.query, queries)
        return Unjudged(self.scores[keep], self.query[keep], self.count[keep])


def relevance_features(scores: np.ndarray, query: np.ndarray, count: np.ndarray, by_query: bool = True) -> np.ndarray:
    """What the model sees of each score: how far it stands out among those of its query, and its rank.

    Args:
        scores: float (n,), cosines.
        query: int (n,), the query of each.
        count: float (n,), how many pictures each row stands for.
        by_query: False for judgements that come without their query's other scores; then all rows are taken together.

    Returns:
        float (n, 2): z, in robust deviations (1.4826 times the median absolute one) from the query's median, or in
        standard deviations from the mean of all; and the logarithm of the rank, the middle one of a row of many.
    """
    found = np.empty((len(scores), 2))
    centre = np.average(scores, weights=count)
    found[:, 0] = (scores - centre) / (np.sqrt(np.average((scores - centre) ** 2, weights=count)) or 1.0)
    for one in np.unique(query):
        of = np.flatnonzero(query == one)
        if by_query:
            far = scores[of] - _median(scores[of], count[of])
            found[of, 0] = far / (1.4826 * _median(np.abs(far), count[of]) or far.std() or 1.0)
        ranked = of[np.argsort(-scores[of], kind="stable")]
        found[ranked, 1] = np.log(np.maximum(np.cumsum(count[ranked]) - (count[ranked] - 1) / 2, 1.0))
    return found


def _median(values: np.ndarray, count: np.ndarray) -> float:
    """The median of rows that stand for many, between neighbouring rows as `np.median` between neighbouring values.

    A search takes the median of every picture. A step of one row of many, where this takes the next row instead of a
    place between two, made the deviation here 6 % less than there, and every share under a hit too low.
    """
    order = np.argsort(values)
    reached = np.cumsum(count[order])
    return float(np.interp(reached[-1] / 2, reached - count[order] / 2, values[order]))


@dataclass(frozen=True)
class RelevanceModel:
    """The fitted model, over q queries.

    Attributes:
        theta: float (5,), a, b, c, d and log s.
        queries: int (q,), sorted.
        posterior: float (q, 11), how likely each node of u is for each query.
        influence: float (q, 5), what each query moved theta by, times q.
        perturbed: [(theta, posterior)] with each parameter a `STEP` more and a `STEP` less. From these come the
            derivatives of any figure.
    """

    theta: np.ndarray
    queries: np.ndarray
    posterior: np.ndarray
    influence: np.ndarray
    perturbed: list[tuple[np.ndarray, np.ndarray]]

    @classmethod
    def fit(cls, features: np.ndarray, relevant: np.ndarray, query: np.ndarray, weight: np.ndarray) -> RelevanceModel:
        """Fit the model to n judged pictures: features float (n, 2), relevant bool, query int, weight float, (n,).

        Only the proportions of the weights within a query count: together they are as many as its judgements.
        """
        from scipy.optimize import minimize

        queries, number = np.unique(query, return_inverse=True)
        share = np.bincount(number) / np.bincount(number, weight)
        likelihood = _Likelihood(_design_matrix(features), relevant, number, weight * share[number])
        found = minimize(likelihood.loss, PRIOR_MEAN, jac=True, method="BFGS", options={"maxiter": 100, "gtol": 1e-3})
        theta, steps = found.x, STEP * np.eye(SIZE)
        slopes = [(likelihood.loss(theta + step)[1] - likelihood.loss(theta - step)[1]) / (2 * STEP) for step in steps]
        hessian = (np.array(slopes) + np.array(slopes).T) / 2
        _, gradient, posterior = likelihood.at(theta)
        q = len(queries)  # few queries let a model of so many parameters come too near to them: as in HC1
        influence = np.linalg.solve(hessian, gradient.T).T * q * np.sqrt(q / max(q - SIZE, 1))
        perturbed = [(theta + way, likelihood.at(theta + way)[2]) for step in steps for way in (step, -step)]
        return cls(theta, queries, posterior, influence - influence.mean(0), perturbed)

    def balanced(
        self, features: np.ndarray, relevant: np.ndarray, query: np.ndarray, weight: np.ndarray
    ) -> RelevanceModel:
        """The same model with a and b moved, to expect the number of relevant pictures and their z that weights give.

        Sums by weight are right on average however the pictures were chosen (Horvitz and Thompson 1952). The model is
        right only where their choice depends on their features alone.
        """
        number, sides = np.searchsorted(self.queries, query), _design_matrix(features)[:, :2]
        step = np.zeros(SIZE)
        for _ in range(50):
            share = (chances(self.theta + step, features) * self.posterior[number].T).sum(0)
            hessian = (sides * (weight * share * (1 - share))[:, None]).T @ sides + 0.1 * np.eye(2)
            move = np.linalg.solve(hessian, sides.T @ (weight * (relevant - share)) - 0.1 * step[:2])
            step[:2] += np.clip(move, -1, 1)
        perturbed = [(theta + step, posterior) for theta, posterior in self.perturbed]
        return replace(self, theta=self.theta + step, perturbed=perturbed)

    def for_queries(self, queries: np.ndarray) -> RelevanceModel:
        """The same model for some of its queries, int (q',)."""
        at = np.searchsorted(self.queries, queries)
        perturbed = [(theta, posterior[at]) for theta, posterior in self.perturbed]
        return replace(
            self,
            queries=self.queries[at],
            posterior=self.posterior[at],
            influence=self.influence[at],
            perturbed=perturbed,
        )


def _design_matrix(features: np.ndarray) -> np.ndarray:
    x = features[:, 0] - 3.0
    return np.stack([np.ones_like(x), x, x * x, -features[:, 1]], axis=1)


def chances(theta: np.ndarray, features: np.ndarray) -> np.ndarray:
    """How likely pictures are to be relevant, at each node of the query's u: float (11, n)."""
    from scipy.special import expit

    return expit(_design_matrix(features) @ theta[:-1] + np.exp(theta[-1]) * NODES[:, None])


class _Likelihood:
    """The marginal likelihood of judged pictures; `design` float (n, 4), `number` of the query, 0 to q - 1."""

    def __init__(self, design: np.ndarray, relevant: np.ndarray, number: np.ndarray, weight: np.ndarray):
        order = np.argsort(number, kind="stable")
        self.design, self.relevant, self.weight = design[order], relevant[order].astype(float), weight[order]
        self.number = number[order]
        self.starts = np.searchsorted(self.number, np.arange(self.number[-1] + 1))

    def at(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Its logarithm; each query's gradient, float (q, 5); each query's posterior over the nodes, float (q, 11)."""
        from scipy.special import expit, log_expit

        spread = np.exp(theta[-1]) * NODES
        logits = (self.design @ theta[:-1])[:, None] + spread
        signed = np.where(self.relevant[:, None] > 0, logits, -logits)
        each = np.add.reduceat(self.weight[:, None] * log_expit(signed), self.starts) + np.log(MASS)
        highest = each.max(1, keepdims=True)
        posterior = np.exp(each - highest)
        total = posterior.sum(1, keepdims=True)
        posterior /= total
        wrong = self.weight[:, None] * (self.relevant[:, None] - expit(logits)) * posterior[self.number]
        slopes = np.column_stack([self.design * wrong.sum(1, keepdims=True), wrong @ spread])
        return float((highest + np.log(total)).sum()), np.add.reduceat(slopes, self.starts), posterior

    def loss(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """What is minimised, and its gradient, float (5,): less the logarithm, with the weak prior."""
        value, gradient, _ = self.at(theta)
        far = (theta - PRIOR_MEAN) / PRIOR_DEVIATION
        return (far @ far) / 2 - value, far / PRIOR_DEVIATION - gradient.sum(0)


@dataclass(frozen=True)
class Expectation:
    """What to expect at any cutoff of q queries: what was judged of them, and a model of the rest.

    Attributes:
        ranked: for each query its judged scores, the best first, and how many relevant pictures are among the first 0,
            1, 2, ... of them.
        unjudged: the m other rows, sorted by query and falling score.
        features: float (m, 2), theirs.
        features_of_judged: float (n, 2), in the order of the judgements.
    """

    queries: np.ndarray
    ranked: list[tuple[np.ndarray, np.ndarray]]
    unjudged: Unjudged
    features: np.ndarray
    features_of_judged: np.ndarray
    model: RelevanceModel

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.searchsorted(self.unjudged.query, np.append(self.queries, self.queries[-1] + 1))

    def shares(self) -> np.ndarray:
        """How likely each picture of `unjudged` is to be relevant: float (m,)."""
        number = np.searchsorted(self.queries, self.unjudged.query)
        return (chances(self.model.theta, self.features) * self.model.posterior[number].T).sum(0)

    def rates(self, cutoffs: np.ndarray) -> np.ndarray:
        """Expected precision, recall and F1 of each query at cutoffs, float (q, c): float (q, c, 3)."""
        return self._rates(*self._accepted(cutoffs), self.model.theta, self.model.posterior)

    def values(self, cutoffs: np.ndarray) -> np.ndarray:
        """Precision, recall and F1 of each query at its cutoff, float (q,), with what it moved the model by: (q, 3).

        Their mean is the estimate, and their variance over q its squared error, that of the model included.
        """
        accepted = self._accepted(np.asarray(cutoffs, float)[:, None])
        own = self._rates(*accepted, self.model.theta, self.model.posterior)[:, 0]
        sides = [self._rates(*accepted, theta, posterior)[:, 0].mean(0) for theta, posterior in self.model.perturbed]
        slopes = (np.array(sides[::2]) - np.array(sides[1::2])) / (2 * STEP)
        return own + self.model.influence @ slopes

    def _accepted(self, cutoffs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """At each cutoff: judged ones accepted, the relevant of them, all relevant ones, unjudged rows accepted."""
        shape = cutoffs.shape
        judged, found, rows = np.empty(shape), np.empty(shape), np.empty(shape, int)
        relevant = np.array([of_query[-1] for _, of_query in self.ranked], float)[:, None]
        for number, (scores, reached) in enumerate(self.ranked):
            place = np.searchsorted(-scores, -cutoffs[number], side="right")
            judged[number], found[number] = place, reached[place]
            unjudged = self.unjudged.scores[self._starts[number] : self._starts[number + 1]]
            rows[number] = np.searchsorted(-unjudged, -cutoffs[number], side="right")
        return judged, found, relevant, rows

    def _rates(
        self,
        judged: np.ndarray,
        found: np.ndarray,
        relevant: np.ndarray,
        rows: np.ndarray,
        theta: np.ndarray,
        posterior: np.ndarray,
    ) -> np.ndarray:
        """`rates` from what `_accepted` gives, for one theta and the queries' posteriors."""
        chance, count = chances(theta, self.features), self.unjudged.count
        sums = np.pad(np.cumsum(chance * count, axis=1), ((0, 0), (1, 0)))
        squares = np.pad(np.cumsum(chance**2 * count, axis=1), ((0, 0), (1, 0)))
        counts = np.concatenate([[0.0], np.cumsum(count)])
        first, last = self._starts[:-1], self._starts[1:]
        accepted = judged + counts[first[:, None] + rows] - counts[first][:, None]
        more = (
            sums[:, first[:, None] + rows] - sums[:, first][:, :, None]
        )  # relevant unjudged ones, accepted: (11, q, c)
        hidden = (sums[:, last] - sums[:, first])[:, :, None]  # and all of them: (11, q, 1)
        square = (squares[:, last] - squares[:, first])[:, :, None]
        none = np.exp(-hidden)
        precision = np.where(accepted > 0, (found + more) / np.maximum(accepted, 1e-12), 1.0)
        recall = found * _inverse(relevant, hidden, square) + more * _inverse(relevant + 1, hidden, square)
        recall += np.where(relevant > 0, 0.0, none)
        size = accepted + relevant
        f1 = 2 * (found * _inverse(size, hidden, square) + more * _inverse(size + 1, hidden, square))
        f1 += np.where(size > 0, 0.0, none)
        return np.einsum("kqcm,qk->qcm", np.stack(np.broadcast_arrays(precision, recall, f1), axis=-1), posterior)


def _inverse(known: np.ndarray, mean: np.ndarray, square: np.ndarray) -> np.ndarray:
    """The expected 1 / (known + X) of a count X, a sum of independent chances with this sum and sum of squares.

    X is taken as the binomial with that mean and variance, and 1 / (k + X) as the integral of t^(k + X - 1) over 0 to
    1; where `known` is 0 the answer is not used, and is 0.
    """
    chance = np.minimum(np.divide(square, mean, out=np.zeros_like(mean), where=mean > 0), 0.999)
    trials = np.divide(mean, chance, out=np.zeros_like(mean), where=chance > 0)
    safe = np.where(known > 0, known, 1.0)
    total = 0.0
    for point, mass in zip(UNIT, UNIT_MASS, strict=True):
        total = total + mass * np.exp(trials * np.log1p(-chance * (1 - point ** (1 / safe))))
    return np.where(known > 0, total / safe, 0.0)
