"""Bad inputs and faults: what a user must get, and that every row of this list has a test that carries its number.

Most lie beside what they test: `test_fault_31_...`, or a parameter whose id begins with the number. Those that concern
several modules are here.
"""

import ast
import re

import numpy as np
import pytest

from cliplib.cache import rows, snapshot
from cliplib.cache.snapshot import Snapshot
from cliplib.errors import CacheError, ModelError
from cliplib.models.weights import load_weights
from tests.cache.test_rows import make
from tests.harness.hostile import bombs

CASES = {
    1: "killed while encoding: the next run goes on, and at most one checkpoint's work is done again",
    2: "killed while saving: the old state or the new one, never one between",
    3: "a disk that fills up while saving: it is said, and the old index is whole",
    4: "an error on reading that may pass: tried again, then reported",
    5: "an error on writing or renaming: tried again, then said, and the old generation is kept",
    6: "a library's folder that is unmounted or empty: refused, and no row is deleted",
    7: "a folder that cannot be read half-way through the walk: reported, and its rows are kept",
    8: "two sessions that index one library: both finish, and no row is lost",
    9: '"manifest (1).json" and other copies in the cache: the newest that verifies is used',
    10: "a truncated Parquet or pickle: named, and the generation before it is used",
    11: "one flipped bit in the cache: found",
    12: "a hostile pickle: refused, and none of its code runs",
    13: "a pickle or array that unpacks to gigabytes: refused before it does",
    14: "rows whose paths lead out of the library: never opened",
    15: "HTML or control characters in a file's name: shown as text in notebooks and CSV",
    16: "rows of another model or width, NaN or zero vectors: refused or encoded again, and said",
    17: "an empty file: reported, and the others keep their own rows",
    18: "a half-uploaded file: reported, and indexed by itself once it is whole",
    19: "zeros or rotten bits in a file: reported where it can be told, never a crash",
    20: "a picture that claims 200 million pixels or more: reported, in little memory",
    21: "an honest JPEG of 140 million pixels: indexed, in little memory",
    22: "a picture under another picture's extension: opened by its content",
    23: "another format's bytes named .jpg: reported, and no other program is started",
    24: "a web page or text named .jpg: reported",
    25: "CMYK, 16-bit, palette with alpha, float: the RGB that was meant",
    26: "EXIF orientations 1 to 8: all upright, and alike",
    27: "an animation of 3,000 frames: its first frame, at once",
    28: "Unicode twins, emoji and names of 255 bytes: all kept",
    29: "a name that is not UTF-8: indexed or reported, and the save succeeds",
    30: "links in a circle, a FIFO, a folder named x.jpg: the walk ends, and lists nothing twice",
    31: "a variable frame rate, or a container that lies of it: the true presentation times",
    32: "an encrypted video, or sound only: said to have no video that can be decoded",
    33: "a truncated video: indexed as far as it goes, and reported",
    34: "a video of a phone held upright: its frames are upright",
    35: "a playlist named .mp4, or a name with % in it: no second file is opened",
    36: "a GPU whose memory runs out: smaller batches, and nothing is skipped",
    37: "a query with no words, ten thousand words, another script: an answer or a clear error",
    38: "a picture to ask by that cannot be read: an error that names it",
    39: "an empty library, k or threshold out of range: a clear answer or error",
    40: "weights that cannot be had: an error that says what was tried, and what to do",
}
MODEL = {"model_id": "0", "name": "toy", "dim": 8}


def numbered(repo):
    """Every test function and every id of a parameter: (file, its name or id, its node)."""
    for file in sorted((repo / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield file, node.name, node
            elif isinstance(node, ast.keyword) and node.arg == "id" and isinstance(node.value, ast.Constant):
                yield file, str(node.value.value), node


def test_every_case_has_a_test_with_its_number_that_says_what_the_case_is(repo):
    silent, numbers = [], set()
    for file, name, node in numbered(repo):
        if found := re.match(r"(?:test_fault_)?((?:\d+_and_)*\d+)[-_]", name):
            numbers |= {int(number) for number in found[1].split("_and_")}
            if isinstance(node, ast.FunctionDef) and not ast.get_docstring(node):
                silent.append(f"{file.name}::{name}")
    assert numbers >= set(CASES) and silent == []


@pytest.mark.parametrize(
    "name", [name for name, _ in bombs() if name not in ("empty-lists", "one-hash", "deep-tuples")]
)
def test_fault_13_bombs_are_refused_as_snapshots_and_as_weights(name, tmp_path):
    """A pickle or array that unpacks to gigabytes: refused before it does.

    The three that take seconds to read are left to `make torture`.
    """
    file = tmp_path / "bomb.pkl"
    file.write_bytes(dict(bombs())[name])
    with pytest.raises(CacheError, match="bomb.pkl"):
        snapshot.load(file)
    with pytest.raises(ModelError, match="bomb.pkl"):
        load_weights(file)


@pytest.mark.parametrize("path", ["../a.jpg", "/etc/passwd", "a/../../b.jpg", "C:/a.jpg", "\\\\host\\a.jpg"])
@pytest.mark.parametrize("suffix", [".parquet", ".pkl"])
def test_fault_14_a_snapshot_with_paths_that_lead_outside_is_refused(path, suffix, tmp_path):
    """Rows whose paths lead out of the library: never opened."""
    file = tmp_path / f"album{suffix}"
    snapshot.save(file, Snapshot(make(["a.jpg", path])[0], {}, MODEL))
    with pytest.raises(CacheError, match="outside the library"):
        snapshot.load(file)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 2.0])
@pytest.mark.parametrize("suffix", [".parquet", ".pkl"])
def test_fault_16_a_snapshot_with_rows_that_are_no_embeddings_is_refused(value, suffix, tmp_path):
    """Rows of another model or width, NaN or zero vectors: refused or encoded again, and said."""
    vectors = np.full((1, 8), value, np.float32)
    table = rows.table([{"path": "a", "kind": "image", "digest": "0", "size": 1, "mtime_ns": 1}], vectors)
    file = tmp_path / f"album{suffix}"
    snapshot.save(file, Snapshot(table, {}, MODEL))
    with pytest.raises(CacheError, match="no unit vectors"):
        snapshot.load(file)
