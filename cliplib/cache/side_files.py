"""Tables that are derived from an index and lie beside it. Each may be lost at any time, and is then made again.

    .cliplib/<model>/side-<name>-<ident>.parquet

`name` says what the table is, `ident` what it was made from: for the statistics of rows against a bank of texts a hash
of the bank. A table that was made from something else has another file. Packs, snapshots and `save_back` leave side
files behind. To keep a value for each row, store the columns "digest" and "time_s" with it and find it by `positions`:

    stored = side_files.read(library.folder, "bank", ident)
    places = side_files.positions(library.store.rows, stored)  # -1: a row that has come since
"""

import contextlib
import re
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import CacheError
from ..media.retry import with_retries
from . import rows as rows_
from .durable import write_durably
from .retention import KEPT_SECONDS


def read(folder: Path, name: str, ident: str) -> pa.Table | None:
    """The side file of this name and ident.

    Args:
        folder: the model's folder, `library.folder`.
        name: what the table is, such as "bank": letters, digits and "_".
        ident: what it was made from: letters, digits and "_".

    Returns:
        The table as it was written, or None where there is none, or it is damaged or of another origin.
    """
    file = _file(folder, name, ident)
    try:
        table, about = rows_.from_parquet(with_retries(file.read_bytes), file.name)
    except (OSError, CacheError):
        return None
    return table if about.get("cliplib.side") == file.stem else None  # another where a file was renamed


def write(folder: Path, name: str, ident: str, table: pa.Table) -> bool:
    """Write a side file, whole or not at all, and delete those of the same name that nobody has written for an hour.

    Args:
        folder: the model's folder, `library.folder`.
        name: what the table is, as for `read`.
        ident: what it was made from, as for `read`.
        table: columns of one value a row, or of a fixed count of numbers.

    Returns:
        Whether it was written: False where the folder cannot be written or the disk is full, which is no fault, for
        the table will be made again.
    """
    file = _file(folder, name, ident)
    table = table.replace_schema_metadata({"cliplib.side": file.stem})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(file, lambda out: pq.write_table(table, out, compression="zstd", write_page_checksum=True))
    except OSError:
        return False
    for other in folder.glob(f"side-{name}-*"):
        with contextlib.suppress(OSError):
            if other != file and other.stat().st_mtime < time.time() - KEPT_SECONDS:  # not one that is in use elsewhere
                other.unlink()
    return True


def positions(rows: pa.Table, table: pa.Table) -> np.ndarray:
    """Where a table has the keys of rows.

    Args:
        rows: n rows of an index.
        table: a table with the columns "digest" and "time_s".

    Returns:
        int64 (n,): the first position in `table` of each row's (digest, time_s); -1 where it has none.
    """
    found = pc.index_in(_keys(rows), _keys(table))
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)


def _keys(table: pa.Table) -> pa.ChunkedArray:
    """One text for each row's (digest, time_s)."""
    times = pc.fill_null(table["time_s"].cast(pa.string()), "")
    return pc.binary_join_element_wise(table["digest"].cast(pa.string()), times, "@")


def _file(folder: Path, name: str, ident: str) -> Path:
    if not re.fullmatch(r"\w+", name + ident, re.ASCII):
        raise ValueError(f"name {name!r} and ident {ident!r} of a side file: letters, digits and _ alone")
    return folder / f"side-{name}-{ident}.parquet"
