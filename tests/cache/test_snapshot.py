"""Snapshots: two formats, the same rows; and everything hostile or damaged is refused before it can do anything."""

import pickle
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cliplib.cache import rows, snapshot
from cliplib.cache.snapshot import Snapshot
from cliplib.errors import CacheError
from tests.cache.test_rows import make
from tests.harness.hostile import code

MODEL = {"model_id": "0123", "name": "toy", "dim": 8}


@pytest.fixture(params=["album.parquet", "album.pkl"])
def file(request, tmp_path):
    return tmp_path / request.param


class TestRoundTrip:
    def test_same_rows_thumbnails_and_model(self, file):
        table, vectors = make(["a/é.jpg", "<b>.jpg"], taken_at="2024-01-01T00:00:00", width=3)
        snapshot.save(file, Snapshot(table, {("of a/é.jpg", None): b"jpeg"}, MODEL), [{"mode": "text->image"}])
        back = snapshot.load(file)
        assert back.rows.equals(table) and back.thumbs == {("of a/é.jpg", None): b"jpeg"}
        assert back.model == MODEL and back.profiles == [{"mode": "text->image"}]
        assert rows.matrix(back.rows).tobytes() == vectors.tobytes()

    def test_empty_index(self, file):
        snapshot.save(file, Snapshot(rows.empty(8), {}, MODEL))
        assert snapshot.load(file).rows.num_rows == 0

    def test_a_tilde_is_the_home_folder(self, file, monkeypatch):
        monkeypatch.setenv("HOME", str(file.parent))
        assert snapshot.save(f"~/{file.name}", Snapshot(rows.empty(8), {}, MODEL)) == file
        assert snapshot.load(f"~/{file.name}").model == MODEL

    def test_refuses_another_suffix(self, tmp_path):
        with pytest.raises(CacheError, match=r"album.csv.*one of .parquet, .pkl"):
            snapshot.save(tmp_path / "album.csv", Snapshot(rows.empty(8), {}, MODEL))


class TestDamage:
    @pytest.mark.parametrize("length", [0, 1, 3, 50, -1])
    def test_fault_10_truncated_files_are_named(self, file, length):
        """A truncated Parquet or pickle: named, and the generation before it is used."""
        snapshot.save(file, Snapshot(make(["a"])[0], {("of a", None): b"j"}, MODEL))
        file.write_bytes(file.read_bytes()[:length])
        with pytest.raises(CacheError, match=file.name):
            snapshot.load(file)

    def test_fault_11_a_flipped_bit_anywhere_is_found(self, file):
        """One flipped bit in the cache: found."""
        table, _ = make(["a", "b"], taken_at="2024-01-01T00:00:00")
        snapshot.save(file, Snapshot(table, {("of a", None): b"j"}, MODEL))
        data = file.read_bytes()
        for at in range(0, len(data), 29):  # the footer's texts among them
            file.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
            with pytest.raises(CacheError, match=file.name):
                snapshot.load(file)

    def test_the_checksum_leaves_plain_parquet(self, tmp_path):
        table, _ = make(["a", "b"])
        snapshot.save(tmp_path / "a.parquet", Snapshot(table, {("of a", None): b"j"}, MODEL))
        assert pd.read_parquet(tmp_path / "a.parquet")["thumbnail"].tolist() == [b"j", None]

    def test_paths_that_are_no_text_are_refused(self, tmp_path):
        odd = pa.chunked_array([pa.array([b"\xff.jpg"], pa.binary()).view(pa.string())])
        file = snapshot.save(tmp_path / "a.parquet", Snapshot(make(["a"])[0].set_column(0, "path", odd), {}, MODEL))
        with pytest.raises(CacheError, match="a.parquet is not a sound index"):
            snapshot.load(file)

    def test_a_missing_file_is_named(self, file):
        with pytest.raises(CacheError, match=f"cannot read .*{file.name}"):
            snapshot.load(file)

    def test_parquet_of_others_is_told(self, tmp_path):
        pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
        with pytest.raises(CacheError, match="not an index saved by cliplib"):
            snapshot.load(tmp_path / "x.parquet")


class TestOddContent:
    @pytest.mark.parametrize("time_s", [float("nan"), float("inf"), None])
    def test_a_frame_without_a_real_time_is_refused(self, file, time_s):
        snapshot.save(file, Snapshot(make(["v.mp4"], kind="frame", time_s=time_s)[0], {}, MODEL))
        with pytest.raises(CacheError, match="1 rows of no known kind or time"):
            snapshot.load(file)

    def test_a_photo_with_a_time_is_refused(self, file):
        snapshot.save(file, Snapshot(make(["a.jpg"], time_s=1.0)[0], {}, MODEL))
        with pytest.raises(CacheError, match="1 rows of no known kind or time"):
            snapshot.load(file)

    def test_paths_that_come_twice_are_refused(self, file):
        snapshot.save(file, Snapshot(make(["a.jpg", "b.jpg", "a.jpg"])[0], {}, MODEL))
        with pytest.raises(CacheError, match="1 rows are of a path and time that others are of"):
            snapshot.load(file)

    def test_a_model_whose_name_fills_pages_is_refused_in_one_line(self, file):
        snapshot.save(file, Snapshot(make(["a.jpg"])[0], {}, MODEL | {"name": "x" * 100_000}))
        with pytest.raises(CacheError, match="at most 4096 characters, not 100,000") as refused:
            snapshot.load(file)
        assert len(str(refused.value)) < 500


def sealed(body):
    """A pickle with the checksum that `snapshot.load` wants, so that what it holds is looked at."""
    return snapshot._with_checksum(pickle.dumps({"sha256": snapshot.PLACEHOLDER.decode()} | body, protocol=4))


class TestHostilePickle:
    @pytest.mark.parametrize("name", [name for name, _ in code(Path("canary"))])
    def test_fault_12_refused_and_no_code_runs(self, name, tmp_path):
        """A hostile pickle: refused, and none of its code runs.

        Those that take all memory or time are in test_faults.
        """
        canary, file = tmp_path / "canary", tmp_path / "evil.pkl"
        file.write_bytes(dict(code(canary))[name])
        with pytest.raises(CacheError, match="evil.pkl"):
            snapshot.load(file)
        assert not canary.exists()

    def test_fault_13_a_long_text_named_often_is_refused(self, tmp_path):
        """A pickle or array that unpacks to gigabytes: refused before it does."""
        text = "x" * 1_000_000
        n = 2_000
        columns = {name: [None] * n for name in rows.COLUMNS} | {"path": [text] * n, "thumbnail": [None] * n}
        body = {
            "magic": snapshot.MAGIC,
            "model": MODEL,
            "columns": columns,
            "shape": [n, 1],
            "embedding": b"\0" * 4 * n,
        }
        file = tmp_path / "bomb.pkl"
        file.write_bytes(sealed(body))
        with pytest.raises(CacheError, match="texts far larger than the file"):
            snapshot.load(file)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"shape": [5, 8]},
            {"shape": [2**60, 8]},
            {"shape": "18"},
            {"columns": []},
            {"columns": {}},
            {"model": {"model_id": [], "name": "toy", "dim": 8}},
            {"model": None},
            {"embedding": "text"},
        ],
    )
    def test_what_does_not_fit_the_shape_is_refused(self, tmp_path, wrong):
        columns = {name: [] for name in [*rows.COLUMNS, "thumbnail"]}
        body = {"magic": snapshot.MAGIC, "shape": [0, 8], "embedding": b"", "columns": columns, "model": MODEL}
        file = tmp_path / "x.pkl"
        file.write_bytes(sealed(body))
        assert snapshot.load(file).rows.num_rows == 0
        file.write_bytes(sealed(body | wrong))
        with pytest.raises(CacheError, match="x.pkl is not a sound index"):
            snapshot.load(file)
