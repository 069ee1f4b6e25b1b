"""What is to be expected of pictures that nobody judged: against counting every case, and against simulated truth."""

import itertools

import numpy as np
import pytest

from cliplib.calibrate.relevance import RelevanceModel, Unjudged, _inverse, chances, relevance_features
from cliplib.calibrate.rules import Judged
from cliplib.calibrate.sampling import sample


def drawn(random, queries, pictures=400, size=6):
    """Scores as a real CLIP gives them, and the truth: two lists of arrays."""
    scores, truth = [], []
    for _ in range(queries):
        relevant = np.arange(pictures) < max(1, random.poisson(size))
        of = np.where(relevant, random.normal(0.27, 0.025, pictures), random.normal(0.20, 0.02, pictures))
        scores.append(of + random.normal(0, 0.015))
        truth.append(relevant)
    return scores, truth


def clicked(scores, truth, seed=0):
    samples = [sample(of, seed=seed + number) for number, of in enumerate(scores)]
    return Judged.of_samples(scores, samples, [of[one.rows] for of, one in zip(truth, samples, strict=True)])


class TestInverse:
    @pytest.mark.parametrize("known", [1, 2, 7])
    def test_it_is_the_mean_over_every_case(self, known):
        chance = np.array([0.9, 0.5, 0.3, 0.1, 0.05])
        exact = sum(
            np.prod(np.where(case, chance, 1 - chance)) / (known + sum(case))
            for case in itertools.product((False, True), repeat=5)
        )
        found = _inverse(np.array([float(known)]), np.array([chance.sum()]), np.array([(chance**2).sum()]))
        assert found == pytest.approx([exact], rel=0.03)

    def test_nothing_unjudged_leaves_what_is_known(self):
        assert _inverse(np.array([4.0, 0.0]), np.zeros(2), np.zeros(2)).tolist() == pytest.approx([0.25, 0])


class TestStandings:
    def test_a_shift_of_all_scores_of_a_query_changes_nothing(self):
        scores = np.random.default_rng(0).random(50)
        both = relevance_features(np.concatenate([scores, scores + 0.3]), np.repeat([0, 1], 50), np.ones(100))
        assert both[:50].ravel() == pytest.approx(both[50:].ravel())

    def test_the_rank_of_a_row_that_stands_for_many_is_their_middle_one(self):
        alone = relevance_features(np.array([0.0, 1.0, 2.0, 5.0]), np.zeros(4, int), np.array([1, 1, 2, 3.0]))
        assert np.exp(alone[:, 1]) == pytest.approx([7, 6, 4.5, 2])

    def test_a_study_of_clicks_sees_a_score_as_a_search_over_every_picture_does(self):
        """A search takes the median and its deviation of all scores; the study holds most of them in groups."""
        random = np.random.default_rng(0)
        scores = [random.normal(0.2, 0.02, 1000) for _ in range(20)]
        samples = [sample(of, seed=number) for number, of in enumerate(scores)]
        judged = Judged.of_samples(scores, samples, [np.arange(len(one)) < 3 for one in samples])
        far = [of - np.median(of) for of in scores]
        exact = [of[one.rows] / (1.4826 * np.median(np.abs(of))) for of, one in zip(far, samples, strict=True)]
        z = judged.expectation.features_of_judged[:, 0]
        high = z > 1
        ratio = z[high] / np.concatenate(exact)[high]
        assert ratio.mean() == pytest.approx(1, abs=0.01) and np.abs(ratio - 1).max() < 0.05


class TestRest:
    def test_many_pictures_are_few_rows_of_the_same_number_and_mean(self):
        scores = np.random.default_rng(0).random(5000)
        rest = Unjudged.of(np.append(scores, np.nan), 3)
        assert len(rest.scores) < 200 and rest.count.sum() == 5000 and set(rest.query) == {3}
        assert (rest.scores * rest.count).sum() == pytest.approx(scores.sum())
        assert rest.scores[:20].tolist() == sorted(scores, reverse=True)[:20]

    def test_few_stay_as_they_are(self):
        assert Unjudged.of(np.array([0.1, 0.3]), 0).scores.tolist() == [0.3, 0.1]
        assert len(Unjudged.of(np.empty(0), 0).scores) == 0


class TestModel:
    def test_the_gradient_is_that_of_the_likelihood(self):
        from cliplib.calibrate.relevance import _design_matrix, _Likelihood

        random = np.random.default_rng(0)
        likelihood = _Likelihood(
            _design_matrix(random.normal(2, 1, (40, 2))),
            random.random(40) < 0.4,
            np.repeat([0, 1, 2, 3], 10),
            random.random(40),
        )
        theta, step = np.array([0.3, 1.2, 0.1, 0.5, -0.2]), 1e-5 * np.eye(5)
        slopes = [(likelihood.loss(theta + one)[0] - likelihood.loss(theta - one)[0]) / 2e-5 for one in step]
        assert likelihood.loss(theta)[1] == pytest.approx(slopes, abs=1e-5)

    def test_it_finds_the_curve_that_made_the_data(self):
        random = np.random.default_rng(1)
        theta = np.array([-0.5, 2.0, 0.1, 0.6, np.log(0.8)])
        query = np.repeat(np.arange(200), 30)
        features = random.normal([2.5, 2.0], 1, (len(query), 2))
        logits = (
            theta[0]
            + theta[1] * (x := features[:, 0] - 3)
            + theta[2] * x**2
            - theta[3] * features[:, 1]
            + random.normal(0, 0.8, 200)[query]
        )
        relevant = random.random(len(query)) < 1 / (1 + np.exp(-logits))
        found = RelevanceModel.fit(features, relevant, query, np.ones(len(query)))
        assert found.theta == pytest.approx(theta, abs=0.25)
        assert chances(found.theta, np.array([[3.0, 1.0]])).shape == (11, 1)


class TestEstimates:
    def test_fifteen_clicks_a_query_tell_what_judging_all_would(self):
        random, cutoff = np.random.default_rng(2), np.array([0.255])
        wrong = []
        for seed in range(12):
            scores, truth = drawn(random, 20)
            every = Judged(np.concatenate(scores), np.concatenate(truth), np.repeat(np.arange(20), 400))
            sampled = clicked(scores, truth, 1000 * seed)
            wrong.append((sampled.rates(cutoff) - every.rates(cutoff))[:, 0].mean(0))
        assert np.abs(np.mean(wrong, axis=0)).max() < 0.03

    def test_a_query_left_after_its_top_pictures_does_not_read_a_recall_of_1(self):
        random = np.random.default_rng(3)
        scores, truth = drawn(random, 12, size=15)
        samples = [sample(of, seed=number) for number, of in enumerate(scores)]
        judged = Judged.of_samples(scores, samples, [of[one.rows] for of, one in zip(truth, samples, strict=True)])
        top = [
            type(one)(one.rows[:3], one.probability[:3], 3) if number == 0 else one
            for number, one in enumerate(samples)
        ]
        left = Judged.of_samples(scores, top, [of[one.rows] for of, one in zip(truth, top, strict=True)])
        lowest = np.array([left.scores[:3].min()])
        assert left.rates(lowest)[0, 0, 1] < 0.7
        assert left.rates(lowest)[0, 0, 1] == pytest.approx(judged.rates(lowest)[0, 0, 1], abs=0.2)

    def test_pictures_that_were_added_later_change_no_weight(self):
        scores, truth = drawn(np.random.default_rng(4), 10)
        judged = clicked(scores, truth)
        grown = Unjudged.joined(
            [judged.unjudged, Unjudged(np.full(10, 0.9), np.arange(10), np.ones(10))]
        )  # all at rank 1
        later = Judged(judged.scores, judged.relevant, judged.query, judged.weight, unjudged=grown)
        assert (later.weight == judged.weight).all() and later.weight[0] == 1
        change = later.rates(np.array([0.26])) - judged.rates(np.array([0.26]))
        assert np.abs(change[:, 0, 1]).max() < 0.35  # one more picture is right or not; no weight of 77 comes of it

    def test_a_second_model_is_not_worse_for_having_been_judged_on_the_pool_of_the_first(self):
        # both models are equally good, with errors of their own; the pictures were chosen by the first
        random, wrong = np.random.default_rng(5), {"first": [], "second": []}
        for study in range(10):
            first, truth = drawn(random, 20)
            second = [np.where(of, random.normal(0.27, 0.025, 400), random.normal(0.20, 0.02, 400)) for of in truth]
            samples = [sample(of, seed=100 * study + number) for number, of in enumerate(first)]
            answers = [of[one.rows] for of, one in zip(truth, samples, strict=True)]
            own = Judged.of_samples(first, samples, answers)
            pooled = Judged.of_samples(second, samples, answers)
            pooled = Judged(
                pooled.scores, pooled.relevant, pooled.query, pooled.weight, unjudged=pooled.unjudged, borrowed=True
            )
            for name, judged, scores in (("first", own, first), ("second", pooled, second)):
                every = Judged(np.concatenate(scores), np.concatenate(truth), np.repeat(np.arange(20), 400))
                found, true = (one.rates(np.array([0.25]))[:, 0, 1].mean() for one in (judged, every))
                wrong[name].append(found - true)
        assert abs(np.mean(wrong["first"])) < 0.06 and abs(np.mean(wrong["second"])) < 0.06
