"""A stand-in for google.colab and for the file system that it mounts, with faults that can be ordered.

`stand_in` puts a module google.colab in place whose drive mounts a folder that is "in the cloud" by moving it to the
mount point, and away again. `Faults` lets calls on chosen paths fail with chosen errors, so many times or for good.
"""

import builtins
import io
import itertools
import os
import sys
import types
from pathlib import Path

import pytest

from cliplib.cache import mounts
from cliplib.media import retry

FOR_GOOD = 10**9
# Python 3.10 to 3.13 open and list by different names.
CALLS = {
    "open": [(builtins, "open"), (io, "open"), (os, "open")],
    "list": [(os, "listdir"), (os, "scandir")],
    "stat": [(os, "stat")],
    "rename": [(os, "replace")],
}


class Faults:
    """Calls that fail: `faults.order("open", "photos/a.jpg", 5, times=2)`. Those that failed are in `met`."""

    def __init__(self, monkeypatch):
        self.orders, self.met = [], []
        for name, places in CALLS.items():
            for module, attribute in places:
                monkeypatch.setattr(module, attribute, self._guarded(name, getattr(module, attribute)))

    def order(self, call, text, number, times=FOR_GOOD):
        """Let `call` ("open", "list", "stat", "rename"; "any") fail where `text` is in the path."""
        self.orders.append([call, str(text), number, times])

    def _guarded(self, name, real):
        def call(path=".", *rest, **options):
            shown = " ".join(str(item) for item in (path, *rest) if isinstance(item, (str, Path)))
            for order in self.orders:
                wanted, text, number, times = order
                if wanted in (name, "any") and text in shown and times:
                    order[3] -= 1
                    self.met.append((name, number))
                    raise OSError(number, os.strerror(number), str(path))
            return real(path, *rest, **options)

        return call


class StandIn:
    """google.colab as far as cliplib uses it. `cloud` is the user's MyDrive; `calls` are the mounts asked for.

    `refusal` is raised by mount, `flush_failure` by flush_and_unmount. A forced mount cures the faults of `faults`.
    """

    def __init__(self, folder, faults=None):
        self.cloud, self.point, self.table = folder / "cloud", folder / "drive", folder / "mounts"
        self.cloud.mkdir()
        self.table.write_text("overlay / overlay rw 0 0\n")
        self.calls, self.faults = [], faults
        self.refusal = self.flush_failure = None
        self.mounted = False

    def mount(self, mountpoint, force_remount=False, timeout_ms=120_000, readonly=False):
        self.calls.append({"force_remount": force_remount, "readonly": readonly})
        if self.refusal:
            raise self.refusal
        if self.mounted and not force_remount:
            return  # "Drive already mounted at ..."
        if self.faults:
            self.faults.orders.clear()
        if self.mounted:
            self._unmount()
        Path(mountpoint).mkdir(exist_ok=True)
        self.cloud.rename(Path(mountpoint) / "MyDrive")
        self.table.write_text(f"overlay / overlay rw 0 0\ndrive {mountpoint} fuse.drive rw,nosuid 0 0\n")
        self.mounted = True

    def flush_and_unmount(self, timeout_ms=86_400_000):
        if self.flush_failure:
            raise self.flush_failure
        if self.mounted:  # else the real one prints a line and returns as well
            self._unmount()

    def _unmount(self):
        (self.point / "MyDrive").rename(self.cloud)
        self.table.write_text("overlay / overlay rw 0 0\n")
        self.mounted = False


def stand_in(monkeypatch, folder, faults=None) -> StandIn:
    """Make this a Colab session, as far as cliplib can tell, whose machine has noted nothing yet."""
    colab = StandIn(folder, faults)
    package = types.ModuleType("google.colab")
    package.drive = types.SimpleNamespace(mount=colab.mount, flush_and_unmount=colab.flush_and_unmount)
    google = sys.modules.get("google") or types.ModuleType("google")
    monkeypatch.setitem(sys.modules, "google", google)
    monkeypatch.setitem(sys.modules, "google.colab", package)
    monkeypatch.setattr(google, "colab", package, raising=False)
    monkeypatch.setattr(mounts, "MOUNT_TABLE", colab.table)
    monkeypatch.setattr(mounts, "NOTE", folder / "machine" / "unflushed.txt")
    return colab


@pytest.fixture
def faults(monkeypatch):
    """Faults to order; nobody waits between two tries."""
    monkeypatch.setattr(retry, "RETRY_WAITS_S", (0, 0))
    return Faults(monkeypatch)


@pytest.fixture
def colab(monkeypatch, tmp_path, faults):
    """A Colab session with a Drive that holds Photos/a.jpg; not mounted yet."""
    found = stand_in(monkeypatch, tmp_path, faults)
    (found.cloud / "Photos").mkdir()
    (found.cloud / "Photos" / "a.jpg").write_bytes(b"jpeg")
    return found


def duplicates(folder):
    """Copies of every file under "name (1)", as Drive makes them when two sessions save at once."""
    for file in [item for item in folder.iterdir() if item.is_file()]:
        number = next(i for i in itertools.count(1) if not file.with_name(f"{file.stem} ({i}){file.suffix}").exists())
        file.with_name(f"{file.stem} ({number}){file.suffix}").write_bytes(file.read_bytes())
