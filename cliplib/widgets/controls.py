"""What a search box shows of its scores: how many, above what, from where and when. No setting encodes anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import ipywidgets
import numpy as np
import pyarrow.compute as pc

from ..search.results import Hits
from ..search.scores import Scores

FOLDS = {"show all": None, **{f"fold at {cosine}": cosine for cosine in (0.99, 0.97, 0.95, 0.9)}}
EVERYWHERE = "all folders"


@dataclass(frozen=True)
class View:
    """What to show of scores: see `Scores.only` and `Scores.top`. `folder` None is everywhere."""

    k: int = 5
    threshold: float | None = None
    folder: str | None = None
    since: date | None = None
    until: date | None = None
    fold: float | None = None
    screenshots: bool = True


def answer(scores: Scores, view: View) -> Hits:
    """The hits of these scores that a box shows, found without encoding; of videos one hit a moment, its best frame."""
    scores = scores.only(view.folder, view.since, view.until, screenshots=view.screenshots)
    hits = scores.top(view.k, view.threshold, fold=view.fold)
    if not scores.mode.endswith("video") or not hits:
        return hits
    paths, times_s, peak = scores.rows["path"], scores.rows["time_s"], np.zeros(len(scores), bool)
    for moment in scores.moments(view.k, view.threshold):
        peak |= pc.and_(pc.equal(paths, moment.path), pc.equal(times_s, moment.peak_s)).to_numpy()
    peaks = replace(scores, values=np.where(peak, scores.values, np.float32(np.nan)))
    return replace(hits, hits=peaks.top(view.k, view.threshold).hits)


class Controls:
    """The row of settings under an entry, and the filters that a button unfolds. `changed` is called after a change."""

    def __init__(self, folders: list[str], kind: str, changed: Callable[[], None]):
        wide, narrow = ipywidgets.Layout(width="300px"), ipywidgets.Layout(width="230px")
        self.k = ipywidgets.IntSlider(value=5, min=1, max=30, description="at most", layout=wide)
        self.threshold = ipywidgets.FloatSlider(
            min=-0.2, max=1, step=0.01, description="threshold", continuous_update=False, layout=wide
        )
        self.folder = ipywidgets.Dropdown(options=[EVERYWHERE, *folders], description="folder", layout=narrow)
        self.since = ipywidgets.DatePicker(description="taken since", layout=narrow)
        self.until = ipywidgets.DatePicker(description="until", layout=narrow)
        self.fold = ipywidgets.Dropdown(options=list(FOLDS), description="look-alikes", layout=narrow)
        self.screenshots = ipywidgets.Checkbox(value=True, description="screenshots too", indent=False, layout=narrow)
        self.more = ipywidgets.ToggleButton(description="Filters", icon="filter", tooltip="Folder, date, look-alikes")
        of_photos = [self.fold, self.screenshots] if kind == "image" else []
        self.filters = ipywidgets.HBox([self.folder, self.since, self.until, *of_photos])
        self.filters.layout.display = "none"
        self.bars = ipywidgets.HBox([self.k, self.threshold, self.more])
        for row in (self.bars, self.filters):
            row.add_class("cliplib-row")
        self._changed, self._by_mode, self._mode, self._setting = changed, {}, None, False
        for setting in (self.k, self.threshold, *self.filters.children):
            setting.observe(self._on_change, "value")
        self.more.observe(lambda change: self._unfold(change["new"]), "value")

    def view(self) -> View:
        """The settings as they stand."""
        folder = None if self.folder.value == EVERYWHERE else self.folder.value
        return View(
            k=self.k.value,
            threshold=self.threshold.value,
            folder=folder,
            since=self.since.value,
            until=self.until.value,
            fold=FOLDS[self.fold.value],
            screenshots=self.screenshots.value,
        )

    def enter(self, mode: str, threshold: float) -> None:
        """Set the slider to the threshold of a mode: the one that was last set in it, at first `threshold`."""
        if mode == self._mode:
            return
        self._mode, self._setting = mode, True
        self.threshold.value = self._by_mode.get(mode, threshold)
        self._setting = False

    def _on_change(self, change) -> None:
        if self._setting:
            return
        if change["owner"] is self.threshold:
            self._by_mode[self._mode] = change["new"]
        self._changed()

    def _unfold(self, opened: bool) -> None:
        self.filters.layout.display = "" if opened else "none"
