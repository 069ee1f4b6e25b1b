"""The encoder: a network with what its tokenizer and its preprocessing give it; images and texts to unit rows."""

from __future__ import annotations

import html
import threading
import unicodedata
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import ModelError, QueryError
from .cpu_kernels import bf16_pays
from .towers import DTYPES, Towers
from .weights import Weights, load_weights

LONGEST_TEXT = 4000  # characters; far more than fit into the 77 tokens that a model reads
CACHED_TEXTS = 256
FEW_TEXTS = 8  # before so many it does not pay to measure how the text tower is best laid out
STREAM = 16  # pictures that one core encodes at a time, at most


class ClipEncoder:
    """A model that turns images and texts into float32 unit rows of `dim` numbers; see `Encoder`; made by `load`.

    Its network is `towers.Towers` or `openclip.OpenClipNetwork`; all else is the same for both. Of its own it has
    context_length (tokens).
    """

    def __init__(self, weights: Weights, device: str, precision: str | None = None):
        self.name, self.model_id = weights.name, weights.model_id
        self.thresholds, self.warning = weights.thresholds, weights.warning
        self.activation, self.architecture = weights.activation, weights.architecture
        self.device, self._precision = device, precision
        self._preprocessing, self.preprocessing = weights.preprocessing, str(weights.preprocessing)
        self.resolution = weights.preprocessing.sufficient_side
        self.batch_size = max(32, STREAM * torch.get_num_threads()) if device == "cpu" else 256
        self._streams = ThreadPoolExecutor(torch.get_num_threads(), "cliplib-encode", torch.set_num_threads, (1,))
        self._network = weights.network or Towers(weights)
        self._model = self._network.model
        self.dim, self.context_length = self._network.dim, self._network.context_length
        self.parameters = sum(numbers.numel() for numbers in self._model.parameters())
        self.logit_scale = float(self._model.logit_scale.exp())
        self._network.move_to(device, DTYPES[self.precision] if device != "cpu" else None)
        self._texts: OrderedDict[str, np.ndarray] = OrderedDict()  # the least recently used first
        self._encoded = 0  # texts
        self._lock = threading.Lock()  # of _texts and _encoded
        self._unprepared, self._preparing = True, threading.Lock()

    @classmethod
    def load(
        cls,
        model: str | Path = "ViT-B/32",
        device: str | torch.device | None = None,
        precision: str | None = None,
        activation: str | None = None,
        architecture: str | None = None,
    ) -> ClipEncoder:
        """The encoder of a model, see `encoder.load`."""
        device = choose_device(device)
        if precision not in (None, *DTYPES) or (precision == "fp16" and device == "cpu"):
            raise ModelError(f'precision="{precision}" on {device}: allowed are fp32 and bf16, and fp16 on a GPU')
        return cls(load_weights(model, activation, architecture), device, precision)

    @cached_property
    def precision(self) -> str:
        """Of the image tower: "fp32", "bf16" or "fp16"; on a CPU measured when it is first asked for."""
        if self._precision is None and self.device == "cpu":
            return "bf16" if bf16_pays() else "fp32"
        return self._precision or ("fp16" if self.device.startswith("cuda") else "fp32")

    @property
    def about(self) -> dict[str, Any]:
        """What an index says of the model that made it."""
        names = ("model_id", "dim", "preprocessing", "activation", "architecture")
        return {"name": str(self.name)} | {name: getattr(self, name) for name in names}

    def prepare(self, image: Image.Image) -> np.ndarray:
        """A picture at the model's size, uint8 (height, width, 3), see `Preprocessing.prepare`; safe in threads."""
        return self._preprocessing.prepare(image)

    def encode_images(self, images: Sequence[Image.Image | np.ndarray], batch_size: int | None = None) -> np.ndarray:
        """Embeddings of pictures, see `Encoder.encode_images`."""
        rows, start, size = [np.empty((0, self.dim), np.float32)], 0, batch_size or self.batch_size
        while start < len(images):
            batch = images[start : start + size]
            try:
                rows.append(self._rows(self._stack(batch)))
                start += len(batch)
                continue
            except torch.OutOfMemoryError as error:
                if len(batch) == 1:
                    advice = 'free its memory, or use device="cpu"'
                    raise ModelError(f"{self.name}: not even one image fits into {self.device}; {advice}") from error
            size = self.batch_size = len(batch) // 2  # outside `except`, which holds on to the failed batch
            torch.cuda.empty_cache()
        return np.concatenate(rows)

    def encode_texts(self, texts: str | Sequence[str]) -> np.ndarray:
        """Embeddings of one text or several, see `Encoder.encode_texts`. A repeated text costs nothing."""
        texts = [texts] if isinstance(texts, str) else list(texts)
        with self._lock:
            found = {text: self._texts[text] for text in texts if text in self._texts}
            new = []
            for text in dict.fromkeys(texts):
                if text not in found:
                    new.append((text, self._tokens(text)))
            new.sort(key=lambda item: int(item[1].argmax()))  # like lengths together
            if self._encoded < FEW_TEXTS <= self._encoded + len(new) and self.device == "cpu":
                self._network.prepare_text_tower()
            self._encoded += len(new)
            for start in range(0, len(new), 64):
                batch = new[start : start + 64]
                found |= zip((text for text, _ in batch), self._text_rows([row for _, row in batch]), strict=True)
            for text in dict.fromkeys(texts):
                self._texts[text] = found[text]
                self._texts.move_to_end(text)
            while len(self._texts) > CACHED_TEXTS:
                self._texts.popitem(last=False)
        return np.stack([found[text] for text in texts]) if texts else np.empty((0, self.dim), np.float32)

    def _stack(self, images: Sequence[Image.Image | np.ndarray]) -> torch.Tensor:
        """Pixels of pictures, uint8 (n, height, width, 3)."""
        high, wide = self._preprocessing.height, self._preprocessing.width
        arrays = [image if isinstance(image, np.ndarray) else self.prepare(image) for image in images]
        for array in arrays:
            if array.shape != (high, wide, 3) or array.dtype != np.uint8:
                got = f"{array.dtype} {array.shape}"
                raise ValueError(f"arrays must be uint8 ({high}, {wide}, 3) as prepare() gives them, got {got}")
        return torch.from_numpy(np.stack(arrays))

    def _rows(self, pixels: torch.Tensor) -> np.ndarray:
        """The rows of a batch; on a CPU each core takes some of the pictures through the whole tower.

        With all cores at every single product, each would wait for the slowest hundreds of times a batch: for one that
        is decoding meanwhile, long.
        """
        self._prepare_for_images()  # what is measured for it is measured before the streams begin
        if self.device != "cpu" or len(pixels) == 1:
            return self._image_rows(pixels)
        share = min(STREAM, -(-len(pixels) // torch.get_num_threads()))  # of a small batch, too, each core has some
        rows = list(self._streams.map(self._image_rows, pixels.split(share)))
        torch.set_num_threads(torch.get_num_threads())  # what a new stream has set holds for all threads yet to come
        return np.concatenate(rows)

    @torch.inference_mode()
    def _image_rows(self, pixels: torch.Tensor) -> np.ndarray:
        return self._unit(self._network.images(pixels.to(self.device)), "an image")

    def _prepare_for_images(self) -> None:
        """Measure and lay out the image tower when the first picture comes: a search by words need not wait for it."""
        with self._preparing:
            if self._unprepared:
                self._network.prepare_image_tower(DTYPES[self.precision])
                self._unprepared = False

    def _tokens(self, text: str) -> torch.Tensor:
        """int64 (context_length,): the text as the model reads it."""
        if not isinstance(text, str):
            raise QueryError(f"a query must be text, got {type(text).__name__}: {text!r}")
        short = " ".join(text.split())[:LONGEST_TEXT]
        # Letters, digits and symbols (an emoji is one) carry meaning; marks, punctuation and spaces alone do not.
        kinds = {unicodedata.category(sign) for sign in html.unescape(html.unescape(short))}
        if not any(kind[0] in "LN" or kind == "So" for kind in kinds):
            raise QueryError(f"the query {text[:50]!r} has no words; describe what the picture shows, such as 'a dog'")
        row, lost, kept = self._network.tokens(short)
        if lost:
            most, end = self.context_length - 2, kept[-40:]
            said = f"the query is longer than the {most} tokens that {self.name} reads; what follows '...{end}' was cut"
            warnings.warn(said, stacklevel=3)
        return row

    @torch.inference_mode()
    def _text_rows(self, tokens: list[torch.Tensor]) -> np.ndarray:
        return self._unit(self._network.texts(torch.stack(tokens).to(self.device)), "a text")

    def _unit(self, embeddings: torch.Tensor, what: str) -> np.ndarray:
        rows = torch.nn.functional.normalize(embeddings.float(), dim=-1).cpu().numpy()
        if not np.allclose(np.einsum("nd,nd->n", rows, rows), 1, atol=1e-3):  # NaN, infinity or all zeros
            raise ModelError(
                f"{self.name} gave {what} an embedding that is not finite, in {self.precision} on {self.device}; "
                'try precision="fp32", and check where the weights come from'
            )
        return rows


def choose_device(requested: str | torch.device | None) -> str:
    """The device to run on, as PyTorch calls it.

    Args:
        requested: Such as "cpu", "cuda:1" or "mps"; None or "auto" is a GPU where there is one; "gpu" insists on one.

    Raises:
        ModelError: It is not there, or no device is called that.
    """
    wanted = "auto" if requested is None else str(requested).strip().lower()
    has_metal = bool(getattr(torch.backends, "mps", None)) and torch.backends.mps.is_available()
    gpu = "cuda" if torch.cuda.is_available() else "mps" if has_metal else None
    if wanted in ("auto", "gpu") and (gpu or wanted == "auto"):
        return gpu or "cpu"
    if wanted == "gpu" or (wanted.startswith("cuda") and gpu != "cuda") or (wanted == "mps" and not has_metal):
        raise ModelError(f'device="{requested}" was asked for and PyTorch {torch.__version__} sees no GPU; use "cpu"')
    kind, _, number = wanted.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdigit()):
        raise ModelError(
            f'device="{requested}" is not known: it can be "cpu", "cuda", "cuda:1", "mps", "gpu" or "auto"'
        )
    if kind == "cuda" and number and int(number) >= torch.cuda.device_count():
        raise ModelError(
            f'device="{requested}" was asked for and there are {torch.cuda.device_count()} GPUs, from "cuda:0"'
        )
    return "cpu" if kind == "cpu" else wanted
