"""The index with the real tiny model: killed while it encodes, and counted in bytes while it reads.

Run as a program it is one process that does so: `python -m tests.harness.torture_tiny index ROOT`, or `... reread
ROOT`.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
SAMPLE = HOME / "data" / "sample"
SMALL = 24  # photos of the sample that are indexed between kills


def _command(task: str, root: Path) -> dict:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return {
        "args": [sys.executable, "-m", "tests.harness.torture_tiny", task, str(root)],
        "cwd": HOME,
        "env": environment,
    }


def _keys(root: Path) -> tuple[set, list]:
    """Path and digest of all rows in the cache of a library, and what was wrong with it."""
    from cliplib.cache import manifest
    from cliplib.cache.store import Store

    keys, problems = set(), []
    for folder in (root / ".cliplib").glob("tiny-*"):
        bodies, _ = manifest.read_all(folder)
        store = Store(folder, max(bodies.values(), key=lambda body: body["created_ns"])["model"]) if bodies else None
        if store:
            keys |= set(zip(store.rows["path"].to_pylist(), store.rows["digest"].to_pylist(), strict=True))
            problems += store.problems
    return keys, problems


def kill9_tiny(rng: random.Random, folder: Path, times: int) -> dict:
    """Kill a real run, which says when it begins and how many pictures it has encoded; the last run is left to end."""
    root = folder / "photos"
    root.mkdir()
    for file in sorted(SAMPLE.glob("town/*.jpg"))[:SMALL]:
        shutil.copy(file, root)
    lost = unreadable = most_redone = killed = 0
    while killed < times:
        before, _ = _keys(root)
        worker = subprocess.Popen(**_command("index", root), stdout=subprocess.PIPE, text=True)
        encoded = 0
        for line in worker.stdout:  # the kill falls after a random one of its batches, or between two
            encoded = int(line)
            if rng.random() < 0.4:
                time.sleep(rng.random() * 0.05)
                break
        worker.kill()
        encoded = max([encoded, *map(int, worker.stdout)])
        if worker.wait() != -signal.SIGKILL:  # it had ended by itself: begin again with nothing
            shutil.rmtree(root / ".cliplib")
            continue
        killed += 1
        after, problems = _keys(root)
        lost, unreadable = lost + len(before - after), unreadable + bool(problems)
        most_redone = max(most_redone, encoded - len(after - before))
    subprocess.run(**_command("index", root), stdout=subprocess.DEVNULL, check=True)
    lost += SMALL - len(_keys(root)[0])
    return {"kill9_tiny_rows_lost": lost, "kill9_tiny_unreadable": unreadable, "kill9_tiny_max_redone": most_redone}


def index(root: Path) -> None:
    """Index with the tiny model, a checkpoint every 4 files; say after how many pictures each batch is."""
    import cliplib.index.update
    from cliplib import Library

    library = Library(root, model="tiny", cache=root / ".cliplib")
    cliplib.index.update.CHECKPOINT_FILES, encoder, encoded = 4, library.encoder, 0
    encoder.batch_size, real = 4, encoder.encode_images

    def counted(images):
        nonlocal encoded
        encoded += len(images)
        print(encoded, flush=True)
        return real(images)

    print(0, flush=True)
    encoder.encode_images = counted
    library.index(progress=False)


def reread(rng: random.Random, folder: Path, whole: bool) -> dict:
    """Bytes that an index run reads over the bytes of the originals.

    These are the sample's videos, or with `whole` all of the sample and a video of 100 MB, more than is digested whole.
    The count is the kernel's, of all that the process reads by any way but mapped memory (`rchar` of /proc/self/io);
    decoders that open files by themselves are in it. What the run reads besides, of its own cache for example, is not
    taken off: the figures are upper bounds.
    """
    root = folder / "photos"
    shutil.copytree(SAMPLE if whole else SAMPLE / "videos", root, ignore=shutil.ignore_patterns(".cliplib"))
    if whole:
        long_video(root / "videos" / "long.mp4")
    done = subprocess.run(**_command("reread", root), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def long_video(file: Path, megabytes: int = 100) -> None:
    """An MP4 whose pictures are mostly noise, so that it is large and short."""
    import av
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 640, 360, "yuv420p", 300_000_000
        stream.options = {"qmin": "1", "qmax": "1", "g": "1"}
        number = 0
        while not file.exists() or file.stat().st_size < megabytes * 2**20:
            frame = av.VideoFrame.from_ndarray(np.roll(noise, number * 7, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
            number += 1
        container.mux(stream.encode())


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])


def measure(root: Path) -> None:
    """Index twice, and print the bytes read each time over the size of the originals."""
    from cliplib import Library

    warm = root.parent / "warm"  # so that what is imported on first use is in memory before it counts
    for name in ("town/IMG_0021.jpg", "town/IMG_0012.HEIC", "videos/postcard.webm"):
        (warm / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLE / name, warm / name)
    Library(warm, model="tiny").index(progress=False)
    library = Library(root, model="tiny", cache=root.parent / "cache")
    library.store  # noqa: B018 - loads the model
    sizes = [file.stat().st_size for file in root.rglob("*") if file.is_file()]
    before = _bytes_read()
    library.index(progress=False)
    first = _bytes_read() - before
    library.index(progress=False)
    second = _bytes_read() - before - first
    figures = {"reread_ratio": first / sum(sizes), "reread_ratio_second": second / sum(sizes)}
    figures = {name: round(value, 4) for name, value in figures.items()}
    print(json.dumps(figures | {"reread_mb": round(sum(sizes) / 2**20)}))


if __name__ == "__main__":
    {"index": index, "reread": measure}[sys.argv[1]](Path(sys.argv[2]))
