"""A grid of result tiles made of ipywidgets: a figure over the buttons that act on it.

Tiles are made once and filled anew for every answer, so that a search costs no new widgets, neither in time nor in
memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import ipywidgets

from ..display.html import scale_of, shown_hits, tile_html
from ..display.scale import Scale
from ..search.results import Hit, Hits
from .layout import errors_in, row


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
    """One place in the grid: its figure, and buttons for the hit that it shows now.

    The layouts, `narrow` of a button and `wide` of a row, are shared: a tile would else bring seven of them.
    """

    def __init__(self, actions: Actions, narrow: ipywidgets.Layout, wide: ipywidgets.Layout):
        self.actions = actions
        self.hit = Hit("", 0.0)  # until it is filled
        self.figure = ipywidgets.HTML()

        def button(label: str, tooltip: str, icon: str = "") -> ipywidgets.Button:  # a tooltip names one without label
            return ipywidgets.Button(description=label, tooltip=tooltip, icon=icon, layout=narrow)

        self.similar = button(actions.similar_label, "Search for what looks like this")
        self.yes = button("", "This is what I asked for", "thumbs-up")
        self.no = button("", "This is not what I asked for", "thumbs-down")
        buttons = [self.similar, self.yes, self.no]
        self.similar.on_click(lambda _: actions.similar(self.hit))
        self.yes.on_click(lambda _: actions.judge(self.hit, True))
        self.no.on_click(lambda _: actions.judge(self.hit, False))
        if actions.player:
            self.play = button("Play", "Play this moment of the video", "play")
            self.play.on_click(partial(self._play, actions.player))
            buttons = [self.play, *buttons]
        self.widget = ipywidgets.VBox([self.figure, row(*buttons, layout=wide)], layout=wide)
        self.widget.add_class("cliplib-tile")

    def fill(self, hits: Hits, hit: Hit, scale: Scale | None, judged: bool | None) -> None:
        """Show this hit; `judged`: the thumb it has been given."""
        self.hit = hit
        page = tile_html(hit, hits.thumbnail(hit), scale, self.actions.link(hit))
        self.figure.value = f'<div class="cliplib{"" if hits.hits else " below"}">{page}</div>'
        self.mark(judged)

    def mark(self, judged: bool | None) -> None:
        """Colour the thumb that was given."""
        self.yes.button_style = "success" if judged is True else ""
        self.no.button_style = "danger" if judged is False else ""

    def _play(self, player: Callable[[Hit], str], _: object) -> None:
        with errors_in(self.figure):
            self.figure.value = f'<div class="cliplib">{player(self.hit)}</div>'


class Grid:
    """The grid. `widget` is what a notebook shows; `tiles` those in use now."""

    def __init__(self, actions: Actions):
        self._actions = actions
        self._pool: list[Tile] = []
        self._layouts = ipywidgets.Layout(width="auto"), ipywidgets.Layout(width="100%")
        self.tiles: list[Tile] = []
        self.widget = ipywidgets.Box()
        self.widget.add_class("cliplib-grid")
        if actions.player:
            self.widget.add_class("cliplib-videos")

    def show(self, hits: Hits, judged: dict) -> None:
        """Fill tiles with what these hits show; `judged` maps (path, time_s) to the thumb given."""
        page, scale = shown_hits(hits), scale_of(hits)
        while len(self._pool) < len(page):
            self._pool.append(Tile(self._actions, *self._layouts))
        for tile, hit in zip(self._pool, page, strict=False):
            tile.fill(hits, hit, scale, judged.get((hit.path, hit.time_s)))
        if len(page) != len(self.tiles):
            self.tiles = self._pool[: len(page)]
            self.widget.children = [tile.widget for tile in self.tiles]

    def mark(self, judged: dict) -> None:
        """Colour the thumbs anew, without drawing a picture again."""
        for tile in self.tiles:
            tile.mark(judged.get((tile.hit.path, tile.hit.time_s)))
