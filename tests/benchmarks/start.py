"""How long one search from the shell takes, beside importing PyTorch alone; run by `make bench`."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]


def searching(folder: Path, rounds: int) -> dict:
    """Seconds of `python -m cliplib search` over the sample library with the tiny model, and of `import torch`: the
    best of each in `rounds` rounds, in turn.
    """
    shutil.copytree(HOME / "data" / "sample", folder, ignore=shutil.ignore_patterns(".cliplib"))
    command = [sys.executable, "-m", "cliplib"]
    _seconds([*command, "index", str(folder), "--model", "tiny"])
    ways = {
        "search_s": [*command, "search", str(folder), "a red car", "--model", "tiny"],
        "torch_s": [sys.executable, "-c", "import torch"],
    }
    taken = {way: [] for way in ways}
    for _ in range(rounds):
        for way, line in ways.items():
            taken[way].append(_seconds(line))
    best = {way: min(seconds) for way, seconds in taken.items()}
    return best | {"ratio": best["search_s"] / best["torch_s"]}


def _seconds(command: list[str]) -> float:
    """Wall time of a command that must succeed."""
    started = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(HOME)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # everybody's Python keeps what it has compiled
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started
