"""What happens to a picture before a model sees it: the geometry, here; the colours, as numbers for the network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ModelError

MEAN = (0.48145466, 0.4578275, 0.40821073)  # of openai/CLIP, for RGB in 0 to 1
STD = (0.26862954, 0.26130258, 0.27577711)
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
LONGEST_ASPECT = 32  # above, the whole picture is never resized: only its centre is


@dataclass(frozen=True)
class Preprocessing:
    """How a picture is brought to a model's size, and what its colours are shifted and divided by.

    Attributes:
        height: Pixels that the model sees.
        width: The same.
        mean: Of RGB in 0 to 1, taken away.
        std: What the rest is divided by.
        resize_mode: "shortest": the shorter side is brought to size and the centre cut out; "squash": both sides are,
            whatever becomes of circles; "longest": the longer side is, and the rest filled.
        interpolation: "bicubic" or "bilinear".
        fill: 0 to 255, of the border in "longest".
    """

    height: int
    width: int
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    resize_mode: str = "shortest"
    interpolation: str = "bicubic"
    fill: int = 0

    def __post_init__(self) -> None:
        if self.resize_mode not in ("shortest", "squash", "longest"):
            raise ModelError(f'resize_mode is {self.resize_mode!r}: it can be "shortest", "squash" or "longest"')
        if self.interpolation not in FILTERS:
            raise ModelError(f"interpolation is {self.interpolation!r}: it can be {', '.join(FILTERS)}")
        if min(self.height, self.width) < 1 or min(self.std) <= 0 or len(self.mean) != 3 or len(self.std) != 3:
            raise ModelError(f"a size of at least 1, three means and three deviations above 0 are needed: got {self}")

    @classmethod
    def of(cls, size: Any, preprocess_cfg: Mapping[str, Any]) -> Preprocessing:
        """From a size in pixels, one number or (height, width), and the keys of open_clip's `preprocess_cfg`."""
        height, width = (size, size) if isinstance(size, int) else (int(side) for side in size)
        mean, std = (_three(preprocess_cfg.get(name) or usual) for name, usual in (("mean", MEAN), ("std", STD)))
        mode = preprocess_cfg.get("resize_mode") or "shortest"
        interpolation = preprocess_cfg.get("interpolation") or "bicubic"
        interpolation = "bicubic" if interpolation == "random" else interpolation  # as open_clip reads it
        return cls(height, width, mean, std, mode, interpolation, int(preprocess_cfg.get("fill_color") or 0))

    def __str__(self) -> str:
        """In words, which are part of a model's identity: they must not change."""
        size = f"{self.width}x{self.height}"
        shorter = str(self.width) if self.width == self.height else size
        geometry = {
            "shortest": f"shorter side to {shorter} {self.interpolation}; centre crop {size}",
            "squash": f"squashed to {size} {self.interpolation}",
            "longest": f"longer side to {shorter} {self.interpolation}; centred on {size} filled with {self.fill}",
        }[self.resize_mode]
        mean, std = (",".join(map(str, numbers)) for numbers in (self.mean, self.std))
        return f"RGB; {geometry}; 0 to 1; mean {mean}; std {std}"

    @property
    def sufficient_side(self) -> int:
        """Pixels of the shorter side to which a larger picture may be reduced before, with its sides as they are."""
        plain = self.resize_mode == "shortest" and self.interpolation == "bicubic" and self.height == self.width
        return self.width if plain else 2 * max(self.height, self.width)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """uint8 (height, width, 3) of a picture: the same pixels as by openai/CLIP's or open_clip's own transforms.

        Except for pictures more than LONGEST_ASPECT times longer than wide: of those only the centre is resized, so
        that they cost no memory. Safe in threads.
        """
        image = image if image.mode == "RGB" else image.convert("RGB")
        chosen = FILTERS[self.interpolation]
        if self.resize_mode == "squash":
            return np.asarray(image.resize((self.width, self.height), chosen))
        wide, high = self._scaled(*image.size)
        left, top = round((wide - self.width) / 2), round((high - self.height) / 2)
        if self.resize_mode == "longest":
            canvas = Image.new("RGB", (self.width, self.height), (self.fill,) * 3)
            canvas.paste(image.resize((wide, high), chosen), ((self.width - wide) // 2, (self.height - high) // 2))
            return np.asarray(canvas)
        if max(wide / self.width, high / self.height) <= LONGEST_ASPECT:
            return np.asarray(
                image.resize((wide, high), chosen).crop((left, top, left + self.width, top + self.height))
            )
        across, down = image.width / wide, image.height / high
        right, bottom = min((left + self.width) * across, image.width), min((top + self.height) * down, image.height)
        box = (left * across, top * down, right, bottom)
        return np.asarray(image.resize((self.width, self.height), chosen, box=box))

    def _scaled(self, width: int, height: int) -> tuple[int, int]:
        """The size (width, height) to which a picture is resized before it is cut or filled."""
        if self.resize_mode == "shortest" and self.width == self.height:  # torchvision's Resize rounds down
            shorter = min(width, height)
            return self.width * width // shorter, self.width * height // shorter
        pick = max if self.resize_mode == "longest" else min
        ratio = pick(height / self.height, width / self.width)
        wide, high = round(width / ratio), round(height / ratio)
        return (max(1, wide), max(1, high)) if self.resize_mode == "longest" else (wide, high)


def _three(numbers: Any) -> tuple[float, float, float]:
    """Three numbers; one stands for all three."""
    given = (numbers,) * 3 if isinstance(numbers, (int, float)) else tuple(numbers)
    if len(given) != 3 or not all(isinstance(value, (int, float)) and math.isfinite(value) for value in given):
        raise ModelError(f"a mean and a deviation are three numbers, got {numbers!r}")
    red, green, blue = (float(value) for value in given)
    return red, green, blue
