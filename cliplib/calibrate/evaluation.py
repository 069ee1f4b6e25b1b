"""How well a rule does on queries that it was not fitted on, how sure that is, and which of two rules is better.

The unit is the query: every figure is a mean over queries, and every interval one for such a mean, because the pictures
of one query are not independent of each other (Sakai 2006). Where only a sample of the pictures was judged, the values
are those of `Judged.values`, and their spread holds what the sample leaves open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from ..errors import JudgementError
from .rules import MATCH_RULE, RULES, Judged, Matched, Rule

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 10
RESAMPLES = 2000
MEASURES = ("precision", "recall", "f1")
MIN_QUERIES = 8  # queries; of fewer no interval is told
TOO_FEW = "too few to tell"


def at_cutoffs(judged: Judged, cutoffs: float | np.ndarray) -> np.ndarray:
    """Precision, recall and F1 of each query at one cutoff, or at one for each: float (q, 3), see `Judged.values`."""
    return judged.values(np.asarray(cutoffs, float))


def held_out(judged: Judged, rule: Rule, folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """Precision, recall and F1 of each query, cut by a number that was fitted on other queries only: float (q, 3).

    The queries are shuffled by `seed` into `folds` parts, or into one for each where there are fewer; each part is cut
    by what the others give. JudgementError for a single query, or when the rule cannot be fitted on some of them.
    """
    from sklearn.model_selection import KFold

    queries = judged.queries
    if len(queries) < 2:
        raise JudgementError("1 judged query leaves none to fit a rule on: judge more")
    cutoffs = np.empty(len(queries))
    for others, part in KFold(min(folds, len(queries)), shuffle=True, random_state=seed).split(queries):
        shown = judged.of(queries[part])
        cutoffs[part] = rule.cutoffs(shown, rule.fit(judged.of(queries[others])))
    return at_cutoffs(judged, cutoffs)


def interval(values: np.ndarray, seed: int | None = None) -> tuple[float, float]:
    """An interval of 95 % for the mean of `values`, float (q,), one for each query, that lies between 0 and 1.

    Wilson's score interval (1927), with the variance of the values in place of the binomial one and Student's t in
    place of the normal quantile (as Korn and Graubard 1998 do for surveys): it stays within its bounds and leans away
    from them. Two more deviations are counted in, as large as those of all-or-nothing values, so that equal values give
    no interval of zero width: five queries without an error do not prove that there is none.

    Args:
        values: precision, recall or F1 of each query.
        seed: of no effect, for nothing is drawn; earlier versions resampled.

    Returns:
        Its two ends; NaN for fewer than `MIN_QUERIES` queries, which are too few to tell.
    """
    from scipy.stats import t

    q = len(values)
    if q < MIN_QUERIES:
        return float("nan"), float("nan")
    likely = np.clip((values.sum() + 1) / (q + 2), 0.01, 0.99)
    most = likely * (1 - likely)
    variance = ((q - 1) * values.var(ddof=1) + 2 * most) / (q + 1)
    worth, quantile = q * most / variance, t.ppf(0.975, q + 1)  # all-or-nothing queries that would tell as much
    mean, square = np.clip(values.mean(), 0, 1), quantile**2 / worth
    middle = (mean + square / 2) / (1 + square)
    half = np.sqrt(square * (mean * (1 - mean) + square / 4)) / (1 + square)
    return float(min(middle - half, mean)), float(max(middle + half, mean))  # rounding aside, the mean is between


def difference_interval(change: np.ndarray) -> tuple[float, float]:
    """Student's interval of 95 % for the mean of differences, float (q,), one for each query; NaN for too few."""
    from scipy.stats import t

    q = len(change)
    if q < MIN_QUERIES:
        return float("nan"), float("nan")
    half = t.ppf(0.975, q - 1) * change.std(ddof=1) / np.sqrt(q)
    return float(change.mean() - half), float(change.mean() + half)


def ranking(judged: Judged, k: int = 5) -> np.ndarray:
    """Average precision and recall at k of each query, whatever the cutoff: float (q, 2); NaN with nothing to find.

    Of judged pictures alone; JudgementError when there are others.
    """
    from sklearn.metrics import average_precision_score

    judged.require_all_judged("average precision", "the ranking")
    found = np.full((len(judged.queries), 2), np.nan)
    for row, rows in zip(found, judged.ranked, strict=True):
        relevant = judged.relevant[rows]
        if relevant.any():
            recall = relevant[:k].sum() / relevant.sum()
            row[:] = average_precision_score(relevant, judged.scores[rows]), recall
    return found


def summary(found: np.ndarray, names: Iterable[str] = MEASURES) -> dict[str, float]:
    """The means over queries with their 95 % intervals.

    Args:
        found: float (q, m), a row for each query; NaN where a query has no value, which then does not count.
        names: of the m columns.

    Returns:
        For each name its mean, and the ends of the interval as name_low and name_high.
    """
    row = {}
    for name, values in zip(names, found.T, strict=True):
        values = values[~np.isnan(values)]
        row[name], (row[f"{name}_low"], row[f"{name}_high"]) = float(np.clip(values.mean(), 0, 1)), interval(values)
    return row


def compare(
    judged: Judged,
    fixed: Mapping[str, float],
    folds: int = FOLDS,
    seed: int = 0,
    matched: Matched | None = None,
) -> pd.DataFrame:
    """Every rule on held-out queries, and below them what nothing was fitted for.

    Args:
        judged: the judged scores.
        fixed: cutoffs by name.
        folds: into how many parts the queries are shuffled, see `held_out`.
        seed: of that shuffle.
        matched: the same judgements by match, for a row "match without labels".

    Returns:
        One row each: rule, cutoff (fitted on all queries; a share for the rules of shares), precision, recall and f1
        with their 95 % intervals as _low and _high; shown_for_absent, see `shown_for_absent`; note, which says why a
        rule has no figures, or no intervals.
    """
    import pandas as pd

    few = f"{TOO_FEW}: {len(judged.queries)} queries" if len(judged.queries) < MIN_QUERIES else ""
    rows = []
    for name, rule in RULES.items():
        try:
            number = rule.fit(judged)
            row = {"cutoff": number, **summary(held_out(judged, rule, folds, seed)), "note": few}
            row["shown_for_absent"] = shown_for_absent(judged, rule.cutoffs(judged, number))
        except JudgementError as error:
            row = {"note": str(error)}
        rows.append({"rule": name, **row})
    for name, cutoff in fixed.items():
        cutoffs = np.full(len(judged.queries), cutoff)
        row = {"cutoff": cutoff, **summary(at_cutoffs(judged, cutoffs)), "note": few}
        rows.append({"rule": name, **row, "shown_for_absent": shown_for_absent(judged, cutoffs)})
    if matched:
        absent = shown_for_absent(matched.judged, matched.cutoffs)
        rows.append({"rule": MATCH_RULE, **summary(matched.values()), "note": few, "shown_for_absent": absent})
    sides = [name + side for name in MEASURES for side in ("", "_low", "_high")]
    return pd.DataFrame(rows).reindex(columns=["rule", "cutoff", *sides, "shown_for_absent", "note"])


def shown_for_absent(judged: Judged, cutoffs: np.ndarray) -> float:
    """Of the queries of which no judged picture is relevant, the share for which something is shown; NaN without any.

    F1 counts such a query as 0 as soon as one picture is shown; this says how often that is. cutoffs: float (q,).
    """
    absent = np.array([not judged.relevant[rows].any() for rows in judged.ranked])
    return float((judged.best >= cutoffs)[absent].mean()) if absent.any() else float("nan")


# one rule against another


def f1_by_rule(
    judged: Judged,
    fixed: Mapping[str, float] | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    matched: Matched | None = None,
) -> dict[str, np.ndarray]:
    """The F1 of each query by each rule that can be fitted, held out, and by what needs no fitting: see `compare`.

    Returns:
        {name: float (q,)}.
    """
    found = {}
    for name, rule in RULES.items():
        with suppress(JudgementError):
            found[name] = held_out(judged, rule, folds, seed)[:, 2]
    for name, cutoff in (fixed or {}).items():
        found[name] = at_cutoffs(judged, cutoff)[:, 2]
    if matched:
        found[MATCH_RULE] = matched.values()[:, 2]
    return found


def paired(f1: Mapping[str, np.ndarray], against: str | None = None) -> pd.DataFrame:
    """Each rule against one of them, on the same queries.

    Overlapping intervals do not mean that two rules cannot be told apart: a query that is hard for one is hard for the
    other, too, and the difference of the two varies less than either.

    Args:
        f1: what `f1_by_rule` gives.
        against: the rule that the others are compared with; None: the one with the highest mean.

    Returns:
        One row for each other rule: rule, against, difference (its mean F1 less that of `against`) with its 95 %
        interval, p of Student's paired test, p_holm (Holm 1979: as many comparisons are made as there are rows),
        verdict ("worse", "better", "cannot be told apart" or "too few to tell"), and queries_for_0_05, see `power`.
    """
    import pandas as pd
    from scipy.stats import t

    against = against or max(f1, key=lambda name: f1[name].mean())
    rows = []
    for name in f1:
        if name != against:
            change = f1[name] - f1[against]
            q, low_high = len(change), difference_interval(change)
            error = np.sqrt(change.var(ddof=1) / q) if q > 1 else 0.0
            p = 2 * t.sf(abs(change.mean()) / error, q - 1) if error > 0 else 1.0
            row = {"rule": name, "against": against, "difference": change.mean(), "low": low_high[0]}
            rows.append({**row, "high": low_high[1], "p": p, "queries_for_0_05": power(change)})
    frame = pd.DataFrame(rows, columns=["rule", "against", "difference", "low", "high", "p", "queries_for_0_05"])
    frame["p_holm"] = holm(frame["p"].to_numpy())
    told = np.where(frame["difference"] > 0, "better", "worse")
    verdict = np.where(frame["p_holm"] < 0.05, told, "cannot be told apart")
    few = len(next(iter(f1.values()))) < MIN_QUERIES
    return frame.assign(verdict=TOO_FEW if few else verdict).sort_values("difference", ignore_index=True)


def holm(p: np.ndarray) -> np.ndarray:
    """The p-values, float (m,), adjusted for there being m of them: the step-down method of Holm (1979)."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(stepped, 1.0)
    return found


def power(change: np.ndarray, difference: float = 0.05, chance: float = 0.8) -> int:
    """How many queries a study needs to see a difference between two rules.

    Args:
        change: float (q,), the difference of the two rules on each query so far.
        difference: of the two means, that is to be seen.
        chance: that a study of that size sees it, at a level of 5 % (the power of the test).
    """
    from scipy.stats import norm

    spread = change.std(ddof=1) if len(change) > 1 else 0.0
    return max(MIN_QUERIES, int(np.ceil(((norm.ppf(0.975) + norm.ppf(chance)) * spread / difference) ** 2)))


def winner(f1: Mapping[str, np.ndarray], seed: int = 0) -> dict:
    """The rule with the best held-out F1, and what it will do, for the best of ten reads too high: it is also lucky.

    The queries are drawn again; the rule that wins on those drawn is measured on those that were not (Tsamardinos and
    others 2018, bias-corrected cross-validation).

    Returns:
        rule, f1 (as it reads), f1_corrected, and optimism, their difference.
    """
    names, values = list(f1), np.stack(list(f1.values()))
    random, q = np.random.default_rng(seed), values.shape[1]
    drawn = np.stack([np.bincount(random.integers(0, q, q), minlength=q) for _ in range(RESAMPLES)])
    out = (drawn == 0) & (q > 1)
    usable = out.any(1)
    best = (drawn @ values.T).argmax(1)[usable]
    left = (out @ values.T)[usable] / out.sum(1)[usable, None]
    reads = (drawn @ values.T)[usable] / q
    at = np.arange(len(best))
    optimism = float((reads[at, best] - left[at, best]).mean()) if len(best) else float("nan")
    first = int(values.mean(1).argmax())
    level = float(values[first].mean())
    return {"rule": names[first], "f1": level, "f1_corrected": level - optimism, "optimism": optimism}


def transfer(judged: Judged, other: Judged, default: float) -> pd.DataFrame:
    """Every rule fitted on one library's judgements and used on another's, against a `default` cutoff there.

    One row a rule: f1 with its interval, `default_f1`, and their difference with the interval of the difference (of the
    same queries). The noise floor needs no judgements: it is measured anew, on `other`.
    """
    import pandas as pd

    base = at_cutoffs(other, default)[:, 2]
    rows = []
    for name, rule in RULES.items():
        number = rule.fit(other if name == "noise floor" else judged)
        f1 = at_cutoffs(other, rule.cutoffs(other, number))[:, 2]
        change = f1 - base
        low, high = difference_interval(change)
        found = {"difference": change.mean(), "difference_low": low, "difference_high": high}
        rows.append(
            {"rule": name, "cutoff": number, "default_f1": base.mean(), **summary(f1[:, None], ["f1"]), **found}
        )
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
