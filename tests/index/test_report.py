"""The report of an index run: its old names go on working for a version."""

import pytest

from cliplib.index.report import IndexContents, IndexReport, OtherFiles


@pytest.mark.parametrize(
    ("old", "value"),
    [("written", 2), ("outlook", "soon"), ("sidecars", 3), ("motion_clips", 4), ("not_read", {".psd": 1})],
)
def test_an_old_name_answers_and_warns(old, value):
    holds, found = IndexContents(written=2, durability="soon"), OtherFiles(3, 4, {".psd": 1})
    report = IndexReport(0, 0, 0, [], holds=holds, found=found)
    with pytest.warns(DeprecationWarning, match=f"IndexReport.{old} is called (holds|found)"):
        assert getattr(report, old) == value
