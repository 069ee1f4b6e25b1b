"""Small inputs that once failed, kept beside the project where they are there (../shared/cases), through a whole index.

Each kind has a test of its own that draws what it needs; these are the very files. What is right, other programs say.
"""

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest

import cliplib
from cliplib.index.check import check_caches
from cliplib.media.photo import fitted, open_photo
from cliplib.media.video import open_video
from cliplib.models import load

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside the project")


@pytest.fixture(scope="module")
def tiny():
    return load("tiny")


@pytest.fixture
def indexed(tmp_path):
    """Index one case with the tiny model: the library, its rows by path (one a file), the report."""

    def run(name):
        shutil.copytree(CASES / name, tmp_path / name)
        library = cliplib.Library(tmp_path / name, model="tiny")
        report = library.index(progress=False)
        (finding,) = check_caches(tmp_path / name, library.cache)
        assert finding.advice == "nothing to do"
        return library, {row["path"]: row for row in library.store.rows.to_pylist()}, report

    return run


@pytest.mark.parametrize(
    ("case", "dates"),
    [
        ("exif-date-forms", {"T": "exif", "dateonly": "exif", "hour24": "exif", "iso_dash": "exif", "y1970": "mtime"}),
        ("name-date", {"2019-07-12 10.11.12": "name", "IMG-20190712-WA0003": "name"}),
    ],
)
def test_dates_in_every_form(indexed, case, dates):
    _, rows, _ = indexed(case)
    assert {path.rpartition(".")[0]: row["taken_from"] for path, row in rows.items()} == dates
    told = {row["taken_at"][:10] for row in rows.values() if row["taken_from"] != "mtime"}
    assert told == {"2019-07-12"}


def test_dates_of_xmp_iptc_and_avi(indexed):
    _, rows, _ = indexed("xmp-only-date")
    assert rows["xmp_photoshop.jpg"]["taken_at"] == "2022-01-10T15:15:44"
    assert rows["iptc.jpg"]["taken_at"] == "2009-09-09T17:00:00"
    _, rows, _ = indexed("avi-date")
    assert rows["canon_idit.avi"]["taken_at"] == "2005-03-10T15:04:43"


def test_what_the_owner_corrected(indexed):
    _, rows, _ = indexed("takeout-corrected")
    assert len(rows) == 3 and {row["taken_at"][:10] for row in rows.values()} == {"1979-07-04"}
    (placed,) = [row for row in rows.values() if row["place_from"]]  # of the others the sidecar says 0, 0
    assert (placed["latitude"], placed["longitude"], placed["place_from"]) == (48.85, 2.35, "sidecar")


def test_names_in_archives(indexed):
    _, rows, report = indexed("zip-names")
    assert report.skipped == []
    assert {unicodedata.normalize("NFC", path.partition("!/")[2]) for path in rows} == {
        *("Holiday/Rome/IMG_1.jpg", "Holiday/Rome/IMG_2.jpg", "a/IMG_9.jpg", "abs/IMG_10.jpg", "Été à Paris/plage.jpg")
    }


@pytest.mark.parametrize(("case", "files"), [("sound-called-damaged", 4), ("nas-folders", 2), ("silent-suffixes", 3)])
def test_every_sound_file_is_indexed(indexed, case, files):
    _, rows, report = indexed(case)
    assert (len(rows), report.skipped) == (files, [])


def test_still_frames(indexed):
    library, _, _ = indexed("still-frames")
    found = {one.path: (one.start_s, one.end_s) for one in library.score("a red car", kind="frame").moments()}
    assert found == {"slides.mp4": pytest.approx((10, 40)), "last_slide_held_300s.mp4": pytest.approx((10, 310))}


def test_the_default_stream(indexed):
    _, rows, _ = indexed("two-video-streams")
    (row,) = rows.values()
    assert (row["width"], row["height"], round(row["duration_s"])) == (640, 480, 6)


def test_one_picture_in_many_colour_spaces(tiny):
    def embedded(images):
        return tiny.encode_images([tiny.prepare(fitted(image, tiny.resolution)) for image in images])

    photos = [open_photo(CASES / "colour" / f"limes_{space}.jpg").image for space in ("srgb", "adobe", "prophoto")]
    videos = []
    for space in ("sdr", "hlg", "pq"):
        with open_video(CASES / "colour" / f"drawn_{space}.mp4") as video:
            videos.append(next(video.sample(shortest=tiny.resolution)).image)
    for images in (photos, videos):
        vectors = embedded(images)
        assert np.min(vectors @ vectors[0]) > 0.99
