"""An index outlives versions: of format 1 it opens, nothing is encoded again; what is newer is kept, or left alone."""

import os
import shutil
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import cliplib
from cliplib.cache import format, manifest, retention, rows, snapshot, staging
from cliplib.cache.store import Store
from cliplib.errors import CacheError
from cliplib.search import blocks
from tests.harness import format1
from tests.harness.libraries import draw_picture, draw_video

NEW = ("place_from", "frame_s", "provisional")


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    """Three photos, one of them a copy, and a video of three frames."""
    root = tmp_path_factory.mktemp("photos")
    for i, name in enumerate(["a.jpg", "b.png"]):
        draw_picture(root / name, i)
    shutil.copy2(root / "a.jpg", root / "copy.jpg")
    draw_video(root / "v.mp4", 7)
    library = cliplib.Library(root, model=weights, device="cpu", precision="fp32")
    library.index(progress=False)
    return library


def options(library):
    return {"model": library.model, "device": "cpu", "precision": "fp32"}


def without_encoding(library, monkeypatch):
    """The library, whose encoder refuses pictures from now on."""

    def refuse(images):
        assert not len(images), "an image was encoded"
        return np.empty((0, library.encoder.dim), np.float32)

    monkeypatch.setattr(library.encoder, "encode_images", refuse)
    return library


@pytest.fixture
def old(library, tmp_path, monkeypatch):
    """A library on a copy of the folder, with no index yet; it encodes no picture."""
    shutil.copytree(library.root, tmp_path / "photos", ignore=shutil.ignore_patterns(".cliplib"))
    return without_encoding(cliplib.Library(tmp_path / "photos", **options(library)), monkeypatch)


def answers(library):
    """Hits and previews for three questions."""
    asked = (
        library.search("a dog", k=9, threshold=-1),
        library.similar("b.png", k=9, threshold=-1),
        library.search_videos("a cat", k=9, threshold=-1),
    )
    assert all(asked)
    return [[(hit.path, hit.time_s, round(hit.score, 5), hits.thumbnail(hit)) for hit in hits] for hits in asked]


def tables_of(library):
    """Its rows in format 1, photos and frames apart."""
    table = format1.of(library.store.rows)
    return [table.filter(pc.equal(table["kind"], kind)) for kind in ("image", "frame")]


def with_others(table, **columns):
    """The rows with columns that no version of cliplib knows yet."""
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    return table


class TestFormat1:
    def test_an_index_answers_as_before_and_index_goes_on_from_it(self, library, old):
        format1.write_index(old.folder, tables_of(library), library.store.thumbnail, library.store.model)
        assert answers(old) == answers(library) and old.store.problems == []
        assert all(old.store.rows[name].null_count == 6 for name in NEW)
        report = old.index(progress=False)
        assert (report.unchanged, report.encoded, report.problems) == (4, 0, [])
        (old.root / "a.jpg").rename(old.root / "moved.jpg")
        assert old.index(progress=False).moved == 1
        assert old.photos() == ["b.png", "copy.jpg", "moved.jpg"]
        assert manifest.read(max(old.folder.glob("manifest*")))["format"] == format.VERSION

    def test_index_says_where_a_place_is_from_and_encodes_nothing(self, library, old):
        tables = [rows.with_column(table, "latitude", [None, *[48.5] * 2]) for table in tables_of(library)]
        format1.write_index(old.folder, tables, library.store.thumbnail, library.store.model)
        assert old.index(progress=False).encoded == 0
        again = Store(old.folder, library.store.model)
        assert again.rows["place_from"].to_pylist() == [None, "exif", "exif", None, "sidecar", "sidecar"]
        assert answers(old) == answers(library)
        written = len(list(old.folder.iterdir()))
        assert old.index(progress=False).unchanged == 4 and len(list(old.folder.iterdir())) == written

    def test_larger_than_memory_too(self, library, old):
        format1.write_index(old.folder, tables_of(library), library.store.thumbnail, library.store.model)
        for kind, whole in (("image", library.search), ("frame", library.search_videos)):
            hits = blocks.search(old, "a dog", k=9, kind=kind, threshold=-1)
            assert [(hit.path, hit.time_s) for hit in hits] == [
                (hit.path, hit.time_s) for hit in whole("a dog", k=9, threshold=-1)
            ]

    @pytest.mark.parametrize("name", ["album.parquet", "album.pkl"])
    def test_a_snapshot_too(self, library, old, tmp_path, name, monkeypatch):
        table = format1.of(library.store.rows)
        file = format1.write_snapshot(tmp_path / name, table, library.store.thumbnail, library.store.model)
        loaded = cliplib.Library.load(file, root=old.root, **options(library))
        without_encoding(loaded, monkeypatch)
        assert answers(loaded) == answers(library) and loaded.profiles.bodies() == []
        assert loaded.index(progress=False).encoded == 0

    def test_a_pack_too(self, library, tmp_path):
        table = format1.of(library.store.rows)
        file = format1.write_pack(tmp_path / "class.zip", table, library.store.thumbnail, library.store.model)
        assert answers(cliplib.Library.open_pack(file, **options(library))) == answers(library)


class TestNewer:
    def test_unknown_columns_stay_with_their_rows_whatever_index_does(self, library, old, monkeypatch):
        photos, frames = tables_of(library)
        names = photos["path"].to_pylist()
        moods = {name: f"mood of {name}" for name in names}
        others = {"a.mood": moods.values(), "warmth": range(3), "curve": [[1.0, 2.0]] * 3, "said": [["x"]] * 3}
        photos = with_others(photos, **{name: list(values) for name, values in others.items()})
        format1.write_index(old.folder, [photos, frames], library.store.thumbnail, library.store.model, format="2.7")
        assert answers(old) == answers(library)
        (old.root / "a.jpg").rename(old.root / "moved.jpg")
        os.utime(old.root / "b.png", ns=(1, 1))  # its row is written again
        assert old.index(progress=False).encoded == 0
        monkeypatch.setattr("cliplib.cache.store.MANY_PARTS", 0)
        old.store.compact()
        again = Store(old.folder, library.store.model)
        assert len(list(again.thumb_files())) == 1  # all parts have become one
        kept = {row["path"]: (row["a.mood"], row["warmth"]) for row in again.rows.to_pylist()}
        was = {"moved.jpg": "a.jpg", "b.png": "b.png", "copy.jpg": "copy.jpg"}
        assert kept == {path: (moods[old], names.index(old)) for path, old in was.items()} | {"v.mp4": (None, None)}
        assert again.problems == [] and "curve" not in again.rows.column_names  # no version adds lists

    def test_packs_and_snapshots_drop_unknown_columns(self, library, old, tmp_path):
        table = with_others(format1.of(library.store.rows), mood=["blue"] * 6, thumbnail=["x"] * 6)
        format1.write_index(old.folder, [table], library.store.thumbnail, library.store.model)
        assert "mood" in old.store.rows.column_names
        for file in (old.save(tmp_path / "a.parquet"), old.save(tmp_path / "a.pkl")):
            assert snapshot.load(file).rows.equals(rows.known_columns(old.store.rows))
        pack = cliplib.Library.open_pack(old.save_pack(tmp_path / "a.zip"), **options(library))
        assert pack.store.rows.column_names == [*rows.COLUMNS, "embedding"]

    def test_columns_about_whose_type_parts_disagree_do_no_harm(self, library, old):
        photos, frames = tables_of(library)
        parts = [with_others(photos, mood=["x"] * 3), with_others(frames, mood=[1, 2, 3])]
        format1.write_index(old.folder, parts, library.store.thumbnail, library.store.model)
        assert answers(old) == answers(library)

    @pytest.mark.parametrize("version", ["3.0", 3, "12.1"])
    def test_an_index_of_a_later_major_version_is_said_and_left_alone(self, library, old, version, monkeypatch):
        model = library.store.model
        file = format1.write_index(old.folder, tables_of(library), library.store.thumbnail, model, format=version)
        file.write_bytes(file.read_bytes().replace(b"\n ", b"\n  "))  # it may be laid out in another way
        for path in old.folder.iterdir():
            os.utime(path, (1, 1))
        before = {path: path.read_bytes() for path in old.folder.iterdir()}
        for ask in (
            lambda: len(old),
            lambda: old.search("a dog"),
            lambda: old.index(progress=False),
            lambda: blocks.search(old, "a dog"),
        ):
            with pytest.raises(CacheError, match=f"written by a newer cliplib, in format {version}.*Update cliplib"):
                ask()
        monkeypatch.setattr(retention, "KEPT_GENERATIONS", 0)
        retention.delete_old(old.folder)
        (finding,) = old.check()
        assert not finding.sound and "newer cliplib" in finding.advice and "NOT READABLE" in str(finding)
        assert {path: path.read_bytes() for path in old.folder.iterdir()} == before

    def test_one_that_comes_while_a_library_is_open_is_left_alone_too(self, library, old, tmp_path):
        given = library.store.thumbnail, library.store.model
        format1.write_index(old.folder, tables_of(library), *given)
        before = answers(old)
        body = manifest.read(max(old.folder.glob("manifest*")))
        format1.write_manifest(old.folder, body | {"format": "3.0", "id": "f" * 32, "created_ns": time.time_ns()})
        files = sorted(old.folder.iterdir())
        draw_picture(old.root / "new.jpg", 9)
        for ask in (lambda: old.index(progress=False), old.refresh) * 2:
            with pytest.raises(CacheError, match="newer cliplib"):
                ask()
        with pytest.raises(CacheError, match="newer cliplib"):
            staging.save_back(library.cache, old.cache)
        assert sorted(old.folder.iterdir()) == files and answers(old) == before

    @pytest.mark.parametrize(("name", "write"), [("a.parquet", "snapshot"), ("a.pkl", "snapshot"), ("a.zip", "pack")])
    def test_so_are_snapshots_and_packs(self, library, tmp_path, name, write):
        write, open_ = {
            "snapshot": (format1.write_snapshot, cliplib.Library.load),
            "pack": (format1.write_pack, cliplib.Library.open_pack),
        }[write]
        given = format1.of(library.store.rows), library.store.thumbnail, library.store.model
        with pytest.raises(CacheError, match=f"{name} was written by a newer cliplib, in format 3.1"):
            open_(write(tmp_path / name, *given, format="3.1"), **options(library))
        assert len(open_(write(tmp_path / name, *given, format="2.9"), **options(library))) == 6

    @pytest.mark.parametrize("version", [None, "new", 0, -1, [2], "9" * 5000])
    def test_what_states_no_version_is_damaged(self, library, old, version):
        format1.write_index(
            old.folder, tables_of(library), library.store.thumbnail, library.store.model, format=version
        )
        assert len(old) == 0 and "is damaged" in old.store.problems[0]
