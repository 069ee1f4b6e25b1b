"""Search an index that is larger than memory: its parts are read a block of rows at a time, and only the best are kept.

    from cliplib.search import blocks

    blocks.search(library, "a dog walking on the beach")

The answer is that of `library.search` with ranking="cosine". It takes as long as reading and unpacking the parts; once
they are laid flat, which takes disk instead, as long as reading their embeddings:

    blocks.lay_flat(library)

`cluster.search` is the same with the parts spread over machines.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..cache import flat, manifest
from ..cache import rows as rows_
from ..cache.thumbs import Thumbs
from ..errors import CacheError
from .engine import SearchEngine
from .mode import Mode
from .ordering import Cutoff
from .ranking import cosines, top_k, unit
from .results import NEAREST, Hits, Scores

if TYPE_CHECKING:
    import torch

    from ..models.encoder import Encoder

ROUGH = 2e-3  # two cosines may change places by so much where query and result are rounded to half precision


class Searchable(Protocol):
    """What is searched: a `Library`, of which the rows are not opened."""

    root: Path

    @property
    def encoder(self) -> Encoder:
        """The model that made the rows."""

    @property
    def folder(self) -> Path:
        """Where its parts lie."""

    def cutoff(self, mode: Mode) -> Cutoff:
        """The cutoff of a mode."""


@dataclass(frozen=True)
class _Found:
    """The best rows in place of an index, with their thumbnails."""

    rows: pa.Table
    thumbnail: Callable
    problems: tuple[str, ...] = ()


def search(
    library: Searchable,
    text: str,
    k: int = 5,
    kind: str = "image",
    threshold: float | None = None,
    map_parts: Callable = map,
) -> Hits:
    """`library.search(text, ranking="cosine")`, or with kind="frame" `search_videos`, without opening the index.

    There is no match, for what that needs of each row is not at hand. Memory holds one block and what was found,
    whatever the index holds. `map_parts` maps a function over parts: `map` here, `cluster` has one over machines.
    CacheError for a damaged part. A path that two writers indexed at once may appear twice, until `Library.index`
    has joined their parts; an edited twin is one hit with its original only where both are among the best.
    """
    mode, encoder = Mode.of("text", kind), library.encoder
    cutoff = Cutoff(library.cutoff(mode).cosine)  # a score is read against all others, which are not in memory
    threshold = cutoff.cosine if threshold is None else threshold
    top_k(np.empty(0, np.float32), k, threshold)  # a bad k is refused before anything is read
    parts, query, many = live_parts(library.folder, encoder.model_id), encoder.encode_texts(text)[0], 4 * k + 16
    while True:
        best = partial(best_of_part, library.folder, query=query, k=many, kind=kind)
        counts, found = zip((0, _picked(rows_.empty(encoder.dim), query[:0])), *map_parts(best, parts), strict=True)
        found = pa.concat_tables(found)
        found = found.take(top_k(found["score"].to_numpy(), many)).combine_chunks()
        files = [library.folder / part["thumbs"]["name"] for part, _ in parts if "thumbs" in part]
        found_index = _Found(found, _thumbnails(files, set(rows_.keys(found))))
        engine = SearchEngine(found_index, encoder, library.cutoff, library.root, library.folder / "clips")
        scores = Scores(text, mode, found["score"].to_numpy(), found, cutoff, engine=engine)
        hits = scores.top(k, threshold)
        wanted, least = (k, threshold) if hits else (NEAREST, -1)
        if len(hits or hits.nearest) == wanted or np.count_nonzero(scores.values >= least) < many:
            return replace(hits, searched=sum(counts))
        many *= 4  # so many of the best are copies of one photo


def lay_flat(library: Searchable) -> None:
    """Lay the parts of an index flat, those that are not yet, and delete what is left of others: see `cache.flat`.

    Raises:
        CacheError: a part is damaged, or the disk is full; what is flat already stays.
    """
    parts = [entry for entry, _ in live_parts(library.folder, library.encoder.model_id)]
    flat.delete_others(library.folder, parts)
    for entry in parts:
        if not flat.open_flat(library.folder, entry):
            flat.write(library.folder, entry, library.encoder.dim)


def live_parts(folder: Path, model_id: str) -> list[tuple[dict, list[str]]]:
    """The parts of the newest state with their dead paths, from manifests alone; see `cache.store`."""
    bodies = {i: body for i, body in manifest.read_all(folder)[0].items() if body["model"].get("model_id") == model_id}
    bodies = manifest.loadable(bodies, manifest.part_sizes(folder))
    heads = [bodies[ident] for ident in manifest.heads(bodies)]
    dropped = {name for body in heads for name in body["dropped"]}
    parts = {part["name"]: part for body in heads for part in body["parts"] if part["name"] not in dropped}
    return [(parts[n], sorted({p for body in heads for p in body["dead"].get(n, ())})) for n in sorted(parts)]


def best_of_part(folder: Path, part: tuple[dict, list[str]], query: np.ndarray, k: int, kind: str):
    """How many live rows of a kind a part has, and the `k` best of them with a column "score", of equals the earlier.

    `part`: one of `live_parts`. query: unit, float32 (d,). Raises CacheError.
    """
    entry, dead = part
    if flat_part := flat.open_flat(folder, entry):
        return _best_of_flat(flat_part, dead, query, k, kind)
    alive = (pc.field("kind") == kind) & ~pc.field("path").isin(pa.array(dead, pa.string()))
    count, best = 0, _picked(rows_.empty(len(query)), query[:0])
    for block in rows_.iter_blocks(folder / entry["name"]):
        rows, problems = rows_.checked(block, len(query), entry["name"])
        if problems:
            raise CacheError("; ".join(problems))
        rows = rows.filter(alive)
        scores = cosines(rows_.matrix(rows), query)
        order = top_k(scores, k)
        best = pa.concat_tables([best, _picked(rows.take(order), scores[order])])
        best = best.take(top_k(best["score"].to_numpy(), k))
        count += rows.num_rows
    return count, best


def _best_of_flat(part: flat.Flat, dead: list[str], query: np.ndarray, k: int, kind: str):
    """`best_of_part` of a part that is laid flat, on all cores."""
    import torch  # whose products of half precision run as fast as memory; NumPy's take thirty times as long

    query, gone, threads = unit(query), pa.array(dead, pa.string()), torch.get_num_threads()
    batches = [batch for batch in range(part.batches) if part.kind(batch) == kind]
    numbers = [part.embeddings(batch) for batch in batches]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nor is it written to
        tensors = [torch.from_numpy(each) for each in numbers]
    best = _Best(query, k)

    def look_at(at: int) -> tuple[int, pa.Table]:
        for soon in numbers[at + threads : at + threads + 1] if at else numbers[: threads + 1]:
            part.prefetch(soon)
        facts, alive = part.facts(batches[at]), None
        if dead:
            alive = ~pc.is_in(facts["path"], gone).to_numpy(zero_copy_only=False)
        places, scores = best.among(tensors[at], alive)
        part.release(numbers[at])
        count = len(numbers[at]) if alive is None else int(np.count_nonzero(alive))
        return count, _picked(pa.Table.from_batches([facts.take(pa.array(places))]), scores)

    with ThreadPoolExecutor(threads, "cliplib-search", torch.set_num_threads, (1,)) as pool:
        found = [(0, _picked(rows_.empty(len(query)), query[:0])), *pool.map(look_at, range(len(batches)))]
    torch.set_num_threads(threads)  # what a new thread has set holds for all threads yet to come
    rows = pa.concat_tables(table for _, table in found)
    return sum(count for count, _ in found), rows.take(top_k(rows["score"].to_numpy(), k))


class _Best:
    """The best `k` rows of many batches for a query, float32 (d,). Safe in threads.

    Rows of half precision are first compared roughly, and those that may be among the best then exactly.
    """

    def __init__(self, query: np.ndarray, k: int):
        self.query, self.k = query, k
        self.least = -1.0  # what a row must reach to be among the best of what was seen so far

    def among(self, rows: torch.Tensor, alive: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Places of at most `k` rows of a batch that may be among the best of all, best first, and their cosines."""
        import torch

        scores = torch.mv(rows, torch.from_numpy(self.query).to(rows.dtype)).float().numpy()
        if alive is not None:
            scores[~alive] = np.nan
        slack = ROUGH if rows.dtype == torch.float16 else 0.0
        near = np.flatnonzero(scores >= self.least - slack)
        if len(near) > self.k:
            kth = np.partition(scores[near], len(near) - self.k)[len(near) - self.k]
            near = near[scores[near] >= kth - slack]
        exact = rows.numpy()[near].astype(np.float32) @ self.query if slack else scores[near]
        order = top_k(exact, self.k)
        if len(order) == self.k:
            self.least = max(self.least, float(exact[order[-1]]))
        return near[order], exact[order]


def _picked(rows: pa.Table, scores: np.ndarray) -> pa.Table:
    return rows.select([*rows_.COLUMNS]).append_column("score", pa.array(scores, pa.float32()))


def _thumbnails(files: list[Path], wanted: set) -> Callable:
    """What gives a row its JPEG by its key; of the files' keys, read once, it keeps those `wanted`."""
    thumbs = cache(lambda: Thumbs(files, wanted))
    return lambda key: thumbs().get(key)
