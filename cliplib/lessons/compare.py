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
        found = {text: [hit.path for hit in library.search(text, k, threshold=-1)] for text in relevant}
        recall = [len({*found[text]} & {*right}) / min(k, len({*right})) for text, right in relevant.items() if right]
        first = [found[text][0] in right for text, right in relevant.items() if right]
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

    best = {
        name: [{hit.path for hit in library.search(text, k, threshold=-1)} for text in texts]
        for name, library in libraries.items()
    }
    table = [
        [
            float(np.mean([len(a & b) / max(1, len(a)) for a, b in zip(one, other, strict=True)]))
            for other in best.values()
        ]
        for one in best.values()
    ]
    return pd.DataFrame(table, index=list(best), columns=list(best))
