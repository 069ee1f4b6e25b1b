"""The store: checkpoints, merging of heads, damage, compaction, thumbnails."""

import errno
import json
import os
import shutil

import pyarrow.parquet as pq
import pytest

from cliplib.cache import manifest, retention, rows
from cliplib.cache.store import Store, folder_name
from cliplib.errors import CacheError
from cliplib.media import retry
from tests.cache.test_rows import make
from tests.harness import colab as stand_ins

faults = stand_ins.faults  # a fixture

MODEL = {"model_id": "0123", "name": "toy", "dim": 8}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def add(target, paths, gone=(), failures=None, thumbs=True, **columns):
    """A checkpoint of new rows whose digests are "x" + path and whose thumbnails are the path's bytes."""
    records = [{"path": p, "kind": "image", "size": 1, "mtime_ns": 2, "digest": f"x{p}"} | columns for p in paths]
    new = rows.table(records, make(paths)[1])
    jpegs = {(f"x{path}", None): path.encode() for path in paths} if thumbs else {}
    target.checkpoint(new, jpegs, set(gone), failures or {})
    return new


def fill(target, parts):
    """So many checkpoints of one row each: p0, p1 ..."""
    for i in range(parts):
        add(target, [f"p{i}"])
    return target


def paths(target):
    return sorted(target.rows["path"].to_pylist())


class TestCheckpoint:
    def test_rows_survive_a_new_opening_bit_for_bit(self, folder):
        new = add(Store(folder, MODEL), ["a", "b"])
        assert Store(folder, MODEL).rows.equals(new.combine_chunks())

    def test_nothing_is_written_before_the_first(self, folder):
        assert Store(folder, MODEL).rows.num_rows == 0
        assert not folder.exists()

    def test_new_rows_replace_those_of_their_path_and_gone_ones_die(self, folder):
        first = Store(folder, MODEL)
        add(first, ["a", "b", "c"])
        add(first, ["b", "d"], gone=["c"], mtime_ns=3)
        again = Store(folder, MODEL)
        assert paths(first) == paths(again) == ["a", "b", "d"]
        assert dict(zip(again.rows["path"].to_pylist(), again.rows["mtime_ns"].to_pylist(), strict=True))["b"] == 3

    def test_a_path_that_comes_back_is_not_killed_by_its_old_tombstone(self, folder):
        first = Store(folder, MODEL)
        add(first, ["a", "b"])
        add(first, [], gone=["a"])
        add(first, ["a"])
        assert paths(Store(folder, MODEL)) == ["a", "b"]

    def test_photos_come_before_frames(self, folder):
        first = Store(folder, MODEL)
        add(first, ["v.mp4"], kind="frame", time_s=1.0)
        add(first, ["a"])
        assert first.rows["kind"].to_pylist() == Store(folder, MODEL).rows["kind"].to_pylist() == ["image", "frame"]

    def test_rows_have_the_same_order_in_the_session_that_wrote_them_and_in_the_next(self, folder):
        first = fill(Store(folder, MODEL), 9)
        add(first, ["p3", "late"], mtime_ns=3)
        assert first.rows["path"].to_pylist() == Store(folder, MODEL).rows["path"].to_pylist()

    def test_failures_are_kept_and_replaced(self, folder):
        first = Store(folder, MODEL)
        add(first, ["a"], failures={"bad": {"size": 1, "mtime_ns": 1, "stage": "decode", "reason": "r"}})
        assert Store(folder, MODEL).failures["bad"]["reason"] == "r"
        add(first, ["b"])
        assert Store(folder, MODEL).failures == {}

    @pytest.mark.parametrize("broken", ["fsync", "replace"])
    def test_fault_3_and_5_a_refusing_disk_leaves_the_old_state(self, folder, monkeypatch, broken):
        """A disk that fills up while saving: it is said, and the old index is whole. An error on writing or renaming:
        tried again, then said, and the old generation is kept.
        """
        first = Store(folder, MODEL)
        add(first, ["a"])

        def refuse(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, broken, refuse)
        with pytest.raises(CacheError, match=r"No space left on device. What was saved before is intact"):
            add(first, ["b"])
        monkeypatch.undo()
        assert paths(first) == paths(Store(folder, MODEL)) == ["a"]
        assert not list(folder.glob(".*.tmp"))


class TestLoad:
    def test_fault_8_two_writers_lose_nothing(self, folder):
        """Two sessions that index one library: both finish, and no row is lost."""
        add(Store(folder, MODEL), ["a", "b"])
        one, two = Store(folder, MODEL), Store(folder, MODEL)
        add(one, ["c", "d"], gone=["a"])
        add(two, ["c", "e"], mtime_ns=9)
        both = Store(folder, MODEL)
        assert paths(both) == ["b", "c", "d", "e"] and not both.problems
        add(both, ["f"])
        assert paths(Store(folder, MODEL)) == ["b", "c", "d", "e", "f"]

    def test_refresh_sees_what_another_writer_saved(self, folder):
        one, two = Store(folder, MODEL), Store(folder, MODEL)
        add(one, ["a"])
        assert paths(two) == []
        two.refresh()
        assert paths(two) == ["a"]
        before = two.rows
        two.refresh()
        assert two.rows is before  # nothing new, nothing read

    def test_refresh_sees_what_came_during_a_compaction(self, folder):
        mine, theirs = Store(folder, MODEL), Store(folder, MODEL)
        fill(mine, 9)
        add(theirs, ["t"])
        mine.compact()
        assert mine.refresh() and "t" in paths(mine)

    def test_a_manifest_that_is_deleted_meanwhile_is_no_damage(self, folder, faults):
        add(Store(folder, MODEL), ["a"])
        add(Store(folder, MODEL), ["b"])
        faults.order("open", min(folder.glob("manifest*")), errno.ENOENT)
        after = Store(folder, MODEL)
        assert paths(after) == ["a", "b"] and after.problems == [] and faults.met

    def test_fault_4_a_folder_that_cannot_be_listed_is_no_empty_cache(self, folder, faults):
        """An error on reading that may pass: tried again, then reported."""
        add(Store(folder, MODEL), ["a"])
        faults.order("list", folder, errno.EIO, times=2)
        assert paths(Store(folder, MODEL)) == ["a"]
        faults.order("list", folder, errno.EIO)
        with pytest.raises(CacheError, match=r"cache cannot be listed: Input/output error.*mount it anew"):
            Store(folder, MODEL)

    def test_fault_9_copies_with_other_names_count_once(self, folder):
        """Copies in the cache such as "manifest (1).json": the newest that verifies is used."""
        add(Store(folder, MODEL), ["a"])
        for file in list(folder.iterdir()):
            shutil.copy(file, file.with_name(f"{file.stem} (1){file.suffix}"))
        assert paths(Store(folder, MODEL)) == ["a"]

    @pytest.mark.parametrize("damage", ["truncate", "flip", "delete"])
    def test_fault_10_and_11_a_damaged_part_is_named_and_the_generation_before_used(self, folder, damage):
        """A truncated Parquet or pickle: named, and the generation before it is used. One flipped bit in the cache:
        found.
        """
        first = Store(folder, MODEL)
        add(first, ["a"])
        old = set(folder.glob("part-*"))
        add(first, ["b"])
        (new,) = set(folder.glob("part-*")) - old
        data = bytearray(new.read_bytes())
        data[len(data) // 2] ^= 1
        new.unlink() if damage == "delete" else new.write_bytes(data[:99] if damage == "truncate" else data)
        after = Store(folder, MODEL)
        assert paths(after) == ["a"]
        assert new.name in after.problems[0]

    def test_fault_11_a_damaged_manifest_is_named_and_the_one_before_used(self, folder):
        """One flipped bit in the cache: found."""
        first = Store(folder, MODEL)
        add(first, ["a"])
        add(first, ["b"])
        newest = max(folder.glob("manifest*"))
        newest.write_bytes(newest.read_bytes().replace(b'"rows": 1', b'"rows": 2', 1))
        after = Store(folder, MODEL)
        assert paths(after) == ["a"]
        assert after.problems == [f"{newest.name} is damaged and was passed over"]

    def test_fault_16_manifests_of_another_model_are_said(self, folder):
        """Rows of another model or width, NaN or zero vectors: refused or encoded again, and said."""
        add(Store(folder, MODEL), ["a"])
        other = Store(folder, MODEL | {"model_id": "ffff", "name": "other"})
        assert other.rows.num_rows == 0 and "is of model 'toy', not 'other'" in other.problems[0]

    def test_a_manifest_cannot_name_a_part_outside_its_folder(self, folder, tmp_path):
        first = Store(folder, MODEL)
        add(first, ["a"])
        (part,) = folder.glob("part-*")
        shutil.move(part, tmp_path / part.name)
        file = max(folder.glob("manifest*"))
        body = json.loads(file.read_bytes())["body"]
        body["parts"][0]["name"] = f"../{part.name}"
        file.write_bytes(manifest.to_bytes(body))
        assert Store(folder, MODEL).rows.num_rows == 0


class TestCompact:
    def test_many_parts_become_few_with_the_same_rows_and_thumbnails(self, folder):
        first = Store(folder, MODEL)
        for i in range(20):
            add(first, [f"p{i:02d}", f"q{i:02d}"], gone=[f"q{i - 1:02d}"])
        before = first.rows.sort_by("path")
        first.compact()
        again = Store(folder, MODEL)
        assert again.rows.sort_by("path").equals(before)
        bodies, _ = manifest.read_all(folder)
        (head,) = manifest.heads(bodies)
        assert len(bodies[head]["parts"]) <= 2
        assert again.thumbnail(("xp07", None)) == b"p07"

    def test_deletes_only_what_no_recent_manifest_names(self, folder):
        first = fill(Store(folder, MODEL), 12)
        for file in folder.iterdir():
            os.utime(file, (1, 1))
        first.compact()
        left = [manifest.read(file) for file in folder.glob("manifest*")]
        assert len(left) == retention.KEPT_GENERATIONS
        assert all((folder / name).exists() for body in left for name in manifest.files_named(body))
        assert paths(Store(folder, MODEL)) == sorted(f"p{i}" for i in range(12))

    def test_a_writer_that_knew_the_old_parts_loses_nothing(self, folder):
        first = fill(Store(folder, MODEL), 12)
        slow = Store(folder, MODEL)
        first.compact()
        add(slow, ["late"], gone=["p3"])
        assert "late" in paths(Store(folder, MODEL))
        assert set(paths(Store(folder, MODEL))) >= {f"p{i}" for i in range(12) if i != 3}


class TestThumbnails:
    def test_found_by_content_and_time(self, folder):
        add(Store(folder, MODEL), [f"p{i}" for i in range(100)])
        again = Store(folder, MODEL)
        assert again.thumbnail(("xp77", None)) == b"p77"
        assert again.thumbnail(("xp77", 1.0)) is None

    def test_merging_keeps_every_picture_and_reads_each_row_group_once(self, folder, monkeypatch):
        first, read, sizes = Store(folder, MODEL), pq.ParquetFile.read_row_group, []
        names = [f"{part}-{i}" for part in range(12) for i in range(40)]
        for start in range(0, len(names), 40):
            add(first, names[start : start + 40])

        def counting(*given, **options):
            group = read(*given, **options)
            sizes.append(group.num_rows)
            return group

        monkeypatch.setattr(pq.ParquetFile, "read_row_group", counting)
        first.compact()
        # 12 packs of 40 pictures in groups of 32 and 8; the first group is looked at beforehand: is there a picture?
        assert sorted(sizes) == [8] * 12 + [32] * 13
        again = Store(folder, MODEL)
        assert [again.thumbnail((f"x{name}", None)) for name in names] == [name.encode() for name in names]

    @pytest.mark.parametrize(("owner", "call"), [(pq, "read_table"), (pq.ParquetFile, "read_row_group")])
    def test_fault_4_merging_keeps_pictures_that_need_a_second_try(self, folder, monkeypatch, owner, call):
        """An error on reading that may pass: tried again, then reported."""
        first, real, calls = Store(folder, MODEL), getattr(owner, call), []
        fill(first, 9)

        def fails_every_other_time(*given, **options):
            calls.append(given)
            if len(calls) % 2:
                raise OSError(errno.EIO, "Input/output error")
            return real(*given, **options)

        monkeypatch.setattr(retry, "RETRY_WAITS_S", (0,))
        monkeypatch.setattr(owner, call, fails_every_other_time)
        first.compact()
        monkeypatch.undo()
        again = Store(folder, MODEL)
        assert [again.thumbnail((f"xp{i}", None)) for i in range(9)] == [f"p{i}".encode() for i in range(9)]

    def test_a_damaged_pack_costs_its_pictures_only(self, folder):
        first = Store(folder, MODEL)
        add(first, ["a"])
        (pack,) = folder.glob("thumbs-*")
        pack.write_bytes(pack.read_bytes()[:-8])
        again = Store(folder, MODEL)
        assert again.thumbnail(("xa", None)) is None
        add(again, ["b"])
        assert again.thumbnail(("xb", None)) == b"b"
        (problem,) = again.problems  # said once
        assert "thumbnails cannot be read" in problem
        assert paths(again) == ["a", "b"]


def test_cache_folders_are_named_after_the_model(tmp_path):
    (tmp_path / "my model.pt").touch()
    names = [folder_name(model, "0123456789abcdef") for model in ("ViT-B/32", "tiny", str(tmp_path / "my model.pt"))]
    assert names == ["ViT-B-32-0123456789ab", "tiny-0123456789ab", "my-model.pt-0123456789ab"]
