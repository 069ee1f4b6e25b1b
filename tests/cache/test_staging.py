"""Staging: photos copied in bulk under a cap, and the cache carried back."""

import errno
import os
import random
import shutil
import threading
import zipfile

import pytest

from cliplib import drive
from cliplib.cache import manifest, mounts, staging
from cliplib.cache.staging import save_back, stage
from cliplib.cache.store import Store
from cliplib.errors import CacheError, LibraryError
from cliplib.media.files import find_media
from tests.cache.test_mounts import index
from tests.harness import colab as stand_ins
from tests.harness.libraries import draw_picture
from tests.harness.patience import patience_s
from tests.harness.torture import MODEL, keys, random_rows

colab, faults = stand_ins.colab, stand_ins.faults  # fixtures


@pytest.fixture
def source(tmp_path):
    """Six files of 1,000 bytes in two folders, and one that is no photo."""
    folder = tmp_path / "mount" / "Photos"
    (folder / "sub").mkdir(parents=True)
    for i in range(6):
        file = folder / ("sub" if i % 2 else ".") / f"p{i}.jpg"
        file.write_bytes(bytes([i]) * 1000)
        os.utime(file, ns=(10**18, 10**18 + i * 1_000_001))
    (folder / "notes.txt").write_bytes(b"not a photo")
    return folder


def copied(folder):
    """What `stage` left in a folder: bytes and time of change by path."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


class TestStage:
    def test_copies_the_media_with_their_times_and_nothing_else(self, source, tmp_path):
        report = stage(source, tmp_path / "local", progress=False)
        want = {path: facts for path, facts in copied(source).items() if path.endswith(".jpg")}
        assert copied(tmp_path / "local") == want
        assert (report.copied, report.unchanged, report.size_bytes, report.problems) == (6, 0, 6000, [])

    def test_archives_are_copied_whole_and_takeouts_json_too(self, source, tmp_path):
        with zipfile.ZipFile(source / "takeout.zip", "w") as archive:
            archive.writestr("Takeout/z.jpg", b"in the archive")
            archive.writestr("Takeout/z.jpg.json", b"{}")
        (source / "p0.jpg.json").write_bytes(b"{}")
        report = stage(source, tmp_path / "local", progress=False)
        assert report.copied == 8 and report.problems == []
        here, there = find_media(tmp_path / "local"), find_media(source)
        assert (here.files, here.jsons) == (there.files, there.jsons) and here.problems == there.problems == []
        assert stage(source, tmp_path / "local", progress=False).unchanged == 8

    def test_a_second_time_only_what_changed(self, source, tmp_path):
        stage(source, tmp_path / "local", progress=False)
        (source / "p0.jpg").write_bytes(b"new")
        report = stage(source, tmp_path / "local", progress=False)
        assert (report.copied, report.unchanged, report.size_bytes) == (1, 5, 5003)
        assert (tmp_path / "local" / "p0.jpg").read_bytes() == b"new"

    def test_more_than_the_cap_is_refused_before_anything_is_copied(self, source, tmp_path):
        with pytest.raises(LibraryError, match=r"6 files of 6.00kB.*at most 999B.*Stage one of its folders"):
            stage(source, tmp_path / "local", max_bytes=999, progress=False)
        assert not (tmp_path / "local").exists()
        with pytest.raises(LibraryError, match="Stage one of its folders"):
            stage(source, tmp_path / "local", max_bytes=5999, progress=False)
        assert stage(source, tmp_path / "local", max_bytes=6000, progress=False).copied == 6

    def test_what_was_staged_before_counts_against_the_cap(self, source, tmp_path):
        stage(source, tmp_path / "local", progress=False)
        (source / "p0.jpg").rename(source / "q0.jpg")
        with pytest.raises(LibraryError, match=r"local has 1 others; of these 7.00kB"):
            stage(source, tmp_path / "local", max_bytes=6500, progress=False)

    def test_a_file_that_grows_while_it_is_copied_never_passes_the_cap(self, source, tmp_path, monkeypatch):
        find_media = staging.find_media

        def then_it_grows(folder):
            listing = find_media(folder)
            (source / "p0.jpg").write_bytes(bytes(50_000))
            return listing

        monkeypatch.setattr(staging, "find_media", then_it_grows)
        monkeypatch.setattr(staging, "CHUNK_BYTES", 64)
        report = stage(source, tmp_path / "local", max_bytes=6000, progress=False)
        assert [(p.path, p.stage) for p in report.problems] == [("p0.jpg", "read")]
        assert "still being uploaded" in report.problems[0].reason and report.size_bytes == 5000
        assert sum(len(data) for data, _ in copied(tmp_path / "local").values()) == 5000

    def test_a_disk_without_room_is_refused(self, source, tmp_path, monkeypatch):
        usage = shutil.disk_usage(tmp_path)._replace(free=staging.LEFT_FREE_BYTES + 5999)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(LibraryError, match=r"has 1.07GB free, and 6 files need .* Nothing was copied"):
            stage(source, tmp_path / "local", progress=False)
        assert not (tmp_path / "local").exists()

    def test_a_disk_that_fills_up_meanwhile_is_said_and_leaves_whole_files_only(self, source, tmp_path, faults):
        faults.order("rename", "p3.jpg", errno.ENOSPC)
        with pytest.raises(LibraryError, match="is full. What was copied whole stays"):
            stage(source, tmp_path / "local", progress=False)
        assert all(facts == copied(source)[path] for path, facts in copied(tmp_path / "local").items())
        faults.orders.clear()
        assert stage(source, tmp_path / "local", progress=False).problems == []

    @pytest.mark.parametrize("number", [errno.EIO, errno.ENOTCONN])
    def test_fault_4_an_error_that_passes_is_tried_again(self, source, tmp_path, faults, number):
        """An error on reading that may pass: tried again, then reported."""
        faults.order("open", "Photos/p2.jpg", number, times=2)
        assert stage(source, tmp_path / "local", progress=False).problems == [] and len(faults.met) == 2
        assert copied(tmp_path / "local")["p2.jpg"] == copied(source)["p2.jpg"]

    def test_fault_4_one_that_stays_is_reported_and_the_others_are_copied(self, source, tmp_path, faults):
        """An error on reading that may pass: tried again, then reported."""
        faults.order("open", "Photos/p2.jpg", errno.EIO)
        report = stage(source, tmp_path / "local", progress=False)
        assert [p.path for p in report.problems] == ["p2.jpg"] and "Input/output error" in str(report)
        assert (report.copied, report.size_bytes, len(copied(tmp_path / "local"))) == (5, 5000, 5)

    def test_fault_6_an_absent_folder_refuses(self, tmp_path):
        """A library's folder that is unmounted or empty: refused, and no row is deleted."""
        with pytest.raises(LibraryError, match="is the drive mounted"):
            stage(tmp_path / "gone", tmp_path / "local", progress=False)

    def test_a_folder_is_not_staged_into_itself(self, source):
        with pytest.raises(LibraryError, match="one lies in the other"):
            stage(source, source / "copy", progress=False)

    def test_a_copy_knows_where_on_drive_its_original_is(self, source, tmp_path, monkeypatch):
        def getxattr(file, name):
            if os.path.basename(file) == "p2.jpg":
                return b"1a-B_c"
            raise OSError(errno.ENODATA, "No data available")

        given = []
        monkeypatch.setattr("os.getxattr", getxattr, raising=False)
        monkeypatch.setattr("os.setxattr", lambda _, *about: given.append(about), raising=False)
        stage(source, tmp_path / "local", progress=False)
        assert given == [("user.drive.id", b"1a-B_c")]

    def test_small_files_are_read_side_by_side(self, source, tmp_path, monkeypatch):
        copy, all_six = staging._copy, threading.Barrier(6)

        def waits_for_the_others(*arguments):
            all_six.wait(timeout=patience_s(10))  # raises where they come one after another
            return copy(*arguments)

        monkeypatch.setattr(staging, "_copy", waits_for_the_others)
        assert stage(source, tmp_path / "local", progress=False).copied == 6

    def test_the_index_of_the_copy_is_the_index_of_the_folder(self, tmp_path):
        for i in range(3):
            draw_picture(tmp_path / "photos" / f"p{i}.png", i)
        stage(tmp_path / "photos", tmp_path / "local", progress=False)
        index(tmp_path / "local", tmp_path / "cache" / "stub")
        report = index(tmp_path / "photos", tmp_path / "cache" / "stub")
        assert (report.unchanged, report.encoded) == (3, 0)


@pytest.fixture
def local(tmp_path):
    """A library of three photos with its cache in `caches/stub`."""
    for i in range(3):
        draw_picture(tmp_path / "photos" / f"p{i}.png", i)
    index(tmp_path / "photos", tmp_path / "caches" / "stub")
    return tmp_path / "photos", tmp_path / "caches"


class TestSaveBack:
    def test_carries_rows_and_thumbnails(self, local, tmp_path):
        assert save_back(local[1], tmp_path / "saved") > 0
        there, here = (Store(folder / "stub", MODEL) for folder in (tmp_path / "saved", local[1]))
        assert there.rows.equals(here.rows) and not there.problems
        key = (there.rows["digest"][0].as_py(), None)
        assert there.thumbnail(key) == here.thumbnail(key) is not None

    def test_a_second_time_only_what_is_new(self, local, tmp_path):
        first = save_back(local[1], tmp_path / "saved")
        assert save_back(local[1], tmp_path / "saved") == 0
        draw_picture(local[0] / "new.png", 8)
        index(local[0], local[1] / "stub")
        assert 0 < save_back(local[1], tmp_path / "saved") < first
        assert Store(tmp_path / "saved" / "stub", MODEL).rows.num_rows == 4

    def test_judgements_and_cutoffs_go_with_it_and_the_newer_stays(self, local, tmp_path):
        names = "judgements/judgements-2026-01-01-ab.json", "judgements/salt", "stub/profile-text-to-image.json"
        for name in names:
            (local[1] / name).parent.mkdir(exist_ok=True)
            (local[1] / name).write_text("one")
        save_back(local[1], tmp_path / "saved")
        assert [(tmp_path / "saved" / name).read_text() for name in names] == ["one"] * 3
        assert save_back(local[1], tmp_path / "saved") == 0
        for name in names:
            (local[1] / name).write_text("two")
            os.utime(local[1] / name, (2e9, 2e9))  # later than now
        save_back(local[1], tmp_path / "saved")
        assert [(tmp_path / "saved" / name).read_text() for name in names] == ["two", "one", "two"]
        save_back(tmp_path / "saved", local[1])
        assert [(local[1] / name).read_text() for name in names] == ["two", "two", "two"]

    def test_fault_8_what_another_session_saved_there_stays(self, local, tmp_path):
        """Two sessions that index one library: both finish, and no row is lost."""
        save_back(local[1], tmp_path / "saved")
        shutil.copytree(local[0], tmp_path / "other")
        draw_picture(tmp_path / "other" / "theirs.png", 7)
        index(tmp_path / "other", tmp_path / "saved" / "stub")
        draw_picture(local[0] / "mine.png", 8)
        index(local[0], local[1] / "stub")
        save_back(local[1], tmp_path / "saved")
        paths = set(Store(tmp_path / "saved" / "stub", MODEL).rows["path"].to_pylist())
        assert paths == {"p0.png", "p1.png", "p2.png", "theirs.png", "mine.png"}

    def test_an_end_in_the_middle_leaves_what_was_there(self, local, tmp_path, faults):
        save_back(local[1], tmp_path / "saved")
        before = keys(Store(tmp_path / "saved" / "stub", MODEL).rows)
        draw_picture(local[0] / "new.png", 8)
        index(local[0], local[1] / "stub")
        for name in ("part", "thumbs", "manifest"):
            faults.order("rename", f"saved/stub/{name}", errno.EIO)
            with pytest.raises(CacheError, match=r"Input/output error.*there before is intact"):
                save_back(local[1], tmp_path / "saved")
            faults.orders.clear()
            assert keys(Store(tmp_path / "saved" / "stub", MODEL).rows) == before
        save_back(local[1], tmp_path / "saved")
        assert len(keys(Store(tmp_path / "saved" / "stub", MODEL).rows)) == 4

    def test_a_read_only_drive_says_how_to_go_on(self, local, tmp_path, faults):
        faults.order("open", "saved", errno.EROFS)
        with pytest.raises(CacheError, match=r"drive.mount\(readonly=False\)"):
            save_back(local[1], tmp_path / "saved")

    def test_a_damaged_part_is_not_carried(self, local, tmp_path):
        (part,) = (local[1] / "stub").glob("part-*")
        part.write_bytes(part.read_bytes()[:-1] + b"?")
        with pytest.raises(CacheError, match=rf"{part.name} is damaged, and was not copied"):
            save_back(local[1], tmp_path / "saved")
        assert not list((tmp_path / "saved").rglob("*.parquet"))

    def test_a_damaged_thumbnail_pack_keeps_no_row_from_being_saved(self, local, tmp_path):
        (pack,) = (local[1] / "stub").glob("thumbs-*")
        pack.unlink()
        save_back(local[1], tmp_path / "saved")
        assert Store(tmp_path / "saved" / "stub", MODEL).rows.num_rows == 3

    def test_a_state_whose_part_never_came_keeps_no_other_from_being_saved(self, local, tmp_path):
        mine, theirs = Store(local[1] / "stub", MODEL), Store(local[1] / "stub", MODEL)
        parts = set(theirs.folder.glob("part-*"))
        theirs.checkpoint(random_rows(random.Random(0), ["t"]), {}, set(), {})
        (never,) = set(theirs.folder.glob("part-*")) - parts
        never.unlink()
        mine.checkpoint(random_rows(random.Random(1), ["m"]), {}, set(), {})
        save_back(local[1], tmp_path / "saved")
        assert keys(Store(tmp_path / "saved" / "stub", MODEL).rows) == keys(mine.rows)

    def test_fault_6_a_drive_that_is_not_mounted_is_not_made_up(self, local, tmp_path):
        """A library's folder that is unmounted or empty: refused, and no row is deleted."""
        with pytest.raises(CacheError, match=r"no folder .*Photos.*is the drive mounted"):
            save_back(local[1], tmp_path / "drive" / "Photos" / ".cliplib")
        assert not (tmp_path / "drive").exists()

    def test_without_a_cache_it_says_so(self, tmp_path):
        with pytest.raises(CacheError, match=r"no cache in .*: run index\(\) first"):
            save_back(tmp_path, tmp_path / "saved")

    def test_on_a_mount_it_is_written_and_a_flush_confirms_it(self, local, colab):
        top = drive.mount(readonly=False, mount_point=str(colab.point))
        save_back(local[1], top / "Photos" / ".cliplib")
        saved = top / "Photos" / ".cliplib" / "stub"
        assert mounts.durability(saved, 3)[0] == 3
        assert list(mounts.unflushed(saved)) == [file.name for file in saved.glob("manifest*")]
        assert drive.flush(str(colab.point)) == 1
        top = drive.mount(mount_point=str(colab.point))
        assert mounts.durability(top / "Photos" / ".cliplib" / "stub", 3)[0] == 0
        assert len(manifest.read_all(top / "Photos" / ".cliplib" / "stub")[0]) == 1
