"""Side files: what was written is read, nothing else is, and a folder that refuses costs nothing."""

import os

import numpy as np
import pyarrow as pa
import pytest

from cliplib.cache import retention, rows, side_files
from tests.cache.test_rows import make

TABLE = pa.table({"digest": ["a", "b", "b"], "time_s": [None, 0.5, 1 / 3], "mean": pa.array([1, 2, 3], pa.float32())})


def test_what_was_written_is_read(tmp_path):
    vectors = make(["a", "b"])[0].select(["embedding"])
    for table in (TABLE, vectors):
        assert side_files.write(tmp_path / "new", "bank", "1f", table)
        assert side_files.read(tmp_path / "new", "bank", "1f").equals(table)
    assert side_files.read(tmp_path / "new", "bank", "2f") is None
    assert side_files.read(tmp_path, "bank", "1f") is None


def test_a_value_is_found_by_the_content_and_time_of_its_row():
    records = [{"digest": d, "time_s": t} for d, t in [("b", 1 / 3), ("a", None), ("a", 0.5), ("b", 0.5), ("a", None)]]
    table = rows.table(records, np.eye(5, dtype=np.float32))
    assert side_files.positions(table, TABLE).tolist() == [2, 0, -1, 1, 0]
    assert side_files.positions(table, TABLE.slice(0, 0)).tolist() == [-1] * 5
    assert side_files.positions(table.slice(0, 0), TABLE).tolist() == []


def test_a_damaged_or_renamed_file_is_as_good_as_none(tmp_path):
    side_files.write(tmp_path, "bank", "1f", TABLE)
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    file.rename(tmp_path / "side-bank-2f.parquet")
    assert side_files.read(tmp_path, "bank", "2f") is None
    for damaged in (data[:-1], data[:100], b"", data.replace(b"\0\0\x80\x3f", b"\0\0\x80\x3e")):
        assert damaged != data
        file.write_bytes(damaged)
        assert side_files.read(tmp_path, "bank", "1f") is None


def test_a_folder_that_refuses_is_no_fault(tmp_path):
    (tmp_path / "file").touch()
    assert not side_files.write(tmp_path / "file", "bank", "1f", TABLE)


def test_retention_leaves_side_files_alone_and_writing_ends_what_nobody_uses(tmp_path):
    for ident in ("1", "2"):
        side_files.write(tmp_path, "bank", ident, TABLE)
    side_files.write(tmp_path, "other", "1", TABLE)
    before = set(tmp_path.iterdir())
    for file in before:
        os.utime(file, (1, 1))
    retention.delete_old(tmp_path)
    assert set(tmp_path.iterdir()) == before
    side_files.write(tmp_path, "bank", "2", TABLE)
    assert {file.name for file in tmp_path.iterdir()} == {"side-bank-2.parquet", "side-other-1.parquet"}


@pytest.mark.parametrize("name", ["../x", "a-b", "", "é"])
def test_odd_names_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="letters, digits"):
        side_files.write(tmp_path, name, "", TABLE)
