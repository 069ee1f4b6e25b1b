"""The cluster: with two local workers of Ray the rows, the report and the answers are those of one machine."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from cliplib import Library
from cliplib.cache import rows
from cliplib.errors import CacheError, LibraryError, QueryError
from tests.harness.libraries import draw_picture, draw_video

ray = pytest.importorskip("ray", reason="the cluster needs ray: pip install 'ray[data]'")
pytest.importorskip("ray.data", reason="the cluster needs ray.data: pip install 'ray[data]'")
from cliplib import cluster  # noqa: E402
from tests.harness.local_ray import local_ray  # noqa: E402

pytestmark = pytest.mark.slow


class DiesOnce(cluster.Worker):
    """A worker that is killed as it first encodes, with its files read and the batch half done."""

    def _encode(self, events):
        try:
            os.close(os.open(self.job.root / ".died", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return super()._encode(events)
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def workers():
    """How many; Ray is started when a test first asks for it."""
    with local_ray():
        yield 2


def in_this_process(job, batches, workers, gpus):
    """`cluster.run_on_ray` with the one worker that it needs here, and no Ray."""
    worker = cluster.Worker(job)
    for batch in batches:
        yield from worker({name: batch[name].to_numpy() for name in batch.column_names})["event"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Photos of four formats, a video, a twin, and three files that cannot be read."""
    root = tmp_path_factory.mktemp("cluster") / "photos"
    for i in range(12):
        draw_picture(root / f"{i % 3}" / f"{i}.{('jpg', 'png', 'webp', 'bmp')[i % 4]}", i)
    draw_video(root / "film.mp4", 3)
    shutil.copy(root / "0" / "0.jpg", root / "twin.jpg")
    (root / "empty.jpg").write_bytes(b"")
    (root / "page.jpg").write_bytes(b"<!doctype html><p>Not found")
    (root / "cut.png").write_bytes((root / "1" / "1.png").read_bytes()[:200])
    return root


@pytest.fixture(scope="module")
def local(root, weights, tmp_path_factory):
    library = Library(root, weights, cache=tmp_path_factory.mktemp("local"), device="cpu", precision="fp32")
    return library, library.index(progress=False)


def assert_same_rows(library, other):
    """Equal facts, and embeddings with a cosine of 0.9999 or more."""
    ours, theirs = (
        one.store.rows.sort_by([("path", "ascending"), ("time_s", "ascending")]) for one in (library, other)
    )
    assert ours.drop_columns(["embedding"]).equals(theirs.drop_columns(["embedding"]))
    assert np.einsum("ij,ij->i", rows.matrix(ours), rows.matrix(theirs)).min() >= 0.9999


def test_two_workers_make_the_index_of_one_machine_though_one_is_killed(
    root, weights, local, workers, tmp_path, monkeypatch
):
    monkeypatch.setattr(cluster, "Worker", DiesOnce)
    library = Library(root, weights, cache=tmp_path, device="cpu", precision="fp32")
    report = cluster.index(library, workers=workers, progress=False)
    assert (root / ".died").exists()
    assert_same_rows(library, local[0])
    assert (report.indexed, report.unchanged, report.removed) == (14, 0, 0)
    assert report.skipped == local[1].skipped and len(report.skipped) == 3
    key = rows.keys(library.store.rows)[0]
    assert library.store.thumbnail(key) == local[0].store.thumbnail(key) is not None
    again = Library(root, weights, cache=tmp_path, device="cpu", precision="fp32").index(progress=False)
    assert (again.indexed, again.unchanged, again.skipped) == (0, 14, report.skipped)


def test_the_best_of_all_parts_are_the_best_of_the_index(root, weights, workers, tmp_path):
    for i in range(6):
        draw_picture(tmp_path / "more" / f"{i}.png", 100 + i)
    draw_video(tmp_path / "more" / "film.mp4", 9)
    bank = ["a dog", "a cat", "a red car", "snow", "a blue square"]
    library = Library(tmp_path / "more", weights, cache=tmp_path / "cache", device="cpu", precision="fp32", bank=bank)
    library.index(progress=False)
    for i in range(6, 9):  # a second part, and dead rows in the first
        draw_picture(tmp_path / "more" / f"{i}.png", 100 + i)
    draw_picture(tmp_path / "more" / "0.png", 200)
    library.index(progress=False)
    for text, kind in (("a red circle", "image"), ("a blue one", "frame")):
        expected = library.score(text, kind).top(5, -1.0)
        found = cluster.search(library, text, 5, kind, -1.0)
        assert [(hit.path, hit.time_s, hit.digest) for hit in found] == [
            (hit.path, hit.time_s, hit.digest) for hit in expected
        ]
        np.testing.assert_allclose([hit.score for hit in found], [hit.score for hit in expected], rtol=0, atol=1e-6)
    ours, theirs = cluster.search(library, "a red circle", 3), library.search("a red circle", 3)
    assert ours.scale == theirs.scale == "match" and ours.threshold == pytest.approx(theirs.threshold, abs=1e-5)
    assert [hit.path for hit in ours or ours.nearest] == [hit.path for hit in theirs or theirs.nearest]
    with pytest.raises(QueryError, match="k is 0"):
        cluster.search(library, "a red circle", 0)
    part = next((tmp_path / "cache").rglob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(CacheError, match=f"{part.name} is not a sound Parquet file"):
        cluster.search(library, "a red circle")


def test_a_dry_run_says_what_would_be_done_and_does_nothing(root, weights, tmp_path):
    library = Library(root, weights, cache=tmp_path, device="cpu", precision="fp32")
    foretold = cluster.dry_run(library, workers=4)
    assert (len(foretold.todo), foretold.unchanged, foretold.gone, foretold.batches) == (17, 0, 0, 4)
    said = "17 files would be encoded (16 photos, 1 videos, 0.00 GB), in 4 batches by 4 workers"
    assert str(foretold).startswith(said)
    assert not [*tmp_path.iterdir()]
    library.index(progress=False)
    again = cluster.dry_run(library, [f"file://{root}/0"], workers=1)
    assert (len(again.todo), again.unchanged, again.gone, again.batches) == (4, 0, 14, 1)
    assert len(cluster.dry_run(library).todo) == 0 and cluster.dry_run(library).unchanged == 14


def test_a_uri_whose_driver_is_missing_says_what_to_install(monkeypatch):
    def missing(uri):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(cluster.fsspec.core, "url_to_fs", missing)
    with pytest.raises(LibraryError, match="s3://bucket/photos cannot be read here.*pip install s3fs"):
        cluster.list_uris("s3://bucket/photos")


def test_uris_of_any_storage_give_the_same_embeddings(root, weights, local, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "run_on_ray", in_this_process)
    uris = [f"file://{root}/0", f"file://{root}/film.mp4", f"file://{root}/empty.jpg", "file:///not/there.jpg"]
    library = Library(tmp_path, weights, cache=tmp_path / "cache", device="cpu", precision="fp32")
    report = cluster.index(library, uris, workers=1, progress=False)
    table, expected = library.store.rows, local[0].store.rows
    names = {f"file://{root}/{path}": path for path in expected["path"].to_pylist()}
    at = {
        key: row
        for row, key in enumerate(zip(expected["path"].to_pylist(), expected["time_s"].to_pylist(), strict=True))
    }
    keys = list(zip(table["path"].to_pylist(), table["time_s"].to_pylist(), strict=True))
    assert {path for path, _ in keys} == {
        f"file://{root}/{name}" for name in ("0/0.jpg", "0/3.bmp", "0/6.webp", "0/9.png", "film.mp4")
    }
    order = [at[names[path], time_s] for path, time_s in keys]
    assert np.einsum("ij,ij->i", rows.matrix(table), rows.matrix(expected)[order]).min() >= 0.9999
    assert [(Path(one.path).name, one.stage) for one in report.skipped] == [
        ("there.jpg", "walk"),
        ("empty.jpg", "decode"),
    ]
    assert "nothing is there" in report.skipped[0].reason
    assert cluster.index(library, uris, workers=1, progress=False).unchanged == 5
