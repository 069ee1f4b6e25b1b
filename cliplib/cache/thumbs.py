"""Thumbnails: many small JPEGs in one Parquet file, each found by its content's digest and its time.

Kept apart from the rows, so that opening an index reads no picture, and read a row group at a time, so that a page of
results reads no more than it shows.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from ..media.retry import with_retries

SCHEMA = pa.schema([("digest", pa.string()), ("time_s", pa.float64()), ("jpeg", pa.binary())])
GROUP_ROWS = 32  # about 250 KB

Key = tuple[str, float | None]  # digest, and for a frame its time in seconds


def write_thumbs(file: IO[bytes], thumbs: Iterable[tuple[Key, bytes]]) -> None:
    """Write thumbnails as Parquet to a binary file, in the order given; one row group at a time is in memory."""
    items = iter(thumbs)
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    with pq.ParquetWriter(file, SCHEMA, **options) as writer:
        while group := list(islice(items, GROUP_ROWS)):
            rows = [{"digest": digest, "time_s": time_s, "jpeg": jpeg} for (digest, time_s), jpeg in group]
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))


class Thumbs:
    """The thumbnails of several files, all or those `wanted`; only their keys are read at first."""

    def __init__(self, files: list[Path], wanted: set[Key] | None = None):
        self._where: dict[Key, tuple[Path, int]] = {}
        self.problems: list[str] = []
        for file in files:
            try:
                keys = with_retries(partial(_keys_of, file))
            except (OSError, pa.ArrowException) as error:
                self.problems.append(f"{file.name}: its thumbnails cannot be read ({error})")
                continue
            for row, key in enumerate(zip(keys["digest"].to_pylist(), keys["time_s"].to_pylist(), strict=True)):
                if wanted is None or key in wanted:
                    self._where[key] = (file, row)

    def get(self, key: Key) -> bytes | None:
        """The JPEG of a key, or None where there is none or its file is damaged."""
        return next((jpeg for _, jpeg in self.among([key])), None)

    def among(self, keys: Iterable[Key]) -> Iterator[tuple[Key, bytes]]:
        """Those of `keys` that have a JPEG, with it, file by file; one row group at a time is read and in memory."""
        places: dict[Path, list[tuple[int, Key]]] = {}
        for key in keys:
            if key in self._where:
                path, row = self._where[key]
                places.setdefault(path, []).append((row, key))
        for path, found in places.items():
            found.sort(key=lambda place: place[0])
            try:
                with with_retries(partial(pq.ParquetFile, path, page_checksum_verification=True)) as file:
                    for group, members in groupby(found, key=lambda place: place[0] // GROUP_ROWS):
                        jpegs = with_retries(partial(file.read_row_group, group, columns=["jpeg"]))["jpeg"]
                        yield from ((key, jpegs[row % GROUP_ROWS].as_py()) for row, key in members)
            except (OSError, pa.ArrowException, IndexError):
                continue  # a damaged file has no pictures to give


def _keys_of(file: Path) -> pa.Table:
    """The columns "digest" and "time_s" of a file of thumbnails."""
    with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
        return parquet.read(["digest", "time_s"])
