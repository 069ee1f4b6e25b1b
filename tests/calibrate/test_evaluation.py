"""Held-out evaluation: nothing leaks, intervals are of the right width, the metrics are scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from cliplib.calibrate import evaluation
from cliplib.calibrate.profiles import Profile
from cliplib.calibrate.rules import RULES, Judged, Rule
from cliplib.errors import JudgementError


def study(queries=12, pictures=30, seed=0, lift=0.2):
    """Simulated judgements: relevant pictures score `lift` more than irrelevant ones."""
    random = np.random.default_rng(seed)
    relevant = random.random((queries, pictures)) < 0.2
    relevant[:, 0] = True
    scores = 0.2 + lift * relevant + random.normal(0, 0.06, relevant.shape)
    number = np.repeat(np.arange(queries), pictures)
    return Judged(scores.ravel(), relevant.ravel(), number, noise=random.normal(0.2, 0.05, 40))


class TestHeldOut:
    def test_no_query_is_cut_by_a_number_that_it_helped_to_fit(self):
        seen = []
        judged = study()

        def fit(part):
            seen.append(set(part.queries))
            return 0.3

        found = evaluation.held_out(judged, Rule(fit, "", ""), folds=4)
        assert len(seen) == 4 and all(len(part) == 9 for part in seen)
        assert set.intersection(*seen) == set()  # each query is left out once
        assert found == pytest.approx(evaluation.at_cutoffs(judged, 0.3))

    def test_each_query_keeps_its_place(self):
        # query 7 alone has no wrong picture above the cutoff
        judged = Judged([0.9, 0.8] * 10, [1, 0] * 10, np.repeat(np.arange(10), 2))
        judged.scores[15] = 0.1
        precision = evaluation.held_out(judged, Rule(lambda part: 0.5, "", ""))[:, 0]
        assert precision.tolist() == [0.5] * 7 + [1.0] + [0.5] * 2

    def test_too_few_queries_are_said(self):
        with pytest.raises(JudgementError, match="3 judged queries cannot be parted into 10"):
            evaluation.held_out(study(3), RULES["paper"])


class TestInterval:
    def test_equal_values_have_no_width_and_one_value_no_interval(self):
        assert evaluation.interval(np.full(9, 0.5)) == (0.5, 0.5)
        assert evaluation.interval(np.array([0.4])) == (0.4, 0.4)

    def test_it_is_as_wide_as_students_for_normal_values(self):
        from scipy.stats import t

        values = np.random.default_rng(0).normal(0.6, 0.2, 200)
        half = t.ppf(0.975, 199) * values.std(ddof=1) / np.sqrt(200)
        assert evaluation.interval(values) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.004)

    def test_it_covers_the_truth_for_few_values(self):
        random = np.random.default_rng(1)
        inside = [low <= 0 <= high for low, high in (evaluation.interval(random.normal(0, 1, 10)) for _ in range(300))]
        assert 0.90 <= np.mean(inside) <= 0.99

    def test_the_same_seed_gives_the_same(self):
        values = np.random.default_rng(2).random(30)
        assert evaluation.interval(values, 5) == evaluation.interval(values, 5) != evaluation.interval(values, 6)


class TestRanking:
    def test_average_precision_is_scikit_learns_and_recall_at_k_is_counted(self):
        judged = Judged([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0, 1, 1, 0, 1, 0], [0] * 6)
        average_precision, recall = evaluation.ranking(judged, k=2)[0]
        assert average_precision == pytest.approx((1 / 2 + 2 / 3 + 3 / 5) / 3)
        assert average_precision == pytest.approx(average_precision_score(judged.relevant, judged.scores))
        assert recall == pytest.approx(1 / 3)

    def test_a_query_with_nothing_to_find_has_none_and_does_not_count(self):
        found = evaluation.ranking(Judged([0.5, 0.4, 0.3], [0, 0, 1], [0, 0, 1]))
        assert np.isnan(found[0]).all() and found[1].tolist() == [1, 1]
        summary = evaluation.summary(found, ("average_precision", "recall_at_5"))
        assert summary["average_precision"] == summary["average_precision_low"] == summary["recall_at_5_high"] == 1


class TestTables:
    def test_compare_has_a_row_for_each_rule_and_each_fixed_cutoff(self):
        frame = evaluation.compare(study(), {"fixed": 0.25})
        assert frame["rule"].tolist() == [*RULES, "fixed"]
        good = frame.dropna(subset="f1")
        assert len(good) == len(frame)
        for name in evaluation.MEASURES:
            assert ((good[f"{name}_low"] <= good[name]) & (good[name] <= good[f"{name}_high"])).all()
        assert good.set_index("rule").loc["best F1", "f1"] > good.set_index("rule").loc["fixed", "f1"]

    def test_transfer_measures_on_the_other_library_against_its_default(self):
        here, there = study(), study(seed=1)
        frame = evaluation.transfer(here, there, default=0.9).set_index("rule")
        number = RULES["best F1"].fit(here)
        f1 = evaluation.at_cutoffs(there, number)[:, 2].mean()
        assert frame.loc["best F1", "f1"] == pytest.approx(f1)
        assert (frame["default_f1"] == 0).all() and frame.loc["best F1", "difference_low"] > 0
        assert frame.loc["noise floor", "cutoff"] == RULES["noise floor"].fit(there)

    def test_learning_curve_measures_on_the_other_queries(self):
        frame = evaluation.learning_curve(study(24), sizes=(5, 10, 99), repeats=6)
        assert set(frame["queries"]) == {5, 10}  # 99 are not there
        best = frame[frame["rule"] == "best F1"].set_index("queries")
        assert (best["failed"] == 0).all() and (best["f1_low"] <= best["f1"]).all()

    def test_learning_curve_counts_draws_that_cannot_be_fitted(self):
        judged = study(10)
        relevant = np.where(np.isin(judged.query, [0, 1]), judged.relevant, False)  # two queries have a match
        frame = evaluation.learning_curve(Judged(judged.scores, relevant, judged.query), sizes=(2,), repeats=20)
        assert 0 < frame.set_index("rule").loc["paper", "failed"] < 20
        assert "noise floor" not in set(frame["rule"])  # no nonsense was scored


class TestExpectedPrecision:
    def test_by_hand(self):
        # rising scores, labels 0 1 0 1 1: the pair 1, 0 breaks the order and becomes one half each
        curve = evaluation.expected_precision(Judged([0.1, 0.2, 0.3, 0.4, 0.5], [0, 1, 0, 1, 1], [0] * 5))
        profile = Profile("text->image", "", 0.3, {}, curve=curve)
        assert [profile.expected(score) for score in (0.1, 0.2, 0.3, 0.4, 0.5)] == pytest.approx([0, 0.5, 0.5, 1, 1])

    def test_one_class_is_flat(self):
        curve = evaluation.expected_precision(Judged([0.1, 0.2], [0, 0], [0, 0]))
        assert set(curve[1]) == {0.0}

    def test_it_is_right_on_other_queries(self):
        scores, shares = evaluation.expected_precision(study(60, lift=0.1))
        other = study(60, seed=9, lift=0.1)
        promised = np.interp(other.scores, scores, shares)
        for low, high in ((0.1, 0.3), (0.3, 0.7)):
            inside = (promised >= low) & (promised < high)
            assert promised[inside].mean() == pytest.approx(other.relevant[inside].mean(), abs=0.1)
