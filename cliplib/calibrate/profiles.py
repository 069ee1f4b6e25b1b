"""Profiles: a calibrated cutoff for one mode of one model, kept in the model's folder of the cache."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..cache.durable import write_durably
from ..errors import CacheError
from ..search.ordering import Odds
from .judgements import MODES
from .odds import OddsModel

FORMAT = 1


@dataclass(frozen=True)
class Profile:
    """What calibrating gave for one mode.

    Args:
        mode: such as "text->image".
        rule: the name of the rule.
        threshold: its number, a cosine, or a match where `scale` says so.
        model: what the scores came from: `model_id`, `name` and `preprocessing`.
        source: where the rule comes from.
        queries: how many were judged.
        judgements: how many there were.
        library: the hash of the pictures.
        seed: for repeating it.
        versions: for repeating it.
        date: ISO 8601.
        curve: what earlier versions kept in place of `odds`: rising cosines, and the share of right ones at each.
        odds: what `odds.fit_odds` gave; None where that cannot be told.
        scale: "cosine" or "match".
    """

    mode: str
    rule: str
    threshold: float
    model: dict[str, str]
    source: str = ""
    queries: int = 0
    judgements: int = 0
    library: str = ""
    seed: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    date: str = ""
    curve: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    odds: OddsModel | None = None
    scale: str = "cosine"

    def odds_of(self, values: np.ndarray) -> Callable[[float], Odds | None]:
        """How many pictures are right at a score, for a query with these scores, float (n,): see `OddsModel`."""
        if self.odds:
            return self.odds.for_query(values)
        return lambda score: None if (share := self.expected(score)) is None else Odds(share, share, share)

    def expected(self, score: float) -> float | None:
        """The share of pictures with this cosine that are relevant by `curve`, 0 to 1; None when it has none."""
        scores, shares = self.curve
        return float(np.interp(score, scores, shares)) if len(scores) else None

    def __str__(self) -> str:
        return (
            f"{self.mode}: {self.threshold:.3f} by {self.rule}, from {self.judgements} judgements of {self.queries} "
            f"queries with {self.model['name']}"
        )


class Profiles:
    """The profiles of one model in one library. `folder` is the model's in the cache; `model` what a Store is told."""

    def __init__(self, folder: Path, model: dict):
        self.folder, self.model = Path(folder), model

    def get(self, mode: str) -> Profile | None:
        """The profile of a mode, or None. CacheError when it is damaged or of another model."""
        file = self._file(mode)
        if not file.is_file():
            return None
        try:
            profile = _profile(json.loads(file.read_bytes()))
            if profile.mode != mode:
                raise ValueError(f"it is for {profile.mode}")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CacheError(f"the profile {file} is damaged ({error}): delete it, or calibrate again") from error
        self._check_model(profile)
        return profile

    def bodies(self) -> list[dict]:
        """All profiles as dicts, lists, texts and numbers: what a snapshot carries, and `add` takes."""
        profiles = [profile for mode in MODES if (profile := self.get(mode))]
        return [json.loads(_text(profile)) for profile in profiles]

    def add(self, bodies: list[dict]) -> None:
        """Save the profiles of modes that have none here. CacheError when one is unsound, or of another model."""
        try:
            profiles = [_profile(body) for body in bodies]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CacheError(f"the file carries a damaged profile: {error!r:.100}") from error
        for profile in profiles:
            if self.get(profile.mode) is None:
                self.save(profile)

    def save(self, profile: Profile) -> None:
        """Make `profile` what `threshold=None` means for its mode from now on, in place of the one before.

        CacheError, with the one before intact, when it is of another model or the disk refuses.
        """
        self._check_model(profile)
        file = self._file(profile.mode)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_durably(file, lambda out: out.write(_text(profile).encode("utf-8")))
        except OSError as error:
            why = f"{error.strerror or error}. The profile before is intact"
            raise CacheError(f"could not save {file}: {why}") from error

    def remove(self, mode: str) -> None:
        """Go back to the model's own threshold for a mode."""
        self._file(mode).unlink(missing_ok=True)

    def _file(self, mode: str) -> Path:
        return self.folder / f"profile-{mode.replace('->', '-to-')}.json"

    def _check_model(self, profile: Profile) -> None:
        for name, what in (("model_id", "is of the model"), ("preprocessing", "prepares pictures as")):
            theirs, mine = profile.model.get(name), self.model[name]
            if theirs != mine:
                raise CacheError(
                    f"the profile of {profile.mode} {what} {profile.model.get('name')!r} ({str(theirs)[:40]}), but "
                    f"this library's is {self.model['name']!r} ({str(mine)[:40]}): their cosines cannot be compared. "
                    "Calibrate again with this model"
                )


def _text(profile: Profile) -> str:
    return json.dumps({"format": FORMAT, **asdict(profile)}, indent=1)


def _profile(body: dict) -> Profile:
    """The profile that `_text` wrote; some error of a wrong type or value where it cannot be one."""
    facts = {name: value for name, value in body.items() if name != "format"}
    if body["format"] != FORMAT:
        raise ValueError("its format is not known here")
    curve = tuple(tuple(map(float, numbers)) for numbers in facts["curve"])
    odds = OddsModel(**facts["odds"]) if facts.get("odds") else None  # older ones have none
    profile = Profile(**facts | {"curve": curve, "odds": odds})
    known = profile.mode in MODES and profile.scale in ("cosine", "match")
    sound = known and -1 <= profile.threshold <= 1 and isinstance(profile.model, dict)
    if not sound or len({len(side) for side in profile.curve}) > 1:
        raise ValueError(f"it gives {profile.threshold!r} for {profile.mode!r}")
    return profile
