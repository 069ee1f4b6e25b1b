"""A short share of the mount that forgets, and whether it would notice a store that is careless."""

import random

import pytest

from tests.torture_mount import mount_that_forgets

NOTHING = {"lost_confirmed": 0, "no_complete_state": 0}


@pytest.mark.slow
def test_fault_2_and_9_what_was_confirmed_loads_when_the_machine_dies(tmp_path):
    assert mount_that_forgets(random.Random(1), tmp_path, 12) == NOTHING
