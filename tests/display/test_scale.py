"""How good a match is, worked out by hand."""

import numpy as np
import pytest

from cliplib.display.scale import Scale


class TestScale:
    def test_a_bar_is_a_third_at_the_cutoff_and_full_at_the_best(self):
        scale = Scale.of(np.array([0.1, 0.2, 0.3, 0.4, 0.9]), 0.5)
        assert (scale.low, scale.high) == pytest.approx((0.3, 0.9))
        assert [scale.strength(score) for score in (0.1, 0.3, 0.4, 0.5, 0.7, 0.9, 1)] == pytest.approx(
            [0, 0, 1 / 6, 1 / 3, 2 / 3, 1, 1]
        )

    @pytest.mark.parametrize(
        ("score", "words"), [(0.9, "strong"), (0.76, "strong"), (0.65, "good"), (0.5, "fair"), (0.4, "weak")]
    )
    def test_words(self, score, words):
        assert Scale(0.3, 0.5, 0.9).words(score) == words

    def test_where_nothing_is_known_bars_still_have_a_length(self):
        scale = Scale.of(np.array([np.nan]), 0.25)
        assert 0 <= scale.strength(0.25) <= 1 and scale.low < scale.cutoff < scale.high

    def test_without_a_cutoff_a_bar_shows_the_place_between_ordinary_and_best(self):
        scale = Scale.of(np.array([-0.1, 0.0, 0.4]), -1)
        assert scale.strength(0.4) == 1 and scale.strength(0.0) == 0 and scale.cutoff == pytest.approx(0.2)

    def test_the_best_of_poor_matches_is_no_strong_one(self):
        values = np.array([-0.04, -0.02, 0.016])
        assert Scale.of(values, 0.006, "match").words(0.016) == "fair"
        assert Scale.of(values, 0.006).words(0.016) == "strong"  # of cosines, what is high differs from query to query
        assert Scale.of(np.array([-0.04, -0.02, 0.09]), 0.03, "match").words(0.09) == "strong"
