"""The plain boxes, of widgets that ipywidgets 7.7 (Colab) and 8 share: where the search page cannot load.

Each box turns what is asked into `Scores` once; every setting under it takes its hits from the scores in hand. `box` is
the body of every one, made of `inputs` (the ways to ask), `controls` (the settings), `grid` (the tiles) and
`export_panel` (taking results out); `layout` is what these share.
"""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets

from ..library import Library
from . import inputs
from .box import SearchBox
from .inputs import Question


def text_box(library: Library, example: str = "") -> SearchBox:
    """Text to image: type a query, press Enter."""
    line = inputs.words_line(example, "what should the photo show?", lambda _: box.search())
    box: SearchBox = SearchBox(library, "text->image", [line], lambda: Question(line.value))
    return box.started(example)


def image_box(library: Library, example: str = "") -> SearchBox:
    """Image to image: choose a photo, give one of your own, or go from any result to what is like it.

    `example` is the path of the photo to begin with; none: the first.
    """

    def go_to(path: str) -> None:
        line.value = path
        box.search()

    photos = library.photos()
    line = inputs.photo_line(photos, lambda _: box.search())
    any_photo = ipywidgets.Button(description="Any photo", icon="random", tooltip="A photo of the library by chance")
    any_photo.on_click(lambda _: go_to(inputs.another(photos)) if photos else None)
    upload = inputs.upload_button(lambda read: box.ask_by(read))
    box: SearchBox = SearchBox(library, "image->image", [line, any_photo, upload], lambda: box.photo(line.value), go_to)
    line.value = example or (photos[0] if photos else "")
    return box.started(line.value)


def video_box(library: Library, example: str = "") -> SearchBox:
    """Text or image to video: type a query and press Enter, or give a photo. Each tile plays its moment."""
    line = inputs.words_line(example, "what should the video show?", lambda _: box.search())
    upload = inputs.upload_button(lambda read: box.ask_by(read))
    box: SearchBox = SearchBox(library, "text->video", [line, upload], lambda: Question(line.value))
    return box.started(example)


def compose_box(library: Library, example: str | Mapping[str, float] = "") -> SearchBox:
    """Words and photos with weights, summed: more of this, less of that. "Add to query" puts a result into a row.

    `example` is a text, or the weights of up to six texts, such as {"a car": 1, "a town": -1}.
    """
    rows = inputs.QueryRows(library.photos(), example, lambda *_: box.search())

    def add(path: str) -> None:
        rows.put_photo(path)
        box.search()

    box: SearchBox = SearchBox(library, "text->image", [rows.widget], rows.question, add, "Add to query")
    return box.started(example)
