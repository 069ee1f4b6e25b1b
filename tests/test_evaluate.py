"""The evaluation: how a video hit is judged, and that the shipped model reaches what is asked of it."""

import numpy as np
import pytest

from data.evaluation import evaluate
from data.match import drawn

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


class TestMatchInTheDrawnWorld:
    """What `data.match.drawn` counts, by hand: three pictures, of which each query wants one or two."""

    RIGHT = np.array([[True, False, True], [False, True, False]])

    def test_ranks_of_each_query(self):
        found = drawn.ranks(np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]]), self.RIGHT)
        assert found["map"] == pytest.approx([(1 / 1 + 2 / 3) / 2, 1 / 2])
        assert found["recall_at_5"].tolist() == [1, 1] and found["precision_at_5"] == pytest.approx([2 / 5, 1 / 5])

    def test_libraries_are_pooled_by_query_and_what_is_gained_has_an_interval(self):
        def library(*gained):
            plain = {f"plain_{name}": np.full(len(gained), 0.5) for name in drawn.NAMES}
            return plain | {name: 0.5 + np.array(gained) for name in drawn.NAMES} | {"noise_shown": np.ones(1)}

        figures = drawn.pooled([library(0.1, 0.3), library(0.2, 0.2, 0.2, 0.2)])
        assert figures["plain_f1"] == 0.5 and figures["f1"] == 0.7 and figures["noise_shown"] == 1
        low, high = figures["gained_f1"]
        assert 0.13 < low < 0.2 < high < 0.27
