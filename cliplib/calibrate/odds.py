"""How many of the pictures with a score are right: the words under a hit, "7 to 9 in 10 at this score are right".

The share comes from the same model as every estimate (see `relevance`), for a query that nobody judged: over all that
its number of relevant pictures may be. The model reads a score against the query's other scores, for 0.26 is much for
one text and nothing for another.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..search.results import Odds
from .evaluation import FEWEST
from .relevance import MASS, STEP, Relevance, chances, standings
from .rules import Judged

Curve = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, ...]]
NONE: Curve = ((), (), (), ())
FEWEST_OF_A_CLASS = 5  # judged pictures
BEST = 50  # pictures of a query that the curve is fitted on where all are judged: those further down are never shown
POINTS = 41


def odds_curve(judged: Judged) -> Curve:
    """The share of pictures that are right at each standing, with its own uncertainty.

    Returns:
        Rising standings from the lowest to the highest that was judged, and at each the share, 0 to 1, and the two ends
        of its 95 % interval. All empty where that cannot be told: fewer than `FEWEST` queries, fewer than
        `FEWEST_OF_A_CLASS` relevant or irrelevant pictures, or nothing known of the unjudged ones but weights.
    """
    from scipy.special import expit, logit
    from scipy.stats import t

    right = int(judged.relevant.sum())
    few = len(judged.queries) < FEWEST or min(right, len(judged) - right) < FEWEST_OF_A_CLASS
    if few or judged.borrowed or (judged.rest is None and not judged.is_whole):
        return NONE
    standing, model = _fitted(judged)
    at = np.linspace(standing.min(), standing.max(), POINTS)

    def logits(theta):
        return logit(np.clip(MASS @ chances(theta, at), 1e-6, 1 - 1e-6))

    sides = [logits(theta) for theta, _ in model.nearby]
    slopes = (np.array(sides[::2]) - np.array(sides[1::2])).T / (2 * STEP)
    q = len(model.queries)
    error = np.linalg.norm(model.moves @ slopes.T, axis=0) / q * np.sqrt(q / (q - 1)) * t.ppf(0.975, q - 1)
    middle = logits(model.theta)
    return tuple(tuple(map(float, each)) for each in (at, expit(middle), expit(middle - error), expit(middle + error)))


def _fitted(judged: Judged) -> tuple[np.ndarray, Relevance]:
    """The standings of the judged pictures, and the model fitted on them."""
    if judged.expectation:
        return judged.expectation.standing_of_judged, judged.expectation.model
    standing = standings(judged.scores, judged.query, np.ones(len(judged)))
    best = np.concatenate([rows[:BEST] for rows in judged.ranked])
    standing, relevant, query = standing[best], judged.relevant[best], judged.query[best]
    return standing, Relevance.fit(standing, relevant, query, np.ones(len(best)))


def reader(curve: Curve) -> Callable[[np.ndarray], Callable[[float], Odds | None]]:
    """What a search asks: of all scores of its query, float (n,), a function from one of them to its `Odds`; None for
    a score that stands outside of what was judged.
    """
    at, *lines = curve

    def of(values: np.ndarray) -> Callable[[float], Odds | None]:
        found = values[np.isfinite(values)]
        centre = float(np.median(found)) if len(found) else 0.0
        spread = 1.4826 * float(np.median(np.abs(found - centre))) if len(found) else 0.0

        def odds(score: float) -> Odds | None:
            if not at or spread == 0:
                return None
            standing = (score - centre) / spread
            if not at[0] <= standing <= at[-1]:
                return None
            return Odds(*(float(np.interp(standing, at, line)) for line in lines))

        return odds

    return of
