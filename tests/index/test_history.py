"""An index is a function of the files, and not of their history."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness.history import differences


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rng=st.randoms(use_true_random=False), steps=st.integers(1, 8))
def test_an_index_kept_up_is_the_one_made_from_nothing(tmp_path_factory, rng, steps):
    assert differences(rng, tmp_path_factory.mktemp("history"), steps) == []
