"""Compare the threshold rules on the drawn world, and test the lab's own intervals on simulated studies: python
-m data.thresholds.experiments prints tables, writes build/thresholds.json and, under build/thresholds/, a CSV with its
figure for each experiment.

The tiny model, 1,240 photos and 1,200 video frames, 60 queries a mode; every rule is measured on queries that it was
not fitted on. The truth is the renderer's own.
"""

import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from cliplib import models
from cliplib.calibrate import evaluation, lab
from cliplib.calibrate.cutoffs import PAPER_THRESHOLDS
from cliplib.calibrate.odds import fit_odds
from cliplib.calibrate.rules import RULES
from cliplib.search.query import nonsense
from data.thresholds import plots
from data.thresholds.drawn import NOISE, draw_library, image_table, judged_by_truth, text_queries, text_table
from data.thresholds.recordings import recordings
from data.thresholds.simulation import DESIGNS, QUERIES, calibration, cell, odds_error, population
from data.world.scenes import truth_matrix

REPO = Path(__file__).resolve().parents[2]
OUT = REPO / "build" / "thresholds"
SEED = 7
MODES = ("text->image", "image->image", "text->video")
RANKS = ("average_precision", "recall_at_5")
STYLES = ("picture", "pastel", "grain")  # of the other libraries; the first is no shift
SHOWN = 20  # hits of a query
LABELLED = 20  # queries that somebody judged before the library changes
DRAWS = 20
STUDIES, ODDS_STUDIES = 1000, 100  # simulated
GROWTH = (75, 150, 300, 600, 1200)
SHIFTED = ("default_f1", "f1", "labelled_there")  # F1 there: of the model's own cutoff, one from here, one from there


def tables(encoder, seed, drawn, taken=()):
    """{mode: Judged} of a drawn library, and the texts that were asked."""
    photos, texts = text_table(encoder, seed, drawn.scenes, drawn.photos, taken)
    frames, more = text_table(encoder, seed + 1, drawn.frame_scenes, drawn.frames, taken)
    found = {"text->image": photos, "image->image": image_table(encoder, seed, drawn), "text->video": frames}
    return found, {*texts, *more}


def rules(judged, defaults):
    """Every rule on held-out queries, and the fixed cutoffs, in every mode."""
    frames = []
    for mode in MODES:
        fixed = {"fixed: the paper's": PAPER_THRESHOLDS[mode], "fixed: the model's": defaults[mode]}
        frame = evaluation.compare(judged[mode], fixed, seed=SEED)
        ranks = evaluation.summary(evaluation.ranking(judged[mode]), RANKS)  # the same whatever the cutoff
        frames.append(frame.assign(mode=mode, **ranks))
    return pd.concat(frames, ignore_index=True)


def winners(judged, frame):
    """One sentence: the rule with the best held-out F1 in each mode, and those that cannot be told from it."""
    parts = []
    for mode in MODES:
        of_mode = frame[(frame["mode"] == mode) & frame["rule"].isin(RULES)].set_index("rule")
        best = of_mode["f1"].idxmax()
        own = {name: evaluation.held_out(judged[mode], RULES[name], seed=SEED)[:, 2] for name in RULES}
        equal = [
            name for name in RULES if name != best and evaluation.difference_interval(own[best] - own[name])[0] <= 0
        ]
        also = f" (not to be told apart: {', '.join(equal)})" if equal else " (alone)"
        parts.append(f"{mode} {best} with F1 {of_mode.loc[best, 'f1']:.2f}{also}")
    return "The best held-out rule is: " + "; ".join(parts) + "."


def labelling(judged):
    """What more labelled queries bring, in every mode."""
    curves = [evaluation.learning_curve(judged[mode], seed=SEED).assign(mode=mode) for mode in MODES]
    return pd.concat(curves, ignore_index=True)


def growth(encoder, drawn):
    """Fitted on the library while it is small, used while it grows: F1 of the old cutoff and of one fitted anew.

    The same 60 texts at every size, each true of some picture from the start; 20 of them are labelled.
    """
    order, rows, small = np.random.default_rng(SEED).permutation(len(drawn.scenes)), [], None
    texts, queries = text_queries(SEED, [drawn.scenes[i] for i in order[: GROWTH[0]]])
    asked, noise = encoder.encode_texts(texts), encoder.encode_texts(nonsense(NOISE, SEED))
    for size in GROWTH:
        keep = order[:size]
        truth = truth_matrix(queries, [drawn.scenes[i] for i in keep])
        whole = judged_by_truth(asked, drawn.photos[keep], truth, noise)
        labelled, shown = whole.of(whole.queries[::3]), whole.of(np.setdiff1d(whole.queries, whole.queries[::3]))
        small = small or labelled
        for name, rule in RULES.items():
            numbers = rule.fit(small), rule.fit(labelled)
            f1 = [evaluation.at_cutoffs(shown, rule.cutoffs(shown, number))[:, 2].mean() for number in numbers]
            rows.append({"rule": name, "pictures": size, "f1_old_cutoff": f1[0], "f1_new_cutoff": f1[1]})
    return pd.DataFrame(rows)


def shift(judged, others, defaults):
    """Fitted on 20 queries here, used on another library, against the model's defaults there.

    `wins`: on how many of 20 random choices of the 20 queries the rule does better than the default. `labelled_there`:
    its held-out F1 where the queries of the other library are labelled as well.
    """
    frames, random = [], np.random.default_rng(SEED)
    for mode in MODES:
        draws = [judged[mode].of(random.permutation(judged[mode].queries)[:LABELLED]) for _ in range(DRAWS)]
        for style, other in others.items():
            base = evaluation.at_cutoffs(other[mode], defaults[mode])[:, 2].mean()
            frame = evaluation.transfer(draws[0], other[mode], defaults[mode]).assign(mode=mode, style=style)
            frame["wins"] = [sum(_f1(name, draw, other[mode]) > base for draw in draws) for name in RULES]
            there = [evaluation.held_out(other[mode], rule, seed=SEED)[:, 2].mean() for rule in RULES.values()]
            frame["labelled_there"] = there
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def reliability(judged):
    """Is the expected precision right? Fitted on half of the queries; promised and found on the others, in tenths."""
    rows = []
    for mode in MODES:
        queries = np.random.default_rng(SEED).permutation(judged[mode].queries)
        said, other = fit_odds(judged[mode].of(queries[::2])), judged[mode].of(queries[1::2])
        told = [
            (odds.share, other.relevant[at])
            for ranked in (other.ranked if said else [])
            for of_query in [said.for_query(other.scores[ranked])]
            for at in ranked[:SHOWN]
            if (odds := of_query(other.scores[at]))
        ]
        if told:
            rows.append(calibration(np.array(told)).assign(mode=mode))
    frame = pd.concat(rows).query("hits >= 20").rename(columns={"hits": "pictures"})
    return frame[["mode", "promised", "found", "pictures"]]


def _f1(name, judged, other):
    """F1 on another library, as in `evaluation.transfer`."""
    number = RULES[name].fit(other if name == "noise floor" else judged)
    return evaluation.at_cutoffs(other, RULES[name].cutoffs(other, number))[:, 2].mean()


def carried_over(frame):
    """How often each rule beat the default on another library, or lost to it (the interval of the difference keeps off
    0), its mean F1, and the default's: in the same style, and in the shifted ones.
    """
    sides = {"same": frame[frame["style"] == "picture"], "shifted": frame[frame["style"] != "picture"]}
    columns = {}
    for side, rows in sides.items():
        marked = rows.assign(won=rows["difference_low"] > 0, lost=rows["difference_high"] < 0)
        groups = marked.groupby("rule", sort=False)
        columns |= {f"{side}_won": groups["won"].sum(), f"{side}_lost": groups["lost"].sum()}
        columns |= {f"{side}_{name}": groups[name].mean() for name in SHIFTED}
    return pd.DataFrame(columns).reset_index()


def plainly(summary):
    """Whether it carries over, in words: the best F1 does where it comes within 0.05 of labelling the other library."""
    table, lines = summary.set_index("rule"), ["Mean F1 over the modes on another library:"]
    for side, words in (("same", "same style"), ("shifted", "shifted style")):
        default, before, there = table.loc["best F1", [f"{side}_{name}" for name in SHIFTED]]
        verdict = "it carries over" if before > there - 0.05 else "it does not carry over"
        fitted = f"best F1 fitted before {before:.2f}, fitted there {there:.2f}"
        lines.append(f"  {words}: default {default:.2f}; {fitted}: {verdict}")
    best = table["shifted_f1"].sort_values(ascending=False).head(3)
    return "\n".join([*lines, f"  best when shifted: {', '.join(f'{name} {f1:.2f}' for name, f1 in best.items())}"])


def show(title, frame, columns):
    """Print the columns of a table, named in one text; three digits."""
    print(f"\n{title}\n")
    print(frame[columns.split()].to_string(index=False, float_format=lambda value: f"{value:.3f}"))


def main():
    """Measure, print, write."""
    started = time.perf_counter()
    with ProcessPoolExecutor(1) as other_core:
        studies = other_core.submit(simulate)
        judged, found = measure()
        found["intervals"], found["promises"] = studies.result()
    about = {"seed": SEED, "studies": STUDIES}
    for name in ("intervals", "promises"):
        lab.export(OUT, name, found[name], about, plots.FIGURES[name](found[name]))
    found["recordings"] = recordings()
    write_json(found)
    report(judged, found)
    seconds = time.perf_counter() - started
    print(f"\nThe tiny model knows only the drawn world. {seconds:.0f} s. Tables and figures are in {OUT}")


def simulate(studies=STUDIES, queries=QUERIES, odds_studies=ODDS_STUDIES):
    """How the intervals of simulated studies do, a row for each design and size, and the words under a hit: two
    DataFrames, see `thresholds_simulation.cell` and `.odds_error`.
    """
    truth = population(SEED)
    rows = [cell(truth, SEED, studies, number, design) for design in DESIGNS for number in queries]
    error, of_best_five, table = odds_error(SEED, odds_studies)
    for row in rows:
        if row["design"] == "clicked" and row["queries"] == max(queries):
            row |= {"odds_calibration_error": error, "odds_calibration_error_top5": of_best_five}
    return pd.DataFrame(rows), table


def measure():
    """Draw the libraries, run every experiment and write its files: the judged tables, and the results by name."""
    encoder = models.load("tiny", device="cpu", precision="fp32")
    drawn = draw_library(encoder, SEED)
    judged, taken = tables(encoder, SEED, drawn)
    others = {}
    for number, style in enumerate(STYLES):
        other = draw_library(encoder, SEED + 10 + number, scenes=600, events=200, style=style)
        others[style] = tables(encoder, SEED + 10 + number, other, taken)[0]
    found = {
        "rules": rules(judged, encoder.thresholds),
        "labelling": labelling(judged),
        "growth": growth(encoder, drawn),
        "shift": shift(judged, others, encoder.thresholds),
        "reliability": reliability(judged),
    }
    about = {"seed": SEED, "model_id": encoder.model_id, "model": "tiny", "library": drawn.hash}
    for name, frame in found.items():
        lab.export(OUT, name, frame, about, plots.FIGURES[name](frame))
    lab.export(OUT, "scores", plots.histograms(judged), about, plots.scores(judged, found["rules"]))
    return judged, found


def write_json(found):
    """build/thresholds.json: an object for each mode and rule that could be measured, one for each design and size of
    simulated studies, and one for each set of recordings.
    """
    columns = ["mode", "rule", "precision", "recall", "f1", "f1_low", "f1_high"]
    frames = [found["rules"].dropna(subset="f1")[columns], found["intervals"], found["recordings"]]
    records = [row for frame in frames for row in frame.round(4).to_dict("records")]
    rows = [{name: value for name, value in row.items() if value == value} for row in records]  # without NaN
    (REPO / "build" / "thresholds.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def report(judged, found):
    """Everything in words and tables."""
    columns = "rule cutoff precision precision_low precision_high recall recall_low recall_high f1 f1_low f1_high"
    for mode, frame in found["rules"].groupby("mode", sort=False):
        first = frame.iloc[0]
        ranks = ", ".join(f"{n} {first[n]:.3f} ({first[f'{n}_low']:.3f} to {first[f'{n}_high']:.3f})" for n in RANKS)
        show(f"{mode}: 60 held-out queries, means with 95 % intervals ({ranks})", frame, columns)
    print("\n" + winners(judged, found["rules"]))
    curve = found["labelling"][found["labelling"]["mode"] == "text->image"]
    title = "text->image: F1 by the number of labelled queries, and where 95 % of 20 draws lie"
    show(title, curve, "rule queries f1 f1_low f1_high")
    title = "text->image, as the library grows: F1 of the cutoff from 75 pictures, and of one fitted anew"
    show(title, found["growth"], "rule pictures f1_old_cutoff f1_new_cutoff")
    columns = "mode style rule f1 default_f1 difference difference_low difference_high wins labelled_there"
    show("Fitted on 20 queries, used on another drawn library ('picture' is the same style)", found["shift"], columns)
    summary = carried_over(found["shift"])
    columns = "rule same_won same_lost same_f1 shifted_won shifted_lost shifted_f1"
    show("In short: in how many of 3 and 6 cases a rule beat the default or lost to it, and mean F1", summary, columns)
    print("\n" + plainly(summary))
    title = "Expected precision: promised, and found on other queries"
    show(title, found["reliability"], "mode promised found pictures")
    columns = "design queries coverage_precision coverage_recall coverage_f1 bias_recall bias_f1 width_f1 untold"
    show(
        "Simulated studies: what of the 95 % intervals hold the true value (asked: 0.90 to 0.99)",
        found["intervals"],
        columns,
    )
    error = found["intervals"]["odds_calibration_error"].max()
    show(
        f"The words under a hit, 15 clicks for each of 40 queries: error {error:.3f}",
        found["promises"],
        "promised found hits",
    )
    if len(found["recordings"]):
        columns = "source design queries precision recall f1 f1_low f1_high true_f1"
        show(
            "Recordings of the real ViT-B/32: best F1, held out, and what judging all says",
            found["recordings"],
            columns,
        )


if __name__ == "__main__":
    main()
