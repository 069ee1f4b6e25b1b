"""A short share of the mount that forgets, and whether it would notice a careless cache."""

import random

import pytest

from cliplib.cache import manifest, mounts
from tests.harness.torture_mount import mount_that_forgets


def drives(folder, first):
    """One Drive after another that dies, each until it is known whether something was lost: manifests have random
    names, so that no seed alone shows a careless cache.
    """
    for seed in range(first, first + 60):
        (folder / str(seed)).mkdir()
        yield any(mount_that_forgets(random.Random(seed), folder / str(seed), 1).values())


@pytest.mark.slow
def test_faults_2_and_9_what_was_confirmed_loads_when_the_machine_dies(tmp_path):
    assert mount_that_forgets(random.Random(1), tmp_path, 8) == {"lost_confirmed": 0, "no_complete_state": 0}


def test_a_cache_that_deletes_what_is_confirmed_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "unflushed", lambda folder: {})  # takes all that is written for confirmed
    assert any(drives(tmp_path, 4))


def test_a_cache_that_brings_dead_rows_back_is_noticed(tmp_path, monkeypatch):
    new = manifest.new

    def names_only_the_newest(model, parents, *rest):
        return new(model, sorted(parents)[-1:], *rest)

    monkeypatch.setattr(manifest, "new", names_only_the_newest)
    assert any(drives(tmp_path, 0))
