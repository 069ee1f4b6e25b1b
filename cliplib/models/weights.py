"""Find, fetch and check CLIP checkpoints, and say what they are: architecture, activation, identity."""

import concurrent.futures
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import ModelError
from . import openclip
from .checkpoint import read_checkpoint
from .fetch import fetch, sha256_of
from .openai import ADDRESSES

ACTIVATIONS = ("quickgelu", "gelu")
MEAN = (0.48145466, 0.4578275, 0.40821073)  # of openai/CLIP, for RGB in 0 to 1
STD = (0.26862954, 0.26130258, 0.27577711)
TINY = Path(__file__).resolve().parents[2] / "data" / "tiny-clip.safetensors"
HUB_REPOS = {  # the same weights under the same parameter names, as listed in open_clip's pretrained.py
    "RN50": "timm/resnet50_clip.openai",
    "RN101": "timm/resnet101_clip.openai",
    "RN50x4": "timm/resnet50x4_clip.openai",
    "RN50x16": "timm/resnet50x16_clip.openai",
    "RN50x64": "timm/resnet50x64_clip.openai",
    "ViT-B/32": "timm/vit_base_patch32_clip_224.openai",
    "ViT-B/16": "timm/vit_base_patch16_clip_224.openai",
    "ViT-L/14": "timm/vit_large_patch14_clip_224.openai",
    "ViT-L/14@336px": "timm/vit_large_patch14_clip_336.openai",
}


@dataclass(frozen=True)
class Weights:
    """A checkpoint that has been read and checked.

    name: as asked for. state: tensors by openai/CLIP's parameter names, as stored, on the CPU. activation: "quickgelu"
    or "gelu". model_id: see `model_id`. thresholds: cosine by search mode, or empty. warning: words to show wherever
    the model answers, or "". source: the file that it was read from.
    """

    name: str
    state: dict
    activation: str
    model_id: str
    thresholds: dict
    warning: str
    source: str


def load_weights(model, activation=None) -> Weights:
    """Weights for `model`: a name of openai/CLIP or "open_clip:<architecture>/<pretrained>" (downloaded on first use),
    "tiny", or the path of a checkpoint.

    activation: "quickgelu" or "gelu", needed only where the checkpoint does not tell; it overrules what the file says.
    Raises ModelError.
    """
    if activation is not None and activation not in ACTIVATIONS:
        raise ModelError(f"activation={activation!r} is not known; allowed: {', '.join(ACTIVATIONS)}")
    path, known = _locate(model)
    state, metadata, seen_in_code = read_checkpoint(path)
    activation = activation or metadata.get("activation") or known or seen_in_code or _activation_of_known_file(path)
    if activation not in ACTIVATIONS:
        raise ModelError(
            f"{path} does not say which activation it was trained with (got {activation!r}), and a wrong guess would "
            'give slightly wrong numbers without a word: pass activation="quickgelu" (OpenAI, MetaCLIP, DFN) or '
            'activation="gelu" (most of LAION)'
        )
    try:
        sizes = architecture(state)
        thresholds = {mode: float(value) for mode, value in json.loads(metadata.get("thresholds", "{}")).items()}
        if not all(-1 <= value <= 1 for value in thresholds.values()):
            raise ValueError(f"cosines lie between -1 and 1, got {thresholds}")
    except ModelError as error:
        raise ModelError(f"{path} is not a CLIP that openai/CLIP's classes can hold: {error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f'{path}: metadata "thresholds" must be JSON such as {{"text": 0.25}}: {error}') from error
    identity = model_id(state, activation, preprocessing(sizes["image_resolution"]))
    return Weights(
        str(model),
        state,
        activation,
        identity,
        thresholds,
        metadata.get("warning", metadata.get("banner", "")),
        str(path),
    )


def preprocessing(resolution: int) -> str:
    """What happens to a picture before the model sees it, in words that are part of the model's identity."""
    numbers = f"mean {','.join(map(str, MEAN))}; std {','.join(map(str, STD))}"
    return f"RGB; shorter side to {resolution} bicubic; centre crop {resolution}x{resolution}; 0 to 1; {numbers}"


def model_id(state: dict, activation: str, preprocessing: str) -> str:
    """64 hex digits: the same for the same numbers used in the same way. Show the first 12 where a short id will do.

    sha256 over the sha256 of each floating-point tensor in order of name (name, shape, float32 little-endian bytes),
    then the activation and the preprocessing. fp16 fits into fp32 exactly: an fp16 archive and its fp32 copy share one.
    """

    def digest(name: str) -> bytes:
        tensor = state[name].detach().to(torch.float32).contiguous()
        sha256 = hashlib.sha256(f"{name} {list(tensor.shape)}\n".encode())
        sha256.update(tensor.numpy().astype("<f4", copy=False).data)
        return sha256.digest()

    names = sorted(name for name, tensor in state.items() if tensor.is_floating_point())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # hashing releases the GIL
        digests = b"".join(pool.map(digest, names))
    return hashlib.sha256(digests + f"{activation}\n{preprocessing}".encode()).hexdigest()


def architecture(state: dict) -> dict:
    """Keyword arguments of `clip.model.CLIP` that fit the tensors' shapes; ModelError names what is missing or odd."""

    def count(prefix: str) -> int:  # how many different numbers or names follow the prefix
        return len({name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)})

    try:
        text_width = state["ln_final.weight"].shape[0]
        sizes = {
            "embed_dim": state["text_projection"].shape[1],
            "context_length": state["positional_embedding"].shape[0],
            "vocab_size": state["token_embedding.weight"].shape[0],
            "transformer_width": text_width,
            "transformer_heads": text_width // 64,
            "transformer_layers": count("transformer.resblocks."),
        }
        if "visual.proj" in state:
            width, _, _, patch = state["visual.conv1.weight"].shape
            cells = state["visual.positional_embedding"].shape[0] - 1
            layers, cell_pixels = count("visual.transformer.resblocks."), patch
        else:
            width, patch = state["visual.layer1.0.conv1.weight"].shape[0], None
            cells = state["visual.attnpool.positional_embedding"].shape[0] - 1
            layers, cell_pixels = tuple(count(f"visual.layer{stage}.") for stage in (1, 2, 3, 4)), 32
        sizes |= {"vision_layers": layers, "vision_width": width, "vision_patch_size": patch}
        sizes |= {"image_resolution": math.isqrt(cells) * cell_pixels}
    except KeyError as error:
        found = ", ".join(sorted(state)[:3]) or "nothing"
        raise ModelError(f"tensor {error} is missing; found {len(state)} tensors: {found}, ...") from error
    except (IndexError, ValueError) as error:
        raise ModelError(f"a tensor has an unexpected number of dimensions ({error})") from error
    pooled = width if patch else 32 * width  # a ResNet's heads are in its attention pool, 32 times as wide
    if min(pooled, text_width) < 64 or pooled % 64 or text_width % 64:
        raise ModelError(f"widths must be multiples of 64, one head's; got {pooled} for images, {text_width} for texts")
    return sizes


def _locate(model):
    """Path of the checkpoint, and the activation that is known from its name (or None)."""
    if model in ADDRESSES:
        return fetch(model, ADDRESSES[model], HUB_REPOS[model]), "quickgelu"
    if str(model).startswith(openclip.PREFIX):
        return openclip.locate(str(model))
    if model == "tiny":
        if not TINY.is_file():
            raise ModelError(f'model="tiny" is read from {TINY}, which is not there; clone the whole repository')
        return TINY, None
    path = Path(model).expanduser()
    if path.is_file():
        return path, None
    what = "a folder, not a checkpoint" if path.is_dir() else "neither a known model nor a file that is there"
    known = ", ".join(ADDRESSES)
    raise ModelError(
        f'model "{model}" is {what}; known: {known}, tiny, open_clip:<architecture>/<pretrained>, '
        "or the path of a checkpoint"
    )


def _activation_of_known_file(path):
    """ "quickgelu" if the file is one that OpenAI published, else None."""
    return "quickgelu" if sha256_of(path) in {address.split("/")[-2] for address in ADDRESSES.values()} else None
