"""`Encoder`: what every model offers; `load`: from a name or a file to one."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

import numpy as np
from PIL import Image


class Encoder(Protocol):
    """Turns images and texts into float32 unit rows of `dim` numbers, whose products are cosine similarities.

    Attributes:
        name: As it was asked for.
        model_id: 64 hex digits, the same for the same numbers used in the same way; rows of two models that differ in
            it cannot be compared.
        dim: Numbers in a row.
        resolution: Pixels of the shorter side of a picture that lose nothing: a larger one may be reduced to it before
            `prepare`.
        preprocessing: In words, what happens to a picture before the model sees it.
        precision: Of the image tower: "fp32", "bf16" or "fp16".
        device: "cpu", "cuda" ...
        batch_size: Images that go through the model at once.
        parameters: Numbers in the weights.
        logit_scale: What the model's training multiplied cosines by, before a softmax.
        activation: "quickgelu" or "gelu".
        thresholds: Cosines by search mode that the model brings along, or empty.
        warning: Words to show wherever the model answers, or "".
        about: What an index says of the model that made it: name, model_id, dim, preprocessing.
    """

    name: str
    model_id: str
    dim: int
    resolution: int
    preprocessing: str
    precision: str
    device: str
    batch_size: int
    parameters: int
    logit_scale: float
    activation: str
    thresholds: dict[str, float]
    warning: str

    @property
    def about(self) -> dict[str, Any]: ...

    def prepare(self, image: Image.Image) -> np.ndarray:
        """A picture at the model's size, uint8 (height, width, 3); safe in threads."""
        ...

    def encode_images(self, images: Sequence[Image.Image | np.ndarray], batch_size: int | None = None) -> np.ndarray:
        """float32 (n, dim), unit rows, in the order of `images`: pictures, or arrays that `prepare` gave.

        Raises:
            ModelError: Not even one image fits into memory, or the model gives no finite numbers.
        """
        ...

    def encode_texts(self, texts: str | Sequence[str]) -> np.ndarray:
        """float32 (n, dim), unit rows, in the order of `texts`; a text that is too long is cut, with a warning.

        Raises:
            QueryError: A text without words.
        """
        ...


_IN_USE: WeakValueDictionary[tuple, Encoder] = WeakValueDictionary()  # the only state that a room of cliplib keeps
_LOADING = threading.Lock()


def load(
    model: str | Path = "ViT-B/32",
    device: str | None = None,
    precision: str | None = None,
    activation: str | None = None,
) -> Encoder:
    """The encoder of a model; while one is in use, whoever loads the same again is given it.

    So a notebook's cell that is run again costs no second model, also where a search box still holds the first.

    Args:
        model: A name of openai/CLIP, "tiny", "open_clip:<architecture>/<pretrained>", or the path of a checkpoint.
        device: Such as "cpu" or "cuda"; by default a GPU where PyTorch sees one.
        precision: Of the image tower: "fp32", "bf16" or "fp16"; by default "fp16" on a GPU, on a CPU "bf16" where that
            is measured to be faster, else "fp32".
        activation: "quickgelu" or "gelu", where a checkpoint does not tell.

    Raises:
        ModelError: The model cannot be had, read or run; says what to do.
    """
    from .clip_encoder import ClipEncoder  # here, for who knows the interface alone need not wait for PyTorch

    key = (str(model), _file_state(model), device, precision, activation)
    with _LOADING:
        encoder = _IN_USE.get(key)
        if encoder is None:
            encoder = _IN_USE[key] = ClipEncoder.load(model, device, precision, activation)
    return encoder


def _file_state(model: str | Path) -> tuple[int, int] | None:
    """What changes when the file of a checkpoint does; None for a name."""
    try:
        state = os.stat(os.path.expanduser(model))
    except (OSError, ValueError):
        return None
    return state.st_mtime_ns, state.st_size
