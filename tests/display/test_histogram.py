"""The histogram: bars, line and numbers worked out by hand."""

import re

import numpy as np
import pytest

from cliplib.display.histogram import BINS, TALLEST, histogram_svg


def bars(svg: str) -> list[tuple[int, float]]:
    """(place, height) of each bar."""
    return [
        (int(x) // 10, float(tall))
        for x, tall in re.findall(r'<rect x="(\d+)" y="[\d.]+" width="9" height="([\d.]+)"', svg)
    ]


def test_a_bar_is_as_tall_as_the_root_of_its_count():
    scores = np.array([0.0] * 4 + [0.99])  # four in the first bin of [0, 1], one in the last
    assert bars(histogram_svg(scores, (0, 1), 0.5, "scores")) == [(0, TALLEST), (BINS - 1, TALLEST / 2)]


@pytest.mark.parametrize(("cutoff", "at"), [(0.5, 240), (0.25, 120), (-3, 0), (7, 480)])
def test_the_line_stands_at_the_cutoff_or_at_the_nearest_edge(cutoff, at):
    assert f'<line x1="{at}" y1="0" x2="{at}"' in histogram_svg(np.array([0.1]), (0, 1), cutoff, "scores")


def test_a_second_group_hangs_from_the_line_and_shares_the_scale():
    svg = histogram_svg(np.array([0.0] * 4), (0, 1), 0.5, "scores", lower=np.array([0.99]))
    assert bars(svg) == [(0, TALLEST), (BINS - 1, TALLEST / 2)] and svg.count('y="66.0"') == 1


def test_no_scores_give_no_bars_and_words_are_text():
    svg = histogram_svg(np.array([]), (0, 1), 0.5, '"><script>')
    assert bars(svg) == [] and "<script" not in svg
