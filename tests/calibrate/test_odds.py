"""The words under a hit: what they promise, where they are silent, and that they keep it on queries nobody judged."""

import numpy as np
import pytest

from cliplib.calibrate.odds import OddsModel, fit_odds
from cliplib.calibrate.rules import Judged
from cliplib.search.results import Odds
from tests.calibrate.test_relevance import clicked, drawn


class TestWords:
    @pytest.mark.parametrize(
        ("odds", "words"),
        [
            (Odds(0.8, 0.71, 0.88), "7 to 9 in 10"),
            (Odds(0.8, 0.78, 0.82), "about 8 in 10"),
            (Odds(0.99, 0.97, 1.0), "nearly all"),
            (Odds(0.02, 0.0, 0.03), "hardly any"),
        ],
    )
    def test_by_hand(self, odds, words):
        assert str(odds) == f"{words} at this score are right"


class TestSilence:
    def table(self, queries=10, relevant=None):
        scores, truth = drawn(np.random.default_rng(0), queries, pictures=60)
        truth = truth if relevant is None else [np.full(60, relevant)] * queries
        return Judged(np.concatenate(scores), np.concatenate(truth), np.repeat(np.arange(queries), 60))

    def test_it_speaks_where_there_is_enough(self):
        assert fit_odds(self.table()).queries == 10

    @pytest.mark.parametrize("change", [{"queries": 3}, {"relevant": True}, {"relevant": False}])
    def test_too_few_queries_or_one_class_only(self, change):
        assert fit_odds(self.table(**change)) is None

    def test_pictures_that_another_ranking_chose(self):
        judged = clicked(*drawn(np.random.default_rng(0), 10))
        borrowed = Judged(
            judged.scores, judged.relevant, judged.query, judged.weight, unjudged=judged.unjudged, borrowed=True
        )
        assert fit_odds(judged) is not None and fit_odds(borrowed) is None

    def test_outside_of_what_was_judged(self):
        values = np.random.default_rng(0).normal(0, 1, 101)
        odds = OddsModel((0, 1, 0, 0, -9), 0.01 * np.eye(5), 2, 4, 20).for_query(values)
        centre = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - centre))
        # at a standing of 3 the logit is 0 with a deviation of 0.1, times Student's 2.093
        assert odds(centre + 3 * spread) == pytest.approx(
            (0.5, 1 / (1 + np.exp(0.2093)), 1 / (1 + np.exp(-0.2093))), abs=1e-3
        )
        assert odds(centre + 1.9 * spread) is None and odds(centre + 4.1 * spread) is None
        assert OddsModel((0,) * 5, np.eye(5), 0, 4, 20).for_query(np.ones(5))(1.0) is None  # equal scores stand nowhere


def test_what_is_promised_is_found_on_other_queries():
    random = np.random.default_rng(1)
    said = fit_odds(clicked(*drawn(random, 40)))
    scores, truth = drawn(random, 400)
    told = [
        (odds.share, right)
        for of, relevant in zip(scores, truth, strict=True)
        for at in np.argsort(-of)[:5]
        for odds, right in [(said.for_query(of)(of[at]), relevant[at])]
        if odds
    ]
    promised, found = np.array(told).T
    assert len(told) > 1500 and promised.mean() == pytest.approx(found.mean(), abs=0.06)
    for low, high in ((0.0, 0.5), (0.5, 0.9), (0.9, 1.0)):
        inside = (promised >= low) & (promised <= high)
        assert promised[inside].mean() == pytest.approx(found[inside].mean(), abs=0.12)
