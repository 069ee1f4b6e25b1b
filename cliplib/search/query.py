"""What a query means: weighted sums of texts and images, the stored photo that a name stands for, and nonsense.

    2 * cliplib.text("a dog") + cliplib.image("pool.jpg") - cliplib.text("a person")

A query is built of objects and Python's own operators, so no sign inside a text is ever an operator.
"""

from __future__ import annotations

import math
import os
import random
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from ..deprecation import renamed_attribute
from ..errors import QueryError, describe_value

# Words that nobody has a photo of.
# fmt: off
ABSTRACT = [
    "adverb", "amortised", "axiom", "bylaw", "caveat", "clause", "codicil", "decree", "deductible", "dogma",
    "doctrine", "epoch", "ethos", "excise", "fiscal", "hence", "heretofore", "inference", "interim", "jurisdiction",
    "lemma", "levy", "liability", "moreover", "nominal", "notwithstanding", "predicate", "premise", "pretext",
    "pronoun", "proviso", "quota", "quotient", "rebate", "semantics", "statute", "subsidy", "surety", "syntax",
    "tariff", "tenet", "tenure", "thesis", "utility", "verdict", "whereas",
]
# fmt: on


@dataclass(frozen=True)
class Term:
    """One part of a query: a text, or an image as a path or a PIL image, and what it counts times (below 0: away)."""

    kind: str  # "text" or "image"
    value: str | os.PathLike | bytes | Image.Image
    factor: float = 1.0
    weight = renamed_attribute("Term.weight", "factor")

    def __str__(self) -> str:
        return "an image" if isinstance(self.value, Image.Image | bytes) else str(self.value)


@dataclass(frozen=True)
class Query:
    """A weighted sum of texts and images; make one with `cliplib.text` and `cliplib.image`, and + - *.

    Its embedding is the sum of its terms' unit embeddings times their factors, brought to length one, and a score is
    the cosine with that: 2 * text("a dog") finds the same with the same scores as text("a dog"), for only the factors'
    proportions count. `Query()` has no terms, so that sum(queries, Query()) works.
    """

    terms: tuple[Term, ...] = ()
    __array_ufunc__ = None  # a NumPy number times a query is left to __rmul__

    @property
    def kind(self) -> str:
        """What it is made of: "text", "image", or "mixed" where it has terms of both."""
        kinds = {term.kind for term in self.terms}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @property
    def plain(self) -> Term | None:
        """Its term where it has but one, and that does not lead away: what judgements and profiles are about."""
        return self.terms[0] if len(self.terms) == 1 and self.terms[0].factor > 0 else None

    def __add__(self, other: object) -> Query:
        if not isinstance(other, Query):
            raise QueryError(
                f"{describe_value(other)} cannot be added to a query or taken from it: wrap it in cliplib.text() or "
                "cliplib.image()"
            )
        return Query(self.terms + other.terms)

    __radd__ = __add__

    def __sub__(self, other: object) -> Query:
        return self + (-other if isinstance(other, Query) else other)

    __rsub__ = __add__  # only reached with something that is no query, which it refuses

    def __neg__(self) -> Query:
        return -1 * self

    def __mul__(self, factor: float) -> Query:
        if isinstance(factor, bool) or not isinstance(factor, Real) or not math.isfinite(factor):
            raise QueryError(f"a query was multiplied by {factor!r}: a factor is a finite number, such as 2 or -0.5")
        return Query(tuple(replace(term, factor=float(factor) * term.factor) for term in self.terms))

    __rmul__ = __mul__

    def __str__(self) -> str:
        words = ""
        for term in self.terms:
            sign = "−" if term.factor < 0 else "+"
            words += f" {sign} " if words else "−" * (sign == "−")
            words += f"{term}" if abs(term.factor) == 1 else f"{abs(term.factor):g} × {term}"
        return words or "nothing"


PictureLike = str | os.PathLike | bytes | bytearray | memoryview | Image.Image | Query  # what `image` takes
QueryLike = PictureLike  # what `query_of` takes: a string is a text there


def text(words: str) -> Query:
    """A text as a query, to be weighted and added to others. QueryError for anything but a string."""
    if not isinstance(words, str):
        raise QueryError(f"cliplib.text takes a string, got {describe_value(words)}")
    return Query((Term("text", words),))


def image(picture: PictureLike) -> Query:
    """A picture as a query: a photo of the library by its path or name, another file, its bytes, or a PIL image.

    Files are looked for when the query is asked. A query stays what it is. QueryError for anything else.
    """
    if isinstance(picture, Query):
        return picture
    if isinstance(picture, (bytearray, memoryview)):
        picture = bytes(picture)
    if not isinstance(picture, str | os.PathLike | bytes | Image.Image):
        raise QueryError(
            f"a picture is a path, the bytes of a file or a PIL image; got {describe_value(picture)}"
            f"{several_hint(picture)}"
        )
    return Query((Term("image", picture),))


def query_of(given: QueryLike) -> Query:
    """What is asked for as a query: a text, what `image` takes (a string is a text), or a query. QueryError else."""
    if isinstance(given, str):
        return text(given)
    if not isinstance(given, Query | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        raise QueryError(
            f"a query is a text, a picture (a pathlib.Path, the bytes of a file, a PIL image) or a sum of these; "
            f"got {describe_value(given)}{several_hint(given)}"
        )
    return image(given)


def several_hint(given: object) -> str:
    """What to do with several queries, where several were given in place of one."""
    if not isinstance(given, list | tuple | set | dict | np.ndarray):
        return ""
    return (
        ". For one answer to each of several there is library.scores([...]); for one answer to all of them, "
        "add them: cliplib.text('a dog') + cliplib.text('a car')"
    )


def nonsense(n: int = 32, seed: int = 0) -> list[str]:
    """`n` different texts that mean nothing a picture could show, in the forms that people type.

    One to four words each, seven in ten of them real but abstract, the others made up; the same for the same `seed`
    on every machine. Made-up words alone sound alike to a model: on the drawn world they reached 0.26, these 0.32, and
    texts of random dictionary words 0.34 (95th percentiles of the best cosine).
    """
    choose = random.Random(seed)

    def word() -> str:
        if choose.random() < 0.7:
            return choose.choice(ABSTRACT)
        syllables = (choose.choice("bdfgklmnprstvz") + choose.choice("aeiou") for _ in range(choose.randint(2, 4)))
        return "".join(syllables) + choose.choice(["lm", "zk", "pf", "vk", "gz"])  # ends that English words do not have

    texts: dict[str, None] = {}  # a dict keeps the order
    while len(texts) < n:
        words = " ".join(word() for _ in range(choose.randint(1, 4)))
        texts[choose.choice(["{}", "{}", "a {}", "a photo of a {}"]).format(words)] = None
    return list(texts)


def stored_path(image: str | os.PathLike, root: Path, paths: pa.ChunkedArray | pa.Array) -> str | None:
    """The one of `paths` (strings, POSIX, relative to `root`) that `image` names, or None.

    Tried in this order: the path as it is in the index, a path of the file system that leads into `root`, and a file
    name alone; then the same with accents composed otherwise (macOS decomposes them) and with Windows' backslashes.
    QueryError when several files have that name.
    """
    name = str(image)
    found = _stored_path(image, root, paths)
    if found is not None or (name.isascii() and "\\" not in name):
        return found
    alike = normalised_paths(paths)
    found = _stored_path(normalised_path(name), Path(normalised_path(str(root))), alike)
    return paths[pc.index(alike, found).as_py()].as_py() if found else None


def normalised_path(path: str) -> str:
    """A path as it would be on any system: accents composed (NFC), and slashes for Windows' backslashes."""
    return unicodedata.normalize("NFC", path).replace("\\", "/")


def normalised_paths(paths: pa.ChunkedArray) -> pa.ChunkedArray:
    """The paths of an index with their accents composed."""
    return pc.utf8_normalize(paths, "NFC")


def _stored_path(image: str | os.PathLike, root: Path, paths: pa.ChunkedArray | pa.Array) -> str | None:
    wanted, namesakes = PurePosixPath(Path(image).as_posix()), []
    with suppress(ValueError):  # a name that is not UTF-8, or holds a NUL, is in no index
        real, home = (Path(os.path.realpath(path)) for path in (os.path.expanduser(image), root))
        inside = [real.relative_to(home).as_posix()] if real.is_relative_to(home) else []
        for path in (str(wanted), *inside):
            if pc.index(paths, path).as_py() >= 0:
                return path
        if len(wanted.parts) == 1:
            namesakes = sorted(paths.filter(pc.ends_with(paths, f"/{wanted}")).unique().to_pylist())
    if len(namesakes) > 1:
        raise QueryError(f"{wanted} is the name of {len(namesakes)} files; say which: {', '.join(namesakes[:5])}")
    return namesakes[0] if namesakes else None
