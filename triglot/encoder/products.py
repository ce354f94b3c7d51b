"""Products of matrices on CPUs where torch's own way is not the fast one, while texts are encoded and in training.

In float32 torch asks MKL, which keeps to AVX2 on processors that are not Intel's: 97 GFLOP/s on a core of an AMD EPYC
with AVX-512, where oneDNN, which torch brings along, does 220. In bfloat16 autocast rounds a layer's weights again for
each batch; here that is done once a call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

from triglot.encoder.precision import cpu_flags, cpu_vendor


@cache
def prefers_onednn() -> bool:
    """Whether oneDNN multiplies float32 matrices faster than MKL on this processor: AVX-512, and not Intel's.

    Told by the processor and not by a clock, so that digits do not depend on how busy a machine is.
    """
    there = torch.backends.mkldnn.is_available() and torch.backends.mkl.is_available()
    named = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return there and named and cpu_vendor() == "AuthenticAMD" and "avx512f" in cpu_flags()


def products(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """A block without gradients in which the layers of a model are computed, their weights as they are.

    Args:
        device: of the model.
        precision: `fp32` or `bf16`.
    """
    if precision == "bf16":
        block = ExitStack()
        block.enter_context(torch.autocast(device.type, torch.bfloat16))
        block.enter_context(_RoundedOnce())
        return block
    return _ByOneDnn() if device.type == "cpu" and prefers_onednn() else nullcontext()


class _ByOneDnn(TorchFunctionMode):
    """Linear layers in float32 by oneDNN."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is linear and not kwargs and len(args) == 3 and {args[0].dtype, args[1].dtype} == {torch.float32}:
            return by_onednn(*args)
        return func(*args, **(kwargs or {}))


def by_onednn(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A linear layer in float32 by oneDNN, with gradients where they are recorded.

    Args:
        inputs: (..., in).
        weight: (out, in).
        bias: (out,), or None.
    """
    if torch.is_grad_enabled():
        return cast(Tensor, _Linear.apply(inputs, weight, bias))
    return _product(inputs, weight, bias)


def _product(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    """A linear layer whose three products, one forth and two back, are oneDNN's."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(inputs, weight)
        return _product(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        inputs, weight = ctx.saved_tensors
        # (tokens, out) and (tokens, in)
        flat, given = gradient.reshape(-1, gradient.shape[-1]), inputs.reshape(-1, inputs.shape[-1])
        of_inputs = _product(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        of_weight = _product(flat.t(), given.t()) if ctx.needs_input_grad[1] else None
        return of_inputs, of_weight, flat.sum(0) if ctx.needs_input_grad[2] else None


class _RoundedOnce(TorchFunctionMode):
    """Linear layers whose weights are rounded to bfloat16 when they are first met."""

    def __init__(self) -> None:
        super().__init__()
        self._rounded: dict[int, Tensor] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is linear and not kwargs:
            args = (args[0], *(self._once(part) for part in args[1:]))
        return func(*args, **(kwargs or {}))

    def _once(self, part: Tensor | None) -> Tensor | None:
        # Layers that share a weight share what is rounded of it; other weights live as long as the block.
        if part is not None and id(part) not in self._rounded:
            self._rounded[id(part)] = part.to(torch.bfloat16)
        return None if part is None else self._rounded[id(part)]
