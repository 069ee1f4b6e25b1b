"""The journal: a file that kills the process is tried alone, then reported; all others are indexed."""

import os
import signal
import subprocess
import sys

import pytest

from cliplib.errors import MediaError
from cliplib.index import journal, pipeline
from cliplib.index.journal import Journal, decode_in_child
from tests.harness.libraries import draw_picture, draw_video
from tests.harness.torture import StubEncoder, index, open_store


@pytest.fixture(autouse=True)
def own_temp(tmp_path, monkeypatch):
    monkeypatch.setattr(journal.tempfile, "gettempdir", lambda: str(tmp_path))


class TestJournal:
    def test_what_was_begun_and_not_ended_is_left_open(self, tmp_path):
        first = Journal(tmp_path)
        for path in ("a", "b\u2028 é", "c"):
            first.begin(path)
        first.end("a")
        assert Journal(tmp_path).suspects == {"b\u2028 é", "c"}

    def test_nothing_is_left_open_when_a_run_ends_by_itself(self, tmp_path):
        first = Journal(tmp_path)
        first.begin("a")
        first.close()
        assert Journal(tmp_path).suspects == set()

    def test_every_cache_has_its_own(self, tmp_path):
        Journal(tmp_path / "one").begin("a")
        assert Journal(tmp_path / "two").suspects == set()


class TestTryAlone:
    def test_sound_files_pass(self, tmp_path):
        decode_in_child(draw_picture(tmp_path / "a.jpg", 1), "photo")
        decode_in_child(draw_video(tmp_path / "v.mp4", 1, seconds=1), "video")

    def test_a_file_that_merely_cannot_be_decoded_passes(self, tmp_path):
        (tmp_path / "a.jpg").write_bytes(b"")
        decode_in_child(tmp_path / "a.jpg", "photo")

    def test_a_deadly_file_is_named_with_its_signal(self, tmp_path, monkeypatch):
        monkeypatch.setattr(journal, "TRIAL", "import os; os.kill(os.getpid(), 11)")
        with pytest.raises(MediaError, match="kills the process .SIGSEGV."):
            decode_in_child(tmp_path / "a.jpg", "photo")

    def test_a_file_that_never_ends_is_named(self, tmp_path, monkeypatch):
        endless = "__import__('time').sleep(60)"
        monkeypatch.setattr(journal, "TRIAL", journal.TRIAL.replace("open_photo(path)", endless))
        monkeypatch.setitem(journal.DEADLINE_S, "photo", 0.3)
        with pytest.raises(MediaError, match="did not go on within 0.3 s"):
            decode_in_child(tmp_path / "a.jpg", "photo")

    def test_a_long_video_may_take_as_long_as_it_needs(self, tmp_path, monkeypatch):
        slow = "(__import__('time').sleep(0.4) for _ in range(11))"
        monkeypatch.setattr(journal, "TRIAL", journal.TRIAL.replace("video.sample()", slow))
        monkeypatch.setitem(journal.DEADLINE_S, "video", 4.0)  # for each frame; a busy machine may take its time
        decode_in_child(draw_video(tmp_path / "v.mp4", 1, seconds=1), "video")

    def test_the_child_runs_this_cliplib_wherever_it_is_called(self, tmp_path, monkeypatch):
        """As in Colab, where only the notebook's own `sys.path` knows of it."""
        (tmp_path / "cliplib").mkdir()
        (tmp_path / "cliplib" / "__init__.py").write_text("import os; os.abort()")
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("PYTHONPATH", raising=False)
        decode_in_child(draw_picture(tmp_path / "a.jpg", 1), "photo")


# A run that the decoder of one photo, the first argument, kills.
DIES_AT = """
import os, sys
from pathlib import Path
from cliplib.index import pipeline
from tests.harness.torture import StubEncoder, index

deadly, decode = Path(sys.argv[1]), pipeline.open_photo
pipeline.open_photo = lambda data, *how, **more: (
    os.kill(os.getpid(), 9) if data == deadly.read_bytes() else decode(data, *how, **more)
)
index(deadly.parent, StubEncoder())
"""


def test_a_file_that_killed_the_run_is_reported_and_the_others_are_indexed(tmp_path, monkeypatch):
    root = tmp_path / "photos"
    for i in range(6):
        draw_picture(root / f"p{i}.png", i, size=(32, 24))
    died = subprocess.run([sys.executable, "-c", DIES_AT, root / "p3.png"], env={**os.environ, "TMPDIR": str(tmp_path)})
    assert died.returncode == -signal.SIGKILL
    trial = "import os, sys\nif sys.argv[2].endswith('p3.png'): os.kill(os.getpid(), 9)"
    monkeypatch.setattr(journal, "TRIAL", trial)
    report = index(root, StubEncoder())
    assert [item.path for item in report.skipped] == ["p3.png"] and "SIGKILL" in report.skipped[0].reason
    assert open_store(root).rows.num_rows == 5
    monkeypatch.setattr(pipeline, "decode_in_child", lambda *_: pytest.fail("tried again without need"))
    assert index(root, StubEncoder()).skipped == report.skipped
