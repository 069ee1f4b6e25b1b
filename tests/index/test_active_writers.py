"""ActiveWriters: the second session is told about the first, and nothing ever waits."""

import json
import os
import subprocess
import sys
import time

import pytest

from cliplib.cache.store import Store
from cliplib.index import active_writers
from cliplib.index.active_writers import ActiveWriters
from cliplib.index.update import update
from tests.harness.colab import duplicates
from tests.harness.libraries import draw_picture
from tests.harness.torture import MODEL, StubEncoder


def sign(folder, **about):
    """The file of another session; of another machine unless `about` says otherwise."""
    whole = {"id": "other", "host": "vm-2", "pid": 7, "since": time.time() - 60, "at": time.time()} | about
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"writer-{whole['id']}.json").write_text(json.dumps(whole))


class TestPresence:
    def test_fault_8_the_second_is_told_about_the_first(self, tmp_path):
        """Two sessions that index one library: both finish, and no row is lost."""
        with ActiveWriters(tmp_path) as first:
            assert first.others == []
            with pytest.warns(UserWarning, match=r"another session \(process \d+ on .*nothing is lost"):
                second = ActiveWriters(tmp_path).__enter__()
            with pytest.warns(UserWarning, match="another session"):
                first.refresh()  # at its next checkpoint
            first.refresh()  # said once
            assert len(first.others) == len(second.others) == 1
            second.__exit__()
        assert not list(tmp_path.iterdir())

    def test_fault_9_a_copy_counts_once_and_one_of_itself_not_at_all(self, tmp_path):
        """Copies in the cache such as "manifest (1).json": the newest that verifies is used."""
        sign(tmp_path)
        with pytest.warns(UserWarning, match="another session"), ActiveWriters(tmp_path) as here:
            duplicates(tmp_path)
            here.refresh()
            assert len(here.others) == 1

    def test_a_session_long_silent_is_gone(self, tmp_path, recwarn):
        sign(tmp_path, at=time.time() - active_writers.SILENT_S - 1)
        with ActiveWriters(tmp_path) as here:
            assert here.others == [] and not recwarn.list
        assert len(list(tmp_path.iterdir())) == 1  # it may come back

    def test_a_dead_process_of_this_machine_is_gone(self, tmp_path):
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        sign(tmp_path, host=active_writers.socket.gethostname(), pid=child.pid)
        with ActiveWriters(tmp_path) as here:
            assert here.others == []

    def test_a_live_process_of_this_machine_is_not(self, tmp_path):
        sign(tmp_path, host=active_writers.socket.gethostname(), pid=os.getppid())
        with pytest.warns(UserWarning, match=f"process {os.getppid()}"), ActiveWriters(tmp_path) as here:
            assert len(here.others) == 1

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"[]", b'{"id": 1}', b"\xff\xfe", b"[" * 100_000, b'{"id":1,"host":1,"pid":1,"at":1e999}'],
    )
    def test_a_damaged_sign_is_nobody(self, tmp_path, content):
        (tmp_path / "writer-x.json").write_bytes(content)
        with ActiveWriters(tmp_path) as here:
            assert here.others == []

    def test_rubbish_is_cleared_after_a_day(self, tmp_path):
        sign(tmp_path, at=time.time() - active_writers.RUBBISH_S - 1)
        (tmp_path / "writer-broken.json").write_bytes(b"{")
        os.utime(tmp_path / "writer-broken.json", (1, 1))
        with ActiveWriters(tmp_path):
            pass
        assert not list(tmp_path.iterdir())

    def test_a_sign_that_cannot_be_cleared_hides_no_other(self, tmp_path, monkeypatch):
        sign(tmp_path, id="a", at=1)
        sign(tmp_path, id="b")
        monkeypatch.setattr(
            active_writers.Path, "glob", lambda *_: map(tmp_path.joinpath, ("writer-a.json", "writer-b.json"))
        )
        monkeypatch.setattr(active_writers.Path, "unlink", lambda *_: (_ for _ in ()).throw(PermissionError()))
        with pytest.warns(UserWarning, match="another session"), ActiveWriters(tmp_path) as here:
            assert len(here.others) == 1

    def test_a_folder_that_cannot_be_written_stops_nobody(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with ActiveWriters(tmp_path / "file" / "cache") as here:
            here.refresh()
            assert here.others == []


def test_an_index_run_reports_the_other_session(tmp_path):
    draw_picture(tmp_path / "photos" / "a.png", 1)
    sign(tmp_path / "cache")
    with pytest.warns(UserWarning, match="another session"):
        report = update(tmp_path / "photos", Store(tmp_path / "cache", MODEL), StubEncoder(), progress=False)
    assert report.indexed == 1
    assert "note: another session (process 7 on vm-2)" in str(report)
    assert [file.name for file in (tmp_path / "cache").glob("writer-*")] == ["writer-other.json"]
