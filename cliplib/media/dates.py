"""Dates as cameras, programs and people write them: read in their usual spellings, a clock never set being no date.

A date is local time as far as anybody knows: an offset behind it is left out, for the hour on the camera's clock is
what its owner remembers. All are given as "YYYY-MM-DDTHH:MM:SS".
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

FIRST_YEAR = 1826  # of the oldest photograph that is left
SEPARATED = re.compile(
    r"\s*(?P<year>\d{4})[-:/. ](?P<month>\d{1,2})[-:/. ](?P<day>\d{1,2})"
    r"(?:[T/, ]+\s*(?P<hour>\d{1,2})[:.-](?P<minute>\d{1,2})(?:[:.-](?P<second>\d{1,2}))?)?(?!\d)"
)
COMPACT = re.compile(
    r"\s*(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:[T ]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?)?(?!\d)"
)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WORDS = (  # C's asctime, as cameras write it into AVI, and RFC 5322, as PNG asks for
    re.compile(r"\s*[a-z]{3,9},?\s+(?P<name>[a-z]{3})[a-z]*\s+(?P<day>\d{1,2}),?\s+(?P<time>[\d:]+)\s+(?P<year>\d{4})"),
    re.compile(
        r"\s*(?:[a-z]{3,9},?\s+)?(?P<day>\d{1,2})[ -](?P<name>[a-z]{3})[a-z]*[ -](?P<year>\d{4})"
        r"(?:\s+(?P<time>[\d:]+))?"
    ),
)
UNSET_DAYS = ("1904-01-01", "1970-01-01")  # where the clocks of QuickTime and of Unix begin
UNSET = ("1980-01-01T00:00:00", "2002-12-08T12:00:00")  # DOS; a maker's default that millions of photos have
# In a file's name: a year that a digital camera may have seen, with or without a time after the day.
IN_NAME = re.compile(
    r"(?<!\d)(?P<year>199\d|20[0-7]\d)(?P<dash>[-_. ]?)(?P<month>0[1-9]|1[0-2])(?P=dash)(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:(?:[-_T ,.]{0,2}|,? (?:at|um|à|a las|alle|om|kl\.?) )"
    r"(?P<hour>[01]\d|2[0-4]|\d(?=[-_.: h]))(?P<colon>[-_.: h]?)(?P<minute>[0-5]\d)"
    r"(?:(?P=colon)(?P<second>[0-5]\d|60))?"
    r"(?P<rest>\d{0,3})(?!\d)(?: ?(?P<half>[ap])\.?m\b)?|(?!\d))",
    re.IGNORECASE,
)
MILLISECONDS = re.compile(
    r"(?:FB_IMG|received|mmexport|wx_camera|Snapchat|image)[-_]?(?P<since>1[0-9]{12})(?!\d)", re.I
)


def parsed(text: object) -> str | None:
    """The date that a text tells at its beginning; None where it is none, or that of a clock never set.

    Read are dashes, colons, slashes, dots or nothing between the numbers, a "T", a time without seconds or no time,
    month names in English as asctime and RFC 5322 have them; the 24th hour is midnight of the same day, as some
    telephones write it, and a 60th second is the one before.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if not isinstance(text, str):
        return None
    text = text[:64]
    for pattern in (SEPARATED, COMPACT):
        if found := pattern.match(text):
            return _date(*found.group("year", "month", "day", "hour", "minute", "second"))
    for pattern in WORDS:
        if (found := pattern.match(text.lower())) and found["name"] in MONTHS:
            time = [*(found["time"] or "").split(":"), "", "", ""][:3]
            return _date(found["year"], MONTHS.index(found["name"]) + 1, found["day"], *time)
    return None


def from_name(path: str) -> str | None:
    """The date in a file's name, as telephones, messengers and programs for screenshots put it there; else None.

    "IMG-20190712-WA0003.jpg", "PXL_20190712_101112345.jpg", "signal-2019-07-12-10-11-12-345.jpg", "2019-07-12
    10.11.12.jpg", "Screenshot 2019-07-12 at 3.11.12 PM.png"; milliseconds since 1970 behind the names of some programs.
    """
    name = path.rpartition("/")[2].rpartition(".")[0].replace("\u202f", " ")
    for found in IN_NAME.finditer(name):
        hour, half = found["hour"], (found["half"] or "").lower()
        if half and hour and 1 <= int(hour) <= 12:
            hour = int(hour) % 12 + (12 if half == "p" else 0)
        if date := _date(*found.group("year", "month", "day"), hour, found["minute"], found["second"]):
            return date
    if found := MILLISECONDS.match(name):
        return of_seconds(int(found["since"]) // 1000)
    return None


def of_seconds(seconds: float) -> str | None:
    """The date in UTC, `seconds` after 1970 or before; None where the calendar does not reach, or a clock is unset."""
    try:
        return _sane(datetime.fromordinal(EPOCH_DAY + int(seconds // 86400)), int(seconds % 86400))
    except (ValueError, OverflowError):
        return None


EPOCH_DAY = datetime(1970, 1, 1).toordinal()


def hours_apart(one: str, other: str) -> float:
    """How far two dates are from one another, in hours."""
    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds()) / 3600


def _date(year, month, day, hour, minute, second):
    numbers = [int(part) if part else 0 for part in (year, month, day, hour, minute, second)]
    if numbers[3] == 24:
        numbers[3] = 0
    if numbers[5] == 60:
        numbers[5] = 59
    try:
        return _sane(datetime(*numbers))
    except ValueError:
        return None


def _sane(date, seconds=0):
    text = (date + timedelta(seconds=seconds)).isoformat()
    return None if date.year < FIRST_YEAR or text[:10] in UNSET_DAYS or text in UNSET else text
