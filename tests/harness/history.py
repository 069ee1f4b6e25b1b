"""Random histories of a folder: an index that was kept up step by step must be the one that is made from nothing.

A history is a list of steps, each a function of the folder as it is; `differences` plays it on a folder, indexes after
every step, and compares all columns with a rebuild. `make torture` and the tests draw such lists.
"""

import os
import random
import shutil
from datetime import datetime
from functools import cache
from pathlib import Path
from unittest import mock

from cliplib.cache import rows as rows_
from cliplib.cache.store import Store
from cliplib.index.update import update
from tests.harness.takeouts import picture, save_clip, save_photo
from tests.harness.torture import MODEL, StubEncoder

# Some are photos called videos and the other way round; "a" and "b" are pairs of a Live Photo or its edited twin.
NAMES = ("a.jpg", "b.jpg", "sub/a.jpg", "a-edited.jpg", "a.mov", "b.mov", "sub/c.mp4", "photo.mp4", "clip.jpg")
SIDECARS = tuple(f"{name}.json" for name in ("a.jpg", "b.jpg", "sub/a.jpg", "sub/c.mp4"))
MTIMES_S = (1, 10**9, 1_500_000_000, -11_644_473_600, 10_413_792_000)  # two of them no date can be: 1601 and 2300
STEPS = ("add", "add", "copy", "rename", "touch", "delete", "sidecar", "swap")


@cache
def contents(folder: Path) -> list[bytes]:
    """Photos with and without a date, a place and an identifier, clips with and without, and no media at all."""
    folder.mkdir(parents=True, exist_ok=True)
    small = picture(1).resize((24, 18)), picture(2).resize((24, 18)), picture(3).resize((24, 18))
    save_photo(folder / "0.jpg", small[0])
    save_photo(folder / "1.jpg", small[1], datetime(2019, 7, 14, 18, 30, 5), place=(48.5, -4.25))
    save_photo(folder / "2.jpg", small[2], ident="ABCD-1", camera=False)
    save_clip(folder / "3.mov", 1, 2)
    save_clip(folder / "4.mov", 2, 5, datetime(2018, 1, 2, 3, 4, 5), ident="ABCD-1")
    found = [file.read_bytes() for file in sorted(folder.iterdir())]
    return [*found, found[3][:900], b"no media"]


def sidecar(rng: random.Random) -> str:
    """The text of a sidecar: with a place, without, or no sidecar at all."""
    seconds = rng.choice([100_000, 1_400_000_000])
    place = ', "geoData": {"latitude": 1.5, "longitude": 2.5}' if rng.random() < 0.5 else ""
    return f'{{"photoTakenTime": {{"timestamp": "{seconds}"}}{place}}}' if rng.random() < 0.8 else "{"


def step(rng: random.Random, root: Path, pool: list[bytes]) -> None:
    """Change one thing in a folder."""
    here = [file for file in sorted(root.rglob("*")) if file.is_file() and ".cliplib" not in file.parts]
    kind, names = rng.choice(STEPS), NAMES
    if kind == "sidecar":
        (file := root / rng.choice(SIDECARS)).parent.mkdir(exist_ok=True)
        file.write_text(sidecar(rng))
    elif kind == "add" or len(here) < 3:
        (file := root / rng.choice(NAMES)).parent.mkdir(exist_ok=True)
        file.write_bytes(rng.choice(pool))
    elif kind == "swap":
        file, other = rng.sample(here, 2)
        file.rename(root / "swapped")
        other.rename(file)
        (root / "swapped").rename(other)
        return
    else:
        file = rng.choice(here)
        names = SIDECARS if file.suffix == ".json" else NAMES
        target = root / rng.choice(names)
        target.parent.mkdir(exist_ok=True)
        if kind == "delete":
            return file.unlink()
        if kind == "rename":
            file = file.replace(target)
        elif kind == "copy" and target != file:
            file = Path(shutil.copy2(file, target))
    if kind in ("add", "touch", "sidecar"):
        os.utime(file, (1, rng.choice(MTIMES_S)))


def index(root: Path, cache_folder: Path) -> Store:
    """The index of a folder, brought up to date."""
    with mock.patch("os.fsync"):  # nothing dies here, and a busy disk takes its time
        update(root, Store(cache_folder, MODEL), StubEncoder(), confirm_removals=True, progress=False)
    return Store(cache_folder, MODEL)


def differences(rng: random.Random, folder: Path, steps: int) -> list:
    """Rows and failures that an index kept up over so many steps does not share with a rebuild."""
    root, pool = folder / "photos", contents(folder.parent / "contents")
    root.mkdir(parents=True)
    for _ in range(steps):
        step(rng, root, pool)
        kept = index(root, folder / "kept")
    (root / "one.jpg").write_bytes(pool[0])  # a folder that is empty is refused
    kept = index(root, folder / "kept")
    return sorted(told(kept) ^ told(index(root, folder / "rebuilt")))


def told(store: Store) -> set[str]:
    """All that an index says of its files: each row with all its columns and its picture, and each failure."""
    records = store.rows.to_pylist()
    pictures = [store.thumbnail(key) for key in rows_.keys(store.rows)]
    why = {path: f["reason"] if f["stage"] != "motion" else "" for path, f in store.failures.items()}
    failures = {f"{path}: {failure['stage']} {why[path]}" for path, failure in store.failures.items()}
    return failures | {f"{record} {hash(jpeg)}" for record, jpeg in zip(records, pictures, strict=True)}
