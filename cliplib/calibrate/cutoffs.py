"""Which cutoff a search takes when it is given none: the calibrated one, else the model's own, else the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..search.mode import Mode
from ..search.ordering import Cutoff
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
            return Cutoff(min(self(Mode.of(query, mode.row_kind)).cosine for query in ("text", "image")))
        own = Cutoff({**PAPER_THRESHOLDS, **self._thresholds}[mode])
        if profile := self._profiles.get(mode):
            calibrated = {profile.scale: profile.threshold}
            return replace(own, **calibrated, calibrated=profile.scale, odds_of=profile.odds_of)
        return own
