"""Measure plain cosines and the match on recordings of the real CLIP: python -m data.match.realclip [folder]
prints a table and writes build/realclip.json.

The recordings are embeddings that others have published (see the README beside them); they are no part of this
repository. The machinery knows nothing of them: what is measured is `cliplib.search.background` as everybody gets it.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np

from cliplib.calibrate.evaluation import interval
from cliplib.search import background

REPO = Path(__file__).resolve().parents[2]
RECORDINGS = REPO.parent / "shared" / "realclip"
PRESENT = {"dog": "dogs", "cat": "cats", "bicycle": "bike", "car": "cars"}  # a noun, and the label of its photos
ABSENT = re.findall(
    r"\w+",
    """
    horse giraffe elephant pizza airplane toilet snowboard cake microwave broccoli banana toothbrush scissors
    sandwich laptop keyboard boat oven refrigerator
    """,
)
PLAIN_TEXT, PLAIN_IMAGE = 0.25, 0.70
SMALL_BANK, DRAWS = 100, 20
ANIMALS_AND_VEHICLES = re.findall(
    r"\w+",
    """
    dog puppy cat kitten animal horse cow sheep bear lion tiger zebra giraffe elephant bird duck chicken rabbit
    deer monkey wolf fox pony donkey mouse rat rodent camel goat pig lamb bull pet cub car bus truck van jeep
    minivan taxi cab vehicle bicycle motorcycle bike train tricycle limousine ambulance wagon scooter tram suv
    automobile convertible formula trailer cart motor carriage rickshaw unicycle
    """,
)
# What is asked of the match, and what each figure means.
REQUIRED = {
    "noun_f1": (0.94, "dog, cat, bicycle, car over the labelled photos: F1 at the default cutoff"),
    "absent_shown_median": (0, "19 nouns that are in none of them: photos shown, median"),
    "absent_shown_mean": (1.5, "the same, mean"),
    "caption_r1": (0.83, "500 captions over all photos: the right one first"),
    "caption_recall": (0.95, "100 captions at the default cutoff: the right photo is shown"),
    "caption_f1": (0.50, "100 captions at the default cutoff: F1, the right photo alone counts"),
    "image_f1": (None, "each labelled photo asks for the others of its label: F1"),
    "small_bank_noun_f1": (0.90, "noun_f1 with 100 texts of the bank, mean of 20 draws"),
    "other_bank_noun_f1": (0.90, "noun_f1 without animals and vehicles in the bank"),
}
AT_MOST = ("absent_shown_median", "absent_shown_mean")


def read(folder):
    """The recordings: a dict of the four files' arrays, as name.array."""
    files = {name: np.load(Path(folder) / f"{name}.npz") for name in ("gallery", "captions", "nouns", "bank")}
    return {f"{name}.{array}": found[array] for name, found in files.items() for array in found.files}


def f1_scores(shown, right):
    """F1 of each query: bool (m, n) twice, float (m,). Nothing right and nothing shown is 1."""
    hits, counted = (shown & right).sum(axis=1), shown.sum(axis=1) + right.sum(axis=1)
    return np.where(counted > 0, 2 * hits / np.maximum(counted, 1), 1.0)


def shown_by_match(queries, gallery, bank):
    """Matches, float32 (m, n), and what they show at their own cutoff, bool (m, n)."""
    matches = background.match(queries, gallery, bank)
    return matches, matches >= background.cutoff(queries, gallery, bank)[:, None]


def shown_by_cosine(queries, gallery, threshold):
    """The same of plain cosines at one threshold."""
    cosines = queries @ gallery.T
    return cosines, cosines >= threshold


def nouns(recorded, show):
    """F1 of the four nouns, float (4,), and how many photos each absent noun shows, int (19,)."""
    labelled = np.flatnonzero(recorded["gallery.label"] != "")
    names = list(recorded["nouns.name"])
    queries = recorded["nouns.rows"][[names.index(noun) for noun in [*PRESENT, *ABSENT]]]
    labels = recorded["gallery.label"][labelled]
    shown = show(queries, recorded["gallery.rows"][labelled])[1]
    right = np.array([labels == label for label in PRESENT.values()])
    return f1_scores(shown[: len(PRESENT)], right), shown[len(PRESENT) :].sum(axis=1)


def captions(recorded, show):
    """Whether each caption finds its photo first, bool (500,); and of one caption a photo, whether the photo is shown,
    bool (100,), and F1, float (100,).
    """
    own = recorded["captions.picture"]
    scores, shown = show(recorded["captions.rows"], recorded["gallery.rows"])
    right = own[:, None] == np.arange(scores.shape[1])
    first = (scores > scores[right][:, None]).sum(axis=1) == 0
    one_each = np.unique(own, return_index=True)[1]
    return first, (shown & right).any(axis=1)[one_each], f1_scores(shown, right)[one_each]


def pictures(recorded, show):
    """F1 of each labelled photo as a query for the others of its label: float (1189,)."""
    labelled = np.flatnonzero(recorded["gallery.label"] != "")
    rows, labels = recorded["gallery.rows"][labelled], recorded["gallery.label"][labelled]
    right, shown = labels[:, None] == labels, show(rows, rows)[1]
    right[np.eye(len(rows), dtype=bool)] = shown[np.eye(len(rows), dtype=bool)] = False
    return f1_scores(shown, right)


def without_animals_and_vehicles(names):
    """Which names of a bank hold no word for one: bool (b,)."""
    words = re.compile(r"\b(" + "|".join(ANIMALS_AND_VEHICLES) + r")s?\b")
    return np.array([not words.search(re.sub(r"[^a-z]", " ", name.lower())) for name in names])


def measure(recorded, seed=0):
    """All figures of the match and, with the prefix plain_, of plain cosines; `intervals` has 95 % bootstrap intervals
    over the queries.
    """
    bank, random = recorded["bank.rows"], np.random.default_rng(seed)

    def match_with(texts):
        return lambda queries, gallery: shown_by_match(queries, gallery, texts)

    small = [
        nouns(recorded, match_with(bank[random.permutation(len(bank))[:SMALL_BANK]]))[0].mean() for _ in range(DRAWS)
    ]
    other = nouns(recorded, match_with(bank[without_animals_and_vehicles(recorded["bank.name"])]))[0].mean()
    plain_text, plain_image = (
        lambda queries, gallery, threshold=threshold: shown_by_cosine(queries, gallery, threshold)
        for threshold in (PLAIN_TEXT, PLAIN_IMAGE)
    )
    figures, intervals = {}, {}
    ways = {"": (match_with(bank), match_with(bank)), "plain_": (plain_text, plain_image)}
    for prefix, (by_text, by_image) in ways.items():
        noun, shown = nouns(recorded, by_text)
        first, found, f1 = captions(recorded, by_text)
        samples = {"noun_f1": noun, "absent_shown_mean": shown, "caption_r1": first, "caption_recall": found}
        samples |= {"caption_f1": f1, "image_f1": pictures(recorded, by_image)}
        means = {name: float(np.mean(values)) for name, values in samples.items()}
        means |= {"absent_shown_median": float(np.median(shown))}
        means |= {"small_bank_noun_f1": float(np.mean(small)), "other_bank_noun_f1": float(other)}
        if prefix:
            means |= {"small_bank_noun_f1": means["noun_f1"], "other_bank_noun_f1": means["noun_f1"]}
        figures |= {prefix + name: round(means[name], 4) for name in REQUIRED}
        limits = {name: interval(np.asarray(values, float), seed) for name, values in samples.items()}
        intervals |= {prefix + name: [round(edge, 4) for edge in edges] for name, edges in limits.items()}
    return {**figures, "small_bank_noun_f1_least": round(float(np.min(small)), 4), "intervals": intervals}


def print_table(figures):
    """Plain and match side by side, and whether each figure is as asked."""
    print(f"{'':22}{'plain':>8}{'match':>8}  asked")
    for name, (asked, meaning) in REQUIRED.items():
        if name == "image_f1":
            asked = figures["plain_image_f1"] + 0.03
        most = name in AT_MOST
        ok = figures[name] <= asked if most else figures[name] >= asked
        sign = "at most " if most else "at least "
        print(
            f"{name:22}{figures['plain_' + name]:8.3f}{figures[name]:8.3f}  {sign + format(asked, '.2f'):14}"
            f"{'ok' if ok else 'NOT MET':8}{meaning}"
        )


def main(folder=RECORDINGS):
    """Measure, print, write; say so and end where there are no recordings."""
    if not Path(folder).is_dir():
        print(f"There are no recordings of the real CLIP in {folder}: nothing to measure, and nothing is wrong.")
        return
    figures = measure(read(folder))
    out = REPO / "build" / "realclip.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print_table(figures)
    print(f"\nThe least of the small banks: {figures['small_bank_noun_f1_least']:.3f}. Written to build/realclip.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
