"""The threshold lab: a library's judgements scored, rules compared on them, one chosen and kept, all of it exported."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .cache.durable import write_durably
from .calibrate.cutoffs import PAPER_THRESHOLDS
from .calibrate.evaluation import compare, expected_precision
from .calibrate.judgements import known_mode
from .calibrate.profiles import Profile
from .calibrate.rules import RULES, Judged
from .errors import CliplibError, JudgementError
from .library import Library
from .places import expanded
from .search.query import nonsense

if TYPE_CHECKING:
    import pandas as pd

NOISE = 60  # nonsense queries
KEYS = ["path", "time_s"]


@dataclass(frozen=True)
class Table:
    """The judgements of one mode, scored: `judged`, n rows; `queries`, the q texts or paths that its numbers stand for;
    `rows`, the same n as a DataFrame (query, path, time_s, score, relevant, weight); `notes` say what was left out.
    """

    mode: str
    judged: Judged
    queries: list[str]
    rows: pd.DataFrame
    notes: list[str]


def table(library: Library, mode: str, noise: int = NOISE, seed: int = 0) -> Table:
    """Every judged picture of a mode with its score, by the majority of the judges.

    `noise` nonsense queries, from `seed`, are scored besides. JudgementError when nothing is judged.
    """
    import pandas as pd

    frame = library.judgements.frame()
    said, notes = verdicts(frame[frame["mode"] == known_mode(mode)])
    notes, parts = library.judgements.problems + notes, []
    for query, of_query in said.groupby("query", sort=False):
        try:
            scores = library.score(*question(mode, query)).to_frame().dropna(subset="score")
        except CliplibError as error:
            notes.append(f"the query {query!r} was left out: {error}")
            continue
        found = of_query.merge(scores.assign(rank=range(len(scores))), on=KEYS)
        if len(found) < len(of_query):
            notes.append(f"{len(of_query) - len(found)} judged pictures of {query!r} are no longer among its results")
        parts.append(found.assign(weight=weights(found["rank"].to_numpy(), len(scores))))
    if not sum(map(len, parts)):
        why = f"no judgement for {mode} can be used ({'; '.join(notes[:5])})"
        raise JudgementError(
            f"{why if notes else f'nothing is judged for {mode} yet'}: label some queries (labelling.LabellingBox), "
            "or take over a CSV with library.judgements.merge(file)"
        )
    rows = pd.concat(parts, ignore_index=True).drop(columns=["mode", "rank"])
    numbers, queries = pd.factorize(rows["query"])
    best = noise_scores(library, mode, noise, seed)
    judged = Judged(rows["score"], rows["relevant"], numbers, rows["weight"], best)
    return Table(mode, judged, list(queries), rows, notes)


def verdicts(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """What the judges together say: one row for each (mode, query, path, time_s) with `relevant` by majority.

    Also a sentence for each picture on which as many say yes as no: it is in neither class, and left out.
    """
    said = frame.groupby(["mode", "query", *KEYS], dropna=False, sort=False)["relevant"].mean().reset_index()
    tied = said["relevant"] == 0.5
    split = [f"the judges are split on {row.path} for {row.query!r}: left out" for row in said[tied].itertuples()]
    decided = said[~tied].reset_index(drop=True)
    return decided.assign(relevant=decided["relevant"] > 0.5), split


def candidates(values: np.ndarray, top: int = 10, below: int = 5, seed: int = 0) -> np.ndarray:
    """The rows to judge for one query: the `top` best, then `below` drawn at random from all others: int64 (<= sum).

    The top is where a cutoff is decided (pooling, Spärck Jones and van Rijsbergen 1975); the others show what it
    misses. `values` are the scores (n,); NaN rows are none.
    """
    ranked = np.argsort(-values, kind="stable")[: np.isfinite(values).sum()]
    others = np.random.default_rng(seed).permutation(ranked[top:])[:below]
    return np.concatenate([ranked[:top], others])


def weights(ranks: np.ndarray, n: int) -> np.ndarray:
    """How many of a query's `n` pictures each judged one stands for: float (m,), from the m different ranks (0: best).

    Ranks judged without a gap from the best on stand for themselves. Those below are taken as a sample, and share the
    rest of the library evenly (Horvitz and Thompson 1952): `candidates` draws them so.
    """
    judged = np.zeros(n, bool)
    judged[ranks] = True
    without_gap = n if judged.all() else int(judged.argmin())
    below = ranks >= without_gap
    return np.where(below, (n - without_gap) / max(1, below.sum()), 1.0)


def noise_scores(library: Library, mode: str, n: int = NOISE, seed: int = 0) -> np.ndarray:
    """The best score that each of `n` queries without a meaning reaches in the whole library: float (n,)."""
    kind = question(mode, "")[1]
    queries = nonsense(n, seed) if mode.startswith("text->") else noise_pictures(n, seed)
    return np.array([np.nanmax(scores.values) for scores in library.scores(queries, kind)])


def noise_pictures(n: int, seed: int = 0) -> list[Image.Image]:
    """`n` pictures of nothing, RGB, 224 pixels square: clouds of random colours, from coarse to fine."""
    random, found = np.random.default_rng(seed), []
    for _ in range(n):
        layers = [random.integers(0, 256, (cells, cells, 3), np.uint8) for cells in random.integers(2, 40, 3)]
        grown = [np.asarray(Image.fromarray(layer).resize((224, 224)), np.float32) for layer in layers]
        found.append(Image.fromarray(np.mean(grown, axis=0).astype(np.uint8)))
    return found


def compare_rules(library: Library, scored: Table, seed: int = 0) -> pd.DataFrame:
    """`evaluation.compare` of a library's table, above the paper's fixed cutoff and the model's own."""
    fixed = {"fixed: the paper's": PAPER_THRESHOLDS[scored.mode]}
    if scored.mode in library.encoder.thresholds:
        fixed["fixed: the model's"] = library.encoder.thresholds[scored.mode]
    return compare(scored.judged, fixed, folds=max(2, min(10, len(scored.queries))), seed=seed)


def calibrate(library: Library, scored: Table, rule: str = "best F1", seed: int | None = None) -> Profile:
    """Fit a rule on a table and keep it: from now on `threshold=None` means its cutoff in this mode, for this model.

    JudgementError for a rule that cuts each query on its own (a profile is one number) or that cannot be fitted.
    """
    if rule not in RULES or RULES[rule].at is not None:
        fixed = ", ".join(name for name, one in RULES.items() if one.at is None)
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
        curve=expected_precision(scored.judged),
    )
    library.profiles.save(profile)
    return profile


def library_hash(library: Library) -> str:
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


def export(folder: str | Path, name: str, frame: pd.DataFrame, about: dict, figure=None) -> Path:
    """Write an experiment: `name`.csv (tidy, six digits), `name`.json (`about` it, and `versions`) and, of a matplotlib
    figure, `name`.png. The same seed gives the same files: no date is in them.

    `about` names what the numbers depend on: seed, model_id, library (see `library_hash`). The path of the CSV.
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


def question(mode: str, query: str) -> tuple:
    """What `Library.score` is asked: the text or the path of a photo, and the kind of rows."""
    asked, _, shown = known_mode(mode).partition("->")
    return query if asked == "text" else Path(query), "frame" if shown == "video" else "image"
