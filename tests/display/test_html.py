"""What results look like: names are text, pictures are data, and the numbers drawn are the numbers meant."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cliplib.cache import rows as rows_
from cliplib.display.html import hits_html, player_html, plot_html, save_html, scores_html, tile_html
from cliplib.display.scale import Scale
from cliplib.display.style import STYLE
from cliplib.index.report import IndexContents, IndexReport, Skipped
from cliplib.search.mode import Mode
from cliplib.search.moments import Moment
from cliplib.search.results import Cutoff, Hit, Hits, Matching, Scores

NASTY = '<img src=x onerror="alert(1)">/<script>alert(2)</script>.jpg'
ENGINE = SimpleNamespace(warning=NASTY, thumbnail=lambda hit: None, drive_link=lambda hit: None)


def scores_of(values, threshold=0.25, paths=None, engine=None):
    """Scores of photos with these cosines."""
    records = [
        {"path": path, "kind": "image", "digest": path} for path in paths or map("p{}.jpg".format, range(len(values)))
    ]
    rows = rows_.table(records, np.eye(len(values), 4, dtype=np.float32))
    values = np.array(values, np.float32)
    return Scores("a dog", Mode.TEXT_TO_IMAGE, values, rows, Cutoff(threshold), engine=engine)


def hits_of(*hits, threshold=0.25, **options):
    return Hits("a dog", Mode.TEXT_TO_IMAGE, threshold, hits, searched=9, **options)


def bars(page):
    """Left edge, height of every bar of a plot, and where its line stands."""
    rects = re.findall(r'<rect x="(\d+)" y="[\d.]+" width="\d+" height="([\d.]+)"', page)
    return [(int(x), float(tall)) for x, tall in rects], int(re.search(r'<line x1="(\d+)"', page)[1])


class TestNames:
    @pytest.mark.parametrize(
        "show",
        [
            lambda: hits_html(hits_of(Hit(NASTY, 0.5, duplicates=(NASTY,)))),
            lambda: hits_html(Hits(NASTY, Mode.TEXT_TO_IMAGE, 0.5, (), (Hit(NASTY, 0.1),), searched=1)),
            lambda: hits_html(scores_of([0.5], engine=ENGINE).top()),
            lambda: scores_html(scores_of([0.5], paths=[NASTY])),
            lambda: player_html(Moment(NASTY, 0, 1, 0, 0.3)),
            lambda: Moment(NASTY, 0, 1, 0, 0.3)._repr_html_(),
            lambda: IndexReport(
                0, 0, 0, [Skipped(NASTY, NASTY, NASTY)], holds=IndexContents(NASTY), problems=[NASTY]
            )._repr_html_(),
            lambda: tile_html(Hit("a.jpg", 0.1), None, link=f"https://{NASTY}"),
        ],
    )
    def test_fault_15_are_text_everywhere(self, show):
        """HTML or control characters in a file's name: shown as text in notebooks and CSV."""
        page = show()
        assert "&lt;script&gt;" in page
        assert "<script" not in page and "<img src=x" not in page and 'onerror="' not in page

    def test_a_saved_page_holds_them_as_text_and_runs_no_script(self, tmp_path):
        save_html(hits_html(hits_of(Hit(NASTY, 0.5))), tmp_path / "page.html")
        page = (tmp_path / "page.html").read_text()
        assert "<script" not in page and "&lt;script&gt;" in page and page.startswith("<!doctype html>")
        assert "default-src 'none'" in page and "script-src" not in page


class TestTile:
    def test_the_picture_lies_in_the_page_and_has_a_name(self):
        page = tile_html(Hit("trips/sea.jpg", 0.5), b"jpeg")
        assert '<img alt="sea.jpg" src="data:image/jpeg;base64,anBlZw==">' in page
        assert "<small>trips</small>" in page

    def test_without_a_thumbnail_it_says_so(self):
        assert "no preview" in tile_html(Hit("sea.jpg", 0.5), None)

    def test_the_bar_says_how_good_it_is_in_this_answer_and_the_cosine_stands_beside(self):
        page = tile_html(Hit("sea.jpg", 0.5), None, Scale(0.3, 0.5, 0.9))
        assert "width:33.3%" in page and "fair" in page and "cosine 0.500" in page and "cutoff 0.50" in page
        assert "width:0.0%" in tile_html(Hit("sea.jpg", -0.3), None, Scale(0.3, 0.5, 0.9))

    def test_where_any_score_passes_no_cutoff_is_named(self):
        page = hits_html(hits_of(Hit("sea.jpg", 0.375), threshold=-1))
        assert "1 shown of 9 photos compared</small>" in page
        assert "compared, cosine 0.25 or more</small>" in hits_html(hits_of(Hit("sea.jpg", 0.375)))
        assert "compared, match 0.25 or more</small>" in hits_html(hits_of(Hit("sea.jpg", 0.375), scale="match"))

    def test_a_fold_counts_what_it_took_in_and_names_it(self):
        page = tile_html(Hit("sea.jpg", 0.5, duplicates=tuple(f"{i}.jpg" for i in range(8))), None)
        assert "+8 alike" in page and "0.jpg\n1.jpg" in page
        assert "alike" not in tile_html(Hit("sea.jpg", 0.5), None)

    def test_a_link_leads_to_drive_in_a_window_of_its_own(self):
        page = tile_html(Hit("sea.jpg", 0.5), None, link="https://drive.google.com/file/d/1/view")
        assert (
            '<a href="https://drive.google.com/file/d/1/view" target="_blank" rel="noopener">Open in Drive</a>' in page
        )
        assert "Drive" not in tile_html(Hit("sea.jpg", 0.5), None)


class TestNothingFound:
    def test_says_how_far_the_best_is_and_greys_it(self):
        page = hits_html(scores_of([0.1, 0.2]).top())
        assert "The best scores 0.200, 0.050 too little" in page and 'class="grid below"' in page
        assert page.index("p1.jpg") < page.index("p0.jpg")

    def test_says_when_the_filters_leave_nothing(self):
        page = hits_html(scores_of([0.1, 0.2]).filter(since="2999-01-01").top())
        assert "no row of the index passes the filters" in page and "<figure" not in page

    def test_says_nothing_when_something_passes(self):
        assert "Nothing" not in hits_html(scores_of([0.3]).top())


class TestPlot:
    def test_each_bar_stands_for_the_scores_in_its_stretch(self):
        # 48 bars of 0.01 from 0.10 to 0.58: 0.02 beyond the threshold and the best; heights are roots of counts
        drawn, line = bars(plot_html(scores_of([0.125, 0.126, 0.124, 0.127, 0.56], threshold=0.12)))
        assert [tall for _, tall in drawn] == pytest.approx([60, 30])  # 4 and 1
        assert drawn[0][0] == 20 and drawn[1][0] in (450, 460)  # 0.56 lies on the edge between two
        assert line == 20

    def test_is_said_in_words_too(self):
        assert 'aria-label="3 scores from 0.10 to 0.30; cutoff 0.25"' in plot_html(scores_of([0.1, 0.2, 0.3]))

    def test_shows_what_ranks(self):
        matching = Matching(np.array([-0.1, 0.2], np.float32), lambda matches: 0.125)
        page = plot_html(replace(scores_of([0.1, 0.3]), matching=matching))
        assert 'aria-label="2 matches from -0.10 to 0.20; cutoff 0.12"' in page

    def test_rows_that_may_not_be_found_are_left_out(self):
        assert 'aria-label="1 scores' in plot_html(scores_of([0.1, np.nan]))
        assert plot_html(scores_of([np.nan])) == ""

    def test_scores_show_it_over_their_best(self):
        page = scores_of([0.1, 0.3])._repr_html_()
        assert page.index("<svg") < page.index("p1.jpg") and "p0.jpg" not in page


class TestStyle:
    def test_is_small(self):
        assert len(STYLE) < 9_000

    def test_a_saved_page_says_its_language_and_has_one_heading(self, tmp_path):
        save_html(hits_html(hits_of()), tmp_path / "page.html")
        page = (tmp_path / "page.html").read_text()
        assert '<html lang="en">' in page and page.count("<h1>") == 1

    def test_a_saved_page_is_readable_on_a_dark_system(self, tmp_path):
        save_html(hits_html(hits_of()), tmp_path / "page.html")
        assert '<meta name="color-scheme" content="light dark">' in (tmp_path / "page.html").read_text()
