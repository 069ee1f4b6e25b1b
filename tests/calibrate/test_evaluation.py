"""Held-out evaluation: nothing leaks, intervals are of the right width, the metrics are scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from cliplib.calibrate import evaluation
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

    def test_a_single_query_leaves_none_to_fit_on(self):
        with pytest.raises(JudgementError, match="1 judged query leaves none to fit a rule on"):
            evaluation.held_out(study(1), RULES["paper"])
        assert evaluation.held_out(study(3), RULES["paper"]).shape == (3, 3)  # parted into three


class TestInterval:
    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
    def test_equal_values_still_have_a_width(self, value):
        low, high = evaluation.interval(np.full(9, value))
        assert 0 <= low <= value <= high <= 1 and high - low > 0.05

    def test_few_queries_are_too_few_to_tell(self):
        assert np.isnan(evaluation.interval(np.array([0.4] * (evaluation.MIN_QUERIES - 1)))).all()
        assert np.isfinite(evaluation.interval(np.array([0.4] * evaluation.MIN_QUERIES))).all()

    def test_it_is_as_wide_as_students_for_normal_values(self):
        from scipy.stats import t

        values = np.random.default_rng(0).normal(0.6, 0.2, 200)
        half = t.ppf(0.975, 199) * values.std(ddof=1) / np.sqrt(200)
        assert evaluation.interval(values) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.004)
        assert evaluation.difference_interval(values) == pytest.approx((values.mean() - half, values.mean() + half))

    @pytest.mark.parametrize("share", [0.9, 0.97])
    def test_it_covers_the_truth_near_its_bounds(self, share):
        # queries of which most are perfect and some are half right: Student's interval would end above 1
        random = np.random.default_rng(3)
        studies = [np.where(random.random(12) < share, 1.0, 0.5) for _ in range(400)]
        ends = np.array([evaluation.interval(values) for values in studies])
        true = share + 0.5 * (1 - share)
        assert ((ends[:, 0] <= true) & (true <= ends[:, 1])).mean() >= 0.90 and (ends <= 1).all()

    def test_it_covers_the_truth_for_few_values(self):
        random = np.random.default_rng(1)
        ends = [evaluation.interval(random.beta(0.6, 0.9, 10)) for _ in range(400)]
        assert 0.90 <= np.mean([low <= 0.4 <= high for low, high in ends]) <= 0.99

    def test_it_is_wilsons_for_all_or_nothing_values(self):
        # 30 of 100: Wilson's interval by hand is 0.2189 to 0.3959; Student's quantile is 1 % larger
        values = np.array([1.0] * 30 + [0.0] * 70)
        assert evaluation.interval(values) == pytest.approx((0.2189, 0.3959), abs=0.003)


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
        assert summary["average_precision"] == summary["recall_at_5"] == 1


class TestTables:
    def test_compare_has_a_row_for_each_rule_and_each_fixed_cutoff(self):
        frame = evaluation.compare(study(), {"fixed": 0.25})
        assert frame["rule"].tolist() == [*RULES, "fixed"]
        good = frame.dropna(subset="f1")
        assert len(good) == len(frame) and (good["note"] == "").all()
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


class TestPaired:
    def test_overlapping_intervals_can_hide_a_clear_difference(self):
        # every query is 0.05 better by one rule, while queries differ by far more among themselves
        hard = np.linspace(0.2, 0.9, 20)
        f1 = {"first": hard, "second": hard + 0.05 + 0.01 * (-1.0) ** np.arange(20)}
        first, second = (evaluation.interval(values) for values in f1.values())
        assert first[1] > second[0]  # they overlap
        (row,) = evaluation.paired(f1).to_dict("records")
        assert (row["rule"], row["against"], row["verdict"]) == ("first", "second", "worse")
        assert row["difference"] == pytest.approx(-0.05) and row["high"] < 0

    def test_p_is_that_of_students_paired_test(self):
        from scipy.stats import ttest_rel

        random = np.random.default_rng(0)
        f1 = {"a": random.random(15), "b": random.random(15)}
        row = evaluation.paired(f1, against="a").iloc[0]
        assert row["p"] == pytest.approx(ttest_rel(f1["a"], f1["b"]).pvalue) and row["p_holm"] == row["p"]

    def test_holm_by_hand(self):
        # in order .01 .02 .04 .04: times 4, 3, 2, 1 and never falling: .04 .06 .08 .08
        assert evaluation.holm(np.array([0.04, 0.01, 0.02, 0.04])) == pytest.approx([0.08, 0.04, 0.06, 0.08])
        assert evaluation.holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]

    def test_few_queries_have_no_verdict(self):
        f1 = {"a": np.array([0.1, 0.2, 0.3]), "b": np.array([0.8, 0.9, 0.9])}
        assert evaluation.paired(f1)["verdict"].tolist() == ["too few to tell"]

    def test_power_by_hand(self):
        # deviation 0.2 and difference 0.05: ((1.96 + 0.8416) * 4) squared is 125.6
        change = np.array([0.2, -0.2] * 50) * np.sqrt(99 / 100)
        assert evaluation.power(change) == 126
        assert evaluation.power(change, difference=0.1) == 32

    def test_the_winner_of_equals_reads_too_high_and_that_is_taken_off(self):
        random, reads, corrected = np.random.default_rng(1), [], []
        for seed in range(40):  # ten rules with a true mean of 0.5
            found = evaluation.winner({str(rule): random.random(20) for rule in range(10)}, seed)
            reads.append(found["f1"])
            corrected.append(found["f1_corrected"])
        assert np.mean(reads) > 0.57 and np.mean(corrected) == pytest.approx(0.5, abs=0.045)

    def test_absent_queries_by_hand(self):
        judged = Judged([0.5, 0.4, 0.3, 0.2], [1, 0, 0, 0], [0, 1, 2, 2])  # queries 1 and 2 have no answer
        assert evaluation.shown_for_absent(judged, np.full(3, 0.35)) == 0.5
        assert np.isnan(evaluation.shown_for_absent(judged.of([0]), np.full(1, 0.35)))
