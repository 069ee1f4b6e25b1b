"""Judgements as CSV: how they leave a library and come into another.

A spreadsheet opens the file, so it begins with a byte order mark, without which Excel takes "é" for two letters, and no
cell of it may be taken for a formula: one that begins like one gets an apostrophe, and loses it again on the way back.
A spreadsheet of a country with decimal commas saves with semicolons; that is read, too.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import JudgementError
from ..export.answers import FORMULA
from ..places import expanded, output_file

if TYPE_CHECKING:
    import pandas as pd

UNSURE = "unsure"
NEEDED = ("mode", "query", "path", "relevant")
WORDS = ("query", "path", "judge", "ranking", "model_id", "library")


def write(frame: pd.DataFrame, file: str | Path) -> Path:
    """Write judgements, a DataFrame with the columns of `Judgements.frame`, with yes and no for `relevant`."""
    guarded = {
        name: [f"'{cell}" if cell.lstrip().startswith((*FORMULA, "'")) else cell for cell in frame[name]]
        for name in WORDS
    }
    said = frame["relevant"].map({True: "yes", False: "no", UNSURE: UNSURE})
    file = output_file(file)
    frame.assign(**guarded, relevant=said).to_csv(file, index=False, lineterminator="\n", encoding="utf-8-sig")
    return file


def read(file: str | Path | pd.DataFrame) -> tuple[str, list[dict]]:
    """The name of a table, a CSV file or a DataFrame, and its rows as dicts, unchecked.

    JudgementError when it is no CSV in UTF-8, or lacks the columns of judgements.
    """
    if not isinstance(file, str | Path):
        name, records, columns = "the table", file.to_dict("records"), list(file.columns)
    else:
        name = Path(file).name
        try:
            with open(expanded(file), newline="", encoding="utf-8-sig") as lines:
                heading = lines.readline()
                lines.seek(0)
                reader = csv.DictReader(lines, delimiter=max(";,\t", key=heading.count))
                records, columns = [_unguarded(record) for record in reader], list(reader.fieldnames or [])
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise JudgementError(
                f"{file} cannot be read as a CSV file in UTF-8: {error}. In a spreadsheet, save it as 'CSV UTF-8'"
            ) from error
    missing = set(NEEDED) - set(columns)
    if missing:
        raise JudgementError(
            f"{name} has the columns {columns}, without {sorted(missing)}: judgements need mode, query, path and "
            "relevant, and may have time_s, judge, date, origin, probability, ranking, model_id and library"
        )
    return name, records


def _unguarded(record: dict) -> dict:
    return {name: cell[1:] if name in WORDS and (cell or "").startswith("'") else cell for name, cell in record.items()}
