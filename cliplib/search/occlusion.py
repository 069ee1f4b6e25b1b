"""Why this picture? What each patch of it does for the score, found by covering one after the other.

Occlusion, as in Zeiler and Fergus (2014): it says what the score depends on, and that is true by measurement; it does
not say that the patch shows what was asked for.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from ..models.encoder import Encoder

MEAN_GREY = (122, 116, 104)  # the mean colour of CLIP's training pictures: 255 times the preprocessing's mean


def patch_pulls(encoder: Encoder, direction: np.ndarray, image: Image.Image, cells: int = 6) -> np.ndarray:
    """How much the score falls when a patch is painted grey.

    Args:
        encoder: the model.
        direction: the query's embedding, unit, float (d,).
        image: RGB; only the square that the model sees is cut into patches.
        cells: patches along each side.

    Returns:
        float32 (cells, cells), rows from the top; below 0 where the score rises.
    """
    seen = encoder.prepare(image)
    covered = []
    edges = np.linspace(0, len(seen), cells + 1).round().astype(int)
    for top, bottom in pairwise(edges):
        for left, right in pairwise(edges):
            copy = seen.copy()
            copy[top:bottom, left:right] = MEAN_GREY
            covered.append(copy)
    scores = encoder.encode_images([seen, *covered]) @ np.asarray(direction, np.float32)
    return (scores[0] - scores[1:]).reshape(cells, cells)


def half_around(encoder: Encoder, image: Image.Image, pulls: np.ndarray) -> tuple[Image.Image, float, float]:
    """The part of a picture around the patch that pulls most: half as wide and half as high as what the model sees.

    Scored on its own it is a test of the map: a patch can pull for what surrounds it, or for another thing that often
    comes with the one that was asked for.

    Args:
        encoder: the model.
        image: RGB, as for `patch_pulls`.
        pulls: its result, float (cells, cells).

    Returns:
        The part, and its top and left as shares of the side.
    """
    seen = Image.fromarray(encoder.prepare(image))
    row, column = np.unravel_index(int(pulls.argmax()), pulls.shape)
    top, left = (min(0.5, max(0.0, (float(at) + 0.5) / len(pulls) - 0.25)) for at in (row, column))
    x0, y0, x1, y1 = (round(seen.width * edge) for edge in (left, top, left + 0.5, top + 0.5))
    return seen.crop((x0, y0, x1, y1)), top, left
