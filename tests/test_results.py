"""Results: what Scores and Hits hold, print and turn into; and their HTML."""

import numpy as np
import pytest

from cliplib.results import Hit, IndexReport, Scores, Skipped, clock
from tests.test_rows import make


@pytest.fixture
def scores():
    table, _ = make(["a.jpg", "b/<img onerror=alert(1)>.jpg", "c.jpg"], width=4, height=3)
    return Scores("a dog", "text->image", np.array([0.3, 0.2, np.nan], np.float32), table, threshold=0.25)


class TestScores:
    def test_top_uses_the_librarys_threshold_unless_told(self, scores):
        assert [hit.path for hit in scores.top()] == ["a.jpg"]
        assert len(scores.top(threshold=-1)) == 2
        assert len(scores.top(k=1, threshold=-1)) == 1

    def test_hits_carry_the_facts_of_their_rows(self, scores):
        hit = scores.top()[0]
        assert (hit.path, hit.time_s, hit.width, hit.height) == ("a.jpg", None, 4, 3)
        assert hit.score == pytest.approx(0.3)

    def test_to_frame_is_sorted_and_keeps_every_row(self, scores):
        frame = scores.to_frame()
        assert frame["path"].tolist()[0] == "a.jpg" and len(frame) == 3


class TestHits:
    def test_prints_file_name_and_score(self, scores):
        assert " 0.300  a.jpg" in str(scores.top())

    def test_nothing_found_tells_the_nearest(self, scores):
        hits = scores.top(threshold=0.9)
        assert not hits and hits.nearest[0].path == "a.jpg"
        assert "Nothing reaches the threshold" in str(hits)

    def test_to_frame_has_one_row_a_hit(self, scores):
        frame = scores.top(threshold=-1).to_frame()
        assert frame.columns.tolist() == ["path", "score", "time_s", "width", "height", "taken_at"]
        assert len(frame) == 2

    def test_to_frame_of_nothing_keeps_its_columns(self, scores):
        assert scores.top(threshold=0.9).to_frame().columns.tolist()[:2] == ["path", "score"]

    def test_is_a_sequence(self, scores):
        hits = scores.top(threshold=-1)
        assert [hit.path for hit in hits[:1]] == ["a.jpg"] and hits[0] in hits


class TestHtml:
    def test_fault_15_names_are_escaped(self, scores):
        page = scores.top(threshold=-1)._repr_html_()
        assert "<img onerror" not in page and "&lt;img onerror" in page

    def test_pictures_are_the_thumbnails(self, scores):
        shown = Scores(**{**vars(scores), "thumbnail": lambda hit: b"jpeg"}).top()._repr_html_()
        assert "data:image/jpeg;base64,anBlZw==" in shown

    def test_nothing_found_is_said_and_greyed(self, scores):
        assert 'class="grid below"' in scores.top(threshold=0.9)._repr_html_()

    def test_the_banner_is_on_every_answer(self, scores):
        shown = Scores(**{**vars(scores), "banner": "drawn & only"}).top()
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
