"""Odd, damaged and hostile media files through the library's own reading path, in processes that may die of it.

Run as a program it is one such process: `python -m tests.harness.torture_files FOLDER TASK SEED FIRST STEP LAST`
handles every STEP-th job of a task and says on standard output when it begins and ends each. Who started it counts
what is missing.
"""

import json
import os
import random
import select
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from tests.harness.mutations import damaged_copies, mutated

HOME = Path(__file__).resolve().parents[2]
SAMPLE, MEDIA = HOME / "data" / "sample", HOME.parent / "shared" / "media"
HANG_S = 10  # of processor time for one job, or without any, see `_listen`
WORKERS = 2
FILMS = [  # seconds, frames a second, with sound
    *((2, 25, False), (600, 5, True), (3, 10, True), (5, 25, True), (10, 25, False)),
    *((20, 10, True), (45, 25, True), (90, 10, False), (180, 5, True), (300, 5, False)),
]
FORMS = ("mp4 first", "mp4", "mov first", "mkv", "webm", "avi", "mp4 pieces")
MOVFLAGS = {"first": "faststart", "pieces": "frag_keyframe+empty_moov"}
CUT_TO = (0.5, 0.75, 0.9, 0.97, 0.99)


def files_of(*folders: Path) -> list[Path]:
    """All media files in folders, sorted; of a folder that is not there, none."""
    from cliplib.media.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    suffixes = IMAGE_SUFFIXES | VIDEO_SUFFIXES
    found = (file for folder in folders for file in sorted(folder.rglob("*")))
    return [file for file in found if file.suffix.lower() in suffixes]


def odd_jobs(seed: int, number: int) -> tuple[str, str, bytes]:
    """Job `number` of the task "odd": every odd file at hand as it is, then mutations without end."""
    odd = files_of(MEDIA / "odd")
    if number < len(odd):
        return "odd", odd[number].suffix, odd[number].read_bytes()
    return "mutation", *mutated(random.Random(f"{seed} {number}"), files_of(SAMPLE))


def damaged_jobs(seed: int, number: int) -> tuple[str, str, bytes]:
    """Job `number` of the task "damaged": copies of the sample's files, the first of each sound."""
    files = files_of(SAMPLE)
    kinds = 1 + sum(1 for _ in damaged_copies(random.Random(0), bytes(999)))
    file = random.Random(f"{seed}").sample(files, len(files))[number // kinds]
    data = file.read_bytes()
    copies = [("sound", data), *damaged_copies(random.Random(f"{seed} {number // kinds}"), data)]
    return copies[number % kinds][0], file.suffix, copies[number % kinds][1]


def sound_jobs(seed: int, number: int) -> tuple[str, str, bytes]:
    """Job `number` of the task "sound": the sample's files and the real ones at hand, as they are."""
    file = files_of(SAMPLE, MEDIA / "photos", MEDIA / "videos")[number]
    return "sound", file.suffix, file.read_bytes()


TASKS = {"odd": odd_jobs, "damaged": damaged_jobs, "sound": sound_jobs}


def read_one(folder: Path, suffix: str, data: bytes) -> tuple[int, str]:
    """Samples that the library's reader makes of a file, and the reason that it gives for what is missing, or ""."""
    from cliplib.cache import rows
    from cliplib.index.journal import Journal
    from cliplib.index.pipeline import Finished, Reader, Sampling
    from cliplib.index.sidecars import Sidecars
    from cliplib.media.files import find_media

    def prepare(image):
        return image.resize((224, 224))  # as much work as CLIP's own, without torch

    file = folder / f"file{suffix}"
    file.write_bytes(data)
    listing = find_media(folder)
    sidecars = Sidecars(folder, listing, rows.empty(1))
    reader = Reader(folder, Sampling(prepare, 224, 1.0), lambda digest, kind: False, Journal(folder), sidecars)
    events = list(reader.read(listing.files))
    file.unlink()
    errors = [str(event.error) for event in events if isinstance(event, Finished) and event.error]
    return len(events) - 1, errors[0] if errors else ""


def work(folder: str, task: str, seed: str, first: str, step: str, last: str) -> None:
    """Be the process that does jobs and says so."""
    read_one(Path(folder), ".jpg", b"")  # no job's time counts the imports
    for number in range(int(first), int(last), int(step)):
        kind, suffix, data = TASKS[task](seed, number)
        print(json.dumps([number, kind]), flush=True)
        began = time.process_time()
        samples, reason = read_one(Path(folder), suffix, data)
        print(json.dumps([number, kind, samples, reason, time.process_time() - began, peak_mb()]), flush=True)


def peak_mb() -> float:
    """The most memory that this process has held. (`ru_maxrss` also counts its parent's, from before it was itself.)"""
    words = Path("/proc/self/status").read_text(encoding="utf-8").split("VmHWM:")[1].split()
    return int(words[0]) / 1024


def run(folder: Path, task: str, seed: int, jobs: int, workers: int = WORKERS) -> dict:
    """Do all jobs of a task: {"done": the lines said, "crashed" and "hung": job numbers}."""
    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(lambda who: _share(folder / str(who), task, seed, who, workers, jobs), range(workers)))
    return {name: [item for part in parts for item in part[name]] for name in ("done", "crashed", "hung")}


def _share(folder: Path, task: str, seed: int, first: int, step: int, last: int) -> dict:
    """Every `step`-th job from `first` on; a worker that died or hangs is replaced, and goes on with the next job."""
    found = {"done": [], "crashed": [], "hung": []}
    while first < last:
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            file.unlink()
        command = [sys.executable, "-m", "tests.harness.torture_files", folder, task, seed, first, step, last]
        with open(folder.with_suffix(".log"), "ab") as words:
            worker = subprocess.Popen(map(str, command), stdout=subprocess.PIPE, stderr=words, cwd=HOME)
        current, hung = _listen(worker, found["done"])
        if hung:
            worker.kill()
        worker.stdout.close()
        if worker.wait() and current is None:
            raise RuntimeError(f"the worker could not begin: see {folder.with_suffix('.log')}")
        if current is None:
            break
        found["hung" if hung else "crashed"].append(current)
        first = current + step
    return found


def _listen(worker: subprocess.Popen, done: list) -> tuple[int | None, bool]:
    """Read what a worker says to its end: the job that it had begun and not ended (or None), and whether it hangs.

    It hangs when one job takes `HANG_S` of processor time, or when it has used none of that for so long: on a busy
    machine a sound worker may be slow, and still gets on.
    """
    current, buffer, pipe, began_s, last_s = None, b"", worker.stdout.fileno(), 0.0, -1.0
    while True:
        if current is not None and not select.select([pipe], [], [], HANG_S)[0]:
            used_s = cpu_s(worker.pid)
            if used_s - began_s >= HANG_S or used_s == last_s:
                return current, True
            last_s = used_s
            continue
        piece = os.read(pipe, 65536)
        if not piece:
            return current, False
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in map(json.loads, lines):
            current = line[0] if len(line) == 2 else None
            if len(line) > 2:
                done.append(line)
            began_s, last_s = cpu_s(worker.pid), -1.0


def cpu_s(pid: int) -> float:
    """The processor time that a process has used, in seconds; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def odd_files(rng: random.Random, folder: Path, mutations: int) -> dict:
    """Odd files and mutations: does any kill the process, hang it, or take its memory? Each gives samples or a reason.

    A decoder that dies in its own process costs a user one restart: the journal keeps that file apart then.
    """
    found = run(folder, "odd", rng.getrandbits(30), len(files_of(MEDIA / "odd")) + mutations)
    silent = [number for number, _, samples, reason, *_ in found["done"] if not samples and not reason]
    return {
        "odd_files": len(found["done"]) + len(found["crashed"]) + len(found["hung"]),
        "odd_crashes": len(found["crashed"]),
        "odd_hangs": len(found["hung"]),
        "odd_silent": len(silent),
        "odd_slowest_s": round(max(line[4] for line in found["done"]), 2),
        "odd_peak_mb": round(max(line[5] for line in found["done"])),
    }


def damaged_files(rng: random.Random, folder: Path, copies: int) -> dict:
    """Half-uploaded and rotten copies: which share is told, by kind; and sound files that are told, which none may be.

    What a format cannot tell, nobody can: pixels of a BMP, or a bit of a JPEG or a video that decodes to other pixels.
    """
    found = run(folder / "damaged", "damaged", rng.getrandbits(30), copies)["done"]
    seen = Counter(kind for _, kind, *_ in found if kind != "sound")
    told = Counter(kind for _, kind, _, reason, *_ in found if kind != "sound" and reason)
    jobs = len(files_of(SAMPLE, MEDIA / "photos", MEDIA / "videos"))
    sound = run(folder / "sound", "sound", 0, jobs if copies > 500 else 20)["done"]
    sound += [line for line in found if line[1] == "sound"]
    return {
        "damaged_flagged_share": round(told.total() / seen.total(), 4),
        "damaged_flagged_by_kind": {kind: round(told[kind] / seen[kind], 3) for kind in sorted(seen)},
        "sound_flagged": sum(bool(reason) for _, _, _, reason, *_ in sound),
        "sound_files": len(sound),
    }


def cut_videos(rng: random.Random, folder: Path, films: int) -> dict:
    """Films of 2 s to 10 min in six forms, whole and cut short: which share of the cuts that cost frames goes unsaid.

    A whole film that is called cut is a false alarm.
    """
    silent, cuts, alarms = [], 0, 0
    for film, form in ((film, form) for film in FILMS[:: max(1, len(FILMS) // films)] for form in FORMS):
        data = _film(rng, form, *film)
        whole, reason = _frames(data)
        alarms += bool(reason)
        for share in CUT_TO:
            frames, reason = _frames(data[: int(len(data) * share)])
            if frames < whole:
                cuts += 1
                silent += [] if reason else [f"{film[0]} s {form} cut to {share:.0%}"]
    silent_share = round(len(silent) / cuts, 4)
    return {"cut_videos": cuts, "cut_videos_silent_share": silent_share, "cut_videos_false_alarms": alarms}


def _frames(data: bytes) -> tuple[int, str]:
    """How many frames a video has that can be decoded, and what is said of the others."""
    from cliplib.errors import MediaError
    from cliplib.media.video import open_video

    frames = 0
    try:
        with open_video(data) as video:
            for _ in video.frames():
                frames += 1
    except MediaError as error:
        return frames, error.reason
    return frames, ""


def _film(rng: random.Random, form: str, seconds: int, fps: int, sound: bool) -> bytes:
    """A drawn film whose content differs from frame to frame, in one of `FORMS`."""
    from tests.media.test_video import made, steady

    container, _, how = form.partition(" ")
    noise = rng.getrandbits(30)

    def picture(number):
        return Image.fromarray(np.random.default_rng(noise + number).integers(0, 256, (24, 32, 3), np.uint8))

    options = {"movflags": MOVFLAGS[how]} if how else {}
    sound_s = seconds if sound and container != "avi" else 0
    return made(container, steady(seconds, fps), sound_s=sound_s, options=options, size=(32, 24), picture=picture)


if __name__ == "__main__":
    work(*sys.argv[1:])
