"""What a library holds, for a page's filters and suggestions: months, cameras, places, and texts that find many photos.

Arrays and tables in, plain records for JSON out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..search.filters import distances_km

CELLS = 8  # places are grouped in so many cells along the longer side of the map: dots that a thumb can tell apart
LEAST_DEGREES = 0.02  # two kilometres: what lies nearer than a cell of such a map is one place
SUGGESTED = 8
MOST_WORDS = 4  # of a suggestion
FEWEST, COMMONEST = 2, 0.4  # photos that a suggestion finds, and the share of all from which it says nothing
OVERLAP = 0.5  # of two suggestions' photos, from which the second adds nothing


def files_of(rows: pa.Table) -> pa.Table:
    """The first row of each file: of a video its first frame."""
    paths = rows["path"].combine_chunks().dictionary_encode()
    return rows.take(pa.array(np.unique(paths.indices.to_numpy(), return_index=True)[1]))


def months(files: pa.Table) -> dict[str, int]:
    """How many files were taken in each month, "2024-03", in order. The time of a copy is no date of a picture."""
    own = files.filter(pc.not_equal(files["taken_from"], "mtime"))["taken_at"].drop_null()
    counted = pc.value_counts(pc.utf8_slice_codeunits(own, 0, 7)).to_pylist()
    return dict(sorted((one["values"], one["counts"]) for one in counted))


def cameras(files: pa.Table) -> list[str]:
    """The cameras, the most used first."""
    counted = pc.value_counts(files["camera"].drop_null()).to_pylist()
    return [one["values"] for one in sorted(counted, key=lambda one: (-one["counts"], one["values"]))]


def places(files: pa.Table) -> list[dict[str, Any]]:
    """Where files were taken: one record for what lies together, with its middle, the radius in km, and a count."""
    latitudes, longitudes = (files[name].to_numpy(zero_copy_only=False) for name in ("latitude", "longitude"))
    known = np.isfinite(latitudes) & np.isfinite(longitudes)
    points = np.stack([latitudes[known], longitudes[known]], axis=1)
    if not len(points):
        return []
    cell = max(float(np.ptp(points, axis=0).max()) / CELLS, LEAST_DEGREES)
    _, group = np.unique(np.floor(points / cell).astype(int), axis=0, return_inverse=True)
    found = []
    for number in range(group.max() + 1):
        own = points[group.ravel() == number]
        latitude, longitude = own.mean(axis=0)
        radius = float(distances_km((latitude, longitude), own[:, 0], own[:, 1]).max())
        place = {"latitude": round(float(latitude), 5), "longitude": round(float(longitude), 5)}
        found.append(place | {"km": round(radius + 0.1, 2), "count": len(own)})
    return found


def suggestions(texts: Sequence[str], found: np.ndarray, k: int = SUGGESTED) -> list[int]:
    """The positions of up to `k` texts that find many photos, and each others than those before it.

    Args:
        texts: b texts.
        found: which photos each of them finds, bool (b, n).
        k: how many are wanted.
    """
    if not len(texts):
        return []
    counts, short = found.sum(axis=1), np.array([len(text.split()) <= MOST_WORDS for text in texts])
    fitting = np.flatnonzero(short & (counts >= FEWEST) & (counts <= COMMONEST * found.shape[1]))
    chosen: list[int] = []
    for text in fitting[np.argsort(-counts[fitting], kind="stable")]:
        shared = (found[chosen] & found[text]).sum(axis=1)
        if not len(chosen) or (shared <= OVERLAP * counts[text]).all():
            chosen.append(int(text))
        if len(chosen) == k:
            break
    return chosen
