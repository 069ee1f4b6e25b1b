"""How many of the pictures with a score are right: the words under a hit, "7 to 9 in 10 at this score are right".

The share comes from the same model as every estimate (see `relevance`), for a query that nobody judged: over all that
its number of relevant pictures may be. The model reads a score against the query's other scores, for 0.26 is much for
one text and nothing for another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..search.results import Odds
from .evaluation import FEWEST
from .relevance import MASS, SIZE, STEP, Relevance, chances, standings
from .rules import Judged

FEWEST_OF_A_CLASS = 5  # judged pictures
BEST = 50  # pictures of a query that the model is fitted on where all are judged: those further down are never shown


@dataclass(frozen=True)
class Promise:
    """What was measured of how many pictures are right.

    theta: the parameters of the model, 5 numbers. covariance: theirs, 5 times 5. low, high: between which standings
    pictures were judged, in deviations. queries: how many.
    """

    theta: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    low: float
    high: float
    queries: int

    def __post_init__(self):
        object.__setattr__(self, "theta", tuple(map(float, self.theta)))
        object.__setattr__(self, "covariance", tuple(tuple(map(float, row)) for row in self.covariance))
        if {len(self.theta), *map(len, self.covariance), len(self.covariance)} != {SIZE}:
            raise ValueError(f"a promise has {SIZE} parameters, not {len(self.theta)}")

    def of(self, values: np.ndarray) -> Callable[[float], Odds | None]:
        """What a search asks: of all scores of its query, float (n,), a function from one of them to its `Odds`; None
        for a score that stands outside of what was judged.
        """
        found = values[np.isfinite(values)]
        centre = float(np.median(found)) if len(found) else 0.0
        spread = 1.4826 * float(np.median(np.abs(found - centre))) if len(found) else 0.0

        def odds(score: float) -> Odds | None:
            standing = (score - centre) / spread if spread else np.nan
            if not self.low <= standing <= self.high:
                return None
            return self.at(standing, 1 + int((found > score).sum()))

        return odds

    def at(self, standing: float, rank: int) -> Odds:
        """The odds of a picture that stands so many deviations over the median, and is of this rank."""
        from scipy.special import expit, logit
        from scipy.stats import t

        where = np.array([[standing, np.log(rank)]])

        def logits(theta: np.ndarray) -> float:
            return float(logit(np.clip(MASS @ chances(theta, where), 1e-6, 1 - 1e-6))[0])

        theta, steps = np.array(self.theta), STEP * np.eye(SIZE)
        slope = np.array([logits(theta + step) - logits(theta - step) for step in steps]) / (2 * STEP)
        error = np.sqrt(slope @ np.array(self.covariance) @ slope) * t.ppf(0.975, self.queries - 1)
        middle = logits(theta)
        return Odds(*(float(expit(middle + by)) for by in (0.0, -error, error)))


def promise(judged: Judged) -> Promise | None:
    """What can be said of how many pictures are right at a score.

    None where that cannot be told: fewer than `FEWEST` queries, fewer than `FEWEST_OF_A_CLASS` relevant or irrelevant
    pictures, pictures that another ranking chose, or nothing known of the unjudged ones but weights.
    """
    right = int(judged.relevant.sum())
    few = len(judged.queries) < FEWEST or min(right, len(judged) - right) < FEWEST_OF_A_CLASS
    if few or judged.borrowed or (judged.rest is None and not judged.is_whole):
        return None
    standing, model = _fitted(judged)
    q = len(model.queries)
    covariance = model.moves.T @ model.moves / (q * (q - 1))
    return Promise(model.theta, covariance, float(standing[:, 0].min()), float(standing[:, 0].max()), q)


def _fitted(judged: Judged) -> tuple[np.ndarray, Relevance]:
    """The standings of the judged pictures, and the model fitted on them."""
    if judged.expectation:
        return judged.expectation.standing_of_judged, judged.expectation.model
    standing = standings(judged.scores, judged.query, np.ones(len(judged)))
    best = np.concatenate([rows[:BEST] for rows in judged.ranked])
    standing, relevant, query = standing[best], judged.relevant[best], judged.query[best]
    return standing, Relevance.fit(standing, relevant, query, np.ones(len(best)))
