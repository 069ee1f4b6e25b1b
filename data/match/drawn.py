"""Measure plain cosines and the match on the drawn world: python -m data.match.drawn prints a table and writes
build/match.json.

In every mode and style, over the queries of several drawn libraries: average precision, recall and precision at 5 by
cosine and by match; F1 at the plain noise floor, which is the only cutoff without labels that cosines have, and at the
cutoff of the match; and the share of texts without a meaning for which the match shows anything. One library of 60
queries decides nothing: a single query moves its recall by 0.017, so each difference has its 95 % bootstrap interval.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from cliplib import models
from cliplib.calibrate.lab import noise_pictures
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
NAMES = ("map", "recall_at_5", "precision_at_5", "f1")
DRAWS, RESAMPLED = 4, 2000
K = 5
MOST_LOST = 0.01  # of a figure of the order


def ranks(scores, right):
    """Average precision, recall and precision at 5 of each query, float (m,), of scores and truth, (m, n)."""
    first = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    hits = np.take_along_axis(right, first, axis=1).sum(axis=1)
    precisions = [average_precision_score(truth, values) for truth, values in zip(right, scores, strict=True)]
    recall = hits / np.minimum(right.sum(axis=1), K)
    return {"map": np.array(precisions), "recall_at_5": recall, "precision_at_5": hits / K}


def compared(queries, gallery, right, noise, bank, query_kind):
    """Each figure of each query of one mode: of cosines, with the prefix plain_, and of the match; `noise_shown` of
    each row of `noise`, which means nothing.
    """

    def found_by_match(rows):
        matches = background.match(rows, gallery, bank, query_kind)
        return matches, matches >= background.cutoff(rows, gallery, bank, query_kind)[:, None]

    cosines, (matches, shown) = queries @ gallery.T, found_by_match(queries)
    floor = noise_floor((noise @ gallery.T).max(axis=1))
    found = {f"plain_{name}": values for name, values in ranks(cosines, right).items()} | ranks(matches, right)
    found |= {"plain_f1": f1_scores(cosines >= floor, right), "f1": f1_scores(shown, right)}
    return found | {"noise_shown": found_by_match(noise)[1].any(axis=1).astype(float)}


def modes(encoder, bank, style, seed, scenes, events):
    """What `compared` finds in one drawn library, by mode."""
    noise, pictures = encoder.encode_texts(nonsense(NOISE, seed)), encoder.encode_images(noise_pictures(NOISE, seed))
    drawn = draw_library(encoder, seed, scenes=scenes, events=events, style=style)
    same = np.array([[scene == other for other in drawn.scenes] for scene, _ in drawn.asking])
    asking = np.stack([row for _, row in drawn.asking])
    found = {"image->image": compared(asking, drawn.photos, same, pictures, bank, "image")}
    for mode, of, gallery in (
        ("text->image", drawn.scenes, drawn.photos),
        ("text->video", drawn.frame_scenes, drawn.frames),
    ):
        texts, queries = text_queries(seed, of)
        right = truth_matrix(queries, of)
        found[mode] = compared(encoder.encode_texts(texts), gallery, right, noise, bank, "text")
    return found


def measure(encoder, scenes=600, events=200, draws=DRAWS):
    """The figures by style and mode: a dict of dicts of dicts."""
    bank, rows = Background(encoder, REPO / "build").vectors, {}
    for number, style in enumerate(STYLES):
        libraries = [modes(encoder, bank, style, SEED + number + 100 * i, scenes, events) for i in range(draws)]
        rows[style] = {mode: pooled([library[mode] for library in libraries]) for mode in libraries[0]}
    return rows


def pooled(libraries):
    """The mean of each figure over the queries of all libraries, and where the difference of match and plain lies."""
    queries = {name: np.concatenate([library[name] for library in libraries]) for name in libraries[0]}
    figures = {name: round(float(values.mean()), 4) for name, values in queries.items()}
    random = np.random.default_rng(SEED)
    for name in NAMES:
        gained = queries[name] - queries[f"plain_{name}"]
        means = gained[random.integers(0, len(gained), (RESAMPLED, len(gained)))].mean(axis=1)
        figures[f"gained_{name}"] = [round(float(edge), 4) for edge in np.percentile(means, [2.5, 97.5])]
    return figures


def main():
    """Measure, print, write."""
    found = measure(models.load("tiny", device="cpu", precision="fp32"))
    (REPO / "build").mkdir(exist_ok=True)
    (REPO / "build" / "match.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("The drawn world: plain, match. F1: plain at the noise floor, the match at its own cutoff.\n")
    print(f"{'':24}" + "".join(f"{name:>18}" for name in (*NAMES, "noise shown")))
    for style, modes_ in found.items():
        for mode, figures in modes_.items():
            cells = "".join(f"{figures['plain_' + name]:10.3f}{figures[name]:8.3f}" for name in NAMES)
            lost = [name for name in NAMES[:3] if figures[name] < figures[f"plain_{name}"] - MOST_LOST]
            lost += ["f1"] * (figures["f1"] < figures["plain_f1"])
            told = ", ".join(f"{name} {figures['gained_' + name]}" for name in lost)
            print(f"{style:10}{mode:14}{cells}{figures['noise_shown']:18.3f}  {'LOST ' + told if lost else 'ok'}")


if __name__ == "__main__":
    main()
