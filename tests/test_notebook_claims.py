"""What the notebooks say of their own outputs, held against the sample library that they run on."""

import numpy as np
import pytest

import cliplib
from cliplib.widgets.service import Service


@pytest.fixture(scope="module")
def sample(tmp_path_factory, repo):
    library = cliplib.Library(repo / "data" / "sample", model="tiny", cache=tmp_path_factory.mktemp("cache"))
    library.index(progress=False)
    return library


def test_00_photos_that_have_nothing_to_do_with_the_words_do_not_score_0(sample):
    values = sample.score("a red car in the snow").values
    assert np.std(values) > 0.05 and 0.2 < values.max() < 0.5


def test_03_ten_at_most_and_the_ten_best(sample):
    scores = sample.score("a red car")
    assert 0 < len(scores.top(10)) < 10 and len(scores.top(10, threshold=-1)) == 10


def test_04_a_part_of_a_name_is_enough_in_the_page(sample):
    photos = Service(sample).answer({"do": "names", "part": "IMG_00"})[0]["photos"]
    assert len(photos) > 1 and all("IMG_00" in photo["name"] for photo in photos)


def test_05_the_best_moments_are_not_all(sample):
    scores = sample.score("snow", kind="frame")
    assert len(scores.moments(k=3)) == 3 < len(scores.moments(k=99))


def test_what_only_the_copy_dates_comes_last_among_the_newest(sample):
    tiles = Service(sample).answer({"do": "ask", "terms": [], "count": 999})[0]["tiles"]
    copied = [tile["taken_from"] == "mtime" for tile in tiles]
    assert any(copied) and copied == sorted(copied)
