"""Every rule against a table worked by hand, with ties and single classes; every metric against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from cliplib.calibrate import rules
from cliplib.calibrate.rules import RULES, Judged, counts, rates
from cliplib.errors import JudgementError

# Three queries; relevant pictures in capitals.
#   0:  A .50   B .40   c .30   d .10
#   1:  e .45   F .35   g .20
#   2:  h .25   i .15                     nothing to find
SCORES = [0.50, 0.40, 0.30, 0.10, 0.45, 0.35, 0.20, 0.25, 0.15]
RELEVANT = [1, 1, 0, 0, 0, 1, 0, 0, 0]
QUERY = [0, 0, 0, 0, 1, 1, 1, 2, 2]


def table(**changes):
    return Judged(**{"scores": SCORES, "relevant": RELEVANT, "query": QUERY, "noise": np.empty(0), **changes})


class TestRulesByHand:
    def test_paper_is_the_mean_of_the_lowest_relevant_scores(self):
        # query 0: 0.40; query 1: 0.35; query 2 has none and does not count
        assert rules.lowest_relevant(table()) == pytest.approx(0.375)

    def test_best_f1_is_the_highest_mean_over_queries(self):
        # mean F1 of the three queries, accepting down to
        #   0.50: 2/3, 0, 1   -> 0.556     (query 2 rightly shows nothing)
        #   0.40: 1,   0, 1   -> 0.667     (of query 1 only the wrong e is accepted)
        #   0.35: 1, 2/3, 1   -> 0.889     the best; the next lower score is 0.30
        assert rules.best_f1(table()) == pytest.approx(0.325)

    def test_best_f1_takes_the_highest_of_equals(self):
        # accepting a alone: precision 1, recall 1/2; accepting all four: 1/2 and 1; F1 is 2/3 both times
        tied = Judged([0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1], [0, 0, 0, 0])
        assert rules.best_f1(tied) == pytest.approx(0.85)

    def test_best_f1_with_ties_takes_or_leaves_equal_scores_together(self):
        # at 0.5 one right and one wrong cannot be parted: F1 is 2/3, whatever the order of the rows
        for relevant in ([1, 0, 0], [0, 1, 0]):
            assert rules.best_f1(Judged([0.5, 0.5, 0.1], relevant, [0, 0, 0])) == pytest.approx(0.3)

    def test_noise_floor_lies_above_the_share_that_is_asked(self):
        noise = np.arange(1, 22) / 100  # 0.01 to 0.21: the 95 % quantile is 0.20
        floor = rules.noise_floor(table(noise=noise))
        assert floor == pytest.approx(0.20) and floor > 0.20 and (noise >= floor).sum() == 1

    def test_precision_is_reached_with_the_highest_recall(self):
        # ranked: .50 A, .45 e, .40 B, .35 F, .30 c ...: precision 1, 1/2, 2/3, 3/4, 3/5
        assert rules.recall_at_precision(table(), 0.75) == pytest.approx(0.325)
        assert rules.recall_at_precision(table(), 0.9) == pytest.approx(0.475)

    def test_precision_that_cannot_be_reached_is_said(self):
        with pytest.raises(JudgementError, match=r"no cutoff has a precision of 0.9: the best is 0.50"):
            rules.recall_at_precision(Judged([0.5, 0.5], [1, 0], [0, 0]))

    def test_youden_adds_sensitivity_and_specificity(self):
        # at 0.35: 3 of 3 found, 5 of 6 wrong ones kept out: 1 + 5/6, the largest
        assert rules.youden(table()) == pytest.approx(0.325)

    def test_percentile_of_the_irrelevant(self):
        # irrelevant, in order: .10 .15 .20 .25 .30 .45; half of them are passed from above 0.20
        cut = rules.percentile_of_irrelevant(table(), 50)
        assert cut == pytest.approx(0.20) and cut > 0.20
        assert rules.percentile_of_irrelevant(table()) == pytest.approx(0.45)

    def test_share_of_best(self):
        # scores over the best of their query:  A 1, B .8, c .6, d .2;  e 1, F .78, g .44;  h 1, i .6
        # accepting down to 1: F1 2/3, 0, 0;  to .8: 1, 0, 0;  to .78: 1, 2/3, 0, the best; the next lower is .6
        assert rules.share_of_best(table()) == pytest.approx((0.35 / 0.45 + 0.6) / 2)
        assert rules.at_share(np.array([0.2, 0.5]), 0.8) == pytest.approx(0.4)
        assert rules.at_share(np.array([-0.2, -0.1]), 0.8) == -0.1  # a best score under 0 is accepted alone

    def test_largest_gap(self):
        assert rules.at_largest_gap(np.array(SCORES[:4])) == pytest.approx(0.20)  # between .30 and .10
        assert rules.at_largest_gap(np.array([0.4, 0.3, 0.2])) == pytest.approx(0.35)  # equal gaps: the highest
        assert rules.at_largest_gap(np.array([0.4])) == 0.4

    def test_per_query_rules_cut_each_query_apart(self):
        assert RULES["share of best"].cutoffs(table(), 0.8).tolist() == pytest.approx([0.40, 0.36, 0.20])
        assert RULES["largest gap"].cutoffs(table(), 0.0).tolist() == pytest.approx([0.20, 0.275, 0.20])
        assert RULES["paper"].cutoffs(table(), 0.3).tolist() == [0.3, 0.3, 0.3]

    def test_every_rule_names_its_source(self):
        assert all(rule.source and rule.meaning for rule in RULES.values())
        assert list(RULES)[:3] == list(rules.IN_FRONT) == ["paper", "best F1", "noise floor"]


class TestOneClass:
    @pytest.mark.parametrize("name", ["paper", "best F1", "precision 0.9", "Youden", "share of best"])
    def test_no_relevant_picture_is_said(self, name):
        with pytest.raises(JudgementError, match="at least one relevant picture, and all 9 judgements say no"):
            RULES[name].fit(table(relevant=[0] * 9))

    @pytest.mark.parametrize("name", ["Youden", "99th percentile"])
    def test_no_irrelevant_picture_is_said(self, name):
        with pytest.raises(JudgementError, match="at least one irrelevant picture, and all 9 judgements say yes"):
            RULES[name].fit(table(relevant=[1] * 9))

    def test_only_relevant_pictures_are_all_accepted(self):
        everything = table(relevant=[1] * 9)
        assert rules.best_f1(everything) == rules.recall_at_precision(everything) == 0.10
        assert rules.lowest_relevant(everything) == pytest.approx((0.10 + 0.20 + 0.15) / 3)

    def test_only_irrelevant_pictures_have_a_percentile(self):
        assert rules.percentile_of_irrelevant(table(relevant=[0] * 9)) == pytest.approx(0.50)

    def test_noise_that_was_not_measured_is_said(self):
        with pytest.raises(JudgementError, match="needs scores of nonsense queries"):
            RULES["noise floor"].fit(table())


class TestCounts:
    def test_by_hand(self):
        tp, fp, fn = counts(table(), np.array([0.35, 0.35, 0.35]))
        assert (tp.tolist(), fp.tolist(), fn.tolist()) == ([2, 1, 0], [0, 1, 0], [0, 0, 0])

    def test_a_score_equal_to_the_cutoff_is_accepted(self):
        tp, fp, _ = counts(Judged([0.5, 0.5], [1, 0], [0, 0]), np.array([0.5]))
        assert (tp[0], fp[0]) == (1, 1)

    def test_rates_equal_scikit_learn_with_zero_division_1(self):
        random = np.random.default_rng(0)
        for _ in range(80):
            n = random.integers(1, 12)
            scores, relevant = random.integers(0, 5, n) / 5, random.random(n) < random.choice([0, 0.3, 1])
            weight, cutoff = random.integers(1, 4, n), random.random()
            ours = rates(*counts(Judged(scores, relevant, np.zeros(n), weight), np.array([cutoff])))
            theirs = metrics.precision_recall_fscore_support(
                relevant, scores >= cutoff, average="binary", zero_division=1.0, sample_weight=weight
            )
            assert [float(rate[0]) for rate in ours] == pytest.approx(list(theirs[:3]))

    def test_best_f1_is_the_best_of_all_cutoffs(self):
        random = np.random.default_rng(1)
        for _ in range(30):
            judged = Judged(random.integers(0, 20, 40) / 20, random.random(40) < 0.3, random.integers(0, 4, 40))
            everywhere = np.broadcast_to(np.linspace(-0.1, 1.1, 241), (len(judged.queries), 241))
            found = rates(*counts(judged, np.full(len(judged.queries), rules.best_f1(judged))))[2].mean()
            # a cutoff above every score accepts nothing, which best_f1 never chooses
            reachable = everywhere[0] <= judged.scores[judged.relevant].max()
            assert found == pytest.approx(rates(*counts(judged, everywhere))[2].mean(0)[reachable].max())


class TestWeights:
    def test_a_weight_of_two_is_the_judgement_twice(self):
        twice = Judged(SCORES + SCORES[2:4], RELEVANT + RELEVANT[2:4], QUERY + QUERY[2:4])
        heavy = table(weight=[1, 1, 2, 2, 1, 1, 1, 1, 1])
        for name in ("paper", "best F1", "precision 0.9", "Youden", "99th percentile", "share of best"):
            assert RULES[name].fit(heavy) == pytest.approx(RULES[name].fit(twice)), name


class TestChecks:
    def test_columns_must_have_one_length(self):
        with pytest.raises(JudgementError, match="'scores': 9, 'relevant': 2"):
            table(relevant=[1, 0])

    def test_scores_must_be_finite(self):
        with pytest.raises(JudgementError, match="1 scores are not finite"):
            table(scores=[np.nan, *SCORES[1:]])
