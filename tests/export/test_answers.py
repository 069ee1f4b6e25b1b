"""Answers as tables and pages: numbers stay numbers, names stay text."""

import csv

import numpy as np
import pytest

from cliplib.errors import QueryError
from cliplib.search.mode import Mode
from cliplib.search.results import Cutoff, Scores
from tests.cache.test_rows import make


@pytest.fixture
def scores():
    table, _ = make(["a.jpg", "b/<img onerror=alert(1)>.jpg", "c.jpg"], width=4, height=3)
    return Scores("a dog", Mode.TEXT_TO_IMAGE, np.array([0.3, 0.2, np.nan], np.float32), table, Cutoff(0.25))


class TestSaving:
    def test_csv_has_a_row_a_hit_and_numbers_stay_numbers(self, scores, tmp_path):
        scores.values[:2] = -0.25, -0.5
        file = scores.top(threshold=-1).save(tmp_path / "found.csv")
        assert file.read_bytes().startswith(b"\xef\xbb\xbfpath,")  # or Excel takes UTF-8 for something else
        with open(file, newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.reader(lines))
        assert rows[0] == ["path", "score", "time_s", "width", "height", "taken_at"]
        assert [row[:2] for row in rows[1:]] == [["a.jpg", "-0.25"], ["b/<img onerror=alert(1)>.jpg", "-0.5"]]

    @pytest.mark.parametrize(
        ("name", "want"),
        [
            ("=HYPERLINK(1).jpg", "'=HYPERLINK(1).jpg"),
            ("+a/b.jpg", "'+a/b.jpg"),
            ("-a.jpg", "'-a.jpg"),
            ("@sum.jpg", "'@sum.jpg"),
            ("\t=1+1.jpg", "\\x09=1+1.jpg"),
            (" =1+1.jpg", "' =1+1.jpg"),
            ("a\r\nb\x1b[31m.jpg", "a\\x0d\\x0ab\\x1b[31m.jpg"),
            ('a "b", c.jpg', 'a "b", c.jpg'),
            ("a=b-c é 日本.jpg", "a=b-c é 日本.jpg"),
        ],
    )
    def test_fault_15_csv_holds_no_formula_and_no_control_character(self, tmp_path, name, want):
        """HTML or control characters in a file's name: shown as text in notebooks and CSV."""
        table, _ = make([name])
        hits = Scores("a dog", Mode.TEXT_TO_IMAGE, np.array([0.3], np.float32), table, Cutoff(0.25)).top()
        with open(hits.save(tmp_path / "found.csv"), newline="", encoding="utf-8-sig") as lines:
            assert list(csv.reader(lines))[1][0] == want

    def test_html_is_one_page_with_everything_in_it(self, scores, tmp_path):
        page = scores.top().save(tmp_path / "found.html").read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>") and "a.jpg" in page and 'src="http' not in page

    def test_refuses_another_ending(self, scores, tmp_path):
        with pytest.raises(QueryError, match=r"found.xlsx.*end in .csv or .html"):
            scores.top().save(tmp_path / "found.xlsx")
