"""Which stored photo a query image stands for."""

import pytest

from cliplib.errors import QueryError
from cliplib.query import stored_path

PATHS = ["a.jpg", "one/IMG_1.jpg", "two/IMG_1.jpg", "two/c.webp"]


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        ("a.jpg", "a.jpg"),
        ("two/c.webp", "two/c.webp"),
        ("c.webp", "two/c.webp"),
        ("one/c.webp", None),
        ("nowhere.jpg", None),
    ],
)
def test_by_path_or_by_file_name(tmp_path, asked, want):
    assert stored_path(asked, tmp_path, PATHS) == want


def test_by_a_path_of_the_file_system(tmp_path, monkeypatch):
    assert stored_path(tmp_path / "two" / "c.webp", tmp_path, PATHS) == "two/c.webp"
    assert stored_path(tmp_path / "x" / ".." / "a.jpg", tmp_path, PATHS) == "a.jpg"
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "two")
    assert stored_path("./c.webp", tmp_path, PATHS) == "two/c.webp"


def test_outside_the_library_is_none(tmp_path):
    assert stored_path(tmp_path.parent / "other" / "a.jpg", tmp_path, PATHS) is None


def test_a_name_of_several_files_asks_which(tmp_path):
    with pytest.raises(QueryError, match="2 files; say which: one/IMG_1.jpg, two/IMG_1.jpg"):
        stored_path("IMG_1.jpg", tmp_path, PATHS)
