"""Answers as files: a table for a spreadsheet, or a page with its pictures."""

from __future__ import annotations

from pathlib import Path

from ..display.html import save_html
from ..errors import printable
from ..places import output_file
from ..search.moments import Moments
from ..search.results import Hits, Tags

FORMULA = "=+-@＝＋－＠"  # what makes a spreadsheet take a cell for a formula; the last four in East Asian settings


def save(answer: Hits | Moments | Tags, file: str | Path) -> Path:
    r"""Write an answer as a table or a page.

    A path is text from somebody's disk, and a spreadsheet runs formulas. So in CSV a text that begins as a formula gets
    an apostrophe in front, and control characters become escapes such as \x07. Numbers stay numbers. The table begins
    with the mark of UTF-8 (BOM): without it Excel reads accents as something else.

    Args:
        answer: Photos, frames or moments that were found, or photos by tag.
        file: Ends in ".csv" for the table that `to_frame` gives, or in ".html" for one self-contained page.

    Returns:
        The path of the file.

    Raises:
        QueryError: `file` has another ending, or its folder is not there.
    """
    file = output_file(file, ".csv", ".html", ".htm")
    if file.suffix.lower() == ".csv":
        answer.to_frame().map(_harmless).to_csv(file, index=False, encoding="utf-8-sig")
    else:
        save_html([answer], file)
    return file


def _harmless(cell):
    """A cell of a table that no spreadsheet takes for a formula, without control characters; no text as it is."""
    if not isinstance(cell, str):
        return cell
    cell = printable(cell)
    return f"'{cell}" if cell.lstrip().startswith(tuple(FORMULA)) else cell
