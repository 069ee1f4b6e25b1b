"""Measure the tiny model through the library: python -m data.evaluation.evaluate prints a table and writes
build/evaluate.json.

Scenes, redrawings and videos come from seeds of their own, and every scene has a combination of kind, colour and
place that training never saw; nonsense words too are others than those of training.
"""

import json
import shutil
import tempfile
from pathlib import Path

from cliplib import Library, models
from data.evaluation.composed import LEAST, composed_figures
from data.evaluation.figures import picture_figures
from data.sample_library.make import SAMPLE_DIR
from data.sample_library.truth import queries, stretches
from data.tiny.model import Tokens

BUILD_DIR = Path(__file__).resolve().parents[2] / "build"
SEED = 5
SLACK_S = 1.0

# What is asked of the model, and what each figure means.
REQUIRED = {
    "recall_at_1": (0.90, "whole captions, 300 scenes: the right one first"),
    "recall_at_5": (0.99, "whole captions, 300 scenes: the right one among five"),
    "attribute_map": (0.80, "100 short queries, 1,000 scenes: mean average precision"),
    "nonsense_below": (0.95, "100 nonsense queries: best score under the median of relevant pairs"),
    "text_image_gap": (0.20, "mean score of a scene redrawn less that of its own caption"),
    "video_hit_in_event": (0.90, "labelled video queries: top hit inside the event, 1 s of slack"),
}


def inside_event(path, time_s, relevant):
    """Whether a hit lies in one of the relevant stretches, or within SLACK_S of it."""
    return any(
        name == path and start_s - SLACK_S <= time_s <= end_s + SLACK_S for name, start_s, end_s in stretches(relevant)
    )


def video_figure():
    """The share of the text->video queries of data/queries.csv whose top hit lies inside a relevant event.

    The videos are indexed anew in a temporary folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(SAMPLE_DIR / "videos", Path(folder) / "videos")
        library = Library(folder, model="tiny")
        library.index()
        asked = queries("text->video")
        hits = [library.search_videos(query, k=1, threshold=-1)[0] for query, _ in asked]
    found = [inside_event(hit.path, hit.time_s, true) for hit, (_, true) in zip(hits, asked, strict=True)]
    return round(sum(found) / len(found), 4)


def evaluate(gallery=1000):
    """All six figures of the tiny model as a dict; fewer scenes for the short queries give a quick look."""
    encoder = models.load("tiny")
    encoders = encoder.encode_images, encoder.encode_texts, Tokens().vocabulary()
    measured = picture_figures(*encoders, SEED, pairs=300, gallery=gallery, held_out_only=True)
    return {**measured, "video_hit_in_event": video_figure()}


def main():
    measured = {**evaluate(), "composed": composed_figures(models.load("tiny"))}
    BUILD_DIR.mkdir(exist_ok=True)
    (BUILD_DIR / "evaluate.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    print("The tiny model on scenes, combinations and words that it never saw (it knows only the drawn world):\n")
    for name, (least, meaning) in REQUIRED.items():
        verdict = "ok" if measured[name] >= least else "BELOW"
        print(f"  {name:20}{measured[name]:7.3f}   asked {least:.2f}   {verdict:6}{meaning}")
    print_composed(measured["composed"])
    print("\nwritten to build/evaluate.json")


def print_composed(measured):
    """The figures of composed queries as a table."""
    low, high = measured["difference_interval_95"]
    verdict = "ok" if measured["precision_at_5"] >= LEAST and low > 0 else "BELOW"
    print(f"\n{measured['queries']} composed queries: precision at 5, and that of the plain text alone\n")
    for form, value in measured["by_form"].items():
        print(f"  {form:20}{value:7.3f}   plain {measured['plain_by_form'][form]:.3f}")
    print(f"  {'all':20}{measured['precision_at_5']:7.3f}   plain {measured['plain_precision_at_5']:.3f}   ", end="")
    print(f"asked {LEAST:.2f} and more than plain   {verdict}")
    print(f"  difference {measured['difference']:.3f}, 95 % bootstrap interval over queries {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main()
