"""Ten million rows, searched where they lie: beside bare reading of the same bytes, warm and cold; and its memory.

    .venv/bin/python -m tests.benchmarks.rows10m                  half precision: 21 GB of disk, half an hour
    .venv/bin/python -m tests.benchmarks.rows10m --rows 1000000   smaller, to see that it works

The rows are random directions in parts of half a million, laid flat. Bandwidth is what plain reading into a buffer
reaches, with as many threads. "Cold" is after the system was told to forget the files, which a virtual disk may heed
in part only. Also shown: adding up what is mapped, which copies nothing. Writes build/bench/rows10m.json, and into
bench.json where that is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from cliplib.cache import flat, manifest
from cliplib.cache import rows as rows_
from cliplib.cache.durable import write_durably
from cliplib.search import blocks
from cliplib.search.results import Cutoff
from tests.benchmarks.material import OUT, unit_rows
from tests.benchmarks.scale import MODEL

PART_ROWS, PIECE = 500_000, 2**24  # rows of a part; bytes that bare reading takes at once
WANTED, STATES = 1.3, ("cold", "warm")


def make(folder: Path, count: int) -> None:
    """An index of `count` rows in half precision, in parts that are laid flat."""
    entries, vectors = [], unit_rows(min(PART_ROWS, count))
    for start in range(0, count, PART_ROWS):
        vectors = np.roll(vectors, 1, axis=1)  # other directions, and no two parts alike
        some = vectors[: count - start]
        rows = rows_.with_embeddings_of(_rows(some, start), "float16")
        name = f"part-{uuid.uuid4().hex[:16]}.parquet"
        size, sha256 = write_durably(folder / name, lambda file, rows=rows: rows_.write_parquet(rows, {}, file))
        entries.append({"name": name, "size": size, "sha256": sha256, "rows": len(some)})
        flat.write(folder, entries[-1], some.shape[1])
    body = manifest.new(MODEL, set(), entries, {}, set(), {})
    (folder / manifest.file_name(body)).write_bytes(manifest.to_bytes(body))


def _rows(vectors: np.ndarray, start: int):
    count = len(vectors)
    numbers = range(start, start + count)
    columns = {"path": [f"{n // 10000:04d}/IMG_{n:08d}.jpg" for n in numbers], "digest": [f"{n:064x}" for n in numbers]}
    columns |= {"kind": ["image"] * count, "size": [3_000_000] * count, "mtime_ns": [*numbers]}
    return rows_.from_columns(columns, vectors)


def library(folder: Path):
    """What `blocks.search` needs, with a model that gives each text a direction."""
    encoder = SimpleNamespace(model_id=MODEL["model_id"], dim=MODEL["dim"])
    encoder.encode_texts = lambda text: unit_rows(1, MODEL["dim"], seed=len(text))
    plain = {"cutoff": lambda mode: Cutoff(-1.0), "ranking": "cosine", "background": None}
    return SimpleNamespace(root=folder, folder=folder, encoder=encoder, **plain)


def ranges(folder: Path) -> list[tuple[Path, int, int]]:
    """File, offset and bytes of the embeddings of each batch."""
    found = []
    for file in sorted(folder.glob("flat-*.arrow")):
        part = flat.Flat(file)
        for batch in range(part.batches):
            numbers = part.embeddings(batch)
            found.append((file, numbers.__array_interface__["data"][0] - part.address, numbers.nbytes))
    return found


def read_bare(folder: Path, mapped: bool) -> float:
    """Seconds to read all embeddings and do nothing with them."""
    pieces = ranges(folder)
    started = time.perf_counter()
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(_sum if mapped else _read, *zip(*pieces, strict=True)))
    return time.perf_counter() - started


def _read(file: Path, offset: int, size: int) -> None:
    buffer = memoryview(bytearray(PIECE))
    with open(file, "rb", buffering=0) as opened:
        opened.seek(offset)
        while size > 0 and (got := opened.readinto(buffer[:size])):
            size -= got


def _sum(file: Path, offset: int, size: int) -> None:
    np.memmap(file, np.uint64, "r", offset, size // 8).sum()


def forget(folder: Path) -> None:
    """Ask the system to keep none of the flat files in memory."""
    for file in folder.glob("flat-*.arrow"):
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.benchmarks import rows10m
folder = Path(sys.argv[2])
started = time.perf_counter()
rows10m.ranges(folder)
opened_s = time.perf_counter() - started
rows10m.search(folder)
status = Path("/proc/self/status").read_text().splitlines()
print(int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024, opened_s)
"""


def search(folder: Path) -> float:
    """Seconds to open the parts and find the best five."""
    started = time.perf_counter()
    hits = blocks.search(library(folder), "a dog", 5, threshold=-1)
    seconds = time.perf_counter() - started
    assert len(hits) == 5 and hits.searched == rows_in(folder)
    return seconds


def rows_in(folder: Path) -> int:
    """How many rows the index has."""
    return sum(entry["rows"] for entry, _ in blocks.live_parts(folder, MODEL["model_id"]))


def main() -> None:
    """Make the rows, measure, print, and delete them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where rows lie already, or are to stay")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="cliplib-rows-"))
    try:
        if not any(folder.glob("manifest-*")):
            folder.mkdir(parents=True, exist_ok=True)
            make(folder, asked.rows)
        result = figures(folder, asked.rounds)
    finally:
        if not asked.folder:
            shutil.rmtree(folder)
    write(result)
    print(json.dumps(result, indent=1))


def write(result: dict) -> None:
    """Into a file of its own, and the figures into that of all."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "rows10m.json").write_text(json.dumps(result, indent=1))
    if (OUT / "bench.json").exists():
        shown = {name: value for name, value in result.items() if name.startswith("rows10m_")}
        (OUT / "bench.json").write_text(json.dumps(json.loads((OUT / "bench.json").read_text()) | shown, indent=1))


def figures(folder: Path, rounds: int) -> dict:
    """The ways in turn, cold and warm: of each the best of so many rounds; the memory is that of a process alone."""
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parents[2]), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    found = dict(zip(("peak_mb", "open_s"), map(float, done[-2:]), strict=True))
    ways = {"search": search, "read": partial(read_bare, mapped=False), "mapped": partial(read_bare, mapped=True)}
    for _ in range(rounds):
        for state in STATES:
            for name, way in ways.items():
                if state == "cold":
                    forget(folder)
                key, seconds = f"{name}_{state}_s", way(folder)
                found[key] = min(found.get(key, np.inf), seconds)
    ratios = {state: found[f"search_{state}_s"] / found[f"read_{state}_s"] for state in STATES}
    return {
        "rows10m_search_vs_bandwidth": ratios["warm"],
        "rows10m_cold_search_vs_bandwidth": ratios["cold"],
        "wanted": WANTED,
        "rows": rows_in(folder),
        "gigabytes": sum(size for _, _, size in ranges(folder)) / 1e9,
        "cores": torch.get_num_threads(),
    } | found


if __name__ == "__main__":
    main()
