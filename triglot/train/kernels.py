"""How the layers of a transformer compute while it is trained on a CPU: products and attention by whatever is fast.

Torch's attention goes back in bfloat16 five times slower than in float32 (2.13: 37 ms for 10 texts of 115 tokens, 14 in
float32). Products and a softmax, one after the other, take 8 there: products in bfloat16, the softmax in float32, as
`eager` attention computes within an autocast.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import dropout, linear, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from triglot.encoder.products import by_onednn, prefers_onednn

_TEXTS, _TOKENS = 8, 96  # of the attention that is timed
_ROUNDS = 5
_LONGEST = 256  # tokens
_AHEAD = 1.15  # times that `eager` must be as fast: what is taken should not hang on how busy a machine is


class Block(NamedTuple):
    """Texts of like length in a row of tokens.

    Attributes:
        texts, tokens: how many, padding included.
        mask: (texts, 1, 1, tokens) bool, True on tokens; None without padding.
    """

    texts: int
    tokens: int
    mask: Tensor | None


class Unpacked(Exception):
    """A model whose attention is not that of a text to itself alone; its texts cannot lie in one row."""


def kernels(
    device: torch.device, attention: str = "sdpa", blocks: Sequence[Block] | None = None
) -> AbstractContextManager[Any]:
    """A block in which layers compute by what is fast.

    Args:
        device: of the model.
        attention: `eager` or `sdpa`.
        blocks: what lies in the one row of tokens that the layers are given; None for a batch of texts.
    """
    if device.type != "cpu":
        return nullcontext()
    mixed = torch.is_autocast_enabled("cpu")
    by_other = prefers_onednn() and not mixed
    if not (mixed or by_other or attention == "eager" or blocks is not None):
        return nullcontext()
    return _Kernels(by_other, attention, mixed, blocks)


class _Kernels(TorchFunctionMode):
    """See `kernels`."""

    def __init__(self, by_other: bool, attention: str, mixed: bool, blocks: Sequence[Block] | None):
        super().__init__()
        self._by_other, self._mixed, self._blocks = by_other, mixed, blocks
        self._rounded: tuple[Tensor | None, Tensor | None] = None, None
        self._attend = _eager if attention == "eager" else _sdpa

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is scaled_dot_product_attention:
            return self._attention(*args, **(kwargs or {}))
        if func is linear and not kwargs and len(args) == 3 and {args[0].dtype, args[1].dtype} == {torch.float32}:
            if self._by_other:
                return by_onednn(*args)
            if self._mixed:
                return linear(self._once(args[0]), *args[1:])
        return func(*args, **(kwargs or {}))

    def _once(self, inputs: Tensor) -> Tensor:
        """Inputs in bfloat16; query, key and value have the same ones, which are rounded once."""
        before, rounded = self._rounded
        if before is not inputs or rounded is None:
            rounded = inputs.to(torch.bfloat16)
            self._rounded = inputs, rounded
        return rounded

    def _attention(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any
    ) -> Tensor:
        if self._blocks is None:
            return self._attend(query, key, value, attn_mask, **options)
        if attn_mask is not None or options.get("is_causal") or key.shape[1] != query.shape[1]:
            raise Unpacked
        made, start = [], 0
        for texts, tokens, mask in self._blocks:
            end = start + texts * tokens
            shape = (texts, tokens, *query.shape[1::2])
            parts = (one.transpose(1, 2)[0, start:end].view(shape).transpose(1, 2) for one in (query, key, value))
            # (texts, heads, tokens, dim) -> (texts x tokens, heads, dim)
            made.append(self._attend(*parts, mask, **options).transpose(1, 2).reshape(-1, *shape[2:]))
            start = end
        return torch.cat(made)[None].transpose(1, 2)


def _sdpa(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **options: Any) -> Tensor:
    """Torch's, in float32 within an autocast to bfloat16."""
    if query.dtype == torch.float32:
        return scaled_dot_product_attention(query, key, value, attn_mask=mask, **options)
    with torch.autocast("cpu", enabled=False):
        wide = (one.float() for one in (query, key, value))
        if mask is not None and mask.is_floating_point():
            mask = mask.float()
        return scaled_dot_product_attention(*wide, attn_mask=mask, **options).to(query.dtype)


def _eager(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Products and a softmax, which is in float32; torch's where texts are long, since memory goes by the square."""
    if is_causal or enable_gqa or key.shape[-2] > _LONGEST:
        how = {"dropout_p": dropout_p, "is_causal": is_causal, "scale": scale, "enable_gqa": enable_gqa}
        return _sdpa(query, key, value, mask, **how)
    scores = (query * (query.shape[-1] ** -0.5 if scale is None else scale)) @ key.transpose(-1, -2)
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores = scores + mask.to(scores.dtype)
    # (texts, heads, tokens, tokens)
    shares = torch.softmax(scores, -1, dtype=torch.float32).to(value.dtype)
    return (dropout(shares, dropout_p) if dropout_p else shares) @ value


def chosen(asked: str, device: torch.device, precision: str, heads: int, width: int) -> tuple[str, str]:
    """Which attention is taken, and a line that says why.

    `auto` times both, forth and back, for a few milliseconds, where training is in bfloat16 on a CPU. In float32
    neither was ahead on the processor that was tried, and elsewhere torch has kernels of its own: there it is torch's,
    without a clock.

    Args:
        asked: `auto`, `sdpa` or `eager`.
        device: of the model.
        precision: `fp32` or `bf16`.
        heads: of a layer.
        width: numbers of a head.
    """
    if asked == "eager" and device.type != "cpu":
        return "sdpa", f"sdpa (eager is for CPUs, not for {device.type})"
    if asked != "auto":
        return asked, f"{asked}, as asked"
    if device.type != "cpu" or precision != "bf16":
        return "sdpa", f"sdpa (not timed: {precision} on {device.type})"
    taken = {name: _timed(name, heads, width, torch.get_num_threads()) for name in ("sdpa", "eager")}
    name = "eager" if taken["eager"] * _AHEAD < taken["sdpa"] else "sdpa"
    told = ", ".join(f"{one} {1000 * seconds:.1f} ms" for one, seconds in taken.items())
    return name, f"{name} (timed: {told}, for {_TEXTS} texts of {_TOKENS} tokens there and back)"


@cache
def _timed(name: str, heads: int, width: int, threads: int) -> float:
    """Seconds of this thread, which do not count when others use the processor; the least of some."""
    generator = torch.Generator().manual_seed(0)
    shape = (_TEXTS, heads, _TOKENS, width)
    parts = [torch.randn(shape, generator=generator).bfloat16().requires_grad_() for _ in range(3)]
    attend, taken = {"sdpa": _sdpa, "eager": _eager}[name], []
    for _ in range(1 + _ROUNDS):
        with torch.enable_grad():
            began = time.thread_time()
            attend(*parts, None).sum().backward()
            taken.append(time.thread_time() - began)
    return min(taken[1:])
