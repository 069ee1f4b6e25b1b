"""The lab on recordings of the real ViT-B/32, where they lie beside the repository: reported, with no bound.

Captions, each true of one photo, and four nouns, each true of hundreds; nothing of the recordings is kept here.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from cliplib.calibrate.evaluation import at_cutoffs, held_out, summary
from cliplib.calibrate.rules import RULES, Judged

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "realclip"
CAPTIONS = 40  # of the 500
NOUNS = {"dog": "dogs", "cat": "cats", "bicycle": "bike", "car": "cars"}


def recordings(folder=FOLDER):
    """Best F1 on captions and on nouns, with every picture judged and with 15 clicks a query: a DataFrame.

    true_f1: what judging every picture says of the cutoff that the study took. Empty where the recordings are not.
    """
    if not (folder / "gallery.npz").is_file():
        return pd.DataFrame()
    gallery, captions, nouns = (np.load(folder / f"{name}.npz") for name in ("gallery", "captions", "nouns"))
    chosen = np.random.default_rng(0).permutation(len(captions["rows"]))[:CAPTIONS]
    own = np.arange(len(gallery["rows"])) == captions["picture"][chosen][:, None]
    names = list(nouns["name"])
    asked = nouns["rows"][[names.index(noun) for noun in NOUNS]]
    labelled = np.array([gallery["label"] == label for label in NOUNS.values()])
    rows = [*_both("captions", captions["rows"][chosen] @ gallery["rows"].T, own)]
    return pd.DataFrame([*rows, *_both("four nouns", asked @ gallery["rows"].T, labelled)])


def _both(source, scores, truth):
    """A row for each design, over scores and truth (q, n)."""
    number = np.repeat(np.arange(len(scores)), scores.shape[1])
    every = Judged(scores.ravel(), truth.ravel(), number)
    for design, judged in (("all", every), ("clicked", every.clicked())):
        rule = RULES["best F1"]
        true = at_cutoffs(every, rule.fit(judged))[:, 2].mean()
        row = {"source": source, "design": design, "queries": len(scores), "rule": "best F1"}
        yield row | summary(held_out(judged, rule)) | {"true_f1": float(true)}
