"""An index larger than memory: the same answers, from a block of rows at a time."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cliplib import Library
from cliplib.cache import flat, rows
from cliplib.cache.store import Store
from cliplib.cache.thumbs import Thumbs
from cliplib.errors import CacheError, QueryError
from cliplib.search import blocks
from cliplib.search.bank import Background

DIM = 32  # numbers in a row of the random CLIP


def near(direction, cosines, rng):
    """Unit rows, float32 (n, d), of these cosines with a unit direction."""
    noise = rng.normal(size=(len(cosines), len(direction)))
    noise -= np.outer(noise @ direction, direction)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return (np.outer(cosines, direction) + np.sqrt(1 - np.square(cosines))[:, None] * noise).astype(np.float32)


def records(prefix, n, **facts):
    about = {"kind": "image", "size": 1, "mtime_ns": 1} | facts
    return [{"path": f"{prefix}/{i:04d}.jpg", "digest": f"{prefix} {i}"} | about for i in range(n)]


@pytest.fixture
def library(weights, tmp_path, monkeypatch):
    """Three parts of 600 photos, some of them dead, and a part of 300 frames; scores of "a dog" from -0.5 to 0.9.

    The best 70 are copies of one photo, and 40 are of one score.
    """
    library = Library(tmp_path, weights, cache=tmp_path / "cache", device="cpu", precision="fp32")
    rng, dog = np.random.default_rng(0), np.eye(DIM)[0]  # with it a cosine is one exact number, and ties are ties
    monkeypatch.setattr(library.encoder, "encode_texts", lambda texts: np.eye(DIM, dtype=np.float32)[:1])
    for name in "abc":
        scores = rng.uniform(-0.5, 0.7, 600)
        vectors, facts = near(dog, scores, rng), records(name, 600)
        if name != "a":
            vectors[100:135] = near(dog, [0.9], rng)
            facts[100:135] = [fact | {"digest": "one photo"} for fact in facts[100:135]]
            vectors[200:220] = near(dog, [0.8], np.random.default_rng(1))
        library.store.checkpoint(rows.table(facts, vectors), {}, set(), {})
    library.store.checkpoint(
        rows.table(records("a", 40), near(dog, rng.uniform(0.3, 0.75, 40), rng)), {}, {"b/0200.jpg"}, {}
    )
    film = [
        row | {"time_s": float(i), "path": "film.mp4", "digest": "film"}
        for i, row in enumerate(records("f", 300, kind="frame"))
    ]
    library.store.checkpoint(rows.table(film, near(dog, rng.uniform(-0.5, 0.7, 300), rng)), {}, set(), {})
    opened = Library(tmp_path, weights, cache=tmp_path / "cache", device="cpu", precision="fp32")
    opened.encoder = library.encoder
    return opened


@pytest.fixture
def bank(monkeypatch):
    """130 texts of a bank: a few that say the same as "a dog", one word for word, and others."""
    rng, dog = np.random.default_rng(5), np.eye(DIM)[0]
    vectors = near(dog, [1.0, 0.97, 0.96, *rng.uniform(-0.1, 0.8, 127)], rng)
    monkeypatch.setattr(Background, "texts", tuple(f"text {i}" for i in range(len(vectors))))
    monkeypatch.setattr(Background, "vectors", vectors)
    return vectors


def same_hits(found, expected):
    for ours, theirs in ((found, expected), (found.nearest, expected.nearest)):
        assert [(hit.path, hit.time_s) for hit in ours] == [(hit.path, hit.time_s) for hit in theirs]
        scores, matches = (
            [[getattr(hit, what) for hit in hits] for hits in (ours, theirs)] for what in ("score", "match")
        )
        np.testing.assert_allclose(*scores, rtol=0, atol=1e-6)
        if found.scale == "match":  # where one text makes up all of a background, what is left of it is a difference
            np.testing.assert_allclose(*matches, rtol=0, atol=1e-4)
    assert [hit.duplicates for hit in found] == [hit.duplicates for hit in expected]
    assert (found.searched, found.scale) == (expected.searched, expected.scale)
    assert found.threshold == pytest.approx(expected.threshold, abs=1e-4)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_match_is_that_of_the_library_in_parts_of_parquet_and_flat_ones(library, bank, monkeypatch, precision):
    library.store.embeddings = precision
    if precision == "float16":
        library.store.compact()
    monkeypatch.setattr(flat, "BATCH", 97)
    small = rows.iter_blocks
    monkeypatch.setattr(rows, "iter_blocks", lambda file: small(file, 97))
    whole = Library(library.root, library.model, cache=library.cache, device="cpu", precision="fp32")
    whole.encoder = library.encoder
    asked = [(kind, k) for kind in ("image", "frame") for k in (1, 5, 60, 9999)]
    expected = [whole.score("a dog", kind).top(k) for kind, k in asked]
    assert {hits.scale for hits in expected} == {"match"} and min(map(len, expected)) > 0
    for lay in (lambda: None, lambda: blocks.lay_flat(library)):
        lay()
        for (kind, k), theirs in zip(asked, expected, strict=True):
            same_hits(blocks.search(library, "a dog", k, kind), theirs)
    same_hits(blocks.search(library, "a dog", ranking="cosine"), whole.search("a dog", ranking="cosine"))
    same_hits(blocks.search(library, "a dog", 5, threshold=0.3), whole.search("a dog", 5, 0.3))


def test_where_nothing_matches_the_nearest_are_those_of_the_library(library, bank, monkeypatch):
    monkeypatch.setattr("cliplib.search.background.MARGIN", 0.95)
    other = -np.eye(DIM, dtype=np.float32)[:1]
    monkeypatch.setattr(library.encoder, "encode_texts", lambda texts: other)
    found, expected = blocks.search(library, "a lemma"), library.search("a lemma")
    same_hits(found, expected)
    assert not found and expected.empty_message().startswith(found.empty_message()[:-1])


def test_what_a_match_needs_of_a_part_is_computed_once_and_goes_with_the_part(library, bank, monkeypatch):
    expected = blocks.search(library, "a dog", 9)
    with monkeypatch.context() as patched:
        patched.setattr(blocks, "row_statistics", lambda *_: pytest.fail("computed again"))
        same_hits(blocks.search(library, "a dog", 9), expected)
    kept = {file.name for file in library.folder.glob("side-match_image_part_*")}
    (library.folder / "side-match_image_part_gone-0.parquet").write_bytes(b"of a part that is gone")
    blocks.search(library, "a dog", 9)
    assert len(kept) > 1 and {file.name for file in library.folder.glob("side-match_*")} == kept


@pytest.mark.parametrize("kind", ["image", "frame"])
@pytest.mark.parametrize(
    ("k", "threshold"), [(1, -1.0), (5, 0.25), (7, 0.79), (60, -1.0), (500, 0.5), (5, 0.95), (9999, -1.0)]
)
def test_the_answer_is_that_of_the_whole_index_with_ties_copies_and_dead_rows(library, monkeypatch, kind, k, threshold):
    expected = library.score("a dog", kind, "cosine").top(k, threshold)
    small = rows.iter_blocks
    monkeypatch.setattr(rows, "iter_blocks", lambda file: small(file, 97))
    found = blocks.search(library, "a dog", k, kind, threshold)
    for ours, theirs in ((found, expected), (found.nearest, expected.nearest)):
        assert [(hit.path, hit.time_s) for hit in ours] == [(hit.path, hit.time_s) for hit in theirs]
        np.testing.assert_allclose([hit.score for hit in ours], [hit.score for hit in theirs], rtol=0, atol=1e-6)
    assert [hit.duplicates for hit in found] == [hit.duplicates for hit in expected]
    assert (found.searched, found.threshold) == (expected.searched, threshold)


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("batch", [97, 2**16])
def test_parts_that_are_laid_flat_give_the_same_answers(library, weights, monkeypatch, precision, batch):
    monkeypatch.setattr(flat, "BATCH", batch)
    library.store.embeddings = precision
    library.store.compact()
    library = Library(library.root, weights, cache=library.cache, device="cpu", precision="fp32")
    monkeypatch.setattr(library.encoder, "encode_texts", lambda texts: np.eye(DIM, dtype=np.float32)[:1])
    asked = [("image", 5, 0.25), ("image", 60, -1.0), ("frame", 7, -1.0), ("image", 5, 0.95)]
    expected = [blocks.search(library, "a dog", k, kind, threshold) for kind, k, threshold in asked]
    (library.folder / "flat-left.arrow").write_bytes(b"of a part that is gone")
    blocks.lay_flat(library)
    assert len([*library.folder.glob("flat-*")]) == len(blocks.live_parts(library.folder, library.encoder.model_id))
    monkeypatch.setattr(rows, "iter_blocks", lambda *_: pytest.fail("unpacked"))
    blocks.lay_flat(library)  # again, which does nothing
    for (kind, k, threshold), theirs in zip(asked, expected, strict=True):
        ours = blocks.search(library, "a dog", k, kind, threshold)
        assert [(hit.path, hit.time_s) for hit in ours] == [(hit.path, hit.time_s) for hit in theirs]
        np.testing.assert_allclose([hit.score for hit in ours], [hit.score for hit in theirs], rtol=0, atol=1e-6)
        assert ours.searched == theirs.searched


def test_a_flat_file_that_is_cut_or_of_another_part_is_passed_over(library):
    expected = [hit.path for hit in blocks.search(library, "a dog", 20, threshold=-1)]
    blocks.lay_flat(library)
    one, other, *_ = sorted(library.folder.glob("flat-*"))
    one.write_bytes(other.read_bytes())
    other.write_bytes(other.read_bytes()[:-9])
    assert [hit.path for hit in blocks.search(library, "a dog", 20, threshold=-1)] == expected


def test_the_index_is_not_opened_for_the_threshold(library, weights, monkeypatch):
    again = Library(library.root, weights, cache=library.cache, device="cpu", precision="fp32")
    monkeypatch.setattr(Store, "__init__", lambda *_: pytest.fail("opened"))
    assert blocks.search(again, "a dog", 3, ranking="cosine").threshold == again.threshold("text->image") == 0.25


def test_thumbnails_are_looked_up_once_when_shown_and_only_those_of_what_was_found(library, monkeypatch):
    dog, made = np.eye(DIM)[0], []
    facts = records("best", 3)
    pictures = {(fact["digest"], None): fact["path"].encode() for fact in facts}
    others = {(f"other {i}", None): b"not shown" for i in range(50)}
    rng = np.random.default_rng(2)
    library.store.checkpoint(rows.table(facts, near(dog, [0.99, 0.98, 0.97], rng)), pictures, set(), {})
    library.store.checkpoint(rows.table(records("other", 1), near(dog, [0], rng)), others, set(), {})

    class Counted(Thumbs):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(blocks, "Thumbs", Counted)
    hits = blocks.search(library, "a dog", 5, ranking="cosine")
    assert not made, "no pack is opened before a picture is shown"
    shown = [hits.thumbnail(hit) for hit in hits]
    assert shown == [b"best/0000.jpg", b"best/0001.jpg", b"best/0002.jpg", None, None]
    assert [len(thumbs._where) for thumbs in made] == [3]


def test_refuses_a_bad_k_before_reading_and_names_a_damaged_part(library):
    with pytest.raises(QueryError, match="k is 0"):
        blocks.search(library, "a dog", 0)
    part = next(library.folder.glob("part-*.parquet"))
    data = bytearray(part.read_bytes())
    group = pq.ParquetFile(part).metadata.row_group(0)
    data[group.column(group.num_columns - 1).data_page_offset + 200] ^= 0x40
    part.write_bytes(data)
    with pytest.raises(CacheError, match=f"{part.name} is not a sound Parquet file"):
        blocks.search(library, "a dog")


def test_memory_holds_a_block_and_not_the_part(tmp_path):
    count, dim = 300_000, 256  # 307 MB of embeddings in one row group
    vectors = np.random.default_rng(0).standard_normal((count, dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    columns = {name: pa.nulls(count, kind) for name, kind in rows.COLUMNS.items()}
    paths = pa.array([f"{i:06d}.jpg" for i in range(count)])
    columns |= {"path": paths, "digest": paths, "kind": pa.array(["image"] * count)}
    columns |= dict.fromkeys(("size", "mtime_ns"), pa.array(range(count)))
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(
        vectors.reshape(-1), type=rows.schema(dim).field("embedding").type
    )
    with open(tmp_path / "part.parquet", "wb") as file:
        rows.write_parquet(pa.Table.from_arrays(list(columns.values()), schema=rows.schema(dim)), {}, file)
    expected = np.argsort(-(vectors @ vectors[7]), kind="stable")[:5]
    code = f"""
        import pathlib, numpy as np
        from cliplib.search import blocks
        from cliplib.search.ranking import cosines
        peak = lambda: next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
        cosines(np.eye({dim}, dtype=np.float32), np.ones({dim}))
        query, before = np.array({vectors[7].tolist()}, np.float32), peak()
        part = ({{"name": "part.parquet"}}, [])
        count, best, _ = blocks.best_of_part(pathlib.Path({str(tmp_path)!r}), part, query, 5, "image")
        print(count, *best["path"].to_pylist(), (peak() - before) // 1024)
    """
    said = subprocess.check_output([sys.executable, "-c", "if True:" + code], text=True).split()
    assert said[:-1] == [str(count), *(f"{i:06d}.jpg" for i in expected)]
    assert int(said[-1]) < 200, "MB; the embeddings alone are 307, and are copied when they are read whole"
