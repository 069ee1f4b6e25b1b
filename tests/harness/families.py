"""Models of every family, made on the spot: real widths, random numbers, few blocks where the family allows it.

Each is saved to a folder as its publishers ship theirs, to be read by cliplib, beside what its own package makes of the
same pictures and texts.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import save_file

HALF = (0.5, 0.5, 0.5)
SQUASHED = {"mean": HALF, "std": HALF, "interpolation": "bicubic", "resize_mode": "squash"}
TEXT = """a dog dog on the beach , a red car in the snow ; two people at a long table . ein Hund am Strand ; un perro en
la playa ; une voiture rouge ; 海 辺 の 犬 ; собака на пляже ; photo of picture cat tree house 0 1 2 3 4 5 6 7 8 9"""
WORDS = TEXT.split()


@dataclass(frozen=True)
class Family:
    """One kind of model.

    Attributes:
        architecture: Of open_clip's registry, whose configuration is taken.
        changes: What is changed in it, by path: fewer blocks.
        preprocess: open_clip's `preprocess_cfg`, written beside the weights.
        slow: It takes more than a few seconds.
    """

    architecture: str
    changes: dict[str, Any]
    preprocess: dict[str, Any]
    slow: bool = False


FAMILIES = {
    "openai ViT": Family("ViT-B-32-quickgelu", {"vision_cfg.layers": 2, "text_cfg.layers": 2}, {}),
    "openai RN50": Family("RN50-quickgelu", {"vision_cfg.layers": [1, 1, 1, 1], "text_cfg.layers": 2}, {}),
    "ViT-H-14": Family("ViT-H-14", {"vision_cfg.layers": 2, "text_cfg.layers": 2}, {}),
    "ViT-L-14 mean 0.5": Family(
        "ViT-L-14", {"vision_cfg.layers": 2, "text_cfg.layers": 2}, {"mean": HALF, "std": HALF}
    ),
    "SigLIP": Family("ViT-B-16-SigLIP", {"text_cfg.layers": 2, "text_cfg.vocab_size": 320}, SQUASHED, slow=True),
    "SigLIP2": Family("ViT-B-32-SigLIP2-256", {"text_cfg.layers": 2, "text_cfg.vocab_size": 320}, SQUASHED, slow=True),
    "MobileCLIP2": Family(
        "MobileCLIP2-S0",
        {"text_cfg.layers": 2},
        {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "interpolation": "bilinear"},
        slow=True,
    ),
    "EVA02": Family("EVA02-B-16", {"text_cfg.layers": 2}, {}, slow=True),
    "ConvNeXt": Family("convnext_base_w", {"text_cfg.layers": 2}, {}, slow=True),
    "CoCa": Family(
        "coca_ViT-B-32", {"vision_cfg.layers": 2, "text_cfg.layers": 2, "multimodal_cfg.layers": 1}, {}, slow=True
    ),
    "NLLB": Family("nllb-clip-base-siglip", {}, SQUASHED, slow=True),
    "xlm-roberta": Family("xlm-roberta-base-ViT-B-32", {"vision_cfg.layers": 2}, {}),
    "CLIPA": Family(
        "ViT-L-14-CLIPA", {"vision_cfg.layers": 2, "text_cfg.layers": 2}, SQUASHED | {"interpolation": "bilinear"}
    ),
    "ViT-bigG-14": Family("ViT-bigG-14", {"vision_cfg.layers": 1, "text_cfg.layers": 1}, {}, slow=True),
}


@dataclass(frozen=True)
class Made:
    """A model on disk and what its own package makes of pictures and texts: float (n, d), unit rows."""

    folder: Path
    file: Path
    images: Callable[[Sequence[Image.Image]], np.ndarray]
    texts: Callable[[Sequence[str]], np.ndarray]


def make(family: Family, folder: Path, seed: int = 0) -> Made:
    """A random model of a family in `folder`: weights, open_clip_config.json, and a tokenizer where it needs one."""
    torch.manual_seed(seed)
    config = _changed(open_clip.get_model_config(family.architecture), family.changes)
    text = config["text_cfg"]
    if "hf_tokenizer_name" in text:
        save_tokenizer(folder)
    if "hf_model_name" in text:
        save_text_config(text["hf_model_name"], folder / "text_config")
        text["hf_model_name"] = "text_config"
    written = {"model_cfg": config, "preprocess_cfg": family.preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(written))
    model = _built(config, folder)
    file = folder / "open_clip_model.safetensors"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, file)
    size = config["vision_cfg"]["image_size"]
    transform = image_transform_v2(PreprocessCfg(**{"size": size, **family.preprocess}), is_train=False)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")

    def images(pictures: Sequence[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            pixels = torch.stack([transform(picture) for picture in pictures])
            return model.encode_image(pixels, normalize=True).numpy()

    def texts(words: Sequence[str]) -> np.ndarray:
        with torch.inference_mode():
            return model.encode_text(tokenizer(list(words)), normalize=True).numpy()

    return Made(folder, file, images, texts)


def _changed(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    config = copy.deepcopy(config)
    for path, value in changes.items():
        inner = config
        *outer, last = path.split(".")
        for name in outer:
            inner = inner[name]
        inner[last] = value
    return config


def _built(config: dict[str, Any], folder: Path) -> torch.nn.Module:
    """open_clip's own model of a configuration, its numbers random and large enough that every layer matters."""
    config = copy.deepcopy(config)
    custom = config.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
    if "hf_model_name" in config["text_cfg"]:
        config["text_cfg"] |= {"hf_model_name": str(folder / "text_config"), "hf_model_pretrained": False}
    kind = open_clip.CLIP
    if custom:
        kind = open_clip.CoCa if "multimodal_cfg" in config else open_clip.CustomTextCLIP
    model = kind(**config).eval().requires_grad_(False)
    for part in model.modules():
        if isinstance(part, (torch.nn.Linear, torch.nn.Conv2d)):
            part.weight.normal_(0, (2 / part.weight[0].numel()) ** 0.5)
        if isinstance(part, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    for name, value in model.named_parameters():
        if "gamma" in name or ("scale" in name.rpartition(".")[2] and value.ndim):
            value.uniform_(0.5, 1)
        elif name.endswith("bias"):
            value.normal_(0, 0.05)
    return model


def save_tokenizer(folder: Path) -> None:
    """A small tokenizer of `WORDS`, in the files of Hugging Face's: a padding, an end and an unknown token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*special, *WORDS]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


def save_text_config(name: str, folder: Path) -> None:
    """The configuration of a small text tower of transformers', of real width, in place of the one that is named."""
    from transformers import M2M100Config, XLMRobertaConfig

    if "nllb" in name:
        width = {"d_model": 1024, "encoder_attention_heads": 16, "encoder_ffn_dim": 4096, "encoder_layers": 2}
        M2M100Config(vocab_size=320, decoder_layers=1, **width).save_pretrained(folder)
    else:
        XLMRobertaConfig(
            vocab_size=320, num_hidden_layers=2, hidden_size=768, num_attention_heads=12, max_position_embeddings=514
        ).save_pretrained(folder)
