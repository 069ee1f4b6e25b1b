"""The paper's own queries and printed scores as data (`paper.csv`), where its files may be had, and the comparison.

`paper.csv` holds every score that the paper prints, one a row: mode, query, file (as a machine read it from the PDF),
candidates (file names that the reading may stand for, joined by "|", where it is garbled), time_s, score, figure. The
photo names are Unsplash's ids and the videos are Mixkit's; `IMG_59xx` are the authors' own and can never be had.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from cliplib import Library, ModelError
from cliplib.search.query import stored_path
from cliplib.search.results import Scores
from data.paper.downloads import Outcome, Wanted

PAPER_FILE = Path(__file__).resolve().parents[1] / "paper.csv"
# The paper's files lie at these addresses, as far as public code tells; neither could be tried where this was written.
UNSPLASH = "https://unsplash.com/photos/{id}/download?force=true&w=1080"
MIXKIT = "https://assets.mixkit.co/videos/preview/{name}"
MISSING = "not here"


def printed_scores() -> pd.DataFrame:
    """`paper.csv` as a table; the scores and times are floats, empty texts are ''."""
    table = pd.read_csv(PAPER_FILE, dtype=str, keep_default_na=False)
    return table.assign(score=table["score"].astype(float), time_s=pd.to_numeric(table["time_s"]))


def names_of(table: pd.DataFrame) -> dict[str, list[str]]:
    """For every file of the table, queries by picture included: the names it may really have, most likely first."""
    names = {row.file: row.candidates.split("|") if row.candidates else [row.file] for row in table.itertuples()}
    queries = table.loc[table["mode"] == "image->image", "query"]
    return {**{name: [name] for name in queries}, **names}


def wanted_files(table: pd.DataFrame, unsplash: str = UNSPLASH, mixkit: str = MIXKIT) -> list[Wanted]:
    """What `downloads.download` is to fetch, each file once, under the first name that it may have."""
    wanted = {}
    for names in names_of(table).values():
        if names[0].startswith("IMG_"):  # the authors' own photos: no address
            addresses = []
        elif names[0].endswith(".mp4"):
            addresses = [mixkit.format(name=name) for name in names]
        else:
            addresses = [unsplash.format(id=Path(name).stem) for name in names]
        wanted[names[0]] = Wanted(names[0], addresses)
    return list(wanted.values())


def compare(table: pd.DataFrame, library, outcomes: list[Outcome]) -> pd.DataFrame:
    """The paper's scores beside ours, a row each: mode, query, file, time_s, paper, ours, difference, note.

    `ours` is NaN where the file, or the picture that asks, is not in the library; the note says why. A frame's score is
    that of the sampled frame nearest to the printed time.
    """
    names = {file: candidates[0] for file, candidates in names_of(table).items()}
    why = {outcome.name: f"{outcome.state}: {outcome.reason}" for outcome in outcomes}
    indexed = pa.array([*library.photos(), *library.videos()], pa.string())
    rows, asked = [], {}
    for row in table.itertuples():
        file = names[row.file]
        needed = [names[row.query], file] if row.mode == "image->image" else [file]
        absent = next((name for name in needed if stored_path(name, library.root, indexed) is None), None)
        ours, note = np.nan, f"{absent}: {why.get(absent, MISSING)}"
        if absent is None:
            query = Path(names[row.query]) if row.mode == "image->image" else row.query
            key = (row.mode, row.query)
            if key not in asked:
                asked[key] = library.score(query, "frame" if row.mode.endswith("video") else "image")
            ours, note = _score_of(asked[key], file, row.time_s), ""
        rows.append([row.mode, row.query, row.file, row.time_s, row.score, ours, ours - row.score, note])
    columns = ["mode", "query", "file", "time_s", "paper", "ours", "difference", "note"]
    return pd.DataFrame(rows, columns=columns)


def _score_of(scores: Scores, file: str, time_s: float) -> float:
    """The score of a file's photo, or of its frame nearest to `time_s`."""
    frame = scores.to_frame()
    rows = frame[[Path(path).name == file for path in frame["path"]]]
    if not np.isnan(time_s):
        rows = rows.loc[(rows["time_s"] - time_s).abs().sort_values(kind="stable").index]
    return float(rows["score"].iloc[0])


def library_for(folder: Path, model: str, outcomes: list[Outcome], stand_in: Path):
    """The library to redo the paper on, and a sentence about it: (Library, str).

    That is `folder` with `model` where files came and the weights can be had; otherwise the drawn sample library
    `stand_in` with the tiny model, and the sentence says why.
    """
    if not any(outcome.path for outcome in outcomes):
        why = "none of the paper's files could be fetched"
    else:
        library = Library(folder, model, ranking="cosine")
        try:
            return library, f"The paper's own files, with {library.encoder.name}."
        except ModelError as error:
            why = str(error).splitlines()[0]
    said = (
        f"This is NOT the paper's data: {why}. The same steps follow on the drawn sample library, with the tiny model."
    )
    return Library(stand_in, "tiny", ranking="cosine"), said


def verdict(compared: pd.DataFrame) -> str:
    """The comparison in words: how many scores could be set beside ours, how far apart they lie, what is missing."""
    both = compared.dropna(subset="ours")
    if both.empty:
        return f"None of the {len(compared)} printed scores could be compared: their files or the model are missing."
    apart = both["difference"].abs()
    missing = compared.loc[compared["ours"].isna(), "file"].nunique()
    return (
        f"{len(both)} of {len(compared)} printed scores could be compared. Ours lie {apart.median():.4f} away in the "
        f"middle and {apart.max():.4f} at most; {int((apart <= 0.005).sum())} agree within 0.005. "
        f"{missing} of the files are missing."
    )
