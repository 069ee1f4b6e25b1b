"""Ranking, on tables worked by hand."""

import numpy as np
import pytest

from cliplib.errors import QueryError
from cliplib.search import cosines, top_k, unit

GALLERY = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0]], np.float32)


class TestCosines:
    def test_hand_worked(self):
        assert cosines(GALLERY, np.array([3.0, 4.0])) == pytest.approx([0.6, 0.8, 1.0, -0.6], abs=1e-6)

    def test_query_length_does_not_matter(self):
        assert cosines(GALLERY, np.array([0.003, 0.004])) == pytest.approx(cosines(GALLERY, np.array([30.0, 40.0])))

    def test_refuses_another_width(self):
        with pytest.raises(QueryError, match="3 numbers, the index 2"):
            cosines(GALLERY, np.ones(3))

    @pytest.mark.parametrize("bad", [[0, 0], [np.nan, 1], [np.inf, 1]])
    def test_refuses_a_query_without_direction(self, bad):
        with pytest.raises(QueryError, match="no direction"):
            unit(np.array(bad))


class TestTopK:
    scores = np.array([0.1, 0.5, 0.5, np.nan, 0.9, 0.2], np.float32)

    @pytest.mark.parametrize(
        ("k", "threshold", "want"),
        [
            (1, -1, [4]),
            (2, -1, [4, 1]),
            (3, -1, [4, 1, 2]),
            (99, -1, [4, 1, 2, 5, 0]),
            (99, 0.5, [4, 1, 2]),
            (5, 0.95, []),
        ],
    )
    def test_hand_worked_with_ties_and_nan(self, k, threshold, want):
        assert top_k(self.scores, k, threshold).tolist() == want

    def test_agrees_with_a_full_sort(self):
        scores = np.random.default_rng(0).integers(0, 50, 2000).astype(np.float32) / 50
        want = sorted(range(2000), key=lambda i: (-scores[i], i))[:37]
        assert top_k(scores, 37).tolist() == want

    def test_nothing_to_rank(self):
        assert top_k(np.empty(0, np.float32), 5).tolist() == []

    @pytest.mark.parametrize("k", [0, -1, 2.5, True, "5"])
    def test_fault_39_refuses_k(self, k):
        with pytest.raises(QueryError, match="whole number of at least 1"):
            top_k(self.scores, k)

    @pytest.mark.parametrize("threshold", [1.01, -2, np.nan])
    def test_fault_39_refuses_a_threshold_that_is_no_cosine(self, threshold):
        with pytest.raises(QueryError, match="between -1 and 1"):
            top_k(self.scores, 5, threshold)
