"""The paper's printed scores as data, and the comparison with our own."""

import math

import pytest

from cliplib import Library
from data.paper import comparison
from data.paper.downloads import Outcome
from tests.harness.libraries import draw_picture, draw_video, save_random_clip


@pytest.fixture(scope="module")
def table():
    return comparison.printed_scores()


class TestPrintedScores:
    def test_all_32_are_there_in_the_three_modes(self, table):
        assert table["mode"].value_counts().to_dict() == {"text->image": 9, "image->image": 8, "text->video": 15}

    def test_each_is_a_cosine_above_the_papers_own_threshold(self, table):
        least = table["mode"].map({"text->image": 0.25, "text->video": 0.25, "image->image": 0.70})
        assert ((table["score"] >= least) & (table["score"] <= 1)).all()

    def test_frames_have_times_and_photos_none(self, table):
        assert (table["time_s"].notna() == (table["mode"] == "text->video")).all()

    def test_they_are_printed_in_the_paper(self, table, media):
        text = next((media.parent / "paper").glob("*.txt")).read_text(encoding="utf-8")
        for row in table.itertuples():
            assert row.file in text and repr(row.score) in text, row


class TestWantedFiles:
    def test_each_file_once_under_the_first_name_it_may_have(self, table):
        wanted = {one.name: one.addresses for one in comparison.wanted_files(table)}
        assert len(wanted) == 9 + 7 + 1 + 4  # found by text, by photo (one read two ways), a photo that asks, videos
        assert wanted["9zvw7In3vhA.jpg"][0] == "https://unsplash.com/photos/9zvw7In3vhA/download?force=true&w=1080"
        assert wanted["mixkit-recording-christmas-dinner-for-social-networks-42147-medium.mp4"]

    def test_names_that_cannot_be_ids_are_replaced_and_the_authors_own_have_no_address(self, table):
        wanted = {one.name: one.addresses for one in comparison.wanted_files(table)}
        assert all("]" not in name and "(" not in name for name in wanted)
        assert wanted["IMG_5913.JPG"] == []


@pytest.mark.slow
def test_compares_what_is_there_and_names_what_is_missing(table, tmp_path):
    draw_picture(tmp_path / "5dpSx2hBtj0.jpg", 1)
    draw_picture(tmp_path / "9zvw7In3vhA.jpg", 2)
    film = "mixkit-dog-catches-a-frisbee-in-mid-air-1557-medium.mp4"
    draw_video(tmp_path / film, 3, seconds=4)
    library = Library(tmp_path, model=save_random_clip(tmp_path / "clip.safetensors"), activation="quickgelu")
    library.index(progress=False)
    compared = comparison.compare(table, library, [Outcome("IMG_5910.JPG", "nowhere", "no address is known for it")])
    assert len(compared) == len(table)
    by_file = compared.set_index("file")
    sunflowers = library.score("a field of sunflowers at sunset").to_frame().set_index("path")["score"]
    assert by_file.loc["5dpSx2hBtj0.jpg", "ours"] == pytest.approx(sunflowers["5dpSx2hBtj0.jpg"], abs=1e-5)
    both = library.similar("5dpSx2hBtj0.jpg", k=1, threshold=-1)[0].score  # read two ways, the same photo
    assert (
        by_file.loc["9zvw7In3vhA.jpg", "ours"] == by_file.loc["9zw7In3vhA.jpg", "ours"] == pytest.approx(both, abs=1e-5)
    )
    frames = library.score("dog catches frisbee in midair in a forest", "frame").to_frame().set_index("time_s")["score"]
    dog = compared[compared["file"] == film].set_index("time_s")
    assert dog.loc[1.0, "ours"] == pytest.approx(frames[1.0], abs=1e-5)
    assert dog.loc[6.0, "ours"] == pytest.approx(
        frames[3.0], abs=1e-5
    )  # the film ends before: the nearest sampled frame
    assert dog.loc[1.0, "difference"] == pytest.approx(frames[1.0] - 0.36504608, abs=1e-5)
    assert math.isnan(by_file.loc["IMG_5910.JPG", "ours"])
    assert by_file.loc["IMG_5910.JPG", "note"] == "IMG_5910.JPG: nowhere: no address is known for it"
    assert "9s8DUVb3y4U.jpg: not here" in by_file.loc["pdBsg-29fq8.jpg", "note"]
