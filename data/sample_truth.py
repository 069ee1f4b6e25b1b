"""The truth of data/queries.csv as judgements of the sample library: every photo or frame, for every query."""

import csv

import pandas as pd
from make_sample import QUERIES_FILE

JUDGE = "the renderer"


def judgements(library, mode="text->image"):
    """What `library.judgements.merge` takes: a DataFrame with mode, query, path, time_s, relevant, judge.

    A frame is relevant where its time lies inside a stretch that the query describes. Queries that ask by a picture
    leave this out.
    """
    with open(QUERIES_FILE, newline="", encoding="utf-8") as file:
        asked = [row for row in csv.DictReader(file) if row["mode"] == mode]
    rows = library.store.rows
    kind = "frame" if mode.endswith("->video") else "image"
    facts = (rows[name].to_pylist() for name in ("path", "time_s", "kind"))
    pictures = [(path, time_s) for path, time_s, of in zip(*facts, strict=True) if of == kind]
    found = [
        (mode, row["query"], path, time_s, _relevant(row["relevant"], path, time_s), JUDGE)
        for row in asked
        for path, time_s in pictures
        if path != row["query"]
    ]
    return pd.DataFrame(found, columns=["mode", "query", "path", "time_s", "relevant", "judge"])


def _relevant(listed, path, time_s):
    """Whether a picture is among the relevant ones: paths, or for frames "path@start-end" in seconds, joined by "|"."""
    for one in listed.split("|"):
        if time_s is None and one == path:
            return True
        name, _, times = one.rpartition("@")
        if time_s is not None and name == path:
            start_s, end_s = map(float, times.split("-"))
            if start_s <= time_s < end_s:
                return True
    return False
