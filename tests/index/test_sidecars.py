"""Sidecars and Live Photos through a whole index run, folder and zip; what comes late; what is left out."""

import os
from datetime import datetime, timezone

import pytest

from cliplib.cache.store import Store
from cliplib.index.sidecars import Sidecars
from cliplib.index.update import update
from cliplib.media.files import find_media
from cliplib.media.metadata import facts
from cliplib.media.screenshot import is_screenshot
from cliplib.media.takeout import plain_path
from tests.harness.takeouts import HOME, apple_note, build, picture, save_clip, save_photo, sidecar_name, zipped
from tests.harness.torture import MODEL, StubEncoder

TAKEN = datetime(2019, 7, 14, 18, 30, 5)
HERE = TAKEN.replace(tzinfo=timezone.utc).timestamp()
PLACED = '{"photoTakenTime": {"timestamp": "%d"}, "geoData": {"latitude": 1.0, "longitude": 2.0}}'


def run(root, cache=None, **options):
    """Index with a freshly opened store: the report, and the rows as dicts by (path, time_s)."""
    store = Store(cache or root / ".cliplib" / "stub", MODEL)
    report = update(root, store, StubEncoder(), progress=False, **options)
    return report, {(row["path"], row["time_s"]): row for row in store.rows.to_pylist()}


@pytest.fixture(scope="module")
def takeout(tmp_path_factory):
    root = tmp_path_factory.mktemp("takeout")
    truth, jsons = build(root, 72)
    return root, truth, jsons


class TestTakeout:
    def test_every_fact_is_the_truth(self, takeout, tmp_path):
        root, truth, jsons = takeout
        report, rows = run(root, tmp_path / "cache")
        assert report.found.sidecars == len(jsons) and report.skipped == [] and report.problems == []
        assert {path for path, _ in rows} == {path for path, true in truth.items() if not true.clip_of}
        assert report.found.motion_clips == sum(bool(true.clip_of) for true in truth.values()) > 0
        for (path, _), row in rows.items():
            assert (path, row["taken_at"]) == (path, truth[path].taken_at)
            assert row["taken_from"] == ("sidecar" if row["taken_from"] != "exif" else "exif")
            if truth[path].place:
                assert (row["latitude"], row["longitude"]) == truth[path].place
            if row["time_s"] is None:
                shot = is_screenshot(path, row["width"], row["height"], row["camera"])
                assert (path, shot) == (path, truth[path].screenshot)

    @pytest.mark.parametrize("deflate", [True, False])
    def test_the_index_of_its_zips_is_the_same_but_for_the_path(self, takeout, tmp_path, deflate):
        root, _, jsons = takeout
        zipped(root, tmp_path / "zips", parts=3, deflate=deflate)
        report, packed = run(tmp_path / "zips")
        assert report.found.sidecars == len(jsons) and report.skipped == []
        plain = {(plain_path(path), time_s): row for (path, time_s), row in packed.items()}
        _, rows = run(root, tmp_path / "cache")
        assert plain.keys() == rows.keys()
        for key, row in rows.items():
            assert plain[key] | {"path": key[0]} == row

    def test_a_second_run_does_nothing(self, takeout, tmp_path):
        root, truth, _ = takeout
        run(root, tmp_path / "cache")
        report, _ = run(root, tmp_path / "cache")
        clips = sum(bool(true.clip_of) for true in truth.values())
        assert (report.indexed, report.encoded, report.unchanged) == (0, 0, len(truth) - clips)

    def test_clips_are_videos_when_asked_for(self, takeout, tmp_path):
        root, truth, _ = takeout
        report, rows = run(root, tmp_path / "cache", motion_clips=True)
        assert {path for path, _ in rows} == set(truth) and report.found.motion_clips == 0


class TestSidecars:
    def test_one_that_comes_later_is_taken_in_without_encoding(self, tmp_path):
        save_photo(tmp_path / "a.jpg", picture(1))
        _, rows = run(tmp_path)
        assert rows["a.jpg", None]["taken_from"] == "mtime"
        (tmp_path / "a.jpg.json").write_text('{"photoTakenTime": {"timestamp": "299894400"}}')
        report, rows = run(tmp_path)
        assert report.encoded == 0 and rows["a.jpg", None]["taken_at"] == "1979-07-04T00:00:00"
        assert Store(tmp_path / ".cliplib" / "stub", MODEL).thumbnail((rows["a.jpg", None]["digest"], None))

    def test_one_that_is_corrected_is_seen_and_one_that_is_deleted_tells_no_more(self, tmp_path):
        save_photo(tmp_path / "a.jpg", picture(1))
        sidecar = tmp_path / "a.jpg.json"
        for text, taken_at, place in (
            ('{"photoTakenTime": {"timestamp": "172800"}}', "1970-01-03T00:00:00", None),
            (PLACED % 86400, "1970-01-02T00:00:00", "sidecar"),
        ):
            sidecar.write_text(text)
            os.utime(sidecar, ns=(1, len(text)))
            report, rows = run(tmp_path)
            row = rows["a.jpg", None]
            assert (row["taken_at"], row["taken_from"], row["place_from"]) == (taken_at, "sidecar", place)
        sidecar.unlink()
        report, rows = run(tmp_path)
        row = rows["a.jpg", None]
        assert (row["taken_from"], row["latitude"], row["place_from"]) == ("mtime", None, None)
        assert report.encoded == 0 and run(tmp_path)[0].unchanged == 1

    def test_a_broken_one_is_told_and_stops_nothing(self, tmp_path):
        save_photo(tmp_path / "a.jpg", picture(1))
        (tmp_path / "a.jpg.json").write_text("{")
        report, rows = run(tmp_path)
        assert report.indexed == 1 and rows["a.jpg", None]["taken_from"] == "mtime"
        assert len(report.problems) == 1 and report.skipped == [] and report.found.sidecars == 0
        assert "a.jpg.json tells nothing of a.jpg" in report.problems[0]

    @pytest.mark.parametrize("late", [False, True])
    def test_the_cameras_date_and_place_come_first(self, tmp_path, late):
        for name, taken in (("dated", TAKEN), ("dateless", None)):
            save_photo(tmp_path / f"{name}.jpg", picture(len(name)), taken, place=(48.5, -4.25))
        if late:
            run(tmp_path)
        for name in ("dated", "dateless"):
            (tmp_path / f"{name}.jpg.json").write_text(PLACED % HERE)
        rows = run(tmp_path)[1]
        row = rows["dated.jpg", None]
        assert (row["taken_at"], row["taken_from"], row["camera"]) == (TAKEN.isoformat(), "exif", "Drawn Camera 1")
        assert rows["dateless.jpg", None]["taken_from"] == "sidecar"
        for row in rows.values():
            assert (row["latitude"], row["longitude"]) == pytest.approx((48.5, -4.25), abs=1e-6)

    def test_a_place_is_added_to_the_cameras_date(self, tmp_path):
        save_photo(tmp_path / "a.jpg", picture(1), TAKEN)
        (tmp_path / "a.jpg.json").write_text(PLACED % HERE)
        row = run(tmp_path)[1]["a.jpg", None]
        assert (row["taken_from"], row["place_from"]) == ("exif", "sidecar")
        assert (row["latitude"], row["longitude"]) == (1.0, 2.0)

    def test_a_date_that_the_owner_corrected_is_taken_with_its_place(self, tmp_path):
        """Of a scan the camera's date is that of the scanner."""
        save_photo(tmp_path / "scan.jpg", picture(1), TAKEN, place=(48.5, -4.25))
        (tmp_path / "scan.jpg.json").write_text(PLACED % 299894400)
        row = run(tmp_path)[1]["scan.jpg", None]
        assert (row["taken_at"], row["taken_from"]) == ("1979-07-04T00:00:00", "sidecar")
        assert (row["latitude"], row["longitude"], row["place_from"]) == (1.0, 2.0, "sidecar")


class TestName:
    def test_its_date_counts_where_nothing_else_tells_one(self, tmp_path):
        for name in ("IMG-20190712-WA0003", "PXL_20190712_101112"):
            save_photo(tmp_path / f"{name}.jpg", picture(len(name)))
        save_photo(tmp_path / "VID_20190712.jpg", picture(3), TAKEN)
        save_photo(tmp_path / "IMG-20190712-WA0009.jpg", picture(4))
        (tmp_path / "IMG-20190712-WA0009.jpg.json").write_text(PLACED % 299894400)
        told = {path: (row["taken_at"], row["taken_from"]) for (path, _), row in run(tmp_path)[1].items()}
        assert told == {
            "IMG-20190712-WA0003.jpg": ("2019-07-12T00:00:00", "name"),
            "IMG-20190712-WA0009.jpg": ("1979-07-04T00:00:00", "sidecar"),
            "PXL_20190712_101112.jpg": ("2019-07-12T10:11:12", "name"),
            "VID_20190712.jpg": (TAKEN.isoformat(), "exif"),
        }


class TestLivePhotos:
    def pairs(self, tmp_path):
        """What each video of the folder is the moving part of, once its photos have been opened."""
        listing = find_media(tmp_path)
        store = Store(tmp_path / "none", MODEL)
        update(tmp_path, store, StubEncoder(), progress=False, motion_clips=True)
        sidecars = Sidecars(tmp_path, listing, store.rows)
        return {file.path: sidecars.photo_of(file) for file in listing.files if file.file_kind == "video"}

    def test_one_stem_and_at_most_four_seconds(self, tmp_path):
        for name, seconds in (("a", 4.0), ("b", 4.4)):
            save_photo(tmp_path / f"{name}.jpg", picture(1))
            save_clip(tmp_path / f"{name}.MOV", 1, seconds)
        save_clip(tmp_path / "c.mov", 1, 2)
        assert self.pairs(tmp_path) == {"a.MOV": "a.jpg", "b.MOV": None, "c.mov": None}

    def test_one_identifier_whatever_the_names_and_the_length(self, tmp_path):
        save_photo(tmp_path / "a.jpg", picture(1), ident="ABCD-1")
        save_clip(tmp_path / "b.mov", 1, 5, ident="ABCD-1")
        assert self.pairs(tmp_path) == {"b.mov": "a.jpg"}

    def test_another_identifier_under_one_stem_is_another_photo(self, tmp_path):
        save_photo(tmp_path / "a.jpg", picture(1), ident="ABCD-1")
        save_clip(tmp_path / "a.mov", 1, 2, ident="ABCD-2")
        assert self.pairs(tmp_path) == {"a.mov": None}

    def test_a_stem_in_another_folder_is_no_pair_but_another_part_of_a_takeout_is(self, tmp_path):
        save_photo(tmp_path / "a.jpg", picture(1))
        (tmp_path / "x").mkdir()
        save_clip(tmp_path / "x" / "a.mov", 1, 2)
        assert self.pairs(tmp_path) == {"x/a.mov": None}

    def test_a_photo_that_comes_after_its_clip_takes_it_in(self, tmp_path):
        save_clip(tmp_path / "a.mov", 1, 2)
        assert run(tmp_path)[0].frames > 0
        save_photo(tmp_path / "a.jpg", picture(1))
        report, rows = run(tmp_path)
        assert report.found.motion_clips == 1 and list(rows) == [("a.jpg", None)]
        assert (report.seen, report.indexed, report.unchanged) == (1, 1, 0)

    def test_a_clip_that_was_asked_for_stays(self, tmp_path):
        save_photo(tmp_path / "a.jpg", picture(1))
        save_clip(tmp_path / "a.mov", 1, 2)
        run(tmp_path, motion_clips=True)
        save_photo(tmp_path / "b.jpg", picture(2))
        assert ("a.mov", 0.0) in run(tmp_path)[1]

    @pytest.mark.parametrize("ident", [None, "ABCD-1"])
    def test_a_clip_whose_photo_is_gone_is_a_video_of_its_own(self, tmp_path, ident):
        save_photo(tmp_path / "a.jpg", picture(1), ident=ident)
        save_clip(tmp_path / "a.mov", 1, 2, ident=ident)
        for name in "bcdef":
            save_photo(tmp_path / f"{name}.jpg", picture(ord(name)))
        assert run(tmp_path)[0].found.motion_clips == 1
        (tmp_path / "a.jpg").unlink()
        report, rows = run(tmp_path)
        assert (report.indexed, report.removed, report.found.motion_clips) == (1, 1, 0) and ("a.mov", 0.0) in rows

    def test_a_known_clip_is_not_opened_again(self, tmp_path, monkeypatch):
        save_photo(tmp_path / "a.jpg", picture(1))
        save_clip(tmp_path / "a.mov", 1, 2)
        run(tmp_path)
        monkeypatch.setattr("cliplib.index.sidecars.open_video", lambda path: pytest.fail(f"opened {path}"))
        assert run(tmp_path)[0].found.motion_clips == 1


class TestExif:
    def test_content_identifier_of_an_apple_maker_note(self):
        assert facts({0x927C: apple_note("ABC-123")}, {})["content_id"] == "ABC-123"

    @pytest.mark.parametrize("note", [b"", b"Apple iOS\0\0\1MM", b"Nikon\0", apple_note("x" * 200), None, "text"])
    def test_other_notes_have_none(self, note):
        assert facts({0x927C: note}, {})["content_id"] is None

    def test_a_cut_note_does_no_harm(self):
        note = apple_note("ABC-123")
        for end in range(len(note)):
            assert facts({0x927C: note[:end]}, {})["content_id"] in (None, *("ABC-123"[:n] for n in range(1, 8)))

    @pytest.mark.parametrize(
        ("gps", "place"),
        [
            ({1: "N", 2: (48, 30, 0), 3: "W", 4: (4, 15, 36)}, (48.5, -4.26)),
            ({1: "S", 2: (33, 0, 0), 3: "E", 4: (151, 0, 0)}, (-33.0, 151.0)),
            ({1: "N", 2: (0, 0, 0), 3: "E", 4: (0, 0, 0)}, (None, None)),
            ({2: (91, 0, 0), 4: (1, 0, 0)}, (None, None)),
            ({1: "N", 2: (48, 30), 3: "W", 4: (4, 15, 36)}, (None, None)),
            ({1: "N", 2: (48, 30, 0)}, (None, None)),
        ],
    )
    def test_degrees(self, gps, place):
        found = facts({}, gps)
        assert (found["latitude"], found["longitude"]) == (pytest.approx(place) if place[0] else place)


def test_the_drawn_takeout_has_every_form(takeout):
    _, truth, jsons = takeout
    names = [path.rpartition("/")[2] for path in jsons]
    assert sidecar_name("DSC_0002.jpg", "(1)", old=True) == "DSC_0002.jpg(1).json"
    for form in (".jpg.json", ".jpg(1).json", ".supplemental-metadata.json", ".supplemental-metadata(1).json"):
        assert any(name.endswith(form) for name in names), form
    assert {len(name) for name in names if "abcdefghij" in name} >= {51}
    assert any("-edited" in path for path in truth) and any("-bearbeitet" in path for path in truth)
    assert all(path.startswith(HOME) for path in truth)


def test_the_report_counts_sidecars_and_clips_apart(takeout, tmp_path):
    root, _, jsons = takeout
    report, _ = run(root, tmp_path / "cache")
    told = f"{len(jsons)} sidecars matched; {report.found.motion_clips} clips are part of their photos"
    assert told in str(report) and told in report._repr_html_()
