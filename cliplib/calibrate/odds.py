"""How many of the pictures with a score are right: the words under a hit, "7 to 9 in 10 at this score are right".

The share comes from the same model as every estimate (see `relevance`), for a query that nobody judged: over all that
its number of relevant pictures may be. The model reads a score against the query's other scores, for 0.26 is much for
one text and nothing for another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..search.ordering import Odds
from .evaluation import MIN_QUERIES
from .relevance import MASS, SIZE, STEP, RelevanceModel, chances, relevance_features
from .rules import Judged

MIN_PER_CLASS = 5  # judged pictures
FITTED_PER_QUERY = (
    50  # pictures of a query that the model is fitted on where all are judged: those further down are never shown
)


@dataclass(frozen=True)
class OddsModel:
    """How likely a hit is right: what a profile keeps of the fitted `RelevanceModel`.

    Args:
        theta: the model's 5 parameters.
        covariance: theirs, 5 times 5.
        low, high: between which z (robust deviations from the query's median score) pictures were judged.
        queries: how many were judged.
    """

    theta: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    low: float
    high: float
    queries: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", tuple(map(float, self.theta)))
        object.__setattr__(self, "covariance", tuple(tuple(map(float, row)) for row in self.covariance))
        if {len(self.theta), *map(len, self.covariance), len(self.covariance)} != {SIZE}:
            raise ValueError(f"a model of the odds has {SIZE} parameters, not {len(self.theta)}")

    def for_query(self, values: np.ndarray) -> Callable[[float], Odds | None]:
        """What a search asks.

        Args:
            values: all scores of its query, float (n,), NaN allowed.

        Returns:
            A function from one of these scores to its `Odds`, None for a score outside of what was judged.
        """
        found = values[np.isfinite(values)]
        centre = float(np.median(found)) if len(found) else 0.0
        spread = 1.4826 * float(np.median(np.abs(found - centre))) if len(found) else 0.0

        def odds(score: float) -> Odds | None:
            z = (score - centre) / spread if spread else np.nan
            if not self.low <= z <= self.high:
                return None
            return self.odds(z, 1 + int((found > score).sum()))

        return odds

    def odds(self, z: float, rank: int) -> Odds:
        """The odds of a picture that stands `z` robust deviations over the median and has this rank, from 1."""
        from scipy.special import expit, logit
        from scipy.stats import t

        where = np.array([[z, np.log(rank)]])

        def logits(theta: np.ndarray) -> float:
            return float(logit(np.clip(MASS @ chances(theta, where), 1e-6, 1 - 1e-6))[0])

        theta, steps = np.array(self.theta), STEP * np.eye(SIZE)
        slope = np.array([logits(theta + step) - logits(theta - step) for step in steps]) / (2 * STEP)
        error = np.sqrt(slope @ np.array(self.covariance) @ slope) * t.ppf(0.975, self.queries - 1)
        middle = logits(theta)
        return Odds(*(float(expit(middle + by)) for by in (0.0, -error, error)))


def fit_odds(judged: Judged) -> OddsModel | None:
    """Fit what can be said of how many pictures are right at a score.

    None where that cannot be told: fewer than `MIN_QUERIES` queries, fewer than `MIN_PER_CLASS` relevant or irrelevant
    pictures, pictures that another ranking chose, or nothing known of the unjudged ones but weights.
    """
    right = int(judged.relevant.sum())
    few = len(judged.queries) < MIN_QUERIES or min(right, len(judged) - right) < MIN_PER_CLASS
    if few or judged.borrowed or (judged.unjudged is None and not judged.all_judged):
        return None
    features, model = _fitted(judged)
    q = len(model.queries)
    covariance = model.influence.T @ model.influence / (q * (q - 1))
    z = features[:, 0]
    return OddsModel(tuple(model.theta), tuple(map(tuple, covariance)), float(z.min()), float(z.max()), q)


def _fitted(judged: Judged) -> tuple[np.ndarray, RelevanceModel]:
    """The features of the judged pictures, and the model fitted on them."""
    if judged.expectation:
        return judged.expectation.features_of_judged, judged.expectation.model
    features = relevance_features(judged.scores, judged.query, np.ones(len(judged)))
    best = np.concatenate([rows[:FITTED_PER_QUERY] for rows in judged.ranked])
    features, relevant, query = features[best], judged.relevant[best], judged.query[best]
    return features, RelevanceModel.fit(features, relevant, query, np.ones(len(best)))
