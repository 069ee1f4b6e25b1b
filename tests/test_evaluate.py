"""The evaluation: how a video hit is judged, and that the shipped model reaches what is asked of it."""

import pytest

from data.evaluation import evaluate

TWO_EVENTS = "videos/a.mp4@2.0-5.0|videos/b.mp4@0.0-1.5"


@pytest.mark.parametrize(
    ("path", "time_s", "expected"),
    [
        ("videos/a.mp4", 3.0, True),
        ("videos/a.mp4", 1.0, True),  # one second of slack
        ("videos/a.mp4", 0.9, False),
        ("videos/a.mp4", 6.1, False),
        ("videos/b.mp4", 2.5, True),
        ("videos/c.mp4", 3.0, False),
    ],
)
def test_a_hit_counts_inside_an_event_or_within_one_second(path, time_s, expected):
    assert evaluate.inside_event(path, time_s, TWO_EVENTS) is expected


@pytest.mark.slow
def test_the_tiny_model_reaches_every_required_figure():
    measured = evaluate.evaluate(gallery=400)
    assert set(measured) == set(evaluate.REQUIRED)
    below = {name: measured[name] for name, (least, _) in evaluate.REQUIRED.items() if measured[name] < least}
    assert below == {}
