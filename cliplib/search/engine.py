"""The search engine: from a query's terms to one embedding, to its cosine with every row of an index."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from ..cache import rows as rows_
from ..errors import LibraryError, MediaError, QueryError
from ..media.photo import fitted, open_image
from ..places import drive_link, output_file
from . import footage, ranking
from .background import (
    PAPER_IMAGE,
    image_cutoff,
    image_matches,
    match,
    mixed_cutoff,
    text_cutoff,
    text_matches,
    usual_match,
)
from .bank import Background
from .mode import Mode
from .moments import Moment, Stretch
from .ordering import Cutoff, Matching
from .query import Query, QueryLike, Term, nonsense, query_of, stored_path
from .results import Hit, Scores

if TYPE_CHECKING:
    from ..cache.thumbs import Key
    from ..models.encoder import Encoder

QUERIES_AT_ONCE = 32  # queries of a batch that are compared at once: 128 MB of scores for a million rows


class SearchedIndex(Protocol):
    """What is searched: rows with their thumbnails, such as an `IndexReader`."""

    @property
    def rows(self) -> pa.Table:
        """All rows in one chunk, photos before frames."""

    @property
    def problems(self) -> Sequence[str]:
        """What of the index could not be believed, in sentences."""

    def thumbnail(self, key: Key) -> bytes | None:
        """The JPEG of a row by (digest, time_s)."""


class EmbeddedQuery(NamedTuple):
    """A query as the index knows it.

    Attributes:
        name: What the answer calls it.
        direction: Its embedding, float32 (d,), unit.
        terms: What it is composed of, photos of the library by their paths in the index; none for a bare direction.
        digests: The contents of these photos, which the answer leaves out.
        level_factor: How much of a row's background belongs to it: of texts alone, the sum of their factors over the
            length of their sum; 0 where pictures are among them.
    """

    name: str
    direction: np.ndarray
    terms: tuple[Term, ...] = ()
    digests: frozenset[str] = frozenset()
    level_factor: float = 0.0

    @property
    def kind(self) -> str:
        """What it is made of: "text", "image", or "mixed"."""
        return Query(self.terms).kind

    @property
    def plain(self) -> Term | None:
        """Its term where it has but one, see `Query.plain`."""
        return Query(self.terms).plain


class SearchEngine:
    """Answers from an index as it is now; whoever changes the index makes a new engine.

    Args:
        index: the rows and thumbnails.
        encoder: the model that made the rows.
        cutoff: the cutoff of a mode, unless a search says otherwise.
        root: the folder that the rows' paths are relative to.
        clips: a folder for the previews of moments.
        background: the bank of texts that matches are made with; None: the cosine alone ranks.
    """

    def __init__(
        self,
        index: SearchedIndex,
        encoder: Encoder,
        cutoff: Callable[[Mode], Cutoff],
        root: Path,
        clips: Path,
        background: Background | None = None,
    ):
        self.encoder, self.root, self.clips, self._background = encoder, root, clips, background
        self._index, self._rows, self._cutoff = index, index.rows, cutoff
        self._galleries: dict[str, tuple[pa.Table, np.ndarray]] = {}
        self._floors: dict[str, float] = {}

    @property
    def warning(self) -> str:
        """What every answer of the model must say of itself, or ""."""
        return self.encoder.warning

    @property
    def rows(self) -> pa.Table:
        """All rows, the photos first."""
        return self._rows

    @property
    def paths(self) -> pa.ChunkedArray:
        """The paths of all rows."""
        return self._rows["path"]

    def gallery(self, row_kind: str) -> tuple[pa.Table, np.ndarray]:
        """The rows of a kind and their embeddings, float32 (n, d): a slice of all rows, for photos come first there."""
        if row_kind not in self._galleries:
            for problem in self._index.problems:
                warnings.warn(problem, stacklevel=5)
            photos = pc.sum(pc.equal(self._rows["kind"], "image")).as_py() or 0
            rows = self._rows.slice(0, photos) if row_kind == "image" else self._rows.slice(photos)
            self._galleries[row_kind] = rows, rows_.matrix(rows)
        return self._galleries[row_kind]

    def narrowed(self, keep: np.ndarray) -> SearchEngine:
        """An engine for the rows to keep, bool (n,) over all rows, which answers as if there were no others."""
        narrow = copy(self)
        narrow._rows, narrow._galleries, narrow._floors = self._rows.filter(pa.array(keep)), {}, {}
        narrow._background = self._background and self._background.for_other_rows()
        return narrow

    # from queries to scores

    def scores(
        self,
        queries: Sequence[QueryLike],
        row_kind: str,
        ranking_by: str = "match",
    ) -> Iterator[Scores]:
        """Compare every row of a kind with each query; `QUERIES_AT_ONCE` of them by one product of matrices.

        Args:
            queries: Texts, what `query.image` takes, or `Query` objects. A photo of the library that is a term is left
                out of the answer, and so is every file with its content.
            row_kind: "image" or "frame".
            ranking_by: "match" or "cosine", without matches.

        Yields:
            The scores of one query after the other.

        Raises:
            QueryError: A query has no terms or no direction, a picture cannot be read, or the kind is none.
            LibraryError: The index is empty.
        """
        Mode.of("text", row_kind)  # a kind that is none is refused before anything is encoded
        composed = [query_of(query) for query in queries]
        for start in range(0, len(composed), QUERIES_AT_ONCE):
            yield from self._compared(self._embedded(composed[start : start + QUERIES_AT_ONCE]), row_kind, ranking_by)

    def scores_of_kinds(
        self, query: QueryLike, row_kinds: Sequence[str], ranking_by: str = "match"
    ) -> tuple[Scores, ...]:
        """The scores of one query, encoded once, with the rows of several kinds: see `scores`."""
        embedded = self._embedded([query_of(query)])
        return tuple(next(self._compared(embedded, row_kind, ranking_by)) for row_kind in row_kinds)

    def bank_scores(self, row_kind: str, ranking_by: str = "match") -> Iterator[Scores]:
        """The scores of each text of the bank, by its kept embedding: nothing is encoded. Without a bank none."""
        if self._background is None:
            return
        queries = [
            EmbeddedQuery(text, vector, (Term("text", text),), level_factor=1.0)
            for text, vector in zip(self._background.texts, self._background.vectors, strict=True)
        ]
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            yield from self._compared(queries[start : start + QUERIES_AT_ONCE], row_kind, ranking_by)

    def score_vector(self, embedding: np.ndarray, name: str, mode: Mode, ranking_by: str = "match") -> Scores:
        """The scores of a direction.

        Args:
            embedding: float (d,).
            name: what the answer calls the query.
            mode: what the direction came from, and which rows are compared.
            ranking_by: "match" or "cosine".
        """
        values = ranking.cosines(self.gallery(mode.row_kind)[1], embedding)
        return self._scores(values, EmbeddedQuery(name, embedding), mode, ranking_by)

    def noise_floor(self, row_kind: str) -> float:
        """What texts that mean nothing reach on the rows of a kind; measured once, see `ranking.noise_floor`."""
        if row_kind not in self._floors:
            best = (self.gallery(row_kind)[1] @ self.encoder.encode_texts(nonsense()).T).max(axis=0)
            self._floors[row_kind] = ranking.noise_floor(best)
        return self._floors[row_kind]

    def best_bank_text(self, row_kind: str, position: int) -> str | None:
        """The text of the bank that fits a row best; None where there is no bank."""
        if self._background is None:
            return None
        row = self.gallery(row_kind)[1][position]
        return self._background.texts[int(np.argmax(self._background.vectors @ row))]

    def would_find(self, scores: Scores, embedding: np.ndarray) -> bool:
        """Whether the query of `scores`, one text, would find a picture that is in no index, float (d,), unit."""
        assert scores.embedding is not None  # of a query that was compared
        scale, _, cutoff = scores.ordering()
        bank = self._background.vectors if scale == "match" and self._background else None
        if bank is None:
            return float(embedding @ scores.embedding) >= cutoff
        return float(match(scores.embedding[None], embedding[None], bank, "text")[0, 0]) >= cutoff

    def _compared(self, queries: Sequence[EmbeddedQuery], row_kind: str, ranking_by: str) -> Iterator[Scores]:
        directions = np.array([query.direction for query in queries])
        cosines = ranking.cosines(self.gallery(row_kind)[1], directions if len(queries) > 1 else directions[0])
        for query, values in zip(queries, np.atleast_2d(cosines), strict=True):
            scores = self._scores(values, query, Mode.of(query.kind, row_kind), ranking_by)
            for digest in query.digests:
                same = pc.equal(scores.rows["digest"], digest).to_numpy()
                scores.values[same] = np.nan
                if scores.matching:
                    scores.matching.values[same] = np.nan
            yield scores

    def _scores(self, values: np.ndarray, query: EmbeddedQuery, mode: Mode, ranking_by: str) -> Scores:
        if not self._rows.num_rows:
            raise LibraryError(f"the index of {self.root} is empty: run library.index() first")
        cutoff = self._cutoff(mode)
        matching = self._matching(values, query, mode) if ranking_by == "match" else None
        rows = self.gallery(mode.row_kind)[0]
        scores = Scores(query.name, mode, values, rows, cutoff, query.direction, query.terms, self, matching)
        judged = matching.values if matching and cutoff.calibrated == "match" else values
        comparable = cutoff.calibrated != "match" or matching is not None
        if cutoff.odds_of and comparable and query.plain:  # the precision was measured on single queries
            odds = cutoff.odds_of(judged)  # of all rows, also once a filter leaves some of them out
            scores = replace(scores, odds_of=lambda row: odds(float(judged[row])))
        return scores

    def _matching(self, cosines: np.ndarray, query: EmbeddedQuery, mode: Mode) -> Matching | None:
        """The matches of all rows, by what the query is made of, with the rule of their cutoff."""
        if self._background is None or not len(cosines):
            return None
        rows, gallery = self.gallery(mode.row_kind)
        bank, statistics = self._background, self._background.statistics(rows, gallery, mode.row_kind)
        if mode.query == "image":
            values = image_matches(query.direction[None], gallery, bank.axes, statistics)[0]
            return Matching(values, image_cutoff if len(bank.axes) else lambda matches: PAPER_IMAGE)
        if query.plain and query.plain.kind == "text":
            values = text_matches(cosines[None], query.direction[None], gallery, bank.vectors, statistics)[0]
            return Matching(values, partial(text_cutoff, usual=usual_match(statistics)))
        return Matching(cosines - np.float32(query.level_factor) * statistics.level, mixed_cutoff)

    def _embedded(self, queries: Sequence[Query]) -> list[EmbeddedQuery]:
        """The queries as the index knows them; their texts are encoded together."""
        words = [str(term.value) for query in queries for term in query.terms if term.kind == "text"]
        texts = iter(self.encoder.encode_texts(words))
        return [self._composed(query, texts) for query in queries]

    def _composed(self, query: Query, texts: Iterator[np.ndarray]) -> EmbeddedQuery:
        """One query; `texts` has the embeddings of its texts next."""
        parts = [
            (next(texts), term.value, None) if term.kind == "text" else self._picture(term.value)
            for term in query.terms
        ]
        vectors, factors = np.array([row for row, _, _ in parts]), np.array([term.factor for term in query.terms])
        direction = ranking.composed(vectors, factors)
        terms = tuple(replace(term, value=value) for term, (_, value, _) in zip(query.terms, parts, strict=True))
        level_factor = float(factors.sum() / np.linalg.norm(factors @ vectors)) if query.kind == "text" else 0.0
        digests = frozenset(digest for _, _, digest in parts if digest)
        return EmbeddedQuery(str(Query(terms)), direction, terms, digests, level_factor)

    def _picture(
        self, picture: str | os.PathLike | bytes | Image.Image
    ) -> tuple[np.ndarray, str | os.PathLike | bytes | Image.Image, str | None]:
        """The embedding, float32 (d,), of a picture of a query, what the picture is, and its digest.

        A photo of the library is named by its path, as the index has it. Another file or a PIL image is encoded now,
        and has no digest here.
        """
        rows, source, path = self._rows, picture, None
        if not isinstance(picture, Image.Image | bytes):
            source, path = os.path.expanduser(picture), stored_path(picture, self.root, rows["path"])
        if path is not None:
            position = pc.index(rows["path"], path).as_py()
            if rows["kind"][position].as_py() != "image":
                raise QueryError(f"{path} is a video: search_videos takes a text or a photo")
            return rows_.matrix(rows)[position], path, rows["digest"][position].as_py()
        if isinstance(source, str) and not os.path.isfile(source):  # Path.is_file raises for a name that is too long
            raise QueryError(
                f"no image {str(picture)!r}: it is neither in the library {self.root} nor a file elsewhere"
            )
        try:
            image = open_image(source, self.encoder.resolution)
        except MediaError as error:
            raise QueryError(f"cannot use {error.path} as a query: {error.reason}") from error
        return self.encoder.encode_images([image])[0], picture, None

    # what an answer shows of itself

    def thumbnail(self, hit: Hit) -> bytes | None:
        """The JPEG of a hit's row, where the index has one."""
        return self._index.thumbnail((hit.digest, hit.time_s))

    def drive_link(self, path: str) -> str | None:
        """The address of a file in Google Drive, where it has one."""
        return drive_link(self.root / path)

    def poster(self, moment: Moment) -> bytes | None:
        """The JPEG of the moment's best frame, from the index."""
        return self._index.thumbnail((moment.digest, moment.peak_s))

    def preview(self, moment: Moment) -> bytes:
        """A small MP4 of `footage.preview_span`, kept or cut now. Raises MediaError where the video fails."""
        return footage.preview(self.root / moment.path, moment, self.clips)

    def save_clip(self, moment: Moment, file: str | Path) -> None:
        """Write the moment to an MP4 file, at the source's size and quality."""
        footage.write_clip(self.root / moment.path, output_file(file, ".mp4"), moment.start_s, moment.end_s)

    def refined(self, path: str, stretch: Stretch, threshold: float, embedding: np.ndarray) -> Stretch:
        """The stretch of a video with its edges where the cosines with `embedding` step, see `footage.refined`."""
        encoder = self.encoder
        return footage.refined(
            self.root / path,
            stretch,
            threshold,
            encoder.resolution,
            prepare=lambda frame: encoder.prepare(fitted(frame, encoder.resolution)),
            score=lambda pixels: ranking.cosines(encoder.encode_images(pixels), embedding),
        )
