"""A short share of `make torture`: what must be nought is nought, what must be whole is whole."""

import subprocess
import sys

import pytest

from tests.harness import torture_files
from tests.harness.torture import torture

SAYS = "import json, time; print(json.dumps([7, 'odd']), flush=True); "
GETS_ON = "[time.sleep(0.2) or sum(range(10**6)) for _ in range(6)]; print(json.dumps([7, 'odd', 1]), flush=True)"


@pytest.mark.parametrize(
    ("does", "found"),
    [("time.sleep(60)", (7, True)), ("[0 for _ in iter(int, 1)]", (7, True)), (GETS_ON, (None, False))],
)
def test_a_hang_is_judged_by_progress_and_not_by_the_clock(monkeypatch, does, found):
    monkeypatch.setattr(torture_files, "HANG_S", 0.6)
    with subprocess.Popen([sys.executable, "-c", SAYS + does], stdout=subprocess.PIPE) as worker:
        assert torture_files._listen(worker, []) == found
        worker.kill()


@pytest.fixture(scope="module")
def figures():
    return torture(seed=1, share=0.02)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # all trials run before the first test; a busy machine may take its time
class TestTorture:
    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("kill9_rows_lost", id="1-killed"),
            pytest.param("kill9_unreadable", id="2-killed-in-a-save"),
            pytest.param("kill9_tiny_rows_lost", id="1-tiny-killed"),
            pytest.param("kill9_tiny_unreadable", id="2-tiny-killed"),
            pytest.param("two_writers_rows_lost", id="8-two-writers"),
            pytest.param("pickle_code_runs", id="12-hostile-pickles"),
            pytest.param("pickle_crashes", id="12-hostile-pickles-crash-nothing"),
            pytest.param("odd_crashes", id="19-odd-files-crash-nothing"),
            pytest.param("odd_hangs", id="19-odd-files-end"),
            pytest.param("odd_silent", id="19-odd-files-are-reported"),
            pytest.param("sound_flagged", id="19-sound-files-are-not-reported"),
            pytest.param("cut_videos_false_alarms", id="33-whole-videos-are-not-reported"),
            *("incremental_rows_different", "false_removals", "unexplained_files"),
            *("lost_confirmed", "no_complete_state", "odd_mtimes_stopped", "history_rows_different"),
        ],
    )
    def test_is_nought(self, figures, name):
        assert figures[name] == 0

    @pytest.mark.parametrize("name", ["fault_old_or_new_share", "bitflips_detected_share", "bitflips_recovered_share"])
    def test_is_one(self, figures, name):
        assert figures[name] == 1

    def test_large_photos_take_bounded_memory(self, figures):
        assert figures["peak_mb_large_files"] <= figures["peak_mb_model"] + 1500

    @pytest.mark.parametrize(
        ("name", "most"),
        [
            pytest.param("kill9_max_redone", 12, id="1-redone"),  # three batches of 4: encoded, in hand, saved
            pytest.param("kill9_tiny_max_redone", 16, id="1-tiny-redone"),
            pytest.param("pickle_slowest_s", 5, id="13-pickle-seconds"),
            pytest.param("pickle_peak_mb", 1024, id="13-pickle-memory"),
            pytest.param("odd_peak_mb", 2048, id="20-odd-files-memory"),
            pytest.param("cut_videos_silent_share", 0.05, id="33-cut-videos-are-reported"),
            pytest.param("reread_ratio", 1.05, id="reread"),
            pytest.param("reread_ratio_second", 0.05, id="reread-second"),
        ],
    )
    def test_is_bounded(self, figures, name, most):
        assert figures[name] <= most
