"""A grid of result tiles made of ipywidgets: a figure over the buttons that act on it.

Tiles are made once and filled anew for every answer, so that a search costs no new widgets, neither in time nor in
memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import ipywidgets

from ..display.html import shown, tile_html
from ..errors import CliplibError
from ..search.results import Hit, Hits


@dataclass(frozen=True)
class Actions:
    """What the buttons of a tile do with its hit. None: there is no such button.

    `link` gives the address of the file, `player` a figure that plays a hit's moment as HTML.
    """

    similar: Callable[[Hit], None]
    judge: Callable[[Hit, bool], None]
    link: Callable[[Hit], str | None]
    player: Callable[[Hit], str] | None = None
    similar_label: str = "Find similar"


class Tile:
    """One place in the grid: its figure, and buttons for the hit that it shows now."""

    def __init__(self, actions: Actions, looks: Looks):
        self.actions, self.hit = actions, None
        self.figure = ipywidgets.HTML()
        self.similar = looks.button(actions.similar_label, "Search for what looks like this")
        self.yes = looks.button("", "This is what I asked for", "thumbs-up")
        self.no = looks.button("", "This is not what I asked for", "thumbs-down")
        buttons = [self.similar, self.yes, self.no]
        self.similar.on_click(lambda _: actions.similar(self.hit))
        self.yes.on_click(lambda _: actions.judge(self.hit, True))
        self.no.on_click(lambda _: actions.judge(self.hit, False))
        if actions.player:
            self.play = looks.button("Play", "Play this moment of the video", "play")
            self.play.on_click(self._play)
            buttons = [self.play, *buttons]
        self.widget = looks.column([self.figure, looks.row(buttons)])

    def fill(self, hits: Hits, hit: Hit, greyed: bool, judged: bool | None) -> None:
        """Show this hit; `judged`: the thumb it has been given."""
        self.hit = hit
        page = tile_html(hits, hit, self.actions.link(hit))
        self.figure.value = f'<div class="cliplib{" below" if greyed else ""}">{page}</div>'
        self.mark(judged)

    def mark(self, judged: bool | None) -> None:
        """Colour the thumb that was given."""
        self.yes.button_style = "success" if judged is True else ""
        self.no.button_style = "danger" if judged is False else ""

    def _play(self, _) -> None:
        try:
            self.figure.value = f'<div class="cliplib">{self.actions.player(self.hit)}</div>'
        except Exception as error:  # in a notebook, nobody sees the traceback of a handler
            self.figure.value = in_words(error)


class Looks:
    """Makes the widgets of tiles. Layouts are shared: a tile would else bring seven of them."""

    def __init__(self):
        self._layout = ipywidgets.Layout(width="auto")
        self._full = ipywidgets.Layout(width="100%")

    def button(self, label: str, tooltip: str, icon: str = "") -> ipywidgets.Button:
        """A small button; without a label, its tooltip is its name to a screen reader."""
        return ipywidgets.Button(description=label, tooltip=tooltip, icon=icon, layout=self._layout)

    def row(self, children) -> ipywidgets.HBox:
        """Children side by side."""
        row = ipywidgets.HBox(children, layout=self._full)
        row.add_class("cliplib-row")
        return row

    def column(self, children) -> ipywidgets.VBox:
        """Children one under another: a tile."""
        column = ipywidgets.VBox(children, layout=self._full)
        column.add_class("cliplib-tile")
        return column


class Gallery:
    """The grid. `widget` is what a notebook shows; `tiles` those in use now."""

    def __init__(self, actions: Actions):
        self._actions, self._looks, self._pool = actions, Looks(), []
        self.tiles: list[Tile] = []
        self.widget = ipywidgets.Box()
        self.widget.add_class("cliplib-grid")
        if actions.player:
            self.widget.add_class("cliplib-videos")

    def show(self, hits: Hits, judged: dict) -> None:
        """Fill tiles with what these hits show; `judged` maps (path, time_s) to the thumb given."""
        page = shown(hits)
        while len(self._pool) < len(page):
            self._pool.append(Tile(self._actions, self._looks))
        for tile, hit in zip(self._pool, page, strict=False):
            tile.fill(hits, hit, not hits.hits, judged.get((hit.path, hit.time_s)))
        if len(page) != len(self.tiles):
            self.tiles = self._pool[: len(page)]
            self.widget.children = [tile.widget for tile in self.tiles]

    def mark(self, judged: dict) -> None:
        """Colour the thumbs anew, without drawing a picture again."""
        for tile in self.tiles:
            tile.mark(judged.get((tile.hit.path, tile.hit.time_s)))


def in_words(error: Exception) -> str:
    """What went wrong, as a line of HTML for the place where it was asked."""
    said = str(error) if isinstance(error, CliplibError | OSError) else f"{type(error).__name__}: {error}"
    return f'<div class="cliplib"><p class="error" role="alert"><b>{escape(said)}</b></p></div>'
