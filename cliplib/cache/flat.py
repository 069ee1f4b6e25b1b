"""A part laid flat: an uncompressed Arrow file beside it, which is mapped into memory and searched where it lies.

    .cliplib/<model>/flat-<id>.arrow       the rows of part-<id>.parquet; pandas, Polars and DuckDB read it, too

A part in Parquet must be unpacked for every search of an index that no memory holds; a flat one is as fast as the disk.
It is derived, twice as large or so, and may be deleted at any time. Every batch of it holds rows of one kind alone, in
the order of the part, with embeddings of the part's own precision; so both give the same answers.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import CacheError
from . import rows as rows_
from .durable import write_durably

BATCH = 2**16  # rows; of 512 numbers in half precision 67 MB
PART = b"cliplib.part"  # in a flat file's schema: the sha256 of the part that it was made from


class Flat:
    """A flat file, mapped into memory. Nothing is read before it is asked for.

    Attributes:
        batches: how many there are.
        part: the sha256 of the part that it was made from.
        address: where the file's first byte lies in memory.
    """

    def __init__(self, file: Path):
        with open(file, "rb") as opened:
            self._map = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        buffer = pa.py_buffer(self._map)
        self._reader, self.address = pa.ipc.open_file(buffer), buffer.address
        self.batches, self.part = self._reader.num_record_batches, self._reader.schema.metadata[PART].decode()

    def kind(self, batch: int) -> str:
        """The kind of all rows of a batch."""
        return self._reader.get_batch(batch)["kind"][0].as_py()

    def embeddings(self, batch: int) -> np.ndarray:
        """Unit rows, float32 or float16 (n, d), where they lie in the file: see `release`."""
        column = self._reader.get_batch(batch)["embedding"]
        return column.flatten().to_numpy(zero_copy_only=True).reshape(-1, column.type.list_size)

    def facts(self, batch: int) -> pa.RecordBatch:
        """All columns but the embedding, where they lie in the file."""
        return self._reader.get_batch(batch).drop_columns(["embedding"])

    def prefetch(self, numbers: np.ndarray) -> None:
        """Have the system read what will be needed soon, in long stretches."""
        self._advise("MADV_WILLNEED", numbers)

    def release(self, numbers: np.ndarray) -> None:
        """Count pages that were read no longer as this process's memory; the system keeps them as long as it likes."""
        self._advise("MADV_DONTNEED", numbers)

    def _advise(self, advice: str, numbers: np.ndarray) -> None:
        if hasattr(mmap, advice):  # not on Windows
            start = numbers.__array_interface__["data"][0] - self.address
            first = start - start % mmap.PAGESIZE
            self._map.madvise(getattr(mmap, advice), first, start + numbers.nbytes - first)


def name_of(part: str) -> str:
    """The name of the flat file of a part file."""
    return part.replace("part-", "flat-", 1).removesuffix(".parquet") + ".arrow"


def open_flat(folder: Path, entry: dict) -> Flat | None:
    """The flat file of a part, by its `entry` in a manifest; None where there is none, or it is none of this part."""
    try:
        flat = Flat(folder / name_of(entry["name"]))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):  # not there, empty, cut or another's
        return None
    return flat if flat.part == entry.get("sha256") else None


def write(folder: Path, entry: dict, dim: int) -> None:
    """Write the flat file of a part, in memory that does not grow with it.

    Args:
        folder: of the part.
        entry: the part's, in a manifest.
        dim: numbers of an embedding.

    Raises:
        CacheError: where the part is damaged, or the disk refuses.
    """
    part, schema = folder / entry["name"], rows_.schema(dim)
    half = pa.types.is_float16(pq.read_schema(part).field("embedding").type.value_type)
    kind = pa.list_(pa.field("element", pa.float16() if half else pa.float32(), nullable=False), dim)
    schema = schema.set(schema.get_field_index("embedding"), pa.field("embedding", kind))
    schema = schema.with_metadata({PART: entry["sha256"]})

    def write_batches(file: IO[bytes]) -> None:
        with pa.ipc.new_file(pa.PythonFile(file, "w"), schema) as out:
            for rows in _of_one_kind(part, dim):
                rows = rows_.with_embeddings_of(rows_.known_columns(rows), "float16" if half else "float32")
                out.write_batch(rows.combine_chunks().to_batches()[0].cast(schema))

    try:
        write_durably(folder / name_of(entry["name"]), write_batches)
    except OSError as error:
        raise CacheError(
            f"could not lay {entry['name']} flat in {folder}: {error.strerror or error}. The index is intact; free "
            f"about {2 * entry['size'] / 1e9:.1f} GB, or search without"
        ) from error


def delete_others(folder: Path, entries: list[dict]) -> None:
    """Delete the flat files of parts that are not among these, by their entries in manifests."""
    kept = {name_of(entry["name"]) for entry in entries}
    for file in folder.glob("flat-*.arrow"):
        if file.name not in kept:
            with contextlib.suppress(OSError):  # rubbish that stays does no harm
                file.unlink()


def _of_one_kind(part: Path, dim: int) -> Iterator[pa.Table]:
    """The rows of a part, checked, in tables of at most `BATCH` rows of one kind, in the order of the part for each."""
    waiting: dict[str, list[pa.Table]] = {kind: [] for kind in rows_.ROW_KINDS}
    for block in rows_.iter_blocks(part):
        rows, problems = rows_.checked(block, dim, part.name)
        if problems:
            raise CacheError("; ".join(problems))
        for kind, tables in waiting.items():
            tables.append(rows.filter(pc.field("kind") == kind))
            while sum(map(len, tables)) >= BATCH:
                table = rows_.concatenate(tables)
                yield table.slice(0, BATCH)
                tables[:] = [table.slice(BATCH)]
    for tables in waiting.values():
        if sum(map(len, tables)):
            yield rows_.concatenate(tables)
