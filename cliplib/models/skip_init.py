"""Make networks without drawing the random weights that a checkpoint will replace."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

INPLACE = ("normal_", "uniform_", "zero_", "fill_", "mul_", "add_", "clamp_", "erfinv_")  # with which weights are drawn
FILLING = {getattr(torch.Tensor, name) for name in INPLACE}


class SkipInitialization(TorchFunctionMode):
    """Networks made inside have no weights yet: no time, memory or random state goes into what is replaced.

    PyTorch's own way, `torch.device("meta")`, loads its compiler for the arithmetic of an `__init__`.
    """

    def __torch_function__(
        self, function: Callable, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        drawn = args[0] if args else kwargs.get("tensor")
        if isinstance(drawn, nn.Parameter) and (
            function in FILLING or getattr(function, "__module__", "") == "torch.nn.init"
        ):
            return drawn
        return (torch.empty if function is torch.randn else function)(*args, **kwargs)
