"""The body of every plain search box: inputs and a button, settings, a grid of results, thumbs, a panel to export."""

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
from ..errors import QueryError
from ..library import Library
from ..search.mode import Mode
from ..search.moments import Moment, clock
from ..search.results import Hit, Hits, Scores
from .controls import Controls, answer
from .export_panel import ExportPanel
from .grid import Actions, Grid
from .inputs import Question
from .layout import errors_in, row, thumbnail_of

GONE = (
    "<small>If nothing happens when you search, the kernel has stopped (on Colab after some idle time): "
    "run the cells again from the top, or in the app load the page again.</small>"
)
NOT_KEPT = (
    '<div class="cliplib"><small>This thumb can refine the query here. It is not kept for measuring thresholds: only '
    "one text, or one photo of the library, can be asked again later.</small></div>"
)


class SearchBox(ipywidgets.VBox):
    """Inputs, a button, settings, and a grid of the results.

    `base` are the scores of the query; `scores` those in hand, perhaps refined; `hits` what is shown. All three are
    None until something is asked. `judged` maps (path, time_s) to the thumb that was given for this query.

    Args:
        library: what is searched.
        mode: of the queries that the box is made for, such as "text->image".
        entry: the widgets that one asks with.
        question: reads them.
        go_to: what "Find similar" does with the path of a photo. None: ask for it, and leave the entry as it is.
        similar_label: the words on that button.
    """

    def __init__(
        self,
        library: Library,
        mode: str,
        entry: list[ipywidgets.Widget],
        question: Callable[[], Question],
        go_to: Callable[[str], None] | None = None,
        similar_label: str = "Find similar",
    ):
        self.library, self._question, self._go_to = library, question, go_to
        self.row_kind = row_kind = Mode(mode).row_kind
        self.base: Scores | None = None
        self.scores: Scores | None = None
        self.hits: Hits | None = None
        self.judged: dict[tuple, bool] = {}
        self.entry = entry
        self.button = ipywidgets.Button(description="Search", button_style="primary", icon="search")
        self.button.on_click(self.search)
        files = library.photos() if row_kind == "image" else library.videos()
        folders = sorted({str(parent) for file in files for parent in PurePosixPath(file).parents} - {"."})
        self.controls = Controls(folders, row_kind, self.show)
        self.controls.enter(mode, library.threshold(mode))
        library.store.thumbnail(("", None))  # so that the list of pictures is read now, not after the first Enter
        self.notice, self.head = ipywidgets.HTML(), ipywidgets.HTML()
        player = self._player if row_kind == "frame" else None
        self.grid = Grid(Actions(self.similar, self.judge, library.drive_link, player, similar_label))
        self.refine = ipywidgets.Button(icon="magic", tooltip="By Rocchio's rule. Search again for the plain query")
        self.refine.on_click(self._refine)
        self.refine.layout.display = "none"
        beside = library.root.resolve().parent  # where a folder lies that is named without a path
        self.export_panel = ExportPanel(
            lambda: self.hits,
            self.chosen,
            lambda hits, folder: library.copy_to(hits, beside / Path(folder).expanduser()),
        )
        self.export_panel.open.layout.display = "none"
        above = [ipywidgets.HTML(STYLE), row(*entry, self.button), self.controls.bars, self.controls.filters]
        offers = row(self.refine, self.export_panel.open)
        offers.add_class("cliplib-below")
        below = [offers, self.export_panel.panel, ipywidgets.HTML(f'<div class="cliplib">{GONE}</div>')]
        super().__init__([*above, self.notice, self.head, self.grid.widget, *below])
        self.add_class("cliplib-box")

    def started(self, example: str | Mapping[str, float]) -> SearchBox:
        """This box, with the example already asked if there is one."""
        if example:
            self.search()
        return self

    def search(self, *_: object) -> None:
        """Ask what the entry holds."""
        self.ask_by(self._question)

    def similar(self, hit: Hit) -> None:
        """Ask for what looks like a hit: a photo by its stored embedding, a frame by its picture."""
        if hit.time_s is not None:
            self.ask_by(lambda: self._frame(hit))
        elif self._go_to:
            self._go_to(hit.path)
        else:
            self.ask_by(lambda: self.photo(hit.path))

    def ask_by(self, read: Callable[[], Question]) -> None:
        """Score the question that `read` gives, and show the answer; what goes wrong is said in the box."""
        self.button.disabled, self.notice.value = True, ""
        results = self.grid.widget.layout
        results.display, self.head.value = "none", ""  # under an error, old results would seem to be its answer
        try:
            with errors_in(self.notice), warnings.catch_warnings(record=True) as notes:
                warnings.simplefilter("always")
                question = read()
                scores = self.library.score(question.query, self.row_kind)
                self.base = self.scores = replace(scores, query=question.name or scores.query)
                self.judged, self._picture, self._notes = {}, question.picture, [str(note.message) for note in notes]
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
            self.grid.widget.layout.display = ""
            self.grid.show(self.hits, self.judged)
            picture = picture_html(self._picture, "the query") if self._picture else ""
            notes = "".join(f'<p class="error">{escape(note)}</p>' for note in self._notes)
            top = head_html(self.hits, picture) + notes + empty_html(self.hits) + warning_html(self.hits.warning)
            self.head.value = f'<div class="cliplib">{top}</div>'
            self.export_panel.close()
            self.export_panel.open.layout.display = ""
            self._offer_refining()

    def judge(self, hit: Hit, relevant: bool) -> None:
        """Take a thumb: it can refine the query in hand, and is kept as a judgement where others can ask the same."""
        self.judged[hit.path, hit.time_s] = relevant
        self.grid.mark(self.judged)
        self._offer_refining()
        self.notice.value = ""
        with errors_in(self.notice):
            if self.base is None or (query := self._repeatable(self.base)) is None:
                self.notice.value = NOT_KEPT
            else:
                self.library.judgements.add(self.base.mode, query, hit.path, relevant, time_s=hit.time_s)

    def chosen(self, hits: Hits) -> Hits:
        """Those of `hits` with a thumb up; without any, all that are shown."""
        up = tuple(hit for hit in shown_hits(hits) if self.judged.get((hit.path, hit.time_s)))
        return replace(hits, hits=up or shown_hits(hits))

    def photo(self, path: str) -> Question:
        """A photo of the library as a query, with its thumbnail; or another file's path."""
        return Question(Path(path), path, thumbnail_of(self.library, path))

    def _frame(self, hit: Hit) -> Question:
        name = f"{hit.path} at {clock(hit.time_s or 0.0)}"
        jpeg = self.library.store.thumbnail((hit.digest, hit.time_s))
        if jpeg is None:
            raise QueryError(f"{name} has no picture in the index: run library.index()")
        return Question(Image.open(io.BytesIO(jpeg)), name, jpeg)

    def _repeatable(self, scores: Scores) -> str | None:
        """The query as a judgement can name it: a text or a photo of the library; None for sums and other pictures."""
        term, *more = scores.terms
        return term.value if not more and term.factor > 0 and isinstance(term.value, str) else None

    def _refine(self, _: object) -> None:
        if self.base is None:
            return
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
        if self.scores is None or self.hits is None:
            return ""
        return player_html(moment_of(self.scores, hit, self.hits.threshold), hit.time_s)


def moment_of(scores: Scores, hit: Hit, threshold: float) -> Moment:
    """The moment around a found frame, taken with the threshold or, where the frame is below it, with its own score."""
    own = np.flatnonzero(scores.rows["path"].to_numpy() == hit.path)
    video = replace(scores, values=scores.values[own], rows=scores.rows.take(own))
    moments = video.moments(k=max(1, len(own)), threshold=min(threshold, hit.score))
    around = next(moment for moment in moments if moment.start_s <= hit.time_s <= moment.end_s)
    return replace(around, peak_s=hit.time_s, score=hit.score)
