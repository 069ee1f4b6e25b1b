"""A library with models of other shapes: index, search, moments, snapshot and pack, from end to end."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cliplib import Library, ModelError, models
from cliplib.__main__ import main
from cliplib.errors import CacheError, LibraryError
from cliplib.search.bank import BANKS
from tests.harness.libraries import draw_picture, draw_video, save_random_clip

pytest.importorskip("open_clip")
pytest.importorskip("transformers")
families = pytest.importorskip("tests.harness.families")

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"
BANK = ("a dog", "a cat", "the sea", "a street at night")  # towers of real widths would encode 1,486 for a minute


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for n in range(4):
        draw_picture(root / f"{n}.jpg", n, size=(500 + 90 * n, 300))
    draw_video(root / "v.mp4", 1)
    return root


@pytest.fixture(scope="module", params=["SigLIP", "xlm-roberta"])
def model(request, tmp_path_factory):
    """A SigLIP-shaped model, and a multilingual one."""
    return families.make(families.FAMILIES[request.param], tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def library(root, model, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    library = Library(root, f"local-dir:{model.folder}", cache=cache, precision="fp32", bank=BANK)
    report = library.index(progress=False)
    assert (report.photos, report.frames, report.skipped) == (4, 3, [])
    return library


def same(one, other):
    return [(hit.path, hit.time_s) for hit in one] == [(hit.path, hit.time_s) for hit in other]


def test_search_in_every_mode_and_moments(library):
    texts = library.search("ein Hund am Strand", k=9, threshold=-1)
    assert len(texts) == 4 and len(library.similar("1.jpg", k=9, threshold=-1)) == 3
    assert len(library.search_videos("a red car", k=9, threshold=-1)) > 0
    (moment,) = library.score("a red car", "frame").moments(threshold=-1)
    assert moment.path == "v.mp4" and moment.end_s > moment.start_s
    scores = library.score("ein Hund am Strand").values
    assert np.isfinite(scores).all() and np.ptp(scores) > 1e-4


def test_a_row_is_the_embedding_that_the_models_own_package_gives(library, model, root):
    from PIL import Image

    rows, gallery = library.engine.gallery("image")
    for path, row in zip(rows["path"].to_pylist(), gallery, strict=True):
        assert row @ model.images([Image.open(root / path)])[0] > 0.99


def test_snapshot_and_pack_open_and_answer_alike(library, tmp_path):
    before = library.search("a dog", k=9, threshold=-1)
    library.save(tmp_path / "album.parquet")
    loaded = Library.load(tmp_path / "album.parquet", library.root, bank=BANK)
    assert same(loaded.search("a dog", k=9, threshold=-1), before)
    library.save_pack(tmp_path / "class.zip")
    opened = Library.open_pack(tmp_path / "class.zip", model=library.model, bank=BANK)
    assert same(opened.search("a dog", k=9, threshold=-1), before)


class ScoresLikeSiglip:
    """The tiny model with the scores of a SigLIP: no published cutoffs, and right ones at 0.1 where CLIP's are at 0.3.

    SigLIP multiplies cosines by 117 where CLIP does by 100, and takes 13 away: a few more dimensions do both.
    """

    SCALE = 100 / 117

    def __init__(self, encoder):
        self.wrapped, self.dim, self.model_id = encoder, encoder.dim + 1, "5" * 64
        self.thresholds, self.about = {}, encoder.about | {"model_id": self.model_id, "dim": self.dim}

    def __getattr__(self, name):
        return getattr(self.wrapped, name)

    def _moved(self, rows, side):
        last = np.full((len(rows), 1), side * (1 - self.SCALE) ** 0.5)
        return np.hstack([rows * self.SCALE**0.5, last]).astype(np.float32)

    def encode_images(self, images, batch_size=None):
        return self._moved(self.wrapped.encode_images(images, batch_size), 1)

    def encode_texts(self, texts):
        return self._moved(self.wrapped.encode_texts(texts), -1)


def test_without_published_cutoffs_the_match_finds_them_whatever_the_scale_of_scores(tmp_path, monkeypatch):
    options, load = {"precision": "fp32", "ignore": ["videos"]}, models.load
    tiny = Library(SAMPLE, "tiny", cache=tmp_path / "tiny", **options)
    tiny.index(progress=False)
    monkeypatch.setattr(models, "load", lambda *names, **options: ScoresLikeSiglip(load(*names, **options)))
    other = Library(SAMPLE, "tiny", cache=tmp_path / "other", bank=BANKS / "drawn.txt", **options)
    other.index(progress=False)
    for text in ("a red car", "a dog on the beach", "snow"):
        expected, found = ({hit.path: hit.score for hit in library.search(text, k=50)} for library in (tiny, other))
        shared = [*(expected.keys() & found.keys())]
        assert len(shared) >= 0.8 * max(len(expected), len(found)) > 0, "all but a few at the edge"
        scaled = [expected[path] * 100 / 117 - 17 / 117 for path in shared]
        np.testing.assert_allclose([found[path] for path in shared], scaled, atol=1e-4)
        assert not other.search(text, k=9, ranking="cosine"), "the paper's 0.25 is too much for it"


class TestFilesOfTheirOwn:
    """A plain state dict, which needs to be told what it is."""

    @pytest.fixture
    def plain(self, tmp_path):
        made = families.make(families.FAMILIES["openai ViT"], tmp_path)
        (tmp_path / "open_clip_config.json").unlink()
        return made.file

    def test_a_snapshot_remembers_what_the_file_does_not_tell(self, plain, root, tmp_path):
        library = Library(root, plain, architecture="ViT-B/32", cache=tmp_path / "cache")
        library.index(progress=False)
        library.save(tmp_path / "album.parquet")
        library.save_pack(tmp_path / "class.zip")
        assert len(Library.load(tmp_path / "album.parquet", root, bank=BANK).search("a dog", k=9, threshold=-1)) == 4
        opened = Library.open_pack(tmp_path / "class.zip", model=plain, bank=BANK)
        assert len(opened.search("a dog", k=9, threshold=-1)) == 4
        with pytest.raises(ModelError, match="pass architecture="):
            Library(root, plain, cache=tmp_path / "cache").search("a dog")

    def test_the_shell_takes_the_same_options(self, plain, root, tmp_path, capsys):
        draw_picture(tmp_path / "photos" / "a.jpg", 1)
        options = ["--model", str(plain), "--architecture", "ViT-B/32", "--device", "CPU", "--precision", "fp32"]
        assert main(["index", str(tmp_path / "photos"), *options, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["indexed"] == 1
        assert main(["search", str(tmp_path / "photos"), "a dog", *options, "--ranking", "cosine"]) in (0, None)
        assert main(["search", str(tmp_path / "photos"), "a dog", "--model", str(plain)]) == 1
        assert "pass architecture=" in capsys.readouterr().err

    def test_a_snapshot_says_which_checkpoint_it_wants(self, root, tmp_path):
        file = save_random_clip(tmp_path / "mine.safetensors")
        library = Library(root, file, cache=tmp_path / "cache")
        library.index(progress=False)
        library.save(tmp_path / "album.parquet")
        library.save_pack(tmp_path / "class.zip")
        moved = file.rename(tmp_path / "moved.safetensors")
        for opening in (Library.load, Library.open_pack):
            name = "album.parquet" if opening == Library.load else "class.zip"
            with pytest.raises(CacheError, match=r"made with the checkpoint .*mine.safetensors.*give the path"):
                opening(tmp_path / name)
            assert len(opening(tmp_path / name, model=moved).search("a", k=9, threshold=-1)) == 4

    def test_opening_waits_for_no_network(self, root, tmp_path, monkeypatch):
        """A model by name is loaded when something is asked, and then compared."""
        file = save_random_clip(tmp_path / "mine.safetensors")
        library = Library(root, file, cache=tmp_path / "cache")
        library.index(progress=False)
        library.store.model["name"] = "ViT-B/32"
        library.save(tmp_path / "album.parquet")
        asked = []
        monkeypatch.setattr("cliplib.models.weights.fetch", lambda *_: asked.append(1) or file)
        opened = Library.load(tmp_path / "album.parquet", root)
        assert len(opened) == 7 and not asked
        assert len(opened.search("a", k=9, threshold=-1)) == 4 and asked == [1]
        del opened  # a model that is in use is not loaded again
        other = save_random_clip(tmp_path / "other.safetensors", seed=1)
        monkeypatch.setattr("cliplib.models.weights.fetch", lambda *_: other)
        with pytest.raises(CacheError, match="their embeddings cannot be compared"):
            Library.load(tmp_path / "album.parquet", root).search("a")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("gpu", 'device="gpu" was asked for and PyTorch .* sees no GPU'),
        ("cuda:7", "sees no GPU|there are"),
        ("tpu", 'device="tpu" is not known: it can be "cpu", "cuda"'),
        ("cpu:x", "is not known"),
    ],
)
def test_a_device_that_is_not_there_or_none_gets_a_sentence(root, device, words):
    if torch.cuda.is_available() and device == "gpu":
        pytest.skip("there is one")
    with pytest.raises(ModelError, match=words):
        _ = Library(root, "tiny", device=device).encoder


@pytest.mark.parametrize("device", ["CPU", "auto", " cpu ", None, torch.device("cpu")])
def test_a_plain_meaning_is_taken(root, device):
    assert Library(root, "tiny", device=device).encoder.device in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("model", ["", "  "])
def test_no_model_gets_a_sentence(root, model):
    with pytest.raises(ModelError, match=r"model is '\s*': give one, such as RN50, .*tiny"):
        _ = Library(root, model).encoder
    with pytest.raises(LibraryError, match="a model is a name or the path of a checkpoint; got NoneType"):
        Library(root, None)
