"""The benchmarks measure what they say: small sizes, and cases worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from cliplib.cache.store import Store
from tests.benchmarks import indexing, material, scale


class TestQuality:
    def queries(self, vector):
        return SimpleNamespace(encode_texts=lambda texts: np.repeat([vector], len(texts), axis=0).astype(np.float32))

    def test_equal_embeddings_have_no_error_and_change_no_place(self):
        rows = np.eye(8, dtype=np.float32)
        found = indexing.quality(rows, rows, self.queries(np.linspace(0, 0.7, 8)))
        assert found == {"embedding_cosine_p1": 1, "score_error": 0, "top5_changed": 0, "top5_worst_gap": 0}

    def test_the_gap_is_that_of_the_two_photos_that_changed_places(self):
        """Scores 0.9, 0.8, 0.5, 0.4, 0.3, 0.1; the fast path gives the second photo 0.95, and the first keeps 0.9."""
        right = np.array([0.9, 0.8, 0.5, 0.4, 0.3, 0.1], np.float32)[:, None]
        fast = right.copy()
        fast[1] = 0.95
        found = indexing.quality(fast, right, self.queries([1.0]))
        assert found["top5_worst_gap"] == pytest.approx(0.1) and found["score_error"] == pytest.approx(0.15)
        assert found["top5_changed"] == 2 * indexing.QUERIES


def test_drawn_photos_differ_and_are_as_large_as_they_say(tmp_path):
    from PIL import Image

    for number in (0, 1, 3):
        material.draw_photo(tmp_path / f"{number}.jpg", number)
    sizes = [Image.open(file).size for file in sorted(tmp_path.iterdir())]
    assert sizes == [(640, 480), (1024, 768), (2048, 1536)]
    assert Image.open(tmp_path / "3.jpg").getexif()[0x0112] == 6
    assert len({file.read_bytes() for file in tmp_path.iterdir()}) == 3


def test_synthesised_rows_open_as_an_index_and_count_as_unchanged(tmp_path):
    scale.save_rows(tmp_path / "rows", 400)
    store = Store(tmp_path / "rows", scale.MODEL)
    assert store.rows.num_rows == 400 and store.problems == []
    # the second asserts that all files count as unchanged; each gives both times beside their ratio
    for found in (scale.opening(tmp_path / "rows", 1), scale.reindexing(tmp_path / "again", 300, 1)):
        assert found["ratio"] == found["cliplib_s"] / found["bare_s"]
