"""The search page in a notebook: the same ES module as the app's, with the kernel behind it, through anywidget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from ..display.style import STYLE, THEME

HERE = Path(__file__).parent
NOT_LOADED = (
    "<div class='cliplib'><small>If nothing stands above this line, this notebook's front end has not loaded the "
    "search page: it needs the package <b>anywidget</b> where JupyterLab itself is installed.</small></div>"
)


class View(anywidget.AnyWidget):
    """The module with what answers it. Pictures travel as messages, never as state, so none is saved in a notebook."""

    _esm = HERE.joinpath("page.js").read_text(encoding="utf-8")
    _css = THEME + HERE.joinpath("page.css").read_text(encoding="utf-8")
    options = traitlets.Dict().tag(sync=True)

    def __init__(self, answer: Callable[[dict, list[bytes]], tuple[dict, list[bytes]]], **options: Any):
        super().__init__(options=options)
        self._answer = answer
        self.on_msg(self._on_request)

    def _on_request(self, _: Any, message: dict[str, Any], buffers: list) -> None:
        """A numbered request of the page: the answer carries its number."""
        content, files = self._answer(message["request"], [bytes(buffer) for buffer in buffers])
        self.send({"page": message["page"], "number": message["number"], "content": content}, files)


class Page(ipywidgets.VBox):
    """The search page, and under it a way to the plain box, which the page's style hides as soon as it is loaded.

    `answer` is that of a service, `plain` makes the box of ipywidgets alone, `options` are those of `mount` in page.js.
    """

    def __init__(self, answer: Callable, plain: Callable[[], ipywidgets.Widget], **options: Any):
        self.view = View(answer, **options)
        self.plain = ipywidgets.Button(description="Show the plain box", icon="list")
        self.plain.on_click(lambda _: setattr(self, "children", [plain()]))
        otherwise = ipywidgets.VBox([ipywidgets.HTML(STYLE), ipywidgets.HTML(NOT_LOADED), self.plain])
        otherwise.add_class("cliplib-otherwise")
        super().__init__([self.view, otherwise])
        self.add_class("cliplib-page")
