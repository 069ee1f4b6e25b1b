"""The figures of the threshold experiments: data in, a matplotlib figure out; no window is opened."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cliplib.calibrate.rules import MAIN_RULES, RULES

BINS = np.linspace(-0.3, 1.0, 131)


def panels(count):
    """A figure with `count` panels side by side: (figure, list of axes)."""
    figure = Figure(figsize=(4.6 * count, 3.2), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def histograms(judged):
    """How many judged scores fall into each bin: mode, low, high, relevant, irrelevant."""
    frames = []
    for mode, table in judged.items():
        named = (("relevant", table.relevant), ("irrelevant", ~table.relevant))
        found = {name: np.histogram(table.scores[of], BINS)[0] for name, of in named}
        frames.append(pd.DataFrame({"mode": mode, "low": BINS[:-1], "high": BINS[1:], **found}))
    return pd.concat(frames, ignore_index=True)


def scores(judged, rules):
    """Relevant and irrelevant scores of each mode, with the three rules in front and the fixed cutoffs."""
    figure, axes = panels(len(judged))
    for axis, (mode, table) in zip(axes, judged.items(), strict=True):
        for wanted, label in ((False, "irrelevant"), (True, "relevant")):
            axis.hist(table.scores[table.relevant == wanted], BINS, density=True, alpha=0.6, label=label)
        of_mode = rules[rules["mode"] == mode].set_index("rule")["cutoff"]
        for number, name in enumerate((*MAIN_RULES, "fixed: the paper's", "fixed: the model's")):
            axis.axvline(of_mode[name], color=f"C{number + 2}", label=name, linewidth=1.4)
        sides = table.scores.min() - 0.02, table.scores.max() + 0.02
        axis.set(title=mode, xlabel="cosine similarity", ylabel="density", xlim=sides)
    axes[0].legend(fontsize=7)
    return figure


def rules(frame):
    """Held-out F1 of each rule with its interval, a panel a mode."""
    return _intervals(frame, "mode", "f1", "f1_low", "f1_high", "held-out F1")


def labelling(frame):
    """F1 by the number of labelled queries, the three rules in front."""
    figure, axes = panels(frame["mode"].nunique())
    for axis, (mode, of_mode) in zip(axes, frame.groupby("mode", sort=False), strict=True):
        for name in (name for name in MAIN_RULES if name in set(of_mode["rule"])):
            rows = of_mode[of_mode["rule"] == name]
            axis.plot(rows["queries"], rows["f1"], marker="o", label=name)
            axis.fill_between(rows["queries"], rows["f1_low"], rows["f1_high"], alpha=0.15)
        axis.set(title=mode, xlabel="labelled queries", ylabel="F1 on the other queries")
    axes[0].legend(fontsize=8)
    return figure


def growth(frame):
    """F1 as the library grows: the old cutoff (dashed) and one fitted anew."""
    figure, (axis,) = panels(1)
    for number, name in enumerate(RULES):
        rows = frame[frame["rule"] == name]
        axis.plot(rows["pictures"], rows["f1_new_cutoff"], color=f"C{number}", label=name)
        axis.plot(rows["pictures"], rows["f1_old_cutoff"], color=f"C{number}", linestyle="--")
    axis.set(xscale="log", xlabel="pictures in the library", ylabel="F1 (dashed: cutoff of the small library)")
    axis.legend(fontsize=7)
    return figure


def shift(frame):
    """What each rule gains over the default on other libraries, a panel a style and mode."""
    both = frame.assign(where=frame["style"] + ", " + frame["mode"])
    return _intervals(both, "where", "difference", "difference_low", "difference_high", "F1 less the default's")


def reliability(frame):
    """Expected against found precision."""
    figure, (axis,) = panels(1)
    axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for mode, rows in frame.groupby("mode", sort=False):
        axis.plot(rows["promised"], rows["found"], marker="o", label=mode)
    axis.set(xlabel="expected precision", ylabel="found on other queries")
    axis.legend(fontsize=8)
    return figure


def intervals(frame):
    """How many of the intervals hold the true F1 and recall, by the number of judged queries."""
    figure, axes = panels(2)
    for axis, name in zip(axes, ("coverage_f1", "coverage_recall"), strict=True):
        for design, rows in frame.groupby("design", sort=False):
            axis.plot(rows["queries"], rows[name], marker="o", label=design)
        axis.axhspan(0.90, 0.99, alpha=0.15)
        axis.set(xlabel="judged queries", ylabel=name, ylim=(0.5, 1.01))
    axes[0].legend(fontsize=8)
    return figure


def promises(frame):
    """The reliability diagram of the words under a hit, in simulated studies."""
    return reliability(frame.assign(mode="15 clicks a query"))


def _intervals(frame, by, value, low, high, label):
    groups = list(frame.groupby(by, sort=False))
    across = min(3, len(groups))
    figure = Figure(figsize=(4.6 * across, 3.0 * -(-len(groups) // across)), layout="constrained")
    axes = figure.subplots(-(-len(groups) // across), across, squeeze=False, sharey=True).ravel()
    for axis, (name, rows) in zip(axes, groups, strict=False):
        rows = rows.dropna(subset=value)
        spread = np.abs(rows[[low, high]].to_numpy() - rows[[value]].to_numpy()).T
        axis.errorbar(rows[value], rows["rule"], xerr=spread, fmt="o", capsize=3)
        axis.axvline(0, color="grey", linewidth=0.8)
        axis.set(title=name, xlabel=label)
    axes[0].invert_yaxis()
    return figure


FIGURES = {one.__name__: one for one in (rules, labelling, growth, shift, reliability, intervals, promises)}
