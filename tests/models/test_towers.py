"""The towers: spared work changes nothing."""

import clip.model
import numpy as np
import pytest
import torch
from torchvision.transforms import Normalize

from cliplib.models import towers
from cliplib.models.clip_encoder import ClipEncoder
from cliplib.models.preprocessing import MEAN, STD
from cliplib.models.weights import load_weights
from tests.harness.checkpoints import half_state, random_clip, save_plain

PIXELS = torch.randint(256, (3, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def reference():
    return random_clip("small")


@pytest.fixture(scope="module")
def weights(reference, tmp_path_factory):
    path = save_plain(half_state(reference), tmp_path_factory.mktemp("towers") / "small.pt")
    return load_weights(path, activation="quickgelu")


@pytest.mark.parametrize("few", [0, 64], ids=["fused attention", "plain products"])
def test_the_towers_give_what_openai_clips_do(reference, weights, monkeypatch, few):
    monkeypatch.setattr(towers, "FEW_POSITIONS", few)
    built = towers.build(weights)
    pixels, tokens = PIXELS, clip.clip.tokenize(["a dog", "a red car in the rain"])
    normalised = Normalize(MEAN, STD)(pixels.permute(0, 3, 1, 2) / 255)
    with torch.inference_mode():
        torch.testing.assert_close(built.visual(pixels), reference.visual(normalised), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(built.encode_text(tokens), reference.encode_text(tokens), rtol=1e-5, atol=1e-5)


def test_building_leaves_the_weights_as_they_were(weights):
    before = {name: value.clone() for name, value in weights.state.items()}
    towers.build(weights)
    assert all(torch.equal(before[name], value) for name, value in weights.state.items())


def test_the_last_block_is_computed_for_one_position_only(weights):
    built, rows = towers.build(weights), []
    for block in (built.visual.transformer.blocks[0], built.visual.transformer.blocks[-1]):
        block.mlp.c_fc.register_forward_hook(lambda part, given, out: rows.append(tuple(given[0].shape[:2])))
    with torch.inference_mode():
        built.visual(PIXELS)
    assert rows == [(3, 5), (3, 1)]  # four patches of 16 pixels and the class token, for three pictures


def test_bf16_keeps_the_direction_of_every_picture(reference, weights):
    pictures = [np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8) for seed in range(20)]
    exact, fast = (ClipEncoder(weights, "cpu", precision).encode_images(pictures) for precision in ("fp32", "bf16"))
    assert np.quantile((exact * fast).sum(axis=1), 0.01) >= 0.9995
