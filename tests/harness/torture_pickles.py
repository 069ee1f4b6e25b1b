"""Hostile pickles against every loader that takes pickles, each in a process of its own, measured.

Run as a program, `python -m tests.harness.torture_pickles FOLDER EVERY`, it forks one child for each pickle and
loader, and says as JSON what came of it; so a child that dies, or fills its memory, is a number and not the end.
"""

import json
import os
import random
import resource
import subprocess
import sys
import warnings
from pathlib import Path

from tests.harness.hostile import hostile, in_torch_file

HOME = Path(__file__).resolve().parents[2]
SPARE_BYTES = 3 * 2**30  # beyond what is mapped already: a bomb ends there, and not with the machine
LONGEST_S = 20  # of processor time; a child that takes more is killed, and counts as a crash
REFUSED, LOADED, CRASHED = 0, 3, 4


def loaders() -> dict:
    """Everything of cliplib that reads pickles: the suffix and the wrapping that it wants, and the call."""
    from cliplib import Library
    from cliplib.cache import snapshot
    from cliplib.models.checkpoint import read_checkpoint
    from cliplib.models.weights import load_weights

    return {
        "snapshot.load": (".pkl", lambda data: data, snapshot.load),
        "Library.load": (".pkl", lambda data: data, lambda file: Library.load(file, model="tiny")),
        "read_checkpoint": (".pt", lambda data: data, read_checkpoint),
        "read_checkpoint of a zip": (".pt", lambda data: in_torch_file(data, script=False), read_checkpoint),
        "load_weights of an archive": (".pt", lambda data: in_torch_file(data, script=True), load_weights),
    }


def outcome(load, file: Path) -> int:
    """Exit code of a child that loads a file."""
    from cliplib.errors import CliplibError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of the pickle's protocol
            load(file)
        return LOADED
    except CliplibError:
        return REFUSED
    except BaseException as error:  # what a caller would see as a crash
        print(f"{file.name}: {error!r:.300}", file=sys.stderr)
        return CRASHED


def attack(folder: Path, every: int) -> list[dict]:
    """Pickles against loaders, `every` n-th pair: what came of it, in seconds of processor time and in MB."""
    found, calls = [], loaders()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    canary = folder / "canary"
    for number, (name, data) in enumerate(hostile(canary).items()):
        for turn, (loader, (suffix, wrap, load)) in enumerate(calls.items()):
            if (number + turn) % every:
                continue
            file = folder / f"{name}{suffix}"
            file.write_bytes(wrap(data))
            child = os.fork()
            if child == 0:
                resource.setrlimit(resource.RLIMIT_AS, (mapped + SPARE_BYTES, mapped + SPARE_BYTES))
                resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_S, LONGEST_S))
                os._exit(outcome(load, file))
            _, status, usage = os.wait4(child, 0)
            code, seconds = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
            facts = {"name": name, "loader": loader, "seconds": seconds, "mb": usage.ru_maxrss / 1024}
            found.append(facts | {"code": code, "ran": canary.exists()})
            canary.unlink(missing_ok=True)
            file.unlink()
    return found


def hostile_pickles(rng: random.Random, folder: Path, share: float) -> dict:
    """Pickles against all loaders: what ran, what crashed, the slowest and the largest of the refusals.

    Of less than half a share every eighth pair of a pickle and a loader.
    """
    command = [sys.executable, "-m", "tests.harness.torture_pickles", str(folder), "1" if share >= 0.5 else "8"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=HOME, env=environment, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    return {
        "pickle_kinds": len({one["name"] for one in found}),
        "pickle_loads": len(found),
        "pickle_code_runs": sum(one["ran"] for one in found),
        "pickle_crashes": sum(one["code"] not in (REFUSED, LOADED) for one in found),
        "pickle_slowest_s": round(max(one["seconds"] for one in found), 2),
        "pickle_peak_mb": round(max(one["mb"] for one in found)),
    }


if __name__ == "__main__":
    print(json.dumps(attack(Path(sys.argv[1]), int(sys.argv[2]))))
