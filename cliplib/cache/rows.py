"""The row of the index: its Arrow schema, how it becomes Parquet bytes, and what is checked before it is believed.

One row is a photo or a sampled video frame. Embeddings are `fixed_size_list<float32 not null>[d]`, which pandas,
DuckDB, Polars and Ray read as they are, and which turns into a NumPy matrix without a copy; in a file they may be
float16, half as large, and no cosine changes by more than 0.001. A file may lack columns (they are empty then), and may
have more than `COLUMNS`, see `format`: these come after the embedding, and stay.
"""

import os
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import CacheError

COLUMNS = {
    "path": pa.string(),  # POSIX, relative to the library's root
    "kind": pa.string(),  # one of ROW_KINDS
    "time_s": pa.float64(),  # presentation time of a frame in seconds; null for a photo
    "size": pa.int64(),  # bytes of the file
    "mtime_ns": pa.int64(),  # nanoseconds since 1970, as the file system says
    "digest": pa.string(),  # of the file's content, see media.digest_of
    "width": pa.int32(),  # pixels, upright
    "height": pa.int32(),
    "taken_at": pa.string(),  # ISO 8601, local time
    "taken_from": pa.string(),  # where taken_at was read: "exif", "container", "sidecar", "mtime" ...
    "duration_s": pa.float64(),  # of the video; null for a photo
    "every_s": pa.float64(),  # sampling interval of the video; null for a photo
    "latitude": pa.float64(),  # degrees, north positive; of the camera or the sidecar
    "longitude": pa.float64(),  # degrees, east positive
    "camera": pa.string(),  # make and model; null where the file names none, as in a screenshot
    "content_id": pa.string(),  # what Apple gives a Live Photo and its clip alike
    "place_from": pa.string(),  # where latitude and longitude were read: "exif", "xmp", "container", "sidecar"
    "frame_s": pa.float64(),  # seconds from this frame to the next one of the file; null where that is not known
    "sidecar_ns": pa.int64(),  # mtime of the sidecar that was looked at; null where the file has none
    "provisional": pa.bool_(),  # whether an embedded preview was encoded in place of the picture; null means no
}
NEEDED = ("path", "kind", "time_s", "size", "mtime_ns", "digest", "embedding")  # without these no file is an index
FILLED = ("path", "kind", "size", "mtime_ns", "digest", "embedding")  # these are null in no row
ROW_KINDS = ("image", "frame")
PRECISIONS = ("float32", "float16")  # of embeddings in a file, a new index's first; in memory they are float32
UNIT_TOLERANCE = 1e-3  # how far a stored row's norm may be from 1
# A path that is empty or absolute, or has "." or ".." among its parts, or a NUL; Arrow looks at a million of them at
# once. Where drives have letters, "c:a.jpg" lies on one; elsewhere that is a name like "9:41.png".
DRIVE = "^.:" if os.name == "nt" else r"^[A-Za-z]:[/\\]"
UNSAFE = rf"(?s)^$|^[/\\]|{DRIVE}|\x00|(^|[/\\])\.\.?([/\\]|$)"
BOMB_RATIO = 50  # embeddings hardly compress: more than this, and over 256 MB, is no index


@cache
def schema(dim: int) -> pa.Schema:
    """The schema of an index whose embeddings have `dim` numbers."""
    embedding = pa.list_(pa.field("element", pa.float32(), nullable=False), dim)
    return pa.schema([*COLUMNS.items(), ("embedding", embedding)])


def empty(dim: int) -> pa.Table:
    """A table with no rows."""
    return schema(dim).empty_table()


def table(records: list[dict], embeddings: np.ndarray) -> pa.Table:
    """Rows from n dicts with the keys of `COLUMNS` (a missing key is null) and their embeddings, float32 (n, d)."""
    if len(records) != len(embeddings):
        raise ValueError(f"{len(records)} records but {len(embeddings)} embeddings")
    return from_columns({name: [record.get(name) for record in records] for name in COLUMNS}, embeddings)


def from_columns(columns: dict[str, list], embeddings: np.ndarray) -> pa.Table:
    """Rows from n values for each of `COLUMNS` (null for a column that is missing), and embeddings, float32 (n, d)."""
    want, nulls = schema(embeddings.shape[1]), [None] * len(embeddings)
    flat = pa.array(np.ascontiguousarray(embeddings, dtype=np.float32).reshape(-1))
    vectors = pa.FixedSizeListArray.from_arrays(flat, type=want.field("embedding").type)
    facts = (pa.array(columns.get(name, nulls), kind) for name, kind in COLUMNS.items())
    return pa.Table.from_arrays([*facts, vectors], schema=want)


def matrix(rows: pa.Table) -> np.ndarray:
    """The embeddings as float32 (n, d); no copy is made when the table has one chunk."""
    column = rows["embedding"]
    chunk = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(chunk, pa.ChunkedArray):  # what combine_chunks gives for no rows in some versions
        return np.empty((0, column.type.list_size), np.float32)
    return chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, column.type.list_size)


def with_embeddings_of(rows: pa.Table, precision: str) -> pa.Table:
    """The rows with embeddings of a precision, "float32" or "float16"; the same table where they have it already."""
    at, column = rows.column_names.index("embedding"), rows["embedding"]
    if pa.types.is_float16(column.type.value_type) == (precision == "float16"):
        return rows
    numbers = np.concatenate([chunk.flatten().to_numpy() for chunk in column.chunks] or [np.empty(0)])
    kind = pa.list_(pa.field("element", pa.type_for_alias(precision), nullable=False), column.type.list_size)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(numbers.astype(precision)), type=kind)
    return rows.set_column(at, pa.field("embedding", kind), vectors)


def join(tables: list[pa.Table], dim: int) -> pa.Table:
    """The rows of all tables in one chunk, photos before frames.

    A table that has its photos first, as a checkpoint writes them, is cut without a copy; a single table of one kind is
    handed on as it is.
    """
    halves: dict[str, list[pa.Table]] = {kind: [] for kind in ROW_KINDS}
    for rows in tables:
        photos = pc.equal(rows["kind"], ROW_KINDS[0])
        first = pc.sum(photos).as_py() or 0
        in_order = pc.sum(photos.slice(0, first)).as_py() in (None, first)
        halves[ROW_KINDS[0]].append(rows.slice(0, first) if in_order else rows.filter(photos))
        halves[ROW_KINDS[1]].append(rows.slice(first) if in_order else rows.filter(pc.invert(photos)))
    filled = [rows for kind in ROW_KINDS for rows in halves[kind] if rows.num_rows]
    return concatenate(filled).combine_chunks() if filled else empty(dim)


def concatenate(tables: list[pa.Table]) -> pa.Table:
    """The rows of one or more tables; a column that is not of `COLUMNS` is null where a table lacks it.

    Where two tables disagree about the type of such a column, all such columns are left out: no cliplib writes that.
    """
    try:
        return pa.concat_tables(tables, promote_options="default")
    except pa.ArrowException:
        return pa.concat_tables([known_columns(rows) for rows in tables])


def known_columns(rows: pa.Table) -> pa.Table:
    """The rows with `COLUMNS` and the embedding alone, without what a newer cliplib has added."""
    return rows.select([*COLUMNS, "embedding"])


def keys(rows: pa.Table) -> list[tuple[str, float | None]]:
    """What tells each row's picture: the digest of its file's content, and for a frame its time in seconds."""
    return list(zip(rows["digest"].to_pylist(), rows["time_s"].to_pylist(), strict=True))


def with_column(rows: pa.Table, name: str, values: Iterable) -> pa.Table:
    """The rows with other values (n, or an Arrow array of them) in one of `COLUMNS`."""
    at = rows.column_names.index(name)
    column = values if isinstance(values, pa.ChunkedArray) else pa.array(values, COLUMNS[name])
    return rows.set_column(at, rows.schema.field(at), column)


def to_parquet(rows: pa.Table, metadata: dict[str, str]) -> bytes:
    """The rows as a Parquet file in memory, with `metadata` in its schema."""
    sink = pa.BufferOutputStream()
    write_parquet(rows, metadata, sink)
    return sink.getvalue()


def write_parquet(rows: pa.Table, metadata: dict[str, str], file: IO[bytes] | pa.NativeFile) -> None:
    """Write the rows as Parquet to a binary file, with `metadata` in their schema.

    BYTE_STREAM_SPLIT groups the bytes of like weight of the floats, so that zstd finds something to press. It has to be
    asked for on `embedding.list.element`: on plain `embedding` Parquet silently writes PLAIN.
    """
    pq.write_table(
        rows.replace_schema_metadata(metadata),
        file,
        compression="zstd",
        use_dictionary=["kind", "taken_from", "path", "digest"],
        column_encoding={"embedding.list.element": "BYTE_STREAM_SPLIT"},
        write_page_checksum=True,
    )


def from_parquet(data: bytes, name: str, intact: bool = False) -> tuple[pa.Table, dict[str, str]]:
    """Read a Parquet file that is in memory.

    Args:
        data: the file.
        name: of the file, for messages.
        intact: whether a checksum of all the bytes was right. Then those of the pages are not computed.

    Returns:
        The table, and the metadata of its schema.

    Raises:
        CacheError: it cannot be read, or would unpack to far more than its size.
    """
    try:
        about = pq.read_metadata(pa.BufferReader(data))
        fields = [field for field in about.schema.to_arrow_schema() if _is_bounded(field.type)]
        widths = sum(8 * field.type.list_size for field in fields if pa.types.is_fixed_size_list(field.type))
        expanded = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        expanded = max(expanded, widths * about.num_rows) + 256 * about.num_rows
        if expanded > max(2**28, BOMB_RATIO * len(data)):
            raise CacheError(f"refused {name}: {len(data):,} bytes that would unpack to {expanded:,}")
        leaves = (about.schema.column(i) for i in range(about.num_columns))
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        with pq.ParquetFile(
            pa.BufferReader(data), read_dictionary=texts, page_checksum_verification=not intact
        ) as parquet:  # `pq.read_table` would import pandas
            rows = parquet.read([field.name for field in fields])
        packed = [column for column in rows.columns if pa.types.is_dictionary(column.type)]
        expanded = sum(map(_text_bytes, packed))
        if expanded > max(2**28, BOMB_RATIO * len(data)):  # one long text, named a million times
            raise CacheError(f"refused {name}: {len(data):,} bytes that would unpack to {expanded:,} of texts")
        plain = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in rows.schema]
        rows = rows.cast(pa.schema(zip(rows.column_names, plain, strict=True)))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CacheError(f"{name} is not a sound Parquet file: {str(error).splitlines()[0]}") from error
    metadata = (about.metadata or {}).items()
    return rows, {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in metadata}


def iter_blocks(file: Path, count: int = 4096) -> Iterator[pa.Table]:
    """The rows of a Parquet file, `count` at a time, in memory that does not grow with it; CacheError as above.

    For a part that this computer wrote: a bomb is not looked for.
    """
    try:  # with a buffer a column is read as it is needed; without, a whole row group of it: up to a million rows
        with pq.ParquetFile(file, buffer_size=2**20, pre_buffer=False, page_checksum_verification=True) as parquet:
            yield from map(pa.Table.from_batches, ([b] for b in parquet.iter_batches(count, use_threads=False)))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CacheError(f"{file.name} is not a sound Parquet file: {str(error).splitlines()[0]}") from error


def _is_bounded(kind: pa.DataType) -> bool:
    """Whether a column is one value or so many numbers a row; what others unpack to cannot be told before."""
    numbers = pa.types.is_fixed_size_list(kind) and pa.types.is_primitive(kind.value_type)
    return numbers or not pa.types.is_nested(kind)


def _text_bytes(texts: pa.ChunkedArray) -> int:
    """The bytes that dictionary-encoded texts have when each row holds its own."""
    lengths = (pc.binary_length(chunk.dictionary).take(chunk.indices) for chunk in texts.chunks)
    return sum(pc.sum(length).as_py() or 0 for length in lengths)


def provisional_note(rows: pa.Table) -> list[str]:
    """A sentence about the rows that are provisional, where there are any."""
    count = pc.sum(rows["provisional"]).as_py() or 0
    if not count:
        return []
    return [f"{count:,} photos are searched by the small previews in their files so far; index() makes them exact"]


def warn_of_provisional(rows: pa.Table, name: str) -> None:
    """Warn where rows that are written to a file, or come from one, of this name are provisional."""
    for said in provisional_note(rows):
        warnings.warn(f"{name}: {said}", stacklevel=4)


def unsafe_paths(paths: pa.ChunkedArray) -> list[str]:
    """Those of `paths` (strings) that could lead out of the library, each once, see `UNSAFE`."""
    return paths.filter(pc.match_substring_regex(paths, UNSAFE)).unique().to_pylist()


def without_paths(rows: pa.Table, paths: pa.Array) -> tuple[pa.Table, set[str]]:
    """The rows of other paths than `paths` (strings), and those of `paths` that had rows; the same table for none."""
    if not len(paths):
        return rows, set()
    among = pc.is_in(rows["path"], paths)
    found = set(rows["path"].filter(among).unique().to_pylist())
    return (rows.filter(pc.invert(among)) if found else rows), found


def checked(rows: pa.Table, dim: int, name: str) -> tuple[pa.Table, list[str]]:
    """The sound rows, and a sentence for each kind of row that is left out.

    Args:
        rows: of a file that may come from anybody.
        dim: numbers of an embedding.
        name: of the file, for messages.

    Returns:
        The rows in all of `COLUMNS`, without those whose path leaves the library, whose kind or time is none, or whose
        embedding is not finite and of length one; and the sentences.

    Raises:
        CacheError: a column is missing that every index has, or the embeddings have another width than `dim`.
    """
    rows = _in_all_columns(rows, dim, name)
    vectors = matrix(rows)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    unit = np.abs(norms - 1) <= UNIT_TOLERANCE  # false for NaN as well
    unit &= pc.is_in(rows["kind"], pa.array(ROW_KINDS)).to_numpy(zero_copy_only=False)
    timed = pc.if_else(pc.equal(rows["kind"], "frame"), pc.is_finite(rows["time_s"]), pc.is_null(rows["time_s"]))
    unit &= pc.fill_null(timed, False).to_numpy(zero_copy_only=False)
    problems = []
    if not unit.all():
        odd = f"{(~unit).sum()} rows of no known kind or time, or with embeddings that are no unit vectors"
        problems.append(f"{name}: {odd}, left out")
        rows = rows.filter(pa.array(unit))
    if unsafe := unsafe_paths(rows["path"]):
        odd = f"{len(unsafe)} paths lead outside the library and were left out, for example {unsafe[0]!r}"
        problems.append(f"{name}: {odd}")
        rows, _ = without_paths(rows, pa.array(unsafe))
    return rows, problems


def upgraded(rows: pa.Table) -> pa.Table:
    """The rows with `place_from` filled in where an earlier format has left it open; the same table where none is.

    In format 1 the place of a video can only be a sidecar's. The place of a photo is the camera's, for `index` reads
    those photos again that have a sidecar.
    """
    nowhere = pc.and_(pc.is_valid(rows["latitude"]), pc.is_null(rows["place_from"]))
    if not pc.any(nowhere).as_py():
        return rows
    told = pc.if_else(pc.equal(rows["kind"], "image"), "exif", "sidecar")
    return with_column(rows, "place_from", pc.if_else(nowhere, told, rows["place_from"]))


def _in_all_columns(rows: pa.Table, dim: int, name: str) -> pa.Table:
    """The rows with all of `COLUMNS` in their order and types, then the embedding, then all other columns."""
    names = rows.column_names
    if len(names) > len(set(names)) or not set(names).issuperset(NEEDED):
        raise CacheError(f"{name} has the columns {names}; an index has {list(NEEDED)}, each once, and may have others")
    got = rows.schema.field("embedding").type
    if not pa.types.is_fixed_size_list(got) or got.list_size != dim or dim < 1:
        raise CacheError(f"{name} holds embeddings of type {got}; this model's have {dim} numbers")
    if any(rows[column].null_count for column in FILLED):
        raise CacheError(f"{name} has rows without a path, a digest or an embedding")
    want = schema(dim)
    others = [field for field in rows.schema if field.name not in want.names and not pa.types.is_nested(field.type)]
    try:
        rows = with_embeddings_of(rows, "float32")
        columns = [rows[f.name].cast(f.type) if f.name in names else pa.nulls(len(rows), f.type) for f in want]
        columns += [rows[field.name] for field in others]
        return pa.Table.from_arrays(columns, schema=pa.schema([*want, *others]))
    except (pa.ArrowException, ValueError) as error:
        raise CacheError(f"{name} has columns of the wrong type: {error}") from error


def with_each_path_once(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables, each path in one only.

    Two writers may index one file. Its latest version (by mtime) stays, and of one version the exact rows.
    """
    if len(tables) < 2:
        return tables
    shared = pc.value_counts(pa.chunked_array([t["path"].unique() for t in tables.values()], pa.string()))
    shared = shared.filter(pc.greater(shared.field("counts"), 1)).field("values")
    if not len(shared):
        return tables
    best: dict[str, tuple] = {}  # path: (mtime_ns, exact, digest, table) that stays
    for name, rows in tables.items():
        rows = rows.filter(pc.is_in(rows["path"], shared))
        columns = (rows[c].to_pylist() for c in ("path", "mtime_ns", "provisional", "digest"))
        for path, mtime_ns, provisional, digest in zip(*columns, strict=True):
            version = mtime_ns, not provisional, digest, name
            best[path] = max(best.get(path, version), version)
    kept = {}
    for name, rows in tables.items():
        lost = pa.array([path for path, (*_, winner) in best.items() if winner != name], pa.string())
        kept[name], _ = without_paths(rows, lost)
    return kept
