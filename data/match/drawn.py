"""Measure plain cosines and the match on the drawn world: python -m data.match.drawn prints a table and writes
build/match.json.

In every mode and style: average precision, recall and precision at 5 by cosine and by match; F1 at the plain noise
floor, which is the only cutoff without labels that cosines have, and at the cutoff of the match.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from cliplib import models
from cliplib.lab import noise_pictures
from cliplib.search import background
from cliplib.search.bank import Background
from cliplib.search.query import nonsense
from cliplib.search.ranking import noise_floor
from data.match.realclip import f1_scores
from data.thresholds.drawn import NOISE, draw_library, text_queries
from data.world.scenes import truth_matrix

REPO = Path(__file__).resolve().parents[2]
SEED = 17
STYLES = ("picture", "pastel", "grain")
K = 5
MOST_LOST = 0.01  # of a figure of the order


def ranks(scores, right):
    """Mean average precision, recall and precision at 5 of queries, float and bool (m, n)."""
    first = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    hits = np.take_along_axis(right, first, axis=1).sum(axis=1)
    precisions = [average_precision_score(truth, values) for truth, values in zip(right, scores, strict=True)]
    recall = hits / np.minimum(right.sum(axis=1), K)
    return {"map": np.mean(precisions), "recall_at_5": recall.mean(), "precision_at_5": (hits / K).mean()}


def compared(queries, gallery, right, noise, bank, asked):
    """The figures of one mode: of cosines, each with the prefix plain_, and of the match. `noise`: of nonsense."""
    cosines, matches = queries @ gallery.T, background.match(queries, gallery, bank, asked)
    floor = noise_floor((noise @ gallery.T).max(axis=1))
    shown = matches >= background.cutoff(queries, gallery, bank, asked)[:, None]
    found = {f"plain_{name}": value for name, value in ranks(cosines, right).items()}
    found |= ranks(matches, right)
    found |= {"plain_f1": f1_scores(cosines >= floor, right).mean(), "f1": f1_scores(shown, right).mean()}
    return {name: round(float(value), 4) for name, value in found.items()}


def measure(encoder, scenes=600, events=200):
    """The figures by style and mode: a dict of dicts of dicts."""
    bank, rows = Background(encoder, REPO / "build").vectors, {}
    noise, pictures = encoder.encode_texts(nonsense(NOISE, SEED)), encoder.encode_images(noise_pictures(NOISE, SEED))
    for number, style in enumerate(STYLES):
        drawn = draw_library(encoder, SEED + number, scenes=scenes, events=events, style=style)
        same = np.array([[scene == other for other in drawn.scenes] for scene, _ in drawn.asking])
        asking = np.stack([row for _, row in drawn.asking])
        rows[style] = {"image->image": compared(asking, drawn.photos, same, pictures, bank, "image")}
        for mode, of, gallery in (
            ("text->image", drawn.scenes, drawn.photos),
            ("text->video", drawn.frame_scenes, drawn.frames),
        ):
            texts, queries = text_queries(SEED + number, of)
            right = truth_matrix(queries, of)
            rows[style][mode] = compared(encoder.encode_texts(texts), gallery, right, noise, bank, "text")
    return rows


def main():
    """Measure, print, write."""
    found = measure(models.load("tiny", device="cpu", precision="fp32"))
    (REPO / "build").mkdir(exist_ok=True)
    (REPO / "build" / "match.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    names = ("map", "recall_at_5", "precision_at_5", "f1")
    print("The drawn world: plain, match. F1: plain at the noise floor, the match at its own cutoff.\n")
    print(f"{'':24}" + "".join(f"{name:>18}" for name in names))
    for style, modes in found.items():
        for mode, figures in modes.items():
            cells = "".join(f"{figures['plain_' + name]:10.3f}{figures[name]:8.3f}" for name in names)
            lost = any(figures[name] < figures[f"plain_{name}"] - MOST_LOST for name in names[:3])
            verdict = "LOST" if lost or figures["f1"] < figures["plain_f1"] else "ok"
            print(f"{style:10}{mode:14}{cells}  {verdict}")


if __name__ == "__main__":
    main()
