"""`make phone`: a drawn Takeout, a slow mount, a class of thirty; counts what is lost, late or told to strangers.

Prints each figure and writes build/phone.json. The Takeout has a truth table (see `takeouts`); the mount is a stand-in
that gives 10 files and 5 MB a second. Its library is small, so that the trial has 12 s instead of 60: the same share of
the whole run. `--share 0.1` makes everything smaller; then the figures of the mount say little.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import cliplib
from cliplib.media import reading, zips
from cliplib.media.files import find_media
from cliplib.media.takeout import plain_path
from tests.harness.libraries import FileAround, picture
from tests.harness.patience import patience_s
from tests.harness.takeouts import build, save_clip, zipped

HOME = Path(__file__).resolve().parents[2]
MEGABYTE = 10**6
FRESH = 4  # interpreters that are started for a pack; each takes seconds for its imports alone
QUERIES = ("a red car", "a boat at night", "snow", "a house", "a tree and a dog", "something blue", "a green ball")
SCHOOL = """
import sys, pathlib
import cliplib.library
from tests.harness.phone import at_once
at_once(pathlib.Path(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3]))
"""
PUPIL = """
import json, sys, time
started = time.monotonic()
import cliplib
library = cliplib.Library.open_pack(sys.argv[1])
hits = library.search("a red car", threshold=-1)
page = hits._repr_html_()
took = {"seconds": time.monotonic() - started, "cpu_s": time.process_time()}
from tests.harness.torture_files import peak_mb
print(json.dumps(took | {"mb": peak_mb(), "tiles": page.count("data:image/jpeg")}))
"""


def takeout(folder: Path, share: float) -> dict:
    """The Takeout as a folder and as two zips: sidecars, clips, dates, places, screenshots, and hits that differ."""
    root = folder / "unpacked"
    truth, jsons = build(root, round(300 * share))
    library = cliplib.Library(root, model="tiny", cache=folder / "cache")
    report = library.index(progress=False)
    rows = {row["path"]: row for row in library.store.rows.drop_columns(["embedding"]).to_pylist()}
    items = {path: true for path, true in truth.items() if not true.clip_of}
    places = {path: true.place for path, true in items.items() if true.place}
    found = [(rows[path]["latitude"], rows[path]["longitude"]) == place for path, place in places.items()]
    shown = {hit.path for hit in library.score("a car").filter(screenshots=False).top(999, -1, distinct=False)}
    photos = {path for path in items if path in library.photos()}
    different = [len({truth[hit.path].item for hit in library.search(text, k=5, threshold=-1)}) for text in QUERIES]
    archives = folder / "zips"
    zipped(root, archives)
    packed = cliplib.Library(archives, model="tiny", cache=folder / "cache of the zips")
    packed.index(progress=False)
    return {
        "takeout_files": len(truth),
        "sidecars_matched": report.found.sidecars / len(jsons),
        "sidecars_skipped": sum(skipped.path.endswith(".json") for skipped in report.skipped),
        "motion_clips_among_videos": len(set(library.videos()) & {path for path in truth if truth[path].clip_of}),
        "items_missing": len(items.keys() - rows.keys()) + len(report.skipped),
        "dates_right": sum(rows[path]["taken_at"] == true.taken_at for path, true in items.items()) / len(items),
        "places_right": sum(found) / len(found),
        "screenshots_wrong": len((photos - shown) ^ {path for path in photos if truth[path].screenshot}),
        "distinct_hits": min(different),
        "zip_rows_different": _differences(library, packed),
    }


def _differences(library, packed) -> int:
    """Rows that are not the same but for the path, the bits of the embedding included."""

    def plainly(rows):
        plain = [row | {"path": plain_path(row["path"])} for row in rows.to_pylist()]
        return {(row["path"], row["time_s"]): row for row in plain}

    one, other = plainly(library.store.rows), plainly(packed.store.rows)
    return sum(one.get(key) != other.get(key) for key in one.keys() | other.keys())


class SlowMount:
    """While it lasts, files below `root` are opened and read at the mount's speed, whoever asks; `log` tells when."""

    def __init__(self, root: Path, files_per_s: float = 10, bytes_per_s: float = 5 * MEGABYTE):
        self.root, self.costs = str(root), (1 / files_per_s, 1 / bytes_per_s)
        self.free_at, self.lock, self.log = [0.0, 0.0], threading.Lock(), []

    def spend(self, which: int, amount: float) -> None:
        with self.lock:
            now = time.monotonic()
            self.free_at[which] = max(now, self.free_at[which]) + amount * self.costs[which]
            wait = self.free_at[which] - now
        time.sleep(wait)

    def __enter__(self):
        self.real = reading.open_file
        reading.open_file = self.open
        return self

    def __exit__(self, *_):
        reading.open_file = self.real

    def open(self, path, *options, **more):
        if not str(path).startswith(self.root):
            return self.real(path, *options, **more)
        self.log.append((time.monotonic(), str(path)))
        self.spend(0, 1)
        return _SlowFile(self.real(path, *options, **more), self)


class _SlowFile(FileAround):
    def __init__(self, file, mount: SlowMount):
        self.file, self.mount = file, mount

    def read(self, size=-1):
        data = self.file.read(size)
        self.mount.spend(1, len(data))
        return data


def draw_mount(root: Path, photos: int, videos: int) -> None:
    """Photos and videos of many sizes: small pictures with a tail of random bytes, which no decoder reads."""
    rng = random.Random(0)
    root.mkdir(parents=True)
    for number in range(photos):
        file = root / f"IMG_{number:04d}.jpg"
        picture(number, (320, 240)).save(file)
        with open(file, "ab") as tail:
            tail.write(rng.randbytes(int(rng.lognormvariate(12.6, 0.7))))  # median 300 kB
        os.utime(file, (1_600_000_000 + number * 1000,) * 2)
    for number in range(videos):
        file = root / f"VID_{number:04d}.mp4"
        save_clip(file, number, rng.uniform(4, 20))
        size = int(rng.lognormvariate(14.6, 0.7))  # median 2 MB
        with open(file, "ab") as tail:
            tail.write(size.to_bytes(4, "big") + b"free" + rng.randbytes(size - 8))


def mount(folder: Path, share: float) -> dict:
    """Estimate on the slow mount, then the run: is the estimate true, do photos come first, does a search answer?"""
    root = folder / "mount"
    draw_mount(root, round(350 * share), round(30 * share))
    library = cliplib.Library(root, model="tiny", cache=folder / "cache")
    with SlowMount(root) as slow:
        estimate = library.estimate(12 * max(share, 0.25))
        slow.log.clear()
        started, first_s = time.monotonic(), None
        run = library.index_in_background()
        while run.running:
            time.sleep(0.2)
            library.refresh()
            if first_s is None and len(library) and run.running and library.search("a red car", threshold=-1):
                first_s = time.monotonic() - started
        report = run.wait()
        took_s = time.monotonic() - started
    times = {kind: [at for at, path in slow.log if path.endswith(kind)] for kind in (".jpg", ".mp4")}
    order = [int(path[-8:-4]) for _, path in slow.log if path.endswith(".jpg")]
    late = sum(later > earlier + 96 for earlier, later in itertools.pairwise(order))
    return {
        "mount_files": report.indexed,
        "estimate_s": estimate.seconds,
        "estimate_low_s": estimate.photos.low_s + estimate.videos.low_s,
        "estimate_high_s": estimate.photos.high_s + estimate.videos.high_s,
        "estimate_trial_s": estimate.trial_s,
        "truth_s": took_s,
        "estimate_photos_s": estimate.photos.seconds,
        "truth_photos_s": min(at for at, path in slow.log if path.endswith(".mp4")) - started,
        "estimate_error": abs(estimate.seconds - took_s) / took_s,
        "estimate_limit": estimate.photos.limit,
        "photos_end_before_videos": max(times[".jpg"]) <= min(times[".mp4"]),
        "photos_out_of_order": late,
        "search_in_mid_run_s": first_s,
    }


def staging(folder: Path, share: float) -> dict:
    """The most that lies on the local disk while two archives with compressed videos are indexed, in MB."""
    root = folder / "unpacked"
    draw_mount(root, round(20 * share) + 1, round(8 * share) + 1)
    zipped(root, folder / "zips")
    peak, open_now = [0], {}

    class Counted(tempfile.SpooledTemporaryFile):
        def write(self, data):
            written = super().write(data)
            open_now[id(self)] = self.tell()
            peak[0] = max(peak[0], sum(open_now.values()))
            return written

        def close(self):
            open_now.pop(id(self), None)
            super().close()

        def __exit__(self, *_):
            self.close()

    real, memory = tempfile.SpooledTemporaryFile, zips.MEMORY_BYTES
    tempfile.SpooledTemporaryFile, zips.MEMORY_BYTES = Counted, 0  # all that is unpacked goes to the disk
    try:
        report = cliplib.Library(folder / "zips", model="tiny", cache=folder / "cache").index(progress=False)
    finally:
        tempfile.SpooledTemporaryFile, zips.MEMORY_BYTES = real, memory
    total = sum(file.size for file in find_media(root).files)
    return {
        "peak_staging_mb": peak[0] / MEGABYTE,
        "staging_cap_mb": zips.SPOOL_BYTES / MEGABYTE,
        "staging_archives_mb": total / MEGABYTE,
        "staging_left_open": len(open_now),
        "staging_skipped": len(report.skipped),
    }


def without_originals(folder: Path, share: float) -> dict:
    """Search, filters and a page of 20 tiles after the originals have become unreadable."""
    root = folder / "photos"
    build(root, round(300 * share))
    library = cliplib.Library(root, model="tiny", cache=folder / "cache")
    library.index(progress=False)
    library = cliplib.Library(root, model="tiny", cache=folder / "cache")
    library.search("warm", threshold=-1)  # the model is loaded
    for path in [*library.photos(), *library.videos()]:
        (root / path).unlink()
        (root / path).mkdir()  # whoever opens it gets an error, not silence
    started = time.process_time()
    scores = library.score("a red car")
    scores.filter(folder="Takeout", since="2015-01-01", screenshots=False).top(20, -1)._repr_html_()
    page = scores.top(20, -1)._repr_html_()
    return {
        "tiles_without_originals_s": time.process_time() - started,
        "tiles": page.count("data:image/jpeg"),
    }


def class_of_thirty(folder: Path, share: float) -> dict:
    """Fresh interpreters open one pack, two at a time, imports included; then thirty processes do, two at a time, keep
    it open, and answer once more when all of them have it.
    """
    root, pupils = folder / "photos", max(2, round(30 * share))
    build(root, round(300 * share))
    library = cliplib.Library(root, model="tiny", cache=folder / "cache")
    library.index(progress=False)
    shelf = folder / "shelf"
    shelf.mkdir()
    pack = library.save_pack(shelf / "class.zip")
    shelf.chmod(0o555)
    before = _state(shelf)
    environment = os.environ | {"PYTHONPATH": str(HOME), "OMP_NUM_THREADS": "1"}
    fresh = []
    for _ in range(max(1, round(FRESH * share) // 2)):
        two = [subprocess.Popen([sys.executable, "-c", PUPIL, str(pack)], stdout=-1, env=environment) for _ in "12"]
        fresh += [json.loads(pupil.communicate()[0]) for pupil in two]
    command = [sys.executable, "-c", SCHOOL, str(pack), str(pupils), str(folder)]  # no thread runs there when it forks
    subprocess.run(command, env=environment, check=True, timeout=patience_s(600))
    together = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    shelf.chmod(0o755)
    return {
        "pack_mb": pack.stat().st_size / MEGABYTE,
        "pack_first_answer_s": max(answer["seconds"] for answer in fresh),
        "pack_first_answer_cpu_s": max(answer["cpu_s"] for answer in fresh),
        "pack_process_mb": max(answer["mb"] for answer in fresh),
        "pack_tiles": min(answer["tiles"] for answer in [*fresh, *together]),
        "pack_processes": pupils,
        "pack_at_once": sum(answer["again"] == 5 for answer in together),
        "pack_opened_and_answered_s": max(answer["seconds"] for answer in together),
        "pack_own_mb": max(answer["own_mb"] for answer in together),
        "pack_files_beside": len(_state(shelf) ^ before),
    }


def at_once(pack: Path, pupils: int, folder: Path) -> None:
    """Write what so many children say, which share the imports of this process; two at a time open the pack."""
    turns, ready, go = os.pipe(), os.pipe(), os.pipe()
    os.write(turns[1], b"..")
    children = []
    for number in range(pupils):
        child = os.fork()
        if child == 0:
            with contextlib.suppress(Exception):
                os.read(turns[0], 1)
                started = time.monotonic()
                library = cliplib.Library.open_pack(pack)
                page = library.search("a red car", threshold=-1)._repr_html_()
                answer = {"seconds": time.monotonic() - started, "tiles": page.count("data:image/jpeg")}
                os.write(turns[1], b".")
                os.write(ready[1], b".")
                os.read(go[0], 1)  # until all are there
                answer["again"] = len(library.search("a boat", threshold=-1))
                own = re.findall(r"^Private_\w+:\s+(\d+)", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
                answer["own_mb"] = sum(map(int, own)) / 1024
                (folder / f"{number}.json").write_text(json.dumps(answer))
            os._exit(0)
        children.append(child)
    there = b""
    while len(there) < pupils:
        there += os.read(ready[0], pupils)
    os.write(go[1], b"." * pupils)
    for child in children:
        os.waitpid(child, 0)


def _state(folder: Path) -> set:
    return {(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in folder.iterdir()}


IMAGE_BYTES = re.compile(rb"data:image|image/png|image/jpeg|\xff\xd8\xff|\x89PNG|/9j/4|iVBORw0KGgo")


def leaks(folder: Path, share: float) -> dict:
    """What saved notebooks, packs and exports tell that they should not: pictures, names, places, absolute paths."""
    root = folder / "home" / "anna.example" / "photos"
    truth, _ = build(root, max(20, round(60 * share)))
    library = cliplib.Library(root, model="tiny", cache=folder / "cache")
    library.index(progress=False)
    photo = library.photos()[0]
    library.judgements.add("text->image", "a red car", photo, True, judge="Anna Example")
    places = [str(true.place[0]) for true in truth.values() if true.place]
    names = ["anna.example", "Anna Example", str(folder), str(HOME), str(Path.home()) + "/"]
    exports = folder / "exports"
    exports.mkdir()
    library.judgements.save(exports / "judgements.csv")
    library.save_pack(exports / "thumbnails.zip", pictures="thumbnails")
    library.save_pack(exports / "previews.zip")
    library.save(exports / "album.parquet")
    found = []
    for file in sorted(exports.iterdir()):
        for name, data in _contents(file):
            found += [f"{file.name}/{name}: {told}" for told in names if told.encode() in data]
            if file.suffix == ".zip":
                found += [f"{file.name}/{name}: a place" for place in places if place.encode() in data]
                found += [f"{file.name}/{name}: a camera"] if b"Drawn" in data else []
            if file.suffix == ".csv" and (IMAGE_BYTES.search(data) or photo.encode() in data):
                found.append(f"{file.name}: a picture or its path")
    for notebook in sorted((HOME / "notebooks").glob("*.ipynb")):
        data, body = notebook.read_bytes(), json.loads(notebook.read_bytes())
        private = body["metadata"].get("colab", {}).get("private_outputs")
        found += [] if private else [f"{notebook.name}: saves its outputs in Colab"]
        found += [f"{notebook.name}: has outputs"] if any(c.get("outputs") for c in body["cells"]) else []
        found += [f"{notebook.name}: image bytes"] if IMAGE_BYTES.search(data) else []
        found += [f"{notebook.name}: {told}" for told in names if told.encode() in data]
    return {"leaks": len(found), "leaks_found": found[:20]}


def _contents(file: Path):
    """Name and bytes of all that an export holds, columns of Parquet as text."""
    import pyarrow.parquet as pq

    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                data = archive.read(name)
                if name.endswith(".parquet"):
                    (scratch := file.with_suffix(".tmp")).write_bytes(data)
                    data = _as_text(pq.read_table(scratch))
                    scratch.unlink()
                yield name, data
    else:
        yield "", _as_text(pq.read_table(file)) if file.suffix == ".parquet" else file.read_bytes()


def _as_text(table) -> bytes:
    columns = [name for name in table.column_names if name not in ("embedding", "thumbnail")]
    return (str(table.schema.metadata) + json.dumps(table.select(columns).to_pylist())).encode()


def phone(share: float = 1.0, only: str | None = None) -> dict:
    """All figures, of a library of `share` of the full size."""
    figures = {"share": share}
    trials = (takeout, mount, staging, without_originals, class_of_thirty, leaks)
    with tempfile.TemporaryDirectory() as folder:
        for trial in trials:
            if only in (None, trial.__name__):
                own = Path(folder) / trial.__name__
                own.mkdir()
                figures |= trial(own, share)
                shutil.rmtree(own, ignore_errors=True)
    return figures


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--share", type=float, default=1.0)
    arguments.add_argument("--only")
    found = phone(**vars(arguments.parse_args()))
    for key, value in found.items():
        print(f"{key:28s}{value}")
    (HOME / "build").mkdir(exist_ok=True)
    (HOME / "build" / "phone.json").write_text(json.dumps(found, indent=1))
