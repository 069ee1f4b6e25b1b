"""Random CLIPs for tests, saved the way that OpenAI, trainers and model hubs ship theirs."""

import copy
import warnings

import clip.clip
import numpy as np
import torch
from clip.model import CLIP, ResidualAttentionBlock, convert_weights
from safetensors.torch import save_file
from torch import nn

# embed_dim, resolution, image layers, image width, patch; then context, vocabulary, text width, heads, layers
SHAPES = {
    "small": (64, 32, 2, 64, 16, 77, 49408, 64, 1, 2),
    "ViT-B/32": (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12),
    "RN50": (1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12),
}
SCALARS = ("input_resolution", "context_length", "vocab_size")  # buffers that only OpenAI's archives have


def random_clip(shape="small", activation="quickgelu", seed=0, rounded=True) -> CLIP:
    """openai/CLIP's own model in fp32 whose weights are large enough that every layer and the activation matter.

    rounded: the numbers fit into fp16 where `clip.model.convert_weights` would round them.
    """
    torch.manual_seed(seed)
    model = CLIP(*SHAPES[shape]).eval().requires_grad_(False)
    for part in model.modules():
        if isinstance(part, ResidualAttentionBlock):
            part.mlp.c_fc.weight *= 3
            part.mlp.c_proj.weight *= 3
            if activation == "gelu":
                part.mlp.gelu = nn.GELU()
        if isinstance(part, nn.BatchNorm2d):
            part.weight.uniform_(0.5, 1)
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    if rounded:
        convert_weights(model)
    return model.float()


def half_state(model) -> dict:
    """The state of `model` with the dtypes of OpenAI's files: fp16, and fp32 where openai/CLIP keeps fp32."""
    return {name: value.clone() for name, value in _half(model).state_dict().items()}


def save_torchscript(model, path):
    """A TorchScript archive like OpenAI's: fp16, traced `encode_image` and `encode_text`, three scalar buffers."""
    half, size = _half(model), model.visual.input_resolution
    for name, value in zip(SCALARS, (size, model.context_length, model.vocab_size), strict=True):
        half.__dict__.pop(name, None)
        half.register_buffer(name, torch.tensor(value))
    examples = {"encode_image": torch.zeros(1, 3, size, size), "encode_text": torch.zeros(1, 77, dtype=torch.long)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is on its way out
        torch.jit.save(torch.jit.trace_module(half, examples, check_trace=False), str(path))
    return path


def save_plain(state, path):
    """A plain state dict, as `torch.save` writes it."""
    torch.save(state, path)
    return path


def save_safetensors(state, path, **metadata):
    """A safetensors file with metadata."""
    save_file({name: value.contiguous() for name, value in state.items()}, path, metadata or None)
    return path


def reference_images(model, images) -> np.ndarray:
    """Unit rows by openai/CLIP's own preprocessing and `encode_image`."""
    transform = clip.clip._transform(model.visual.input_resolution)
    with torch.inference_mode():
        return _unit(model.encode_image(torch.stack([transform(image) for image in images])))


def reference_texts(model, texts) -> np.ndarray:
    """Unit rows by openai/CLIP's own `tokenize`, over all 77 positions, and `encode_text`."""
    with torch.inference_mode():
        return _unit(model.encode_text(clip.clip.tokenize(texts, truncate=True)))


def _half(model):
    """A copy of `model` as `clip.model.convert_weights` leaves it."""
    half = copy.deepcopy(model)
    convert_weights(half)
    return half


def _unit(rows) -> np.ndarray:
    return torch.nn.functional.normalize(rows, dim=-1).numpy()
