"""Labelling: one picture after another, yes, no or unsure, by click or by key, in the page or with plain widgets."""

from __future__ import annotations

import random
from html import escape
from typing import Any, NamedTuple

import ipywidgets
import numpy as np

from ..calibrate.evaluation import MIN_QUERIES
from ..calibrate.judgements import UNSURE
from ..calibrate.lab import as_query, library_hash, table, ten_more_clicks
from ..calibrate.sampling import BELOW, TOP, sample
from ..display.html import picture_html
from ..display.style import STYLE
from ..errors import JudgementError
from ..library import Library
from ..search.moments import clock
from ..search.results import Hit
from .layout import errors_in, row, thumbnail_of
from .service import Answer, Service

# j and f lie under the fingers; b goes back.
KEYS: dict[str, bool | str | None] = {"y": True, "j": True, "n": False, "f": False, "u": UNSURE, "b": None}
FORECAST_EVERY = 10  # answers


class Task(NamedTuple):
    """A picture to judge for a query, and how it came to be chosen: see `sampling`."""

    query: str
    hit: Hit
    origin: str
    probability: float


def tasks(
    library: Library,
    queries: list[str],
    mode: str = "text->image",
    top: int = TOP,
    below: int = BELOW,
    seed: int = 0,
    shuffle: bool = True,
) -> list[Task]:
    """What there is to judge, query by query: a `sampling.sample` of each query's pictures.

    Args:
        library: where the pictures are.
        queries: texts, or for "image->..." paths of photos.
        mode: such as "text->image".
        top: how many of the best pictures are judged of each query.
        below: how many of the others.
        seed: of the drawing; with another seed other pictures are drawn.
        shuffle: in a random order, so that the order does not tell which picture the model holds for the best.
    """
    found = []
    for number, query in enumerate(queries):
        scores = library.score(*as_query(mode, query), ranking="cosine")
        query = str(scores.terms[0].value)  # of a photo its path in the index, however it was named
        picked = sample(scores.values, top, below, seed + number)
        shown = scores.rows.select(["path", "time_s", "digest"]).take(picked.rows).to_pylist()
        of_query = [
            Task(query, Hit(score=float(scores.values[at]), **of), origin, float(probability))
            for at, of, origin, probability in zip(picked.rows, shown, picked.origins, picked.probability, strict=True)
        ]
        if shuffle:
            random.Random(seed + number).shuffle(of_query)
        found += of_query
    return found


class Judging:
    """The pictures of `tasks`, judged one at a time; each answer is kept as a judgement of `judge` at once.

    What this judge has judged before is not shown again, so whoever comes back goes on from there.

    Args:
        library: where the pictures are, and the judgements go.
        queries: texts, or for "image->..." paths of photos.
        mode: what the queries are made of, and what is judged.
        judge: who judges.
        sampling: `top`, `below`, `seed` and `shuffle` of `tasks`.
    """

    def __init__(
        self, library: Library, queries: list[str], mode: str = "text->image", judge: str = "", **sampling: Any
    ):
        self.library, self.mode, self.judge = library, mode, judge
        self.tasks = tasks(library, queries, mode, **sampling)
        frame = library.judgements.frame(unsure=True)
        frame = frame[(frame["mode"] == mode) & (frame["judge"] == judge)]
        times = frame["time_s"].astype(object).where(frame["time_s"].notna(), None)
        before = dict(zip(zip(frame["query"], frame["path"], times, strict=True), frame["relevant"], strict=True))
        self.said = [before.get((task.query, task.hit.path, task.hit.time_s)) for task in self.tasks]
        self.at = self._next(0)
        self._known = {"ranking": "cosine", "model_id": library.encoder.model_id, "library": library_hash(library)}

    @property
    def done(self) -> int:
        """How many are judged."""
        return sum(one is not None for one in self.said)

    def answer(self, relevant: bool | str) -> None:
        """Keep the answer for the picture in hand, True, False or "unsure", and go on to the next."""
        if self.at is None:
            return
        query, hit, origin, probability = self.tasks[self.at]
        self.library.judgements.add(
            self.mode,
            query,
            hit.path,
            relevant,
            time_s=hit.time_s,
            judge=self.judge,
            origin=origin,
            probability=probability,
            **self._known,
        )
        self.said[self.at] = relevant
        self.at = self._next(self.at)

    def back(self) -> None:
        """Take the picture before in hand once more; the new answer will replace the old one."""
        at = len(self.tasks) if self.at is None else self.at
        self.at = max(0, at - 1) if self.tasks else None

    def summary(self) -> str:
        """What was said, and where that leads, for the end."""
        right, wrong, unsure = (sum(one == word for one in self.said) for word in (True, False, UNSURE))
        queries = len({task.query for task in self.tasks})
        return (
            f"{right} right and {wrong} wrong{f' ({unsure} unsure)' if unsure else ''} for {queries} "
            f"{'query' if queries == 1 else 'queries'}. They are kept beside the index. "
            "Now run the cells below: they compare rules for the cutoff on what you said, "
            f"and keep the one you choose. {self.forecast()}"
        )

    def forecast(self) -> str:
        """What is known by now, and what ten more answers will buy, in words."""
        try:
            now, then = ten_more_clicks(table(self.library, self.mode, noise=0))
        except JudgementError as error:
            return str(error)
        if np.isnan(now):
            return f"It takes {MIN_QUERIES} judged queries to tell how good a cutoff is."
        return f"The F1 of the best cutoff is known to ±{now:.2f}; ten more answers make it ±{then:.2f}."

    def _next(self, start: int) -> int | None:
        """The first task from `start` on that is not judged; else the first of all; None when none is left."""
        order = [*range(start, len(self.tasks)), *range(start)]
        return next((at for at in order if self.said[at] is None), None)


class LabellingBox(ipywidgets.VBox):
    """`Judging` with plain widgets. `answer(True)`, `answer(False)` and `back()` do what the buttons and keys do."""

    def __init__(
        self, library: Library, queries: list[str], mode: str = "text->image", judge: str = "", **sampling: Any
    ):
        self.judging = Judging(library, queries, mode, judge, **sampling)
        self.library, self.tasks = library, self.judging.tasks
        self.picture, self.said = ipywidgets.HTML(), ipywidgets.HTML()
        self.progress = ipywidgets.IntProgress(max=max(1, len(self.tasks)), layout=ipywidgets.Layout(width="100%"))
        self.yes = ipywidgets.Button(description="Yes (y)", icon="thumbs-up", button_style="success")
        self.no = ipywidgets.Button(description="No (n)", icon="thumbs-down", button_style="danger")
        self.unsure = ipywidgets.Button(description="Unsure (u)", icon="question")
        self.before = ipywidgets.Button(description="Back (b)", icon="undo")
        self.entry = ipywidgets.Text(
            placeholder="or click here and press y, n, u, b", layout=ipywidgets.Layout(width="20em")
        )
        self.yes.on_click(lambda _: self.answer(True))
        self.no.on_click(lambda _: self.answer(False))
        self.unsure.on_click(lambda _: self.answer(UNSURE))
        self.before.on_click(lambda _: self.back())
        self.entry.observe(self._pressed, "value")
        buttons = row(self.yes, self.no, self.unsure, self.before, self.entry)
        super().__init__([ipywidgets.HTML(STYLE), self.progress, self.picture, buttons, self.said])
        self.add_class("cliplib-box")
        self.show()

    @property
    def at(self) -> int | None:
        """Which of the tasks is in hand; None when all are judged."""
        return self.judging.at

    def answer(self, relevant: bool | str) -> None:
        """Keep the answer for the picture that is shown, True, False or "unsure", and go on to the next."""
        with errors_in(self.said):
            self.judging.answer(relevant)
            self.show()
            if self.at is not None and self.judging.done % FORECAST_EVERY == 0:
                self.said.value = f"<small>{escape(self.judging.forecast())}</small>"

    def back(self) -> None:
        """Show the picture before once more; the new answer will replace the old one."""
        self.judging.back()
        self.show()

    def show(self) -> None:
        """Draw the picture in hand and how far one has come."""
        self.progress.value, self.said.value = self.judging.done, ""
        for button in (self.yes, self.no, self.unsure):
            button.disabled = self.judging.at is None
        count = f"{self.judging.done} of {len(self.tasks)} judged"
        if self.judging.at is None:
            end = f"<p><b>All done.</b> {count}: {escape(self.judging.summary())}</p>"
            self.picture.value = f'<div class="cliplib">{end}</div>'
            return
        query, hit, *_ = self.tasks[self.judging.at]
        when = "" if hit.time_s is None else f" at {clock(hit.time_s)}"
        picture = picture_html(self.library.store.thumbnail((hit.digest, hit.time_s)), hit.path + when)
        asks = f"Is this <b>{escape(query)}</b>?"
        if self.judging.mode.startswith("image->"):
            asks = picture_html(thumbnail_of(self.library, query), query)
            asks += f"Does this show the same as <b>{escape(query)}</b>?"
        self.picture.value = (
            f'<div class="cliplib"><div class="head">{asks}<br><small>{count}</small></div>'
            f'<div style="max-width:340px"><figure>{picture}<figcaption>{escape(hit.path)}{when}</figcaption></figure>'
            "</div></div>"
        )

    def _pressed(self, change: dict[str, Any]) -> None:
        key = change["new"].strip().lower()[-1:]
        if not key:
            return
        self.entry.value = ""
        if key in KEYS:
            said = KEYS[key]
            self.back() if said is None else self.answer(said)


class JudgingService(Service):
    """`Judging` for the page: the pictures are those of a search page."""

    def __init__(self, judging: Judging):
        super().__init__(judging.library)
        self._judging = judging
        self.add("task", "answered", "before")

    def task(self, request: dict, buffers: list[bytes]) -> Answer:
        """The picture in hand, the one after it, and how far one has come."""
        judging = self._judging
        content = {"done": judging.done, "of": len(judging.tasks), "warning": self.library.engine.warning}
        if judging.at is None:
            return content | {"summary": judging.summary()}, []
        query = judging.tasks[judging.at].query
        photo = judging.mode.startswith("image->")
        after = judging.tasks[judging.at + 1 : judging.at + 2]
        return content | {
            "query": query,
            "query_tile": self._of("image").record(query) if photo else None,
            "tile": self._shown(judging.tasks[judging.at].hit),
            "next": [self._shown(task.hit) for task in after],
        }, []

    def answered(self, request: dict, buffers: list[bytes]) -> Answer:
        """Keep what was said of the picture in hand: `relevant`, true, false or "unsure"."""
        self._judging.answer(request["relevant"] if request["relevant"] == UNSURE else bool(request["relevant"]))
        return self.task(request, buffers)

    def before(self, request: dict, buffers: list[bytes]) -> Answer:
        """The picture before once more."""
        self._judging.back()
        return self.task(request, buffers)

    def _shown(self, hit: Hit) -> dict:
        facts = self._of("image" if hit.time_s is None else "frame")
        return facts.record(hit.path, time_s=hit.time_s, digest=hit.digest)
