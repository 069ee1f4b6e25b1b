"""Folders that are hard on an index run: odd file times, large photos, and long histories.

Run as a program it indexes a folder with the tiny model and prints the memory that this took, in MB:
`python -m tests.harness.torture_folders ROOT`.
"""

import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from cliplib.errors import CliplibError
from tests.harness import history
from tests.harness.libraries import draw_picture
from tests.harness.torture_files import peak_mb

HOME = Path(__file__).resolve().parents[2]
LARGE, WIDTH, HEIGHT = 16, 6300, 5300  # photos, and their pixels: 200 MB each
# The years 1601, 1665, 1, 30828 and 2300, as network file systems and cloud tools give them. Not all file systems keep
# all of these; memory does.
ODD_MTIMES_S = (-11_644_473_600, -9_595_879_292, -62_135_596_800, 910_692_730_085, 10_413_792_000)
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def odd_mtimes(rng: random.Random, folder: Path) -> dict:
    """Runs over four photos, one of them with an odd file time, that do not end with all four in the index."""
    stopped = 0
    for mtime_s in ODD_MTIMES_S:
        with tempfile.TemporaryDirectory(dir=MEMORY) as root:
            for number in range(4):
                file = draw_picture(Path(root) / f"{number}.png", rng.getrandbits(30), size=(16, 12))
            os.utime(file, (1, mtime_s))
            try:
                stopped += history.index(Path(root), Path(root) / "cache").rows.num_rows != 4
            except (CliplibError, ValueError, OverflowError, OSError):
                stopped += 1
    return {"odd_mtimes_stopped": stopped}


def histories(rng: random.Random, folder: Path, times: int) -> dict:
    """Rows and failures that differ between an index that was kept up and one that is made from nothing."""
    found = [history.differences(rng, folder / str(number), rng.randint(1, 12)) for number in range(times)]
    return {"history_rows_different": sum(map(len, found))}


def large_photos(rng: random.Random, folder: Path, photos: int) -> dict:
    """The memory of a run over large photos, in MB, and that of the model alone."""
    (root := folder / "photos").mkdir()
    for number in range(photos):
        sparse_tiff(root / f"{number:02d}.tif")
    command = [sys.executable, "-m", "tests.harness.torture_folders", str(root)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=HOME).stdout)


def sparse_tiff(file: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    """A black TIFF, RGB of 16 bits, uncompressed, that takes no room on the disk."""
    short, long, size = 3, 4, 6 * width * height
    tags = (  # number, type, count, value; the bits of a sample and the strip lie behind the tags
        *((256, long, 1, width), (257, long, 1, height), (258, short, 3, 134), (259, short, 1, 1), (262, short, 1, 2)),
        *((273, long, 1, 140), (277, short, 1, 3), (278, long, 1, height), (279, long, 1, size), (284, short, 1, 1)),
    )
    with open(file, "wb") as out:
        out.write(struct.pack("<2sHIH", b"II", 42, 8, len(tags)))
        out.writelines(struct.pack("<HHII", *tag) for tag in tags)
        out.write(struct.pack("<I3H", 0, 16, 16, 16))
        out.truncate(140 + size)


def measure(root: str) -> None:
    """Index a folder, and print the memory of this process: with the model loaded, and at most."""
    from cliplib import Library

    library = Library(root, model="tiny")
    library.store  # noqa: B018 - loads the model
    library.encoder.encode_texts(["a red car"])
    model_mb = peak_mb()
    report = library.index(progress=False)
    if report.skipped:
        sys.exit(f"not all were read: {report}")
    print(json.dumps({"peak_mb_large_files": round(peak_mb()), "peak_mb_model": round(model_mb)}))


if __name__ == "__main__":
    measure(*sys.argv[1:])
