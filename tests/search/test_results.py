"""Results: what Hits hold, print and turn into, and how answers are saved. Scores and pages have files of their own."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cliplib.index.report import IndexReport, Skipped
from cliplib.search.mode import Mode
from cliplib.search.moments import clock
from cliplib.search.query import Term
from cliplib.search.results import Cutoff, Hit, Scores
from tests.cache.test_rows import make


@pytest.fixture
def scores():
    table, _ = make(["a.jpg", "b/<img onerror=alert(1)>.jpg", "c.jpg"], width=4, height=3)
    return Scores("a dog", Mode.TEXT_TO_IMAGE, np.array([0.3, 0.2, np.nan], np.float32), table, Cutoff(0.25))


class TestHits:
    def test_prints_file_name_and_score(self, scores):
        assert " 0.300  a.jpg" in str(scores.top())

    def test_nothing_found_tells_the_nearest(self, scores):
        hits = scores.top(threshold=0.9)
        assert not hits and hits.nearest[0].path == "a.jpg"
        assert "Nothing reaches the threshold. The best scores 0.300, 0.600 too little." in str(hits)

    def test_nothing_compared_is_said(self, scores):
        hits = scores.filter(since="2999-01-01").top()
        assert hits.searched == 0 and "no row of the index passes the filters" in str(hits)

    def test_folded_hits_print_how_many_are_alike(self):
        assert str(Hit("a.jpg", 0.5, duplicates=("b.jpg", "c.jpg"))) == " 0.500  a.jpg  +2 alike"

    def test_to_frame_has_one_row_a_hit(self, scores):
        frame = scores.top(threshold=-1).to_frame()
        assert frame.columns.tolist() == ["path", "score", "time_s", "width", "height", "taken_at"]
        assert len(frame) == 2

    def test_to_frame_of_nothing_keeps_its_columns(self, scores):
        assert scores.top(threshold=0.9).to_frame().columns.tolist()[:2] == ["path", "score"]

    def test_is_a_sequence(self, scores):
        hits = scores.top(threshold=-1)
        assert [hit.path for hit in hits[:1]] == ["a.jpg"] and hits[0] in hits


class TestShown:
    def test_the_models_warning_is_on_every_answer(self, scores):
        engine = SimpleNamespace(warning="drawn & only", thumbnail=lambda hit: None, drive_link=lambda hit: None)
        shown = replace(scores, engine=engine, terms=(Term("image", "a.jpg"),)).top()
        assert "drawn &amp; only" in shown._repr_html_() and "drawn & only" in str(shown)

    def test_report_lists_what_was_skipped(self):
        report = IndexReport(2, 3, 1, [Skipped("<x>.jpg", "decode", "it is empty")])
        assert report.seen == 6
        assert "&lt;x&gt;.jpg" in report._repr_html_() and "it is empty" in str(report)


@pytest.mark.parametrize(
    ("seconds", "want"),
    [(0, "0:00.0"), (59.96, "1:00.0"), (61.5, "1:01.5"), (3600, "1:00:00.0"), (7325.25, "2:02:05.2")],
)
def test_clock(seconds, want):
    assert clock(seconds) == want


def test_a_hit_prints_its_time():
    assert str(Hit("v.mp4", 0.5, 61.5)) == " 0.500  v.mp4  at 1:01.5"
