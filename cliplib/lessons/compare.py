"""One library through several models, side by side: how large, how well each finds, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import QueryError
from ..library import Library

if TYPE_CHECKING:
    import pandas as pd


def side_by_side(libraries: Mapping[str, Library], relevant: Mapping[str, Sequence[str]], k: int = 5) -> pd.DataFrame:
    """One row an indexed library: model, model_id, parameters, dim, cache_bytes, recall_at_k, first.

    `relevant` names, for each query, the photos that are right. Recall at k is the share of them among the best k,
    counted against what k places can hold, averaged over queries; `first` is the share of queries whose best is right.
    """
    import pandas as pd

    if not relevant:
        raise QueryError("there is no query to compare by: give {'a dog': ['a.jpg', ...], ...}")
    rows = []
    for name, library in libraries.items():
        found = [(best(library, text, k), {*right}) for text, right in relevant.items() if right]
        recall = [len({*paths} & right) / min(k, len(right)) for paths, right in found]
        first = [bool({*paths[:1]} & right) for paths, right in found]
        encoder = library.encoder
        cache = sum(file.stat().st_size for file in Path(library.store.folder).glob("*") if file.is_file())
        numbers = [encoder.model_id[:12], encoder.parameters, encoder.dim, cache]
        rows.append([name, *numbers, float(np.mean(recall)), float(np.mean(first))])
    columns = ["model", "model_id", "parameters", "dim", "cache_bytes", f"recall_at_{k}", "first"]
    return pd.DataFrame(rows, columns=columns)


def agreement(libraries: Mapping[str, Library], texts: Sequence[str], k: int = 10) -> pd.DataFrame:
    """How alike two models rank: the share of one's best `k` that the other has among its own, averaged over `texts`.

    A square table with a row and a column a library; 1 on the diagonal. Two rankings by chance agree in k of n.
    """
    import pandas as pd

    found = {name: [{*best(library, text, k)} for text in texts] for name, library in libraries.items()}
    shares = {
        name: [
            np.mean([len(a & b) / max(1, len(a)) for a, b in zip(one, other, strict=True)]) for one in found.values()
        ]
        for name, other in found.items()
    }
    return pd.DataFrame(shares, index=list(found))


def best(library: Library, text: str, k: int) -> list[str]:
    """The paths of the best `k` photos, whatever their scores. Copies in albums count: any may be named as right."""
    return [hit.path for hit in library.score(text).top(k, threshold=-1, distinct=False)]
