"""Search boxes for notebooks: ask by words, by a picture, or by both with weights; see, play, judge and keep.

The search page is one ES module, `page.js`, with its style in `page.css`. All that it asks, `service` answers in plain
data, with tiles made by `records` and what one can filter by from `overview`; `notebook` shows it in a notebook through
anywidget, `server` as an app of its own, with `invitations` for phones. `labelling`, to judge one picture after
another, and `explorer`, a cutoff over judged scores, stand in the same module.

`plain` has the boxes that need nothing but ipywidgets: what Colab gets, and whoever's page cannot load the module. Each
is a `box` of `inputs`, `controls`, a `grid` of results and an `export_panel`, in a common `layout`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..library import Library
from . import plain

if TYPE_CHECKING:
    import ipywidgets

    from ..calibrate.lab import Table


def search_page(library: Library, example: str = "") -> ipywidgets.Widget:
    """The whole page, as `make app` serves it: one line for words, pictures and names; photos and videos in one answer.

    It shows the newest first until something is asked; with an `example` that is asked at once.
    """
    return _page(
        library, lambda: plain.text_box(library, example), _terms({example: 1.0}), "all", address=True, endless=True
    )


def text_box(library: Library, example: str = "") -> ipywidgets.Widget:
    """Text to image: type a query, press Enter."""
    return _page(library, lambda: plain.text_box(library, example), _terms({example: 1.0}))


def image_box(library: Library, example: str = "") -> ipywidgets.Widget:
    """Image to image: give a photo of your own, or go from any result to what is like it.

    `example` is the path of the photo to begin with; none: the first.
    """
    photos = [] if example else library.photos()[:1]
    terms = [{"kind": "photo", "value": path, "weight": 1} for path in filter(None, [example, *photos])]
    return _page(library, lambda: plain.image_box(library, example), terms)


def video_box(library: Library, example: str = "") -> ipywidgets.Widget:
    """Text or image to video: type a query and press Enter, or give a photo. Each tile plays its moment."""
    return _page(library, lambda: plain.video_box(library, example), _terms({example: 1.0}), "frame")


def compose_box(library: Library, example: str | Mapping[str, float] = "") -> ipywidgets.Widget:
    """Words and photos with weights, summed: more of this, less of that.

    `example` is a text, or up to six texts with the factor of each, such as {"a car": 1, "a town": -1}.
    """
    words = {example: 1.0} if isinstance(example, str) else example
    return _page(library, lambda: plain.compose_box(library, example), _terms(words))


def labelling_box(
    library: Library, queries: list[str], mode: str = "text->image", judge: str = "", **sampling: int
) -> ipywidgets.Widget:
    """One picture after another to judge: see `labelling.Judging`, whose arguments these are."""
    from .labelling import Judging, JudgingService, LabellingBox

    if not page_can_load():
        return LabellingBox(library, queries, mode, judge, **sampling)
    from . import notebook

    judging = Judging(library, queries, mode, judge, **sampling)
    return notebook.Page(
        JudgingService(judging).answer, lambda: LabellingBox(library, queries, mode, judge, **sampling), view="judge"
    )


def explorer(library: Library, table: Table) -> ipywidgets.Widget:
    """A cutoff to move over the judged scores of a `lab.Table`, with what it accepts and rejects."""
    from .explorer import Explorer, ExplorerService

    if not page_can_load():
        return Explorer(library, table)
    from . import notebook

    return notebook.Page(ExplorerService(library, table).answer, lambda: Explorer(library, table), view="cut")


def _terms(factors: Mapping[str, float]) -> list[dict]:
    return [{"kind": "text", "value": words, "weight": factor} for words, factor in factors.items() if words]


def _page(
    library: Library, boxes: Callable[[], ipywidgets.Widget], terms: list[dict], kind: str = "image", **options: Any
) -> ipywidgets.Widget:
    """The search page with the plain box behind it; that alone where the page is known not to load.

    `terms` and `kind` are what it begins with, see `Service.ask`.
    """
    if not page_can_load():
        return boxes()
    from . import notebook
    from .service import Service

    return notebook.Page(Service(library).answer, boxes, terms=terms, kind=kind, **options)


def page_can_load() -> bool:
    """Whether this notebook's front end is expected to load the module.

    It cannot without anywidget, and in Colab it has not been tried yet.
    """
    return find_spec("anywidget") is not None and "google.colab" not in sys.modules
