"""Drive: a stand-in for google.colab, and mounts that lie."""

import sys
import types
from pathlib import Path

import pytest

from cliplib import drive
from cliplib.errors import LibraryError


@pytest.fixture
def colab(monkeypatch, tmp_path):
    """A stand-in for google.colab whose mount makes a folder with one file; its calls are recorded."""
    calls = []

    def mount(path, force_remount=False, readonly=False):
        calls.append({"path": path, "force_remount": force_remount, "readonly": readonly})
        (Path(path) / "MyDrive").mkdir(parents=True, exist_ok=True)
        (Path(path) / "MyDrive" / "a.jpg").write_bytes(b"jpeg")

    google, package = types.ModuleType("google"), types.ModuleType("google.colab")
    package.drive = types.SimpleNamespace(mount=mount)
    monkeypatch.setitem(sys.modules, "google", google)
    monkeypatch.setitem(sys.modules, "google.colab", package)
    monkeypatch.setattr(google, "colab", package, raising=False)
    return types.SimpleNamespace(calls=calls, drive=package.drive, point=str(tmp_path / "drive"))


class TestMount:
    def test_is_read_only_first(self, colab):
        assert drive.mount(mount_point=colab.point) == Path(colab.point) / "MyDrive"
        assert colab.calls == [{"path": colab.point, "force_remount": False, "readonly": True}]

    def test_a_stale_mount_is_mounted_anew(self, colab):
        Path(colab.point).mkdir()  # there, but without MyDrive
        drive.mount(mount_point=colab.point)
        assert colab.calls[0]["force_remount"] is True

    def test_a_refusal_says_what_to_do(self, colab):
        def refuse(*_, **__):
            raise ValueError("mount failed: domain policy has disabled Drive File Stream")

        colab.drive.mount = refuse
        with pytest.raises(LibraryError, match=r"domain policy.*administrator"):
            drive.mount(mount_point=colab.point)

    def test_elsewhere_it_says_so(self):
        with pytest.raises(LibraryError, match="this is not Colab"):
            drive.mount()


class TestCheckFolder:
    def test_counts_entries(self, tmp_path):
        (tmp_path / "a").write_bytes(b"")
        assert drive.check_folder(tmp_path) == 1

    def test_a_missing_folder_shows_what_there_is(self, tmp_path):
        (tmp_path / "Photos").mkdir()
        with pytest.raises(LibraryError, match=r"no folder .*photo. .* holds: Photos"):
            drive.check_folder(tmp_path / "photo")

    def test_fault_6_a_mount_that_lists_but_does_not_read_is_stale(self, tmp_path, monkeypatch):
        (tmp_path / "a.jpg").write_bytes(b"x")

        def dead(*_):
            raise OSError(107, "Transport endpoint is not connected")

        monkeypatch.setattr("builtins.open", dead)
        with pytest.raises(LibraryError, match="stale"):
            drive.check_folder(tmp_path)
