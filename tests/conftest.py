"""What every test shares: quiet threads, fixed seeds, and the folder of real media where it lies beside the repo."""

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest

# Before torch is imported anywhere, child processes included: many small models run slower on many threads, not faster.
os.environ.setdefault("OMP_NUM_THREADS", str(min(4, os.cpu_count() or 1)))

REPO = Path(__file__).resolve().parent.parent


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
