"""What asking for requirements.txt does on Colab: pip's own resolver, before Colab's published list of packages."""

import json
import re
import subprocess
import sys
import venv

import pytest

from tests.harness.patience import patience_s

UNREACHED = ("ConnectionError", "Max retries exceeded", "Temporary failure in name resolution", "No matching distrib")
CLIP_NEEDS = ["ftfy", "packaging", "regex", "tqdm", "torch", "torchvision"]  # its own requirements.txt


def plain(name):
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def colab(repo, tmp_path_factory):
    """An environment that looks to pip as if all of Colab were installed; gives its folder, and name: version.

    What these packages themselves require is not looked at: on Colab it is there.
    """
    listed = repo.parent / "shared" / "colab" / "pip-freeze.txt"
    if not listed.is_file():
        pytest.skip("no ../shared/colab/pip-freeze.txt beside the repo")
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("lib/python*/site-packages"))
    versions = dict(re.findall(r"^([\w.-]+)==(\S+)$", listed.read_text(), re.M))
    for name, version in versions.items():
        about = packages / f"{name.replace('-', '_')}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (about / "INSTALLER").write_text("pip\n")
    return folder, {plain(name): version for name, version in versions.items()}


def would_install(colab, requirements):
    """name: version of what `pip install` of these would install there, for Colab's Python 3.13."""
    command = [sys.executable, "-m", "pip", "--python", colab, "install", "--dry-run", "--quiet", "--report", "-"]
    command += ["--python-version", "3.13", "--only-binary=:all:", *requirements]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=patience_s(300))
    if done.returncode and any(words in done.stderr for words in UNREACHED):
        pytest.skip(f"no package index answers here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    found = [one["metadata"] for one in json.loads(done.stdout)["install"]]
    return {plain(one["name"]): one["version"] for one in found}


def test_the_list_is_read_whole(colab):
    assert len(colab[1]) > 500 and colab[1]["ipywidgets"] == "7.7.1" and colab[1]["torch"] == "2.11.0"


def test_nothing_that_colab_ships_is_changed(colab, repo):
    lines = [line.split("#")[0].strip() for line in (repo / "requirements.txt").read_text().splitlines()]
    asked = [line for line in lines if line and not line.startswith("clip @")]
    assert "ipywidgets" in asked and len(asked) > 10
    added = would_install(colab[0], [*asked, *CLIP_NEEDS])
    assert not {name for name in added if name in colab[1]}, added
    assert {"ftfy", "pillow-heif", "av"} <= set(added)  # what Colab lacks is asked for, so the resolver did look


def test_the_check_sees_a_change(colab):
    assert "ipywidgets" in would_install(colab[0], ["ipywidgets>=8"])
