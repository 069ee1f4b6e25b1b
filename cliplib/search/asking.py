"""How an answer is made: a query's terms to one embedding, its cosine with every row, and what nonsense would reach."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from ..cache import rows as rows_
from ..errors import LibraryError, MediaError, QueryError
from ..media.photo import open_photo
from . import ranking
from .footage import Footage
from .query import Query, Term, image, nonsense, stored_path, text
from .results import Hit
from .scores import Scores

if TYPE_CHECKING:
    from ..library import Library

TOGETHER = 32  # queries of a batch that are compared at once: 128 MB of scores for a million rows
KINDS = {"image": "image", "frame": "video"}  # a row's kind, and what a mode calls it


class Asking:
    """Answers from the index of a `library` as it is now: the library makes a new one whenever the index may change."""

    def __init__(self, library: Library):
        self._library = library
        self._galleries: dict[str, tuple[pa.Table, np.ndarray]] = {}
        self._floors: dict[str, float] = {}

    def gallery(self, kind: str) -> tuple[pa.Table, np.ndarray]:
        """The rows of a kind and their embeddings (n, d): a slice of the store's rows, for photos come first there."""
        if kind not in KINDS:
            raise QueryError(f"kind is {kind!r}: it can be {' or '.join(map(repr, KINDS))}")
        if kind not in self._galleries:
            for problem in self._library.store.problems:
                warnings.warn(problem, stacklevel=5)
            rows = self._library.store.rows
            photos = pc.sum(pc.equal(rows["kind"], "image")).as_py() or 0
            rows = rows.slice(0, photos) if kind == "image" else rows.slice(photos)
            self._galleries[kind] = rows, rows_.matrix(rows)
        return self._galleries[kind]

    def scores(self, queries: Sequence, kind: str) -> Iterator[Scores]:
        """Every row's cosine with each query, one query after the other; a product of matrices for `TOGETHER` of them.

        A query is a text, what `query.image` takes, or a `Query`. Photos of the library that are terms of it are left
        out of its answer.
        """
        for start in range(0, len(queries), TOGETHER):
            asked = [self._found(query) for query in queries[start : start + TOGETHER]]
            texts = [term.value for query, _ in asked for term in query.terms if term.kind == "text"]
            encoded = dict(zip(texts, self._library.encoder.encode_texts(texts), strict=True))
            embeddings = np.array([self._embedding(*query, encoded) for query in asked])
            together = ranking.cosines(self.gallery(kind)[1], embeddings if len(asked) > 1 else embeddings[0])
            for (query, stored), embedding, values in zip(asked, embeddings, np.atleast_2d(together), strict=True):
                scores = self.towards(embedding, str(query), query.kind, kind, query, values)
                known = pa.array(filter(None, stored), pa.string())
                scores.values[np.asarray(pc.is_in(scores.rows["path"], known))] = np.nan
                yield scores

    def towards(
        self,
        embedding: np.ndarray,
        name: str,
        asked: str,
        kind: str,
        query: Query | None = None,
        values: np.ndarray | None = None,
    ) -> Scores:
        """The scores of a direction, float (d,), that is called `name` and came from "text", "image" or "mixed".

        `values`: its cosines with all rows, where they are known.
        """
        rows, gallery = self.gallery(kind)
        library, mode = self._library, f"{asked}->{KINDS[kind]}"
        if not library.store.rows.num_rows:
            raise LibraryError(f"the index of {library.root} is empty: run library.index() first")
        values, footage = ranking.cosines(gallery, embedding) if values is None else values, Footage(library, embedding)
        facts = (library.threshold(mode), library.encoder.banner, self._thumbnail, footage)
        simple = query is not None and len(query.terms) == 1  # profiles are measured on queries of one term
        profile = library.profiles.get(mode) if simple else None
        expected = profile.expected if profile else None
        return Scores(name, mode, values, rows, *facts, self, embedding, query, expected)

    def noise_floor(self, kind: str) -> float:
        """What texts that mean nothing reach on the rows of a kind; measured once, see `ranking.noise_floor`."""
        if kind not in self._floors:
            best = (self.gallery(kind)[1] @ self._library.encoder.encode_texts(nonsense()).T).max(axis=0)
            self._floors[kind] = ranking.noise_floor(best)
        return self._floors[kind]

    def _found(self, query) -> tuple[Query, list[str | None]]:
        """The query with the paths of those terms that are photos of the library, and these paths; None for others."""
        query = text(query) if isinstance(query, str) else image(query)
        stored = [self._stored(term) for term in query.terms]
        terms = tuple(replace(term, value=path or term.value) for term, path in zip(query.terms, stored, strict=True))
        return Query(terms), stored

    def _embedding(self, query: Query, stored: list[str | None], texts: dict[str, np.ndarray]) -> np.ndarray:
        """The query's direction, float32 (d,); `texts` are those of its texts."""
        rows = [
            texts[term.value] if term.kind == "text" else self._image(term.value, path is not None)
            for term, path in zip(query.terms, stored, strict=True)
        ]
        return ranking.composed(rows, np.array([term.weight for term in query.terms]))

    def _stored(self, term: Term) -> str | None:
        """The path of the photo of the library that a term names; None for texts, PIL images and files elsewhere."""
        if term.kind == "text" or isinstance(term.value, Image.Image):
            return None
        return stored_path(term.value, self._library.root, self._library.store.rows["path"].unique().to_pylist())

    def _image(self, picture, stored: bool) -> np.ndarray:
        """The embedding, float32 (d,), of a stored photo, from the index; or of a file or a PIL image, encoded now."""
        encoder, store = self._library.encoder, self._library.store
        if stored:
            position = pc.index(store.rows["path"], picture).as_py()
            if store.rows["kind"][position].as_py() != "image":
                raise QueryError(f"{picture} is a video: search_videos takes a text or a photo")
            return rows_.matrix(store.rows)[position]
        if not isinstance(picture, Image.Image):
            picture = Path(picture).expanduser()
            if not picture.is_file():
                raise QueryError(
                    f"no image {str(picture)!r}: it is neither in the library {self._library.root} nor a file elsewhere"
                )
        try:
            photo = open_photo(picture, encoder.resolution)
        except MediaError as error:
            raise QueryError(f"cannot use {error.path} as a query: {error.reason}") from error
        return encoder.encode_images([photo.image])[0]

    def _thumbnail(self, hit: Hit) -> bytes | None:
        return self._library.store.thumbnail((hit.digest, hit.time_s))
