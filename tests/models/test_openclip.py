"""Models of open_clip: each family gives the numbers of its own package, and what is not told is asked for."""

import json
import re
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from cliplib import ModelError, models
from cliplib.models import config, openclip
from cliplib.models.weights import load_weights
from tests.harness.libraries import picture

open_clip = pytest.importorskip("open_clip")
pytest.importorskip("transformers")
families = pytest.importorskip("tests.harness.families")

PICTURES = [picture(n, size) for n, size in enumerate([(300, 260), (100, 400), (640, 200), (224, 224)])]
TEXTS = ["a dog on the beach", "a red car in the snow", "two people at a long table", "ein Hund am Strand"]
OURS = ["openai ViT", "ViT-H-14", "ViT-L-14 mean 0.5"]
OTHERS = ["xlm-roberta", "CLIPA", "SigLIP", "MobileCLIP2"]
cosines = {}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Function of a family's name: the model on disk with its reference; each is made once."""
    kept = {}

    def make(name):
        if name not in kept:
            kept[name] = families.make(families.FAMILIES[name], tmp_path_factory.mktemp("model"))
        return kept[name]

    return make


@pytest.mark.parametrize("name", [*OURS, *OTHERS])
def test_each_family_gives_the_numbers_of_its_own_package(made, name):
    model = made(name)
    encoder = models.load(f"local-dir:{model.folder}", device="cpu", precision="fp32")
    for rows, reference in (
        (encoder.encode_images(PICTURES), model.images(PICTURES)),
        (encoder.encode_texts(TEXTS), model.texts(TEXTS)),
    ):
        assert np.abs(rows - reference).max() < 1e-4
        assert np.abs(reference - reference[:1])[1:].max() > 0.01, "the reference tells its inputs apart"
    assert (type(encoder._network).__name__ == "Towers") is (name in OURS)
    assert type(encoder) is type(models.load("tiny", device="cpu")) and encoder.dim == rows.shape[1]


@pytest.mark.parametrize("name", [*OURS, *OTHERS])
def test_a_plain_file_by_its_path_is_refused_and_names_the_argument(made, name, tmp_path):
    alone = tmp_path / "weights.safetensors"
    alone.hardlink_to(made(name).file)
    with pytest.raises(ModelError, match="pass architecture="):
        models.load(alone, device="cpu")


@pytest.mark.parametrize(
    ("name", "activation", "right"),
    [("openai ViT", "quickgelu", True), ("ViT-H-14", "gelu", True), ("ViT-L-14 mean 0.5", "gelu", False),
     ("SigLIP", "gelu", False), ("ViT-H-14", "quickgelu", False)],
)  # fmt: skip
def test_with_the_activation_alone_a_file_is_right_or_refused(made, tmp_path, name, activation, right):
    alone = tmp_path / "weights.safetensors"
    alone.hardlink_to(made(name).file)
    if not right:
        with pytest.raises(ModelError, match="pass architecture="):
            load_weights(alone, activation)
        return
    assert load_weights(alone, activation).model_id == load_weights(made(name).folder).model_id


@pytest.mark.parametrize(
    ("name", "architecture"),
    [("openai ViT", "ViT-B/32"), ("ViT-H-14", "ViT-H-14"), ("ViT-L-14 mean 0.5", "ViT-L-14/laion2b_s32b_b82k")],
)
def test_a_plain_file_whose_architecture_is_named(made, tmp_path, name, architecture):
    alone = tmp_path / "weights.safetensors"
    alone.hardlink_to(made(name).file)
    read, named = load_weights(made(name).folder), load_weights(alone, architecture=architecture)
    assert (named.model_id, named.sizes) == (read.model_id, read.sizes) and named.architecture == architecture


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        ("ViT-L-14", "prepared in 2 ways: name .* one of .*ViT-L-14/laion2b_s32b_b82k"),
        ("ViT-Q-99", "known neither to openai/CLIP .* nor to open_clip"),
        ("ViT-L-14/mine", 'knows no "ViT-L-14/mine"; for ViT-L-14 it has openai'),
        ("ViT-B-32", "is about another model: it says .*vision_width 768 where its tensors have 1024"),
    ],
)
def test_an_architecture_that_does_not_tell_or_does_not_fit(made, architecture, words):
    with pytest.raises(ModelError, match=words):
        load_weights(made("ViT-L-14 mean 0.5").file, architecture=architecture)


def test_what_is_published_by_width_is_what_the_registry_has():
    found = {}
    for architecture, tag in open_clip.list_pretrained():
        one = openclip.config_of_tag(architecture, tag)
        if one.keys_beyond_openai():
            continue
        vision = one.model_cfg["vision_cfg"]
        usual = config.OPENAI_CONFIG.with_activation(one.activation)
        key = (vision["width"], vision.get("patch_size"), one.activation)
        ways = found.setdefault(key, set())
        ways.add((vision.get("head_width", 64), tuple(sorted(one.preprocess_cfg.items()))))
        assert one.model_cfg["text_cfg"]["heads"] * 64 == one.model_cfg["text_cfg"]["width"], usual
    openai = openclip.config_of_tag("ViT-B-32", "openai").preprocess_cfg
    assert found.keys() == config.PUBLISHED.keys()
    for key, ways in found.items():
        told = config.PUBLISHED[key]
        if isinstance(told, int):
            assert ways == {(told, tuple(sorted(openai.items())))}, key
        else:
            assert len(ways) > 1, key


class TestIdentity:
    def test_it_covers_the_preprocessing_the_heads_the_network_and_the_tokenizer(self, made, tmp_path):
        """One file of weights, used in other ways."""
        base, file = made("xlm-roberta"), "open_clip_config.json"
        config = json.loads((base.folder / file).read_text())

        def changed(name, **changes):
            folder = tmp_path / name
            folder.mkdir()
            for other in base.folder.iterdir():
                if other.name not in (file, "tokenizer.json"):
                    (folder / other.name).symlink_to(other)
            (folder / "tokenizer.json").write_text((base.folder / "tokenizer.json").read_text())
            new = json.loads(json.dumps(config))
            for path, value in changes.items():
                inner, last = new, path.split("__")
                for part in last[:-1]:
                    inner = inner[part]
                inner[last[-1]] = value
            (folder / file).write_text(json.dumps(new))
            return folder

        ids = [
            load_weights(changed("same")).model_id,
            load_weights(changed("mean", preprocess_cfg__mean=[0.4, 0.4, 0.4])).model_id,
            load_weights(changed("squash", preprocess_cfg__resize_mode="squash")).model_id,
            load_weights(changed("filter", preprocess_cfg__interpolation="bilinear")).model_id,
            load_weights(changed("context", model_cfg__text_cfg__context_length=20)).model_id,
            load_weights(changed("gelu", model_cfg__quick_gelu=True)).model_id,
        ]
        words = changed("words")
        tokens = json.loads((words / "tokenizer.json").read_text())
        vocabulary = tokens["model"]["vocab"]
        vocabulary["dog"], vocabulary["car"] = vocabulary["car"], vocabulary["dog"]
        (words / "tokenizer.json").write_text(json.dumps(tokens))
        ids.append(load_weights(words).model_id)
        assert len({*ids}) == len(ids) == 7 and ids[0] == load_weights(base.folder).model_id

    def test_what_changes_no_embedding_is_not_part_of_it(self):
        plain = {"embed_dim": 8, "vision_cfg": {"timm_model_name": "x"}}
        fetched = {"init_logit_bias": -10, "embed_dim": 8}
        fetched["vision_cfg"] = {"timm_model_name": "x", "timm_model_pretrained": False}
        assert openclip.describe_config(plain) == openclip.describe_config(fetched)

    def test_a_model_of_openai_clips_shape_has_one_whichever_package_names_it(self, made, monkeypatch):
        model = made("openai ViT")
        monkeypatch.setattr(open_clip, "download_pretrained", lambda source: str(model.file))
        named = load_weights("open_clip:ViT-B-32/openai")
        assert named.model_id == load_weights(model.folder).model_id and named.network is None


class TestTexts:
    def test_a_long_text_is_cut_with_a_warning_that_says_where(self, made):
        encoder = models.load(made("SigLIP").folder, device="cpu", precision="fp32")
        with pytest.warns(UserWarning, match=r"longer than the \d+ tokens that .* reads; what follows '...*dog dog"):
            rows = encoder.encode_texts("dog " * 80)
        np.testing.assert_allclose(rows, made("SigLIP").texts(["dog " * 80]), rtol=0, atol=1e-4)

    def test_a_text_without_words_is_refused(self, made):
        with pytest.raises(models_error(), match="has no words"):
            models.load(made("SigLIP").folder, device="cpu").encode_texts("...")


def models_error():
    from cliplib import QueryError

    return QueryError


class TestWhatIsRefused:
    def test_unknown_weights_list_the_known_ones(self):
        with pytest.raises(ModelError, match=r'no "ViT-B-32/mine"; for ViT-B-32 it has openai, laion400m_e31'):
            load_weights("open_clip:ViT-B-32/mine")

    def test_an_unknown_architecture(self):
        with pytest.raises(ModelError, match=r'no "ViT-Z/openai"; see open_clip.list_pretrained'):
            load_weights("open_clip:ViT-Z/openai")

    @pytest.mark.parametrize("given", [{"model": "open_clip:ViT-B-32/openai"}, {"architecture": "ViT-H-14"}])
    def test_says_how_to_install_open_clip(self, monkeypatch, tmp_path, given):
        torch.save({"a": torch.zeros(1)}, tmp_path / "a.pt")
        monkeypatch.setitem(sys.modules, "open_clip", None)
        with pytest.raises(ModelError, match=re.escape('pip install "cliplib[open_clip]"')):
            load_weights(**{"model": tmp_path / "a.pt", **given})

    def test_says_what_to_do_without_a_network(self, monkeypatch):
        def no_network(source):
            raise OSError("no network")

        monkeypatch.setattr(open_clip, "download_pretrained", no_network)
        with pytest.raises(ModelError, match=r'from laion/.*no network.*architecture="ViT-B-32/laion2b_s34b_b79k"'):
            load_weights("open_clip:ViT-B-32/laion2b_s34b_b79k")

    def test_a_configuration_beside_the_file_that_is_about_another_model(self, made, tmp_path):
        (tmp_path / "open_clip_model.safetensors").hardlink_to(made("ViT-L-14 mean 0.5").file)
        (tmp_path / "open_clip_config.json").hardlink_to(made("openai ViT").folder / "open_clip_config.json")
        with pytest.raises(ModelError, match=r"open_clip_config.json is about another model: .*patch_size 32"):
            load_weights(tmp_path)

    def test_weights_that_do_not_fit_the_network_of_their_configuration(self, made, tmp_path):
        (tmp_path / "open_clip_model.safetensors").hardlink_to(made("openai ViT").file)
        (tmp_path / "open_clip_config.json").hardlink_to(made("CLIPA").folder / "open_clip_config.json")
        with pytest.raises(ModelError, match="does not fit the network of its configuration"):
            load_weights(tmp_path)

    @pytest.mark.parametrize("text", ["not json", "[]", "{}", '{"model_cfg": {"vision_cfg": 3, "text_cfg": {}}}'])
    def test_a_configuration_that_is_none(self, made, tmp_path, text):
        (tmp_path / "open_clip_model.safetensors").hardlink_to(made("openai ViT").file)
        (tmp_path / "open_clip_config.json").write_text(text)
        with pytest.raises(ModelError, match=r"open_clip_config.json (cannot be read|holds no|has no)"):
            load_weights(tmp_path)


def test_pictures_reach_the_encoder_by_the_reader_as_they_do_alone(made, tmp_path):
    """A picture that the reader has reduced for a model that squashes is as good as whole."""
    from cliplib.media.photo import fitted, open_photo

    encoder = models.load(made("SigLIP").folder, device="cpu", precision="fp32")
    smooth = Image.effect_mandelbrot((1600, 900), (-2, -1, 1, 1), 60).convert("RGB")
    reduced = fitted(open_photo(smooth, encoder.resolution).image, encoder.resolution)
    assert reduced.size != smooth.size
    alone, through = encoder.encode_images([smooth, reduced])
    assert alone @ through > 0.99
