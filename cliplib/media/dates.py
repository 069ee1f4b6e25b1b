"""Dates as cameras, programs and people write them, read in their usual spellings. A clock never set is no date.

A date is taken as local time. An offset behind it is left out: people remember the hour on the camera's clock. All are
given as "YYYY-MM-DDTHH:MM:SS".
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

FIRST_YEAR = 1826  # of the oldest photograph that is left
SEPARATED = re.compile(
    r"\s*(?P<year>\d{4})[-:/. ](?P<month>\d{1,2})[-:/. ](?P<day>\d{1,2})"
    r"(?:[T/, ]+\s*(?P<hour>\d{1,2})[:.-](?P<minute>\d{1,2})(?:[:.-](?P<second>\d{1,2}))?"
    r"(?:\s?(?P<half>[AaPp])\.?[Mm])?)?(?!\d)"
)
COMPACT = re.compile(
    r"\s*(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:[T _]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?)?(?!\d)"
)
PARTS = ("year", "month", "day", "hour", "minute", "second")
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
    """The date at the beginning of a text; None where there is none, or it is that of a clock never set.

    Between the numbers may stand dashes, colons, slashes, dots or nothing; before the time a "T". The seconds or the
    whole time may be missing. Months may be English names, as in asctime and RFC 5322. Hour 24 is midnight of the same
    day, as some telephones write it; second 60 is read as 59.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if not isinstance(text, str):
        return None
    text = text[:64]
    if numbers := SEPARATED.match(text) or COMPACT.match(text):
        year, month, day, hour, minute, second = (numbers[part] for part in PARTS)
        return _date([year, month, day, _of_24(hour, numbers.groupdict().get("half")), minute, second])
    for pattern in WORDS:
        if (words := pattern.match(text.lower())) and words["name"] in MONTHS:
            time = [*(words["time"] or "").split(":"), "", "", ""][:3]
            return _date([words["year"], MONTHS.index(words["name"]) + 1, words["day"], *time])
    return None


def from_name(path: str) -> str | None:
    """The date in a file's name, as telephones, messengers and programs for screenshots put it there; else None.

    "IMG-20190712-WA0003.jpg", "PXL_20190712_101112345.jpg", "signal-2019-07-12-10-11-12-345.jpg", "2019-07-12
    10.11.12.jpg", "Screenshot 2019-07-12 at 3.11.12 PM.png"; milliseconds since 1970 behind the names of some programs.
    """
    name = path.rpartition("/")[2].rpartition(".")[0].replace("\u202f", " ")
    for found in IN_NAME.finditer(name):
        hour = _of_24(found["hour"], found["half"])
        if date := _date([found["year"], found["month"], found["day"], hour, found["minute"], found["second"]]):
            return date
    since = MILLISECONDS.match(name)
    return of_seconds(int(since["since"]) // 1000) if since else None


def of_seconds(seconds: float) -> str | None:
    """The date in UTC so many seconds after 1970; None beyond the calendar, or where a clock was not set."""
    try:
        return _sane(datetime.fromordinal(EPOCH_DAY + int(seconds // 86400)), int(seconds % 86400))
    except (ValueError, OverflowError):
        return None


EPOCH_DAY = datetime(1970, 1, 1).toordinal()


def hours_apart(one: str, other: str) -> float:
    """How many hours lie between two dates."""
    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds()) / 3600


def _of_24(hour: str | None, half: str | None) -> str | int | None:
    """The hour of the day of one that is followed by AM or PM; else itself."""
    if not half or not hour or not 1 <= int(hour) <= 12:
        return hour
    return int(hour) % 12 + (12 if half in "Pp" else 0)


def _date(parts: list[str | int | None]) -> str | None:
    """The date of a year, month, day, hour, minute and second; None where there is no such date."""
    year, month, day, hour, minute, second = (int(part) if part else 0 for part in parts)
    try:
        return _sane(datetime(year, month, day, 0 if hour == 24 else hour, minute, 59 if second == 60 else second))
    except ValueError:
        return None


def _sane(date: datetime, seconds: int = 0) -> str | None:
    """The date so many seconds later; None before photography, or where a clock was not set."""
    text = (date + timedelta(seconds=seconds)).isoformat()
    return None if date.year < FIRST_YEAR or text[:10] in UNSET_DAYS or text in UNSET else text
