"""How well a rule does on queries that it was not fitted on, and how sure that is.

The unit is the query: every figure is a mean over queries, and every interval is a bootstrap over queries, because the
pictures of one query are not independent of each other (Sakai 2006).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from ..errors import JudgementError
from .rules import RULES, Judged, Rule, counts, rates

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 10
RESAMPLES = 2000
MEASURES = ("precision", "recall", "f1")


def at_cutoffs(judged: Judged, cutoffs) -> np.ndarray:
    """Precision, recall and F1 of each query at one cutoff, or at one for each query: float (q, 3); see `rates`."""
    return np.stack(rates(*counts(judged, np.broadcast_to(cutoffs, len(judged.queries)))), axis=1)


def held_out(judged: Judged, rule: Rule, folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """Precision, recall and F1 of each query, cut by a number that was fitted on other queries only: float (q, 3).

    The queries are shuffled by `seed` into `folds` parts; each part is cut by what the others give. JudgementError
    when there are fewer queries than folds, or the rule cannot be fitted on some of them.
    """
    from sklearn.model_selection import KFold

    queries = judged.queries
    if len(queries) < folds:
        raise JudgementError(f"{len(queries)} judged queries cannot be parted into {folds}: judge more, or ask fewer")
    found = np.empty((len(queries), 3))
    for others, part in KFold(folds, shuffle=True, random_state=seed).split(queries):
        number, shown = rule.fit(judged.of(queries[others])), judged.of(queries[part])
        found[part] = at_cutoffs(shown, rule.cutoffs(shown, number))
    return found


def interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """A bootstrap interval of 95 % for the mean of `values`, float (q,), one for each query.

    The percentile interval, widened as Hesterberg (2015) advises: the plain one is as much too narrow for few queries
    as a normal interval is beside Student's.
    """
    from scipy.stats import norm, t

    q = len(values)
    if q < 2:
        return float(np.mean(values)), float(np.mean(values))
    means = values[np.random.default_rng(seed).integers(0, q, (RESAMPLES, q))].mean(1)
    tail = norm.cdf(-np.sqrt(q / (q - 1)) * t.ppf(0.975, q - 1))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def ranking(judged: Judged, k: int = 5) -> np.ndarray:
    """Average precision and recall at k of each query, whatever the cutoff: float (q, 2); NaN with nothing to find."""
    from sklearn.metrics import average_precision_score

    found = np.full((len(judged.queries), 2), np.nan)
    for row, query in zip(found, judged.queries, strict=True):
        of = judged.query == query
        scores, relevant, weight = judged.scores[of], judged.relevant[of], judged.weight[of]
        if relevant.any():
            first = np.argsort(-scores, kind="stable")[:k]
            recall = (weight * relevant)[first].sum() / (weight * relevant).sum()
            row[:] = average_precision_score(relevant, scores, sample_weight=weight), recall
    return found


def summary(found: np.ndarray, names=MEASURES, seed: int = 0) -> dict[str, float]:
    """The means over queries of float (q, m), one for each of the m `names`, and their 95 % intervals as _low and
    _high. A query without a value (NaN) does not count.
    """
    row = {}
    for name, values in zip(names, found.T, strict=True):
        values = values[~np.isnan(values)]
        row[name], (row[f"{name}_low"], row[f"{name}_high"]) = float(values.mean()), interval(values, seed)
    return row


def compare(judged: Judged, fixed: dict[str, float], folds: int = FOLDS, seed: int = 0) -> pd.DataFrame:
    """Every rule on held-out queries, and below them the `fixed` cutoffs by name, which nothing was fitted for.

    One row each: rule, cutoff (fitted on all queries; a share for "share of best"), precision, recall and f1 with
    their 95 % intervals as _low and _high, and `note`, which says why a rule has none.
    """
    import pandas as pd

    rows = []
    for name, rule in RULES.items():
        try:
            row = {"cutoff": rule.fit(judged), **summary(held_out(judged, rule, folds, seed), seed=seed), "note": ""}
        except JudgementError as error:
            row = {"note": str(error)}
        rows.append({"rule": name, **row})
    for name, cutoff in fixed.items():
        rows.append({"rule": name, "cutoff": cutoff, **summary(at_cutoffs(judged, cutoff), seed=seed), "note": ""})
    sides = [name + side for name in MEASURES for side in ("", "_low", "_high")]
    return pd.DataFrame(rows).reindex(columns=["rule", "cutoff", *sides, "note"])


def transfer(judged: Judged, other: Judged, default: float, seed: int = 0) -> pd.DataFrame:
    """Every rule fitted on one library's judgements and used on another's, against a `default` cutoff there.

    One row a rule: f1 with its interval, `default_f1`, and their difference with the interval of the difference (the
    same queries are drawn for both). The noise floor needs no judgements: it is measured anew, on `other`.
    """
    import pandas as pd

    base = at_cutoffs(other, default)[:, 2]
    rows = []
    for name, rule in RULES.items():
        number = rule.fit(other if name == "noise floor" else judged)
        f1 = at_cutoffs(other, rule.cutoffs(other, number))[:, 2]
        found = summary(np.stack([f1, f1 - base], axis=1), ("f1", "difference"), seed)
        rows.append({"rule": name, "cutoff": number, "default_f1": base.mean(), **found})
    return pd.DataFrame(rows)


def learning_curve(
    judged: Judged, sizes: Iterable[int] = (5, 10, 20, 40), repeats: int = 20, seed: int = 0
) -> pd.DataFrame:
    """What a rule gives for the number of queries that were judged: fitted on that many, measured on the others.

    One row a rule and size: the mean F1 and cutoff of `repeats` random draws, and between which values 95 % of them
    lie. Draws on which a rule cannot be fitted are counted in `failed`.
    """
    import pandas as pd

    random, rows = np.random.default_rng(seed), []
    for size in (size for size in sizes if size < len(judged.queries)):
        draws = [random.permutation(judged.queries) for _ in range(repeats)]
        for name, rule in RULES.items():
            found = []
            for draw in draws:
                with suppress(JudgementError):
                    number, others = rule.fit(judged.of(draw[:size])), judged.of(draw[size:])
                    found.append((at_cutoffs(others, rule.cutoffs(others, number))[:, 2].mean(), number))
            if found:
                mean, (low, high) = np.mean(found, axis=0), np.quantile(found, [0.025, 0.975], axis=0)
                row = {"rule": name, "queries": size, "f1": mean[0], "f1_low": low[0], "f1_high": high[0]}
                row |= {"cutoff": mean[1], "cutoff_low": low[1], "cutoff_high": high[1]}
                rows.append({**row, "failed": repeats - len(found)})
    return pd.DataFrame(rows)


def expected_precision(judged: Judged) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of the pictures with a certain score, how many are relevant: rising scores, and the share (0 to 1) at each.

    Isotonic regression (Zadrozny and Elkan 2002): the step function that never falls and fits best; between two scores
    the share is read off a straight line, see `Profile.expected`.
    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fitted.fit(judged.scores, judged.relevant.astype(float), sample_weight=judged.weight)
    return tuple(map(float, fitted.X_thresholds_)), tuple(map(float, fitted.y_thresholds_))
