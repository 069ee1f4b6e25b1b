"""What all boxes are laid out with: a row, an error said in its place, the thumbnail of a photo by its path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import ipywidgets
import pyarrow.compute as pc

from ..errors import CliplibError
from ..library import Library


def row(*children: ipywidgets.Widget, **options: Any) -> ipywidgets.HBox:
    """Widgets side by side, on a narrow screen below one another. `options` are those of `HBox`."""
    box = ipywidgets.HBox(children, **options)
    box.add_class("cliplib-row")
    return box


@contextmanager
def errors_in(place: ipywidgets.HTML) -> Iterator[None]:
    """Whatever goes wrong is said in `place`, for in a notebook nobody sees the traceback of a handler."""
    try:
        yield
    except Exception as error:
        said = str(error) if isinstance(error, CliplibError | OSError) else f"{type(error).__name__}: {error}"
        place.value = f'<div class="cliplib"><p class="error" role="alert"><b>{escape(said)}</b></p></div>'


def thumbnail_of(library: Library, path: str) -> bytes | None:
    """The small JPEG of a photo of the library; None for any other path."""
    rows = library.store.rows
    place = pc.index(rows["path"], path).as_py()
    return None if place < 0 else library.store.thumbnail((rows["digest"][place].as_py(), None))
