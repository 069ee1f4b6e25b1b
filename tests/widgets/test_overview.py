"""What a library holds, as tables worked out by hand."""

import numpy as np
import pyarrow as pa
import pytest

from cliplib.widgets import overview


def table(*rows):
    """Rows of an index: path, taken_at, taken_from, camera, latitude, longitude."""
    names = ("path", "taken_at", "taken_from", "camera", "latitude", "longitude")
    kinds = (pa.string(), pa.string(), pa.string(), pa.string(), pa.float64(), pa.float64())
    columns = zip(*rows, strict=True)
    return pa.table({name: pa.array(values, kind) for name, values, kind in zip(names, columns, kinds, strict=True)})


FILES = table(
    ("a.jpg", "2023-12-31T23:59:59", "exif", "Canon", 48.20, 16.37),
    ("b.jpg", "2024-03-01T00:00:00", "name", None, 48.21, 16.38),
    ("c.jpg", "2024-03-09T10:00:00", "exif", "Canon", -33.9, 151.2),
    ("d.jpg", "2026-11-30T10:00:00", "mtime", "Nikon", None, None),
    ("v.mp4", None, None, None, None, None),
)


def test_files_are_counted_once_whatever_their_frames():
    twice = pa.concat_tables([FILES, FILES.slice(4), FILES.slice(4)])
    assert sorted(overview.files_of(twice)["path"].to_pylist()) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "v.mp4"]


def test_months_are_those_of_pictures_not_of_copies():
    assert overview.months(FILES) == {"2023-12": 1, "2024-03": 2}


def test_cameras_come_with_the_most_used_first():
    assert overview.cameras(FILES) == ["Canon", "Nikon"]


class TestPlaces:
    def test_what_lies_together_is_one_place(self):
        sydney, vienna = sorted(overview.places(FILES), key=lambda place: place["latitude"])
        assert (sydney["count"], vienna["count"]) == (1, 2)
        assert (vienna["latitude"], vienna["longitude"]) == pytest.approx((48.205, 16.375))
        assert 0.6 < vienna["km"] < 0.9  # half of the 1.3 km between the two, and a little more

    def test_each_place_reaches_all_of_its_files(self):
        """The filter that a click sets, `near` and `km`, finds what was counted."""
        from cliplib.search.filters import distances_km

        rng = np.random.default_rng(0)
        points = rng.uniform([46, 9], [49, 17], (200, 2))
        files = table(*((f"{i}", None, None, None, *point) for i, point in enumerate(points)))
        found = overview.places(files)
        assert sum(place["count"] for place in found) == 200 and 4 < len(found) <= 81
        for place in found:
            within = distances_km((place["latitude"], place["longitude"]), *points.T) <= place["km"]
            assert within.sum() >= place["count"]

    def test_files_without_one_have_none(self):
        assert overview.places(FILES.slice(3)) == []


class TestSuggestions:
    def suggest(self, texts, found, k=8):
        return [texts[i] for i in overview.suggestions(texts, np.array(found, bool), k)]

    def test_what_finds_most_comes_first_and_what_says_nothing_is_left_out(self):
        found = [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [1] * 6, [0, 0, 0, 0, 1, 0], [0] * 6]
        assert self.suggest(["a dog", "a cat", "a thing", "a rare one", "nothing"], found) == ["a dog", "a cat"]

    def test_two_that_find_the_same_are_one(self):
        found = [[1, 1, 1, 0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]]
        assert self.suggest(["snow", "a snowy day", "a hut"], found) == ["snow", "a hut"]

    def test_sentences_are_too_long(self):
        assert self.suggest(["a man who walks his dog", "a man"], [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0]]) == ["a man"]

    def test_without_a_bank_there_are_none(self):
        assert overview.suggestions([], np.zeros((0, 0), bool)) == []
