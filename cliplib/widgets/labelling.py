"""The labelling box: one picture after another, yes or no, by click or by key. Only widgets of ipywidgets 7.7 and 8."""

from __future__ import annotations

from html import escape

import ipywidgets

from ..display.html import picture_html
from ..display.style import STYLE
from ..lab import candidates, question
from ..library import Library
from ..search.moments import clock
from ..search.results import Hit
from .parts import errors_in, row, thumbnail_of

KEYS = {"y": True, "j": True, "n": False, "f": False, "b": None}  # j and f lie under the fingers; b goes back


def tasks(
    library: Library, queries: list[str], mode: str = "text->image", top: int = 10, below: int = 5, seed: int = 0
) -> list[tuple[str, Hit]]:
    """What there is to judge: (query, picture) for the `candidates` of each query, the best first.

    The best first, so that a query left half-way has its top judged without a gap, see `lab.weights`.
    """
    found = []
    for number, query in enumerate(queries):
        scores = library.score(*question(mode, query))
        query = str(scores.terms[0].value)  # of a photo its path in the index, however it was named
        picked = candidates(scores.values, top, below, seed + number)
        shown = scores.rows.select(["path", "time_s", "digest"]).take(picked).to_pylist()
        found += [(query, Hit(score=float(scores.values[at]), **of)) for at, of in zip(picked, shown, strict=True)]
    return found


class LabellingBox(ipywidgets.VBox):
    """Shows the pictures of `tasks` one at a time, and keeps each answer as a judgement of `judge` at once.

    What this judge has judged before is not shown again, so running the cell again goes on from there. `answer(True)`,
    `answer(False)` and `back()` do what the buttons and the keys do. `sampling`: `top`, `below`, `seed` of `tasks`.
    """

    def __init__(
        self, library: Library, queries: list[str], mode: str = "text->image", judge: str = "", **sampling: int
    ):
        self.library, self.mode, self.judge = library, mode, judge
        self.tasks = tasks(library, queries, mode, **sampling)
        frame = library.judgements.frame()
        frame = frame[(frame["mode"] == mode) & (frame["judge"] == judge)]
        times = frame["time_s"].astype(object).where(frame["time_s"].notna(), None)
        before = set(zip(frame["query"], frame["path"], times, strict=True))
        self.done = [(query, hit.path, hit.time_s) in before for query, hit in self.tasks]
        self.at = self._next(0)
        self.picture, self.said = ipywidgets.HTML(), ipywidgets.HTML()
        self.progress = ipywidgets.IntProgress(max=max(1, len(self.tasks)), layout=ipywidgets.Layout(width="100%"))
        self.yes = ipywidgets.Button(description="Yes (y)", icon="thumbs-up", button_style="success")
        self.no = ipywidgets.Button(description="No (n)", icon="thumbs-down", button_style="danger")
        self.before = ipywidgets.Button(description="Back (b)", icon="undo")
        self.entry = ipywidgets.Text(
            placeholder="or click here and press y, n, b", layout=ipywidgets.Layout(width="20em")
        )
        self.yes.on_click(lambda _: self.answer(True))
        self.no.on_click(lambda _: self.answer(False))
        self.before.on_click(lambda _: self.back())
        self.entry.observe(self._pressed, "value")
        buttons = row(self.yes, self.no, self.before, self.entry)
        super().__init__([ipywidgets.HTML(STYLE), self.progress, self.picture, buttons, self.said])
        self.add_class("cliplib-box")
        self.show()

    def answer(self, relevant: bool) -> None:
        """Keep the answer for the picture that is shown, and go on to the next."""
        if self.at is None:
            return
        query, hit = self.tasks[self.at]
        with errors_in(self.said):
            self.library.judgements.add(self.mode, query, hit.path, relevant, time_s=hit.time_s, judge=self.judge)
            self.done[self.at] = True
            self.at = self._next(self.at)
            self.show()

    def back(self) -> None:
        """Show the picture before once more; the new answer will replace the old one."""
        at = len(self.tasks) if self.at is None else self.at
        if at > 0:
            self.at = at - 1
            self.show()

    def show(self) -> None:
        """Draw the picture in hand and how far one has come."""
        self.progress.value, self.said.value = sum(self.done), ""
        over = self.at is None
        for button in (self.yes, self.no):
            button.disabled = over
        count = f"{sum(self.done)} of {len(self.tasks)} judged"
        if over:
            self.picture.value = f'<div class="cliplib"><p><b>All done.</b> {count}.</p></div>'
            return
        query, hit = self.tasks[self.at]
        when = "" if hit.time_s is None else f" at {clock(hit.time_s)}"
        picture = picture_html(self.library.store.thumbnail((hit.digest, hit.time_s)), hit.path + when)
        asks = f"Is this <b>{escape(query)}</b>?"
        if self.mode.startswith("image->"):
            asks = picture_html(thumbnail_of(self.library, query), query)
            asks += f"Does this show the same as <b>{escape(query)}</b>?"
        self.picture.value = (
            f'<div class="cliplib"><div class="head">{asks}<br><small>{count}</small></div>'
            f'<div style="max-width:340px"><figure>{picture}<figcaption>{escape(hit.path)}{when}</figcaption></figure>'
            "</div></div>"
        )

    def _pressed(self, change) -> None:
        key = change["new"].strip().lower()[-1:]
        if not key:
            return
        self.entry.value = ""
        if key in KEYS:
            self.back() if KEYS[key] is None else self.answer(KEYS[key])

    def _next(self, start: int) -> int | None:
        """The first task from `start` on that is not judged; else the first of all; None when none is left."""
        order = [*range(start, len(self.tasks)), *range(start)]
        return next((at for at in order if not self.done[at]), None)
