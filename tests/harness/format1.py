"""Writes an index, a snapshot and a pack as cliplib did in format 1 (commit 4f73de5), with pyarrow, zipfile and pickle.

Nothing of `cliplib.cache` is used, so that what is written here stays as it was, whatever that becomes.
"""

import hashlib
import json
import pickle
import time
import uuid
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = {
    "path": pa.string(),
    "kind": pa.string(),
    "time_s": pa.float64(),
    "size": pa.int64(),
    "mtime_ns": pa.int64(),
    "digest": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    "taken_at": pa.string(),
    "taken_from": pa.string(),
    "duration_s": pa.float64(),
    "every_s": pa.float64(),
    "latitude": pa.float64(),
    "longitude": pa.float64(),
    "camera": pa.string(),
    "content_id": pa.string(),
}
THUMBS = pa.schema([("digest", pa.string()), ("time_s", pa.float64()), ("jpeg", pa.binary())])
PLACEHOLDER = b"the sha256 of all the other bytes of this file".ljust(64, b".")


def of(rows):
    """Rows of whatever format, as a table of format 1."""
    embedding = pa.list_(pa.field("element", pa.float32(), nullable=False), rows["embedding"].type.list_size)
    schema = pa.schema([*COLUMNS.items(), ("embedding", embedding)])
    return rows.select(schema.names).cast(schema)


def write_index(folder, tables, thumbnail, model, failures=None, **changes):
    """A cache folder with one part for each of the `tables`, and one manifest; `changes` to its body.

    thumbnail: gives the JPEG of a key (digest, time_s).
    """
    folder.mkdir(parents=True)
    parts = []
    for table in tables:
        ident = uuid.uuid4().hex[:16]
        about = {f"cliplib.{key}": str(value) for key, value in model.items()}
        part = _file(folder / f"part-{ident}.parquet", _parquet(table, about)) | {"rows": table.num_rows}
        keys = list(zip(table["digest"].to_pylist(), table["time_s"].to_pylist(), strict=True))
        pictures = [{"digest": digest, "time_s": at, "jpeg": thumbnail((digest, at))} for digest, at in keys]
        thumbs = pa.Table.from_pylist(pictures, schema=THUMBS)
        options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True, "row_group_size": 32}
        parts.append(part | {"thumbs": _file(folder / f"thumbs-{ident}.parquet", _written(thumbs, **options))})
    body = {
        "format": 1,
        "id": uuid.uuid4().hex,
        "created_ns": time.time_ns(),
        "model": model,
        "parents": [],
        "parts": parts,
        "dead": {},
        "dropped": [],
        "failures": failures or {},
    }
    return write_manifest(folder, body | changes)


def write_manifest(folder, body):
    """A manifest with its checksum; its file."""
    plain = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    outer = {"sha256": hashlib.sha256(plain).hexdigest(), "body": body}
    file = folder / f"manifest-{body['created_ns']:020d}-{body['id'][:8]}.json"
    file.write_bytes(json.dumps(outer, indent=1, sort_keys=True).encode())
    return file


def write_snapshot(file, table, thumbnail, model, **changes):
    """A snapshot, as Parquet or pickle by its suffix; `changes` to the metadata, or to the pickled dict."""
    keys = zip(table["digest"].to_pylist(), table["time_s"].to_pylist(), strict=True)
    jpegs = [thumbnail(key) for key in keys]
    head = {"sha256": PLACEHOLDER.decode()}
    if file.suffix == ".parquet":
        about = {"cliplib": "cliplib index 1", "model": json.dumps(model)} | head | changes
        data = _parquet(table.append_column("thumbnail", pa.array(jpegs, pa.binary())), about)
    else:
        vectors = np.array(table["embedding"].to_pylist(), "<f4")
        columns = {name: table[name].to_pylist() for name in table.column_names if name != "embedding"}
        body = {"magic": "cliplib index 1"} | head | {"model": model, "shape": list(vectors.shape)}
        body |= {"embedding": vectors.tobytes(), "columns": columns | {"thumbnail": jpegs}} | changes
        data = pickle.dumps(body, protocol=4)
    before, _, after = data.partition(PLACEHOLDER)
    file.write_bytes(before + hashlib.sha256(before + after).hexdigest().encode() + after)
    return file


def write_pack(file, table, thumbnail, model, **changes):
    """A pack without judgements, profiles and pictures but the thumbnails; `changes` to its head."""
    about = {"magic": "cliplib pack 1", "model": model, "rows": table.num_rows, "pictures": "thumbnails"}
    about |= {"judgements": 0, "profiles": []} | changes
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("cliplib-pack.json", json.dumps(about, indent=1))
        archive.writestr("index.parquet", _parquet(table, {"cliplib": "cliplib pack 1"}))
        for number, key in enumerate(zip(table["digest"].to_pylist(), table["time_s"].to_pylist(), strict=True)):
            archive.writestr(f"thumbs/{number}.jpg", thumbnail(key))
    return file


def _parquet(table, metadata):
    return _written(
        table.replace_schema_metadata(metadata),
        compression="zstd",
        use_dictionary=["kind", "taken_from", "path", "digest"],
        column_encoding={"embedding.list.element": "BYTE_STREAM_SPLIT"},
        write_page_checksum=True,
    )


def _written(table, **options):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes()


def _file(path, data):
    path.write_bytes(data)
    return {"name": path.name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
