"""Which cutoff a search takes when it is given none: the calibrated one, else the model's own, else the paper's."""

from __future__ import annotations

from collections.abc import Mapping

from ..search.mode import Mode
from ..search.results import Cutoff
from .profiles import Profiles

# The paper's cutoffs for ViT-B/32. They stand for every model that does not bring its own, until calibrated.
PAPER_THRESHOLDS = {"text->image": 0.25, "text->video": 0.25, "image->image": 0.70, "image->video": 0.70}


class Cutoffs:
    """The cutoffs of one library and model.

    Args:
        profiles: the calibrated ones.
        thresholds: the model's own, cosines by mode; a mode that it does not name has the paper's.
    """

    def __init__(self, profiles: Profiles, thresholds: Mapping[str, float]):
        self._profiles, self._thresholds = profiles, thresholds

    def __call__(self, mode: Mode) -> Cutoff:
        """The cutoff of a mode. A mixed query takes the lower of its two parts': its scores lie between theirs."""
        if mode.query == "mixed":
            parts = (self(Mode.of(query, mode.row_kind)) for query in ("text", "image"))
            return Cutoff(min(part.value for part in parts))
        profile = self._profiles.get(mode)
        if profile:
            return Cutoff(profile.threshold, profile.odds_of, profile.scale, calibrated=True)
        return Cutoff({**PAPER_THRESHOLDS, **self._thresholds}[mode])
