"""Rows from elsewhere, and back: embeddings that another program made, and files that other programs read."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from ..cache import rows as rows_
from ..errors import CacheError, LibraryError, MediaError, ModelError
from ..media.files import find_media
from ..media.photo import open_image
from ..models.checkpoint import read_plain_pickle
from .pipeline import Finished, Reader, Sample
from .report import IndexReport
from .update import update

if TYPE_CHECKING:
    from ..cache.store import Store
    from ..models.encoder import Encoder

NAMES = ("image_path", "path", "filepath", "file", "filename", "file_name", "name", "image", "key")  # of columns
TRIED = 3  # pictures that are encoded again, to see whether the model is the one that is named
ALIKE = 0.98  # their smallest cosine: other decoders and resizers keep above it, other models far below
SWAPPED = 1e-3  # by so much another picture's may fit better: two may be alike
NARROWEST = 8  # numbers in a row: fewer are no embedding


@dataclass(frozen=True)
class ImportedEmbeddings:
    """Embeddings that another program made.

    Attributes:
        names: Of the pictures, as that program wrote them.
        vectors: float32 (n, d), as they were, in the order of the names.
    """

    names: list[str]
    vectors: np.ndarray


def read(source: str | Path) -> ImportedEmbeddings:
    """The embeddings in a file or folder, told by its form.

    Args:
        source: clip-retrieval's folder (img_emb/*.npy with metadata/*.parquet); an .npz; a .csv, .parquet or .pkl of
            names and embeddings. A pickle may hold plain numbers, strings and arrays; nothing in it is run.

    Raises:
        CacheError: Names the source and what is wrong with it.
    """
    path = Path(source).expanduser()
    readers = {".npz": _npz, ".csv": _csv, ".parquet": _parquet, ".pkl": _pickle, ".pickle": _pickle}
    read_it = _clip_retrieval if path.is_dir() else readers.get(path.suffix.lower())
    if read_it is None or not path.exists():
        what = "is not there" if not path.exists() else f"is none of {', '.join(readers)} or clip-retrieval's folder"
        raise CacheError(f"{path} {what}: embeddings cannot be read from it")
    try:
        names, vectors = read_it(path)
        vectors = np.asarray(vectors, np.float32)
    except (ModelError, CacheError) as error:
        raise CacheError(f"{path} cannot be imported: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:300]
        raise CacheError(f"{path} cannot be imported: {type(error).__name__}: {reason}") from error
    if vectors.ndim != 2 or vectors.shape[1] < NARROWEST or len(names) != len(vectors):
        raise CacheError(f"{path} cannot be imported: {len(names)} names and embeddings of shape {vectors.shape}")
    return ImportedEmbeddings([str(name) for name in names], vectors)


def import_rows(
    root: Path, store: Store, encoder: Encoder, given: ImportedEmbeddings, progress: bool = True
) -> tuple[IndexReport, list[str]]:
    """Index the photos of `root` that `given` has embeddings of, by these; the next run of `update` goes on from it.

    The files are read for their facts and thumbnails. Three are encoded, to see that the model is the one that is
    named.

    Returns:
        The report, and the names that no photo of the folder has.

    Raises:
        LibraryError: No name is a photo of the folder; or the embeddings are of another width, hold no numbers, or are
            of another model.
    """
    vectors = _unit(given, encoder)
    listing = find_media(root)
    photos = [file.path for file in listing.files if file.file_kind == "photo"]
    found, lost = _matched(given.names, photos)
    if not found:
        some = ", ".join(map(repr, given.names[:3]))
        raise LibraryError(f"none of the {len(given.names)} names is a photo of {root}; the first are {some}")
    by_path = {path: vectors[row] for path, row in found.items()}
    _try(root, encoder, by_path)
    read_files = partial(_with_vectors, by_path=by_path)
    report = update(root, store, encoder, progress=progress, first_pass=False, listing=listing, read=read_files)
    return report, lost


def export_rows(rows: pa.Table, model: dict[str, Any], folder: str | Path) -> Path:
    """Write rows as clip-retrieval lays them out: img_emb/img_emb_0.npy, float32 (n, d), with metadata_0.parquet.

    Row i of the array is row i of the metadata: image_path, kind, time_s and more. NumPy, FAISS (`index.add`) and
    LanceDB (of rows.parquet, which has both in one table) read them as they are. model.json says what made them.

    Returns:
        The folder.

    Raises:
        LibraryError: It holds such files already.
    """
    folder = Path(folder).expanduser()
    if any((folder / name).exists() for name in ("img_emb", "metadata", "rows.parquet")):
        raise LibraryError(f"{folder} holds exported embeddings already: give another folder, or delete them")
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    vectors = np.ascontiguousarray(rows_.matrix(rows), np.float32)
    facts = rows.drop_columns(["embedding"]).rename_columns(
        ["image_path" if name == "path" else name for name in rows.column_names if name != "embedding"]
    )
    np.save(folder / "img_emb" / "img_emb_0.npy", vectors)
    pq.write_table(facts, folder / "metadata" / "metadata_0.parquet")
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    pq.write_table(facts.append_column("vector", flat), folder / "rows.parquet")
    (folder / "model.json").write_text(json.dumps(model, indent=1, default=str), encoding="utf-8")
    return folder


def _with_vectors(reader: Reader, files: Sequence, by_path: dict[str, np.ndarray]) -> Iterator[Sample | Finished]:
    """What `Reader.read` gives of the files whose vectors are known, with them; the others wait for the next run."""
    known = [file for file in files if file.file_kind == "photo" and file.path in by_path]
    unprepared = replace(reader, sampling=replace(reader.sampling, prepare=_unprepared))
    for event in unprepared.read(known):
        yield replace(event, vector=by_path[event.file.path]) if isinstance(event, Sample) else event


def _unprepared(image: Image.Image) -> np.ndarray:
    """Nothing, for an encoder that is not asked."""
    return np.empty(0)


def _unit(given: ImportedEmbeddings, encoder: Encoder) -> np.ndarray:
    """The vectors at length one; LibraryError where they cannot be this encoder's."""
    width = given.vectors.shape[1]
    if width != encoder.dim:
        raise LibraryError(f"the embeddings have {width} numbers and {encoder.name!r} gives {encoder.dim}: name theirs")
    lengths = np.linalg.norm(given.vectors, axis=1)
    bad = np.flatnonzero(~np.isfinite(lengths) | (lengths < 1e-6))
    if len(bad):
        raise LibraryError(
            f"{len(bad)} of the embeddings are no numbers or zero, the first that of {given.names[bad[0]]!r}"
        )
    return given.vectors / lengths[:, None]


def _matched(names: list[str], photos: list[str]) -> tuple[dict[str, int], list[str]]:
    """Which row belongs to which photo, and the names of none.

    A name is what follows the folder of the other program, which is the one by which most names are photos here; else
    the longest end of it that is the end of one photo alone.
    """
    ends: dict[str, set[str]] = {}
    for path in photos:
        parts = path.split("/")
        for start in range(len(parts)):
            ends.setdefault("/".join(parts[start:]), set()).add(path)
    split = [name.replace("\\", "/").removeprefix("./").split("/") for name in names]
    here = set(photos)
    folders = Counter(
        tuple(parts[:start]) for parts in split for start in range(len(parts)) if "/".join(parts[start:]) in here
    )
    theirs = max(folders, key=lambda folder: (folders[folder], -len(folder)), default=())
    found: dict[str, int] = {}
    lost = []
    for row, parts in enumerate(split):
        whole = "/".join(parts[len(theirs) :]) if tuple(parts[: len(theirs)]) == theirs else ""
        fitting = [ends.get("/".join(parts[start:]), set()) for start in range(len(parts))]
        nearest = next((paths for paths in fitting if paths), set())
        if whole in here:
            found[whole] = row
        elif len(nearest) == 1:
            found.setdefault(next(iter(nearest)), row)
        else:
            lost.append(names[row])
    return found, lost


def _try(root: Path, encoder: Encoder, by_path: dict[str, np.ndarray]) -> None:
    """Encode some of the pictures again; LibraryError where what comes out is not what was imported for each."""
    paths, tried = sorted(by_path), {}
    for path in paths[:: max(1, len(paths) // TRIED)]:
        try:
            image = open_image(root / path, encoder.resolution)
        except MediaError:  # a damaged file is reported as it is indexed
            continue
        assert image is not None  # which it is only where no decoding was asked for
        tried[path] = encoder.encode_images([image])[0]
        if len(tried) == TRIED:
            break
    if not tried:
        raise LibraryError("none of the pictures can be opened, so nobody can tell which model the embeddings are of")
    cosines = np.array([*tried.values()]) @ np.array([by_path[path] for path in tried]).T
    own = np.diag(cosines)
    if own.min() < ALIKE or (cosines.max(axis=1) > own + SWAPPED).any():
        said = ", ".join(f"{path} {value:.3f}" for path, value in zip(tried, own, strict=True))
        raise LibraryError(
            f"the embeddings are not those of {encoder.name!r}: encoded again, the pictures have cosines of {said} "
            f"with them; at least {ALIKE} is needed, and that no other fits better. Name the model that made them, or "
            "see whether names and rows match"
        )


def _clip_retrieval(folder: Path) -> tuple[list[str], np.ndarray]:
    def numbered(files: Iterator[Path]) -> list[Path]:
        return sorted(files, key=lambda file: [int(part) for part in re.findall(r"\d+", file.stem)])

    arrays = numbered((folder / "img_emb").glob("*.npy"))
    tables = numbered((folder / "metadata").glob("*.parquet"))
    if not arrays or len(arrays) != len(tables):
        raise CacheError(f"it has {len(arrays)} img_emb/*.npy and {len(tables)} metadata/*.parquet; as many are needed")
    vectors = [np.load(file, allow_pickle=False) for file in arrays]
    names = [_name_column(pq.read_table(file)) for file in tables]
    for file, rows, named in zip(arrays, vectors, names, strict=True):
        if len(rows) != len(named):
            raise CacheError(f"{file.name} has {len(rows)} rows and its metadata {len(named)}")
    return [name for part in names for name in part], np.concatenate(vectors)


def _npz(path: Path) -> tuple[list[str], np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return _pair({name: arrays[name] for name in arrays.files})


def _pickle(path: Path) -> tuple[list[str], np.ndarray]:
    return _pair(_plain(read_plain_pickle(path.read_bytes())))


def _csv(path: Path) -> tuple[list[str], np.ndarray]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        first, *records = csv.reader(file)
    columns = {name: [record[at] for record in records] for at, name in enumerate(first)}
    return _of_columns(columns)


def _parquet(path: Path) -> tuple[list[str], np.ndarray]:
    return _of_columns(pq.read_table(path).to_pydict())


def _of_columns(columns: dict[str, list]) -> tuple[list[str], np.ndarray]:
    """Names, and embeddings: one column of lists, or of texts such as "[0.1, 0.2]", or one column a number."""
    named = next((name for name in NAMES if name in columns), None) or next(iter(columns), None)
    if named is None or not columns[named]:
        raise CacheError("it has no rows")
    for name, values in columns.items():
        if name != named and values and (_is_vector(values[0]) or str(values[0]).lstrip().startswith("[")):
            return columns[named], np.array([_numbers(value) for value in values], np.float32)
    rest = [values for name, values in columns.items() if name != named and _are_numbers(values)]
    if len(rest) < NARROWEST:
        raise CacheError(f"beside {named!r} it has no column of embeddings, and {len(rest)} of single numbers")
    return columns[named], np.array(rest, np.float32).T


def _name_column(table: pa.Table) -> list[str]:
    named = next((name for name in NAMES if name in table.column_names), None)
    if named is None:
        raise CacheError(f"its metadata has none of the columns {', '.join(NAMES)}: {table.column_names}")
    return table[named].to_pylist()


def _pair(tree: Any) -> tuple[list[str], np.ndarray]:
    """Names and embeddings in plain values: {name: vector}, {"names": [...], "embeddings": (n, d)}, a pair, records."""
    if isinstance(tree, dict) and tree and all(_is_vector(value) for value in tree.values()):
        return [str(name) for name in tree], np.array([*tree.values()], np.float32)
    if isinstance(tree, (list, tuple)) and tree and all(isinstance(item, (list, tuple, dict)) for item in tree):
        records = [list(item.values()) if isinstance(item, dict) else list(item) for item in tree]
        if all(any(isinstance(v, str) for v in one) and any(_is_vector(v) for v in one) for one in records):
            names = [next(value for value in one if isinstance(value, str)) for one in records]
            return names, np.array([next(v for v in one if _is_vector(v)) for one in records], np.float32)
    parts = list(tree.values()) if isinstance(tree, dict) else list(tree) if isinstance(tree, (list, tuple)) else []
    parts = [_as_list(part) for part in parts]
    names = [part for part in parts if len(part) and all(isinstance(item, str) for item in part)]
    tables = [part for part in parts if len(part) and all(_is_vector(item) for item in part)]
    if not names or not tables:
        raise CacheError("it holds no names with embeddings: {name: vector}, or names and rows of equal number")
    return [str(name) for name in names[0]], np.array([*tables[0]], np.float32)


def _plain(tree: Any, depth: int = 0) -> Any:
    """The same with real arrays for what stood in for them."""
    if hasattr(tree, "filled") and hasattr(tree, "value"):
        return tree.value
    if depth < 8 and isinstance(tree, dict):
        return {key: _plain(value, depth + 1) for key, value in tree.items()}
    if depth < 8 and isinstance(tree, (list, tuple)):
        return [_plain(value, depth + 1) for value in tree]
    return tree


def _as_list(part: Any) -> Sequence:
    return list(part) if isinstance(part, (list, tuple, np.ndarray)) and np.ndim(part) > 0 else []


def _is_vector(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and value.dtype.kind in "fiu" and len(value) >= NARROWEST
    is_list = isinstance(value, (list, tuple)) and len(value) >= NARROWEST
    return is_list and all(isinstance(item, (int, float)) for item in value)


def _are_numbers(values: list) -> bool:
    try:
        return bool(np.isfinite(np.array(values[:100], np.float64)).all())
    except (TypeError, ValueError):
        return False


def _numbers(value: Any) -> np.ndarray:
    """The numbers of one embedding, also of its text: "[0.1, 0.2]" or, as NumPy prints it, "[0.1 0.2]"."""
    if not isinstance(value, str):
        return np.asarray(value, np.float32)
    if "..." in value:
        raise CacheError("an embedding is cut short by '...', as NumPy prints long arrays; write all of its numbers")
    return np.array(re.sub(r"[\[\],]", " ", value).split(), np.float32)
