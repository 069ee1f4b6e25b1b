"""How an answer is made: a query's terms to one embedding, its cosine with every row, and what nonsense would reach."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from PIL import Image

from ..cache import rows as rows_
from ..errors import LibraryError, MediaError, QueryError
from ..media.photo import open_photo
from . import ranking
from .footage import Footage
from .query import Query, image, nonsense, stored_path, text
from .results import Hit
from .scores import Scores

if TYPE_CHECKING:
    import pyarrow as pa

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
        out of its answer, and so is every file with the content of one.
        """
        queries = [text(query) if isinstance(query, str) else image(query) for query in queries]
        for start in range(0, len(queries), TOGETHER):
            some = queries[start : start + TOGETHER]
            words = [term.value for query in some for term in query.terms if term.kind == "text"]
            texts = iter(self._library.encoder.encode_texts(words))
            asked = [self._understood(query, texts) for query in some]
            embeddings = np.array([embedding for _, embedding, _ in asked])
            together = ranking.cosines(self.gallery(kind)[1], embeddings if len(asked) > 1 else embeddings[0])
            for (query, embedding, own), values in zip(asked, np.atleast_2d(together), strict=True):
                scores = self.towards(embedding, str(query), query.kind, kind, query, values)
                for digest in own:
                    scores.values[pc.equal(scores.rows["digest"], digest).to_numpy()] = np.nan
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
        profile = library.profiles.get(mode) if query and query.plain else None
        return Scores(
            query=name,
            mode=mode,
            values=ranking.cosines(gallery, embedding) if values is None else values,
            rows=rows,
            threshold=library.threshold(mode),
            banner=library.encoder.banner,
            thumbnail=self._thumbnail,
            footage=Footage(library, embedding),
            asking=self,
            embedding=embedding,
            asked=query,
            expected=profile.expected if profile else None,
        )

    def noise_floor(self, kind: str) -> float:
        """What texts that mean nothing reach on the rows of a kind; measured once, see `ranking.noise_floor`."""
        if kind not in self._floors:
            best = (self.gallery(kind)[1] @ self._library.encoder.encode_texts(nonsense()).T).max(axis=0)
            self._floors[kind] = ranking.noise_floor(best)
        return self._floors[kind]

    def _understood(self, query: Query, texts: Iterator[np.ndarray]) -> tuple[Query, np.ndarray, set[str]]:
        """The query with its photos by their paths in the index, its direction, float32 (d,), and their digests.

        `texts` has the embeddings of its texts next.
        """
        parts = [
            (next(texts), term.value, None) if term.kind == "text" else self._picture(term.value)
            for term in query.terms
        ]
        embedding = ranking.composed([row for row, _, _ in parts], [term.weight for term in query.terms])
        terms = (replace(term, value=value) for term, (_, value, _) in zip(query.terms, parts, strict=True))
        return Query(tuple(terms)), embedding, {digest for _, _, digest in parts} - {None}

    def _picture(self, picture) -> tuple[np.ndarray, str | os.PathLike | Image.Image, str | None]:
        """The embedding, float32 (d,), of a picture of a query, what the picture is, and its digest: a photo of the
        library by its path, as the index has it; another file or a PIL image encoded now, without a digest.
        """
        library, rows = self._library, self._library.store.rows
        source, path = picture, None
        if not isinstance(picture, Image.Image):
            source, path = os.path.expanduser(picture), stored_path(picture, library.root, rows["path"])
        if path is not None:
            position = pc.index(rows["path"], path).as_py()
            if rows["kind"][position].as_py() != "image":
                raise QueryError(f"{path} is a video: search_videos takes a text or a photo")
            return rows_.matrix(rows)[position], path, rows["digest"][position].as_py()
        if isinstance(source, str) and not os.path.isfile(source):  # Path.is_file raises for a name that is too long
            raise QueryError(
                f"no image {str(picture)!r}: it is neither in the library {library.root} nor a file elsewhere"
            )
        try:
            photo = open_photo(source, library.encoder.resolution)
        except MediaError as error:
            raise QueryError(f"cannot use {error.path} as a query: {error.reason}") from error
        return library.encoder.encode_images([photo.image])[0], picture, None

    def _thumbnail(self, hit: Hit) -> bytes | None:
        return self._library.store.thumbnail((hit.digest, hit.time_s))
