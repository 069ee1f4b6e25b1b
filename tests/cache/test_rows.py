"""Rows: the Arrow schema, Parquet bytes, and what is refused."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliplib.cache import rows
from cliplib.errors import CacheError


def make(paths, dim=8, seed=0, **columns):
    """Rows with random unit embeddings; `columns` override the facts."""
    vectors = np.random.default_rng(seed).normal(size=(len(paths), dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    facts = {"kind": "image", "size": 10, "mtime_ns": 1} | columns
    return rows.table([{"digest": f"of {path}"} | facts | {"path": path} for path in paths], vectors), vectors


class TestTable:
    def test_matrix_is_a_view_of_the_embeddings(self):
        table, vectors = make(["a", "b", "c"])
        assert np.array_equal(rows.matrix(table), vectors)
        assert np.shares_memory(rows.matrix(table), rows.matrix(table))
        assert np.array_equal(rows.matrix(table.slice(1)), vectors[1:])

    def test_empty_matrix_has_the_width(self):
        assert rows.matrix(rows.empty(8)).shape == (0, 8)

    def test_refuses_records_and_embeddings_of_different_length(self):
        with pytest.raises(ValueError, match="1 records but 2 embeddings"):
            rows.table([{}], np.zeros((2, 8), np.float32))


class TestParquet:
    def test_round_trip_is_bit_exact_with_metadata(self):
        table, vectors = make(["a/é 日本.jpg", "b.jpg"])
        back, about = rows.from_parquet(rows.to_parquet(table, {"model": "x"}), "part")
        assert back.equals(table) and about["model"] == "x"
        assert rows.matrix(back).tobytes() == vectors.tobytes()

    def test_embeddings_are_byte_stream_split_and_others_read_them(self):
        table, vectors = make(["a", "b"])
        data = rows.to_parquet(table, {})
        group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
        encodings = {group.column(i).path_in_schema: group.column(i).encodings for i in range(group.num_columns)}
        assert "BYTE_STREAM_SPLIT" in encodings["embedding.list.element"]
        pandas = pytest.importorskip("pandas")
        frame = pandas.read_parquet(io.BytesIO(data))
        assert np.array_equal(np.stack(frame["embedding"]), vectors)

    def test_fault_11_a_flipped_bit_in_an_embedding_is_found_by_the_page_checksum(self):
        """One flipped bit in the cache: found."""
        data = bytearray(rows.to_parquet(make([f"p{i}" for i in range(50)])[0], {}))
        group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
        data[group.column(group.num_columns - 1).data_page_offset + 200] ^= 0x40
        with pytest.raises(CacheError, match="not a sound Parquet file"):
            rows.from_parquet(bytes(data), "p")

    def test_metadata_that_is_no_text_stops_nothing(self):
        assert rows.from_parquet(rows.to_parquet(make(["a"])[0], {b"\xff": b"\xff"}), "part")[0].num_rows == 1

    def test_truncated_file_is_named(self):
        data = rows.to_parquet(make(["a"])[0], {})
        with pytest.raises(CacheError, match=r"part-7.* is not a sound Parquet file"):
            rows.from_parquet(data.to_pybytes()[:-20], "part-7")

    def test_fault_13_bomb_is_refused_before_it_unpacks(self):
        """A pickle or array that unpacks to gigabytes: refused before it does."""
        zeros = pa.table({"x": pa.array(np.zeros(60_000_000, np.int64))})
        sink = pa.BufferOutputStream()
        pq.write_table(zeros, sink, compression="zstd", use_dictionary=False)
        assert len(sink.getvalue()) < 2_000_000
        with pytest.raises(CacheError, match="refused bomb"):
            rows.from_parquet(sink.getvalue(), "bomb")

    def test_fault_13_a_long_text_named_often_is_refused_before_it_unpacks(self):
        """A pickle or array that unpacks to gigabytes: refused before it does."""
        chunk = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), ["x" * 1_000_000])
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"path": chunk}), sink, compression="zstd")
        with pytest.raises(CacheError, match="refused bomb: .* of texts"):
            rows.from_parquet(sink.getvalue().to_pybytes(), "bomb")


class TestChecked:
    def test_keeps_sound_rows(self):
        table, _ = make(["a", "b"])
        assert rows.checked(table, 8, "p") == (table, [])

    @pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
    def test_fault_16_bad_embeddings_are_left_out_and_said(self, value):
        """Rows of another model or width, NaN or zero vectors: refused or encoded again, and said."""
        table, vectors = make(["a", "b"])
        vectors[1] = value
        kept, problems = rows.checked(rows.table(table.drop_columns("embedding").to_pylist(), vectors), 8, "p")
        assert kept["path"].to_pylist() == ["a"] and "1 rows" in problems[0]

    def test_fault_16_another_width_is_refused(self):
        """Rows of another model or width, NaN or zero vectors: refused or encoded again, and said."""
        with pytest.raises(CacheError, match=r"\[8\]; this model's have 16 numbers"):
            rows.checked(make(["a"])[0], 16, "p")

    @pytest.mark.parametrize("path", ["../x.jpg", "a/../../x", "/etc/passwd", "C:/x.jpg", "\\\\host\\x", "a\0b", ""])
    def test_fault_14_paths_that_leave_the_library_are_left_out_and_said(self, path):
        """Rows whose paths lead out of the library: never opened."""
        kept, problems = rows.checked(make(["a", path])[0], 8, "p")
        assert kept["path"].to_pylist() == ["a"] and "outside the library" in problems[0]

    @pytest.mark.parametrize("dim", [2**40, 0, -1])
    def test_a_width_that_cannot_be_is_refused(self, dim):
        with pytest.raises(CacheError, match="embeddings of type"):
            rows.checked(make(["a"])[0], dim, "p")

    def test_other_columns_are_named(self):
        with pytest.raises(CacheError, match=r"\['x'\]; an index has \['path'"):
            rows.checked(pa.table({"x": [1]}), 8, "p")

    def test_missing_digest_is_refused(self):
        with pytest.raises(CacheError, match="without a path, a digest"):
            rows.checked(make(["a"], digest=None)[0], 8, "p")


class TestWithoutDoubles:
    def test_latest_version_of_a_path_stays(self):
        old, new = make(["a", "b"], mtime_ns=1)[0], make(["b", "c"], mtime_ns=2)[0]
        kept = rows.with_each_path_once({"p1": old, "p2": new})
        assert kept["p1"]["path"].to_pylist() == ["a"]
        assert kept["p2"]["path"].to_pylist() == ["b", "c"]

    def test_one_of_two_equal_versions_stays(self):
        kept = rows.with_each_path_once({"p1": make(["a"])[0], "p2": make(["a"])[0]})
        assert sum(t.num_rows for t in kept.values()) == 1


@given(st.text(alphabet="a./\\:\0\nC", max_size=8))
def test_fault_14_the_quick_look_for_unsafe_paths_misses_none(path):
    """Rows whose paths lead out of the library: never opened."""
    parts = path.replace("\\", "/").split("/")
    drive = (
        parts[0][1:] == ":" and parts[0][0].isalpha() and len(parts) > 1
    )  # where drives have no letters, "C:a" is a name
    unsafe = not parts[0] or drive or "\0" in path or {".", ".."} & set(parts)
    found = rows.unsafe_paths(pa.chunked_array([[path, "2024/a.jpg", path]], pa.string()))
    assert found == ([path] if unsafe else [])


def test_joined_tables_have_their_photos_first_whatever_their_order():
    def table(*kinds):
        records = [{"path": f"{kind} {i}", "kind": kind} for i, kind in enumerate(kinds)]
        return rows.table(records, np.eye(4, dtype=np.float32)[: len(kinds)])

    sorted_, mixed, frames = table("image", "frame"), table("frame", "image", "frame"), table("frame")
    joined = rows.join([sorted_, mixed, frames, rows.empty(4)], 4)
    assert joined["path"].to_pylist() == ["image 0", "image 1", "frame 1", "frame 0", "frame 2", "frame 0"]
    np.testing.assert_array_equal(rows.matrix(joined).argmax(axis=1), [0, 1, 1, 0, 2, 0])
    assert rows.join([], 4).num_rows == rows.matrix(rows.join([], 4)).size == 0
    assert np.shares_memory(rows.matrix(rows.join([frames], 4)), rows.matrix(frames))
