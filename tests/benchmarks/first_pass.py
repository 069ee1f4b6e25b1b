"""How soon one can search: photos by the previews in their files, beside the whole index; see bench.py.

HEICs of 12 megapixels in an iPhone's grid of 512-pixel tiles, each with a thumbnail of 320 x 240; and a mix of which
half are JPEGs without a preview. The time is that of a run up to its second pass, walk and saving included, against a
run without a first pass. Cosines are those of the tiny model, for random weights find all pictures alike.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pillow_heif

from cliplib import Library
from cliplib.cache.rows import matrix
from cliplib.index.pipeline import Reader
from tests.benchmarks.material import draw_photo, drawn

SIZE, TILE, THUMBNAIL = (4032, 3024), 512, 320
COPIES = 4  # files of each picture, of different lengths: encoding HEICs takes longer than measuring


class Searchable(Exception):
    """The first pass has ended."""


def photos(folder: Path, pictures: int) -> tuple[Path, Path]:
    """A folder of HEICs with thumbnails, and one of which every other file is a JPEG without."""
    phone, mixed = folder / "phone", folder / "mixed"
    for each in (phone, mixed):
        each.mkdir(parents=True)

    def save(number: int) -> None:
        heif = pillow_heif.from_pillow(drawn(number, SIZE))
        file = folder / f"{number}.heic"
        heif.save(file, quality=60, tile_size=TILE, thumbnails=[THUMBNAIL], enc_params={"preset": "ultrafast"})
        draw_photo(folder / f"{number}.jpg", number, SIZE)
        for copy in range(COPIES):
            free = (8 + copy).to_bytes(4, "big") + b"free" + bytes(copy)  # a box that means nothing
            (phone / f"{number}-{copy}.heic").write_bytes(file.read_bytes() + free)
            suffix = ".jpg" if copy % 2 else ".heic"
            (mixed / f"{number}-{copy}{suffix}").write_bytes(file.with_suffix(suffix).read_bytes() + free)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(save, range(pictures)))
    return phone, mixed


def first_pass(library: Library) -> tuple[float, int]:
    """Seconds until the previews can be searched, and the bytes that were read for that."""

    def read(reader: Reader, files: list):
        if not reader.previews:
            raise Searchable
        yield from reader.read(files)

    started, before = time.perf_counter(), _read_bytes()
    try:
        library.index(progress=False, first_pass=True, read=read)
    except Searchable:
        return time.perf_counter() - started, _read_bytes() - before
    raise AssertionError("there was no second pass")


def exact(library: Library) -> float:
    """Seconds of a run without a first pass."""
    started = time.perf_counter()
    library.index(progress=False, first_pass=False)
    return time.perf_counter() - started


def measure(folder: Path, weights: Path, pictures: int, rounds: int) -> dict:
    """The figures, with the tiny model and with ViT-B/32's shapes; of each way the best of so many rounds."""
    phone, mixed = photos(folder, pictures)
    encoders, seconds, share, cosines = {}, {}, 1.0, np.ones(1)
    for _ in range(rounds):
        for name, root, model in (("", phone, "tiny"), ("mixed_", mixed, "tiny"), ("vit_b_32_", phone, weights)):
            quick, whole = (Library(root, model, cache=tempfile.mkdtemp(dir=folder)) for _ in range(2))
            if model not in encoders:
                encoders[model] = quick.encoder
                quick.encoder.encode_images([np.zeros((quick.encoder.resolution,) * 2 + (3,), np.uint8)] * 32)  # warm
            quick.encoder = whole.encoder = encoders[model]
            found, read = first_pass(quick)
            for way, taken in (("first", found), ("exact", exact(whole))):
                seconds[name + way] = min(seconds.get(name + way, np.inf), taken)
            if root == mixed:
                share = read / sum(file.stat().st_size for file in mixed.iterdir())
            elif model == "tiny":
                cosines = _cosines(quick, whole)
    speedups = {
        f"first_pass_{name}speedup": seconds[f"{name}exact"] / seconds[f"{name}first"]
        for name in ("", "mixed_", "vit_b_32_")
    }
    figures = {"first_pass_bytes_share": share, "first_pass_cosine_p1": float(np.quantile(cosines, 0.01))}
    return speedups | figures | {"seconds": seconds, "files": len(cosines)}


def _cosines(quick: Library, whole: Library) -> np.ndarray:
    one, other = (library.store.rows.sort_by("path") for library in (quick, whole))
    assert one["path"].equals(other["path"])
    return np.einsum("nd,nd->n", matrix(one), matrix(other))


def _read_bytes() -> int:
    """What this process has asked the system to read so far; of other files next to nothing, once all is loaded."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counts["rchar"])
