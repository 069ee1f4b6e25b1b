"""What a page shows of an answer: bars, curves, clips and scenes, against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from cliplib.cache import rows as rows_
from cliplib.display.scale import Scale
from cliplib.search.mode import Mode
from cliplib.search.results import Cutoff, Matching, Scores
from cliplib.widgets import records


def video(scores, scene=None, path="v.mp4", every_s=1.0):
    """Scores of a video with one frame a second; `scene` numbers what each frame shows (all the same: one scene)."""
    scene = np.zeros(len(scores), int) if scene is None else np.asarray(scene)
    length_s = every_s * len(scores)
    frames = [
        {
            "path": path,
            "kind": "frame",
            "time_s": every_s * i,
            "digest": path,
            "duration_s": length_s,
            "every_s": every_s,
        }
        for i in range(len(scores))
    ]
    rows = rows_.table(frames, np.eye(8, dtype=np.float32)[scene])
    return Scores("a dog", Mode("text->video"), np.array(scores, np.float32), rows, Cutoff(0.5))


class TestVideos:
    def tiles(self, scores, least=0.5):
        facts = records.FileRecords(scores.rows)
        return records.video_tiles(scores, facts, Scale(0.1, 0.5, 0.9), least)

    def test_moments_of_one_scene_are_one_tile_and_those_of_others_are_not(self):
        up, down = [0.8, 0.8], [0.1, 0.1, 0.1, 0.1]
        scores = video([*up, *down, 0.7, 0.7, *down, 0.6, 0.6], scene=[0] * 12 + [1] * 2)
        tiles = self.tiles(scores)
        assert [(tile["time_s"], [one["time_s"] for one in tile["stacked"]]) for tile in tiles] == [(0, [6]), (12, [])]

    def test_a_clip_begins_a_second_before_the_best_frame(self):
        (tile,) = self.tiles(video([0.1] * 5 + [0.6, 0.9, 0.6] + [0.1] * 5))
        assert tile["time_s"] == 6 and tile["clip"][0] == 5 and tile["clip"][1] >= tile["end_s"]

    def test_a_clip_stays_within_the_video(self):
        (tile,) = self.tiles(video([0.9, 0.1, 0.1]))
        assert tile["clip"] == [0, 3]

    def test_below_the_cutoff_each_other_video_shows_its_best_frame(self):
        scores = video([0.1, 0.3, 0.2])
        assert self.tiles(scores) == []
        (tile,) = self.tiles(scores, least=-1)
        assert tile["time_s"] == 1 and tile["score"] == pytest.approx(0.3)

    def test_the_curve_keeps_the_best_of_each_stretch(self):
        values = np.full(10 * records.CURVE_POINTS, 0.1)
        values[777] = 0.9
        curve = records.curve(video(values), "v.mp4")
        assert len(curve) == records.CURVE_POINTS and [777.0, 0.9] in curve
        assert [time_s for time_s, _ in curve] == sorted(time_s for time_s, _ in curve)

    def test_what_is_like_a_frame_is_not_its_own_moment(self):
        scores = video([0.1, 0.8, 0.9, 0.8, 0.1, 0.1, 0.1, 0.8])
        left = records.without_scene(scores, "v.mp4", 2.0, 0.5)
        assert np.isnan(left.values).tolist() == [False, True, True, True, False, False, False, False]
        assert np.isnan(records.without_scene(scores, "v.mp4", 0.0, 0.5).values).tolist() == [True] + [False] * 7
        assert not np.isnan(scores.values).any()  # the scores in hand stay as they are


def test_matches_order_and_cut_where_there_are_any_unless_the_cosine_is_asked_for():
    scores = video([0.3, 0.2])
    assert records.ranked(scores) is scores
    matched = replace(scores, matching=Matching(np.array([0.01, 0.04]), lambda _: 0.03))
    by_match = records.ranked(matched)
    assert by_match.values.tolist() == [0.01, 0.04] and by_match.threshold == 0.03
    assert records.ranked(matched, "cosine") is matched
