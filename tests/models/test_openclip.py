"""The open_clip door: the same architecture gives the same numbers through both packages, and others are refused."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from cliplib import ModelError, models
from cliplib.models.openclip import activation_of
from cliplib.models.weights import load_weights
from tests.libraries import draw_picture

open_clip = pytest.importorskip("open_clip")
TEXTS = ["a dog", "a red car in the snow", "two people talking over bread and wine at a long table", "x"]


@pytest.fixture(scope="module", params=["quickgelu", "gelu"])
def both(request, tmp_path_factory):
    """(open_clip's own model, the name of the same random weights through the door, its activation, its file)."""
    architecture = "ViT-B-32-quickgelu" if request.param == "quickgelu" else "ViT-B-32"
    torch.manual_seed(3)
    model = open_clip.create_model(architecture).eval()
    with torch.no_grad():  # weights large enough that a wrong activation shows
        for name, value in model.named_parameters():
            if "mlp" in name:
                value.mul_(4)
    file = tmp_path_factory.mktemp("open_clip") / "open_clip_model.bin"
    torch.save(model.state_dict(), file)
    name = {"quickgelu": "open_clip:ViT-B-32/openai", "gelu": "open_clip:ViT-B-32/laion2b_s34b_b79k"}[request.param]
    return model, name, request.param, file


@pytest.fixture
def through_the_door(both, monkeypatch):
    """The encoder that "open_clip:..." gives, its download replaced by the file on disk."""
    monkeypatch.setattr(open_clip, "download_pretrained", lambda source, cache_dir=None: str(both[3]))
    return models.load(both[1], device="cpu", precision="fp32")


@pytest.mark.slow
def test_both_packages_give_the_same_numbers_and_one_identity(both, through_the_door, tmp_path):
    model, _, activation, file = both
    pictures = [Image.open(draw_picture(tmp_path / f"{n}.png", n, size=(300, 260))) for n in range(6)]
    stacked = torch.from_numpy(np.stack([through_the_door.prepare(picture) for picture in pictures]))
    mean, std = torch.tensor(open_clip.OPENAI_DATASET_MEAN), torch.tensor(open_clip.OPENAI_DATASET_STD)
    pixels = ((stacked / 255 - mean) / std).permute(0, 3, 1, 2)
    with torch.inference_mode():
        images = model.encode_image(pixels, normalize=True).numpy()
        texts = model.encode_text(open_clip.get_tokenizer("ViT-B-32")(TEXTS), normalize=True).numpy()
    ours_images, ours_texts = through_the_door.encode_images(pictures), through_the_door.encode_texts(TEXTS)
    assert np.abs(ours_images - images).max() < 1e-5
    assert np.abs(ours_texts - texts).max() < 1e-5
    assert (np.argsort(ours_texts @ ours_images.T) == np.argsort(texts @ images.T)).all()
    assert through_the_door.model_id == load_weights(file, activation=activation).model_id
    other = "gelu" if activation == "quickgelu" else "quickgelu"
    mistaken = models.load(file, device="cpu", precision="fp32", activation=other)
    assert mistaken.model_id != through_the_door.model_id
    assert np.abs(mistaken.encode_images(pictures) - images).max() > 1e-3


class TestWhatTheDoorRefuses:
    @pytest.mark.parametrize(
        ("model", "differs"),
        [
            ("ViT-H-14/laion2b_s32b_b79k", "head_width"),
            ("convnext_base/laion400m_s13b_b51k", "timm_model_name"),
            ("xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k", "hf_model_name"),
            ("ViT-L-14-CLIPA/datacomp1b", "resize_mode"),
        ],
    )
    def test_models_of_another_shape(self, model, differs):
        with pytest.raises(ModelError, match=f"not a CLIP of openai/CLIP's shape: it differs in .*{differs}"):
            load_weights(f"open_clip:{model}")

    def test_unknown_weights_list_the_known_ones(self):
        with pytest.raises(ModelError, match=r'no "ViT-B-32/mine"; for ViT-B-32 it has openai, laion400m_e31'):
            load_weights("open_clip:ViT-B-32/mine")

    def test_an_unknown_architecture(self):
        with pytest.raises(ModelError, match=r'no "ViT-Z/openai"; see open_clip.list_pretrained'):
            load_weights("open_clip:ViT-Z/openai")

    def test_says_how_to_install_open_clip(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "open_clip", None)
        with pytest.raises(ModelError, match="pip install open_clip_torch"):
            load_weights("open_clip:ViT-B-32/openai")

    def test_says_what_to_do_without_a_network(self, monkeypatch):
        def no_network(source, cache_dir=None):
            raise OSError("no network")

        monkeypatch.setattr(open_clip, "download_pretrained", no_network)
        with pytest.raises(ModelError, match=r'cannot be had from laion/.*no network.*activation="gelu"'):
            load_weights("open_clip:ViT-B-32/laion2b_s34b_b79k")


@pytest.mark.parametrize(
    ("architecture", "pretrained", "activation"),
    [
        ("ViT-B-32", "openai", "quickgelu"),
        ("ViT-B-32", "laion2b_s34b_b79k", "gelu"),
        ("ViT-B-32-quickgelu", "metaclip_400m", "quickgelu"),
        ("RN50", "openai", "quickgelu"),
    ],
)
def test_the_activation_comes_from_open_clips_configuration(architecture, pretrained, activation):
    source = open_clip.get_pretrained_cfg(architecture, pretrained)
    assert activation_of("it", open_clip.get_model_config(architecture), source) == activation
