"""A mount that forgets: the machine dies, and of what was not flushed only some has reached Drive, in any order.

`make torture` runs it 100 times. Each time a library on a stand-in mount is indexed again and again while its photos
change, the cache is compacted and old files deleted; at times it is flushed. Then the machine dies, perhaps in the
middle of a save. Of every file that was not flushed Drive has nothing, an empty or cut file, the file under the
temporary name that it had first, the whole file, or two copies; of every deletion nothing, or the deletion. A new
machine reads what there is, and goes on.
"""

import contextlib
import os
import random
import shutil
from pathlib import Path

import pytest

from cliplib import drive
from cliplib.cache import manifest, mounts, retention, store
from cliplib.cache.store import Store
from cliplib.index.update import update
from tests.harness.colab import stand_in
from tests.harness.libraries import draw_picture
from tests.harness.torture import MODEL, StubEncoder, keys

LIVES = 3  # machines that follow one another on one Drive
STEPS = 6  # index runs in each


class ForgetfulMount:
    """A stand-in Drive at `colab.point`. What happened in the `cache` folder since the last flush is in `waiting`."""

    def __init__(self, colab, cache: Path):
        self.colab, self.cache = colab, cache
        self.flushed: dict[str, bytes] = {}
        self.waiting: list[tuple] = []  # ("put", name, first name, bytes) or ("delete", name)
        self.seen: set[str] = set()

    def _files(self) -> dict[str, Path]:
        return {file.name: file for file in self.cache.iterdir()} if self.cache.is_dir() else {}

    @contextlib.contextmanager
    def watched(self):
        """Notes every rename into the cache as it happens, and deletions at the latest when this ends."""
        replace = os.replace

        def noted(source, target, **options):
            replace(source, target, **options)
            if Path(target).parent == self.cache:
                self._note_deletions()
                self.waiting.append(("put", Path(target).name, Path(source).name, Path(target).read_bytes()))
                self.seen.add(Path(target).name)

        os.replace = noted
        try:
            yield
        finally:
            os.replace = replace
            self._note_deletions()

    def _note_deletions(self):
        gone = self.seen - self._files().keys()
        self.waiting += [("delete", name) for name in sorted(gone)]
        self.seen -= gone

    def flush(self):
        """All that was written reaches Drive, through cliplib's own flush; then it is mounted again."""
        drive.flush(str(self.colab.point))
        drive.mount(readonly=False, mount_point=str(self.colab.point))
        self.flushed, self.waiting = {name: file.read_bytes() for name, file in self._files().items()}, []

    def die(self, rng: random.Random):
        """The machine is gone: put what Drive has in the folder, and start another, which knows of nothing."""
        arrived, happened = dict(self.flushed), self.waiting[: rng.randint(0, len(self.waiting))]
        share = rng.choice([0.1, 0.5, 0.9, 1.0])
        rng.shuffle(happened)
        deleted = {name for what, name, *_ in happened if what == "delete" and rng.random() < share}
        for name, first_name, data in (event[1:] for event in happened if event[0] == "put"):
            if rng.random() < share:
                arrived[name] = data
                if rng.random() < 0.1:
                    arrived[f"{Path(name).stem} (1){Path(name).suffix}"] = data
            elif rng.random() < 0.5:
                cut = rng.choice([0, rng.randrange(len(data) + 1)])
                arrived[rng.choice([name, first_name])] = data[:cut]
        shutil.rmtree(self.cache, ignore_errors=True)
        self.cache.mkdir(parents=True)
        for name in arrived.keys() - deleted:
            (self.cache / name).write_bytes(arrived[name])
        mounts.NOTE.unlink(missing_ok=True)  # it lay on the machine's own disk
        self.flushed = {name: file.read_bytes() for name, file in self._files().items()}
        self.waiting, self.seen = [], set(self._files())


def mount_that_forgets(rng: random.Random, folder: Path, times: int) -> dict:
    """Let `times` Drives lose what was not flushed; confirmed rows that are gone, and states that do not load."""
    totals = {"lost_confirmed": 0, "no_complete_state": 0}
    for attempt in range(times):
        here = folder / str(attempt)
        here.mkdir(parents=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "MANY_PARTS", rng.choice([1, 2, 8]))
            patch.setattr(retention, "KEPT_GENERATIONS", rng.choice([1, 4]))
            patch.setattr("cliplib.index.update.CHECKPOINT_FILES", 1)
            patch.setattr(os, "fsync", lambda handle: None)  # it promises nothing on a mount
            for name, count in _one_drive(rng, stand_in(patch, here)).items():
                totals[name] += count
        shutil.rmtree(here)
    return totals


def _one_drive(rng: random.Random, colab) -> dict:
    root = drive.mount(readonly=False, mount_point=str(colab.point)) / "Photos"
    cache = root / ".cliplib" / "stub"
    mount, found = ForgetfulMount(colab, cache), {"lost_confirmed": 0, "no_complete_state": 0}
    for i in range(9):
        draw_picture(root / f"p{i}.png", rng.getrandbits(30), size=(16, 12))
    history: dict[str, set] = {}  # the rows of every manifest ever written, by its id; in the order of their writing
    for _ in range(LIVES):
        confirmed, since = keys(Store(cache, MODEL).rows), len(history)
        for _ in range(rng.randint(1, STEPS)):
            _change(rng, root)
            with mount.watched():
                _index(root, cache, history)
            if rng.random() < 0.3:
                mount.flush()
                confirmed, since = keys(Store(cache, MODEL).rows), len(history)
            if rng.random() < 0.5:
                _an_hour_passes(cache)
        mount.die(rng)
        for name, wrong in _judge(cache, confirmed, since, history).items():
            found[name] += wrong
    return found


def _change(rng: random.Random, root: Path) -> None:
    """Add, change, rename or delete a few photos."""
    for _ in range(rng.randint(0, 4)):
        files = sorted(root.glob("*.png"))
        fresh, file = root / f"n{rng.getrandbits(40)}.png", rng.choice(files)
        kind = rng.choice(["add", "change", "rename", "delete"] if len(files) > 4 else ["add"])
        if kind in ("add", "change"):
            draw_picture(fresh if kind == "add" else file, rng.getrandbits(30), size=(16, 12))
        elif kind == "rename":
            file.rename(fresh)
        else:
            file.unlink()


def _index(root: Path, cache: Path, history: dict[str, set]) -> None:
    """One index run; each state that it commits is noted in `history`."""
    here = Store(cache, MODEL)
    commit = here._commit

    def noted(state, new_rows):
        known = here._state.known
        commit(state, new_rows)
        (head,) = here._state.known - known
        history[head] = keys(here.rows)

    here._commit = noted
    update(root, here, StubEncoder(), confirm_removals=True, progress=False)


def _an_hour_passes(cache: Path) -> None:
    for file in cache.iterdir():
        os.utime(file, (1, 1))


def _judge(cache: Path, confirmed: set, since: int, history: dict[str, set]) -> dict:
    """What a new machine makes of the folder, against the newest state that is there whole.

    Every row of that state must load, unless a later version of its file does, and no row that neither that state nor a
    later one had. A confirmed row may be missing only where a whole state written since then has it no more, or a later
    version of its file loads. `since` is the number of states that there were when the rows were confirmed.
    """
    sizes, bodies = manifest.part_sizes(cache), manifest.read_all(cache)[0]
    order = list(history)
    loaded = keys(Store(cache, MODEL).rows)
    at = max(
        (i for i, one in enumerate(order) if one in bodies and manifest.is_complete(bodies[one], sizes)), default=-1
    )
    newest = history[order[at]] if at >= 0 else set()
    later = set().union(*(history[one] for one in order[max(at, 0) :]))
    versions = {path for path, _ in loaded & (later - newest)}
    lost = {row for row in confirmed - loaded if row[0] not in versions and (row in newest or at < since)}
    missing = {row for row in newest - loaded if row[0] not in versions}
    return {"lost_confirmed": len(lost), "no_complete_state": bool(missing or loaded - later)}
