"""Find, fetch and check CLIP checkpoints, and say what they are: network, heads, preprocessing, identity."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from . import openclip
from .checkpoint import Checkpoint, read_checkpoint
from .config import HEAD, OPENAI_CONFIG, ModelConfig, config_of_published, read_config_beside
from .fetch import fetch, sha256_of
from .openai import ADDRESSES
from .preprocessing import Preprocessing

ACTIVATIONS = ("quickgelu", "gelu")
LOCAL = "local-dir:"
TINY = Path(__file__).with_name("tiny-clip.safetensors")  # made by data/tiny/train.py
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
PREFERRED = (  # of a folder's files
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
SAY_WHICH = (
    'pass architecture= with the model that the file holds or was fine-tuned from, such as architecture="ViT-B/32" '
    "(OpenAI's names) or architecture=\"ViT-H-14/laion2b_s32b_b79k\" (open_clip's); or put its open_clip_config.json, "
    "or config.json with preprocessor_config.json, beside it"
)


@dataclass(frozen=True)
class Weights:
    """A checkpoint that has been read and checked.

    Attributes:
        name: As asked for.
        state: Tensors as stored, on the CPU, by openai/CLIP's parameter names where it is of that shape.
        sizes: See `sizes_of`; empty where the network is open_clip's.
        network: open_clip's network, filled; None where it is of openai/CLIP's shape.
        preprocessing: What a picture undergoes.
        activation: "quickgelu" or "gelu".
        architecture: By which name the configuration is found again, or "".
        model_id: See `model_id`.
        thresholds: Cosines by search mode, or empty.
        warning: Words to show wherever the model answers, or "".
        source: The file that it was read from.
    """

    name: str
    state: dict[str, Tensor]
    sizes: dict[str, Any]
    network: openclip.OpenClipNetwork | None
    preprocessing: Preprocessing
    activation: str
    architecture: str
    model_id: str
    thresholds: dict[str, float]
    warning: str
    source: str


def load_weights(model: str | Path, activation: str | None = None, architecture: str | None = None) -> Weights:
    """The weights of a model.

    Args:
        model: A name of openai/CLIP, "open_clip:<architecture>/<pretrained>" or "hf-hub:<owner>/<name>" (downloaded on
            first use), "tiny", the path of a checkpoint or of a folder with one, or "local-dir:<folder>".
        activation: "quickgelu" or "gelu", where the checkpoint does not tell; it overrules what the file says.
        architecture: The model that a file holds or was fine-tuned from, by openai/CLIP's or open_clip's name.

    Raises:
        ModelError: The model cannot be had or read, or does not tell how its tensors are used.
    """
    if activation is not None and activation not in ACTIVATIONS:
        raise ModelError(f"activation={activation!r} is not known; allowed: {', '.join(ACTIVATIONS)}")
    path, known = _locate(model)
    checkpoint = read_checkpoint(path)
    for note in checkpoint.notes:
        warnings.warn(f"{path}: {note}", stacklevel=3)
    config = _find_config(path, checkpoint, known, activation, architecture)
    thresholds, warning = _of_metadata(path, checkpoint.metadata)
    state, sizes, network = checkpoint.state, {}, None
    try:
        if config.keys_beyond_openai():
            picture = Preprocessing.of(config.model_cfg["vision_cfg"]["image_size"], config.preprocess_cfg)
            network = openclip.OpenClipNetwork(state, config, picture, str(path))
            words = f"open_clip {openclip.describe_config(dict(config.model_cfg))}\n{picture}"
            words += f"\ntokens {network.fingerprint()}"
            tensors = {key: value for key, value in state.items() if key not in ("logit_scale", "logit_bias")}
        else:
            sizes, tensors = sizes_of(state, config), state
            picture = Preprocessing.of(sizes["image_resolution"], config.preprocess_cfg)
            heads = (sizes["vision_heads"], sizes["transformer_heads"])
            usual = (sizes["pooled_width"] // HEAD, sizes["transformer_width"] // HEAD)
            words = str(picture) if heads == usual else f"{picture}; heads {heads[0]},{heads[1]}"
    except ModelError as error:
        raise ModelError(f"{path} is not a CLIP that can be run: {error}") from error
    return Weights(
        name=str(model),
        state={} if network else state,
        sizes=sizes,
        network=network,
        preprocessing=picture,
        activation=config.activation,
        architecture=config.architecture,
        model_id=model_id(tensors, config.activation, words),
        thresholds=thresholds,
        warning=warning,
        source=str(path),
    )


def model_id(state: dict[str, Tensor], activation: str, words: str) -> str:
    """The identity of a model, 64 hex digits: the same for the same numbers used in the same way.

    Show the first 12 where a short id will do. It is the sha256 over the sha256 of each floating-point tensor in order
    of name (name, shape, float32 little-endian bytes), then the activation and words on all else that changes an
    embedding: the preprocessing; the network and what its tokenizer does, where these are not openai/CLIP's. fp16 fits
    into fp32 exactly: an fp16 archive and its fp32 copy share one.
    """

    def digest(name: str) -> bytes:
        tensor = state[name].detach().to(torch.float32).contiguous()
        sha256 = hashlib.sha256(f"{name} {list(tensor.shape)}\n".encode())
        sha256.update(tensor.numpy().astype("<f4", copy=False).data)
        return sha256.digest()

    names = sorted(name for name, tensor in state.items() if tensor.is_floating_point())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # hashing releases the GIL
        digests = b"".join(pool.map(digest, names))
    return hashlib.sha256(digests + f"{activation}\n{words}".encode()).hexdigest()


def sizes_of(state: Mapping[str, Tensor], config: ModelConfig = OPENAI_CONFIG) -> dict[str, Any]:
    """The sizes of a network of openai/CLIP's shape: from the tensors, and the heads from the config.

    Returns:
        The keyword arguments of `clip.model.CLIP`, with vision_heads, and pooled_width, of which these are parts.

    Raises:
        ModelError: Names what is missing or odd, or in what the config and the tensors differ.
    """

    def count(prefix: str) -> int:  # how many different numbers or names follow the prefix
        return len({name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)})

    try:
        text_width = state["ln_final.weight"].shape[0]
        sizes: dict[str, Any] = {
            "embed_dim": state["text_projection"].shape[1],
            "context_length": state["positional_embedding"].shape[0],
            "vocab_size": state["token_embedding.weight"].shape[0],
            "transformer_width": text_width,
            "transformer_layers": count("transformer.resblocks."),
        }
        layers: int | tuple[int, ...]
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
    _check_agreement(sizes, config)
    pooled = width if patch else 32 * width  # a ResNet's heads are in its attention pool, 32 times as wide
    head = config.model_cfg.get("vision_cfg", {}).get("head_width", HEAD)
    text_heads = config.model_cfg.get("text_cfg", {}).get("heads", 0 if text_width % HEAD else text_width // HEAD)
    if pooled < head or pooled % head or text_heads < 1 or text_width % text_heads:
        raise ModelError(
            f"widths {pooled} and {text_width} are not multiples of heads {head} wide, or {text_heads} heads"
        )
    return sizes | {"vision_heads": pooled // head, "transformer_heads": text_heads, "pooled_width": pooled}


def _check_agreement(sizes: dict[str, Any], config: ModelConfig) -> None:
    """Refuse config that are about another model. Blocks may be fewer: a trainer may have dropped some."""
    vision, text = config.model_cfg.get("vision_cfg", {}), config.model_cfg.get("text_cfg", {})
    said = {
        "embed_dim": config.model_cfg.get("embed_dim"),
        "vision_width": vision.get("width"),
        "vision_patch_size": vision.get("patch_size"),
        "image_resolution": vision.get("image_size"),
        "transformer_width": text.get("width"),
        "context_length": text.get("context_length"),
        "vocab_size": text.get("vocab_size"),
    }
    odd = [
        f"{name} {value} where its tensors have {sizes[name]}"
        for name, value in said.items()
        if value is not None and value != sizes[name]
    ]
    if odd:
        raise ModelError(f"{config.source} is about another model: it says {', '.join(odd)}")


def _find_config(
    path: Path, checkpoint: Checkpoint, known: ModelConfig | None, activation: str | None, architecture: str | None
) -> ModelConfig:
    """What the tensors do not tell.

    From the first of: the argument, the name, a configuration beside the file, a known file, the archive's own code,
    the file's metadata, what published models of these widths have in common.
    """
    if architecture is not None:
        found = (
            OPENAI_CONFIG if architecture in ADDRESSES else openclip.config_of_architecture(architecture, activation)
        )
        return replace(found, architecture=architecture, folder=path.parent).with_activation(activation)
    state, told = checkpoint.state, activation or checkpoint.metadata.get("activation") or checkpoint.activation
    known = known or read_config_beside(path)
    may_be_published = told is None or checkpoint.archive_class
    if known is None and may_be_published and sha256_of(path) in {one.split("/")[-2] for one in ADDRESSES.values()}:
        known = OPENAI_CONFIG
    if known is not None:
        return known.with_activation(activation)
    if "token_embedding.weight" not in state or not any(name.startswith("visual.conv1") for name in state):
        if any(name.startswith(("visual.", "text.", "vision_model.", "image_encoder.")) for name in state):
            raise ModelError(f"{path} does not say which network its tensors belong to: {SAY_WHICH}")
        sizes_of(state)  # says what is missing
    if told not in ACTIVATIONS:
        raise ModelError(
            f"{path} does not say which activation it was trained with (got {told!r}), how wide its heads are, or how "
            f"pictures are prepared for it, and a wrong guess would give wrong numbers without a word: {SAY_WHICH}; or "
            'pass activation="quickgelu" (OpenAI, MetaCLIP, DFN) or activation="gelu" (most of LAION), if it is else '
            "like openai/CLIP's"
        )
    if checkpoint.archive_class and not checkpoint.archive_class.startswith(("clip.", "multimodal.")):
        raise ModelError(
            f"{path} is an archive of {checkpoint.archive_class}, not of openai/CLIP's classes: {SAY_WHICH}"
        )
    sizes = sizes_of(state)
    published, remark = config_of_published(sizes["vision_width"], sizes["vision_patch_size"], told)
    if published is None:
        raise ModelError(f"{path} does not tell enough: {remark}. So {SAY_WHICH}")
    if remark and not (checkpoint.archive_class or "activation" in checkpoint.metadata):  # these mean openai/CLIP's
        warnings.warn(f"{path}: {remark}; pass architecture= if that is not so", stacklevel=4)
    return published


def _of_metadata(path: Path, metadata: dict[str, str]) -> tuple[dict[str, float], str]:
    """The thresholds and the warning that a safetensors file brings along."""
    try:
        thresholds = {mode: float(value) for mode, value in json.loads(metadata.get("thresholds", "{}")).items()}
        if not all(-1 <= value <= 1 for value in thresholds.values()):
            raise ValueError(f"cosines lie between -1 and 1, got {thresholds}")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f'{path}: metadata "thresholds" must be JSON such as {{"text": 0.25}}: {error}') from error
    return thresholds, metadata.get("warning", metadata.get("banner", ""))


def _locate(model: str | Path) -> tuple[Path, ModelConfig | None]:
    """Path of the checkpoint, and what is known from its name (or None)."""
    if model in ADDRESSES:
        return fetch(str(model), ADDRESSES[str(model)], HUB_REPOS[str(model)]), OPENAI_CONFIG
    if model is None or not str(model).strip():
        raise ModelError(f"model is {model!r}: give one, such as {_allowed()}")
    if str(model).startswith(openclip.PREFIX):
        return openclip.download(str(model))
    if str(model).startswith(openclip.HUB):
        return _in_folder(openclip.download_from_hub(str(model))), None
    if model == "tiny":
        if not TINY.is_file():
            raise ModelError(f'model="tiny" is read from {TINY}, which is not there; install cliplib anew')
        return TINY, None
    path = Path(str(model).removeprefix(LOCAL)).expanduser()
    if path.is_file():
        return path, None
    if path.is_dir():
        return _in_folder(path), None
    raise ModelError(f'model "{model}" is neither a known model nor a file that is there; known: {_allowed()}')


def _allowed() -> str:
    return (
        f"{', '.join(ADDRESSES)}, tiny, open_clip:<architecture>/<pretrained>, hf-hub:<owner>/<name>, or the path of a "
        "checkpoint or of a folder with one"
    )


def _in_folder(folder: Path) -> Path:
    """The checkpoint in a folder; ModelError where there is none, or several and none by a usual name."""
    for name in PREFERRED:
        if (folder / name).is_file():
            return folder / name
    found = sorted(file for file in folder.iterdir() if file.suffix in (".safetensors", ".bin", ".pt", ".pth", ".ckpt"))
    if len(found) == 1:
        return found[0]
    what = f"holds several: {', '.join(file.name for file in found)}" if found else "holds none"
    raise ModelError(f"{folder} is a folder, not a checkpoint, and {what}; give the path of the file")
