"""A whole index in one file, to carry: Parquet (the truth) or pickle (for the paper's sake).

Both load to the same rows, bit for bit.

The pickle holds builtins only: a dict of lists, strings, numbers and raw bytes. Its reader scans the opcodes before
anything is built and refuses every one that could name a class, call something or reserve memory out of proportion, so
nobody's file can run code. Either file carries the sha256 of all its other bytes, so that no flipped bit goes unseen,
and stays plain Parquet, or a plain pickle, for everybody else.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import pickletools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import CacheError
from . import format
from . import rows as rows_
from .durable import save_file
from .reader import IndexReader
from .thumbs import Key

MAGIC = "cliplib index 1"
SUFFIXES = (".parquet", ".pkl", ".pickle")
PLACEHOLDER = b"the sha256 of all the other bytes of this file".ljust(64, b".")  # as long as the checksum itself
LONGEST_NAME = 4096  # of a model, which may be the path of a checkpoint
MOST_OPCODES = 100_000  # before the embeddings, and for every 4 bytes from there on one more
OPCODES = set(  # all that pickle protocol 4 needs for dicts, lists, strings, numbers and bytes
    "PROTO FRAME STOP MARK MEMOIZE BINGET LONG_BINGET NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT "  # noqa: SIM905
    "SHORT_BINUNICODE BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES BINBYTES8 "
    "EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS".split()
)


@dataclass(frozen=True)
class Snapshot:
    """An index in memory, an `IndexReader`.

    Attributes:
        rows: see `rows`.
        thumbs: JPEGs by (digest, time_s).
        model: which encoder made the rows.
        profiles: the calibrated cutoffs that came along, as `Profiles.bodies` gives them.
    """

    rows: pa.Table
    thumbs: dict[Key, bytes] = field(repr=False)
    model: dict
    profiles: list[dict] = field(default_factory=list)
    failures: dict[str, dict] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def thumbnail(self, key: Key) -> bytes | None:
        """The JPEG of a row by (digest, time_s), or None where there is none."""
        return self.thumbs.get(key)


def save(file: str | Path, index: IndexReader, profiles: Iterable[dict] = ()) -> Path:
    """Write an index to one new file.

    Args:
        file: its suffix chooses the format: ".parquet", or ".pkl" or ".pickle".
        index: the rows, thumbnails and model.
        profiles: calibrated cutoffs, as `Profiles.bodies` gives them.

    Returns:
        The file, with "~" resolved.

    Raises:
        CacheError: for another suffix, and where the disk refuses.
    """
    file, rows = Path(file).expanduser(), index.rows
    rows_.warn_of_provisional(rows, file.name)
    jpegs = [index.thumbnail(key) for key in rows_.keys(rows)]
    model = {**index.model, "profiles": [*profiles]}
    if file.suffix == ".parquet":
        table = rows_.known_columns(rows).append_column("thumbnail", pa.array(jpegs, pa.binary()))
        about = {"cliplib": MAGIC, "format": format.VERSION, "model": json.dumps(model), "sha256": PLACEHOLDER.decode()}
        data = rows_.to_parquet(table, about)
    elif file.suffix in SUFFIXES:
        vectors = rows_.matrix(rows)
        body = {
            "magic": MAGIC,
            "format": format.VERSION,
            "sha256": PLACEHOLDER.decode(),
            "model": model,
            "shape": list(vectors.shape),
            "embedding": vectors.astype("<f4").tobytes(),
            "columns": {name: rows[name].to_pylist() for name in rows_.COLUMNS} | {"thumbnail": jpegs},
        }
        data = pickle.dumps(body, protocol=4)
    else:
        raise CacheError(f"cannot save an index as {file.name!r}: name it with one of {', '.join(SUFFIXES)}")
    return save_file(file, lambda out: out.write(_with_checksum(data)))


def load(file: str | Path) -> Snapshot:
    """Read a file that `save` wrote.

    Args:
        file: Parquet or pickle; its first bytes tell which.

    Raises:
        CacheError: it is no sound snapshot. No code of a pickle is ever run.
    """
    file = Path(file).expanduser()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CacheError(f"cannot read {file}: {error.strerror or error}") from error
    read = _from_parquet if data[:4] == b"PAR1" else _from_pickle
    try:
        table, model = read(data, file.name)
        profiles = model.pop("profiles", [])  # a snapshot of an earlier version carries none
        jpegs = pc.cast(table["thumbnail"], pa.binary()).to_pylist()
        rows = validated(table.drop_columns(["thumbnail"]), model, file.name)
        rows_.warn_of_provisional(rows, file.name)
        thumbs = {key: jpeg for key, jpeg in zip(rows_.keys(rows), jpegs, strict=True) if jpeg is not None}
        return Snapshot(rows, thumbs, model, profiles)
    except CacheError:
        raise
    except Exception as error:  # what a damaged or a stranger's file holds raises nearly anything
        why = f"neither Parquet nor a pickle, or cut short? {error!r:.200}"
        raise CacheError(f"{file.name} is not a sound index saved by cliplib ({why})") from error


def validated(rows: pa.Table, model: dict, name: str) -> pa.Table:
    """The rows of an index that was carried here, all of which must be sound.

    Args:
        rows: as the file has them.
        model: which encoder made them, by the file.
        name: of the file, for messages.

    Raises:
        CacheError: a row is not sound, see `rows.checked`, or two have one path and time.
        ValueError: texts are not UTF-8.
        TypeError: `model` does not say what made the rows.
    """
    rows.validate(full=True)
    if not (isinstance(model["dim"], int) and isinstance(model["model_id"], str) and isinstance(model["name"], str)):
        raise TypeError("dim must be a number, model_id and name texts")
    if len(model["name"]) > LONGEST_NAME:
        raise TypeError(f"name must have at most {LONGEST_NAME} characters, not {len(model['name']):,}")
    rows, refused = rows_.checked(rows, model["dim"], name)
    if twice := rows.num_rows - rows.group_by(["path", "time_s"]).aggregate([]).num_rows:
        refused.append(f"{name}: {twice} rows are of a path and time that others are of, too")
    if refused:
        raise CacheError(f"refused: {'; '.join(refused)}")
    return rows_.known_columns(rows)


def _with_checksum(data: bytes) -> bytes:
    """The bytes of a file with the sha256 of all others in the place that was kept for it."""
    before, _, after = bytes(data).partition(PLACEHOLDER)
    return before + hashlib.sha256(before + after).hexdigest().encode() + after


def _check_sum(data: bytes, said: str, name: str) -> None:
    """Raise CacheError unless `said` is in `data` once and is the sha256 of all the rest."""
    before, found, after = data.partition(said.encode())
    if len(said) != 64 or not found or hashlib.sha256(before + after).hexdigest() != said:
        raise CacheError(f"{name} does not match its checksum: it is damaged, or cut short")


def _from_parquet(data: bytes, name: str) -> tuple[pa.Table, dict]:
    table, about = rows_.from_parquet(data, name)
    if about.get("cliplib") != MAGIC or "thumbnail" not in table.column_names:
        raise CacheError(f"{name} is Parquet, but not an index saved by cliplib")
    format.require_readable(about.get("format", format.FIRST), name)
    _check_sum(data, about["sha256"], name)
    return table, json.loads(about["model"])


def _from_pickle(data: bytes, name: str) -> tuple[pa.Table, dict]:
    _check_opcodes(data, name)
    body = _Builtins(io.BytesIO(data)).load()
    format.require_readable(body.get("format", format.FIRST), name)
    _check_sum(data, body["sha256"], name)
    return _table_of(body, len(data)), body["model"]


def _check_opcodes(data: bytes, name: str) -> None:
    """Raise CacheError where a pickle could do more than build lists, texts and numbers in proportion to its size."""
    for count, (opcode, argument, position) in enumerate(pickletools.genops(data)):
        if opcode.name not in OPCODES:
            raise CacheError(f"refused {name}: {opcode.name} at byte {position}, which no index needs; no code was run")
        if count > MOST_OPCODES + (position or 0) // 4:  # an empty list is one byte in the file, and 64 in memory
            raise CacheError(f"refused {name}: it holds more things than an index of its size could; a bomb?")
        if (
            opcode.name == "LONG1" and argument is not None and not -(2**63) <= argument < 2**63
        ):  # such numbers can all have one hash
            raise CacheError(f"refused {name}: a number beyond 64 bits at byte {position}; no code was run")


class _Builtins(pickle.Unpickler):
    """A second lock behind the scan of the opcodes: no global is ever looked up."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise CacheError(f"refused: the pickle asks for {module}.{name}")


def _table_of(body: dict, size: int) -> pa.Table:
    """Rows from the pickled dict; every length is checked against the shape and the file's `size` in bytes first."""
    n, dim = body["shape"]
    embedding, columns = body["embedding"], body["columns"]
    if body["magic"] != MAGIC or dim < 1 or len(embedding) != n * dim * 4:
        raise ValueError(f"shape {n} x {dim} against {len(embedding)} bytes of embeddings")
    needed = {*rows_.NEEDED, "thumbnail"} - {"embedding"}
    if not needed <= set(columns) or any(len(values) != n for values in columns.values()):
        raise ValueError("columns that do not fit the shape")
    # One long string that the pickle names a million times is small in the file and huge in a table.
    if sum(len(v) for values in columns.values() for v in values if isinstance(v, str | bytes)) > 4 * size:
        raise ValueError("texts far larger than the file")
    rows = rows_.from_columns(columns, np.frombuffer(embedding, "<f4").reshape(n, dim))
    return rows.append_column("thumbnail", pa.array(columns["thumbnail"], pa.binary()))
