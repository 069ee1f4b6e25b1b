"""Search an index that is larger than memory: its parts are read a block of rows at a time, and only the best are kept.

    from cliplib.search import blocks

    blocks.search(library, "a dog walking on the beach")

The answer is that of `library.search`, by match or by cosine. It takes as long as reading and unpacking the parts; once
they are laid flat, which takes disk instead, as long as reading their embeddings:

    blocks.lay_flat(library)

`cluster.search` is the same with the parts spread over machines.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..cache import flat, manifest, side_files
from ..cache import rows as rows_
from ..cache.thumbs import Thumbs
from ..errors import CacheError
from .background import RowStatistics, row_statistics, same_meaning, text_cutoff, text_match
from .bank import Background
from .engine import SearchEngine
from .mode import Mode
from .ordering import Cutoff, Matching, scale_of
from .ranking import top_k, unit
from .results import NEAREST, Hits, Scores

if TYPE_CHECKING:
    import torch

    from ..models.encoder import Encoder

ROUGH = 2e-3  # two cosines may change places by so much where query and result are rounded to half precision
ROUGH_WITHOUT = 1e-2  # and two matches, where texts that say the same as the query are taken out of the background


class Searchable(Protocol):
    """What is searched: a `Library`, of which the rows are not opened."""

    root: Path

    @property
    def encoder(self) -> Encoder:
        """The model that made the rows."""

    @property
    def folder(self) -> Path:
        """Where its parts lie."""

    @property
    def ranking(self) -> str:
        """What orders where a search does not say: "match" or "cosine"."""

    @property
    def background(self) -> Background | None:
        """What matches are made with; None: the cosine orders."""

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
    threshold: float | str | None = None,
    map_parts: Callable = map,
    ranking: str | None = None,
) -> Hits:
    """`library.search(text)`, or with kind="frame" `search_videos`, without opening the index.

    Memory holds one block and what was found, whatever the index holds. A path that two writers indexed at once may
    appear twice, until `Library.index` has joined their parts; an edited twin is one hit with its original only where
    both are among the best. Odds are not told: a score is read against all others, which are not in memory.

    Args:
        library: Its parts are searched.
        text: What is asked.
        k: At most so many hits.
        kind: "image" or "frame".
        threshold: As for `Library.search`.
        map_parts: Maps a function over parts: `map` here, `cluster` has one over machines.
        ranking: "match" or "cosine". None: the library's. What a match needs of each row is computed when a part is
            first searched so, and kept beside it.

    Returns:
        The hits, best first.

    Raises:
        QueryError: k, threshold, kind or ranking is none.
        CacheError: A part is damaged.
    """
    mode, encoder, background = Mode.of("text", kind), library.encoder, library.background
    cutoff = replace(library.cutoff(mode), odds_of=None)
    scale = scale_of(cutoff, threshold, ranking or library.ranking)
    if not isinstance(threshold, str):
        top_k(np.empty(0, np.float32), k, -1 if threshold is None else threshold)  # refused before anything is read
    parts, query, many = live_parts(library.folder, encoder.model_id), encoder.encode_texts(text)[0], 4 * k + 16
    bank = Bank(background.vectors, background.ident) if background and scale == "match" else None
    files = [library.folder / part["thumbs"]["name"] for part, _ in parts if "thumbs" in part]
    while True:
        best = partial(best_of_part, library.folder, query=query, k=many, row_kind=kind, bank=bank)
        count, found, usual_sum = _joined(map_parts(best, parts), encoder.dim, many)
        found = found.combine_chunks()
        values, matching = found["ranked"].to_numpy(), None
        if bank:
            usual = usual_sum / max(count, 1)
            matching = Matching(values, partial(text_cutoff, usual=usual))
        index = _Found(found, _thumbnails(files, set(rows_.keys(found))))
        engine = SearchEngine(index, encoder, library.cutoff, library.root, library.folder / "clips")
        scores = Scores(text, mode, found["score"].to_numpy(), found, cutoff, engine=engine, matching=matching)
        hits = scores.top(k, threshold)
        wanted, least = (k, hits.threshold) if hits else (NEAREST, -1)
        if len(hits or hits.nearest) == wanted or np.count_nonzero(values >= least) < many:
            if bank:
                _delete_statistics_of_others(library.folder, parts)
            return replace(hits, searched=count)
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


class Bank(NamedTuple):
    """A bank of texts, as parts on other machines are told it.

    Attributes:
        vectors: float32 (b, d), unit rows.
        ident: Names the texts, see `Background.ident`.
    """

    vectors: np.ndarray
    ident: str


class PartAnswer(NamedTuple):
    """What one part has for a query.

    Attributes:
        live: How many live rows of the kind it has.
        best: The best of them, with the columns "score", the cosine, and "ranked", which orders: the match, or the
            cosine again.
        usual_sum: The sum of their `RowStatistics.usual`; 0 where the cosine orders.
    """

    live: int
    best: pa.Table
    usual_sum: float


def best_of_part(
    folder: Path,
    part: tuple[dict, list[str]],
    query: np.ndarray,
    k: int,
    row_kind: str,
    bank: Bank | None = None,
) -> PartAnswer:
    """The `k` best live rows of a kind in one part, of equals the earlier.

    Args:
        folder: Where the part lies.
        part: One of `live_parts`.
        query: float32 (d,), unit.
        k: At most so many.
        row_kind: "image" or "frame".
        bank: What matches are made with; None: the cosine orders.

    Raises:
        CacheError: The part is damaged.
    """
    entry, dead = part
    gone, compare = pa.array(dead, pa.string()), _Comparison(query, bank)
    statistics = _statistics(folder, entry, row_kind, bank) if bank else None
    if flat_part := flat.open_flat(folder, entry):
        return _best_of_flat(flat_part, gone, compare, statistics, k, row_kind)
    start, best = 0, _joined((), len(query), k)
    for rows in _rows_of_kind(folder / entry["name"], len(query), row_kind):
        own, start = _slice(statistics, start, len(rows)), start + len(rows)
        alive = ~pc.is_in(rows["path"], gone).to_numpy()
        scores, ranked = compare(rows_.matrix(rows) @ compare.directions.T, own)
        ranked[~alive] = np.nan
        order = top_k(ranked, k)
        usual = float(own.usual[alive].sum()) if own else 0.0
        of_block = PartAnswer(int(alive.sum()), _picked(rows.take(order), scores[order], ranked[order]), usual)
        best = _joined((best, of_block), len(query), k)
    return best


def _joined(answers: Iterable[PartAnswer], dim: int, k: int) -> PartAnswer:
    """What parts, or blocks of one, have in all: the best `k` of their rows, of equals the earlier."""
    none = np.empty(0, np.float32)
    answers = [PartAnswer(0, _picked(rows_.empty(dim), none, none), 0.0), *answers]
    rows = pa.concat_tables(answer.best for answer in answers)
    best = rows.take(top_k(rows["ranked"].to_numpy(), k))
    return PartAnswer(sum(answer.live for answer in answers), best, sum(answer.usual_sum for answer in answers))


class _Comparison:
    """Cosines and what orders, of blocks of rows with one query.

    Attributes:
        directions: float32 (1 + s, d): the query, and the texts of the bank that say the same.
    """

    def __init__(self, query: np.ndarray, bank: Bank | None):
        query = unit(query)
        same = bank.vectors[same_meaning(query[None], bank.vectors)[0]] if bank else query[None][:0]
        self.directions, self._size = np.concatenate([query[None], same]), len(bank.vectors) if bank else 0

    def __call__(self, products: np.ndarray, statistics: RowStatistics | None) -> tuple[np.ndarray, np.ndarray]:
        """Cosines and what orders, float32 (n,) each, from the rows' cosines with `directions`, float32 (n, 1 + s)."""
        cosines = np.ascontiguousarray(products[:, 0])
        if statistics is None:
            return cosines, cosines.copy()
        return cosines, text_match(cosines, statistics.level, products[:, 1:], self._size)


def _rows_of_kind(part: Path, dim: int, row_kind: str) -> Iterator[pa.Table]:
    """The rows of a kind, a block at a time, in the order of the part; CacheError where it is damaged."""
    for block in rows_.iter_blocks(part):
        rows, problems = rows_.checked(block, dim, part.name)
        if problems:
            raise CacheError("; ".join(problems))
        yield rows.filter(pc.field("kind") == row_kind)


def _slice(statistics: RowStatistics | None, start: int, count: int) -> RowStatistics | None:
    return statistics and RowStatistics(*(values[start : start + count] for values in statistics))


def _statistics(folder: Path, entry: dict, row_kind: str, bank: Bank) -> RowStatistics:
    """The statistics of a part's rows of a kind in its order, dead ones too: kept ones, or made now and kept."""
    name, no_axes = _name_of_statistics(entry, row_kind), bank.vectors[:0]  # only pictures ask for spans
    kept = side_files.read(folder, name, bank.ident)
    if kept is None:
        dim = bank.vectors.shape[1]
        blocks = (rows_.matrix(rows) for rows in _rows_of_kind(folder / entry["name"], dim, row_kind))
        made = [row_statistics(gallery, bank.vectors, no_axes) for gallery in (no_axes, *blocks)]
        columns = {name: np.concatenate([getattr(each, name) for each in made]) for name in ("level", "usual")}
        kept = pa.table(columns)
        side_files.write(folder, name, bank.ident, kept)
    level, usual = (kept[column].to_numpy() for column in ("level", "usual"))
    return RowStatistics(level, usual, np.ones(len(level), np.float32))


def _name_of_statistics(entry: dict, row_kind: str) -> str:
    return f"match_{row_kind}_{re.sub(r'[^A-Za-z0-9]', '_', Path(entry['name']).stem)}"


def _delete_statistics_of_others(folder: Path, parts: list[tuple[dict, list[str]]]) -> None:
    """Delete the statistics of parts that are gone."""
    live = {_name_of_statistics(entry, kind) for entry, _ in parts for kind in rows_.ROW_KINDS}
    for file in folder.glob("side-match_*_part_*"):
        if file.name.split("-")[1] not in live:
            with contextlib.suppress(OSError):  # rubbish that stays does no harm
                file.unlink()


def _best_of_flat(
    part: flat.Flat, gone: pa.Array, compare: _Comparison, statistics: RowStatistics | None, k: int, row_kind: str
) -> PartAnswer:
    """`best_of_part` of a part that is laid flat, on all cores."""
    import torch  # whose products of half precision run as fast as memory; NumPy's take thirty times as long

    threads = torch.get_num_threads()
    batches = [batch for batch in range(part.batches) if part.kind(batch) == row_kind]
    numbers = [part.embeddings(batch) for batch in batches]
    starts = np.cumsum([0, *map(len, numbers)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nor is it written to
        tensors = [torch.from_numpy(each) for each in numbers]
    best = _Best(compare, k)

    def look_at(at: int) -> PartAnswer:
        for soon in numbers[at + threads : at + threads + 1] if at else numbers[: threads + 1]:
            part.prefetch(soon)
        facts, alive, own = part.facts(batches[at]), None, _slice(statistics, starts[at], len(numbers[at]))
        if len(gone):
            alive = ~pc.is_in(facts["path"], gone).to_numpy(zero_copy_only=False)
        places, scores, ranked = best.among(tensors[at], own, alive)
        part.release(numbers[at])
        count = len(numbers[at]) if alive is None else int(np.count_nonzero(alive))
        usual = float(own.usual[slice(None) if alive is None else alive].sum()) if own else 0.0
        rows = pa.Table.from_batches([facts.take(pa.array(places))])
        return PartAnswer(count, _picked(rows, scores, ranked), usual)

    with ThreadPoolExecutor(threads, "cliplib-search", torch.set_num_threads, (1,)) as pool:
        found = list(pool.map(look_at, range(len(batches))))
    torch.set_num_threads(threads)  # what a new thread has set holds for all threads yet to come
    return _joined(found, compare.directions.shape[1], k)


class _Best:
    """The best `k` rows of many batches for a query. Safe in threads.

    Rows of half precision are first compared roughly, and those that may be among the best then exactly.
    """

    def __init__(self, compare: _Comparison, k: int):
        self.compare, self.k = compare, k
        self.least = -1.0  # what a row must reach to be among the best of what was seen so far

    def among(
        self, rows: torch.Tensor, statistics: RowStatistics | None, alive: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """At most `k` rows of a batch that may be among the best of all, best first: places, cosines, what orders."""
        import torch

        compare = self.compare
        directions = torch.from_numpy(compare.directions).to(rows.dtype)
        one = len(directions) == 1  # torch.mv is as fast as memory, torch.mm in half precision is not
        products = torch.mv(rows, directions[0])[:, None] if one else torch.mm(rows, directions.T)
        cosines, ranked = compare(products.float().numpy(), statistics)
        if alive is not None:
            ranked[~alive] = np.nan
        slack = (ROUGH if one else ROUGH_WITHOUT) if rows.dtype == torch.float16 else 0.0
        near = np.flatnonzero(ranked >= self.least - slack)
        if len(near) > self.k:
            kth = np.partition(ranked[near], len(near) - self.k)[len(near) - self.k]
            near = near[ranked[near] >= kth - slack]
        if slack:
            own = statistics and RowStatistics(*(values[near] for values in statistics))
            cosines, exact = compare(rows.numpy()[near].astype(np.float32) @ compare.directions.T, own)
        else:
            cosines, exact = cosines[near], ranked[near]
        order = top_k(exact, self.k)
        if len(order) == self.k:
            self.least = max(self.least, float(exact[order[-1]]))
        return near[order], cosines[order], exact[order]


def _picked(rows: pa.Table, scores: np.ndarray, ranked: np.ndarray) -> pa.Table:
    picked = rows.select([*rows_.COLUMNS])
    for name, values in {"score": scores, "ranked": ranked}.items():
        picked = picked.append_column(name, pa.array(values, pa.float32()))
    return picked


def _thumbnails(files: list[Path], wanted: set) -> Callable:
    """What gives a row its JPEG by its key; of the files' keys, read once, it keeps those `wanted`."""
    thumbs = cache(lambda: Thumbs(files, wanted))
    return lambda key: thumbs().get(key)
