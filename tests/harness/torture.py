"""`make torture`: kill, starve, damage and race the index on purpose, and count what is lost. Nothing may be.

Prints each figure and writes build/torture.json. A stub stands for the encoder where the store and the index are what
is tested. `--share 0.1` runs a tenth of everything. Every random choice comes from `--seed`; where a kill falls also
depends on the machine. Media files are tortured in `torture_files`, folders in `torture_folders`, pickles in
`torture_pickles`.
"""

import argparse
import builtins
import contextlib
import json
import mmap
import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path

import numpy as np

import cliplib.index.update
from cliplib.cache import durable, rows, snapshot
from cliplib.cache.store import Store
from cliplib.errors import CliplibError
from cliplib.index.check import check_caches
from cliplib.index.update import update
from tests.harness.libraries import FileAround, draw_picture
from tests.harness.mutations import flip_a_bit
from tests.harness.torture_files import cut_videos, damaged_files, odd_files
from tests.harness.torture_pickles import hostile_pickles
from tests.harness.torture_tiny import kill9_tiny, reread

HOME = Path(__file__).resolve().parents[2]
MODEL = {"model_id": "stub", "name": "stub", "dim": 48}


class StubEncoder:
    """Turns a picture into its own 4 x 4 pixels, at length one: quick, and different for different pictures."""

    resolution, dim, batch_size, warning = 4, MODEL["dim"], 4, ""

    def __init__(self, counter: mmap.mmap | None = None):
        self.counter = counter

    def prepare(self, image):
        return np.asarray(image.convert("RGB").resize((4, 4)))

    def encode_images(self, images):
        if self.counter:
            self.counter[:] = (int.from_bytes(self.counter, "little") + len(images)).to_bytes(4, "little")
        flat = np.array([image.reshape(-1) + 1.0 for image in images], np.float32).reshape(-1, self.dim)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def open_store(root: Path) -> Store:
    """The cache of a torture library, read from the disk."""
    return Store(root / ".cliplib" / "stub", MODEL)


def index(root: Path, encoder: StubEncoder):
    """One index run without a progress bar."""
    return update(root, open_store(root), encoder, confirm_removals=True, progress=False)


def keys(table) -> set:
    """What identifies each row."""
    return set(zip(table["path"].to_pylist(), table["digest"].to_pylist(), strict=True))


def random_rows(rng: random.Random, paths: list[str]):
    """Rows with random unit embeddings."""
    vectors = np.random.default_rng(rng.getrandbits(32)).normal(size=(len(paths), MODEL["dim"])).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    facts = {"kind": "image", "size": 1, "mtime_ns": rng.getrandbits(40)}
    return rows.table([facts | {"path": path, "digest": f"{rng.getrandbits(64):x}"} for path in paths], vectors)


def kill9(rng: random.Random, folder: Path, times: int) -> dict:
    """Kill an indexing child at random moments, every second time during a save; the next run goes on from there."""
    root, everything = folder / "photos", 40
    for i in range(everything):
        draw_picture(root / f"p{i:02d}.jpg", i, size=(32, 24))
    lost = unreadable = most_redone = 0
    encoded = mmap.mmap(-1, 4)  # shared with the child: how many pictures it has encoded
    for attempt in range(times):
        if attempt % 8 == 0:
            shutil.rmtree(root / ".cliplib", ignore_errors=True)
        before = keys(open_store(root).rows)
        encoded[:] = bytes(4)
        child = os.fork()
        if child == 0:
            _dying_child(root, encoded, during_save=attempt % 2 == 1, patience=rng.random())
        time.sleep(rng.random() * 0.15)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        after = open_store(root)
        lost += len(before - keys(after.rows))
        unreadable += bool(after.problems)
        most_redone = max(most_redone, int.from_bytes(encoded, "little") - (after.rows.num_rows - len(before)))
        if attempt % 8 == 7:
            index(root, StubEncoder())
            lost += everything - open_store(root).rows.num_rows
    return {"kill9_rows_lost": lost, "kill9_unreadable": unreadable, "kill9_max_redone": most_redone}


def _dying_child(root: Path, encoded: mmap.mmap, during_save: bool, patience: float) -> None:
    """Index with a checkpoint after every batch of 4; with `during_save` dawdle inside saves, where the kill falls."""
    cliplib.index.update.CHECKPOINT_FILES = 4
    if during_save:
        replace = os.replace
        os.replace = lambda *names: (time.sleep(0.05 * patience), replace(*names), time.sleep(0.05 * patience))
    index(root, StubEncoder(encoded))
    os._exit(0)


def faults(rng: random.Random, folder: Path) -> dict:
    """Refuse every open, write, fsync and rename of a save, one after another, with each error; then read the disk."""
    total = sound = 0
    calls = {"open": builtins.open, "fsync": os.fsync, "replace": os.replace, "write": None}
    for number in (5, 28, 4):  # EIO, ENOSPC, EINTR
        for name in calls:
            for nth in range(4):
                target = folder / f"{number}-{name}-{nth}"
                first = Store(target, MODEL)
                first.checkpoint(random_rows(rng, ["a", "b"]), {("x", None): b"j"}, set(), {})
                old = keys(first.rows)
                new = random_rows(rng, ["c"])
                error = OSError(number, os.strerror(number))
                with _refusing(name, nth, error), contextlib.suppress(CliplibError):
                    first.checkpoint(new, {("y", None): b"j"}, {"a"}, {})
                found = keys(Store(target, MODEL).rows)
                total += 1
                sound += found in (old, {key for key in old if key[0] == "b"} | keys(new))
    return {"fault_old_or_new_share": sound / total, "fault_points": total}


class _refusing:
    """While it lasts, the nth call of `open`, `write`, `fsync` or `replace` inside the store raises `error`."""

    def __init__(self, name: str, nth: int, error: OSError):
        self.name, self.left, self.error = name, nth, error

    def _due(self) -> bool:
        self.left -= 1
        return self.left == -1

    def __enter__(self):
        real_open, real_fsync, real_replace = builtins.open, os.fsync, os.replace
        self.real = real_open, real_fsync, real_replace

        def refuse(real, name):
            def call(*arguments, **options):
                if self.name == name and self._due():
                    raise self.error
                return real(*arguments, **options)

            return call

        def open_(file, mode="r", *arguments, **options):
            handle = refuse(real_open, "open")(file, mode, *arguments, **options)
            return _ShortWriter(handle, self) if self.name == "write" and "w" in mode else handle

        durable.open, os.fsync, os.replace = open_, refuse(real_fsync, "fsync"), refuse(real_replace, "replace")

    def __exit__(self, *_):
        del durable.open
        _, os.fsync, os.replace = self.real


class _ShortWriter(FileAround):
    """A file whose write puts down half of the bytes and then fails."""

    def __init__(self, file, fault):
        self.file, self.fault = file, fault

    def write(self, data):
        if self.fault._due():
            self.file.write(bytes(data)[: len(data) // 2])
            raise self.fault.error
        return self.file.write(data)


def bit_flips(rng: random.Random, folder: Path, times: int) -> dict:
    """Flip one bit anywhere in a cache of three generations, or in a snapshot of it, a quarter of the times.

    It must be said. In the cache only that generation may be lost; a snapshot is refused.
    """
    source = folder / "whole"
    whole = Store(source, MODEL)
    for generation in ("a", "b", "c"):
        paths = [f"{generation}{i}" for i in range(5)]
        whole.checkpoint(random_rows(rng, paths), {(path, None): path.encode() * 50 for path in paths}, set(), {})
    truth, files = keys(whole.rows), sorted(file for file in source.iterdir())
    albums = [snapshot.save(folder / name, whole) for name in ("a.parquet", "a.pkl")]
    (folder / "photos").mkdir()
    detected = recovered = of_cache = 0
    for _ in range(times):
        if rng.random() < 0.25:
            victim = folder / f"flipped{rng.choice(albums).suffix}"
            victim.write_bytes(flip_a_bit(rng, (folder / f"a{victim.suffix}").read_bytes()))
            try:
                snapshot.load(victim)
            except CliplibError:
                detected += 1
            continue
        copy, of_cache = folder / "cache" / "copy", of_cache + 1
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        victim = copy / rng.choice(files).name
        victim.write_bytes(flip_a_bit(rng, victim.read_bytes()))
        (finding,) = check_caches(folder / "photos", folder / "cache")
        detected += any(victim.name in text for text in finding.damage)
        after = keys(Store(copy, MODEL).rows)
        recovered += after <= truth and len(after) >= len(truth) - 5
    return {"bitflips_detected_share": detected / times, "bitflips_recovered_share": recovered / max(1, of_cache)}


def two_writers(rng: random.Random, folder: Path, times: int) -> dict:
    """Two writers add rows in random turns, mostly without seeing each other; then the cache is read."""
    lost = 0
    for attempt in range(times):
        target = folder / str(attempt)
        Store(target, MODEL).checkpoint(random_rows(rng, ["base"]), {}, set(), {})
        writers, want = [Store(target, MODEL), Store(target, MODEL)], {"base"}
        for turn in range(rng.randint(2, 8)):
            who = rng.randrange(2)
            if rng.random() < 0.15:
                writers[who].refresh()
            writers[who].checkpoint(random_rows(rng, [f"w{who}-{turn}"]), {}, set(), {})
            want.add(f"w{who}-{turn}")
        lost += len(want - set(Store(target, MODEL).rows["path"].to_pylist()))
    return {"two_writers_rows_lost": lost}


def sequences(rng: random.Random, folder: Path, times: int) -> dict:
    """Random add, change, delete, rename and copy: an index kept up step by step must equal one made from nothing."""
    different = removals = unexplained = 0
    for attempt in range(times):
        root = folder / str(attempt)
        for i in range(6):
            draw_picture(root / f"p{i}.png", rng.getrandbits(30), size=(16, 12))
        index(root, StubEncoder())
        for step in range(rng.randint(1, 4)):
            for _ in range(rng.randint(1, 3)):
                _change(rng, root, step)
            report = index(root, StubEncoder())
            unexplained += abs(len(list(root.glob("*.png"))) - report.seen)
        kept = open_store(root).rows
        root.rename(folder / "gone")
        try:
            index(root, StubEncoder())
            removals += 1
        except CliplibError:
            (folder / "gone").rename(root)
        shutil.rmtree(root / ".cliplib")
        index(root, StubEncoder())
        different += _differences(kept, open_store(root).rows)
    return {"incremental_rows_different": different, "false_removals": removals, "unexplained_files": unexplained}


def _change(rng: random.Random, root: Path, step: int) -> None:
    files = sorted(root.glob("*.png"))
    kind, file = rng.choice(["add", "change", "delete", "rename", "copy"]), rng.choice(files)
    fresh = root / f"n{step}-{rng.getrandbits(40)}.png"
    if kind in ("add", "change"):
        draw_picture(fresh if kind == "add" else file, rng.getrandbits(30), size=(16, 12))
    elif kind == "delete" and len(files) > 2:
        file.unlink()
    elif kind == "rename":
        file.rename(fresh)
    elif kind == "copy":
        shutil.copy(file, fresh)


def _differences(table, other) -> int:
    """Rows that are in one of two tables only, or whose embeddings differ."""
    if keys(table) != keys(other):
        return len(keys(table) ^ keys(other))
    table, other = table.sort_by("path"), other.sort_by("path")
    return int((np.einsum("ij,ij->i", rows.matrix(table), rows.matrix(other)) < 0.9999).sum())


def torture(seed: int = 0, share: float = 1.0) -> dict:
    """All figures; `share` of the full number of trials."""
    from tests.harness.torture_folders import (  # late: they stand on the stub encoder above
        histories,
        large_photos,
        odd_mtimes,
    )
    from tests.harness.torture_mount import mount_that_forgets

    def times(full):
        return max(2, round(full * share))

    figures = {"seed": seed, "share": share}
    with tempfile.TemporaryDirectory() as folder:
        for name, trial, counts in (
            ("kill9", kill9, [times(200)]),
            ("faults", faults, []),
            ("flips", bit_flips, [times(1000)]),
            ("writers", two_writers, [times(100)]),
            ("sequences", sequences, [times(200)]),
            ("odd", odd_files, [times(2200)]),
            ("damaged", damaged_files, [times(2660)]),
            ("cut", cut_videos, [times(10)]),
            ("tiny", kill9_tiny, [max(1, round(5 * share))]),
            ("mount", mount_that_forgets, [times(100)]),
            ("mtimes", odd_mtimes, []),
            ("histories", histories, [times(200)]),
            ("large", large_photos, [max(3, times(16))]),
            ("reread", reread, [share >= 0.5]),
            ("pickles", hostile_pickles, [share]),
        ):
            own = Path(folder) / name / "x"
            own.mkdir(parents=True)
            figures |= trial(random.Random(f"{seed} {name}"), own, *counts)
    return figures


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--share", type=float, default=1.0)
    found = torture(**vars(arguments.parse_args()))
    for key, value in found.items():
        print(f"{key:28s}{value}")
    (HOME / "build").mkdir(exist_ok=True)
    (HOME / "build" / "torture.json").write_text(json.dumps(found, indent=1))
