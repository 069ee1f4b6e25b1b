"""From Enter to tiles: a text box over 10,000 photos with the tiny model, driven in this process, no browser.

Prints a table and writes build/bench/boxes.json:

encode_ms, box_ms: median over different queries of the time in the model, and of all the rest from Enter until 20
    tiles have their pictures. first_box_ms: the rest of the very first search. page_bytes: of those 20 tiles.
grown_mb, grown_widgets: memory and widgets more after 200 searches than after the first 50.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import ipywidgets
import numpy as np
import pyarrow as pa

from cliplib import Library
from cliplib.cache import rows as rows_
from cliplib.widgets import plain

HOME = Path(__file__).resolve().parents[2]


PHOTOS, TILES, SEARCHES = 10_000, 20, 200
THINGS = ("dog", "car", "boat", "tent", "bird", "kite")
PLACES = ("in the snow", "on the beach", "at night", "in the rain", "in a forest")


def large_library(folder: Path, photos: int = PHOTOS) -> Library:
    """The photos of the sample again and again, each a little different, with thumbnails of their own."""
    sample = Library(HOME / "data" / "sample", "tiny", cache=folder / "sample")
    sample.index(progress=False)
    source = sample.score("anything").rows
    random = np.random.default_rng(0)
    picks = random.integers(0, len(source), photos)
    paths = [f"{i % 20 + 2000}/IMG_{i:05d}.jpg" for i in range(photos)]
    rows = rows_.with_column(source.take(picks), "path", paths)
    vectors = rows_.matrix(rows) + random.normal(0, 0.02, (photos, sample.encoder.dim))
    records = (
        rows.drop(["embedding"]).set_column(5, "digest", pa.array([f"{i:064x}" for i in range(photos)])).to_pylist()
    )
    rows = rows_.table(records, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    jpegs = [sample.store.thumbnail(key) for key in rows_.keys(source)]
    thumbs = {key: jpegs[pick] for key, pick in zip(rows_.keys(rows), picks, strict=True)}
    library = Library(sample.root, "tiny", cache=folder / "large")
    library.store.checkpoint(rows, thumbs, set(), {})
    return library


def memory_mb() -> float:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def living_widgets() -> int:
    """Widgets that ipywidgets (7 or 8) keeps track of."""
    module = ipywidgets.widgets.widget
    return len(getattr(module, "_instances", None) or ipywidgets.Widget.widgets)


def measure(photos: int = PHOTOS, searches: int = SEARCHES) -> dict:
    """All figures."""
    with tempfile.TemporaryDirectory() as folder:
        box = plain.text_box(large_library(Path(folder), photos))
        box.controls.k.value, box.controls.threshold.value = TILES, -0.2
        encoder, spent = box.library.encoder, []
        encode = encoder.encode_texts

        def timed(texts):
            started = time.perf_counter()
            try:
                return encode(texts)
            finally:
                spent.append(time.perf_counter() - started)

        encoder.encode_texts = timed
        encode(["warm up"])
        encoding, rest, held = [], [], {}
        for i in range(searches):
            words = f"a {THINGS[i % 6]} {PLACES[i % 5]}, {i}"
            spent.clear()
            started = time.perf_counter()
            box.entry[0].value = words
            box.entry[0]._handle_custom_msg({"event": "submit"}, [])
            encoding.append(sum(spent))
            rest.append(time.perf_counter() - started - sum(spent))
            if i in (min(49, searches // 4), searches - 1):
                held[i] = (memory_mb(), living_widgets())
        page = sum(len(tile.figure.value.encode()) for tile in box.grid.tiles)
    (early_mb, early), (late_mb, late) = held.values()
    return {
        "photos": photos,
        "tiles": len(box.grid.tiles),
        "encode_ms": 1000 * statistics.median(encoding[1:]),
        "box_ms": 1000 * statistics.median(rest[1:]),
        "first_box_ms": 1000 * rest[0],
        "page_bytes": page,
        "grown_mb": late_mb - early_mb,
        "grown_widgets": late - early,
    }


def main() -> None:
    """Measure, print, write."""
    figures = measure()
    for name, value in figures.items():
        print(f"{name:16s}{value:14,.1f}")
    out = HOME / "build" / "bench" / "boxes.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    sys.exit(main())
