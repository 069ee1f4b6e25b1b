"""Judgements as CSV: how they leave a library and come into another. A spreadsheet opens the file, so no cell of it may
be taken for a formula: one that begins like a formula gets an apostrophe, and loses it again on the way back.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import JudgementError
from ..export.answers import FORMULA
from ..places import expanded, target

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("mode", "query", "path", "relevant")
WORDS = ("query", "path", "judge")


def write(frame: pd.DataFrame, file: str | Path) -> Path:
    """Write judgements, a DataFrame with the columns of `Judgements.frame`, with yes and no for `relevant`."""
    guarded = {
        name: [f"'{cell}" if cell.lstrip().startswith((*FORMULA, "'")) else cell for cell in frame[name]]
        for name in WORDS
    }
    said = ["yes" if relevant else "no" for relevant in frame["relevant"]]
    file = target(file)
    frame.assign(**guarded, relevant=said).to_csv(file, index=False, lineterminator="\n")
    return file


def read(file: str | Path | pd.DataFrame) -> tuple[str, list[dict]]:
    """The name of a table, a CSV file or a DataFrame, and its rows as dicts, unchecked.

    JudgementError when it is no CSV in UTF-8, or lacks the columns of judgements.
    """
    if hasattr(file, "to_dict"):
        name, records, columns = "the table", file.to_dict("records"), list(file.columns)
    else:
        name = Path(file).name
        try:
            with open(expanded(file), newline="", encoding="utf-8-sig") as lines:
                reader = csv.DictReader(lines)
                records, columns = [_unguarded(record) for record in reader], reader.fieldnames or []
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise JudgementError(f"{file} cannot be read as a CSV file in UTF-8: {error}") from error
    missing = set(NEEDED) - set(columns)
    if missing:
        raise JudgementError(
            f"{name} has the columns {columns}, without {sorted(missing)}: judgements need mode, query, path and "
            "relevant, and may have time_s, judge and date"
        )
    return name, records


def _unguarded(record: dict) -> dict:
    return {name: cell[1:] if name in WORDS and (cell or "").startswith("'") else cell for name, cell in record.items()}
