"""What tensors alone do not tell about a CLIP: heads, activation, preprocessing, tokenizer. It is read or asked for.

The forms of open_clip's configurations serve for all: `model_cfg` for the networks, `preprocess_cfg` for pictures.
Where one lacks a key, openai/CLIP's own way holds, for that is what these forms leave out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError

# What networks of openai/CLIP's shape can express. Anything else in a configuration is another network, open_clip's.
TOP_KEYS = {"embed_dim", "quick_gelu", "vision_cfg", "text_cfg", "custom_text"}
VISION_KEYS = {"image_size", "layers", "width", "patch_size", "head_width"}
TEXT_KEYS = {"context_length", "vocab_size", "width", "heads", "layers"}
VOCABULARY = 49408  # of openai/CLIP's tokenizer
HEAD = 64  # the width of one head in all of openai/CLIP's models

# The published models of openai/CLIP's shape, by the image tower's (width, patch; None for a ResNet) and activation:
# the width of one head, or why it takes more to tell them apart. As open_clip 3.3.0's registry has them, which a test
# compares.
PUBLISHED: dict[tuple[int, int | None, str], int | str] = {
    **{(width, None, "quickgelu"): HEAD for width in (64, 80, 96, 128)},
    **{(768, patch, activation): HEAD for patch in (16, 32) for activation in ("quickgelu", "gelu")},
    (896, 16, "gelu"): HEAD,
    (1024, 14, "quickgelu"): HEAD,
    (1024, 14, "gelu"): "ViT-L/14 without QuickGELU was trained with two different means of colours",
    (1280, 14, "gelu"): 80,
    (1280, 14, "quickgelu"): "ViT-H/14 with QuickGELU was trained on squashed and on cropped pictures",
}
WIDEST_OF_OTHERS = 1024  # an image tower wider than that, and not listed, may have heads of any width


@dataclass(frozen=True)
class ModelConfig:
    """How the tensors of a CLIP are used.

    Attributes:
        model_cfg: As in open_clip's configurations, whole or in part.
        preprocess_cfg: The same: mean, std, resize_mode, interpolation, fill_color.
        source: Where this was read, for messages.
        folder: Where the tokenizer's files lie, if in a folder.
        architecture: By which name `load` finds this again, or "".
    """

    model_cfg: Mapping[str, Any]
    preprocess_cfg: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    folder: Path | None = None
    architecture: str = ""

    @property
    def activation(self) -> str:
        """One of "quickgelu" and "gelu"."""
        return "quickgelu" if self.model_cfg.get("quick_gelu") else "gelu"

    def with_activation(self, activation: str | None) -> ModelConfig:
        """The same with another activation; with the same one where it is None."""
        if activation is None:
            return self
        return replace(self, model_cfg={**self.model_cfg, "quick_gelu": activation == "quickgelu"})

    def keys_beyond_openai(self) -> list[str]:
        """What networks of openai/CLIP's shape cannot express; empty where they can hold the model."""
        vision, text = (self.model_cfg.get(name, {}) for name in ("vision_cfg", "text_cfg"))
        odd = sorted({*self.model_cfg} - TOP_KEYS) + sorted({*vision} - VISION_KEYS) + sorted({*text} - TEXT_KEYS)
        odd += ["custom_text"] if self.model_cfg.get("custom_text") else []
        return odd + (["vocab_size"] if text.get("vocab_size", VOCABULARY) != VOCABULARY else [])


OPENAI_CONFIG = ModelConfig({"quick_gelu": True}, source="openai/CLIP")


def read_config_beside(file: Path) -> ModelConfig | None:
    """What the configuration in a checkpoint's folder says: open_clip's, or that of transformers' CLIP; else None.

    Raises:
        ModelError: The configuration cannot be read, or lacks its half about pictures.
    """
    if (config := file.parent / "open_clip_config.json").is_file():
        found = _json(config)
        model_cfg = found.get("model_cfg", found)
        if not isinstance(model_cfg.get("vision_cfg"), dict) or not isinstance(model_cfg.get("text_cfg"), dict):
            raise ModelError(f"{config} has no model_cfg with vision_cfg and text_cfg")
        return ModelConfig(model_cfg, found.get("preprocess_cfg") or {}, str(config), file.parent)
    if not (config := file.parent / "config.json").is_file():
        return None
    found = _json(config)
    if found.get("model_type") == "clip":
        return _of_transformers(found, config)
    if "siglip" in str(found.get("model_type")):
        raise ModelError(
            f"{config} is of transformers' {found['model_type']}; open_clip knows the same weights: give such as "
            'model="open_clip:ViT-B-16-SigLIP2/webli", or a folder with open_clip_config.json'
        )
    return None


def config_of_published(width: int, patch: int | None, activation: str) -> tuple[ModelConfig | None, str]:
    """The configuration of the published models with an image tower of these widths and this activation.

    For a file of which somebody told the activation and nothing else.

    Returns:
        The configuration, or None where the published ones differ; and a sentence: what was taken for granted, or how
        they differ.
    """
    found = PUBLISHED.get((width, patch, activation))
    plain = replace(OPENAI_CONFIG, source="").with_activation(activation)
    if isinstance(found, int):
        remark = "its heads and its preprocessing are taken to be those of the published models of its width"
        return replace(plain, model_cfg={**plain.model_cfg, "vision_cfg": {"head_width": found}}), remark
    if found:
        return None, found
    if width > WIDEST_OF_OTHERS or (width, patch) in {(w, p) for w, p, _ in PUBLISHED if (w, p) != (896, 16)}:
        return None, f"no published model of this width ({width}) has this activation alone to tell"
    return (
        plain,
        "its heads are taken to be 64 wide, and its preprocessing to be openai/CLIP's, as its file says neither",
    )


def _of_transformers(config: dict[str, Any], file: Path) -> ModelConfig:
    """open_clip's forms of transformers' `CLIPConfig` and of the preprocessor's configuration beside it."""
    vision, text = _filled(config.get("vision_config"), VISION), _filled(config.get("text_config"), TEXT)
    if vision["hidden_act"] != text["hidden_act"] or vision["hidden_act"] not in ("quick_gelu", "gelu"):
        raise ModelError(
            f"{file}: the activations {vision['hidden_act']} and {text['hidden_act']} are not one of CLIP's"
        )
    for tower, name in ((vision, "vision_config"), (text, "text_config")):
        if tower["layer_norm_eps"] != 1e-5 or tower["intermediate_size"] != 4 * tower["hidden_size"]:
            raise ModelError(f"{file}: the sizes in {name} are not those of a plain CLIP")
    model_cfg = {
        "embed_dim": config.get("projection_dim", 512),
        "quick_gelu": vision["hidden_act"] == "quick_gelu",
        "vision_cfg": {
            "image_size": vision["image_size"],
            "layers": vision["num_hidden_layers"],
            "width": vision["hidden_size"],
            "patch_size": vision["patch_size"],
            "head_width": vision["hidden_size"] // vision["num_attention_heads"],
        },
        "text_cfg": {
            "context_length": text["max_position_embeddings"],
            "vocab_size": text["vocab_size"],
            "width": text["hidden_size"],
            "heads": text["num_attention_heads"],
            "layers": text["num_hidden_layers"],
        },
    }
    return ModelConfig(model_cfg, _of_preprocessor(file.with_name("preprocessor_config.json")), str(file), file.parent)


def _of_preprocessor(file: Path) -> dict[str, Any]:
    """open_clip's `preprocess_cfg` of what transformers writes for `CLIPImageProcessor`."""
    if not file.is_file():
        raise ModelError(
            f"{file} is missing, which says how pictures are prepared: put it there, or pass architecture= with the "
            'model that this is or was fine-tuned from, such as architecture="ViT-B/32"'
        )
    found = _json(file)
    size, crop = found.get("size", 224), found.get("do_center_crop", True)
    filters = {2: "bilinear", 3: "bicubic"}
    if (
        found.get("resample", 3) not in filters
        or not found.get("do_resize", True)
        or not found.get("do_normalize", True)
    ):
        raise ModelError(f"{file}: only pictures that are resized, bicubic or bilinear, and normalised are known")
    shortest = isinstance(size, int) or "shortest_edge" in size
    if shortest != bool(crop):
        raise ModelError(f"{file}: size {size} with do_center_crop {crop} is neither a crop nor a squash")
    return {
        "mean": found.get("image_mean"),
        "std": found.get("image_std"),
        "interpolation": filters[found.get("resample", 3)],
        "resize_mode": "shortest" if shortest else "squash",
        "size": size if isinstance(size, int) else size.get("shortest_edge") or (size["height"], size["width"]),
    }


# What transformers leaves out of a written configuration, for it is CLIPConfig's default: ViT-B/32.
VISION = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}


def _filled(found: dict[str, Any] | None, usual: dict[str, Any]) -> dict[str, Any]:
    return {**usual, **{name: value for name, value in (found or {}).items() if value is not None}}


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{file} holds no JSON object")
    return found
