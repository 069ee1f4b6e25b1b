"""Do the intervals hold what they promise? Simulated queries with a known truth, so that each interval can be checked.

A query's scores are normal: irrelevant pictures around 0.22, relevant ones around 0.38, both moved by a shift of the
query's own. The true value is the mean F1, over a large population of queries, at the very cutoff that the rule takes
from the study: what somebody who uses it will get.
"""

import numpy as np

from cliplib.calibrate.evaluation import held_out, interval
from cliplib.calibrate.rules import RULES, Judged, counts, rates

PICTURES, QUERIES = 100, 60
POPULATION = 10_000
GRID = np.linspace(-0.1, 0.8, 361)
CHECKED = ("paper", "best F1", "noise floor")


def simulated(random, queries=QUERIES):
    """A `Judged` of `queries` simulated queries over PICTURES pictures each."""
    shift = random.normal(0, 0.03, (queries, 1))
    relevant = np.arange(PICTURES) < 1 + random.poisson(3, (queries, 1))
    scores = np.where(relevant, 0.38, 0.22) + shift + random.normal(0, 0.045, (queries, PICTURES))
    noise = (0.18 + random.normal(0, 0.045, (QUERIES, PICTURES))).max(1)
    return Judged(scores.ravel(), relevant.ravel(), np.repeat(np.arange(queries), PICTURES), noise=noise)


def true_curve(random):
    """The mean F1 over a large population at each cutoff of GRID."""
    parts = [simulated(random, 1000) for _ in range(POPULATION // 1000)]
    return np.mean(
        [rates(*counts(part, np.broadcast_to(GRID, (1000, len(GRID)))))[2].mean(0) for part in parts], axis=0
    )


def coverage(seed, repeats=400):
    """{rule: the share of `repeats` simulated studies whose 95 % interval of the held-out F1 holds the true value}."""
    random = np.random.default_rng(seed)
    curve, inside = true_curve(random), dict.fromkeys(CHECKED, 0)
    for number in range(repeats):
        study = simulated(random)
        for name in CHECKED:
            true = np.interp(RULES[name].fit(study), GRID, curve)
            low, high = interval(held_out(study, RULES[name], seed=number)[:, 2], seed=number)
            inside[name] += low <= true <= high
    return {name: count / repeats for name, count in inside.items()}
