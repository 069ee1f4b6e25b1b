"""The threshold lab: a library's judgements scored, rules compared on them, one chosen and kept, all of it exported."""

from __future__ import annotations

import hashlib
import itertools
import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from ..cache.durable import write_durably
from ..deprecation import renamed_attribute, renamed_names
from ..errors import CliplibError, JudgementError
from ..places import expanded
from ..search.mode import Mode
from ..search.query import nonsense
from . import evaluation
from .cutoffs import PAPER_THRESHOLDS
from .judgements import Judgements, check_mode
from .odds import fit_odds
from .profiles import Profile, Profiles
from .relevance import Unjudged
from .rules import MATCH_RULE, RULES, Judged, Matched

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.figure import Figure

    from ..search.results import Scores

NOISE = 60  # nonsense queries
KEYS = ["path", "time_s"]
UNKNOWN = "weights unknown"


class Encoder(Protocol):
    """What the lab needs of a model."""

    model_id: str
    thresholds: dict[str, float]


class Index(Protocol):
    """What the lab needs of an index."""

    model: dict

    @property
    def rows(self) -> pa.Table:
        """All rows."""


class JudgedLibrary(Protocol):
    """What the lab needs of a `Library`."""

    @property
    def judgements(self) -> Judgements:
        """What people said of which result."""

    @property
    def profiles(self) -> Profiles:
        """The cutoffs that were chosen."""

    @property
    def encoder(self) -> Encoder:
        """The model."""

    @property
    def store(self) -> Index:
        """The index."""

    def score(self, query: Any, kind: str = "image", ranking: str | None = None) -> Scores:
        """Every row's score with one query."""

    def scores(self, queries: Iterable, kind: str = "image", ranking: str | None = None) -> Iterator[Scores]:
        """The same of many queries."""


@dataclass(frozen=True)
class Table:
    """The judgements of one mode, scored.

    Args:
        mode: such as "text->image".
        judged: n rows, with cosines as scores.
        queries: the q texts or paths that its numbers stand for.
        rows: the same n rows as a DataFrame: query, path, time_s, score, relevant, origin, probability, weight.
        notes: what was left out, and why.
        provenance_known: whether the judgements say how their pictures came to be judged. Without that, figures are of
            the judged pictures alone, and have no intervals.
        matched: the same judgements by match, with the cutoff that needs no labels. None where the library has no match
            for this mode.
    """

    mode: Mode
    judged: Judged
    queries: list[str]
    rows: pd.DataFrame
    notes: list[str]
    provenance_known: bool = True
    matched: Matched | None = None
    weights_known = renamed_attribute("Table.weights_known", "provenance_known")


def table(library: JudgedLibrary, mode: str, noise: int = NOISE, seed: int = 0) -> Table:
    """Every judged picture of a mode with its score, by the majority of the judges, and what is known of the others.

    A judgement that does not say how its picture was chosen (a thumb, an import, an older version's) can stand for no
    other picture. It counts where every picture of its query was judged, and where no judgement of the mode says more;
    else it is left out, and `notes` say so.

    Args:
        library: a `Library`.
        mode: such as "text->image".
        noise: how many nonsense queries are scored besides.
        seed: of the nonsense.

    Raises:
        JudgementError: when nothing is judged, or nothing can be used.
    """
    import pandas as pd

    frame = library.judgements.frame()
    said, split = verdicts(frame[frame["mode"] == check_mode(mode)])
    notes, ranked, parts = library.judgements.problems + split, {}, []
    for query, of_query in said.groupby("query", sort=False):
        scores = _ranked(library, mode, str(query), notes)
        if scores is None:
            continue
        known = scores.merge(of_query, on=KEYS)
        if len(known) < len(of_query):
            notes.append(f"{len(of_query) - len(known)} judged pictures of {query!r} are no longer among its results")
        ranked[str(query)] = scores
        parts.append(known.assign(whole=len(known) == len(scores)))
    if not sum(map(len, parts)):
        raise _nothing(mode, notes)
    rows, provenance_known = _weighted(pd.concat(parts, ignore_index=True), notes)
    queries = list(rows["query"].unique())
    judged = _judged(rows, ranked, queries, "score", provenance_known, _chosen_by(library, rows, "cosine"))
    judged = replace(judged, noise=noise_scores(library, mode, noise, seed))
    matched = None
    if all("match" in ranked[query] for query in queries):
        by_match = _judged(rows, ranked, queries, "match", provenance_known, _chosen_by(library, rows, "match"))
        matched = Matched(by_match, np.array([ranked[query].attrs["cutoff"] for query in queries]))
    columns = ["query", *KEYS, "score", "relevant", "origin", "probability", "weight"]
    return Table(Mode(mode), judged, queries, rows[columns], notes, provenance_known, matched)


def _ranked(library: JudgedLibrary, mode: str, query: str, notes: list[str]) -> pd.DataFrame | None:
    """Every picture that the query may find, the best cosine first; None for a query that can't be asked.

    Columns are place, path, time_s, score and, where the library has a bank, match; the match's cutoff without labels
    is in `attrs`. `notes` tell why a query can't be asked.
    """
    asked, row_kind = as_query(mode, query)
    try:
        scores = library.score(asked, row_kind, ranking="match")
    except CliplibError as error:
        notes.append(f"the query {query!r} was left out: {error}")
        return None
    frame = scores.to_frame().dropna(subset="score").sort_values("score", ascending=False, kind="stable")
    frame = frame.reset_index(drop=True).reset_index(names="place")
    frame.attrs["cutoff"] = scores.matching.cutoff if scores.matching else np.nan
    return frame


def _judged(
    rows: pd.DataFrame, ranked: dict[str, pd.DataFrame], queries: list[str], by: str, known: bool, chosen_by: np.ndarray
) -> Judged:
    """The judged rows, scored `by` the column "score" or "match"; `chosen_by` says which rows that order chose."""
    number = np.array([queries.index(query) for query in rows["query"]])
    unjudged = None
    if known:
        places = rows.groupby("query")["place"]
        others = [np.delete(ranked[one][by].to_numpy(float), places.get_group(one).to_numpy()) for one in queries]
        unjudged = Unjudged.joined([Unjudged.of(scores, n) for n, scores in enumerate(others)])
    return Judged(
        rows[by].to_numpy(float),
        rows["relevant"].to_numpy(bool),
        number,
        rows["weight"].to_numpy(float),
        unjudged=unjudged,
        borrowed=bool((~chosen_by & ~rows["whole"].to_numpy(bool)).any()),
    )


def _chosen_by(library: JudgedLibrary, rows: pd.DataFrame, ranking: str) -> np.ndarray:
    """Which rows this model's `ranking`, "cosine" or "match", chose: bool (n,). What keeps none is the cosine's."""
    known = rows["ranking"].replace("", "cosine") == ranking
    return (known & rows["model_id"].isin(["", library.encoder.model_id])).to_numpy(bool)


def _weighted(rows: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, bool]:
    """The rows that can be used, with a column `weight`, and whether it is known how they were chosen."""
    usable = rows["whole"] | rows["probability"].notna()
    known = bool(usable.any())
    if not usable.all():
        what = "they are left out" if known else "the figures are of the judged pictures alone"
        notes.append(f"{(~usable).sum()} judgements do not say how their picture was chosen: {UNKNOWN}, {what}")
    if known:
        rows = rows[usable].reset_index(drop=True)
    weight = np.where(rows["whole"] | rows["probability"].isna(), 1.0, 1 / rows["probability"])
    return rows.assign(weight=weight), known


def _nothing(mode: str, notes: list[str]) -> JudgementError:
    why = f"no judgement for {mode} can be used ({'; '.join(notes[:5])})"
    return JudgementError(
        f"{why if notes else f'nothing is judged for {mode} yet'}: label some queries (labelling.LabellingBox), "
        "or take over a CSV with library.judgements.merge(file)"
    )


def verdicts(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """What the judges together say of each picture.

    Args:
        frame: what `Judgements.frame` gives.

    Returns:
        One row for each (mode, query, path, time_s) with `relevant` by majority, and how the picture came to be judged,
        from the judgement with the largest probability. And a sentence for each picture on which as many say yes as no:
        it is left out.
    """
    keys = ["mode", "query", *KEYS]
    groups = frame.groupby(keys, dropna=False, sort=False)["relevant"]
    said = groups.mean().reset_index()
    tied = said["relevant"] == 0.5
    split = [f"the judges are split on {row.path} for {row.query!r}: left out" for row in said[tied].itertuples()]
    surest = frame.sort_values("probability", ascending=False, kind="stable").drop_duplicates(keys)
    decided = said[~tied].merge(surest[[*keys, "origin", "probability", "ranking", "model_id"]], on=keys)
    return decided.assign(relevant=decided["relevant"] > 0.5), split


def agreement(frame: pd.DataFrame) -> pd.DataFrame:
    """How far two judges agree on what both judged, for every pair of judges.

    Args:
        frame: what `Judgements.frame` gives.

    Returns:
        One row a pair: judge, other, pictures, agree (the share), and Cohen's kappa (1960), which takes off what
        chance would give: 1 is perfect, 0 no better than chance, NaN where both gave one and the same answer to all.
    """
    import pandas as pd
    from sklearn.metrics import cohen_kappa_score

    keyed = frame.assign(time_s=frame["time_s"].fillna(-1))
    wide = keyed.pivot_table("relevant", ["mode", "query", *KEYS], "judge", aggfunc="last")
    rows = []
    for one, other in itertools.combinations(sorted(wide.columns), 2):
        both = wide[[one, other]].dropna().astype(bool)
        if len(both):
            mixed = both.to_numpy().any() and not both.to_numpy().all()
            kappa = cohen_kappa_score(both[one], both[other]) if mixed else float("nan")
            agree = float((both[one] == both[other]).mean())
            rows.append({"judge": one, "other": other, "pictures": len(both), "agree": agree, "kappa": kappa})
    return pd.DataFrame(rows, columns=["judge", "other", "pictures", "agree", "kappa"])


def noise_scores(library: JudgedLibrary, mode: str, n: int = NOISE, seed: int = 0) -> np.ndarray:
    """The best score that each of `n` queries without a meaning reaches in the whole library: float (n,)."""
    kind = as_query(mode, "")[1]
    queries = nonsense(n, seed) if mode.startswith("text->") else noise_pictures(n, seed)
    return np.array([np.nanmax(scores.values) for scores in library.scores(queries, kind, "cosine")])


def noise_pictures(n: int, seed: int = 0) -> list[Image.Image]:
    """`n` pictures of nothing, RGB, 224 pixels square: clouds of random colours, from coarse to fine."""
    random, found = np.random.default_rng(seed), []
    for _ in range(n):
        layers = [random.integers(0, 256, (cells, cells, 3), np.uint8) for cells in random.integers(2, 40, 3)]
        grown = [np.asarray(Image.fromarray(layer).resize((224, 224)), np.float32) for layer in layers]
        found.append(Image.fromarray(np.mean(grown, axis=0).astype(np.uint8)))
    return found


def compare_rules(library: JudgedLibrary, scored: Table, seed: int = 0) -> pd.DataFrame:
    """`evaluation.compare` of a library's table, above the paper's fixed cutoff, the model's own, and the match."""
    frame = evaluation.compare(scored.judged, _fixed(library, scored), seed=seed, matched=scored.matched)
    if not scored.provenance_known:
        frame[[name for name in frame.columns if str(name).endswith(("_low", "_high"))]] = np.nan
        note = f"{UNKNOWN}: of the judged pictures alone"
        frame["note"] = frame["note"].where(frame["note"] != "", note)
    return frame


def compare_pairs(library: JudgedLibrary, scored: Table, against: str | None = None, seed: int = 0) -> pd.DataFrame:
    """`evaluation.paired` of a library's table: each rule and fixed cutoff `against` one of them (None: the best)."""
    f1 = evaluation.f1_by_rule(scored.judged, _fixed(library, scored), seed=seed, matched=scored.matched)
    if against is not None and against not in f1:
        raise JudgementError(f"{against!r} has no figures to compare with: choose one of {', '.join(f1)}")
    return evaluation.paired(f1, against)


def winner(scored: Table, seed: int = 0) -> dict:
    """`evaluation.winner` of a table: the best rule, and its F1 without the luck of having been the best."""
    return evaluation.winner(evaluation.f1_by_rule(scored.judged, seed=seed, matched=scored.matched), seed)


def _fixed(library: JudgedLibrary, scored: Table) -> dict[str, float]:
    fixed = {"fixed: the paper's": PAPER_THRESHOLDS[scored.mode]}
    if scored.mode in library.encoder.thresholds:
        fixed["fixed: the model's"] = library.encoder.thresholds[scored.mode]
    return fixed


def precision_recall(scored: Table, points: int = 101) -> pd.DataFrame:
    """The precision-recall curve of a table: cutoff, and the mean over queries of precision, recall and f1 there."""
    import pandas as pd

    scores = scored.judged.scores
    cutoffs = np.linspace(scores.min(), np.nextafter(scores.max(), np.inf), points)
    rates = scored.judged.rates(cutoffs).mean(0)
    return pd.DataFrame({"cutoff": cutoffs, **dict(zip(evaluation.MEASURES, rates.T, strict=True))})


def ten_more_clicks(scored: Table, seed: int = 0) -> tuple[float, float]:
    """What the next ten clicks will buy: half the width of the interval of best F1's F1 now, and to be expected then.

    An interval narrows as one over the root of the number of queries; ten clicks are a share of one more query, as
    large as the queries so far are. Both are NaN while it is too few to tell.
    """
    values = evaluation.held_out(scored.judged, RULES["best F1"], seed=seed)[:, 2]
    low, high = evaluation.interval(values)
    queries, clicks = len(scored.queries), len(scored.judged)
    more = 10 / (clicks / queries)
    return (high - low) / 2, (high - low) / 2 * float(np.sqrt(queries / (queries + more)))


def calibrate(library: JudgedLibrary, scored: Table, rule: str = "best F1", seed: int | None = None) -> Profile:
    """Fit a rule on a table and keep it: from now on `threshold=None` means its cutoff in this mode, for this model.

    JudgementError for a rule that cuts each query on its own (a profile is one number) or that cannot be fitted.
    """
    if rule == MATCH_RULE:
        raise JudgementError(
            f"{rule!r} has no number to keep: it is what a search does without a profile. library.profiles.remove"
            f"({str(scored.mode)!r}) goes back to it"
        )
    if rule not in RULES or RULES[rule].per_query is not None:
        fixed = ", ".join(name for name, one in RULES.items() if one.per_query is None)
        why = "cuts each query on its own, and a profile is one number" if rule in RULES else "is no rule"
        raise JudgementError(f"{rule!r} {why}: choose one of {fixed}")
    model = library.store.model
    profile = Profile(
        mode=scored.mode,
        rule=rule,
        threshold=float(np.clip(RULES[rule].fit(scored.judged), -1, 1)),
        model={name: model[name] for name in ("model_id", "name", "preprocessing")},
        source=RULES[rule].source,
        queries=len(scored.queries),
        judgements=len(scored.judged),
        library=library_hash(library),
        seed=seed,
        versions=versions(),
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        odds=fit_odds(scored.judged) if scored.provenance_known else None,
    )
    library.profiles.save(profile)
    return profile


def library_hash(library: JudgedLibrary) -> str:
    """64 hex digits for the pictures of an index: their contents and times, in any order, whatever their names."""
    rows = library.store.rows
    keys = zip(rows["digest"].to_pylist(), rows["time_s"].to_pylist(), strict=True)
    return hashlib.sha256("\n".join(sorted(map(str, keys))).encode()).hexdigest()


def versions() -> dict[str, str]:
    """The versions that a figure depends on."""
    found = {"python": platform.python_version()}
    for name in ("cliplib", "numpy", "pandas", "scikit-learn", "scipy", "torch", "pillow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a folder, not installed
            found[name] = "not installed"
    return found


def by_design(
    scored: Table, rule: str = "best F1", designs: Iterable[tuple[int, int]] = ((3, 12), (6, 3))
) -> pd.DataFrame:
    """What would be read of a rule by somebody who judges every picture, and by one who clicks on a sample.

    Args:
        scored: a table of which every picture was judged.
        rule: the name of the rule.
        designs: how many of the best are judged, and how many of the others; see `sampling.sample`.

    Returns:
        One row a design: precision, recall and f1 on held-out queries with their 95 % intervals.

    Raises:
        JudgementError: where only a sample was judged.
    """
    import pandas as pd

    clicked = {f"{top} + {below}": scored.judged.clicked(top, below) for top, below in designs}
    found = {
        name: evaluation.summary(evaluation.held_out(judged, RULES[rule]))
        for name, judged in {"every picture": scored.judged, **clicked}.items()
    }
    return pd.DataFrame.from_dict(found, orient="index")


def rules_figure(rules: pd.DataFrame) -> Figure:
    """A bar for the F1 of each rule, with its 95 % interval, of what `compare_rules` gives."""
    from matplotlib import pyplot

    shown = rules.dropna(subset="f1")
    figure, axis = pyplot.subplots(figsize=(7, 3), layout="constrained")
    pyplot.close(figure)  # a notebook shows the figure that a cell returns; left open, it would show it twice
    axis.barh(shown["rule"], shown["f1"], color="lightsteelblue")
    axis.hlines(shown["rule"], shown["f1_low"], shown["f1_high"], color="black")
    axis.invert_yaxis()
    axis.set_xlabel("F1 on held-out queries, with 95 % intervals")
    return figure


def about(library: JudgedLibrary, **facts: Any) -> dict:
    """What the figures of a study depend on, for `export`: `facts`, such as seed=0, the model and the pictures."""
    return {**facts, "model_id": library.encoder.model_id, "library": library_hash(library)}


def export(folder: str | Path, name: str, frame: pd.DataFrame, about: dict, figure: Figure | None = None) -> Path:
    """Write an experiment, so that somebody else can check it. The same seed gives the same files: no date is in them.

    Args:
        folder: where to; it is made.
        name: of the files: `name`.csv (tidy, six digits), `name`.json and, with a figure, `name`.png.
        frame: the table.
        about: what its numbers depend on: seed, model_id, library (see `library_hash`). `versions` are added.
        figure: a matplotlib figure.

    Returns:
        The path of the CSV.
    """
    folder = expanded(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = frame.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    body = json.dumps(
        {**about, "versions": versions(), "csv_sha256": hashlib.sha256(text.encode()).hexdigest()}, indent=1
    )
    for ending, data in ((".csv", text), (".json", body)):
        write_durably(folder / f"{name}{ending}", lambda file, data=data: file.write(data.encode("utf-8")))
    if figure is not None:
        figure.savefig(folder / f"{name}.png", dpi=120, bbox_inches="tight", metadata={"Software": None})
    return folder / f"{name}.csv"


def as_query(mode: str, query: str) -> tuple[str | Path, str]:
    """What `Library.score` is asked: the text or the path of a photo, and the kind of rows."""
    known = Mode(check_mode(mode))
    return query if known.query == "text" else Path(query), known.row_kind


__getattr__ = renamed_names(__name__, question="cliplib.calibrate.lab.as_query")
