"""Takeout's names and JSON: which sidecar is whose, what it tells, and what is one photo."""

import json
import math

import pytest

from cliplib.media.takeout import match_sidecars, one_photo, original_of, plain_path, sidecar_facts

LONG = "a_name_of_sixty_letters_as_a_messenger_or_a_museum_makes_them_"


class TestMatch:
    @pytest.mark.parametrize(
        ("media", "sidecar"),
        [
            ("IMG_1.jpg", "IMG_1.jpg.json"),
            ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
            ("IMG_1(1).jpg", "IMG_1.jpg(1).json"),
            ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
            ("IMG_1(1).jpg", "IMG_1(1).jpg.json"),
            # 46 characters are left of "IMG_20230101_123456789_BURST001.jpg.supplemental-metadata", 35 + 11
            ("IMG_20230101_123456789_BURST001.jpg", "IMG_20230101_123456789_BURST001.jpg.supplement.json"),
            ("IMG_20230101_123456789_BURST001(3).jpg", "IMG_20230101_123456789_BURST001.jpg.supplement(3).json"),
            ("a" * 44 + ".jpg", "a" * 44 + ".j.json"),
            ("a" * 47 + ".jpg", "a" * 46 + ".json"),
            ("IMG_1.jpg", "IMG_1.jpg.s.json"),
            ("IMG_1.jpg", "IMG_1.jpg..json"),
            ("Peanut Butter.jpg", "Peanut Butter.supplemental-metadata.json"),
            ("IMG_1-edited.jpg", "IMG_1.jpg.supplemental-metadata.json"),
            ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.json"),
            ("IMG_1-edited(1).jpg", "IMG_1.jpg(1).json"),
            ("VID_1.mp4", "VID_1.mp4.supplemental-metadata.json"),
        ],
    )
    def test_every_form_of_name(self, media, sidecar):
        assert match_sidecars([f"a/{media}"], [f"a/{sidecar}"]) == {f"a/{media}": f"a/{sidecar}"}

    @pytest.mark.parametrize(
        ("media", "sidecar"),
        [
            ("IMG_1(1).jpg", "IMG_1.jpg.json"),
            ("IMG_1.jpg", "IMG_1.jpg(1).json"),
            ("IMG_1.jpg", "IMG_12.jpg.json"),
            ("IMG_12.jpg", "IMG_1.jpg.json"),
            ("b" * 20 + "1.jpg", "b" * 20 + ".json"),
            ("IMG_1.jpg", "metadata.json"),
            ("IMG_1.jpg", "../b/IMG_1.jpg.json"),
        ],
    )
    def test_a_namesakes_sidecar_is_not_taken(self, media, sidecar):
        assert match_sidecars([f"a/{media}"], [f"a/{sidecar}"]) == {}

    def test_namesakes_each_get_their_own(self):
        media = ["a/I.jpg", "a/I(1).jpg", "a/I-edited.jpg", "a/I-edited(1).jpg"]
        found = match_sidecars(media, ["a/I.jpg.json", "a/I.jpg(1).json"])
        assert list(found.values()) == ["a/I.jpg.json", "a/I.jpg(1).json"] * 2

    def test_a_clip_takes_its_photos_sidecar_only_where_it_has_none(self):
        assert match_sidecars(["a/I.heic", "a/I.MP4"], ["a/I.heic.json"])["a/I.MP4"] == "a/I.heic.json"
        both = match_sidecars(["a/I.heic", "a/I.MP4"], ["a/I.heic.json", "a/I.MP4.json"])
        assert both["a/I.MP4"] == "a/I.MP4.json"

    @pytest.mark.parametrize(
        ("media", "sidecar"),
        [
            (LONG[:47] + ".jpg", LONG[:46] + ".json"),
            ("\N{SNOWMAN}\N{ROCKET}" + LONG + ".jpg", "\N{SNOWMAN}\N{ROCKET}" + LONG[:43] + ".json"),
            ("\N{ROCKET}" * 30 + ".jpg", "\N{ROCKET}" * 23 + ".json"),
            ("IMG_1-edited(1).jpg", "IMG_1.jpg(1).json"),
            ("IMG_1(2)-edited.jpg", "IMG_1.jpg(2).json"),
            ("IMG_1-bearbeitet(3).jpg", "IMG_1.jpg.supplemental-metadata(3).json"),
            (LONG[:43] + "-edi.jpg", LONG[:43] + ".jpg.json"),
            (LONG[:44] + "-ed.jpg", LONG[:44] + ".j.json"),
            ("Caf\u00e9.jpg", "Cafe\u0301.jpg.json"),
            ("Cafe\u0301.jpg", "Caf\u00e9.jpg.supplemental-metadata.json"),
        ],
    )
    def test_cut_edited_and_decomposed_names(self, media, sidecar):
        assert match_sidecars([f"a/{media}"], [f"a/{sidecar}"]) == {f"a/{media}": f"a/{sidecar}"}

    def test_a_short_name_that_ends_like_a_cut_mark_is_no_edited_copy(self):
        assert match_sidecars(["a/Anna-ed.jpg"], ["a/Anna.jpg.json"]) == {}
        assert original_of("a/Anna-edi.jpg") == "a/Anna-edi.jpg"

    def test_an_album_split_between_two_archives(self):
        found = match_sidecars(["t-002.zip!/T/Rome/a.jpg"], ["t-001.zip!/T/Rome/a.jpg.json"])
        assert found == {"t-002.zip!/T/Rome/a.jpg": "t-001.zip!/T/Rome/a.jpg.json"}
        assert match_sidecars(["x/t.zip!/T/a.jpg"], ["y/t.zip!/T/a.jpg.json"]) == {}


class TestFacts:
    def body(self, **more):
        return json.dumps({"title": "a", "photoTakenTime": {"timestamp": "1546300800"}} | more).encode()

    def test_date_in_utc_and_place(self):
        place = {"latitude": -33.5, "longitude": 151.25, "altitude": 3.0}
        facts = sidecar_facts(self.body(geoData=place))
        assert facts == {
            "taken_at": "2019-01-01T00:00:00",
            "taken_from": "sidecar",
            "latitude": -33.5,
            "longitude": 151.25,
            "place_from": "sidecar",
        }

    def test_nought_nought_is_no_place_and_the_cameras_counts_then(self):
        nowhere = {"latitude": 0.0, "longitude": 0.0}
        assert "latitude" not in sidecar_facts(self.body(geoData=nowhere))
        facts = sidecar_facts(self.body(geoData=nowhere, geoDataExif={"latitude": 1.0, "longitude": 0.0}))
        assert (facts["latitude"], facts["longitude"]) == (1.0, 0.0)

    @pytest.mark.parametrize(
        "latitude", [math.nan, math.inf, 90.5, 10**400, "north", None, []], ids=lambda value: str(value)[:9]
    )
    def test_a_place_that_is_nowhere_on_earth_is_left_out(self, latitude):
        facts = sidecar_facts(self.body(geoData={"latitude": latitude, "longitude": 2.0}))
        assert facts == {"taken_at": "2019-01-01T00:00:00", "taken_from": "sidecar"}

    def test_a_clock_at_nought_is_no_date(self):
        assert sidecar_facts(b'{"photoTakenTime": {"timestamp": "0"}}') == {}

    def test_a_date_before_1970(self):
        assert sidecar_facts(b'{"photoTakenTime": {"timestamp": "-86400"}}')["taken_at"] == "1969-12-31T00:00:00"

    @pytest.mark.parametrize(
        "data",
        [b"", b"{", b"[]", b'{"title": "x"}', b'{"photoTakenTime": {"timestamp": "9e99"}}', b"[" * 9999, b"\xff"],
    )
    def test_what_is_no_sidecar_is_refused(self, data):
        with pytest.raises(ValueError, match="no sidecar of Google Takeout"):
            sidecar_facts(data)


def test_plain_path_leaves_archives_out():
    assert plain_path("x/takeout-001.ZIP!/Takeout/a.jpg") == "x/Takeout/a.jpg"
    assert plain_path("x/a.jpg") == "x/a.jpg"


def test_original_of_an_edited_twin():
    assert original_of("a-edited/I-edited(1).jpg") == "a-edited/I(1).jpg"
    assert original_of("a/I.jpg") == "a/I.jpg"


class TestOnePhoto:
    def test_copies_and_edited_twins_are_one(self):
        pictures = [("y/I-edited.jpg", "E"), ("album/I.jpg", "O"), ("z.jpg", "Z"), ("album/I-edited.jpg", "E")]
        assert one_photo(pictures, {"y/I.jpg": "O"}) == [[0, 1, 3], [2]]

    def test_an_edited_photo_without_its_original_stands_alone(self):
        assert one_photo([("I-edited.jpg", "E"), ("J.jpg", "J")], {}) == [[0], [1]]
