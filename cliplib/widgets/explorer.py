"""The threshold explorer: relevant and irrelevant scores, a cutoff to move, and what it accepts and rejects, live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

import ipywidgets
import numpy as np
import pandas as pd

from ..calibrate.evaluation import at_cutoffs
from ..calibrate.lab import Table
from ..display.histogram import histogram_svg
from ..display.html import page_html, tile_html
from ..display.scale import Scale
from ..display.style import STYLE
from ..library import Library
from ..search.results import Hit
from .service import Answer, Service

SHOWN = 6  # pictures on either side
ALL = "all queries"


def cut(table: Table, cutoff: float, query: str | None = None) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """What a cutoff does to all queries of a table, or to one of them.

    Args:
        table: the judged pictures with their scores.
        cutoff: the cosine from which a picture is accepted.
        query: one of the table's queries; None for all of them.

    Returns:
        Mean precision, recall and F1, float (3,); then the judged pictures that the cutoff accepts, and those that it
        rejects, the nearest to it first, as rows of `Table.rows`.
    """
    judged, rows = table.judged, table.rows
    if query is not None:
        judged = judged.of(np.array([table.queries.index(query)]))
        rows = rows[rows["query"] == query]
    passed = rows["score"] >= cutoff
    accepted = rows[passed].sort_values("score", kind="stable")
    rejected = rows[~passed].sort_values("score", ascending=False, kind="stable")
    return at_cutoffs(judged, cutoff).mean(0), accepted, rejected


def plot(table: Table, cutoff: float, query: str | None = None) -> str:
    """Relevant scores above the line, irrelevant ones below it, and the cutoff."""
    rows = table.rows if query is None else table.rows[table.rows["query"] == query]
    right, wrong = (rows.loc[rows["relevant"] == wanted, "score"].to_numpy() for wanted in (True, False))
    span = float(table.rows["score"].min()) - 0.02, float(table.rows["score"].max()) + 0.02
    words = f"{len(right)} relevant scores above, {len(wrong)} irrelevant below, cutoff {cutoff:.2f}"
    return histogram_svg(right, span, cutoff, words, lower=wrong)


class Explorer(ipywidgets.VBox):
    """A `lab.Table` under a slider. Moving it encodes nothing."""

    def __init__(self, library: Library, table: Table):
        self.library, self.table = library, table
        rows = library.store.rows
        self._digests = dict(zip(rows["path"].to_pylist(), rows["digest"].to_pylist(), strict=True))
        scores = table.judged.scores
        self.cutoff = ipywidgets.FloatSlider(
            value=float(np.clip(library.threshold(table.mode), scores.min(), scores.max())),
            min=float(np.floor(scores.min() * 100) / 100),
            max=float(np.ceil(scores.max() * 100) / 100),
            step=0.005,
            readout_format=".3f",
            description="cutoff",
            layout=ipywidgets.Layout(width="100%"),
        )
        self.query = ipywidgets.Dropdown(options=[ALL, *table.queries], value=ALL, description="query")
        self.page = ipywidgets.HTML()
        self.cutoff.observe(self.show, "value")
        self.query.observe(self.show, "value")
        super().__init__([ipywidgets.HTML(STYLE), self.query, self.cutoff, self.page])
        self.add_class("cliplib-box")
        self.show()

    def show(self, *_: object) -> None:
        """Draw the histogram, the numbers and the pictures for the cutoff."""
        query = None if self.query.value == ALL else self.query.value
        (precision, recall, f1), accepted, rejected = cut(self.table, self.cutoff.value, query)
        numbers = f"precision {precision:.2f}, recall {recall:.2f}, F1 {f1:.2f}"
        sides = "".join(
            f'<div style="flex:1 1 300px"><b>{name}: {len(rows):,}</b>{self._tiles(rows)}</div>'
            for name, rows in (("accepted", accepted), ("rejected", rejected))
        )
        body = f"{plot(self.table, self.cutoff.value, query)}<p>{numbers}; nearest to the cutoff:</p>"
        body += f'<div style="display:flex;flex-wrap:wrap;gap:16px">{sides}</div>'
        self.page.value = page_html(self.library.encoder.warning, body)

    def _tiles(self, rows: pd.DataFrame) -> str:
        tiles, scale = [], Scale.of(self.table.judged.scores, self.cutoff.value)
        for hit, query, relevant in _judged(rows.head(SHOWN), self._digests):
            said = "relevant" if relevant else "irrelevant"
            tile = tile_html(hit, self._thumbnail(hit), scale)
            tiles.append(f'<div title="{escape(query)}">{tile}<small>{said}: {escape(query)}</small></div>')
        return f'<div class="grid">{"".join(tiles)}</div>'

    def _thumbnail(self, hit: Hit) -> bytes | None:
        return self.library.store.thumbnail((hit.digest, hit.time_s))


class ExplorerService(Service):
    """The explorer for the page."""

    def __init__(self, library: Library, table: Table):
        super().__init__(library)
        self._table = table
        self.add("table", "cut")

    def table(self, request: dict, buffers: list[bytes]) -> Answer:
        """What can be chosen: the queries, and where the cutoff can stand."""
        scores = self._table.judged.scores
        low, high = float(np.floor(scores.min() * 100) / 100), float(np.ceil(scores.max() * 100) / 100)
        start = float(np.clip(self.library.threshold(self._table.mode), low, high))
        about = {"queries": list(self._table.queries), "range": [low, high], "cutoff": start}
        return about | {"warning": self.library.engine.warning}, []

    def cut(self, request: dict, buffers: list[bytes]) -> Answer:
        """What `cutoff` accepts and rejects of one `query`, or of all (None)."""
        query, cutoff = request.get("query"), float(request["cutoff"])
        rates, accepted, rejected = cut(self._table, cutoff, query)
        return {
            "rates": [round(float(rate), 4) for rate in rates],
            "plot": plot(self._table, cutoff, query),
            "accepted": {"count": len(accepted), "tiles": self._nearest(accepted, cutoff)},
            "rejected": {"count": len(rejected), "tiles": self._nearest(rejected, cutoff)},
        }, []

    def _nearest(self, rows: pd.DataFrame, cutoff: float) -> list[dict]:
        scale, tiles = Scale.of(self._table.judged.scores, cutoff), []
        for hit, query, relevant in _judged(rows.head(SHOWN)):
            record = self._of("image" if hit.time_s is None else "frame").record(hit.path)
            record |= {} if hit.time_s is None else {"time_s": hit.time_s}
            said = {"relevant": relevant, "query": query, "strength": scale.strength(hit.score)}
            tiles.append(record | said | {"score": hit.score, "words": scale.words(hit.score)})
        return tiles


def _judged(rows: pd.DataFrame, digests: Mapping[str, str] = {}) -> Iterator[tuple[Hit, str, bool]]:
    """Each of some rows of `Table.rows` as a hit, with its query and whether it was judged relevant."""
    for path, score, time_s, query, relevant in rows[["path", "score", "time_s", "query", "relevant"]].to_numpy():
        known = None if np.isnan(time_s) else float(time_s)
        yield Hit(path, float(score), known, digest=digests.get(path, "")), str(query), bool(relevant)
