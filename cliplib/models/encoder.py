"""`Encoder`: what every model offers; `load`: from a name or a file to one."""

import contextlib
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
        device: "cpu", "cuda" ...
        batch_size: Images that go through the model at once.
        parameters: Numbers in the weights.
        logit_scale: What the model's training multiplied cosines by, before a softmax.
        activation: "quickgelu" or "gelu".
        architecture: By which name `load` finds again what a file does not tell of itself, or "".
        thresholds: Cosines by search mode that the model brings along, or empty.
        warning: Words to show wherever the model answers, or "".
    """

    name: str
    model_id: str
    dim: int
    resolution: int
    preprocessing: str
    device: str
    batch_size: int
    parameters: int
    logit_scale: float
    activation: str
    architecture: str
    thresholds: dict[str, float]
    warning: str

    @property
    def precision(self) -> str:
        """Of the image tower: "fp32", "bf16" or "fp16"."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """What an index says of its model: name, model_id, dim, preprocessing, activation, architecture."""
        ...

    def prepare(self, image: Image.Image) -> np.ndarray:
        """A picture at the model's size, as the model sees it; safe in threads.

        Args:
            image: Upright, in any mode and of any size.

        Returns:
            uint8 (height, width, 3), RGB.
        """
        ...

    def encode_images(self, images: Sequence[Image.Image | np.ndarray], batch_size: int | None = None) -> np.ndarray:
        """Embeddings of pictures.

        Args:
            images: n pictures, or arrays that `prepare` gave.
            batch_size: How many go through the model at once, by default `self.batch_size`.

        Returns:
            float32 (n, dim), unit rows, in the order of `images`.

        Raises:
            ModelError: Not even one image fits into memory, or the model gives no finite numbers.
        """
        ...

    def encode_texts(self, texts: str | Sequence[str]) -> np.ndarray:
        """Embeddings of texts.

        Args:
            texts: n texts, or one. A text that is longer than the model reads is cut, with a warning that says where.

        Returns:
            float32 (n, dim), unit rows, in the order of `texts`.

        Raises:
            QueryError: A text without words.
        """
        ...


_IN_USE: WeakValueDictionary[tuple, Encoder] = WeakValueDictionary()  # the only state that a room of cliplib keeps
_LOADING = threading.Lock()
BESIDE = ("open_clip_config.json", "config.json", "preprocessor_config.json", "tokenizer.json")


def load(
    model: str | Path = "ViT-B/32",
    device: str | None = None,
    precision: str | None = None,
    activation: str | None = None,
    architecture: str | None = None,
) -> Encoder:
    """The encoder of a model.

    While one is in use, whoever loads the same again is given the same one. So a notebook's cell that is run again
    costs no second model, also where a search box still holds the first.

    Args:
        model: A name of openai/CLIP, "tiny", "open_clip:<architecture>/<pretrained>", "hf-hub:<owner>/<name>",
            "local-dir:<folder>", or the path of a checkpoint or of a folder with one.
        device: Such as "cpu", "cuda" or "mps"; by default ("auto") a GPU where PyTorch sees one.
        precision: Of the image tower: "fp32", "bf16" or "fp16"; by default "fp16" on a GPU, on a CPU "bf16" where that
            is measured to be faster, else "fp32".
        activation: "quickgelu" or "gelu", where a checkpoint does not tell.
        architecture: The model that a file holds or was fine-tuned from, where neither it nor a configuration beside
            it tells: a name of openai/CLIP, "ViT-B/32", or of open_clip, "ViT-H-14" or "ViT-L-14/laion2b_s32b_b82k".

    Returns:
        The encoder, ready for texts and pictures.

    Raises:
        ModelError: The model cannot be had, read or run; says what to do.
    """
    from .clip_encoder import ClipEncoder  # here, for who knows the interface alone need not wait for PyTorch

    key = (str(model), str(_file_state(model)), device, precision, activation, architecture)
    with _LOADING:
        encoder = _IN_USE.get(key)
        if encoder is None:
            encoder = _IN_USE[key] = ClipEncoder.load(model, device, precision, activation, architecture)
    return encoder


def _file_state(model: str | Path) -> list[tuple[int, int]]:
    """What changes when a checkpoint does, or a configuration beside it; nothing for a name."""
    path = Path(os.path.expanduser(str(model).removeprefix("local-dir:")))
    states = []
    for file in (path, *(folder / name for name in BESIDE for folder in (path, path.parent))):
        with contextlib.suppress(OSError, ValueError):
            state = os.stat(file)
            states.append((state.st_mtime_ns, state.st_size))
    return states
