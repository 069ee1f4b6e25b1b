"""The truth of queries.csv: what each query should find in the sample library, as rows and as judgements."""

import csv

import numpy as np
import pandas as pd

from cliplib.search.mode import Mode
from data.sample_library.make import QUERIES_FILE, SEED, photo_plans
from data.world.scenes import truth_matrix

JUDGE = "the renderer"


def queries(mode):
    """The rows of queries.csv of one mode: [(query, relevant)]; `relevant` holds paths, or stretches, joined by "|"."""
    with open(QUERIES_FILE, newline="", encoding="utf-8") as file:
        return [(row["query"], row["relevant"]) for row in csv.DictReader(file) if row["mode"] == mode]


def photos_showing(query):
    """The paths of the sample's photos of which a `Query` is true, also where queries.csv does not ask it."""
    plans = photo_plans(np.random.default_rng(SEED))
    true = truth_matrix([query], [plan.scene for plan in plans])[0]
    return [plan.path for plan, shows in zip(plans, true, strict=True) if shows]


def stretches(relevant):
    """Yields (path, start_s, end_s) of each stretch of video, which is written "path@start-end"."""
    for stretch in relevant.split("|"):
        path, _, times = stretch.rpartition("@")
        yield path, *map(float, times.split("-"))


def is_relevant(relevant, path, time_s):
    """Whether a photo (time_s None) is listed, or a frame lies in a stretch that is."""
    if time_s is None:
        return path in relevant.split("|")
    return any(name == path and start_s <= time_s < end_s for name, start_s, end_s in stretches(relevant))


def judgements(library, mode="text->image"):
    """What `library.judgements.merge` takes: a DataFrame with mode, query, path, time_s, relevant, judge, a row for
    every query and photo or frame. Queries that ask by a picture leave this out.
    """
    rows = library.store.rows
    kind = Mode(mode).row_kind
    facts = (rows[name].to_pylist() for name in ("path", "time_s", "kind"))
    pictures = [(path, time_s) for path, time_s, of in zip(*facts, strict=True) if of == kind]
    found = [
        (mode, query, path, time_s, is_relevant(relevant, path, time_s), JUDGE)
        for query, relevant in queries(mode)
        for path, time_s in pictures
        if path != query
    ]
    return pd.DataFrame(found, columns=["mode", "query", "path", "time_s", "relevant", "judge"])
