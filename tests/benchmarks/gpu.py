"""What one GPU does, in under eight minutes: photos a second, batch sizes, out of memory, texts, ten million rows.

    .venv/bin/python -m tests.benchmarks.gpu              on the GPU that PyTorch sees
    .venv/bin/python -m tests.benchmarks.gpu --tiny       small, also on a CPU: to see that it works

Random weights of ViT-B/32's shapes, in fp16. Prints each figure as soon as it is known; writes build/bench/gpu.json.
Every step has a limit of its own, and what a step raises is printed and costs that step alone.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from cliplib import models
from tests.benchmarks.indexing import _index
from tests.benchmarks.material import OUT, photos, random_vit, unit_rows

FULL = {"photos": 2000, "batches": (32, 64, 128, 256, 512, 1024), "repeats": 20, "rows": 10_000_000, "texts": 200}
TINY = {"photos": 8, "batches": (2, 4), "repeats": 1, "rows": 20_000, "texts": 3}
PIECE = 250_000  # rows that are copied to the card at once
STEP_S = 90  # no step repeats what takes longer


def towers(encoder, sizes: dict) -> dict:
    """Photos a second through the encoder alone, by batch size: pixels in memory to rows in memory."""
    found, pixels = {}, np.random.default_rng(0).integers(0, 256, (max(sizes["batches"]), 224, 224, 3), np.uint8)
    for batch in sizes["batches"]:
        images = list(pixels[:batch])
        encoder.encode_images(images, batch)  # warm
        started, repeats = time.perf_counter(), 0
        while repeats < sizes["repeats"] and time.perf_counter() - started < STEP_S / len(sizes["batches"]):
            encoder.encode_images(images, batch)
            repeats += 1
        found[batch] = repeats * batch / (time.perf_counter() - started)
    return {"tower_photos_per_s": found}


def bare_tower(model, device: str, sizes: dict) -> dict:
    """openai/CLIP's own `encode_image` in half precision, pixels on the card already: what the tower can do at most."""
    half = torch.float16 if device == "cuda" else torch.bfloat16
    batch = max(sizes["batches"]) // 2
    pixels = torch.zeros(batch, 3, 224, 224, device=device)
    model = model.to(device)
    with torch.inference_mode(), torch.autocast(device, half):
        model.encode_image(pixels)
        _wait(device)
        started = time.perf_counter()
        for _ in range(sizes["repeats"]):
            model.encode_image(pixels)
        _wait(device)
    return {"bare_photos_per_s": sizes["repeats"] * batch / (time.perf_counter() - started)}


def index(weights: Path, encoder, folder: Path, sizes: dict) -> dict:
    """Photos a second of the whole `Library.index`, from files to a saved index."""
    photos(folder / "photos", sizes["photos"])
    started = time.perf_counter()
    library = _index(folder / "photos", weights, encoder)
    seconds = time.perf_counter() - started
    return {"index_photos_per_s": len(library) / seconds, "cpu_cores": os.cpu_count()}


def halving(encoder, device: str) -> dict:
    """A batch that the card's memory does not hold is halved until it does, and no picture is lost."""
    if device != "cuda":
        return {"halved_to": None}
    held, free = [], torch.cuda.mem_get_info()[0]
    torch.cuda.empty_cache()
    held.append(torch.empty(max(0, free - 2 * 2**30), dtype=torch.uint8, device=device))  # 2 GB are left
    before, images = encoder.batch_size, [np.zeros((224, 224, 3), np.uint8)] * 4096
    encoder.batch_size = 4096
    rows = encoder.encode_images(images)
    halved, encoder.batch_size = encoder.batch_size, before
    held.clear()
    torch.cuda.empty_cache()
    assert len(rows) == len(images) and np.isfinite(rows).all()
    return {"halved_to": halved}


def texts(encoder, sizes: dict) -> dict:
    """Milliseconds of one short text that was not asked before."""
    encoder.encode_texts("warm")
    times = []
    for number in range(sizes["texts"]):
        started = time.perf_counter()
        encoder.encode_texts(f"a red car, number {number}")
        times.append(time.perf_counter() - started)
    return {"text_ms": 1000 * float(np.median(times)), "text_p95_ms": 1000 * float(np.quantile(times, 0.95))}


def rows(encoder, device: str, sizes: dict) -> dict:
    """Milliseconds of the match of a text with all rows on the card in half precision, and of the best five of them.

    The match of a text is its cosine less a level that each row has by a bank of texts, see `search.background`.
    """
    half = torch.float16 if device == "cuda" else torch.float32
    gallery = torch.empty(sizes["rows"], encoder.dim, dtype=half, device=device)
    some = torch.from_numpy(unit_rows(min(PIECE, sizes["rows"]), encoder.dim)).to(device, half)
    for start in range(0, sizes["rows"], PIECE):
        gallery[start : start + PIECE] = some[: sizes["rows"] - start].roll(start // PIECE, 1)
    level = torch.rand(sizes["rows"], device=device) / 10
    query = torch.from_numpy(encoder.encode_texts("a dog")[0]).to(device, half)
    times = []
    with torch.inference_mode():
        for _ in range(max(3, sizes["repeats"])):
            _wait(device)
            started = time.perf_counter()
            best = torch.topk((gallery @ query).float() - level, 5)
            best.indices.cpu()
            times.append(time.perf_counter() - started)
    seconds = min(times)
    size = gallery.numel() * gallery.element_size()
    return {"rows": sizes["rows"], "rows_match_ms": 1000 * seconds, "rows_gb_per_s": size / seconds / 1e9}


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Run each step, print what was seen, write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="small sizes, also on a CPU")
    tiny = parser.parse_args().tiny
    if not torch.cuda.is_available() and not tiny:
        raise SystemExit("PyTorch sees no GPU here; --tiny tries the script on the CPU")
    device, sizes = "cuda" if torch.cuda.is_available() else "cpu", TINY if tiny else FULL
    seen: dict = {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu", "torch": torch.__version__}
    print(json.dumps(seen))
    with tempfile.TemporaryDirectory(prefix="cliplib-gpu-") as name:
        folder = Path(name)
        model, weights = random_vit(folder)
        encoder = models.load(weights, device=device)
        seen["precision"] = encoder.precision
        steps: dict[str, Callable[[], dict]] = {
            "towers": lambda: towers(encoder, sizes),
            "bare tower": lambda: bare_tower(model, device, sizes),
            "texts": lambda: texts(encoder, sizes),
            "halving": lambda: halving(encoder, device),
            "rows": lambda: rows(encoder, device, sizes),
            "index": lambda: index(weights, encoder, folder, sizes),
        }
        for step, run in steps.items():
            started = time.perf_counter()
            try:
                found = run()
            except Exception as error:  # the other steps are worth having all the same
                found = {f"{step} failed": repr(error)[:300]}
            seen |= found
            print(f"{step} ({time.perf_counter() - started:.1f} s): {json.dumps(found)}", flush=True)
            if device == "cuda":
                torch.cuda.empty_cache()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "gpu.json").write_text(json.dumps(seen, indent=1))


if __name__ == "__main__":
    main()
