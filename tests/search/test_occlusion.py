"""Which patches a score hangs on, with a model whose score is known by hand: the share of red in the picture."""

import numpy as np
import pytest
from PIL import Image

from cliplib.search.occlusion import half_around, patch_pulls


class Redness:
    """Sees 60 pixels a side; its one number is how much of that is red."""

    def prepare(self, image):
        return np.asarray(image.convert("RGB").resize((60, 60)))

    def encode_images(self, pixels):
        pixels = np.stack(pixels)
        return ((pixels[..., 0] > 200) & (pixels[..., 1] < 50)).mean(axis=(1, 2), dtype=np.float32)[:, None]


def picture(left, top):
    """Grey, with a red square of a sixth of the side."""
    image = Image.new("RGB", (120, 120), "grey")
    image.paste((255, 0, 0), (left, top, left + 20, top + 20))
    return image


def test_the_patch_that_pulls_is_the_red_one():
    pulls = patch_pulls(Redness(), np.ones(1), picture(80, 20), 6)
    assert np.unravel_index(pulls.argmax(), pulls.shape) == (1, 4)
    assert np.count_nonzero(pulls) == 1 and pulls.max() == np.float32(1 / 36)


def test_the_half_around_it_holds_it_and_stays_within_the_picture():
    for left, top, corner in ((80, 20, (0.0, 0.5)), (40, 60, (1 / 3, 1 / 6)), (0, 100, (0.5, 0.0))):
        image = picture(left, top)
        part, part_top, part_left = half_around(Redness(), image, patch_pulls(Redness(), np.ones(1), image, 6))
        assert part.size == (30, 30) and np.allclose((part_top, part_left), corner)
        assert Redness().encode_images([Redness().prepare(part)])[0, 0] == pytest.approx(4 / 36, abs=0.01)


def test_nothing_that_pulls_is_the_first_patch():
    assert half_around(Redness(), Image.new("RGB", (60, 60)), np.zeros((6, 6)))[1:] == (0.0, 0.0)
