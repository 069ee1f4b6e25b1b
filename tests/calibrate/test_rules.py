"""Every rule against a table worked by hand, with ties and single classes; every metric against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from cliplib.calibrate import rules
from cliplib.calibrate.relevance import Unjudged
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
        assert rules.at_share(Judged([0.2, 0.5], [0, 1], [0, 0]), 0.8) == pytest.approx([0.4])
        assert rules.at_share(Judged([-0.2, -0.1], [0, 1], [0, 0]), 0.8) == [-0.1]  # a best under 0 is accepted alone

    def test_largest_gap(self):
        assert rules.at_largest_gap(table())[0] == pytest.approx(0.20)  # between .30 and .10
        assert rules.at_largest_gap(Judged([0.5, 0.25, 0.0], [1, 0, 0], [0] * 3)) == [0.375]  # equal gaps: the highest
        assert rules.at_largest_gap(Judged([0.4], [1], [0])) == [0.4]

    def test_share_above_the_floor_shows_nothing_for_what_finds_only_noise(self):
        noisy = table(noise=[0.3] * 20)
        share = rules.share_above_floor(noisy)
        assert RULES["share above floor"].cutoffs(noisy, share)[2] > 0.30 > noisy.best[2]
        assert (RULES["share above floor"].cutoffs(noisy, 0.9)[:2] == 0.9 * noisy.best[:2]).all()

    def test_miss_at_most_by_hand(self):
        # nine queries with one relevant picture at .9, .8 ... .1: accepting m of them misses 1 - m/9 on average, and
        # (9/10)(1 - m/9) + 1/10 is at most 0.2 for m = 8: the cutoff lies below .2
        scores = np.arange(9, 0, -1) / 10
        judged = Judged(scores, [1] * 9, np.arange(9))
        assert rules.miss_at_most(judged) == pytest.approx(0.15)
        with pytest.raises(JudgementError, match="3 judged queries cannot promise .* judge at least 4"):
            rules.miss_at_most(table())

    def test_miss_at_most_keeps_its_promise_on_new_queries(self):
        random = np.random.default_rng(0)
        draw = lambda q: Judged(random.normal(0, 1, 3 * q), [1] * 3 * q, np.repeat(np.arange(q), 3))  # noqa: E731
        other = draw(4000)
        missed = [1 - other.rates(np.array([rules.miss_at_most(draw(12))]))[:, 0, 1].mean() for _ in range(200)]
        assert 0.10 < np.mean(missed) <= 0.20

    def test_per_query_rules_cut_each_query_apart(self):
        assert RULES["share of best"].cutoffs(table(), 0.8).tolist() == pytest.approx([0.40, 0.36, 0.20])
        assert RULES["largest gap"].cutoffs(table(), 0.0).tolist() == pytest.approx([0.20, 0.275, 0.20])
        assert RULES["paper"].cutoffs(table(), 0.3).tolist() == [0.3, 0.3, 0.3]

    def test_every_rule_names_its_source(self):
        assert all(rule.source and rule.meaning for rule in RULES.values())
        assert list(RULES)[:3] == list(rules.MAIN_RULES) == ["paper", "best F1", "noise floor"]


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
            cutoff = random.random()
            ours = rates(*counts(Judged(scores, relevant, np.zeros(n)), np.array([cutoff])))
            theirs = metrics.precision_recall_fscore_support(
                relevant, scores >= cutoff, average="binary", zero_division=1.0
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


class TestSampled:
    """Of three queries some pictures were judged; the rest is known by its scores."""

    def sampled(self):
        rest = Unjudged(
            np.array([0.12, 0.11, 0.05, 0.12, 0.10, 0.04, 0.10, 0.08]),
            np.array([0] * 3 + [1] * 3 + [2] * 2),
            np.ones(8),
        )
        return table(weight=[1, 1, 2, 2] + [1] * 5, unjudged=rest)

    @pytest.mark.parametrize("name", ["paper", "largest gap"])
    def test_rules_that_the_choice_of_pictures_decides_refuse(self, name):
        with pytest.raises(JudgementError, match="needs every picture judged: of a sample, the .* depends on which"):
            RULES[name].fit(self.sampled())

    def test_the_others_can_be_fitted_and_cut_where_they_would_if_all_were_judged(self):
        # the unjudged ones score far below: nothing is to be expected of them, so little influence
        judged = self.sampled()
        assert rules.best_f1(judged) == pytest.approx(0.325)
        assert rules.youden(judged) == pytest.approx(0.325)
        assert RULES["share of best"].fit(judged) == pytest.approx(rules.share_of_best(table()), abs=0.02)

    def test_what_was_judged_is_a_fact_and_the_rest_lowers_recall_alone(self):
        judged, cutoff = self.sampled(), np.array([0.35])
        sampled, whole = judged.rates(cutoff)[:, 0], table().rates(cutoff)[:, 0]
        assert sampled[:, 0] == pytest.approx(whole[:, 0])  # above the cutoff all are judged
        assert (sampled[:2, 1] < whole[:2, 1]).all() and (sampled[:, 1] > 0.5).all()

    def test_part_of_the_queries_keeps_what_all_of_them_say(self):
        judged = self.sampled()
        part = judged.of([1, 2])
        assert part.rates(np.array([0.3])) == pytest.approx(judged.rates(np.array([0.3]))[1:])

    def test_values_have_the_mean_of_the_rates(self):
        judged = self.sampled()
        assert judged.values(np.full(3, 0.3)).mean(0) == pytest.approx(judged.rates(np.array([0.3]))[:, 0].mean(0))

    def test_a_weight_under_one_is_refused(self):
        with pytest.raises(JudgementError, match="a weight is one over a probability"):
            table(weight=[0.5] + [1] * 8)


class TestChecks:
    def test_columns_must_have_one_length(self):
        with pytest.raises(JudgementError, match="'scores': 9, 'relevant': 2"):
            table(relevant=[1, 0])

    def test_scores_must_be_finite(self):
        with pytest.raises(JudgementError, match="1 scores are not finite"):
            table(scores=[np.nan, *SCORES[1:]])
