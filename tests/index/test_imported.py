"""Embeddings from other programs, and for them."""

import csv
import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cliplib import Library
from cliplib.__main__ import main
from cliplib.errors import CacheError, LibraryError
from cliplib.index import imported
from tests.harness.libraries import draw_picture, draw_video

VECTORS = np.random.default_rng(0).normal(size=(3, 12)).astype(np.float32)
NAMES = ["a.jpg", "b/c.png", "d.jpg"]


def as_clip_retrieval(folder, vectors=VECTORS, names=NAMES, parts=2, cut=0):
    for kind in ("img_emb", "metadata"):
        (folder / kind).mkdir(parents=True)
    for number, rows in enumerate(np.array_split(np.arange(len(names)), parts)):
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", vectors[rows].astype(np.float16))
        table = pa.table({"image_path": [names[row] for row in rows], "caption": ["x"] * len(rows)})
        pq.write_table(table.slice(cut), folder / "metadata" / f"metadata_{number}.parquet")
    return folder


def as_csv(file, cell=None):
    with open(file, "w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["path", "embedding"] if cell else ["path", *range(12)])
        for name, vector in zip(NAMES, VECTORS, strict=True):
            writer.writerow([name, cell(vector)] if cell else [name, *vector])
    return file


def as_pickle(file, tree, protocol=4):
    file.write_bytes(pickle.dumps(tree, protocol))
    return file


def as_parquet(target, **columns):
    pq.write_table(pa.table(columns), target)
    return target


def as_npz(file, **arrays):
    np.savez(file, **arrays)
    return file


FORMS = {
    "clip-retrieval": lambda f: as_clip_retrieval(f / "c"),
    "npz": lambda f: as_npz(f / "a.npz", names=np.array(NAMES), embeddings=VECTORS),
    "npz by name": lambda f: as_npz(f / "a.npz", **dict(zip(NAMES, VECTORS, strict=True))),
    "csv of numbers": lambda f: as_csv(f / "a.csv"),
    "csv of lists": lambda f: as_csv(f / "a.csv", lambda vector: str(vector.tolist())),
    "csv as NumPy prints": lambda f: as_csv(f / "a.csv", str),
    "parquet": lambda f: as_parquet(f / "a.parquet", file=NAMES, vector=VECTORS.tolist()),
    "pickle of a dict": lambda f: as_pickle(f / "a.pkl", dict(zip(NAMES, VECTORS, strict=True))),
    "pickle of lists": lambda f: as_pickle(f / "a.pkl", {n: v.tolist() for n, v in zip(NAMES, VECTORS, strict=True)}),
    "pickle of a table": lambda f: as_pickle(f / "a.pkl", {"names": NAMES, "embeddings": VECTORS}),
    "pickle, protocol 2": lambda f: as_pickle(f / "a.pkl", (NAMES, VECTORS), 2),
    "pickle, protocol 5": lambda f: as_pickle(f / "a.pkl", [NAMES, VECTORS.astype(">f8")], 5),
    "pickle of records": lambda f: as_pickle(
        f / "a.pkl", [{"name": n, "row": v} for n, v in zip(NAMES, VECTORS, strict=True)]
    ),
    "pickle of columns": lambda f: as_pickle(f / "a.pkl", {"e": np.asfortranarray(VECTORS), "p": np.array(NAMES)}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_names_and_numbers(tmp_path, form):
    found = imported.read(FORMS[form](tmp_path))
    assert found.names == NAMES and found.vectors.dtype == np.float32
    np.testing.assert_allclose(found.vectors, VECTORS, rtol=0, atol=2e-3)


class Runs:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_runs_no_code(tmp_path, protocol):
    file = as_pickle(tmp_path / "a.pkl", {"names": NAMES, "embeddings": VECTORS, "x": Runs(tmp_path / "ran")}, protocol)
    with pytest.raises(CacheError, match=r"a.pkl cannot be imported: it asks for \w+.open, which no CLIP needs"):
        imported.read(file)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: f / "none.csv", "is not there"),
        (lambda f: draw_picture(f / "a.jpg", 1), "is none of .npz, .csv"),
        (lambda f: as_pickle(f / "a.pkl", {"a": 1}), "holds no names with embeddings"),
        (lambda f: as_pickle(f / "a.pkl", {"names": NAMES[:2], "embeddings": VECTORS}), "2 names and embeddings of"),
        (lambda f: as_npz(f / "a.npz", names=np.array(NAMES, object), embeddings=VECTORS), "cannot be imported"),
        (lambda f: as_parquet(f / "a.parquet", path=NAMES, size=[1, 2, 3]), "no column of embeddings, and 1 of single"),
        (lambda f: as_csv(f / "a.csv", lambda vector: "[0.1 ... 0.2]"), "cut short by '...'"),
        (lambda f: as_clip_retrieval(f / "c", VECTORS[[0, 1, 2, 2]], [*NAMES, "e"], parts=1, cut=1), "has 4 rows .* 3"),
        (lambda f: (f / "c").mkdir() or f / "c", "it has 0 img_emb/"),
        (lambda f: as_pickle(f / "a.pkl", 1).rename(f / "a.csv"), "cannot be imported"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(tmp_path, make, words):
    made = make(tmp_path)
    with pytest.raises(CacheError, match=words):
        imported.read(made)


@pytest.fixture
def photos(tmp_path, weights):
    """A folder of photos and a video, and its library."""
    root = tmp_path / "photos"
    for n, name in enumerate(("a.jpg", "b/c.png", "b/a.jpg", "new.jpg")):
        draw_picture(root / name, n)
    draw_video(root / "v.mp4", 1)
    return Library(root, model=weights, device="cpu", precision="fp32")


@pytest.fixture
def exported(photos, tmp_path, weights):
    """What another program would have of all photos but the newest."""
    from PIL import Image

    names = ["a.jpg", "b/c.png", "b/a.jpg"]
    vectors = photos.encoder.encode_images([Image.open(photos.root / name) for name in names])
    return [f"/content/drive/photos/{name}" for name in names], 3 * vectors


@pytest.mark.parametrize(
    ("names", "photos", "found", "lost"),
    [
        (["/x/p/a.jpg", "/x/p/b/a.jpg"], ["a.jpg", "b/a.jpg"], {"a.jpg": 0, "b/a.jpg": 1}, []),
        (["/x/b/a.jpg", "/x/b/c.jpg"], ["a.jpg", "b/a.jpg", "b/c.jpg"], {"b/a.jpg": 0, "b/c.jpg": 1}, []),
        (["C:\\p\\a.jpg"], ["q/a.jpg"], {"q/a.jpg": 0}, []),
        (["/x/other/a.jpg", "/x/b/c.jpg"], ["1/a.jpg", "2/a.jpg", "b/c.jpg"], {"b/c.jpg": 1}, ["/x/other/a.jpg"]),
    ],
)
def test_names_are_matched_by_the_other_programs_folder_or_by_an_end_that_one_photo_has(names, photos, found, lost):
    assert imported._matched(names, photos) == (found, lost)


class TestALibrary:
    def test_imports_what_it_has_and_index_goes_on_from_there(self, photos, exported, tmp_path, monkeypatch):
        names, vectors = exported
        encoded = []
        whole = photos.encoder.encode_images
        monkeypatch.setattr(
            photos.encoder, "encode_images", lambda images: encoded.append(len(images)) or whole(images)
        )
        source = as_pickle(tmp_path / "a.pkl", {"names": [*names, "gone.jpg"], "e": np.vstack([vectors, vectors[:1]])})
        report = photos.import_embeddings(source, progress=False)
        assert sum(encoded) == 3, "three to compare, and no more"
        assert (report.indexed, report.photos, report.frames) == (3, 3, 0)
        assert any("1 names are no photo" in problem and "gone.jpg" in problem for problem in report.problems)
        assert {hit.path for hit in photos.search("a", k=9, threshold=-1)} == {"a.jpg", "b/c.png", "b/a.jpg"}
        encoded.clear()
        report = photos.index(progress=False)
        assert (report.unchanged, report.photos, report.frames, sum(encoded)) == (3, 4, 3, 4)

    def test_rows_and_files_stay_together(self, photos, exported, tmp_path):
        names, vectors = exported
        order = [2, 0, 1]
        source = as_clip_retrieval(tmp_path / "c", vectors[order], [names[row] for row in order])
        photos.import_embeddings(source, progress=False)
        rows, gallery = photos.engine.gallery("image")
        for path, row in zip(rows["path"].to_pylist(), gallery, strict=True):
            right = vectors[[name.removeprefix("/content/drive/photos/") for name in names].index(path)]
            assert row @ right / 3 == pytest.approx(1, abs=1e-3)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda v: v[:, :16], "have 16 numbers and .* gives 32"),
            (lambda v: v[::-1], r"are not those of .*cosines of a.jpg"),
            (lambda v: np.vstack([v[:2], np.full((1, 32), np.nan)]), "1 of the embeddings are no numbers"),
            (lambda v: np.vstack([v[:2], np.zeros((1, 32))]), "no numbers or zero"),
        ],
    )
    def test_embeddings_that_are_not_the_models_are_refused(self, photos, exported, tmp_path, change, words):
        names, vectors = exported
        source = as_npz(tmp_path / "a.npz", names=np.array(names), embeddings=change(vectors))
        with pytest.raises(LibraryError, match=words):
            photos.import_embeddings(source, progress=False)
        assert len(photos) == 0

    def test_names_of_no_photo_are_refused(self, photos, exported, tmp_path):
        source = as_npz(tmp_path / "a.npz", names=np.array(["x.jpg", "y.jpg", "z.jpg"]), embeddings=exported[1])
        with pytest.raises(LibraryError, match=r"none of the 3 names is a photo of .*'x.jpg', 'y.jpg'"):
            photos.import_embeddings(source, progress=False)

    def test_the_shell_imports_too(self, photos, exported, tmp_path, capsys, weights):
        source = as_npz(tmp_path / "a.npz", names=np.array(exported[0]), embeddings=exported[1])
        options = ["--model", str(weights), "--device", "cpu", "--precision", "fp32", "--json"]
        assert main(["import", str(photos.root), str(source), *options]) == 0
        assert json.loads(capsys.readouterr().out)["indexed"] == 3

    def test_what_is_exported_is_read_by_others_and_imported_again(self, photos, tmp_path):
        photos.index(progress=False)
        out = photos.export_embeddings(tmp_path / "out")
        vectors = np.load(out / "img_emb" / "img_emb_0.npy")
        metadata = pq.read_table(out / "metadata" / "metadata_0.parquet").to_pandas()
        assert vectors.dtype == np.float32 and vectors.shape == (7, 32) and len(metadata) == 7
        assert sorted(metadata["image_path"][:4]) == photos.photos() and list(metadata["kind"][4:]) == ["frame"] * 3
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        together = pq.read_table(out / "rows.parquet")
        assert together["vector"].type == pa.list_(pa.float32(), 32)
        assert json.loads((out / "model.json").read_text())["model_id"] == photos.encoder.model_id
        with pytest.raises(LibraryError, match="holds exported embeddings already"):
            photos.export_embeddings(out)
        again = Library(photos.root, photos.model, cache=tmp_path / "c", device="cpu", precision="fp32")
        assert again.import_embeddings(out, progress=False).photos == 4

    def test_faiss_reads_them_as_they_are(self, photos, tmp_path):
        faiss = pytest.importorskip("faiss")
        photos.index(progress=False)
        vectors = np.load(photos.export_embeddings(tmp_path / "out") / "img_emb" / "img_emb_0.npy")
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        found = index.search(photos.encoder.encode_texts("a dog"), 1)[0][0, 0]
        assert found == pytest.approx(
            max(np.nanmax(photos.score("a dog", k).values) for k in ("image", "frame")), abs=1e-5
        )
