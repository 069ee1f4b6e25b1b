"""What a search box shows of its scores: how many, above what, from where and when. No setting encodes anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets
import numpy as np
import pyarrow.compute as pc

from ..search.results import Hits, Scores
from .layout import row

EVERYWHERE = ("all folders", "")
ONE_SCENE = 0.985  # the cosine from which photos are shots of one scene; from 0.9 on, other cats and people come in
NEAR_DUPLICATES = [("show all", 0), ("one scene", ONE_SCENE), ("look-alikes", 0.95)]


def answer(scores: Scores, k: int, threshold: float, near_duplicates: float | None = None, **filters: Any) -> Hits:
    """The hits of these scores that a box shows, found without encoding; of videos one hit a moment, its best frame.

    `k`, `threshold` and `near_duplicates` are those of `Scores.top`, `filters` those of `Scores.filter`.
    """
    scores = scores.filter(**filters)
    hits = scores.top(k, threshold, near_duplicates=near_duplicates)
    if scores.mode.target != "video" or not hits:
        return hits
    paths, times_s, peak = scores.rows["path"], scores.rows["time_s"], np.zeros(len(scores), bool)
    for moment in scores.moments(k, threshold):
        peak |= pc.and_(pc.equal(paths, moment.path), pc.equal(times_s, moment.peak_s)).to_numpy()
    peaks = replace(scores, values=np.where(peak, scores.values, np.float32(np.nan)))
    return replace(hits, hits=peaks.top(k, threshold).hits)


class Controls:
    """The row of settings under an entry, and the filters that a button unfolds. `changed` is called after a change."""

    def __init__(self, folders: list[str], row_kind: str, changed: Callable[[], None]):
        wide, narrow = ipywidgets.Layout(width="300px"), ipywidgets.Layout(width="230px")
        self.k = ipywidgets.IntSlider(value=5, min=1, max=30, description="at most", layout=wide)
        self.threshold = ipywidgets.FloatSlider(
            min=-0.2, max=1, step=0.01, description="threshold", continuous_update=False, layout=wide
        )
        options = [EVERYWHERE, *((folder, folder) for folder in folders)]
        self.folder = ipywidgets.Dropdown(options=options, description="folder", layout=narrow)
        self.since = ipywidgets.DatePicker(description="taken since", layout=narrow)
        self.until = ipywidgets.DatePicker(description="until", layout=narrow)
        self.near_duplicates = ipywidgets.Dropdown(
            options=NEAR_DUPLICATES, value=ONE_SCENE, description="fold", layout=narrow
        )
        self.screenshots = ipywidgets.Checkbox(value=True, description="screenshots too", indent=False, layout=narrow)
        self.more = ipywidgets.ToggleButton(description="Filters", icon="filter", tooltip="Folder, date, look-alikes")
        of_photos = [self.near_duplicates, self.screenshots] if row_kind == "image" else []
        self.filters = row(self.folder, self.since, self.until, *of_photos)
        self.filters.layout.display = "none"
        self.bars = row(self.k, self.threshold, self.more)
        self._changed, self._mode, self._setting = changed, "", False
        self._by_mode: dict[str, float] = {}
        for setting in (self.k, self.threshold, *self.filters.children):
            setting.observe(self._on_change, "value")
        self.more.observe(lambda change: self._unfold(change["new"]), "value")

    def settings(self) -> dict[str, Any]:
        """How they stand now, as `answer` takes them."""
        return {
            "k": self.k.value,
            "threshold": self.threshold.value,
            "folder": self.folder.value,
            "since": self.since.value,
            "until": self.until.value,
            "near_duplicates": self.near_duplicates.value or None,
            "screenshots": self.screenshots.value,
        }

    def enter(self, mode: str, threshold: float) -> None:
        """Set the slider to the threshold of a mode: the one that was last set in it by hand, else `threshold`."""
        self._mode, self._setting = mode, True
        self.threshold.value = self._by_mode.get(mode, threshold)
        self._setting = False

    def _on_change(self, change: dict[str, Any]) -> None:
        if self._setting:
            return
        if change["owner"] is self.threshold:
            self._by_mode[self._mode] = change["new"]
        self._changed()

    def _unfold(self, opened: bool) -> None:
        self.filters.layout.display = "" if opened else "none"
