"""One read interface: a folder's store, a snapshot and a pack of it tell the same, and a search engine takes any."""

import pytest

import cliplib
from cliplib.cache import snapshot
from cliplib.cache.pack import Pack
from cliplib.cache.reader import IndexReader
from cliplib.search.engine import SearchEngine
from tests.harness.libraries import draw_picture, draw_video


@pytest.fixture(scope="module")
def library(tmp_path_factory, weights):
    root = tmp_path_factory.mktemp("photos")
    for i, name in enumerate(["a.jpg", "b.png", "c.jpg"]):
        draw_picture(root / name, i)
    draw_video(root / "v.mp4", 7)
    (root / "bad.jpg").write_bytes(b"no photo")
    library = cliplib.Library(root, model=weights, device="cpu", precision="fp32")
    library.index(progress=False)
    return library


@pytest.fixture(params=["folder", "album.parquet", "album.pkl", "class.zip"])
def reader(request, library, tmp_path):
    if request.param == "folder":
        return library.store
    if request.param == "class.zip":
        return Pack(library.save_pack(tmp_path / request.param, places=True))
    return snapshot.load(library.save(tmp_path / request.param))


def test_all_tell_the_same(reader, library):
    index: IndexReader = reader
    assert isinstance(index, IndexReader)
    assert index.rows.equals(library.store.rows) and index.rows["path"].num_chunks == 1
    assert index.model["model_id"] == library.encoder.model_id and index.problems == []
    for key in [(row["digest"], row["time_s"]) for row in index.rows.select(["digest", "time_s"]).to_pylist()]:
        assert index.thumbnail(key) == library.store.thumbnail(key) is not None
    assert index.thumbnail(("no such digest", None)) is None
    assert set(index.failures) == ({"bad.jpg"} if index is library.store else set())


def test_a_search_engine_takes_any(reader, library, tmp_path):
    engine = SearchEngine(reader, library.encoder, library.cutoff, library.root, tmp_path)
    for row_kind, ask in (("image", library.search), ("frame", library.search_videos)):
        (scores,) = engine.scores(["a dog"], row_kind)
        hits, expected = scores.top(9, -1), ask("a dog", k=9, threshold=-1)
        assert hits.hits == expected.hits and len(hits) == 3
        assert [hits.thumbnail(hit) for hit in hits] == [expected.thumbnail(hit) for hit in hits]
