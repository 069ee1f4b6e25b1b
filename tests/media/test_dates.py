"""Dates in every spelling that cameras, programs and messengers use; clocks that were never set are no dates."""

import pytest

from cliplib.media.dates import from_name, hours_apart, of_seconds, parsed

DAY, TAKEN = "2019-07-12T00:00:00", "2019-07-12T10:11:12"


class TestParsed:
    @pytest.mark.parametrize(
        ("text", "date"),
        [
            ("2019:07:12 10:11:12", TAKEN),
            ("2019-07-12 10:11:12", TAKEN),
            ("2019/07/12 10:11:12", TAKEN),
            ("2019.07.12 10:11:12", TAKEN),
            ("2019:07:12T10:11:12", TAKEN),
            ("2019-07-12T10:11:12.345+02:00", TAKEN),
            ("2019-07-12T10:11:12Z", TAKEN),
            ("   2019:07:12 10:11:12\0", TAKEN),
            (b"2019:07:12 10:11:12", TAKEN),
            ("20190712101112", TAKEN),
            ("20190712T101112Z", TAKEN),
            ("20190712_101112", TAKEN),
            ("2019:07:12 10:11:12 AM", TAKEN),
            ("2019/07/12 03:11:12PM", "2019-07-12T15:11:12"),
            ("2019-07-12 12:11:12 a.m.", "2019-07-12T00:11:12"),
            ("2019:07:12 10:11", "2019-07-12T10:11:00"),
            ("2019:07:12", DAY),
            ("20190712", DAY),
            ("2019:07:12 24:03:05", "2019-07-12T00:03:05"),
            ("2019:07:12 10:11:60", "2019-07-12T10:11:59"),
            ("Fri Jul 12 10:11:12 2019\n", TAKEN),
            ("FRI JUL 12 10:11:12 2019", TAKEN),
            ("2019/07/12/ 10:11:12", TAKEN),
            ("Fri, 12 Jul 2019 10:11:12 +0000", TAKEN),
            ("12 July 2019", DAY),
            ("1849:05:01 12:00:00", "1849-05-01T12:00:00"),
        ],
    )
    def test_reads_the_usual_spellings(self, text, date):
        assert parsed(text) == date

    @pytest.mark.parametrize(
        "text",
        [
            *("1970:01:01 00:00:00", "1970-01-01T01:00:00", "1904-01-01T00:00:00Z", "2002:12:08 12:00:00"),
            *("1980:01:01 00:00:00", "0000:00:00 00:00:00", "    :  :     :  :  ", "2019:02:30 10:00:00"),
            *("2019:13:01 00:00:00", "2019", "9999999999", "yesterday", "", "Fri Foo 12 10:11:12 2019", None, 2019, []),
        ],
    )
    def test_what_is_no_date_and_what_an_unset_clock_writes_is_none(self, text):
        assert parsed(text) is None


class TestFromName:
    @pytest.mark.parametrize(
        ("name", "date"),
        [
            ("IMG-20190712-WA0003.jpg", DAY),
            ("VID-20190712-WA0003.mp4", DAY),
            ("PXL_20190712_101112345.MP.jpg", TAKEN),
            ("IMG_20190712_101112.jpg", TAKEN),
            ("20190712_101112(0).jpg", TAKEN),
            ("00000PORTRAIT_00000_BURST20190712101112345.jpg", TAKEN),
            ("DJI_20190712101112_0001.JPG", TAKEN),
            ("Screenshot_20190712-101112_Chrome.jpg", TAKEN),
            ("Screenshot_2019-07-12-10-11-12-345_com.app.png", TAKEN),
            ("signal-2019-07-12-10-11-12-345-1.jpg", TAKEN),
            ("signal-2019-07-12-101112.jpg", TAKEN),
            ("2019-07-12 10.11.12-1.jpg", TAKEN),
            ("2019-07-12T10_11_12.jpg", TAKEN),
            ("photo_2019-07-12_10-11-12.jpg", TAKEN),
            ("WhatsApp Image 2019-07-12 at 10.11.12.jpeg", TAKEN),
            ("WhatsApp Image 2019-07-12 at 9.11.12 PM.jpeg", "2019-07-12T21:11:12"),
            ("Screen Shot 2019-07-12 at 12.11.12\u202fAM.png", "2019-07-12T00:11:12"),
            ("Bildschirmfoto 2019-07-12 um 10.11.12.png", TAKEN),
            ("2019_07_12_garden.jpg", DAY),
            ("FB_IMG_1562926272000.jpg", TAKEN),
        ],
    )
    def test_reads_what_telephones_and_messengers_put_there(self, name, date):
        assert from_name(f"1999-01-01/{name}") == date

    @pytest.mark.parametrize(
        "name", ["IMG_1234.jpg", "12345678901234.jpg", "IMG_20191342.jpg", "a.jpg", "20190712345.jpg", "DSC20190.jpg"]
    )
    def test_other_numbers_are_no_dates(self, name):
        assert from_name(f"2019-07-12/{name}") is None


def test_seconds_since_1970():
    assert of_seconds(1562926272) == TAKEN
    assert of_seconds(-86400) == "1969-12-31T00:00:00"
    assert [of_seconds(odd) for odd in (0, -11644473600, 910692730085, 1e20, float("nan"))] == [None] * 5


def test_hours_apart():
    assert hours_apart(TAKEN, "2019-07-13T10:41:12") == 24.5
