"""What a machine that died leaves on a mount: which state loads, and what may be deleted before."""

import errno
import os
import time

import pytest

from cliplib.cache import manifest, mounts, retention
from cliplib.cache.store import Store
from tests.cache.test_store import MODEL, add, fill, paths
from tests.harness import colab as stand_ins

faults = stand_ins.faults  # a fixture


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder on a mount."""
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda / ext4 rw 0 0\ndrive {tmp_path}/drive fuse.drive rw 0 0\n")
    monkeypatch.setattr(mounts, "MOUNT_TABLE", table)
    monkeypatch.setattr(mounts, "NOTE", tmp_path / "machine" / "unflushed.txt")
    return tmp_path / "drive" / "cache"


def an_hour_passes(folder):
    for file in folder.iterdir():
        os.utime(file, (1, 1))


def newest(folder, pattern):
    return max(folder.glob(pattern), key=lambda file: file.stat().st_mtime_ns)


class TestDeleteOld:
    def test_the_confirmed_state_stays_until_a_newer_one_is_confirmed(self, folder, monkeypatch):
        monkeypatch.setattr(retention, "KEPT_GENERATIONS", 1)
        first = Store(folder, MODEL)
        add(first, ["a", "b"])
        mounts.confirm(folder.parent)
        confirmed = {file.name for file in folder.iterdir()}
        add(first, ["a", "b"], mtime_ns=3)  # takes the place of all rows
        add(first, ["c"])
        an_hour_passes(folder)
        retention.delete_old(folder)
        assert confirmed <= {file.name for file in folder.iterdir()} and len(manifest.files(folder)) == 2
        mounts.confirm(folder.parent)
        retention.delete_old(folder)
        assert not confirmed & {file.name for file in folder.iterdir()}
        assert paths(Store(folder, MODEL)) == ["a", "b", "c"]

    def test_a_confirmed_state_without_its_part_does_not_stand_for_the_one_before(self, folder, monkeypatch):
        monkeypatch.setattr(retention, "KEPT_GENERATIONS", 1)
        add(Store(folder, MODEL), ["a"])
        before = {file.name for file in folder.iterdir()}
        add(Store(folder, MODEL), ["b"], gone=["a"])
        newest(folder, "part-*").unlink()  # its manifest came, it did not
        mounts.confirm(folder.parent)
        third = Store(folder, MODEL)
        add(third, ["c"])
        an_hour_passes(folder)
        retention.delete_old(folder)
        assert before <= {file.name for file in folder.iterdir()}

    def test_another_writers_state_stays_before_it_is_confirmed(self, folder):
        mine, theirs = Store(folder, MODEL), Store(folder, MODEL)
        add(theirs, ["t"])
        fill(mine, 12)
        an_hour_passes(folder)
        mine.compact()
        assert len(paths(Store(folder, MODEL))) == 13

    def test_nothing_is_deleted_while_a_manifest_cannot_be_read(self, folder, faults):
        mine, theirs = Store(folder, MODEL), Store(folder, MODEL)
        add(theirs, ["t"])
        faults.order("open", newest(folder, "manifest*"), errno.EIO)
        fill(mine, 12)
        mounts.confirm(folder.parent)
        an_hour_passes(folder)
        mine.compact()
        faults.orders.clear()
        assert len(paths(Store(folder, MODEL))) == 13

    def test_half_written_files_go_after_an_hour(self, folder):
        add(Store(folder, MODEL), ["a"])
        (folder / ".part-1.parquet.tmp").write_bytes(b"x")
        retention.delete_old(folder)
        assert (folder / ".part-1.parquet.tmp").exists()
        an_hour_passes(folder)
        retention.delete_old(folder)
        assert not (folder / ".part-1.parquet.tmp").exists()

    def test_a_file_that_cannot_be_deleted_stops_nothing(self, folder, monkeypatch):
        first = fill(Store(folder, MODEL), 12)
        mounts.confirm(folder.parent)
        an_hour_passes(folder)

        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "unlink", refuse)
        monkeypatch.setattr("pathlib.Path.unlink", refuse)
        first.compact()
        assert len(paths(Store(folder, MODEL))) == 12


class TestWhatLoads:
    def test_a_row_whose_successor_did_not_arrive_lives_on(self, folder):
        first = Store(folder, MODEL)
        add(first, ["a", "b"])
        add(first, ["a"], mtime_ns=3)
        newest(folder, "part-*").unlink()
        after = Store(folder, MODEL)
        assert paths(after) == ["a", "b"] and after.rows["mtime_ns"].to_pylist() == [2, 2]

    def test_the_same_when_a_still_newer_part_did_arrive(self, folder):
        first = Store(folder, MODEL)
        add(first, ["a", "b"])
        add(first, ["a"], mtime_ns=3)
        missing = newest(folder, "part-*")
        add(first, ["c"])
        missing.unlink()
        assert paths(Store(folder, MODEL)) == ["a", "b", "c"]

    def test_a_row_that_died_in_a_manifest_that_was_lost_stays_dead(self, folder):
        first = Store(folder, MODEL)
        add(first, ["a"])
        add(first, [], gone=["a"])
        lost = newest(folder, "manifest*")
        add(first, ["b"])
        lost.unlink()
        assert paths(Store(folder, MODEL)) == ["b"]

    def test_fault_8_another_sessions_part_that_comes_late_is_used_when_it_is_there(self, folder):
        """Two sessions that index one library: both finish, and no row is lost."""
        add(Store(folder, MODEL), ["a"])
        mine, theirs = Store(folder, MODEL), Store(folder, MODEL)
        add(theirs, ["t"])
        late = newest(folder, "part-*")
        data = late.read_bytes()
        late.write_bytes(data[:100])  # still on its way
        add(mine, ["m"])
        between = Store(folder, MODEL)
        assert paths(between) == ["a", "m"] and "perhaps not yet" in between.problems[0]
        add(between, ["n"])
        late.write_bytes(data)
        after = Store(folder, MODEL)
        assert paths(after) == ["a", "m", "n", "t"] and not after.problems

    def test_what_never_comes_is_settled_after_an_hour(self, folder, monkeypatch):
        add(Store(folder, MODEL), ["a"])
        mine, theirs = Store(folder, MODEL), Store(folder, MODEL)
        add(theirs, ["t"])
        newest(folder, "part-*").unlink()
        add(mine, ["m"])
        monkeypatch.setattr("cliplib.cache.merging.KEPT_SECONDS", 0)
        time.sleep(0.01)
        add(Store(folder, MODEL), ["n"])
        after = Store(folder, MODEL)
        assert paths(after) == ["a", "m", "n"] and not after.problems

    def test_fault_9_copies_of_half_a_file_harm_nothing(self, folder):
        """Copies in the cache such as "manifest (1).json": the newest that verifies is used."""
        add(Store(folder, MODEL), ["a"])
        for file in list(folder.iterdir()):
            file.with_name(f"{file.stem} (1){file.suffix}").write_bytes(file.read_bytes()[:50])
        after = Store(folder, MODEL)
        assert paths(after) == ["a"] and "(1).json is damaged and was passed over" in after.problems[0]
