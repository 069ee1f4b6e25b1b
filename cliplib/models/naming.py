"""Which of a checkpoint's tensors are the CLIP, whatever a trainer has wrapped around it, and what they are called."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError

# What stands at the top of a CLIP, of openai/CLIP and open_clip, of transformers, of Apple's MobileCLIP.
IMAGE_TOWER_NAMES = {"visual", "vision_model", "image_encoder"}
TEXT_TOWER_NAMES = {"token_embedding", "text", "text_model", "text_encoder"}
BUFFERS = {"input_resolution", "context_length", "vocab_size", "attn_mask", "position_ids"}  # not learnt
WRAPPERS = re.compile(r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")  # PyTorch's own
ADAPTER = re.compile(r"(^|[._])(lora|hada|oft)_", re.IGNORECASE)  # what LoRA and its like train beside the weights
AVERAGED = re.compile(r"(^|[._])(ema|averaged?|swa|teacher|momentum)([._]|$)", re.IGNORECASE)
LAYER = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)")
BLOCK_LAYERS = {  # of a block: transformers' name, openai/CLIP's
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
PROJECTIONS = {"self_attn.q_proj": "q", "self_attn.k_proj": "k", "self_attn.v_proj": "v"}
TENSORS = {  # transformers' name, openai/CLIP's, and whether it is turned (out, in) to (in, out)
    "logit_scale": ("logit_scale", False),
    "text_model.embeddings.token_embedding.weight": ("token_embedding.weight", False),
    "text_model.embeddings.position_embedding.weight": ("positional_embedding", False),
    "text_model.final_layer_norm.weight": ("ln_final.weight", False),
    "text_model.final_layer_norm.bias": ("ln_final.bias", False),
    "text_projection.weight": ("text_projection", True),
    "vision_model.embeddings.class_embedding": ("visual.class_embedding", False),
    "vision_model.embeddings.patch_embedding.weight": ("visual.conv1.weight", False),
    "vision_model.embeddings.position_embedding.weight": ("visual.positional_embedding", False),
    "vision_model.pre_layrnorm.weight": ("visual.ln_pre.weight", False),
    "vision_model.pre_layrnorm.bias": ("visual.ln_pre.bias", False),
    "vision_model.post_layernorm.weight": ("visual.ln_post.weight", False),
    "vision_model.post_layernorm.bias": ("visual.ln_post.bias", False),
    "visual_projection.weight": ("visual.proj", True),
}


def find_clip(dicts: list[tuple[str, dict[str, Any]]]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tensors of a CLIP among dicts of tensors, without a trainer's prefixes, and notes on what was left.

    Args:
        dicts: Where each was found, such as "state_dict" or "", and its tensors by name.

    Returns:
        Of several CLIPs the one that is no running average, else the first; all tensors of the first dict where none
        of them holds a CLIP.

    Raises:
        ModelError: What was trained lies in an adapter beside the weights.
    """
    dicts = [(trail, {WRAPPERS.sub("", name): value for name, value in tensors.items()}) for trail, tensors in dicts]
    if adapter := next((name for _, tensors in dicts for name in tensors if ADAPTER.search(name)), None):
        raise ModelError(
            f"it holds an adapter such as LoRA's ({adapter}) that is not merged into the weights: where it was "
            "trained, save model.merge_and_unload() instead"
        )
    found = [(trail, prefix, tensors) for trail, tensors in dicts for prefix in _prefixes(tensors)]
    if not found:
        return (dict(dicts[0][1]) if dicts else {}), ()
    found.sort(key=lambda one: bool(AVERAGED.search(f"{one[0]}.{one[1]}")))
    _, prefix, tensors = found[0]
    state = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
    state = {name: value for name, value in state.items() if name.rpartition(".")[2] not in BUFFERS}
    if len(found) == 1:
        return state, ()
    places = [f"{where}.{inside}".strip(".") or "the top" for where, inside, _ in found]
    return state, (f"it holds {len(found)} models, at {', '.join(places)}; the first of these is used",)


def _prefixes(names: Any) -> list[str]:
    """The beginnings below which both towers of a CLIP stand, found by the towers and not by a list of prefixes."""
    below: dict[str, set[str]] = defaultdict(set)
    for name in names:
        parts = name.split(".")
        for depth in range(min(len(parts), 8)):
            below[".".join(parts[:depth])].add(parts[depth])
    found = [prefix for prefix, tops in below.items() if tops & IMAGE_TOWER_NAMES and tops & TEXT_TOWER_NAMES]
    return [f"{prefix}." if prefix else "" for prefix in found]


def to_openai_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors by openai/CLIP's names where they have transformers'; scalars that a cosine does not need go.

    Raises:
        ModelError: A tensor of transformers' CLIP is missing, or its towers have one that it does not know.
    """
    if "text_model.embeddings.token_embedding.weight" in state and "visual_projection.weight" in state:
        return _from_transformers(state)
    if "token_embedding.weight" not in state:
        return state
    # Some trainers keep the scale as an array of one number.
    shaped = {name: value.reshape(()) if name == "logit_scale" else value for name, value in state.items()}
    return {name: value for name, value in shaped.items() if name != "logit_bias"}


def _from_transformers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {
        ours: state[name].T if turned else state[name] for name, (ours, turned) in TENSORS.items() if name in state
    }
    projections: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, value in state.items():
        if not (match := LAYER.fullmatch(name)):
            if name not in TENSORS and name.startswith(("text_model.", "vision_model.")):
                raise ModelError(f"a CLIP of transformers has no {name}")  # a head elsewhere changes no embedding
            continue
        tower, layer, rest = match.groups()
        block = f"{'visual.' if tower == 'vision' else ''}transformer.resblocks.{layer}"
        part, _, kind = rest.rpartition(".")
        if part in BLOCK_LAYERS:
            found[f"{block}.{BLOCK_LAYERS[part]}.{kind}"] = value
        elif part in PROJECTIONS:
            projections[f"{block}.attn.in_proj_{kind}"][PROJECTIONS[part]] = value
        else:
            raise ModelError(f"a CLIP of transformers has no {name}")
    for name, parts in projections.items():
        if missing := {"q", "k", "v"} - {*parts}:
            raise ModelError(f"the {', '.join(sorted(missing))} of {name} are missing")
        found[name] = torch.cat([parts["q"], parts["k"], parts["v"]])
    return found
