"""The evaluation of composed queries: the truth of each form, the measure, and what the shipped model reaches."""

import numpy as np
import pytest

from cliplib import models
from data.evaluation import composed
from data.world import scenes


@pytest.fixture(scope="module")
def queries():
    rng = np.random.default_rng(0)
    drawn = [scenes.random_scene(rng, held_out_only=True) for _ in range(600)]
    pictures = [f"{number}.jpg" for number in range(600)]
    return drawn, composed.composed_queries(rng, drawn, pictures, 30)


def of_form(queries, form):
    drawn, made = queries
    found = [one for one in made if one.form == form]
    assert len(found) == 10
    return drawn, found


class TestTruth:
    def test_a_thing_less_a_place_is_the_thing_elsewhere(self, queries):
        drawn, found = of_form(queries, "thing - place")
        for one in found:
            (thing, place), kind = (term.value for term in one.query.terms), one.plain.split()[-1]
            assert thing.endswith(kind) and one.query.terms[1].factor == -0.5
            for scene, true in zip(drawn, one.true, strict=True):
                there = scene.place in place
                assert true == (any(part.kind == kind for part in scene.things) and not there)

    def test_a_photo_plus_a_word_is_its_thing_in_that_weather(self, queries):
        drawn, found = of_form(queries, "photo + word")
        for one in found:
            photo = drawn[one.photo]
            assert one.query.terms[0].value == f"{one.photo}.jpg" and not one.true[one.photo]
            (weather,) = {scene.weather for scene, true in zip(drawn, one.true, strict=True) if true}
            assert weather in scenes.WEATHERS and weather != photo.weather
            hits = [scene for scene, true in zip(drawn, one.true, strict=True) if true]
            assert len(hits) >= 5 and all(photo.things[0].kind in [t.kind for t in scene.things] for scene in hits)


class TestMeasure:
    def test_precision_leaves_the_photo_out(self):
        true = np.array([True, True, False, False, True, True, False])
        scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
        for photo, want in ((None, 3 / 5), (0, 3 / 5), (2, 4 / 5)):
            one = composed.Composed("", None, "", true, photo)
            assert composed.precision(scores, one) == pytest.approx(want)

    def test_interval_of_a_mean_agrees_with_the_normal_one(self):
        differences = np.random.default_rng(1).normal(0.3, 0.2, 400)
        low, high = composed.bootstrap_interval(differences, np.random.default_rng(2))
        half = 1.96 * differences.std() / np.sqrt(400)
        assert (low, high) == pytest.approx((differences.mean() - half, differences.mean() + half), abs=0.002)


@pytest.mark.slow
def test_composed_queries_of_the_tiny_model_reach_what_is_asked():
    measured = composed.composed_figures(models.load("tiny"), gallery=400)
    assert measured["precision_at_5"] >= composed.LEAST
    assert measured["difference_interval_95"][0] > 0
