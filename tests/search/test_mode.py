"""Modes: six, each equal to its spelling."""

import json

import pytest

from cliplib.errors import QueryError
from cliplib.search.mode import Mode


@pytest.mark.parametrize(
    ("spelling", "query", "target", "row_kind"),
    [
        ("text->image", "text", "image", "image"),
        ("image->image", "image", "image", "image"),
        ("mixed->image", "mixed", "image", "image"),
        ("text->video", "text", "video", "frame"),
        ("image->video", "image", "video", "frame"),
        ("mixed->video", "mixed", "video", "frame"),
    ],
)
def test_says_what_is_asked_with_and_what_is_looked_for(spelling, query, target, row_kind):
    mode = Mode(spelling)
    assert (mode.query, mode.target, mode.row_kind) == (query, target, row_kind)
    assert mode is Mode.of(query, row_kind)
    assert mode.is_judged == (query != "mixed")


def test_is_its_spelling_wherever_it_is_written():
    mode = Mode.TEXT_TO_IMAGE
    assert mode == "text->image" and hash(mode) == hash("text->image")
    assert f"{mode}" == str(mode) == repr(mode) == "text->image"
    assert json.dumps([mode]) == '["text->image"]'


@pytest.mark.parametrize("mode", ["nonsense", "text->sound", "mixed->frame", "", None, ["text->image"]])
def test_refuses_any_other_and_names_the_six(mode):
    with pytest.raises(QueryError, match=r"it can be text->image, image->image, .*mixed->video"):
        Mode(mode)
    with pytest.raises(QueryError, match="kind is 'sound': it can be 'image' or 'frame'"):
        Mode.of("text", "sound")
