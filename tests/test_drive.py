"""Drive: mounting, mounts that lie, flushing; under a stand-in for google.colab."""

import errno

import pytest

from cliplib import drive
from cliplib.cache import mounts
from cliplib.errors import LibraryError
from cliplib.media.files import find_media
from tests.harness import colab as stand_ins

colab, faults = stand_ins.colab, stand_ins.faults  # fixtures


class TestMount:
    def test_is_read_only_first(self, colab):
        assert drive.mount(mount_point=str(colab.point)) == colab.point / "MyDrive"
        assert colab.calls == [{"force_remount": False, "readonly": True}]

    def test_already_mounted_is_not_believed_of_a_folder(self, colab):
        colab.point.mkdir()  # there, but without MyDrive
        drive.mount(mount_point=str(colab.point))
        assert colab.calls[0]["force_remount"] is True

    @pytest.mark.parametrize("number", [errno.ENOTCONN, errno.EIO])
    @pytest.mark.parametrize("call", ["any", "list", "open"])
    def test_fault_6_a_stale_mount_is_mounted_anew_once(self, colab, faults, call, number):
        """A library's folder that is unmounted or empty: refused, and no row is deleted."""
        drive.mount(mount_point=str(colab.point))
        (colab.point / "MyDrive" / "b.jpg").write_bytes(b"x")
        faults.order(call, colab.point, number)
        assert drive.mount(mount_point=str(colab.point)) == colab.point / "MyDrive"
        assert [c["force_remount"] for c in colab.calls] == [False, True]

    def test_a_mount_that_stays_stale_is_said(self, colab, faults):
        drive.mount(mount_point=str(colab.point))
        colab.faults = None  # mounting cures nothing
        faults.order("list", colab.point, errno.ENOTCONN)
        with pytest.raises(
            LibraryError, match=r"cannot be read: Transport endpoint.*went stale.*drive.mount\(\) again"
        ):
            drive.mount(mount_point=str(colab.point))
        assert [c["force_remount"] for c in colab.calls] == [False, True]  # once, not for ever

    def test_a_read_only_mount_is_replaced_when_writing_is_asked_for(self, colab, faults):
        drive.mount(mount_point=str(colab.point))
        faults.order("open", colab.point, errno.EROFS)  # until it is mounted by force
        drive.mount(readonly=False, mount_point=str(colab.point))
        assert colab.calls[-1] == {"force_remount": True, "readonly": False}

    def test_a_drive_that_cannot_be_written_is_said(self, colab, faults):
        drive.mount(mount_point=str(colab.point))
        colab.faults = None
        faults.order("open", colab.point, errno.EROFS)
        with pytest.raises(LibraryError, match="cannot be written to"):
            drive.mount(readonly=False, mount_point=str(colab.point))

    @pytest.mark.parametrize(
        "said, advised",
        [
            ("mount failed: The domain policy has disabled Drive File Stream", "administrator"),
            ("Error: credential propagation was unsuccessful", "third-party cookies"),
            ("mount failed: timeout during initial read of root folder", "run the cell again"),
            ("Mountpoint must not already contain files", "move those files away"),
            ("mount failed", "allow every access"),
        ],
    )
    def test_a_refusal_is_quoted_and_says_what_to_do(self, colab, said, advised):
        colab.refusal = ValueError(said)
        with pytest.raises(LibraryError, match=f"{said}.*{advised}"):
            drive.mount(mount_point=str(colab.point))


class TestCheckFolder:
    def test_counts_entries(self, tmp_path):
        (tmp_path / "a").write_bytes(b"")
        assert drive.check_folder(tmp_path) == 1

    def test_a_missing_folder_shows_what_there_is(self, tmp_path):
        (tmp_path / "Photos").mkdir()
        with pytest.raises(LibraryError, match=r"no folder .*photo. .* holds: Photos.*shortcut in My Drive"):
            drive.check_folder(tmp_path / "photo")

    @pytest.mark.parametrize("number", [errno.EIO, errno.ENOTCONN])
    def test_fault_4_an_error_that_passes_is_waited_for(self, tmp_path, faults, number):
        """An error on reading that may pass: tried again, then reported."""
        (tmp_path / "a.jpg").write_bytes(b"x")
        faults.order("list", tmp_path, number, times=1)
        faults.order("open", tmp_path, number, times=1)
        assert drive.check_folder(tmp_path) == 1 and len(faults.met) == 2

    def test_fault_6_a_mount_that_lists_but_does_not_read_is_stale(self, tmp_path, faults):
        """A library's folder that is unmounted or empty: refused, and no row is deleted."""
        for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
            (tmp_path / name).write_bytes(b"x")
        faults.order("open", tmp_path, errno.ENOTCONN)
        with pytest.raises(LibraryError, match="stale"):
            drive.check_folder(tmp_path)
        assert len(faults.met) == 9  # three files, three tries

    @pytest.mark.parametrize("over", ["a.jpg", "b.jpg"])  # no order of a folder's entries may matter
    def test_one_file_over_its_quota_is_no_stale_mount(self, tmp_path, faults, over):
        (tmp_path / "a.jpg").write_bytes(b"x")
        (tmp_path / "b.jpg").write_bytes(b"x")
        faults.order("open", tmp_path / over, errno.EIO)
        assert drive.check_folder(tmp_path) == 2

    def test_a_google_document_which_has_no_bytes_is_no_stale_mount(self, tmp_path, faults):
        (tmp_path / "letter.gdoc").write_bytes(b"")
        faults.order("open", tmp_path, errno.EOPNOTSUPP)
        assert drive.check_folder(tmp_path) == 1

    def test_a_shared_folder_is_read_through_its_shortcut(self, tmp_path):
        shared = tmp_path / ".shortcut-targets-by-id" / "1aB" / "Class"
        shared.mkdir(parents=True)
        (shared / "a.jpg").write_bytes(b"x")
        top = tmp_path / "MyDrive"
        top.mkdir()
        (top / "Class").symlink_to(shared)
        assert drive.check_folder(top / "Class") == 1
        assert [file.path for file in find_media(top).files] == ["Class/a.jpg"]
        assert [file.path for file in find_media(top / "Class").files] == ["a.jpg"]


class TestFlush:
    def test_confirms_what_was_written_below_the_mount_unless_it_fails(self, colab):
        folder = drive.mount(readonly=False, mount_point=str(colab.point))
        mounts.note(folder / "manifest-1.json", 3)
        colab.flush_failure = ValueError("flush_and_unmount failed")
        with pytest.raises(LibraryError, match=r"flush_and_unmount failed. Keep this session open"):
            drive.flush(str(colab.point))
        assert mounts.unflushed(folder) == {"manifest-1.json": 3}
        colab.flush_failure = None
        assert drive.flush(str(colab.point)) == 1
        assert mounts.unflushed(folder) == {} and not colab.mounted

    def test_without_a_mount_it_does_not_claim_success(self, colab):
        with pytest.raises(LibraryError, match=r"no Drive at .* to flush"):
            drive.flush(str(colab.point))


@pytest.mark.parametrize("call", [drive.mount, drive.flush])
def test_elsewhere_than_in_colab_it_says_so(call):
    with pytest.raises(LibraryError, match="this is not Colab"):
        call()


@pytest.mark.parametrize("error", ["ValueError: mount failed", OSError(13, "Permission denied", "/a/timeout.jpg"), ""])
def test_of_a_message_that_is_not_known_no_cause_is_guessed(error):
    assert drive.explain(error).startswith("It means: cliplib does not know this message. What to do: ")


def test_the_notebook_explains_every_message_that_the_library_knows(repo):
    shown = (repo / "notebooks" / "01_mount_drive.ipynb").read_text(encoding="utf-8").lower()
    assert [said for said in drive.ADVICE if said not in shown] == []
