"""The ways to ask in a search box: a line of words, a photo of the library or of one's own, rows with weights."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets

from ..errors import MediaError, QueryError
from ..media.photo import open_image, thumbnail
from ..search.query import Query, image, text
from .layout import row

OFFERED = 500  # paths that a photo's line completes; more would make the notebook heavy, and any other can be typed
PICTURES = "image/*,.heic,.heif"


@dataclass(frozen=True)
class Question:
    """What a person asks: a `query` for `Library.score`; a `name` and a small JPEG `picture` where it has no words."""

    query: Any
    name: str = ""
    picture: bytes | None = None


def on_enter(line: ipywidgets.Text, ask: Callable) -> ipywidgets.Text:
    """The line, which from now on calls `ask` on Enter."""
    line.add_class("cliplib-ask")
    with warnings.catch_warnings():  # deprecated, but works on 7 and 8, where observe misses Enter on unchanged text
        warnings.simplefilter("ignore", DeprecationWarning)
        line.on_submit(ask)
    return line


def words_line(words: str, placeholder: str, ask: Callable) -> ipywidgets.Text:
    """A line for words."""
    return on_enter(ipywidgets.Text(value=words, placeholder=placeholder, description="Find"), ask)


def photo_line(photos: list[str], ask: Callable) -> ipywidgets.Combobox:
    """A line for the path of a photo, completed while one types."""
    options = photos[:OFFERED]
    return on_enter(ipywidgets.Combobox(options=options, placeholder="a photo of the library", description="Like"), ask)


def upload_button(ask_by: Callable[[Callable[[], Question]], None]) -> ipywidgets.FileUpload:
    """A button for a picture from one's own computer; `ask_by` gets what reads it."""

    def take(change: dict[str, Any]) -> None:
        if change["new"]:
            ask_by(lambda: uploaded(change["new"]))

    button = ipywidgets.FileUpload(accept=PICTURES, multiple=False, description="My own photo")
    button.observe(take, "value")
    return button


def files_of(value: Any) -> list[tuple[str, bytes]]:
    """Names and contents in `FileUpload.value`: in ipywidgets 7 a dict by name, in 8 a tuple of dicts."""
    files = [{"name": name, **file} for name, file in value.items()] if isinstance(value, dict) else value
    return [(file["name"], bytes(file["content"])) for file in files]


def uploaded(value: Any) -> Question:
    """The last picture in `FileUpload.value`."""
    name, data = files_of(value)[-1]
    try:
        picture = open_image(data)
    except MediaError as error:
        raise QueryError(f"cannot use {name} as a query: {error.reason}") from error
    return Question(picture, name, thumbnail(picture))


def another(photos: list[str]) -> str:
    """Any photo."""
    return random.choice(photos)


class QueryRows:
    """A query by rows: words or a photo each, with a weight; below zero, it leads away. `question` is their sum."""

    MOST, AT_FIRST = 6, 3

    def __init__(self, photos: list[str], words: str | Mapping[str, float], ask: Callable):
        self._photos, self._ask = photos, ask
        self.rows = [self._row() for _ in range(self.MOST)]
        self.add = ipywidgets.Button(description="One more row", icon="plus")
        self.add.on_click(lambda _: self._show(self.used + 1))
        self.widget = ipywidgets.VBox()
        self.widget.add_class("cliplib-rows")
        words = {words: 1} if isinstance(words, str) else words
        for entry, (line, weight) in zip(self.rows, words.items(), strict=False):
            entry.children[2].value = weight  # first, for a weight beside words asks at once
            entry.children[1].value = line
        self._show(max(self.AT_FIRST, len(words)))

    def question(self) -> Question:
        """The weighted sum of the rows that are filled in."""
        query = Query()
        for entry in self.rows[: self.used]:
            kind, line, weight = entry.children
            if line.value.strip() and weight.value:
                part = text(line.value) if kind.value == "words" else image(Path(line.value))
                query += weight.value * part
        return Question(query)

    def put_photo(self, path: str) -> None:
        """Write a photo into the first empty row, or else into the last."""
        empty = (i for i, entry in enumerate(self.rows) if not entry.children[1].value.strip())
        place = next(empty, self.MOST - 1)
        self._show(max(self.used, place + 1))
        kind, line, _ = self.rows[place].children
        kind.value, line.value = "photo", path

    def _row(self) -> ipywidgets.HBox:
        kind = ipywidgets.Dropdown(options=["words", "photo"], layout=ipywidgets.Layout(width="90px"))
        line = on_enter(ipywidgets.Combobox(placeholder="words or a photo's path"), self._ask)
        layout = ipywidgets.Layout(width="280px")
        weight = ipywidgets.FloatSlider(
            value=1, min=-2, max=2, step=0.1, description="weight", continuous_update=False, layout=layout
        )
        kind.observe(lambda change: self._offer(line, change["new"]), "value")
        weight.observe(lambda _: line.value.strip() and self._ask(), "value")
        return row(kind, line, weight)

    def _offer(self, line: ipywidgets.Combobox, kind: str) -> None:
        line.options = self._photos[:OFFERED] if kind == "photo" else ()

    def _show(self, count: int) -> None:
        self.used = min(count, self.MOST)
        more = [self.add] if self.used < self.MOST else []
        self.widget.children = [*self.rows[: self.used], *more]
