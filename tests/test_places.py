"""Folders and files as people name them."""

import pytest

from cliplib.errors import QueryError
from cliplib.places import expanded, output_file


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/a/b.csv") == tmp_path / "a" / "b.csv"
    assert expanded("a/~b.csv").as_posix() == "a/~b.csv"
    assert output_file("~/b.CSV", ".csv") == tmp_path / "b.CSV"


def test_another_ending_is_refused_with_those_allowed(tmp_path):
    with pytest.raises(QueryError, match=r"cannot save 'a.txt': the name must end in \.csv or \.html"):
        output_file(tmp_path / "a.txt", ".csv", ".html")


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(QueryError, match="there is no folder .*nowhere. Make it first"):
        output_file(tmp_path / "nowhere" / "a.csv", ".csv")
    assert not (tmp_path / "nowhere").exists()
