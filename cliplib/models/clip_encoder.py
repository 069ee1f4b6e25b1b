"""The encoder of models of openai/CLIP's shape, with its own network classes and tokenizer."""

import threading
import unicodedata
import warnings
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import torch
from PIL import Image

from ..errors import ModelError, QueryError
from . import openai
from .arithmetic import bf16_pays
from .towers import build, convert, pack
from .weights import Weights, architecture, load_weights, preprocessing

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LONGEST_ASPECT = 32  # above, the whole picture is never resized: only its centre is
LONGEST_TEXT = 4000  # characters; far more than fit into the 77 tokens that a model reads
CACHED_TEXTS = 256
FEW_TEXTS = 8  # before so many it does not pay to measure how the text tower is best laid out
STREAM = 16  # pictures that one core encodes at a time


class ClipEncoder:
    """A CLIP model that turns images and texts into float32 unit rows of `dim` numbers; make one with `load`.

    name: as asked for. model_id: see `weights.model_id`. dim, resolution (pixels), context_length (tokens).
    device: "cpu" or "cuda". preprocessing: in words.
    activation: "quickgelu" or "gelu". thresholds: cosine by search mode, or empty. warning: words to show wherever the
    model answers, or "". parameters: numbers in the weights.
    batch_size: images that go through the model at once; halved for good when a GPU's memory does not hold them.
    logit_scale: what openai/CLIP multiplies cosines by before a softmax.
    """

    def __init__(self, weights: Weights, device: str, precision: str | None = None):
        sizes = architecture(weights.state)
        self.name, self.model_id = weights.name, weights.model_id
        self.thresholds, self.warning, self.activation = weights.thresholds, weights.warning, weights.activation
        self.dim, self.resolution = sizes["embed_dim"], sizes["image_resolution"]
        self.context_length = sizes["context_length"]
        self.preprocessing = preprocessing(self.resolution)
        self.parameters = sum(tensor.numel() for tensor in weights.state.values())
        self.device, self._precision = device, precision
        self.batch_size = max(32, STREAM * torch.get_num_threads()) if device == "cpu" else 256
        self._streams = ThreadPoolExecutor(torch.get_num_threads(), "cliplib-encode", torch.set_num_threads, (1,))
        self._model = build(weights, sizes)
        self.logit_scale = float(self._model.logit_scale.exp())
        if device != "cpu":  # there one short text is slower in bf16 than in fp32
            convert(self._model, DTYPES[self.precision])
        self._model.to(device)
        self._texts = OrderedDict()  # text -> row, the least recently used first
        self._encoded = 0  # texts
        self._lock = threading.Lock()  # of _texts and _encoded
        self._unprepared, self._preparing = device == "cpu", threading.Lock()

    @classmethod
    def load(cls, model="ViT-B/32", device=None, precision=None, activation=None):
        """The encoder of a name of openai/CLIP, "tiny" or the path of a checkpoint; see `weights.load_weights`.

        device: by default "cuda" where PyTorch sees a GPU, else "cpu". precision: by default "fp16" on a GPU; on a CPU
        "bf16" where `arithmetic.bf16_pays`, else "fp32". Raises ModelError.
        """
        device = str(device or ("cuda" if torch.cuda.is_available() else "cpu")).lower().replace("gpu", "cuda")
        try:
            torch.device(device)
        except RuntimeError:
            raise ModelError(f'device="{device:.60}": it can be "cpu", "cuda" for a GPU, or "mps" on a Mac') from None
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ModelError(f'device="{device}" was asked for and PyTorch {torch.__version__} sees no GPU; use "cpu"')
        if precision not in (None, *DTYPES) or (precision == "fp16" and device == "cpu"):
            raise ModelError(f'precision="{precision}" on {device}: allowed are fp32 and bf16, and fp16 on a GPU')
        return cls(load_weights(model, activation), device, precision)

    @cached_property
    def precision(self) -> str:
        """Of the image tower: "fp32", "bf16" or "fp16"; on a CPU measured when it is first asked for."""
        if self._precision is None and self.device == "cpu":
            return "bf16" if bf16_pays() else "fp32"
        return self._precision or ("fp16" if self.device.startswith("cuda") else "fp32")

    @property
    def about(self) -> dict:
        """What an index says of the model that made it."""
        names = ("model_id", "dim", "preprocessing")
        return {"name": str(self.name)} | {name: getattr(self, name) for name in names}

    def prepare(self, image) -> np.ndarray:
        """The geometric half of CLIP's preprocessing: uint8 (resolution, resolution, 3) of a PIL image.

        Bit for bit openai/CLIP's Resize(bicubic) and CenterCrop, except for pictures more than LONGEST_ASPECT times
        longer than wide: of those only the centre is resized, so that they cost no memory. Safe in threads.
        """
        n, image = self.resolution, image if image.mode == "RGB" else image.convert("RGB")
        width, height = image.size
        shorter = min(width, height)
        wide, high = n * width // shorter, n * height // shorter
        left, top = round((wide - n) / 2), round((high - n) / 2)
        if max(wide, high) <= LONGEST_ASPECT * n:
            image = image.resize((wide, high), Image.Resampling.BICUBIC).crop((left, top, left + n, top + n))
        else:
            across, down = width / wide, height / high
            right, bottom = min((left + n) * across, width), min((top + n) * down, height)
            image = image.resize((n, n), Image.Resampling.BICUBIC, box=(left * across, top * down, right, bottom))
        return np.asarray(image)

    def encode_images(self, images, batch_size=None) -> np.ndarray:
        """float32 (n, dim), unit rows, in the order of `images`: PIL images, or arrays that `prepare` gave.

        batch_size: images at once, by default `self.batch_size`. Raises ModelError when even one does not fit.
        """
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

    def encode_texts(self, texts) -> np.ndarray:
        """float32 (n, dim), unit rows, in the order of `texts`: one text or several. A repeated text costs nothing.

        A text longer than the model reads is cut, with a warning that says where. Raises QueryError for a text without
        words.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        with self._lock:
            found = {text: self._texts[text] for text in texts if text in self._texts}
            new = []
            for text in dict.fromkeys(texts):
                if text not in found:
                    new.append((text, self._tokens(text)))
            new.sort(key=lambda item: int(item[1].argmax()))  # like lengths together
            if self._encoded < FEW_TEXTS <= self._encoded + len(new) and self.device == "cpu":
                pack(self._model.transformer)
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

    def _stack(self, images) -> torch.Tensor:
        n = self.resolution
        arrays = [image if isinstance(image, np.ndarray) else self.prepare(image) for image in images]
        for array in arrays:
            if array.shape != (n, n, 3) or array.dtype != np.uint8:
                got = f"{array.dtype} {array.shape}"
                raise ValueError(f"arrays must be uint8 ({n}, {n}, 3) as prepare() gives them, got {got}")
        return torch.from_numpy(np.stack(arrays))

    def _rows(self, pixels: torch.Tensor) -> np.ndarray:
        """The rows of a batch; on a CPU each core takes some of the pictures through the whole tower.

        With all cores at every single product, each would wait for the slowest hundreds of times a batch: for one that
        is decoding meanwhile, long.
        """
        self._image_tower()  # what is measured for it is measured before the streams begin
        if self.device != "cpu" or len(pixels) <= STREAM:
            return self._image_rows(pixels)
        rows = list(self._streams.map(self._image_rows, pixels.split(STREAM)))
        torch.set_num_threads(torch.get_num_threads())  # what a new stream has set holds for all threads yet to come
        return np.concatenate(rows)

    @torch.inference_mode()
    def _image_rows(self, pixels: torch.Tensor) -> np.ndarray:
        return self._unit(self._image_tower()(pixels.to(self.device)), "an image")

    def _image_tower(self) -> torch.nn.Module:
        """The image tower; on a CPU brought into its precision and packed for the first picture, for a search by words
        need not wait for what is measured there.
        """
        with self._preparing:
            if self._unprepared:
                convert(self._model.visual, DTYPES[self.precision])
                pack(self._model.visual)
                self._unprepared = False
        return self._model.visual

    def _tokens(self, text: str) -> torch.Tensor:
        """int64 (context_length,): start token, the text's, end token, zeros."""
        if not isinstance(text, str):
            raise QueryError(f"a query must be text, got {type(text).__name__}: {text!r}")
        short = " ".join(text.split())[:LONGEST_TEXT]
        row, count = openai.tokenize(short, self.context_length)
        # Letters, digits and symbols (an emoji is one) carry meaning; marks, punctuation and spaces alone do not.
        kinds = {unicodedata.category(sign) for sign in short}
        if int(row.argmax()) < 2 or not any(kind[0] in "LN" or kind == "So" for kind in kinds):
            raise QueryError(f"the query {text[:50]!r} has no words; describe what the picture shows, such as 'a dog'")
        kept = self.context_length - 2
        if count > kept:
            end = openai.tokenizer().decode(row[1:-1].tolist()).strip()[-40:]
            said = f"the query is longer than the {kept} tokens that {self.name} reads; what follows '...{end}' was cut"
            warnings.warn(said, stacklevel=3)
        return row

    @torch.inference_mode()
    def _text_rows(self, rows) -> np.ndarray:
        """`encode_text` of openai/CLIP without the positions after the longest text's end token.

        Exact, because the attention is causal: no earlier position sees them.
        """
        model, tokens = self._model, torch.stack(rows).to(self.device)
        ends = tokens.argmax(dim=-1)
        length, dtype = int(ends.max()) + 1, model.text_projection.dtype
        hidden = model.token_embedding(tokens[:, :length]).to(dtype) + model.positional_embedding[:length].to(dtype)
        hidden = model.transformer(hidden.permute(1, 0, 2)).permute(1, 0, 2)
        hidden = model.ln_final(hidden).to(dtype)
        return self._unit(hidden[torch.arange(len(rows)), ends] @ model.text_projection, "a text")

    def _unit(self, embeddings: torch.Tensor, what: str) -> np.ndarray:
        rows = torch.nn.functional.normalize(embeddings.float(), dim=-1).cpu().numpy()
        if not np.allclose(np.einsum("nd,nd->n", rows, rows), 1, atol=1e-3):  # NaN, infinity or all zeros
            raise ModelError(
                f"{self.name} gave {what} an embedding that is not finite, in {self.precision} on {self.device}; "
                'try precision="fp32", and check where the weights come from'
            )
        return rows
