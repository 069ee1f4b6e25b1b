"""The two networks of a CLIP model: openai/CLIP's own classes filled with weights, and spared what gives no result.

Nothing here changes an embedding by more than rounding. An image tower takes pixels as they are, uint8 (n, r, r, 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from ..errors import ModelError
from . import openai
from .cpu_kernels import ReorderedLinear, linear, reordering_pays
from .skip_init import SkipInitialization

if TYPE_CHECKING:
    from .weights import Weights

_classes = openai.module("model")
_OpenAIClip: Any = _classes.CLIP

FEW_POSITIONS = 64  # up to so many, on a CPU, plain products take half the time of PyTorch's fused attention
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SMALL = {"image_resolution": 32, "vision_layers": 1, "vision_width": 64, "vision_patch_size": 32}  # to be replaced
SLOPE = 1.702  # of QuickGELU, x * sigmoid(SLOPE * x)


class _Network(_OpenAIClip):
    """Without the mask of the text tower: `_Attention` needs none."""

    def build_attention_mask(self) -> None:
        return None


class Towers:
    """Both networks of a model of openai/CLIP's shape, as `ClipEncoder` runs them.

    Attributes:
        model: openai/CLIP's module, whose parts do less work.
        dim: Numbers in an embedding.
        context_length: Tokens that it reads.
    """

    def __init__(self, weights: Weights):
        self.model = build(weights)
        self.dim, self.context_length = weights.sizes["embed_dim"], weights.sizes["context_length"]
        self._on_cpu = True

    def move_to(self, device: str, dtype: torch.dtype | None) -> None:
        """Move both to a device, in this precision where one is given.

        On a CPU none is: there one short text is slower in bf16 than in fp32.
        """
        if dtype is not None:
            convert(self.model, dtype)
        self.model.to(device)
        self._on_cpu = device == "cpu"

    def prepare_image_tower(self, dtype: torch.dtype) -> None:
        """Bring the image tower into its precision, and lay it out for this CPU."""
        if self._on_cpu:
            convert(self.model.visual, dtype)
            reorder_weights(self.model.visual)

    def prepare_text_tower(self) -> None:
        """Lay the text tower out for this CPU."""
        reorder_weights(self.model.transformer)

    def tokens(self, text: str) -> tuple[torch.Tensor, int, str]:
        """The tokens of a text, int64 (context_length,), how many were cut off, and the end of what was kept."""
        row, count = openai.tokenize(text, self.context_length)
        lost = max(0, count - (self.context_length - 2))
        return row, lost, openai.tokenizer().decode(row[1:-1].tolist()).strip() if lost else ""

    def images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embeddings, float (n, dim), of pixels, uint8 (n, r, r, 3)."""
        return self.model.visual(pixels)

    def texts(self, tokens: torch.Tensor) -> torch.Tensor:
        """`encode_text` of openai/CLIP without the positions after the longest text's end token.

        Exact, because the attention is causal: no earlier position sees them.
        """
        model, ends = self.model, tokens.argmax(dim=-1)
        length, dtype = int(ends.max()) + 1, model.text_projection.dtype
        hidden = model.token_embedding(tokens[:, :length]).to(dtype) + model.positional_embedding[:length].to(dtype)
        hidden = model.transformer(hidden.permute(1, 0, 2)).permute(1, 0, 2)
        hidden = model.ln_final(hidden).to(dtype)
        return hidden[torch.arange(len(tokens)), ends] @ model.text_projection


def build(weights: Weights) -> Any:
    """openai/CLIP's model in fp32 with exactly these weights; `clip.model.build_model` would round them to fp16.

    Raises:
        ModelError: They do not fit its classes.
    """
    with SkipInitialization():
        model = _shaped(weights.sizes)
    floats = {name: value.float() if value.is_floating_point() else value for name, value in weights.state.items()}
    try:
        model.load_state_dict(floats, strict=True, assign=True)
        clip_vocabulary = len(openai.tokenizer().encoder)
        if weights.sizes["vocab_size"] != clip_vocabulary:
            raise RuntimeError(f"\nvocabulary of {weights.sizes['vocab_size']}, CLIP's tokenizer has {clip_vocabulary}")
    except RuntimeError as error:
        lines = str(error).splitlines()
        details = "; ".join(line.strip() for line in lines[1:4] or lines)
        raise ModelError(f"{weights.source} does not fit openai/CLIP's classes: {details[:500]}") from error
    model.eval().requires_grad_(False)
    for block in (part for part in model.modules() if isinstance(part, _classes.ResidualAttentionBlock)):
        if weights.activation == "gelu":
            block.mlp.gelu = nn.GELU()
        else:
            _activate_in_place(block.mlp)
    model.transformer = _Transformer(model.transformer.resblocks, causal=True)
    mean, std = weights.preprocessing.mean, weights.preprocessing.std
    if isinstance(model.visual, _classes.VisionTransformer):
        model.visual.conv1 = _Patches(model.visual.conv1, mean, std)
        model.visual.transformer = _Transformer(model.visual.transformer.resblocks, first=True)  # the class token
    else:
        model.visual.register_forward_pre_hook(partial(_normalised, mean=mean, std=std))
    return model


def _shaped(sizes: dict[str, Any]) -> Any:
    """A network of these sizes; openai/CLIP's own constructor takes every head of an image tower to be 64 wide."""
    own = ("vision_heads", "pooled_width")
    model = _Network(**{name: value for name, value in sizes.items() if name not in own} | SMALL)
    resolution, width, heads = sizes["image_resolution"], sizes["vision_width"], sizes["vision_heads"]
    layers, dim = sizes["vision_layers"], sizes["embed_dim"]
    if (patch := sizes["vision_patch_size"]) is None:
        model.visual = _classes.ModifiedResNet(layers, dim, heads, resolution, width)
    else:
        model.visual = _classes.VisionTransformer(resolution, patch, width, layers, heads, dim)
    return model


def convert(tower: nn.Module, dtype: torch.dtype) -> None:
    """`clip.model.convert_weights` for any dtype: matrices change; norms, embeddings and positions stay in fp32."""
    part: Any
    for part in tower.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            part.to(dtype)
        for name in ("text_projection", "proj"):
            if isinstance(getattr(part, name, None), nn.Parameter):
                getattr(part, name).data = getattr(part, name).data.to(dtype)


def reorder_weights(model: nn.Module) -> None:
    """Lay the weights of a model on the CPU out as its kernels read them, where that is measured to be faster."""
    for part in list(model.modules()):
        if isinstance(part, (_Attention, nn.Sequential)):  # the last: the two layers of a block's MLP
            for name, layer in part.named_children():
                if isinstance(layer, nn.Linear) and reordering_pays(layer.weight.dtype):
                    setattr(part, name, ReorderedLinear(layer))


def _activate_in_place(mlp: Any) -> None:
    """QuickGELU without the three large arrays it makes: it is silu(SLOPE * x) / SLOPE, and the matrices can scale."""
    for part, factor in ((mlp.c_fc, SLOPE), (mlp.c_proj, 1 / SLOPE)):
        part.weight = nn.Parameter(part.weight * factor, requires_grad=False)
    mlp.c_fc.bias = nn.Parameter(mlp.c_fc.bias * SLOPE, requires_grad=False)
    mlp.gelu = nn.SiLU(inplace=True)


def _normalised(
    tower: nn.Module, inputs: tuple[torch.Tensor], mean: Sequence[float], std: Sequence[float]
) -> torch.Tensor:
    """What the tower of a ResNet is given, for what an encoder has: float32 (n, 3, r, r) for uint8 (n, r, r, 3)."""
    shift, scale = (255 * torch.tensor(numbers, device=inputs[0].device) for numbers in (mean, std))
    return inputs[0].sub(shift).div(scale).permute(0, 3, 1, 2)


class _Patches(nn.Linear):
    """The first layer of a ViT, which looks at square patches, for pixels as they are: one product of matrices.

    CLIP takes each colour's mean away and divides by its deviation. Here the weights and a bias do that; the pixels
    become values from -2 to under 2, which are exact in every precision.
    """

    def __init__(self, conv: nn.Conv2d, mean: Sequence[float], std: Sequence[float]):
        super().__init__(1, 1, device="meta")  # both are replaced
        self.side, weight = conv.kernel_size[0], conv.weight.permute(0, 2, 3, 1)  # (width, side, side, 3)
        shift, scale = torch.tensor(mean), torch.tensor(std)
        self.weight = nn.Parameter((weight * 64 / (255 * scale)).flatten(1), requires_grad=False)
        self.bias = nn.Parameter((weight * (128 / 255 - shift) / scale).sum((1, 2, 3)), requires_grad=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features, float (n, width, r / side, r / side), of pixels, uint8 (n, r, r, 3)."""
        cells = pixels.shape[1] // self.side
        values = pixels.to(self.weight.dtype).div_(64).sub_(2)
        patches = values.view(-1, cells, self.side, cells, self.side * 3).transpose(2, 3).flatten(3)
        return super().forward(patches).permute(0, 3, 1, 2)


class _Transformer(nn.Module):
    """The blocks of a tower, with the batch first inside.

    With `first`, only the first position of the last block is computed, for an image tower reads no other: in ViT-B/32
    that saves 8 %.
    """

    def __init__(self, blocks: Any, causal: bool = False, first: bool = False):
        super().__init__()
        self.blocks = blocks
        for block in blocks:
            alone = first and block is blocks[-1]
            block.attn = _FirstAttention(block.attn) if alone else _Attention(block.attn, causal)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Hidden states, float (length, n, width), to the same, or to (1, n, width)."""
        x = x.transpose(0, 1)
        for block in self.blocks:
            seen = block.attn(block.ln_1(x))
            x = x[:, : seen.shape[1]] + seen
            x += block.mlp(block.ln_2(x))
        return x.transpose(0, 1)


class _Attention(nn.Module):
    """Self-attention. Queries, keys and values are views of one product; `nn.MultiheadAttention` copies each."""

    def __init__(self, attn: nn.MultiheadAttention, causal: bool):
        super().__init__()
        self.heads, self.causal = attn.num_heads, causal
        self.qkv, self.out = linear(attn.in_proj_weight, attn.in_proj_bias), attn.out_proj

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Hidden states, float (n, length, width), to the same."""
        queries, keys, values = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if x.is_cuda or self.causal or x.shape[1] > FEW_POSITIONS:
            seen = functional.scaled_dot_product_attention(queries, keys, values, is_causal=self.causal)
        else:
            seen = _attention_probabilities(queries, keys, keys.shape[-1]) @ values
        return self.out(seen.transpose(1, 2).flatten(2))


class _FirstAttention(nn.Module):
    """Attention of the first position alone, without making keys and values for all the others.

    A query's score, q (K x), is (q K) x; and of the values, the sum of a (V x) is V times the sum of a x.
    """

    def __init__(self, attn: nn.MultiheadAttention):
        super().__init__()
        self.heads = attn.num_heads
        self.qkv, self.out = linear(attn.in_proj_weight, attn.in_proj_bias), attn.out_proj

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Hidden states, float (n, length, width), to (n, 1, width)."""
        q, k, v = self.qkv.weight.unflatten(0, (3, self.heads, -1))  # each (heads, size, width)
        q_bias, _, v_bias = self.qkv.bias.unflatten(0, (3, self.heads, -1))  # a key's adds the same to all its scores
        query = torch.einsum("nw,hsw->nhs", x[:, 0], q) + q_bias
        probabilities = _attention_probabilities(torch.einsum("nhs,hsw->nhw", query, k), x, query.shape[-1])
        seen = torch.einsum("nhw,hsw->nhs", probabilities @ x, v) + v_bias
        return self.out(seen.flatten(1)[:, None])


def _attention_probabilities(queries: torch.Tensor, keys: torch.Tensor, size: int) -> torch.Tensor:
    """How much each query (..., q, s) sees of each key (..., k, s), in heads of this size: (..., q, k), sums of 1."""
    return (queries @ keys.mT).float().mul_(size**-0.5).softmax(-1).to(keys.dtype)
