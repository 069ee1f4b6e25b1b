"""What tests share: quiet threads, fixed seeds, real media if it lies beside the repo, and how notebooks are run."""

import os
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

# Before torch is imported anywhere, child processes included: many small models run slower on many threads, not faster.
os.environ.setdefault("OMP_NUM_THREADS", str(min(4, os.cpu_count() or 1)))

REPO = Path(__file__).resolve().parent.parent
NOTEBOOK_S = 1500  # for a cell, or until a kernel answers; a busy machine may take its time


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Every test starts from the same random numbers, alone or among others."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the repo."""
    return REPO


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real photos, videos and damaged files, `../shared/media`; skips where it is absent."""
    folder = REPO.parent / "shared" / "media"
    if not folder.is_dir():
        pytest.skip("no ../shared/media beside the repo")
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A checkpoint of a small CLIP with random weights."""
    from tests.harness.libraries import save_random_clip

    return save_random_clip(tmp_path_factory.mktemp("weights") / "random.safetensors")


@pytest.fixture(scope="session")
def page_library(tmp_path_factory) -> Path:
    """A small library for the tests that drive the search page; they leave it as it is."""
    from tests.harness.pages import small_library

    return small_library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="session")
def suite(tmp_path_factory, repo) -> Path:
    """A copy of what a student has: the notebooks, the package and the data."""
    copy = tmp_path_factory.mktemp("suite") / "cliplib"
    skip = shutil.ignore_patterns(".cliplib", "__pycache__")
    for name in ("notebooks", "cliplib", "data"):
        shutil.copytree(repo / name, copy / name, ignore=skip)
    return copy


@pytest.fixture
def run(suite, tmp_path, monkeypatch):
    """Runs a notebook in the copy on a fresh kernel, with an empty home folder, and gives its outputs."""
    import nbclient

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("PYTHONPATH", raising=False)

    def run(content):
        here = {"metadata": {"path": suite / "notebooks"}}
        nbclient.NotebookClient(content, timeout=NOTEBOOK_S, startup_timeout=NOTEBOOK_S, resources=here).execute()
        outputs = [output for cell in content.cells if cell.cell_type == "code" for output in cell.outputs]
        assert not [output for output in outputs if output.output_type == "error"]
        return outputs

    return run
