"""Check real weights against what openai/CLIP's README publishes for its example picture."""

import io

import numpy as np
from PIL import Image

from ..errors import ModelError
from .encoder import load
from .fetch import open_address

PICTURE = "https://raw.githubusercontent.com/openai/CLIP/d05afc436d78f1c48dc0dbf8e5980a9d471f35f6/CLIP.png"
LABELS = ("a diagram", "a dog", "a cat")
PUBLISHED = (0.9927937, 0.00421068, 0.00299572)  # ViT-B/32, README of openai/CLIP
TOLERANCE = 0.002  # the published numbers were computed with weights in half precision


def selftest(model="ViT-B/32", picture=None, device=None) -> dict:
    """Probabilities of three labels for openai/CLIP's CLIP.png, measured in fp32, beside the published ones.

    model: "ViT-B/32" or the path of its weights; no other model has published numbers. picture: path of CLIP.png, by
    default fetched from GitHub. Returns passed, model, model_id, labels, measured, published, max_difference and
    tolerance. Raises ModelError where the weights or the picture cannot be had.
    """
    encoder = load(model, device=device, precision="fp32")
    try:
        with open(picture, "rb") if picture else open_address(PICTURE) as file:
            image = Image.open(io.BytesIO(file.read())).convert("RGB")
    except Exception as error:  # files, networks and decoders raise many kinds
        raise ModelError(
            f"the example picture cannot be had from {picture or PICTURE}: {error}. Fetch CLIP.png of openai/CLIP "
            'elsewhere and give it as picture="/path/CLIP.png"'
        ) from error
    logits = encoder.logit_scale * (encoder.encode_texts(LABELS) @ encoder.encode_images([image])[0])
    odds = np.exp(logits - logits.max())
    measured = odds / odds.sum()
    difference = float(np.abs(measured - PUBLISHED).max())
    return {
        "passed": difference <= TOLERANCE,
        "model": encoder.name,
        "model_id": encoder.model_id,
        "labels": list(LABELS),
        "measured": [float(value) for value in measured],
        "published": list(PUBLISHED),
        "max_difference": difference,
        "tolerance": TOLERANCE,
    }
