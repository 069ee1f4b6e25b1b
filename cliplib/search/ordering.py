"""Match or cosine: which of the two orders an answer, and from where on a row is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..deprecation import renamed_attribute
from ..errors import QueryError
from .ranking import checked_cosine

RANKINGS = ("match", "cosine")


class Odds(NamedTuple):
    """Of the pictures with a score, the share that is right, 0 to 1, and the two ends of its 95 % interval."""

    share: float
    low: float
    high: float

    def __str__(self) -> str:
        low, high = round(10 * self.low), round(10 * self.high)
        if low == high:
            share = {0: "hardly any", 10: "nearly all"}.get(low, f"about {low} in 10")
        else:
            share = f"{low} to {high} in 10"
        return f"{share} at this score are right"


@dataclass(frozen=True)
class Cutoff:
    """From where on a row is found in one mode, unless a search says otherwise.

    Attributes:
        cosine: The cosine, where that orders: the calibrated one, else the model's own.
        match: The calibrated match; None: the cutoff without labels, which each query has for itself.
        calibrated: "cosine" or "match", the one that people judged; "" where nobody did.
        odds_of: Once calibrated: of a query's scores, float (n,), on the calibrated scale, a function from one of them
            to its `Odds`. Else None.
    """

    cosine: float
    match: float | None = None
    calibrated: str = ""
    odds_of: Callable[[np.ndarray], Callable[[float], Odds | None]] | None = field(
        default=None, repr=False, compare=False
    )
    value = renamed_attribute("Cutoff.value", "cosine")


@dataclass(frozen=True)
class Matching:
    """The matches of all rows with a query, see `background`.

    Attributes:
        values: float32 (n,); NaN where a row may not be found.
        rule: From such values to the cutoff without labels.
    """

    values: np.ndarray = field(repr=False)
    rule: Callable[[np.ndarray], float] = field(repr=False)

    @cached_property
    def cutoff(self) -> float:
        """The match from which a row is found: of these rows, filtered or not."""
        return float(self.rule(self.values))

    def filter(self, keep: np.ndarray) -> Matching:
        """The same with other rows left out: `keep` is bool (n,)."""
        return Matching(np.where(keep, self.values, np.float32(np.nan)), self.rule)


class Ordering(NamedTuple):
    """What orders the rows of an answer, and where it is cut.

    Attributes:
        scale: "match" or "cosine".
        values: float32 (n,) on that scale; NaN where a row may not be found.
        cutoff: The least of these that is found.
    """

    scale: str
    values: np.ndarray
    cutoff: float


def order(
    cosines: np.ndarray,
    matching: Matching | None,
    cutoff: Cutoff,
    threshold: float | str | None = None,
    ranking: str = "match",
) -> Ordering:
    """Decide what orders an answer. This is the one place where match or cosine is chosen.

    Args:
        cosines: float32 (n,).
        matching: The matches of the same rows; None where there are none, which leaves the cosines.
        cutoff: That of the mode.
        threshold: A number is a cosine, and cuts in the cosine's order. None is the calibrated cutoff, where there is
            one, else the cutoff without labels; "auto" is the latter in any case. Where the cosine orders, both are
            `cutoff.cosine`.
        ranking: "match" or "cosine".

    Raises:
        QueryError: `threshold` is none, or `ranking` is neither.
    """
    scale, auto = scale_of(cutoff, threshold, ranking), _is_auto(threshold)
    if threshold is not None and not auto:
        return Ordering(scale, cosines, checked_cosine(threshold))
    if matching is None or scale == "cosine":
        return Ordering("cosine", cosines, cutoff.cosine)
    return Ordering(scale, matching.values, matching.cutoff if auto or cutoff.match is None else cutoff.match)


def scale_of(cutoff: Cutoff, threshold: float | str | None, ranking: str) -> str:
    """What orders, where there are matches: "match" or "cosine"; see `order`."""
    by_match = threshold is None and cutoff.calibrated != "cosine"
    return checked_ranking(ranking) if by_match or _is_auto(threshold) else "cosine"


def _is_auto(threshold: float | str | None) -> bool:
    return isinstance(threshold, str) and threshold == "auto"


def checked_ranking(ranking: str) -> str:
    """What orders an answer; QueryError where it is neither "match" nor "cosine"."""
    if ranking not in RANKINGS:
        raise QueryError(f"ranking is {ranking!r}: it can be 'match' or 'cosine'")
    return ranking
