"""Before a lesson: each check with Colab, Drive, cookies and the network there, missing, and refused."""

import sys
import types
from pathlib import Path

import pytest

from cliplib.errors import LibraryError
from cliplib.lessons import preflight as module
from cliplib.lessons.preflight import Check, Checks, preflight


@pytest.fixture
def colab(monkeypatch):
    """A stand-in for google.colab; `answer` is what the browser says."""
    output = types.SimpleNamespace(answer=True)

    def eval_js(script, timeout_sec):
        if isinstance(output.answer, Exception):
            raise output.answer
        return output.answer

    output.eval_js = eval_js
    package = types.ModuleType("google.colab")
    package.output = output
    monkeypatch.setitem(sys.modules, "google.colab", package)
    return output


def test_on_ones_own_computer_with_the_tiny_model_all_is_well():
    checks = preflight("tiny")
    assert checks.ok and [check.ok for check in checks] == [True, True, None, True, True]
    assert "Can the model tiny be had? yes" in str(checks) and ">yes</td>" in checks._repr_html_()


@pytest.mark.parametrize(
    ("answer", "ok", "found"),
    [(True, True, "keeps cookies"), (False, False, "blocks"), (TimeoutError(), False, "gave no answer")],
)
def test_third_party_cookies(colab, answer, ok, found):
    colab.answer = answer
    check = module._cookies()
    assert check.ok is ok and found in check.found
    assert ("third-party cookies" in str(check).split("\n")[-1]) == (not ok)


class TestDrive:
    def test_not_mounted_is_not_known_and_tells_a_way_round(self, colab, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "MOUNT_POINT", str(tmp_path / "drive"))
        check = module._drive()
        assert check.ok is None and "01_mount_drive" in check.found and "open_pack" in check.otherwise

    def test_mounted(self, colab, tmp_path, monkeypatch):
        (tmp_path / "MyDrive" / "photos").mkdir(parents=True)
        monkeypatch.setattr(module, "MOUNT_POINT", str(tmp_path))
        assert module._drive() == Check("Can Drive be read?", True, "it is mounted, with 1 entries")

    @pytest.mark.parametrize(
        ("asked", "error", "found"),
        [
            ("check_folder", LibraryError("domain policy has disabled Drive File Stream"), "domain policy"),
            ("Path.exists", OSError(107, "Transport endpoint is not connected"), "not connected"),  # a stale mount
        ],
    )
    def test_mounted_and_unreadable(self, colab, tmp_path, monkeypatch, asked, error, found):
        (tmp_path / "MyDrive").mkdir()
        monkeypatch.setattr(module, "MOUNT_POINT", str(tmp_path))

        def refuse(folder):
            raise error

        monkeypatch.setattr(f"cliplib.lessons.preflight.{asked}", refuse)
        check = module._drive()
        assert check.ok is False and found in check.found and "IT desk" in check.otherwise


class TestModel:
    def test_an_address_that_answers(self, monkeypatch, tmp_path):
        monkeypatch.setattr(Path, "home", lambda: tmp_path)
        asked = []
        monkeypatch.setattr(module, "open_url", lambda a: asked.append(a) or open(__file__, "rb"))  # noqa: SIM115
        assert module._model("ViT-B/32").ok is True and asked[0].endswith("ViT-B-32.pt")

    def test_an_address_that_does_not(self, monkeypatch, tmp_path):
        monkeypatch.setattr(Path, "home", lambda: tmp_path)

        def refuse(address):
            raise OSError("blocked")

        monkeypatch.setattr(module, "open_url", refuse)
        check = module._model("ViT-B/32")
        assert check.ok is False and "does not answer: blocked" in check.found and "tiny" in check.otherwise

    def test_one_that_was_downloaded_before(self, monkeypatch, tmp_path):
        monkeypatch.setattr(Path, "home", lambda: tmp_path)
        (tmp_path / ".cache" / "clip").mkdir(parents=True)
        (tmp_path / ".cache" / "clip" / "ViT-B-32.pt").write_bytes(b"x")
        assert module._model("ViT-B/32").ok is True

    def test_one_that_is_unknown(self):
        assert module._model("open_clip:ViT-B-32/laion").ok is None


def test_a_full_disk(monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: types.SimpleNamespace(free=10**9))
    assert module._room().ok is False and not Checks([module._room()]).ok
