"""What `pip install` brings: a wheel that is whole, tried in an environment of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PARTS = ("cliplib", "pyproject.toml", "LICENSE", "README.md")


@pytest.fixture(scope="module")
def installed(repo, tmp_path_factory) -> Path:
    """The programs of an environment in which the wheel is installed; it sees the packages of this one only."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "clone").mkdir()
    for part in PARTS:
        copy = shutil.copytree if (repo / part).is_dir() else shutil.copy
        copy(repo / part, folder / "clone" / part)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, folder / "clone"]
    subprocess.run(build, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (packages,) = folder.glob("venv/lib/python*/site-packages")
    (packages / "shared.pth").write_text(f"{next(p for p in sys.path if p.endswith('site-packages'))}\n")
    (wheel,) = folder.glob("*.whl")
    here = [*pip, "--python", folder / "venv" / "bin" / "python", "install", "--no-deps", "--no-index", wheel]
    subprocess.run(here, check=True)
    return folder / "venv" / "bin"


@pytest.mark.slow
def test_the_command_that_it_brings_indexes_and_searches_with_the_tiny_model(installed, repo, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for file in sorted((repo / "data" / "sample" / "town").glob("*.jpg"))[:4]:
        shutil.copy(file, photos)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for arguments in (["index", photos], ["search", photos, "a red car", "--threshold", "-1"]):
        command = [installed / "cliplib", *arguments, "--model", "tiny"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=kept)
        assert done.returncode == 0, done.stderr
    assert done.stdout.count(".jpg") == 4


def test_it_holds_all_that_the_package_has_beside_its_modules(installed, repo):
    (package,) = installed.parent.glob("lib/python*/site-packages/cliplib")
    have, want = (
        {path.relative_to(root) for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"}
        for root in (package, repo / "cliplib")
    )
    assert have == want
