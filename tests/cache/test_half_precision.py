"""Half precision: an index half as large, read everywhere, whose cosines are those of single precision within 0.001."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cliplib
from cliplib.cache import rows
from cliplib.cache.store import Store
from cliplib.errors import CacheError, LibraryError
from cliplib.search import blocks
from tests.cache.test_rows import make
from tests.cache.test_store import MODEL, add, paths
from tests.harness.libraries import draw_picture, draw_video


@pytest.fixture(scope="module")
def exact(tmp_path_factory, weights):
    root = tmp_path_factory.mktemp("photos")
    for i in range(4):
        draw_picture(root / f"{i}.jpg", i)
    draw_video(root / "v.mp4", 7)
    library = cliplib.Library(root, model=weights, device="cpu", precision="fp32")
    library.index(progress=False)
    return library


def in_half(exact, tmp_path):
    """A copy of the library, with half precision asked for."""
    shutil.copytree(exact.root, tmp_path / "photos")
    options = {"model": exact.model, "device": "cpu", "precision": "fp32"}
    return cliplib.Library(tmp_path / "photos", embeddings="float16", **options)


def stored(folder):
    """The types of the embeddings in its newest part, and the rest of its parts."""
    return [pq.read_schema(file).field("embedding").type.value_type for file in sorted(folder.glob("part-*"))]


def test_an_index_is_rewritten_without_encoding_and_answers_alike(exact, tmp_path):
    half = in_half(exact, tmp_path)
    (before,) = half.folder.glob("part-*")
    assert half.index(progress=False).encoded == 0
    (part,) = set(half.folder.glob("part-*")) - {before}
    assert pq.read_schema(part).field("embedding").type == pa.list_(pa.field("element", pa.float16(), False), 32)
    again = cliplib.Library(half.root, model=exact.model, device="cpu", precision="fp32")
    assert again.store.rows.equals(half.store.rows)  # the session that wrote them sees what the next one does
    whole = rows.matrix(exact.store.rows)
    assert np.abs(rows.matrix(again.store.rows) @ whole.T - whole @ whole.T).max() < 1e-3
    for ask, kind in ((exact.search, "image"), (exact.search_videos, "frame")):
        name = "search" if kind == "image" else "search_videos"
        expected = ask("a dog", k=9, threshold=-1)
        for hits in (
            getattr(again, name)("a dog", k=9, threshold=-1),
            blocks.search(again, "a dog", k=9, kind=kind, threshold=-1),
        ):
            scores = {(hit.path, hit.time_s): hit.score for hit in hits}
            assert scores == pytest.approx({(hit.path, hit.time_s): hit.score for hit in expected}, abs=1e-3)
    draw_picture(again.root / "new.jpg", 9)
    assert again.index(progress=False).encoded == 1  # goes on in half precision, unasked
    assert stored(half.folder).count(pa.float16()) == 2


@pytest.mark.parametrize("name", ["a.parquet", "a.pkl", "a.zip"])
def test_snapshots_and_packs_carry_it(exact, tmp_path, name):
    half = in_half(exact, tmp_path)
    half.index(progress=False)
    options = {"model": exact.model, "device": "cpu", "precision": "fp32"}
    if name == "a.zip":
        other = cliplib.Library.open_pack(half.save_pack(tmp_path / name, places=True), **options)
    else:
        other = cliplib.Library.load(half.save(tmp_path / name), root=half.root, **options)
    assert other.store.rows.equals(half.store.rows)


def test_parts_of_both_precisions_lie_side_by_side(tmp_path):
    add(Store(tmp_path, MODEL), ["a"])
    add(Store(tmp_path, MODEL, "float16"), ["b"])
    add(Store(tmp_path, MODEL), ["c"])  # of what is mixed, a writer without a wish makes nothing coarser
    assert paths(Store(tmp_path, MODEL)) == ["a", "b", "c"]
    assert sorted(map(str, stored(tmp_path))) == ["float", "float", "halffloat"]
    Store(tmp_path, MODEL).upgrade()
    assert len(stored(tmp_path)) == 3
    wishing = Store(tmp_path, MODEL, "float16")
    wishing.upgrade()
    wishing.upgrade()  # nothing is left to do
    assert len(list(tmp_path.glob("manifest*"))) == 4 and stored(tmp_path).count(pa.float16()) == 3
    assert paths(Store(tmp_path, MODEL)) == ["a", "b", "c"]
    assert [wishing.thumbnail((f"x{path}", None)) for path in "abc"] == [b"a", b"b", b"c"]


def test_half_precision_survives_the_way_to_single_and_back():
    table, vectors = make(["a", "b", "c"])
    half = rows.with_embeddings_of(table, "float16")
    single = rows.with_embeddings_of(half, "float32")
    np.testing.assert_array_equal(rows.matrix(single), vectors.astype(np.float16).astype(np.float32))
    assert rows.with_embeddings_of(single, "float16").equals(half)
    assert rows.checked(half.slice(1), 8, "p")[0].equals(single.slice(1))
    assert rows.checked(half.slice(0, 0), 8, "p")[0].num_rows == 0


def test_a_missing_embedding_of_half_precision_is_refused():
    kind = pa.list_(pa.float16(), 8)
    table, _ = make(["a", "b"])
    for values in ([None, [np.float16(0)] * 8], [[None] * 8, [np.float16(0)] * 8]):
        odd = table.set_column(table.num_columns - 1, "embedding", pa.array(values, kind))
        with pytest.raises(CacheError, match="embedding|wrong type"):
            rows.checked(odd, 8, "p")


def test_a_wrong_wish_is_refused(tmp_path):
    with pytest.raises(LibraryError, match="'half': it can be 'float32', 'float16', or None"):
        cliplib.Library(tmp_path, embeddings="half")
