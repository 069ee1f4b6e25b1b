"""Preprocessing: the pixels of open_clip's own transforms, in every mode, and words that tell ways apart."""

import numpy as np
import pytest
from PIL import Image

from cliplib import ModelError
from cliplib.models.preprocessing import Preprocessing
from tests.harness.libraries import picture

transform = pytest.importorskip("open_clip.transform")
SIZES = [(300, 200), (200, 300), (64, 64), (33, 500), (1000, 90), (20, 20)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("target", [64, (48, 80)])
def test_pixels_are_those_of_open_clips_transform(size, interpolation, mode, target):
    if mode == "shortest" and target != 64:
        interpolation = "bicubic"  # as open_clip does whatever it is told
    image = picture(1, size)
    facts = {"resize_mode": mode, "interpolation": interpolation, "fill_color": 7}
    theirs = transform.image_transform_v2(transform.PreprocessCfg(size=target, **facts), is_train=False)
    pixels = image
    for step in theirs.transforms[:-2]:  # all but to a tensor and normalised
        pixels = step(pixels)
    ours = Preprocessing.of(target, facts).prepare(image)
    np.testing.assert_array_equal(ours, np.asarray(pixels))


def test_words_tell_every_way_apart_and_those_of_openai_clip_stay():
    base = Preprocessing(224, 224)
    assert str(base) == (
        "RGB; shorter side to 224 bicubic; centre crop 224x224; 0 to 1; mean 0.48145466,0.4578275,0.40821073; "
        "std 0.26862954,0.26130258,0.27577711"
    )
    ways = [base, *(Preprocessing(224, 224, resize_mode=mode) for mode in ("squash", "longest"))]
    ways += [Preprocessing(224, 240), Preprocessing(224, 224, interpolation="bilinear")]
    ways += [Preprocessing(224, 224, mean=(0.5,) * 3), Preprocessing(224, 224, std=(0.5,) * 3)]
    ways += [Preprocessing(224, 224, resize_mode="longest", fill=9)]
    assert len({str(way) for way in ways}) == len(ways)


@pytest.mark.parametrize(
    ("size", "facts", "words"),
    [
        (224, {"resize_mode": "stretch"}, '"shortest", "squash" or "longest"'),
        (224, {"interpolation": "nearest"}, "bicubic, bilinear"),
        (224, {"mean": [0.5, 0.5]}, "three numbers"),
        (224, {"std": [0.5, 0.0, 0.5]}, "above 0"),
        (224, {"mean": ["a", "b", "c"]}, "three numbers"),
        (0, {}, "size of at least 1"),
    ],
)
def test_refuses_what_cannot_be_done(size, facts, words):
    with pytest.raises(ModelError, match=words):
        Preprocessing.of(size, facts)


def test_one_number_stands_for_three():
    assert Preprocessing.of((2, 4), {"mean": 0.5, "std": 0.25}) == Preprocessing(2, 4, (0.5,) * 3, (0.25,) * 3)


def test_other_modes_become_rgb():
    grey = Image.new("L", (80, 60), 100)
    assert Preprocessing(8, 8, resize_mode="squash").prepare(grey).shape == (8, 8, 3)
