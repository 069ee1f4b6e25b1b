"""The fastest matrix products of this CPU, chosen by measuring: their precision, and how weights lie in memory.

Whole numbers of 8 bits are not among them. With AVX512-VNNI, PyTorch's dynamic quantisation of ViT-B/32's image tower
takes 0.76 of the time of bf16 and 0.41 of fp32's, but turns embeddings too far: the least cosine of eight pictures to
fp32 is 0.9988, where bf16 keeps 0.9999 (random weights, 2026-11-30).
"""

import time
from functools import cache
from pathlib import Path

import torch
from torch import nn

BF16_GAIN = 1.2  # how much faster than in fp32 matrices must be multiplied for bf16 to be worth its rounding


@cache
def bf16_pays() -> bool:
    """Whether this CPU multiplies matrices `BF16_GAIN` times faster in bf16 than in fp32: measured, in about 0.1 s.

    Having the units says little: one CPU with AVX512-BF16 took 1.8 times as long as in fp32, another half as long.
    Where the CPU names no such unit nothing is measured.
    """
    if not _has_bf16_units():
        return False
    fp32, bf16 = (_widest(dtype) for dtype in (torch.float32, torch.bfloat16))
    seconds = _best_seconds((fp32, torch.ones(400, 768)), (bf16, torch.ones(400, 768, dtype=torch.bfloat16)))
    return BF16_GAIN * seconds[1] < seconds[0]


@cache
def reordering_pays(dtype: torch.dtype) -> bool:
    """Whether this CPU multiplies faster by weights that are laid out for it: measured, in about 0.1 s.

    Given plain weights, PyTorch lays them out anew for every product. False too where PyTorch cannot do that, or where
    the products would differ.
    """
    plain = _widest(dtype)
    short, long = (torch.linspace(-1, 1, rows * 768).view(rows, 768).to(dtype) for rows in (8, 400))  # a text, pictures
    try:
        reordered = ReorderedLinear(plain)
        same = all(torch.allclose(plain(x), reordered(x), rtol=1e-2, atol=1e-2) for x in (short, long))
    except (AttributeError, RuntimeError):
        return False
    seconds = _best_seconds((plain, short), (reordered, short), (plain, long), (reordered, long))
    return same and seconds[1] + seconds[3] < seconds[0] + seconds[2]


class ReorderedLinear(nn.Module):
    """A linear layer whose weights are laid out as the CPU's kernels read them.

    PyTorch's calls for that are not public; its compiler makes the same ones. `reordering_pays` tries them first.
    """

    def __init__(self, layer: nn.Linear):
        super().__init__()
        rows = 800  # of what it will be given, the kernels' guess; any number is right
        self.weight, self.bias = torch.ops.mkldnn._reorder_linear_weight(layer.weight, rows), layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product, float (..., out), of float (..., in)."""
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


def linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    """A layer with these weights (out, in) and this bias (out)."""
    layer = nn.Linear(1, 1, device="meta")  # no random numbers are drawn; both are replaced
    layer.weight, layer.bias = (nn.Parameter(numbers, requires_grad=False) for numbers in (weight, bias))
    return layer


def _has_bf16_units() -> bool:
    able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # not in every PyTorch
    try:
        flags = {name for name, has in able.items() if has} or set(Path("/proc/cpuinfo").read_text().split())
    except OSError:  # not Linux
        return False
    return bool(flags & {"amx_bf16", "avx512_bf16", "bf16"})


@torch.inference_mode()
def _best_seconds(*products: tuple[nn.Module, torch.Tensor]) -> list[float]:
    """The shortest time of five for each layer and its input; in turn, for other programs disturb all alike."""
    rounds = []
    for _ in range(5):
        for layer, x in products:
            started = time.perf_counter()
            layer(x)
            rounds.append(time.perf_counter() - started)
    return [min(rounds[at :: len(products)]) for at in range(len(products))]


def _widest(dtype: torch.dtype) -> nn.Linear:
    """The widest layer of ViT-B/32, with some weights."""
    return linear(torch.linspace(-1, 1, 768 * 3072).view(3072, 768).to(dtype), torch.zeros(3072, dtype=dtype))
