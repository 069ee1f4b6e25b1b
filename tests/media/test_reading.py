"""A large file is digested and then read without any part of it being read twice."""

import io
import os

import pytest

from cliplib.media import reading
from cliplib.media.reading import RetryingFile


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file of 5,000 bytes of which only both ends, 500 bytes each, are digested."""
    monkeypatch.setattr(reading, "DIGEST_WHOLE_BYTES", 1000)
    path = tmp_path / "large.mp4"
    path.write_bytes(bytes(n % 251 for n in range(5000)))
    return path


def counting(monkeypatch, most=1 << 30):
    """Let every file that is opened count what is read of it, and give `most` bytes at a time: the list of counts."""
    read = []

    class Counting(io.FileIO):
        def read(self, size=-1):
            data = super().read(min(size, most))
            read.append(len(data))
            return data

    monkeypatch.setattr(reading, "open_file", lambda path, buffering=-1: Counting(path))
    return read


@pytest.mark.parametrize("most", [1 << 30, 70])
def test_gives_all_bytes_once(large, monkeypatch, most):
    digest, read = reading.digest_of(large), counting(monkeypatch, most)
    with RetryingFile(large) as file:
        assert file.digest() == digest
        assert sum(read) == 1000
        content = b"".join(iter(lambda: file.read(100), b""))
    assert content == large.read_bytes()
    assert sum(read) <= 5000 + 100  # a read may reach into the end that is kept


def test_seeks_as_a_file_does(large):
    with RetryingFile(large) as file, open(large, "rb") as plain:
        file.digest()
        for offset, whence in [(4990, os.SEEK_SET), (-4000, os.SEEK_CUR), (-20, os.SEEK_END), (0, os.SEEK_END)]:
            assert file.seek(offset, whence) == plain.seek(offset, whence) == file.tell()
            assert file.read(7) == plain.read(7)


def test_refuses_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(OSError, match="not a regular file"):
        RetryingFile(tmp_path / "pipe.mp4")
