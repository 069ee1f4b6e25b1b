"""How good a match is, as the length of a bar and in a word: a cosine alone tells nobody whether 0.31 is much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLEAR_MATCH = 0.05  # so far above its cutoff a match is clear: on photos, dogs lie 0.03 to 0.1 above that of "a dog"
WORDS = ((0.75, "strong"), (0.5, "good"), (1 / 3, "fair"), (-np.inf, "weak"))


@dataclass(frozen=True)
class Scale:
    """By what the bars of one answer are measured.

    Attributes:
        low: The score of an ordinary picture of this library.
        cutoff: The score from which a picture is shown.
        high: The score of a very good picture.
        unit: What the three are: "cosine" or "match".
    """

    low: float
    cutoff: float
    high: float
    unit: str = "cosine"

    @classmethod
    def of(cls, values: np.ndarray, cutoff: float, unit: str = "cosine") -> Scale:
        """The scale of one query.

        Args:
            values: The query's scores, float (n,); NaN where a row may not be found.
            cutoff: The score from which a picture is shown. -1 means that all are shown: then the middle between an
                ordinary and the best score takes its place.
            unit: "cosine" or "match". Matches mean the same for every query, so the best of a poor lot is weak.
        """
        known = values[np.isfinite(values)]
        low, best = (float(np.median(known)), float(known.max())) if len(known) else (cutoff, cutoff)
        cutoff = (low + best) / 2 if cutoff <= -1 else cutoff
        low = min(low, cutoff - 0.02)
        clear = CLEAR_MATCH if unit == "match" else (cutoff - low) / 4
        return cls(low, cutoff, max(best, cutoff + clear), unit)

    def strength(self, score: float) -> float:
        """0 for an ordinary picture, a third at the cutoff, 1 for a very good one."""
        if score < self.cutoff:
            return max(0.0, (score - self.low) / (self.cutoff - self.low) / 3)
        return min(1.0, 1 / 3 + 2 / 3 * (score - self.cutoff) / (self.high - self.cutoff))

    def words(self, score: float) -> str:
        """How good a match is, in a word."""
        return next(words for least, words in WORDS if self.strength(score) >= least)
