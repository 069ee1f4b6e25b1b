"""The two networks of a CLIP model: openai/CLIP's own classes filled with weights, and spared what gives no result.

Nothing here changes an embedding by more than rounding. An image tower takes pixels as they are, uint8 (n, r, r, 3).
"""

import time
import warnings
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from ..errors import ModelError
from .weights import MEAN, STD

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    import clip.clip
    import clip.model

BF16_GAIN = 1.2  # how much faster than in fp32 matrices must be multiplied for bf16 to be worth its rounding
SLOPE = 1.702  # of QuickGELU, x * sigmoid(SLOPE * x)


def build(weights, sizes: dict) -> nn.Module:
    """openai/CLIP's model in fp32 with exactly these weights; `clip.model.build_model` would round them to fp16.

    `weights` is a `weights.Weights`, `sizes` its `architecture`. Raises ModelError where they do not fit.
    """
    with torch.device("meta"):  # no memory and no random numbers spent on weights that are replaced
        model = clip.model.CLIP(**sizes)
    floats = {name: value.float() if value.is_floating_point() else value for name, value in weights.state.items()}
    try:
        model.load_state_dict(floats, strict=True, assign=True)
        clip_vocabulary = len(clip.clip._tokenizer.encoder)
        if sizes["vocab_size"] != clip_vocabulary:
            raise RuntimeError(f"\nvocabulary of {sizes['vocab_size']}, CLIP's tokenizer has {clip_vocabulary}")
    except RuntimeError as error:
        details = "; ".join(line.strip() for line in str(error).splitlines()[1:4])
        raise ModelError(f"{weights.source} does not fit openai/CLIP's classes: {details[:500]}") from error
    model.eval().requires_grad_(False)
    mask = model.build_attention_mask()
    for block in model.transformer.resblocks:
        block.attn_mask = mask
    for block in (part for part in model.modules() if isinstance(part, clip.model.ResidualAttentionBlock)):
        if weights.activation == "gelu":
            block.mlp.gelu = nn.GELU()
        else:
            _activate_in_place(block.mlp)
    if isinstance(model.visual, clip.model.VisionTransformer):
        model.visual.conv1 = _Patches(model.visual.conv1)
        model.visual.transformer = _ImageTransformer(model.visual.transformer.resblocks)
    else:
        model.visual.register_forward_pre_hook(_normalised)
    return model


def convert(tower: nn.Module, dtype: torch.dtype) -> None:
    """`clip.model.convert_weights` for any dtype: matrices change; norms, embeddings and positions stay in fp32."""
    for part in tower.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear, nn.MultiheadAttention)):
            part.to(dtype)
        for name in ("text_projection", "proj"):
            if isinstance(getattr(part, name, None), nn.Parameter):
                getattr(part, name).data = getattr(part, name).data.to(dtype)


@lru_cache(maxsize=1)
def bf16_pays() -> bool:
    """Whether this CPU multiplies matrices `BF16_GAIN` times faster in bf16 than in fp32: measured, in about 0.1 s.

    Having the units says little: one CPU with AVX512-BF16 took 1.8 times as long as in fp32, another half as long.
    Where the CPU names no such unit nothing is measured.
    """
    if not _has_bf16_units():
        return False
    sizes = (400, 768), (768, 3072)  # eight pictures through the widest layer of ViT-B/32
    pairs = {dtype: [torch.ones(size, dtype=dtype) for size in sizes] for dtype in (torch.float32, torch.bfloat16)}
    seconds = {dtype: [] for dtype in pairs}
    for _ in range(5):  # in turn, and the best of each: other programs disturb both alike
        for dtype, (left, right) in pairs.items():
            seconds[dtype].append(_seconds(left, right))
    return BF16_GAIN * min(seconds[torch.bfloat16]) < min(seconds[torch.float32])


def _has_bf16_units() -> bool:
    able = getattr(torch.cpu, "get_capabilities", dict)()  # not in every PyTorch
    try:
        flags = {name for name, has in able.items() if has} or set(Path("/proc/cpuinfo").read_text().split())
    except OSError:  # not Linux
        return False
    return bool(flags & {"amx_bf16", "avx512_bf16", "bf16"})


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    started = time.perf_counter()
    torch.mm(left, right)
    return time.perf_counter() - started


def _activate_in_place(mlp: nn.Sequential) -> None:
    """QuickGELU without the three large arrays it makes: it is silu(SLOPE * x) / SLOPE, and the matrices can scale."""
    for part, factor in ((mlp.c_fc, SLOPE), (mlp.c_proj, 1 / SLOPE)):
        part.weight = nn.Parameter(part.weight * factor, requires_grad=False)
    mlp.c_fc.bias = nn.Parameter(mlp.c_fc.bias * SLOPE, requires_grad=False)
    mlp.gelu = nn.SiLU(inplace=True)


def _normalised(tower: nn.Module, inputs: tuple) -> torch.Tensor:
    """What the tower of a ResNet is given, for what an encoder has: float32 (n, 3, r, r) for uint8 (n, r, r, 3)."""
    mean, std = (255 * torch.tensor(numbers, device=inputs[0].device) for numbers in (MEAN, STD))
    return inputs[0].sub(mean).div(std).permute(0, 3, 1, 2)


class _Patches(nn.Linear):
    """The first layer of a ViT, which looks at square patches, for pixels as they are: one product of matrices.

    CLIP takes each colour's mean away and divides by its deviation. Here the weights and a bias do that; the pixels
    become values from -2 to under 2, which are exact in every precision.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__(1, 1, device="meta")  # both are replaced
        self.side, weight = conv.kernel_size[0], conv.weight.permute(0, 2, 3, 1)  # (width, side, side, 3)
        mean, std = torch.tensor(MEAN), torch.tensor(STD)
        self.weight = nn.Parameter((weight * 64 / (255 * std)).flatten(1), requires_grad=False)
        self.bias = nn.Parameter((weight * (128 / 255 - mean) / std).sum((1, 2, 3)), requires_grad=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (n, r, r, 3) to float (n, width, r / side, r / side)."""
        cells = pixels.shape[1] // self.side
        values = pixels.to(self.weight.dtype).div_(64).sub_(2)
        patches = values.view(-1, cells, self.side, cells, self.side * 3).transpose(2, 3).flatten(3)
        return super().forward(patches).permute(0, 3, 1, 2)


class _ImageTransformer(nn.Module):
    """The blocks of an image tower with the batch first, as the tower itself has it: queries, keys and values are views
    of one product, where `nn.MultiheadAttention` copies each. The last block is computed for the class token alone, the
    only position whose output is read: of ViT-B/32 that saves 7 %.
    """

    def __init__(self, blocks: nn.Sequential):
        super().__init__()
        self.blocks = blocks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float (length, n, width) to (1, n, width)."""
        x = x.transpose(0, 1)
        for block in self.blocks[:-1]:
            x = x + self._attention(block.attn, block.ln_1(x))
            x += block.mlp(block.ln_2(x))
        block, x = self.blocks[-1], x.transpose(0, 1)
        seen = block.ln_1(x)
        x = x[:1] + block.attn(seen[:1], seen, seen, need_weights=False)[0]
        return x + block.mlp(block.ln_2(x))

    @staticmethod
    def _attention(attn: nn.MultiheadAttention, seen: torch.Tensor) -> torch.Tensor:
        """Self-attention, float (n, length, width) to the same."""
        products = functional.linear(seen, attn.in_proj_weight, attn.in_proj_bias)
        heads = products.unflatten(-1, (3, attn.num_heads, attn.head_dim)).permute(2, 0, 3, 1, 4)
        return attn.out_proj(functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))
