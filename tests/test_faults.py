"""Every row of the project's list of bad inputs and faults has a test that carries its number.

Most lie beside what they test: `test_fault_31_...`, or a parameter whose id begins with the number. Those that concern
several modules are here.
"""

import re

import numpy as np
import pytest

from cliplib.cache import rows, snapshot
from cliplib.cache.snapshot import Snapshot
from cliplib.errors import CacheError, ModelError
from cliplib.models.weights import load_weights
from tests.cache.test_rows import make
from tests.harness.hostile import bombs

ROWS = range(1, 41)
MODEL = {"model_id": "0", "name": "toy", "dim": 8}


def test_every_row_of_the_list_has_a_test_with_its_number(repo):
    text = "\n".join(file.read_text("utf-8") for file in sorted((repo / "tests").rglob("test_*.py")))
    named = re.findall(r"def test_fault_((?:\d+_and_)*\d+)_", text)
    numbers = {int(number) for name in named for number in name.split("_and_")}
    numbers |= {int(number) for number in re.findall(r"\bid=\"(\d+)[-\"]", text)}
    assert set(ROWS) - numbers == set()


@pytest.mark.parametrize(
    "name", [name for name, _ in bombs() if name not in ("empty-lists", "one-hash", "deep-tuples")]
)
def test_fault_13_bombs_are_refused_as_snapshots_and_as_weights(name, tmp_path):
    """The three that take seconds to read are left to `make torture`."""
    file = tmp_path / "bomb.pkl"
    file.write_bytes(dict(bombs())[name])
    with pytest.raises(CacheError, match="bomb.pkl"):
        snapshot.load(file)
    with pytest.raises(ModelError, match="bomb.pkl"):
        load_weights(file)


@pytest.mark.parametrize("path", ["../a.jpg", "/etc/passwd", "a/../../b.jpg", "C:/a.jpg", "\\\\host\\a.jpg"])
@pytest.mark.parametrize("suffix", [".parquet", ".pkl"])
def test_fault_14_a_snapshot_with_paths_that_lead_outside_is_refused(path, suffix, tmp_path):
    file = tmp_path / f"album{suffix}"
    snapshot.save(file, Snapshot(make(["a.jpg", path])[0], {}, MODEL))
    with pytest.raises(CacheError, match="outside the library"):
        snapshot.load(file)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 2.0])
@pytest.mark.parametrize("suffix", [".parquet", ".pkl"])
def test_fault_16_a_snapshot_with_rows_that_are_no_embeddings_is_refused(value, suffix, tmp_path):
    vectors = np.full((1, 8), value, np.float32)
    table = rows.table([{"path": "a", "kind": "image", "digest": "0", "size": 1, "mtime_ns": 1}], vectors)
    file = tmp_path / f"album{suffix}"
    snapshot.save(file, Snapshot(table, {}, MODEL))
    with pytest.raises(CacheError, match="no unit vectors"):
        snapshot.load(file)
