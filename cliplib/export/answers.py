"""Answers as files: a table for a spreadsheet, or a page with its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..display.html import PAGE_TITLE, hits_html, save_html
from ..errors import printable
from ..places import output_file
from ..search.engine import SearchEngine
from ..search.moments import Moments
from ..search.results import Hits, PhotosAndVideos, Tags
from . import album

SEARCHABLE = 8  # hits from which their page can be searched by itself, as an album
FORMULA = "=+-@＝＋－＠"  # what makes a spreadsheet take a cell for a formula; the last four in East Asian settings


def save(answer: Hits | Moments | PhotosAndVideos | Tags, file: str | Path) -> Path:
    r"""Write an answer as a table or a page.

    A path is text from somebody's disk, and a spreadsheet runs formulas. So in CSV a text that begins as a formula gets
    an apostrophe in front, and control characters become escapes such as \x07. Numbers stay numbers. The table begins
    with the mark of UTF-8 (BOM): without it Excel reads accents as something else.

    Args:
        answer: Photos, frames or moments that were found, or photos by tag.
        file: Ends in ".csv" for the table that `to_frame` gives, or in ".html" for one self-contained page. With eight
            hits or more that page is an `album`, too: they can be searched in it.

    Returns:
        The path of the file.

    Raises:
        QueryError: `file` has another ending, or its folder is not there.
    """
    file = output_file(file, ".csv", ".html", ".htm")
    if file.suffix.lower() == ".csv":
        answer.to_frame().map(_harmless).to_csv(file, index=False, encoding="utf-8-sig")
    elif isinstance(answer, Hits):
        _save_hits(answer, file)
    else:
        save_html(answer._repr_html_(), file)
    return file


def _save_hits(hits: Hits, file: Path) -> None:
    """Write hits as a page; many can be searched in it."""
    engine, body = hits.scores.engine if hits.scores else None, hits_html(hits)
    if len(hits) < SEARCHABLE or not isinstance(engine, SearchEngine):  # without an engine: hits of no library
        save_html(body, file)
        return
    paths, intro = [hit.path for hit in hits], f"{body}<h2>Search among these</h2>"
    album.save(engine, file, paths, show=album.SHOWN, title=PAGE_TITLE, ranking=hits.scale, intro=intro)


def _harmless(cell: Any) -> Any:
    """A cell of a table that no spreadsheet takes for a formula, without control characters; no text as it is."""
    if not isinstance(cell, str):
        return cell
    cell = printable(cell)
    return f"'{cell}" if cell.lstrip().startswith(tuple(FORMULA)) else cell
