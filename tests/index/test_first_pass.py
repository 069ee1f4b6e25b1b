"""The first pass: searchable by previews, exact in the end, and nothing lost in between."""

import shutil
import warnings

import numpy as np
import pytest

from cliplib import Library
from cliplib.cache import rows
from cliplib.index.pipeline import Reader
from tests.harness.heics import save_heic
from tests.harness.libraries import draw_picture, picture


class Stopped(Exception):
    """In place of a process that is killed."""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Eight iPhone photos, one of them twice, another without a thumbnail; a JPEG, and a HEIC that is cut."""
    root = tmp_path_factory.mktemp("phone")
    for i in range(8):
        save_heic(root / f"{i}.heic", picture(i).resize((640, 480)), 320 if i else None, orientation=1 + i % 8)
    shutil.copy(root / "7.heic", root / "copy.heic")
    draw_picture(root / "plain.jpg", 20)
    whole = (root / "3.heic").read_bytes()
    (root / "cut.heic").write_bytes(whole[:5000])
    return root


@pytest.fixture
def opened(drawn, weights, tmp_path):
    """Opens the library of a copy of the folder, with a cache of a name."""
    root = shutil.copytree(drawn, tmp_path / "photos")

    def opened(cache="cache"):
        return Library(root, weights, cache=tmp_path / cache, device="cpu", precision="fp32")

    return opened


def first_pass_alone(reader, files):
    """Reads as `Reader.read` does, and dies when the second pass begins."""
    if not reader.previews:
        raise Stopped
    yield from Reader.read(reader, files)


def provisional(library):
    table = library.store.rows
    return sorted(table["path"].filter(table["provisional"]).to_pylist())


def by_path(library):
    return library.store.rows.sort_by("path")


def embeddings(library):
    """By path."""
    return dict(zip(library.store.rows["path"].to_pylist(), rows.matrix(library.store.rows), strict=True))


def assert_exact(library, other):
    """The same rows as another library has: equal facts, and embeddings with a cosine of 0.9999 or more."""
    ours, theirs = by_path(library), by_path(other)
    assert ours.drop_columns(["embedding"]).equals(theirs.drop_columns(["embedding"]))
    assert np.einsum("ij,ij->i", rows.matrix(ours), rows.matrix(theirs)).min() >= 0.9999


PREVIEWED = [*(f"{i}.heic" for i in range(1, 8)), "copy.heic"]


def test_one_can_search_after_the_first_pass_and_a_killed_run_is_finished_by_the_next(opened):
    library, plain = opened(), opened("plain")
    with pytest.raises(Stopped):
        library.index(progress=False, first_pass=True, read=first_pass_alone)
    again = opened()  # what a new process finds
    assert set(PREVIEWED) <= set(provisional(again)) == set(again.photos())
    assert len(again.search("a red circle", k=20, threshold=-1)) == 8 - 1 + len({*provisional(again)} - {*PREVIEWED})
    key = rows.keys(again.store.rows)[0]
    assert again.store.thumbnail(key)[:2] == b"\xff\xd8"
    kept = embeddings(again)

    report = again.index(progress=False)
    assert (report.indexed, report.unchanged, [s.path for s in report.skipped]) == (10, 0, ["cut.heic"])
    assert provisional(again) == [] and "cut.heic" not in again.photos()
    assert plain.index(progress=False, first_pass=False).indexed == 10
    assert_exact(again, plain)
    exact = embeddings(again)
    assert all(kept[path] @ exact[path] > 0.98 for path in PREVIEWED)
    assert again.index(progress=False).unchanged == 10


def test_both_passes_in_one_run_are_counted_once_and_end_exact(opened):
    library, plain = opened(), opened("plain")
    report, expected = library.index(progress=False, first_pass=True), plain.index(progress=False, first_pass=False)
    for name in ("indexed", "unchanged", "removed", "encoded", "moved", "photos", "skipped"):
        assert getattr(report, name) == getattr(expected, name), name
    assert_exact(library, plain)


def test_an_exact_row_never_gives_way_to_a_preview(opened):
    library = opened()
    library.index(progress=False, first_pass=False)
    save_heic(library.root / "1.heic", picture(30).resize((640, 480)))
    with pytest.raises(Stopped):
        library.index(progress=False, first_pass=True, read=first_pass_alone)
    assert provisional(library) == []


def test_by_default_only_where_half_of_the_new_photos_carry_one(opened):
    library, passes = opened(), []

    def noted(reader, files):
        passes.append((reader.previews, len(files)))
        return Reader.read(reader, files)

    for i in range(40, 47):
        draw_picture(library.root / f"{i}.jpg", i)  # so that 9 of 18 say that they carry one
    library.index(progress=False, read=noted)
    for i in range(50, 60):
        draw_picture(library.root / f"{i}.jpg", i)
        save_heic(library.root / f"{i}.heic", picture(i).resize((640, 480)), 320 if i < 59 else None)
    library.index(progress=False, read=noted)
    asked_not = opened("other")
    asked_not.index(progress=False, first_pass=False, read=noted)
    assert passes == [(True, 18), (False, 18), (False, 20), (False, 38)]


def test_of_two_writers_the_exact_row_stays(opened):
    first, second = opened(), opened()
    assert len(first) == len(second) == 0
    second.store.refresh = lambda **_: False  # it begins before the first has saved anything
    first.index(progress=False, first_pass=False)
    with pytest.raises(Stopped):
        second.index(progress=False, first_pass=True, read=first_pass_alone)
    assert_exact(opened(), first)


def test_a_snapshot_and_a_pack_say_what_is_provisional(opened, tmp_path, weights):
    library = opened()
    with pytest.raises(Stopped):
        library.index(progress=False, first_pass=True, read=first_pass_alone)
    count = len(provisional(library))
    said = f"{count} photos are searched by the small previews in their files so far"
    for file, save, load in (
        ("a.parquet", "save", "load"),
        ("a.pkl", "save", "load"),
        ("a.zip", "save_pack", "open_pack"),
    ):
        with pytest.warns(UserWarning, match=f"{file}: {said}"):
            getattr(library, save)(tmp_path / file)
        with pytest.warns(UserWarning, match=f"{file}: {said}"):
            carried = getattr(Library, load)(tmp_path / file, model=weights)
        assert len(provisional(carried)) == count
    library.index(progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        library.save(tmp_path / "b.parquet")
