"""The self-test: published numbers beside measured ones."""

import pytest
from PIL import Image

from cliplib.errors import ModelError
from cliplib.models.selftest import PUBLISHED, selftest
from tests.checkpoints import random_clip, save_torchscript


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_torchscript(random_clip("small"), tmp_path_factory.mktemp("model") / "random.pt")


def test_random_weights_do_not_pass(model, tmp_path):
    Image.new("RGB", (60, 40), "teal").save(tmp_path / "CLIP.png")
    result = selftest(model, picture=tmp_path / "CLIP.png")
    assert result["passed"] is False
    assert sum(result["measured"]) == pytest.approx(1)
    expected = max(abs(a - b) for a, b in zip(result["measured"], PUBLISHED, strict=True))
    assert result["max_difference"] == pytest.approx(expected) and expected > result["tolerance"]


def test_says_how_to_give_the_picture(model, tmp_path):
    with pytest.raises(
        ModelError, match=r'the example picture cannot be had from .*nowhere.png.* picture="/path/CLIP.png"'
    ):
        selftest(model, picture=tmp_path / "nowhere.png")
