"""Which pictures to judge for a query, and how likely each was to be chosen.

Nobody judges a thousand pictures for a query. The first few decide where a cutoff lies, and the many below them how
much it misses, so the first are always judged, and the others are drawn at random, one of rank r with a probability
proportional to 1 / r: every doubling of the rank gets as many clicks as the one before. What was drawn, and with which
probability, is kept with each judgement (see `judgements`): from that alone comes what a judgement stands for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import JudgementError

TOP, BELOW = 3, 12  # clicks a query: 15


@dataclass(frozen=True)
class Sample:
    """The pictures to judge for one query.

    rows: int64 (m,), positions among the query's scores, the best first. probability: float (m,), over 0 and at most
    1, how likely each was to be chosen. top: how many of them, the first, were chosen for being the best.
    """

    rows: np.ndarray
    probability: np.ndarray
    top: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def origins(self) -> list[str]:
        """How each came to be chosen: "top" or "sampled"."""
        return ["top" if place < self.top else "sampled" for place in range(len(self.rows))]


def sample(scores: np.ndarray, top: int = TOP, below: int = BELOW, seed: int | None = 0) -> Sample:
    """The `top` best pictures of one query, and `below` others drawn with probabilities that fall as 1 / rank.

    Systematic sampling with unequal probabilities (Madow 1949): of a fixed size, and each picture's probability is
    exactly what `inclusion_probabilities` says. Equal scores keep their order.

    Args:
        scores: float (n,), of every picture with the query; NaN marks one that may not be found.
        top: pictures that are taken for being the best.
        below: pictures drawn from the others; all of them where there are no more.
        seed: the same seed draws the same (None: another draw each time).

    Raises:
        JudgementError: when `top` or `below` is under 0.
    """
    scores = np.asarray(scores, float)
    ranked = np.argsort(-scores, kind="stable")[: np.isfinite(scores).sum()]
    probability = inclusion_probabilities(len(ranked), top, below)
    reached = np.cumsum(probability) + np.random.default_rng(seed).random()
    reached = np.floor(np.round(reached, 9))  # a sum of probabilities that is whole but for rounding is whole
    chosen = np.flatnonzero(np.diff(reached, prepend=0.0) > 0)
    return Sample(ranked[chosen], probability[chosen], min(top, len(ranked)))


def inclusion_probabilities(n: int, top: int = TOP, below: int = BELOW) -> np.ndarray:
    """How likely each of n pictures is to be chosen by `sample`, the best first: float (n,), with the sum top + below.

    1 for the first `top`; of the others c / rank with the one c that gives `below` on average, and 1 where that is
    more. All 1 where n is at most top + below.
    """
    if top < 0 or below < 0:
        raise JudgementError(f"top is {top} and below {below}: give numbers of pictures, 0 or more")
    probability, rank = np.ones(n), np.arange(1, n + 1)
    if n <= top + below:
        return probability
    certain = top
    while True:  # each round makes those certain whose share would be over 1; the others share what is left
        share = (top + below - certain) / rank[certain:] / (1 / rank[certain:]).sum()
        more = int((share >= 1).sum())
        if not more:
            probability[certain:] = share
            return probability
        certain += more
