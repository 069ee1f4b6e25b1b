"""Moments: the rule on small tables worked by hand, and what a library's scores make of it."""

import dataclasses
import shutil
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import cliplib
from cliplib.errors import QueryError
from cliplib.search.moments import Moment, best_stretches, step_s, stretches
from cliplib.search.results import Cutoff
from tests.harness.libraries import draw_picture, draw_video


def found(scores, times_s=None, **options):
    """(start, end, peak) of the stretches in scores one second apart, of a video as long as there are scores."""
    times_s = range(len(scores)) if times_s is None else times_s
    facts = {"threshold": 0.3, "duration_s": float(len(scores)), "every_s": 1.0} | options
    return [(one.start_s, one.end_s, one.peak_s) for one in stretches(times_s, scores, **facts)]


class TestStretches:
    def test_edges_lie_at_the_midpoints_between_samples(self):
        assert found([0, 0, 0.31, 0.4, 0.35, 0, 0]) == [(1.5, 4.5, 3)]

    def test_one_sample_makes_a_stretch(self):
        assert found([0, 0, 0.3, 0, 0]) == [(1.5, 2.5, 2)]

    def test_the_first_edge_of_a_video_is_its_first_sample(self):
        assert found([0.4, 0.4, 0, 0], times_s=[3.2, 4, 5, 6], duration_s=6.5) == [(3.2, 4.5, 3.2)]

    def test_the_last_edge_of_a_video_is_its_end(self):
        assert found([0, 0, 0.4], duration_s=2.6) == [(1.5, 2.6, 2)]

    def test_a_video_that_could_not_be_decoded_to_its_end_ends_one_interval_after_the_last_sample(self):
        assert found([0, 0, 0.4], duration_s=100) == [(1.5, 3.0, 2)]

    def test_a_frame_that_stands_lasts_until_the_next_begins_and_the_last_until_the_end(self):
        slides = {"times_s": [0, 10, 40], "duration_s": 60, "lengths_s": [10, 30, 20]}
        assert found([0, 0.4, 0], **slides) == [(10, 40, 10)]
        assert found([0, 0, 0.4], **slides) == [(40, 60, 40)]
        assert found([0.4, 0, 0], **slides) == [(0, 10, 0)]

    def test_ordinary_frames_and_lengths_that_are_not_known_change_nothing(self):
        scores = [0, 0, 0.4, 0, 0.4]
        for lengths_s in ([0.04] * 5, [np.nan] * 5):
            assert found(scores, lengths_s=lengths_s, gap_s=0) == found(scores, gap_s=0)

    def test_lasts_while_scores_stay_a_little_under_the_threshold(self):
        assert found([0, 0.285, 0.31, 0.285, 0.27, 0]) == [(0.5, 3.5, 2)]

    def test_needs_one_score_of_the_threshold(self):
        assert found([0, 0.29, 0.29, 0]) == []

    def test_one_missed_sample_tears_nothing(self):
        assert found([0, 0.4, 0.1, 0.5, 0, 0]) == [(0.5, 3.5, 3)]

    def test_two_missed_samples_do(self):
        assert found([0, 0.4, 0.1, 0.1, 0.5, 0]) == [(0.5, 1.5, 1), (3.5, 4.5, 4)]

    def test_one_missed_sample_tears_nothing_at_29_97_frames_a_second(self):
        assert len(found([0, 0.4, 0.1, 0.5, 0], times_s=np.arange(5) * 1.001)) == 1

    @pytest.mark.parametrize(("gap_s", "count"), [(0, 2), (1.9, 2), (2, 1), (30, 1)])
    def test_gap_s_is_the_longest_hole_between_edges(self, gap_s, count):
        assert len(found([0, 0.4, 0.1, 0.1, 0.5, 0], gap_s=gap_s)) == count

    def test_a_hole_ends_at_a_stretch_and_not_at_a_score_just_under_the_threshold(self):
        assert found([0.4, 0.1, 0.29, 0.1]) == [(0, 0.5, 0)]

    def test_nan_is_under_every_threshold(self):
        assert found([np.nan, 0.4, np.nan, np.nan], threshold=-1) == [(0.5, 1.5, 1)]

    def test_of_equal_peaks_the_first_counts(self):
        assert found([0, 0.4, 0.4, 0])[0][2] == 1

    def test_no_samples_have_no_stretches(self):
        assert found([]) == []

    @pytest.mark.parametrize("gap_s", [-1, float("nan"), float("inf")])
    def test_refuses_a_gap_that_is_no_length(self, gap_s):
        with pytest.raises(QueryError, match=r"gap_s is .*: give the seconds"):
            found([0.4], gap_s=gap_s)


class TestBestStretches:
    def test_come_from_all_videos_best_first(self):
        videos = np.array([7, 7, 7, 7, 2, 2])
        times_s, scores = np.array([0, 1, 2, 3, 0, 1.0]), np.array([0.35, 0, 0, 0.32, 0, 0.5])
        best = best_stretches(videos, videos, times_s, scores, np.full(6, 4.0), np.ones(6), k=2, threshold=0.3)
        assert [(row, one.start_s, one.end_s, one.score) for row, one in best] == [(4, 0.5, 2, 0.5), (0, 0, 0.5, 0.35)]

    def test_rows_may_come_in_any_order(self):
        order = np.array([3, 0, 2, 1])
        scores = np.array([0, 0.4, 0.4, 0])[order]
        video = np.zeros(4)
        best = best_stretches(video, video, order.astype(float), scores, np.full(4, 4.0), np.ones(4), 5, 0.3)
        assert [(one.start_s, one.end_s) for _, one in best] == [(0.5, 2.5)]

    @pytest.mark.parametrize(("hidden", "row"), [([], 0), ([0, 1], 2), ([0, 1, 2, 3], 4)])
    def test_of_copies_the_first_that_may_be_found_counts(self, hidden, row):
        videos, times_s, scores = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1.0] * 3), np.array([0.4, 0] * 3)
        scores[hidden] = np.nan
        best = best_stretches(videos, np.zeros(6), times_s, scores, np.full(6, 2.0), np.ones(6), 5, 0.3)
        assert [(found, one.start_s) for found, one in best] == [(row, 0)]

    def test_no_rows_have_none(self):
        empty = np.empty(0)
        assert best_stretches(empty, empty, empty, empty, empty, empty, 5, 0.3) == []


class TestStep:
    def test_lies_between_the_two_levels(self):
        assert step_s([0, 0.1, 0.2, 0.3], [0.1, 0.1, 0.5, 0.5]) == pytest.approx(0.15)

    def test_one_odd_frame_does_not_move_it(self):
        assert step_s([0, 1, 2, 3, 4, 5, 6], [0.1, 0.3, 0.1, 0.1, 0.5, 0.4, 0.5]) == 3.5

    def test_lies_where_a_frame_that_stood_ended(self):
        assert step_s([0, 10, 40], [0.1, 0.5, 0.5], [10, 30, 1]) == 10
        assert step_s([0, 10, 40], [0.1, 0.1, 0.5], [10, 30, 1]) == 40

    def test_needs_two_frames(self):
        assert step_s([1], [0.5]) is None


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    root = tmp_path_factory.mktemp("library")
    draw_picture(root / "p.jpg", 0)
    for seed in (1, 2):
        draw_video(root / f"v{seed}.mp4", seed, seconds=5)
    library = cliplib.Library(root, model=weights)
    library.index(progress=False)
    return library


@pytest.fixture(scope="module")
def scores(library):
    """Of the picture that v1.mp4 shows in its second 2, which is `draw_video`'s picture number 1002.

    To random weights all pictures are much alike, so the best score is set to 0.4 and the others to 0.
    """
    still = draw_picture(library.root.parent / "query.jpg", 1002, quality=95)
    scores = library.score(still, "frame", "cosine")
    best = scores.values == scores.values.max()
    return dataclasses.replace(scores, values=np.where(best, 0.4, 0).astype(np.float32), cutoff=Cutoff(0.3))


class TestOfALibrary:
    def test_finds_the_second_that_shows_the_query(self, scores):
        best = scores.moments()[0]
        assert (best.path, best.peak_s) == ("v1.mp4", pytest.approx(2))
        assert (best.start_s, best.end_s) == (pytest.approx(1.5), pytest.approx(2.5))

    def test_refinement_moves_the_edges_to_the_true_ones(self, scores):
        best = scores.moments(refine=True)[0]
        assert (best.start_s, best.end_s) == (pytest.approx(2, abs=0.11), pytest.approx(3, abs=0.11))

    def test_none_overlap(self, library):
        scores = library.score("a dog", kind="frame")
        moments = scores.moments(k=50, threshold=float(np.median(scores.values)), gap_s=0)
        pairs = [(one, other) for one, other in combinations(moments, 2) if one.path == other.path]
        assert pairs
        assert all(one.end_s <= other.start_s or other.end_s <= one.start_s for one, other in pairs)

    def test_hits_have_the_same(self, library):
        hits = library.search_videos("a dog", k=1, threshold=-0.9)
        assert hits.moments() == library.score("a dog", kind="frame").moments(threshold=-0.9)

    def test_a_threshold_under_all_scores_gives_whole_videos(self, scores):
        moments = scores.moments(threshold=-1)
        assert sorted((m.path, m.start_s, m.end_s) for m in moments) == [("v1.mp4", 0, 5), ("v2.mp4", 0, 5)]

    def test_photos_have_none(self, library):
        with pytest.raises(QueryError, match="scores of photos: ask kind='frame'"):
            library.score("a dog").moments()

    def test_refuses_k_of_nothing(self, scores):
        with pytest.raises(QueryError, match="k is 0"):
            scores.moments(k=0)

    def test_nothing_found_is_said(self, scores):
        none = scores.moments(threshold=1)
        assert len(none) == 0 and "Nothing reaches the threshold; the best frame scores" in str(none)
        assert "Nothing reaches" in none._repr_html_()

    def test_nothing_compared_is_said(self, scores):
        none = scores.filter(since="2999-01-01").moments()
        assert "Nothing was compared" in str(none) and "Nothing was compared" in none._repr_html_()

    def test_a_video_in_two_folders_is_found_once(self, library, tmp_path):
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            shutil.copy(library.root / "v1.mp4", tmp_path / folder / "v.mp4")
        twice = cliplib.Library(tmp_path, model=library.model)
        twice.index(progress=False)
        scores = twice.score("a dog", kind="frame")
        assert len(scores) == 10 and len(scores.moments(threshold=-1)) == 1
        for folder in ("a", "b"):
            (moment,) = scores.filter(folder=folder).moments(threshold=-1)
            assert moment.path == f"{folder}/v.mp4"

    def test_saves_as_a_table_and_as_a_page_that_plays(self, scores, tmp_path):
        moments = scores.moments(k=1)
        table = pd.read_csv(moments.save(tmp_path / "found.csv"))
        assert table.loc[0, ["path", "peak_s"]].tolist() == ["v1.mp4", pytest.approx(2)]
        page = moments.save(tmp_path / "found.html").read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>") and page.count("<video controls") == 1

    def test_one_alone_carries_the_models_warning(self, library, scores, monkeypatch):
        monkeypatch.setattr(library.encoder, "warning", "drawn & only")
        assert "drawn &amp; only" in scores.moments()[0]._repr_html_()

    def test_prints_and_makes_a_table(self, scores):
        moments = scores.moments(threshold=-1)
        assert "v1.mp4  0:00.0 to 0:05.0, best" in str(moments)
        assert moments.to_frame().columns.tolist() == ["path", "start_s", "end_s", "peak_s", "score"]

    def test_edges_stay_with_a_warning_where_the_video_is_gone(self, library, tmp_path):
        other = cliplib.Library(tmp_path, model=library.model, cache=library.cache)
        with pytest.warns(UserWarning, match=r"the edges in v\d.mp4 stay as they are: cannot be read"):
            moments = other.score("a dog", kind="frame").moments(k=1, threshold=-1, refine=True)
        assert moments[0].end_s == 5


class TestMoment:
    def test_prints_its_times(self):
        assert str(Moment("v.mp4", 61.5, 65, 62, 0.31)) == " 0.310  v.mp4  1:01.5 to 1:05.0, best 1:02.0"

    def test_without_a_library_it_has_no_clip(self, tmp_path):
        with pytest.raises(QueryError, match="comes from no library"):
            Moment("v.mp4", 0, 1, 0, 0.3).save_clip(tmp_path / "clip.mp4")

    def test_names_are_escaped(self):
        shown = Moment("<img onerror=alert(1)>.mp4", 0, 1, 0, 0.3)._repr_html_()
        assert "<img onerror" not in shown and "&lt;img onerror" in shown
