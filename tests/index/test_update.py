"""Indexing: what is encoded, what is not, what is removed, what is reported; with a real encoder of random weights."""

import os
import shutil
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cliplib.cache import rows
from cliplib.cache.store import Store
from cliplib.errors import CacheError, LibraryError, MediaError
from cliplib.index import pipeline, plan
from cliplib.index.pipeline import Finished
from cliplib.index.sidecars import date_of
from cliplib.index.update import update
from cliplib.media.files import find_media, within_int64
from cliplib.models.clip_encoder import ClipEncoder
from tests.harness.libraries import draw_picture, draw_video


class CountingEncoder(ClipEncoder):
    """The real encoder, which counts the pictures that go through it."""

    seen = 0

    def encode_images(self, images, batch_size=None):
        self.seen += len(images)
        return super().encode_images(images, batch_size)


@pytest.fixture(scope="module")
def encoder(weights):
    return CountingEncoder.load(weights, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Six photos in two folders, and a video of three seconds."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    root = tmp_path_factory.mktemp("drawn")
    for i, name in enumerate(["a.jpg", "b.png", "c.webp", "sub/d.jpg", "sub/e.JPG", "sub/f.heic"]):
        draw_picture(root / name, i)
    draw_video(root / "sub" / "v.mp4", 7)
    return root


@pytest.fixture
def root(drawn, tmp_path):
    return shutil.copytree(drawn, tmp_path / "photos")


def open_store(root, encoder):
    about = {name: getattr(encoder, name) for name in ("model_id", "name", "dim")}
    return Store(root / ".cliplib" / "test", about | {"name": str(encoder.name)})


def run(root, encoder, **options):
    """Index with a freshly opened store; the report, how many pictures were encoded, and the table."""
    encoder.seen = 0
    store = open_store(root, encoder)
    report = update(root, store, encoder, progress=False, **options)
    assert report.seen == report.indexed + report.unchanged + len(report.skipped)
    return report, encoder.seen, open_store(root, encoder).rows


def assert_same_index(table, other):
    """Same keys and digests, cosine 0.9999 or more."""
    table, other = (t.sort_by([("path", "ascending"), ("time_s", "ascending")]) for t in (table, other))
    for column in ("path", "kind", "time_s", "digest", "size", "width", "height"):
        assert table[column].to_pylist() == other[column].to_pylist(), column
    assert np.einsum("ij,ij->i", rows.matrix(table), rows.matrix(other)).min() >= 0.9999


def rebuild(root, encoder, tmp_path):
    """The index of a copy of the folder, made from nothing."""
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".cliplib"))
    return run(copy, encoder)[2]


def cut(source, target):
    """The first two thirds of a video, in a container that can be read to where it ends."""
    import av

    with av.open(str(source)) as whole, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    os.truncate(target, target.stat().st_size * 2 // 3)


class TestFirstRun:
    def test_everything_is_indexed_with_its_facts_and_a_thumbnail(self, root, encoder):
        report, encoded, table = run(root, encoder)
        assert (report.indexed, report.unchanged, report.removed, report.skipped) == (7, 0, 0, [])
        assert report.photos == 6 and report.frames in (3, 4) and encoded == report.photos + report.frames
        facts = {row["path"]: row for row in table.to_pylist()}
        names = ("kind", "time_s", "width", "height", "taken_from")
        assert [facts["a.jpg"][name] for name in names] == ["image", None, 160, 120, "mtime"]
        row = facts["sub/v.mp4"]
        assert (row["kind"], row["every_s"]) == ("frame", 1.0) and row["duration_s"] == pytest.approx(3, abs=0.11)
        store = open_store(root, encoder)
        assert all(store.thumbnail(key).startswith(b"\xff\xd8") for key in rows.keys(table))

    def test_rows_hold_the_embedding_of_their_own_file(self, root, encoder):
        from PIL import Image

        table = run(root, encoder)[2]
        for path, vector in zip(table["path"].to_pylist(), rows.matrix(table), strict=True):
            if path.endswith((".png", ".webp")):
                alone = encoder.encode_images([Image.open(root / path)])[0]
                assert vector @ alone > 0.99999

    def test_fault_17_an_unreadable_middle_file_does_not_shift_the_others(self, root, encoder, tmp_path):
        """An empty file: reported, and the others keep their own rows."""
        good = run(root, encoder)[2]
        shutil.rmtree(root / ".cliplib")
        (root / "bb.jpg").write_bytes(b"")
        report, _, table = run(root, encoder)
        assert_same_index(table, good)
        assert [(s.path, s.stage) for s in report.skipped] == [("bb.jpg", "decode")]
        assert "empty" in report.skipped[0].reason


class TestSecondRun:
    def test_encodes_and_writes_nothing(self, root, encoder):
        run(root, encoder)
        before = sorted((root / ".cliplib").rglob("*"))
        report, encoded, _ = run(root, encoder)
        assert (report.indexed, report.unchanged, report.removed, encoded) == (0, 7, 0, 0)
        assert sorted((root / ".cliplib").rglob("*")) == before

    def test_a_file_that_was_only_touched_is_unchanged(self, root, encoder):
        run(root, encoder)
        os.utime(root / "a.jpg", (1, 1))
        report, encoded, table = run(root, encoder)
        assert (report.indexed, report.unchanged, report.moved, encoded) == (0, 7, 0, 0)
        assert run(root, encoder)[0].unchanged == 7 and table.num_rows == report.photos + report.frames

    def test_add_change_rename_delete_encodes_only_what_is_new(self, root, encoder, tmp_path):
        run(root, encoder)
        draw_picture(root / "new.jpg", 50)
        draw_picture(root / "a.jpg", 51)
        (root / "b.png").rename(root / "sub" / "moved.png")
        (root / "c.webp").unlink()
        report, encoded, table = run(root, encoder)
        assert (report.indexed, report.unchanged, report.moved, report.removed) == (2, 5, 1, 1)
        assert report.encoded == encoded == 2
        assert_same_index(table, rebuild(root, encoder, tmp_path))

    def test_two_files_that_swap_names_keep_their_own_rows(self, root, encoder, tmp_path):
        run(root, encoder)
        (root / "a.jpg").rename(root / "t")
        (root / "b.png").rename(root / "a.jpg")
        (root / "t").rename(root / "b.png")
        _, encoded, table = run(root, encoder)
        assert encoded == 0
        assert_same_index(table, rebuild(root, encoder, tmp_path))

    def test_a_copy_of_what_a_changed_file_was_needs_no_encoding(self, root, encoder, tmp_path):
        run(root, encoder)
        shutil.copy(root / "a.jpg", root / "old.jpg")
        draw_picture(root / "a.jpg", 51)
        _, encoded, table = run(root, encoder)
        assert encoded == 1
        assert_same_index(table, rebuild(root, encoder, tmp_path))

    def test_identical_files_are_encoded_once_and_all_found(self, root, encoder):
        for i in range(5):
            shutil.copy(root / "a.jpg", root / f"twin{i}.jpg")
        report, _, table = run(root, encoder)
        assert report.indexed == 12 and report.encoded == 7
        assert {f"twin{i}.jpg" for i in range(5)} <= set(table["path"].to_pylist())

    def test_a_copy_of_what_a_changed_file_was_has_its_thumbnail_though_its_part_dies(self, root, encoder):
        run(root, encoder)
        draw_picture(root / "late.jpg", 60)
        run(root, encoder)  # a part of one row
        shutil.copy(root / "late.jpg", root / "old.jpg")
        draw_picture(root / "late.jpg", 61)
        _, _, table = run(root, encoder)
        store = open_store(root, encoder)
        assert all(store.thumbnail(key) for key in rows.keys(table))

    def test_a_moved_file_keeps_its_thumbnail_when_its_part_dies(self, root, encoder):
        for name in ("sub", "b.png", "c.webp"):
            shutil.rmtree(root / name) if name == "sub" else (root / name).unlink()
        run(root, encoder)
        (root / "a.jpg").rename(root / "z.jpg")
        report, _, table = run(root, encoder)
        assert report.moved == 1 and report.removed == 0
        assert open_store(root, encoder).thumbnail((table["digest"][0].as_py(), None))

    def test_a_video_sampled_differently_is_encoded_again(self, root, encoder):
        run(root, encoder)
        report, _, table = run(root, encoder, every_s=0.5)
        assert report.indexed == 1 and report.frames >= 5
        assert set(table["every_s"].to_pylist()) == {None, 0.5}
        assert run(root, encoder)[1] == 0

    def test_a_moved_video_keeps_its_sampling(self, root, encoder):
        _, _, before = run(root, encoder, every_s=0.5)
        (root / "sub" / "v.mp4").rename(root / "w.mp4")
        os.utime(root / "w.mp4", (1, 1))
        report, encoded, table = run(root, encoder)
        assert (report.moved, report.removed, encoded) == (1, 0, 0)
        assert sorted(filter(None, table["every_s"].to_pylist())) == sorted(filter(None, before["every_s"].to_pylist()))


class TestFailures:
    def test_fault_18_a_half_uploaded_file_is_reported_then_indexed_by_itself(self, root, encoder):
        """A half-uploaded file: reported, and indexed by itself once it is whole."""
        whole = (root / "a.jpg").read_bytes()
        (root / "a.jpg").write_bytes(whole[: len(whole) // 2])
        report, _, _ = run(root, encoder)
        assert [s.path for s in report.skipped] == ["a.jpg"]
        (root / "a.jpg").write_bytes(whole)
        report, encoded, table = run(root, encoder)
        assert report.skipped == [] and encoded == 1 and "a.jpg" in table["path"].to_pylist()

    def test_a_known_failure_is_reported_again_but_not_read_again(self, root, encoder, monkeypatch):
        (root / "bad.jpg").write_bytes(b"no picture at all")
        first, _, _ = run(root, encoder)
        monkeypatch.setattr("cliplib.index.pipeline.read_bytes", lambda path: pytest.fail(f"read {path}"))
        second, _, _ = run(root, encoder)
        assert second.skipped == first.skipped != []

    def test_a_failure_is_tried_again_by_another_version_and_on_request(self, root, encoder, monkeypatch):
        (root / "bad.jpg").write_bytes(b"no picture at all")
        first, _, _ = run(root, encoder)
        (root / "sub" / "d.jpg").replace(root / "d.jpg")  # what was noted is carried along by other runs
        run(root, encoder)
        reads, real = [], pipeline.read_bytes
        monkeypatch.setattr(pipeline, "read_bytes", lambda path: (reads.append(path.name), real(path))[1])
        run(root, encoder)
        assert reads == []
        assert run(root, encoder, retry_failed=True)[0].skipped == first.skipped and reads == ["bad.jpg"]
        monkeypatch.setattr(plan, "decoders", lambda: "Pillow 99")
        assert run(root, encoder)[0].skipped == first.skipped and reads == ["bad.jpg"] * 2
        run(root, encoder)
        assert reads == ["bad.jpg"] * 2

    def test_fault_33_a_truncated_video_is_indexed_as_far_as_it_goes_and_reported(self, root, encoder):
        """A truncated video: indexed as far as it goes, and reported."""
        cut(root / "sub" / "v.mp4", root / "cut.mkv")
        report, _, table = run(root, encoder)
        assert [s.path for s in report.skipped] == ["cut.mkv"] and "cut.mkv" in table["path"].to_pylist()
        again, encoded, _ = run(root, encoder)
        assert encoded == 0 and again.skipped == report.skipped

    def test_a_cut_video_is_encoded_again_at_another_interval(self, root, encoder):
        cut(root / "sub" / "v.mp4", root / "cut.mkv")
        run(root, encoder)
        report, _, table = run(root, encoder, every_s=0.5)
        assert [s.path for s in report.skipped] == ["cut.mkv"]
        assert {row["every_s"] for row in table.to_pylist() if row["kind"] == "frame"} == {0.5}

    def test_fault_4_a_video_that_could_not_be_read_to_its_end_is_tried_again(self, root, encoder):
        """An error on reading that may pass: tried again, then reported."""

        def failing(reader, files):
            for event in reader.read(files):
                if event.file.file_kind == "photo" or not getattr(event, "time_s", 1.0):
                    yield event
                elif isinstance(event, Finished):
                    yield replace(event, error=MediaError("v.mp4", "read", "cannot be read: Input/output error"))

        def stopping(reader, files):
            yield from reader.read(files[:1])
            raise KeyboardInterrupt

        report, _, _ = run(root, encoder, read=failing)
        assert [(s.path, s.stage) for s in report.skipped] == [("sub/v.mp4", "read")] and report.frames == 1
        draw_picture(root / "new.jpg", 9)
        with pytest.raises(KeyboardInterrupt):
            run(root, encoder, read=stopping)  # after the photo, and before the video's turn
        report, encoded, _ = run(root, encoder)
        assert (report.skipped, report.indexed, report.unchanged) == ([], 1, 7) and encoded == report.frames > 2

    def test_a_photo_under_the_name_of_a_video_is_a_photo_by_whatever_order(self, root, encoder):
        shutil.copy(root / "a.jpg", root / "copy.mp4")
        draw_picture(root / "alone.jpg", 99).rename(root / "alone.mp4")
        report, _, table = run(root, encoder)
        assert not report.skipped
        rows = {row["path"]: row for row in table.to_pylist()}
        assert rows["copy.mp4"]["kind"] == rows["alone.mp4"]["kind"] == "image"
        assert rows["copy.mp4"]["embedding"] == rows["a.jpg"]["embedding"]
        assert run(root, encoder)[0].unchanged == report.seen

    def test_rows_in_folders_that_are_left_out_now_go_without_being_asked_for(self, root, encoder):
        for number in range(6):
            draw_picture(root / "thumbs" / f"{number}.png", number)
        run(root, encoder)
        (root / "thumbs").rename(root / "@eaDir")
        with pytest.raises(LibraryError, match="files are gone"):
            run(root, encoder)
        (root / "@eaDir").rename(root / "thumbs")
        (root / ".cliplibignore").write_text("thumbs/\n")
        assert run(root, encoder)[0].removed == 6

    def test_an_unexpected_error_in_a_decoder_is_reported(self, root, encoder, monkeypatch):
        def explode(*_, **__):
            raise ZeroDivisionError("in the codec")

        monkeypatch.setattr("cliplib.index.pipeline.open_photo", explode)
        report, _, _ = run(root, encoder)
        assert len(report.skipped) == 6 and "ZeroDivisionError: in the codec" in report.skipped[0].reason


class TestOddFacts:
    # The years 1601, 1665, 1, 30828 and 2300, as network file systems and cloud tools give them, and a blank clock.
    @pytest.mark.parametrize(
        "mtime_s", [-11_644_473_600, -9_595_879_292, -62_135_596_800, 910_692_730_085, 10_413_792_000, 0]
    )
    def test_a_file_time_that_cannot_be_stops_nothing_and_is_no_date(self, root, encoder, monkeypatch, mtime_s):
        stat = os.stat

        def odd(path, **options):  # few file systems keep all of these
            facts = stat(path, **options)
            names = {name: getattr(facts, name) for name in ("st_size", "st_mtime_ns", "st_mode")}
            return SimpleNamespace(**names | {"st_mtime_ns": mtime_s * 10**9}) if str(path).endswith("a.jpg") else facts

        monkeypatch.setattr(os, "stat", odd)
        report, _, table = run(root, encoder)
        assert report.indexed == 7 and report.skipped == []
        facts = {row["path"]: row for row in table.to_pylist()}
        assert (facts["a.jpg"]["taken_at"], facts["a.jpg"]["taken_from"]) == (None, None)
        assert facts["b.png"]["taken_from"] == "mtime"
        assert any("1 files are in the index without a date, for example a.jpg" in text for text in report.problems)
        assert run(root, encoder)[0].unchanged == 7

    @pytest.mark.parametrize("year", [1677, 1825, 2201, 30828])
    def test_file_times_beyond_what_rows_hold_are_the_nearest(self, year):
        nanoseconds = (year - 1970) * 31_556_952 * 10**9
        assert -(2**63) <= within_int64(nanoseconds) < 2**63 and date_of(within_int64(nanoseconds)) is None

    @pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"])
    @pytest.mark.parametrize("seconds", [0, -1, 3600, -(2**31), 2**31 - 1])
    def test_the_time_of_a_clock_that_was_never_set_is_no_date_anywhere(self, monkeypatch, zone, seconds):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            assert date_of(seconds * 10**9) is None and date_of(10**9 * 10**9).startswith("2001-09-0")
        finally:
            monkeypatch.undo()
            time.tzset()

    def test_a_name_is_indexed_for_good_or_reported(self, root, encoder):
        draw_picture(root / "9:41.png", 9)
        shutil.copy(root / "9:41.png", root / "a\\..\\b.png")  # one name here, and a way out on Windows
        report, _, table = run(root, encoder)
        assert [(s.path, s.stage) for s in report.skipped] == [("a\\..\\b.png", "decode")] and "rename it" in str(
            report
        )
        assert "9:41.png" in table["path"].to_pylist()
        report, encoded, _ = run(root, encoder)
        assert (report.indexed, report.unchanged, report.problems, encoded) == (0, 8, [], 0)

    def test_facts_that_fit_no_row_cost_that_file_alone(self, root, encoder):
        listing = find_media(root)
        odd = {"a.jpg": 10**30, "sub/v.mp4": -(10**30)}
        files = [file._replace(mtime_ns=odd.get(file.path, file.mtime_ns)) for file in listing.files]
        shutil.copy(root / "b.png", root / "twin.png")  # a copy, whose facts meet those of known rows
        files.append(next(file for file in files if file.path == "b.png")._replace(path="twin.png", size=10**30))
        report, _, table = run(root, encoder, listing=listing._replace(files=files))
        assert {s.path for s in report.skipped} == {"a.jpg", "sub/v.mp4", "twin.png"}
        assert all("its facts cannot be stored" in s.reason for s in report.skipped)
        assert set(table["path"].to_pylist()) == {"b.png", "c.webp", "sub/d.jpg", "sub/e.JPG", "sub/f.heic"}


class TestRemovals:
    def test_fault_6_an_absent_root_refuses_and_keeps_all(self, root, encoder):
        """A library's folder that is unmounted or empty: refused, and no row is deleted."""
        _, _, table = run(root, encoder)
        store = open_store(root, encoder)
        root.rename(root.with_name("unmounted"))
        with pytest.raises(LibraryError):
            update(root, store, encoder, progress=False)
        assert open_store(root.with_name("unmounted"), encoder).rows.equals(table)

    def test_fault_6_an_empty_root_refuses_and_keeps_all(self, root, encoder):
        """A library's folder that is unmounted or empty: refused, and no row is deleted."""
        _, _, table = run(root, encoder)
        for file in [*root.glob("*.*g"), *root.glob("*.webp")]:
            file.unlink()
        shutil.rmtree(root / "sub")
        with pytest.raises(LibraryError, match="holds no photo or video.*Nothing was removed"):
            run(root, encoder)
        assert open_store(root, encoder).rows.equals(table)

    def test_more_than_a_fifth_asks_first(self, root, encoder):
        run(root, encoder)
        shutil.rmtree(root / "sub")
        draw_picture(root / "new.jpg", 9)
        with pytest.raises(LibraryError, match=r"4 of 7 files are gone from .*index\(confirm_removals=True\)"):
            run(root, encoder)
        kept = set(open_store(root, encoder).rows["path"].to_pylist())
        assert {"sub/d.jpg", "new.jpg"} <= kept
        report, encoded, table = run(root, encoder, confirm_removals=True)
        assert report.removed == 4 and encoded == 0
        assert set(table["path"].to_pylist()) == {"a.jpg", "b.png", "c.webp", "new.jpg"}

    def test_a_renamed_folder_removes_nothing(self, root, encoder):
        run(root, encoder)
        (root / "sub").rename(root / "other")
        report, encoded, table = run(root, encoder)
        assert (report.moved, report.removed, encoded) == (4, 0, 0)
        assert "other/d.jpg" in table["path"].to_pylist() and "sub/d.jpg" not in table["path"].to_pylist()

    def test_fault_7_rows_of_a_folder_that_fails_in_the_walk_stay(self, root, encoder, monkeypatch):
        """A folder that cannot be read half-way through the walk: reported, and its rows are kept."""
        _, _, table = run(root, encoder)
        scandir = os.scandir

        def fail(path):
            if str(path).endswith("sub"):
                raise PermissionError(13, "Permission denied")
            return scandir(path)

        monkeypatch.setattr(os, "scandir", fail)
        report, _, after = run(root, encoder)
        assert len(after) == len(table)
        assert [(s.path, s.stage) for s in report.skipped] == [("sub", "walk")]

    @pytest.mark.parametrize("path", ["a.jpg", "sub"])
    def test_fault_4_what_cannot_be_looked_at_keeps_its_rows(self, root, encoder, path):
        """An error on reading that may pass: tried again, then reported."""
        _, _, table = run(root, encoder)
        found = find_media(root)
        seen = [file for file in found.files if not file.path.startswith(path)]
        blind = found._replace(files=seen, problems=[MediaError(path, "walk", "Input/output error")])
        report, _, after = run(root, encoder, listing=blind)
        assert [s.path for s in report.skipped] == [path] and report.removed == 0 and len(after) == len(table)


class TestInterruption:
    @pytest.mark.parametrize("again", [False, True])
    def test_ctrl_c_saves_what_is_finished_and_the_next_run_goes_on(self, root, encoder, monkeypatch, again):
        for i in range(60):
            draw_picture(root / f"many{i:02d}.jpg", 100 + i, size=(32, 24))
        whole, calls = encoder.encode_images, []

        def interrupted(images, batch_size=None):
            calls.append(len(images))
            if len(calls) == 2:
                raise KeyboardInterrupt
            return whole(images, batch_size)

        def impatient(reader, files):
            try:
                yield from reader.read(files)
            finally:
                if again:  # while the readers are waited for
                    raise KeyboardInterrupt

        monkeypatch.setattr(encoder, "encode_images", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(root, encoder, read=impatient)
        monkeypatch.undo()
        saved = open_store(root, encoder).rows.num_rows
        # The batch that was stopped waits for the next run, and perhaps a photo whose end had not been heard.
        assert 0 < calls[0] - 1 <= saved <= calls[0]
        report, _, _ = run(root, encoder)
        assert report.unchanged == saved and report.indexed == 67 - saved

    @pytest.mark.parametrize("known", [False, True])
    def test_a_folder_that_goes_away_in_mid_run_is_not_made_anew(self, root, encoder, monkeypatch, known):
        if known:
            run(root, encoder)
            draw_picture(root / "new.jpg", 9)
        whole = encoder.encode_images

        def gone(images):
            if root.exists():
                root.rename(root.with_name("away"))
            return whole(images)

        monkeypatch.setattr(encoder, "encode_images", gone)
        with pytest.raises(CacheError, match="is not there any more. If it lies on a mount, mount it anew"):
            run(root, encoder)
        assert not root.exists()
        monkeypatch.undo()
        root.with_name("away").rename(root)
        assert run(root, encoder)[0].skipped == []

    def test_a_slow_model_takes_few_at_once_and_what_it_has_made_is_saved_soon(self, root, encoder, monkeypatch):
        for i in range(40):
            draw_picture(root / f"many{i:02d}.jpg", 100 + i, size=(32, 24))
        now_s, calls, saved_s, whole = [0.0], [], [], encoder.encode_images
        store = open_store(root, encoder)

        def slow(images, batch_size=None):  # a second for each
            now_s[0] += len(images)
            calls.append(len(images))
            return whole(images)

        real = store.checkpoint
        monkeypatch.setattr("cliplib.index.update.time", SimpleNamespace(monotonic=lambda: now_s[0]))
        monkeypatch.setattr(encoder, "encode_images", slow)
        monkeypatch.setattr(store, "checkpoint", lambda *new: (saved_s.append(now_s[0]), real(*new))[1])
        update(root, store, encoder, progress=False)
        assert max(calls[1:]) == 1  # so that Ctrl-C is heard within two seconds
        assert saved_s[0] <= 20 and max(np.diff(saved_s)) <= 31

    def test_ctrl_c_keeps_what_was_read_of_moved_files(self, root, encoder):
        def reading(reader, files):
            for event in reader.read(files):
                asked.append(event.file.path)
                yield event
                if len(asked) == stop_after:
                    raise KeyboardInterrupt

        _, _, table = run(root, encoder)
        (root / "sub").rename(root / "other")
        asked, stop_after = [], 2
        with pytest.raises(KeyboardInterrupt):
            run(root, encoder, read=reading)
        moved, stop_after = set(asked), None
        paths = set(open_store(root, encoder).rows["path"].to_pylist())
        assert moved <= paths and len(paths) == 7  # no file is there twice
        report, encoded, after = run(root, encoder, read=reading)
        assert not moved & set(asked[2:]) and (report.moved, report.removed, encoded) == (2, 0, 0)
        assert len(after) == len(table)

    def test_fault_3_a_full_disk_keeps_the_old_index(self, root, encoder, monkeypatch):
        """A disk that fills up while saving: it is said, and the old index is whole."""
        _, _, table = run(root, encoder)
        draw_picture(root / "new.jpg", 9)
        monkeypatch.setattr("os.fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(CacheError, match="No space left on device"):
            run(root, encoder)
        monkeypatch.undo()
        assert open_store(root, encoder).rows.equals(table)
