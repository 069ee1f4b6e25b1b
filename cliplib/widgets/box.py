"""The body of every search box: an entry and a button, settings, a gallery over the scores in hand, thumbs, keeping."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path, PurePosixPath

import ipywidgets
import numpy as np
from PIL import Image

from ..display.html import empty_html, head_html, picture_html, player_html, shown_hits, warning_html
from ..display.style import STYLE
from ..library import Library
from ..search.mode import Mode
from ..search.moments import Moment, clock
from ..search.results import Hit, Hits, Scores
from .controls import Controls, answer
from .entries import Asked
from .gallery import Actions, Gallery
from .keeping import Keeping
from .parts import errors_in, row, thumbnail_of

GONE = (
    "<small>If nothing happens when you search, the kernel has stopped (on Colab after some idle time): "
    "run the cells again from the top, or in the app load the page again.</small>"
)
NOT_KEPT = (
    '<div class="cliplib"><small>This thumb can refine the query here. It is not kept for measuring thresholds: only '
    "one text, or one photo of the library, can be asked again later.</small></div>"
)


class SearchBox(ipywidgets.VBox):
    """An entry, a button, settings, and a gallery over the scores in hand.

    `mode` is that of the queries it is made for; `asked` says what the entry holds; `go_to` is what "Find similar" does
    with the path of a photo (None: ask for it and leave the entry alone). `base` are the scores of the query, `scores`
    those in hand, perhaps refined, `hits` what is shown; `judged` maps (path, time_s) to the thumb for this query.
    """

    def __init__(
        self,
        library: Library,
        mode: str,
        entry: list[ipywidgets.Widget],
        asked: Callable[[], Asked],
        go_to: Callable[[str], None] | None = None,
        similar_label: str = "Find similar",
    ):
        self.library, self._asked, self._go_to = library, asked, go_to
        self.kind = kind = Mode(mode).row_kind
        self.base: Scores | None = None
        self.scores: Scores | None = None
        self.hits: Hits | None = None
        self.judged: dict[tuple, bool] = {}
        self.entry = entry
        self.button = ipywidgets.Button(description="Search", button_style="primary", icon="search")
        self.button.on_click(self.search)
        files = library.photos() if kind == "image" else library.videos()
        folders = sorted({str(parent) for file in files for parent in PurePosixPath(file).parents} - {"."})
        self.controls = Controls(folders, kind, self.show)
        self.controls.enter(mode, library.threshold(mode))
        library.store.thumbnail(("", None))  # so that the list of pictures is read now, not after the first Enter
        self.notice, self.head = ipywidgets.HTML(), ipywidgets.HTML()
        player = self._player if kind == "frame" else None
        self.gallery = Gallery(Actions(self.similar, self.judge, library.drive_link, player, similar_label))
        self.refine = ipywidgets.Button(icon="magic", tooltip="By Rocchio's rule. Search again for the plain query")
        self.refine.on_click(self._refine)
        self.refine.layout.display = "none"
        beside = library.root.resolve().parent  # where a folder lies that is named without a path
        self.keeping = Keeping(
            lambda: self.hits,
            self.chosen,
            lambda hits, folder: library.copy_to(hits, beside / Path(folder).expanduser()),
        )
        self.keeping.open.layout.display = "none"
        above = [ipywidgets.HTML(STYLE), row(*entry, self.button), self.controls.bars, self.controls.filters]
        offers = row(self.refine, self.keeping.open)
        offers.add_class("cliplib-below")
        below = [offers, self.keeping.panel, ipywidgets.HTML(f'<div class="cliplib">{GONE}</div>')]
        super().__init__([*above, self.notice, self.head, self.gallery.widget, *below])
        self.add_class("cliplib-box")

    def started(self, example: str | Mapping[str, float]) -> SearchBox:
        """This box, with the example already asked if there is one."""
        if example:
            self.search()
        return self

    def search(self, *_) -> None:
        """Ask what the entry holds."""
        self.take(self._asked)

    def similar(self, hit: Hit) -> None:
        """Ask for what looks like a hit: a photo by its stored embedding, a frame by its picture."""
        if hit.time_s is not None:
            self.take(lambda: self._frame(hit))
        elif self._go_to:
            self._go_to(hit.path)
        else:
            self.take(lambda: self.photo(hit.path))

    def take(self, asked: Callable[[], Asked]) -> None:
        """Score what `asked` gives, and show it; what goes wrong is said in the box."""
        self.button.disabled, self.notice.value = True, ""
        results = self.gallery.widget.layout
        results.display, self.head.value = "none", ""  # under an error, old results would seem to be its answer
        try:
            with errors_in(self.notice), warnings.catch_warnings(record=True) as notes:
                warnings.simplefilter("always")
                ask = asked()
                scores = self.library.score(ask.query, self.kind)
                self.base = self.scores = replace(scores, query=ask.name or scores.query)
                self.judged, self._picture, self._notes = {}, ask.picture, [str(note.message) for note in notes]
                self.controls.enter(scores.mode, scores.threshold)
                self.show()
                _ = scores.noise_floor  # encoded now, once, so that no slider has to, which may leave nothing found
        finally:
            self.button.disabled = False

    def show(self) -> None:
        """Take the hits from the scores in hand, and show them. Encodes nothing."""
        if self.scores is None:
            return
        self.notice.value = ""
        with errors_in(self.notice):
            self.hits = answer(self.scores, **self.controls.settings())
            self.gallery.widget.layout.display = ""
            self.gallery.show(self.hits, self.judged)
            picture = picture_html(self._picture, "the query") if self._picture else ""
            notes = "".join(f'<p class="error">{escape(note)}</p>' for note in self._notes)
            top = head_html(self.hits, picture) + notes + empty_html(self.hits) + warning_html(self.hits.warning)
            self.head.value = f'<div class="cliplib">{top}</div>'
            self.keeping.close()
            self.keeping.open.layout.display = ""
            self._offer_refining()

    def judge(self, hit: Hit, relevant: bool) -> None:
        """Take a thumb: it can refine the query in hand, and is kept as a judgement where others can ask the same."""
        self.judged[hit.path, hit.time_s] = relevant
        self.gallery.mark(self.judged)
        self._offer_refining()
        self.notice.value = ""
        with errors_in(self.notice):
            if (query := self._asked_again()) is None:
                self.notice.value = NOT_KEPT
            else:
                self.library.judgements.add(self.base.mode, query, hit.path, relevant, time_s=hit.time_s)

    def chosen(self) -> Hits:
        """What is shown with a thumb up; without any, all that is shown."""
        up = tuple(hit for hit in shown_hits(self.hits) if self.judged.get((hit.path, hit.time_s)))
        return replace(self.hits, hits=up or shown_hits(self.hits))

    def photo(self, path: str) -> Asked:
        """A photo of the library as a query, with its thumbnail; or another file's path."""
        return Asked(Path(path), path, thumbnail_of(self.library, path))

    def _frame(self, hit: Hit) -> Asked:
        jpeg = self.hits.thumbnail(hit)
        return Asked(Image.open(io.BytesIO(jpeg)), f"{hit.path} at {clock(hit.time_s)}", jpeg)

    def _asked_again(self) -> str | None:
        """The query as a judgement can name it: a text or a photo of the library; None for sums and other pictures."""
        term, *more = self.base.terms
        return term.value if not more and term.weight > 0 and isinstance(term.value, str) else None

    def _refine(self, _) -> None:
        marked: dict[bool, list[Hit]] = {True: [], False: []}
        for (path, time_s), up in self.judged.items():
            marked[up].append(Hit(path, 0.0, time_s))
        with errors_in(self.notice):
            self.scores = self.base.refined(marked[True], marked[False])
            self.show()

    def _offer_refining(self) -> None:
        up = sum(self.judged.values())
        self.refine.description = f"Refine by {up} yes and {len(self.judged) - up} no"
        self.refine.layout.display = "" if self.judged else "none"

    def _player(self, hit: Hit) -> str:
        return player_html(moment_of(self.scores, hit, self.hits.threshold), hit.time_s)


def moment_of(scores: Scores, hit: Hit, threshold: float) -> Moment:
    """The moment around a found frame, taken with the threshold or, where the frame is below it, with its own score."""
    own = np.flatnonzero(scores.rows["path"].to_numpy() == hit.path)
    video = replace(scores, values=scores.values[own], rows=scores.rows.take(own))
    moments = video.moments(k=max(1, len(own)), threshold=min(threshold, hit.score))
    around = next(moment for moment in moments if moment.start_s <= hit.time_s <= moment.end_s)
    return replace(around, peak_s=hit.time_s, score=hit.score)
