"""A short share of `make torture`: what must be nought is nought."""

import pytest

from tests.torture import torture


@pytest.mark.slow
def test_nothing_is_lost():
    figures = torture(seed=1, share=0.1)
    for name in (
        "kill9_rows_lost",
        "kill9_unreadable",
        "two_writers_rows_lost",
        "incremental_rows_different",
        "false_removals",
        "unexplained_files",
    ):
        assert figures[name] == 0, name
    assert figures["kill9_max_redone"] <= 8  # two batches of 4: the one in hand, and the one being saved
    for name in ("fault_old_or_new_share", "bitflips_detected_share", "bitflips_recovered_share"):
        assert figures[name] == 1, name
