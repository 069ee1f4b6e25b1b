"""Sampling: fixed size, exact probabilities, the best always judged."""

import numpy as np
import pytest

from cliplib.calibrate.sampling import inclusion_probabilities, sample
from cliplib.errors import JudgementError


class TestInclusion:
    def test_by_hand(self):
        # below the best one, two of ranks 2 to 5 with shares as 1/2 : 1/3 : 1/4 : 1/5, 2 / (77/60) times each
        assert inclusion_probabilities(5, top=1, below=2) == pytest.approx([1, 60 / 77, 40 / 77, 30 / 77, 24 / 77])

    @pytest.mark.parametrize(("n", "top", "below"), [(1000, 3, 12), (1000, 0, 15), (30, 5, 20), (16, 3, 12)])
    def test_it_adds_up_to_the_clicks_and_falls_with_the_rank(self, n, top, below):
        probability = inclusion_probabilities(n, top, below)
        assert probability.sum() == pytest.approx(top + below) and (np.diff(probability) <= 1e-12).all()
        assert (probability[:top] == 1).all() and (probability > 0).all() and (probability <= 1).all()

    def test_few_pictures_are_all_judged(self):
        assert inclusion_probabilities(5, 3, 12).tolist() == [1] * 5

    def test_numbers_under_0_are_refused(self):
        with pytest.raises(JudgementError, match="top is -1 and below 3"):
            inclusion_probabilities(9, -1, 3)


class TestSample:
    def test_the_best_are_there_and_rows_that_may_not_be_found_are_not(self):
        values = np.array([0.1, np.nan, 0.9, 0.8, 0.2, 0.3, 0.7])
        picked = sample(values, top=3, below=2, seed=1)
        assert picked.rows[:3].tolist() == [2, 3, 6] and set(picked.rows[3:]) < {0, 4, 5} and len(set(picked.rows)) == 5
        assert picked.origins == ["top"] * 3 + ["sampled"] * 2
        assert sample(values, top=9).rows.tolist() == [2, 3, 6, 5, 4, 0]

    def test_the_same_seed_draws_the_same(self):
        values = np.random.default_rng(0).random(200)
        first, second, other = (sample(values, seed=seed).rows.tolist() for seed in (4, 4, 5))
        assert first == second != other

    def test_every_draw_has_the_size_and_each_picture_comes_as_often_as_it_says(self):
        values = -np.arange(60.0)
        drawn = np.zeros(60)
        for seed in range(2000):
            picked = sample(values, top=2, below=6, seed=seed)
            assert len(picked) == 8
            drawn[picked.rows] += 1
        assert drawn / 2000 == pytest.approx(inclusion_probabilities(60, 2, 6), abs=0.04)

    def test_weights_make_the_count_of_a_sample_that_of_all(self):
        # Horvitz and Thompson: over many samples the weighted count of relevant pictures is right on average
        relevant = np.random.default_rng(0).random(200) < 0.2
        counts = []
        for seed in range(800):
            picked = sample(-np.arange(200.0), seed=seed)
            counts.append((relevant[picked.rows] / picked.probability).sum())
        assert np.mean(counts) == pytest.approx(relevant.sum(), rel=0.05)
