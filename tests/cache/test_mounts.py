"""Mounts: what lies on one, and what is confirmed there and what only written."""

import contextlib
import errno
import os
import stat

import pytest

from cliplib import drive
from cliplib.__main__ import parser
from cliplib.cache import durable, mounts
from cliplib.cache.store import Store
from cliplib.display.html import report_html
from cliplib.errors import CacheError
from cliplib.index.report import IndexContents, IndexReport
from cliplib.index.update import update
from tests.harness import colab as stand_ins
from tests.harness.libraries import draw_picture
from tests.harness.torture import MODEL, StubEncoder

colab, faults = stand_ins.colab, stand_ins.faults  # fixtures


@pytest.fixture
def table(monkeypatch, tmp_path):
    """A mount table to write, and a machine that has noted nothing yet."""
    monkeypatch.setattr(mounts, "MOUNT_TABLE", tmp_path / "mounts")
    monkeypatch.setattr(mounts, "NOTE", tmp_path / "note.txt")
    return tmp_path / "mounts"


class TestMountOf:
    @pytest.mark.parametrize(
        "line, found",
        [
            ("drive {folder} fuse.drive rw 0 0", True),
            ("remote: {folder} fuse.rclone rw 0 0", True),
            ("/dev/sdb1 {folder} fuseblk rw 0 0", False),  # NTFS on a local disk
            ("/dev/sdb1 {folder} ext4 rw 0 0", False),
            ("drive {folder}-other fuse.drive rw 0 0", False),
            ("overlay / fuse.fuse-overlayfs rw 0 0", False),  # a container's own disk
        ],
    )
    def test_knows_mounts_that_upload_later(self, table, tmp_path, line, found):
        folder = tmp_path / "drive"
        table.write_text(f"/dev/sda / ext4 rw 0 0\n{line.format(folder=folder)}\n")
        assert mounts.mount_of(folder / "MyDrive" / "not there yet") == (str(folder) if found else None)

    def test_the_innermost_mount_counts(self, table, tmp_path):
        table.write_text(f"drive {tmp_path} fuse.drive rw 0 0\ntmpfs {tmp_path}/inner tmpfs rw 0 0\n")
        assert mounts.mount_of(tmp_path / "inner" / "x") is None
        assert mounts.mount_of(tmp_path / "outer") == str(tmp_path)

    def test_a_mount_point_with_a_space_is_written_in_octal(self, table, tmp_path):
        table.write_text(f"drive {tmp_path}/my\\040drive fuse.drive rw 0 0\n")
        assert mounts.mount_of(tmp_path / "my drive" / "Photos") == f"{tmp_path}/my drive"

    def test_a_system_without_the_table_has_no_such_mounts(self, table, tmp_path):
        assert not table.exists() and mounts.mount_of(tmp_path) is None


def index(root, cache):
    return update(root, Store(cache, MODEL), StubEncoder(), progress=False)


@pytest.fixture
def photos(colab):
    """A writable mount with a folder of three photos, and the place of its cache."""
    root = drive.mount(readonly=False, mount_point=str(colab.point)) / "Photos"
    (root / "a.jpg").unlink()
    for i in range(3):
        draw_picture(root / f"p{i}.png", i)
    return root, root / ".cliplib" / "stub"


class TestReport:
    def test_on_a_mount_rows_are_written_until_a_flush_confirms_them(self, colab, photos):
        first = index(*photos)
        assert (first.confirmed, first.holds.written) == (0, 3)
        assert f"3 rows (1 checkpoints) are only written to the mount {colab.point}" in str(first)
        drive.flush(str(colab.point))
        drive.mount(readonly=False, mount_point=str(colab.point))
        draw_picture(photos[0] / "late.png", 9)
        second = index(*photos)
        assert (second.confirmed, second.holds.written) == (3, 1)
        assert "3 rows are confirmed; 1 rows" in second._repr_html_()

    def test_mounting_anew_on_the_same_machine_confirms_nothing(self, colab, photos):
        index(*photos)
        colab.mount(str(colab.point), force_remount=True)
        assert index(*photos).holds.written == 3

    def test_what_another_machine_reads_has_come_from_drive(self, photos):
        index(*photos)
        mounts.NOTE.unlink()  # it lay on the disk of the machine that wrote
        report = index(*photos)
        assert (report.confirmed, report.holds.written) == (3, 0) and "All 3 rows are confirmed" in str(report)

    def test_on_the_disk_of_a_session_nothing_lasts(self, photos, tmp_path):
        report = index(photos[0], tmp_path / "local")
        assert (report.confirmed, report.holds.written) == (0, 3) and "drive.save_back" in report.holds.durability

    def test_on_a_computer_of_ones_own_fsync_confirms(self, tmp_path):
        draw_picture(tmp_path / "photos" / "a.png", 1)
        report = index(tmp_path / "photos", tmp_path / "cache")
        assert (report.confirmed, report.holds.written) == (1, 0)
        assert report.holds.durability == "All 1 rows are confirmed on this computer's disk"

    def test_the_sentence_is_escaped_in_html(self):
        report = IndexReport(0, 0, 0, [], holds=IndexContents(durability="on <b>Drive</b>"))
        assert "on &lt;b&gt;Drive&lt;/b&gt;" in report_html(report)

    def test_the_command_line_gives_both_figures(self, tmp_path, monkeypatch):
        from cliplib import __main__, library

        report = IndexReport(2, 0, 0, [], holds=IndexContents(photos=2, written=1, durability="one is under way"))
        monkeypatch.setattr(library.Library, "index", lambda self, **_: report)
        answer, words, _ = __main__.run(parser().parse_args(["index", str(tmp_path), "--model", "tiny"]))
        assert (answer["confirmed"], answer["written"], answer["outlook"]) == (1, 1, "one is under way")
        assert "one is under way." in words


class TestNotes:
    def test_fault_3_a_manifest_is_noted_before_it_is_written(self, photos, faults):
        """A disk that fills up while saving: it is said, and the old index is whole."""
        faults.order("open", mounts.NOTE, errno.ENOSPC)
        with pytest.raises(CacheError, match=r"could not note .*unflushed.txt.*: No space.*this machine's own disk"):
            index(*photos)
        assert not list(photos[1].glob("manifest*"))

    def test_a_note_that_a_full_disk_cut_short_harms_no_other(self, table, tmp_path):
        table.write_text(f"a {tmp_path}/a fuse.drive rw 0 0\n")
        mounts.note(tmp_path / "a" / "manifest-1.json", 1)
        with open(mounts.NOTE, "a") as notes:
            notes.write('\n["/a/mani')
        mounts.note(tmp_path / "a" / "manifest-2.json", 2)
        assert mounts.unflushed(tmp_path / "a") == {"manifest-1.json": 1, "manifest-2.json": 2}
        assert mounts.confirm(tmp_path / "a") == 2

    def test_a_flush_confirms_only_what_lies_below_its_mount(self, table, tmp_path):
        table.write_text(f"a {tmp_path}/a fuse.drive rw 0 0\nb {tmp_path}/ab fuse.drive rw 0 0\n")
        for name, rows in (("a", 1), ("ab", 2)):
            mounts.note(tmp_path / name / "manifest-1.json", rows)
        assert mounts.confirm(tmp_path / "a") == 1
        assert mounts.unflushed(tmp_path / "a") == {} and mounts.unflushed(tmp_path / "ab") == {"manifest-1.json": 2}


class TestFault5:
    """An error on write or rename: tried again; if it stays, the old generation is kept and the error is clear."""

    @pytest.mark.parametrize("number", [errno.EIO, errno.ENOTCONN])
    @pytest.mark.parametrize("call, text", [("rename", "manifest"), ("rename", "part"), ("open", "part")])
    def test_fault_5_an_error_that_passes_is_tried_again(self, photos, faults, call, text, number):
        """An error on writing or renaming: tried again, then said, and the old generation is kept."""
        faults.order(call, text, number, times=2)
        assert index(*photos).indexed == 3
        assert len(faults.met) == 2 and Store(photos[1], MODEL).rows.num_rows == 3

    @pytest.mark.parametrize("call, text", [("rename", "manifest"), ("rename", "part"), ("open", ".part")])
    def test_fault_5_one_that_stays_keeps_the_old_generation(self, photos, faults, call, text):
        """An error on writing or renaming: tried again, then said, and the old generation is kept."""
        index(*photos)
        draw_picture(photos[0] / "late.png", 9)
        faults.order(call, text, errno.EIO)
        with pytest.raises(CacheError, match=r"Input/output error. What was saved before is intact"):
            index(*photos)
        faults.orders.clear()
        assert Store(photos[1], MODEL).rows.num_rows == 3
        assert index(*photos).indexed == 1

    @pytest.mark.parametrize("text", ["manifest", "part-"])
    def test_fault_4_a_cache_is_read_again_when_reading_fails(self, photos, faults, text):
        """An error on reading that may pass: tried again, then reported."""
        index(*photos)
        faults.order("open", text, errno.EIO, times=2)
        opened = Store(photos[1], MODEL)
        assert opened.rows.num_rows == 3 and not opened.problems and len(faults.met) == 2

    def test_the_names_of_a_folder_are_forced_to_the_disk_too(self, tmp_path, monkeypatch):
        synced, fsync = [], os.fsync
        monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), fsync(handle)))
        durable.write_durably(tmp_path / "x", lambda file: file.write(b"1"))
        assert synced == [(tmp_path / "x").stat().st_ino, tmp_path.stat().st_ino]

    def test_two_that_save_one_file_at_once_leave_it_whole(self, tmp_path):
        def another_saves_meanwhile(file):
            file.write(b"1")
            durable.write_durably(tmp_path / "x", lambda other: other.write(b"22"))
            file.write(b"1")

        durable.write_durably(tmp_path / "x", another_saves_meanwhile)
        assert (tmp_path / "x").read_bytes() == b"11" and len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize("number, stops", [(errno.EIO, True), (errno.EINVAL, False), (errno.EACCES, False)])
    def test_a_mount_that_cannot_do_that_is_no_fault(self, tmp_path, monkeypatch, number, stops):
        fsync = os.fsync

        def refuse_folders(handle):
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                raise OSError(number, os.strerror(number))
            fsync(handle)

        monkeypatch.setattr(os, "fsync", refuse_folders)
        with pytest.raises(OSError) if stops else contextlib.nullcontext():
            durable.write_durably(tmp_path / "x", lambda file: file.write(b"1"))
        assert (tmp_path / "x").read_bytes() == b"1"
