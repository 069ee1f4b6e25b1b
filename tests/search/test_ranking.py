"""Ranking, on tables worked by hand."""

import numpy as np
import pytest

from cliplib.errors import QueryError
from cliplib.search.ranking import composed, cosines, group_near_duplicates, noise_floor, rocchio, top_k, unit

GALLERY = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0]], np.float32)


class TestCosines:
    def test_hand_worked(self):
        assert cosines(GALLERY, np.array([3.0, 4.0])) == pytest.approx([0.6, 0.8, 1.0, -0.6], abs=1e-6)

    def test_many_queries_are_rows_of_the_answer(self):
        want = [[0.6, 0.8, 1.0, -0.6], [1, 0, 0.6, -1]]
        np.testing.assert_allclose(cosines(GALLERY, np.array([[3.0, 4.0], [2.0, 0.0]])), want, rtol=0, atol=1e-6)

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
        """An empty library, k or threshold out of range: a clear answer or error."""
        with pytest.raises(QueryError, match="whole number of at least 1"):
            top_k(self.scores, k)

    @pytest.mark.parametrize("threshold", [1.01, -2, np.nan])
    def test_fault_39_refuses_a_threshold_that_is_no_cosine(self, threshold):
        """An empty library, k or threshold out of range: a clear answer or error."""
        with pytest.raises(QueryError, match="between -1 and 1"):
            top_k(self.scores, 5, threshold)


class TestComposed:
    X, Y = [1.0, 0.0], [0.0, 1.0]

    @pytest.mark.parametrize(
        ("rows", "weights", "want"),
        [
            ([X], [5], X),
            ([X, Y], [3, 4], [0.6, 0.8]),
            ([X, Y], [4, -3], [0.8, -0.6]),
            ([X, [0.6, 0.8]], [-0.6, 1], Y),  # what is left of a vector without its part along X
        ],
    )
    def test_hand_worked(self, rows, weights, want):
        assert composed(np.array(rows), np.array(weights)) == pytest.approx(want, abs=1e-6)

    def test_refuses_no_terms(self):
        with pytest.raises(QueryError, match="no terms: begin with"):
            composed(np.empty((0, 2)), np.empty(0))

    @pytest.mark.parametrize("other", [X, [0.99995, 0.01]])  # the second: the same photo, encoded again
    def test_refuses_terms_that_cancel(self, other):
        with pytest.raises(QueryError, match="its terms cancel"):
            composed(np.array([self.X, other]), np.array([1, -1]))


class TestRocchio:
    def test_hand_worked(self):
        # (1, 0) + 0.75 * (0, 1) - 0.15 * (0, -1) = (1, 0.9), of length 1.3454
        got = rocchio(np.array([1, 0]), np.array([[0, 1]]), np.array([[0, -1]]))
        assert got == pytest.approx([1 / 1.3454, 0.9 / 1.3454], abs=1e-4)

    def test_marks_count_by_their_mean_not_their_number(self):
        one, none = np.array([[0.0, 1.0]]), np.empty((0, 2))
        query = np.array([1.0, 0.0])
        assert rocchio(query, np.repeat(one, 9, 0), none) == pytest.approx(rocchio(query, one, none))

    def test_weights_are_parameters(self):
        got = rocchio(np.array([1, 0]), np.array([[0, 1]]), np.empty((0, 2)), keep=3, towards=4)
        assert got == pytest.approx([0.6, 0.8])


def test_noise_floor_is_passed_by_one_in_twenty():
    assert noise_floor(np.arange(101) / 100) == pytest.approx(0.95)


class TestFolded:
    # unit vectors by their angle in degrees; two are alike here when they are at most 10 degrees apart
    angles = np.array([0, 8, 16, 90, 94, 180])
    gallery = np.stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))], axis=1).astype(np.float32)
    fold = float(np.cos(np.radians(10)))

    @pytest.mark.parametrize(
        ("order", "k", "want"),
        [
            ([0, 1, 2, 3, 4, 5], 9, [[0, 1], [2], [3, 4], [5]]),  # 16 is like 8, not like its leader 0
            ([1, 5, 0, 2, 4, 3], 9, [[1, 0, 2], [5], [4, 3]]),
            ([0, 1, 2, 3, 4, 5], 3, [[0, 1], [2], [3, 4]]),  # k counts groups, and the last is whole
            ([3, 4], 5, [[3, 4]]),
            ([], 5, []),
        ],
    )
    def test_hand_worked(self, order, k, want):
        assert [
            group.tolist() for group in group_near_duplicates(self.gallery, np.array(order, int), k, self.fold)
        ] == want

    def test_agrees_with_the_rule_said_plainly(self):
        rng = np.random.default_rng(0)
        centres = rng.normal(size=(60, 16)).repeat(8, 0)
        gallery = centres + rng.normal(size=centres.shape) * 0.25
        gallery = (gallery / np.linalg.norm(gallery, axis=1, keepdims=True)).astype(np.float32)
        for order in (rng.permutation(480), rng.permutation(480)[:100]):
            left, want = order.tolist(), []
            while left and len(want) < 30:
                group = [i for i in left if i == left[0] or gallery[i] @ gallery[left[0]] >= 0.9]
                want.append(group)
                left = [i for i in left if i not in group]
            assert [group.tolist() for group in group_near_duplicates(gallery, order, 30, 0.9)] == want
            assert max(map(len, want)) > 2

    def test_a_fold_of_one_joins_copies_alone(self):
        gallery = np.random.default_rng(0).normal(size=(50, 64)).astype(np.float32).repeat(2, 0)
        gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
        groups = group_near_duplicates(gallery, np.arange(100), 100, 1.0)
        assert [group.tolist() for group in groups] == [[i, i + 1] for i in range(0, 100, 2)]

    @pytest.mark.parametrize("fold", [0, -0.5, 1.01, float("nan")])
    def test_refuses_a_fold_that_is_none(self, fold):
        with pytest.raises(QueryError, match="over 0 and at most 1"):
            group_near_duplicates(self.gallery, np.arange(6), 5, fold)

    def test_fault_39_refuses_k(self):
        """An empty library, k or threshold out of range: a clear answer or error."""
        with pytest.raises(QueryError, match="whole number of at least 1"):
            group_near_duplicates(self.gallery, np.arange(6), 0, 0.9)


@pytest.mark.parametrize("k", [1, 7, 300])
@pytest.mark.parametrize("threshold", [-1.0, 0.9, 0.999])
def test_the_best_of_many_are_those_of_sorting_all(k, threshold):
    """Long tables are looked through in stretches: rows left out, whole stretches of them, ties and a rest are no
    hindrance."""
    scores = np.random.default_rng(k).random(40_123, dtype=np.float32).round(4)
    scores[::3], scores[2000:9000] = np.nan, np.nan
    want = [at for at in np.argsort(-scores, kind="stable") if scores[at] >= threshold][:k]
    assert top_k(scores, k, threshold).tolist() == want
