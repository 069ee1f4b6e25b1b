"""Searching, opening and indexing again, beside the bare operation, and growth from 1,000 rows on; see bench.py.

Rows are synthesised (random directions), for these costs do not depend on what a picture shows.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import clip.clip
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from cliplib import models
from cliplib.cache.store import Store
from cliplib.index.update import update
from cliplib.search.background import RowStatistics, span_of
from cliplib.search.engine import SearchEngine
from cliplib.search.mode import Mode
from cliplib.search.ranking import cosines, top_k
from cliplib.search.results import Cutoff
from tests.benchmarks.material import table, unit_rows

MODEL = {"model_id": "0" * 64, "name": "bench", "dim": 512, "preprocessing": "none", "precision": "fp32"}
PARTS = 4
BANK = 1500  # texts, as in the shipped bank
TEXTS = ["a dog", "a red car in the snow", "two children at the beach"]  # 4 to 7 tokens with their start and end


def best(action, rounds: int) -> float:
    """Seconds of the fastest of `rounds` runs: other programs only ever add."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def search(count: int, rounds: int) -> dict:
    """The top 5 of `count` x 512: cliplib's two calls against a bare product and partition."""
    gallery, query = unit_rows(count), unit_rows(1, seed=1)[0]

    def bare():
        scores = gallery @ query
        return scores[np.argpartition(scores, count - 5)[count - 5 :]]

    bare_s = best(bare, rounds)
    ours_s = best(lambda: top_k(cosines(gallery, query), 5), rounds)
    return {"bare_s": bare_s, "cliplib_s": ours_s, "ratio": ours_s / bare_s}


def matched(count: int, rounds: int) -> dict:
    """The top 5 of `count` x 512 by match, as `Library.search` finds them once the text is encoded, against the bare
    product, in turn. "known": the query is a text of the bank, and left out of its own background. "picture": a picture
    asks, which takes two products: of its cosines, and of what of it lies within the span of the bank.

    The bank and the rows' statistics, which are computed once for an index and kept, are made up.
    """
    rows, bank = table(unit_rows(count)), unit_rows(BANK, seed=2)
    queries = {"new": unit_rows(1, seed=1)[0], "known": bank[0]}
    random, usual = np.random.default_rng(3), ((0.2,), (0.01,), (0.6,))
    made_up = (random.random((3, count), dtype=np.float32) * np.float32(0.01) + np.float32(usual)).astype(np.float32)
    statistics = RowStatistics(*made_up)
    background = SimpleNamespace(vectors=bank, axes=span_of(bank), statistics=lambda *rows: statistics)
    encoder = SimpleNamespace(encode_texts=lambda texts: np.array([queries[text] for text in texts]), warning="")
    index, here = SimpleNamespace(rows=rows, problems=()), Path()
    engine = SearchEngine(index, encoder, lambda mode: Cutoff(0.25), here, here, background)
    gallery = engine.gallery("image")[1]
    ways = {"bare": lambda: gallery @ queries["new"]}
    for name in queries:
        ways[name] = lambda name=name: next(engine.scores([name], "image")).top(5)
    alike = Mode.of("image", "image")
    ways["picture"] = lambda: engine.score_vector(queries["new"], "a picture", alike).top(5)
    seconds = {way: float("inf") for way in ways}
    for _ in range(rounds):
        for way, action in ways.items():
            seconds[way] = min(seconds[way], best(action, 1))
    ratios = {f"{way}_ratio": took / seconds["bare"] for way, took in seconds.items() if way != "bare"}
    return {f"{way}_s": took for way, took in seconds.items()} | ratios


def text(model, weights: Path, rounds: int) -> dict:
    """One short text through openai/CLIP's `encode_text` and through cliplib, tokenizing included, in fp32."""
    encoder = models.load(weights, device="cpu", precision="fp32")
    bare, ours, worst = [], [], 0.0
    with torch.inference_mode():
        for words in TEXTS:
            tokens = clip.clip.tokenize([words])
            reference = torch.nn.functional.normalize(model.encode_text(tokens), dim=-1).numpy()
            worst = max(worst, float(np.abs(encoder.encode_texts(words) - reference).max()))
            bare.append(best(lambda words=words: model.encode_text(clip.clip.tokenize([words])), rounds))
            ours.append(best(lambda words=words: (encoder._texts.clear(), encoder.encode_texts(words)), rounds))
            again = best(lambda words=words: encoder.encode_texts(words), rounds)
    ratio = float(np.median(bare) / np.median(ours))
    return {
        "bare_s": np.median(bare),
        "cliplib_s": np.median(ours),
        "repeated_s": again,
        "ratio": ratio,
        "worst": worst,
    }


def save_rows(folder: Path, count: int) -> Store:
    """A cache of `count` rows in four parts."""
    store = Store(folder, MODEL)
    for part in range(PARTS):
        size = count // PARTS
        paths = [f"{part}/{i // 1000:04d}/IMG_{i:07d}.jpg" for i in range(size)]
        store.checkpoint(table(unit_rows(size, seed=part), paths), {}, set(), {})
    return store


def opening(folder: Path, rounds: int) -> dict:
    """Opening a cache to the matrix that is searched, against reading the same files with sha256."""

    def bare():
        tables = []
        for file in sorted(folder.glob("part-*.parquet")):
            data = file.read_bytes()
            hashlib.sha256(data).hexdigest()
            tables.append(pq.read_table(pa.BufferReader(data)))
        return tables

    bare_s = best(bare, rounds)
    ours_s = best(lambda: Store(folder, MODEL).rows, rounds)
    return {"bare_s": bare_s, "cliplib_s": ours_s, "ratio": ours_s / bare_s}


def reindexing(folder: Path, count: int, rounds: int) -> dict:
    """`update` over `count` unchanged files against a bare walk that asks each for its size and date."""
    root = folder / "photos"
    for i in range(count):
        if i % 1000 == 0:
            (root / f"{i // 1000:04d}").mkdir(parents=True)
        (root / f"{i // 1000:04d}" / f"IMG_{i:07d}.jpg").write_bytes(b"x")

    def bare():
        found = {}
        for place, _, names in os.walk(root):
            for name in names:
                facts = os.stat(os.path.join(place, name))
                found[os.path.join(place, name)] = facts.st_size, facts.st_mtime_ns
        return found

    facts = sorted((os.path.relpath(path, root), *about) for path, about in bare().items())
    paths, sizes, mtimes = (list(column) for column in zip(*facts, strict=True))
    Store(folder / "cache", MODEL).checkpoint(table(unit_rows(count), paths, sizes, mtimes), {}, set(), {})
    store = Store(folder / "cache", MODEL)
    encoder = SimpleNamespace(prepare=None, resolution=224, dim=512, batch_size=32, warning="", encode_images=_nothing)
    assert update(root, store, encoder, progress=False).unchanged == count
    bare_s = best(bare, rounds)
    ours_s = best(lambda: update(root, store, encoder, progress=False), rounds)
    opened_s = best(lambda: Store(folder / "cache", MODEL).rows, rounds)
    return {"bare_s": bare_s, "cliplib_s": ours_s, "open_s": opened_s, "ratio": ours_s / bare_s}


def _nothing(images) -> np.ndarray:
    assert not images
    return np.empty((0, 512), np.float32)


CHILD = """
import sys
from cliplib import Library
library = Library(sys.argv[1], "tiny", cache=sys.argv[2], device="cpu", precision="fp32")
report = library.index(progress=False)
assert report.indexed == int(sys.argv[3]), report
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # its own, unlike ru_maxrss
print(int(peak.split()[1]) / 1024, report.seconds)
"""


def indexing(folder: Path, photos: list[bytes], count: int) -> dict:
    """Peak memory in MB and seconds of a process that indexes `count` photos with the tiny model, from walk to save."""
    root = folder / f"library-{count}"
    for i in range(count):
        if i % 1000 == 0:
            (root / f"{i // 1000}").mkdir(parents=True)
        # the comment after the picture's end makes each file's content its own
        (root / f"{i // 1000}" / f"{i}.jpg").write_bytes(photos[i % len(photos)] + b"%d" % i)
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", CHILD, str(root), cache, str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak_mb, seconds = map(float, done.stdout.split())
    return {"peak_mb": peak_mb, "seconds": seconds}
