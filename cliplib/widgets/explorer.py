"""The threshold explorer: relevant and irrelevant scores, a cutoff to move, and what it accepts and rejects, live."""

from __future__ import annotations

from html import escape

import ipywidgets
import numpy as np
import pandas as pd

from ..calibrate.evaluation import at_cutoffs
from ..display.html import page_html, tile_html
from ..display.style import STYLE
from ..lab import Table
from ..library import Library
from ..search.results import Hit

BINS = 60
SHOWN = 6  # pictures on either side
ALL = "all queries"


def cut(table: Table, cutoff: float, query: str | None = None) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """What a cutoff does to all queries of a table, or to one of them: mean precision, recall and F1, float (3,); the
    judged pictures that it accepts, and those that it rejects, the nearest to it first, as rows of `Table.rows`.
    """
    judged, rows = table.judged, table.rows
    if query is not None:
        judged = judged.of([table.queries.index(query)])
        rows = rows[rows["query"] == query]
    passed = rows["score"] >= cutoff
    accepted = rows[passed].sort_values("score", kind="stable")
    rejected = rows[~passed].sort_values("score", ascending=False, kind="stable")
    return at_cutoffs(judged, cutoff).mean(0), accepted, rejected


def histogram_svg(table: Table, cutoff: float, query: str | None = None) -> str:
    """Relevant scores above the line, irrelevant ones below it, and the cutoff; counts on a root scale."""
    rows = table.rows if query is None else table.rows[table.rows["query"] == query]
    low, high = table.rows["score"].min() - 0.02, table.rows["score"].max() + 0.02
    sides = [rows.loc[rows["relevant"] == wanted, "score"] for wanted in (True, False)]
    counts = [np.sqrt(np.histogram(side, BINS, (low, high))[0]) for side in sides]
    tallest, bars = max(1.0, *(count.max() for count in counts)), []
    for count, up, colour in zip(counts, (True, False), ("var(--bar)", "var(--dim)"), strict=True):
        for number, height in enumerate(60 * count / tallest):
            if height:
                top = 64 - height if up else 66
                bars.append(
                    f'<rect x="{8 * number}" y="{top:.1f}" width="7" height="{height:.1f}" style="fill:{colour}"/>'
                )
    at = 8 * BINS * (np.clip(cutoff, low, high) - low) / (high - low)
    return (
        f'<svg viewBox="0 0 {8 * BINS} 140" role="img" aria-label="relevant scores above, irrelevant below">'
        f'{"".join(bars)}<line x1="{at:.0f}" y1="0" x2="{at:.0f}" y2="128"/>'
        f'<text x="2" y="10">relevant</text><text x="2" y="126">irrelevant</text>'
        f'<text x="0" y="139">{low:.2f}</text><text x="{8 * BINS}" y="139" text-anchor="end">{high:.2f}</text></svg>'
    )


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

    def show(self, *_) -> None:
        """Draw the histogram, the numbers and the pictures for the cutoff."""
        query = None if self.query.value == ALL else self.query.value
        (precision, recall, f1), accepted, rejected = cut(self.table, self.cutoff.value, query)
        numbers = f"precision {precision:.2f}, recall {recall:.2f}, F1 {f1:.2f}"
        sides = "".join(
            f'<div style="flex:1 1 300px"><b>{name}: {len(rows):,}</b>{self._tiles(rows)}</div>'
            for name, rows in (("accepted", accepted), ("rejected", rejected))
        )
        body = f"{histogram_svg(self.table, self.cutoff.value, query)}<p>{numbers}; nearest to the cutoff:</p>"
        body += f'<div style="display:flex;flex-wrap:wrap;gap:16px">{sides}</div>'
        self.page.value = page_html(self.library.encoder.warning, body)

    def _tiles(self, rows: pd.DataFrame) -> str:
        tiles = []
        for row in rows.head(SHOWN).itertuples():
            time_s = None if np.isnan(row.time_s) else float(row.time_s)
            hit = Hit(row.path, float(row.score), time_s, digest=self._digests[row.path])
            said = "relevant" if row.relevant else "irrelevant"
            tile = tile_html(hit, self._thumbnail(hit), self.cutoff.value)
            tiles.append(f'<div title="{escape(row.query)}">{tile}<small>{said}: {escape(row.query)}</small></div>')
        return f'<div class="grid">{"".join(tiles)}</div>'

    def _thumbnail(self, hit: Hit) -> bytes | None:
        return self.library.store.thumbnail((hit.digest, hit.time_s))
