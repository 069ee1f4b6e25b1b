"""The banks of texts, and what is kept of them beside an index."""

import numpy as np
import pyarrow as pa
import pytest

from cliplib import models
from cliplib.errors import QueryError
from cliplib.search import bank
from cliplib.search.background import row_statistics
from cliplib.search.bank import BANKS, EVERYDAY, Background, read_texts
from data.match import bank as writing


class Letters:
    """Encodes a text as the counts of its letters, and remembers what it was asked."""

    model_id, dim = "0" * 64, 8

    def __init__(self):
        self.asked = []

    def encode_texts(self, texts):
        self.asked.append(list(texts))
        rows = np.array([[1 + text.count(letter) for letter in "abcdefgh"] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def rows_of(n, provisional=()):
    return pa.table(
        {
            "digest": [f"d{i}" for i in range(n)],
            "time_s": pa.array([None] * n, pa.float64()),
            "provisional": [i in provisional for i in range(n)],
        }
    )


class TestShipped:
    def test_files_are_what_the_word_lists_give(self):
        assert list(read_texts(EVERYDAY)) == writing.everyday()

    def test_size_and_forms(self):
        texts = read_texts(EVERYDAY)
        assert 1000 <= len(texts) <= 2000 and max(map(len, texts)) < 77
        assert {"a dog", "a screenshot of a chat", "a sunset over the sea", "a man reading a book"} <= set(texts)

    def test_the_tiny_model_brings_its_own_world_encoded(self, tmp_path):
        encoder = models.load("tiny", device="cpu", precision="fp32")
        own = Background(encoder, tmp_path)
        assert own.texts == read_texts(BANKS / "drawn.txt") and own.vectors.shape == (len(own.texts), encoder.dim)
        assert len(own.texts) > 500 and (np.tril(own.vectors @ own.vectors.T, -1) < 0.995).all()
        some = [0, 300, len(own.texts) - 1]
        want = encoder.encode_texts([own.texts[i] for i in some])
        assert (own.vectors[some] * want).sum(axis=1) == pytest.approx(1, abs=1e-4)


class TestOwn:
    def test_a_file_or_a_list(self, tmp_path):
        file = tmp_path / "bank.txt"
        file.write_text("# mine\nein Hund\n\nein Hund\neine Katze\n", encoding="utf-8")
        assert read_texts(file) == read_texts(["ein Hund", " eine Katze "]) == ("ein Hund", "eine Katze")

    def test_what_is_none_is_refused(self, tmp_path):
        with pytest.raises(QueryError, match="cannot be read .*give a text file or a list"):
            read_texts(tmp_path / "none.txt")
        with pytest.raises(QueryError, match="has no texts"):
            read_texts([" "])


class TestKept:
    def test_texts_are_encoded_once_and_read_by_the_next(self, tmp_path):
        encoder = Letters()
        first, second = (Background(encoder, tmp_path, ["ab", "cd"]) for _ in range(2))
        np.testing.assert_array_equal(first.vectors, second.vectors)
        assert encoder.asked == [["ab", "cd"]]
        assert Background(encoder, tmp_path, ["ab", "cde"]).vectors.shape == (2, 8)
        assert encoder.asked[1:] == [["ab", "cde"]]

    def test_nothing_is_written_where_the_index_is_gone(self, tmp_path):
        Background(Letters(), tmp_path / "away", ["ab"]).vectors  # noqa: B018
        assert not (tmp_path / "away").exists()

    def test_only_new_rows_are_compared_with_the_bank(self, tmp_path, monkeypatch):
        monkeypatch.setattr(bank, "KEEP_FROM", 1)
        counted = []
        monkeypatch.setattr(
            bank.background,
            "row_statistics",
            lambda rows, *rest: counted.append(len(rows)) or row_statistics(rows, *rest),
        )
        gallery = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
        texts = ["ab", "cd", "fgh"]
        Background(Letters(), tmp_path, texts).statistics(rows_of(4), gallery[:4], "image")
        got = Background(Letters(), tmp_path, texts).statistics(rows_of(6, provisional=[5]), gallery, "image")
        again = Background(Letters(), tmp_path, texts).statistics(rows_of(6, provisional=[5]), gallery, "image")
        assert counted == [4, 2, 1]  # a provisional row is not kept
        for name, want in row_statistics(gallery, Letters().encode_texts(texts))._asdict().items():
            np.testing.assert_allclose(getattr(got, name), want, atol=1e-6)
            np.testing.assert_allclose(getattr(again, name), want, atol=1e-6)
