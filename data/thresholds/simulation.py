"""Do the intervals hold what they promise? Simulated studies with a known truth, so that each interval can be checked.

A library of 1,000 pictures; a query has 6 relevant ones in the median (lognormal). Scores are like the real CLIP's:
irrelevant pictures N(0.20, 0.02), relevant ones N(0.27, 0.025), all of a query's moved by a shift of its own, N(0,
0.015). A study judges a number of queries, every picture of them ("all") or the 15 that `sampling.sample` chooses
("clicked"). The true value is the mean, over a large population of queries, at the very cutoff that the rule takes
from the study: what somebody who uses it will get.
"""

import numpy as np
import pandas as pd

from cliplib.calibrate.evaluation import MEASURES, held_out, interval
from cliplib.calibrate.odds import fit_odds
from cliplib.calibrate.rules import RULES, Judged, rates
from cliplib.calibrate.sampling import sample

PICTURES = 1000
MEDIAN_RELEVANT, SPREAD_RELEVANT = 6, 0.8  # of the lognormal
IRRELEVANT, RELEVANT, SHIFT = (0.20, 0.02), (0.27, 0.025), 0.015
GRID = np.linspace(0.10, 0.45, 351)
QUERIES = (5, 10, 20, 40)
DESIGNS = ("all", "clicked")
NOISE = 60


def simulated(random, queries):
    """Scores and truth of `queries` simulated queries, each sorted by falling score: float and bool (q, PICTURES)."""
    size = np.exp(random.normal(np.log(MEDIAN_RELEVANT), SPREAD_RELEVANT, queries)).round().clip(1, PICTURES)
    relevant = np.arange(PICTURES) < size[:, None]
    mean, deviation = (np.where(relevant, of, other) for of, other in zip(RELEVANT, IRRELEVANT, strict=True))
    scores = mean + random.normal(0, SHIFT, (queries, 1)) + deviation * random.standard_normal(relevant.shape)
    order = np.argsort(-scores, axis=1)
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(relevant, order, axis=1)


def study(random, queries, design):
    """A simulated `Judged` of some queries, by the design "all" or "clicked"."""
    scores, relevant = simulated(random, queries)
    noise = (IRRELEVANT[0] + random.normal(0, SHIFT, NOISE)) + IRRELEVANT[1] * random.gumbel(3.24, 0.3, NOISE)
    if design == "all":
        return Judged(scores.ravel(), relevant.ravel(), np.repeat(np.arange(queries), PICTURES), noise=noise)
    samples = [sample(of, seed=int(random.integers(2**31))) for of in scores]
    return Judged.of_samples(scores, samples, [of[one.rows] for of, one in zip(relevant, samples, strict=True)], noise)


def population(seed=0, thousands=20):
    """The mean precision, recall and F1 of many thousand queries at each cutoff of GRID: float (c, 3)."""
    random, total = np.random.default_rng(seed), 0.0
    for _ in range(thousands):
        scores, relevant = simulated(random, 1000)
        accepted = np.array([np.searchsorted(-of, -GRID, side="right") for of in scores])
        found = np.take_along_axis(np.pad(relevant.cumsum(1), ((0, 0), (1, 0))), accepted, axis=1)
        total = total + np.stack(rates(found, accepted - found, relevant.sum(1, keepdims=True) - found), 2).mean(0)
    return total / thousands


def cell(truth, seed, repeats, queries, design, name="best F1"):
    """How a rule's intervals do over `repeats` studies of one design and size: the figures of build/thresholds.json.

    coverage_*: the share of intervals that hold the true value, of those that are told. bias_*: the mean of the
    estimate less the true value. width_f1: the median. untold: the share of studies that are too few to tell.
    """
    random, rule = np.random.default_rng([seed, queries, design == "all"]), RULES[name]
    inside, wrong, width = [], [], []
    for number in range(repeats):
        judged = study(random, queries, design)
        values = held_out(judged, rule, seed=number)
        cutoff = rule.fit(judged)
        true = np.array([np.interp(cutoff, GRID, of) for of in truth.T])
        ends = np.array([interval(of) for of in values.T])
        inside.append((ends[:, 0] <= true) & (true <= ends[:, 1]))
        wrong.append(values.mean(0) - true)
        width.append(ends[2, 1] - ends[2, 0])
    row = {"design": design, "queries": queries, "rule": name, "studies": repeats}
    told = ~np.isnan(width)
    if told.any():
        shares = np.array(inside)[told].mean(0)
        row |= {f"coverage_{of}": float(share) for of, share in zip(MEASURES, shares, strict=True)}
        row["width_f1"] = float(np.median(np.array(width)[told]))
    row |= {f"bias_{of}": float(mean) for of, mean in zip(MEASURES, np.mean(wrong, axis=0), strict=True)}
    return {**row, "untold": float(1 - told.mean())}


def odds_error(seed, repeats, queries=40, design="clicked", asked=200):
    """The calibration error of the words under a hit: what they promise, less what is found, on hits of new queries.

    Each study calibrates; hits are what a search of `asked` other queries then shows, all that reach its cutoff. The
    error is the mean over tenths of promised shares, weighted by hits, of |promised - found| (Naeini and others 2015).

    Returns:
        Two means over studies: the error of all hits, and of the best five of each query. And a table over all of them
        for the reliability diagram: promised, found, hits.
    """
    random, errors, pairs = np.random.default_rng(seed), [], []
    for _ in range(repeats):
        judged = study(random, queries, design)
        cutoff, said = RULES["best F1"].fit(judged), fit_odds(judged)
        told = [
            (odds.share, right, rank)
            for of, truth in zip(*simulated(random, asked), strict=True)
            for odds_of in [said.for_query(of)]
            for rank, (score, right) in enumerate(zip(of[of >= cutoff], truth[of >= cutoff], strict=True))
            if (odds := odds_of(score))
        ]
        every = np.array(told)
        errors.append([calibration(part)["weighted"].sum() for part in (every, every[every[:, 2] < 5])])
        pairs.append(every)
    return *np.mean(errors, axis=0).tolist(), calibration(np.concatenate(pairs))


def calibration(told):
    """Promised and found shares by tenths of what was promised, from the first two columns of float (n, 2 or more).

    weighted: the gap of a tenth times its share of the hits.
    """
    tenth = np.minimum((10 * told[:, 0]).astype(int), 9)
    rows = [(*told[tenth == one, :2].mean(0), (tenth == one).sum()) for one in np.unique(tenth)]
    frame = pd.DataFrame(rows, columns=["promised", "found", "hits"])
    return frame.assign(weighted=(frame["promised"] - frame["found"]).abs() * frame["hits"] / len(told))
