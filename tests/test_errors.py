"""What messages look like: names from somebody's disk do nothing to a terminal."""

import pytest

from cliplib.errors import LibraryError, MediaError, printable
from cliplib.index.check import Finding
from cliplib.index.report import IndexReport, Skipped
from cliplib.search.moments import Moment
from cliplib.search.results import Hit

HOSTILE = "a\x1b[2Jb\x07\r\x9b31m\u202egpj.jpg"


@pytest.mark.parametrize(
    "shown",
    [
        str(MediaError(HOSTILE, "read", "cannot be read")),
        str(LibraryError(f"{HOSTILE} is not there")),
        str(IndexReport(0, 0, 0, [Skipped(HOSTILE, "read", f"no {HOSTILE}")], problems=[HOSTILE])),
        str(Finding("cache", "tiny", 1, damage=[HOSTILE], missing=[HOSTILE])),
        str(Hit(HOSTILE, 0.5)),
        str(Moment(HOSTILE, 0, 1, 0.5, 0.5)),
    ],
)
def test_control_characters_are_shown_as_escapes(shown):
    assert not set(HOSTILE) & set("\x1b\x07\r\x9b\u202e") & set(shown)
    assert r"a\x1b[2Jb\x07\x0d\x9b31m\u202egpj.jpg" in shown


def test_ordinary_names_of_all_scripts_stay():
    for name in ("Été à Paris.jpg", "日本語.png", "👩‍👩‍👧.heic", "שלום\u200f.jpg", "a (1).jpg"):
        assert printable(name) == name
