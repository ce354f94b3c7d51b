"""A device that no machine has: its tensors lie on the CPU, and an operation that mixes them with the CPU's fails as it
does on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")  # stands for it: torch knows the name on every machine
_COPY = torch.ops.aten._to_copy.default
_FILL = (torch.ops.aten.copy_.default, torch.ops.aten.index_put_.default)


class There(torch.Tensor):
    """A tensor that says it is elsewhere."""

    value: torch.Tensor

    @staticmethod
    def __new__(cls, value: torch.Tensor) -> There:
        shape: dict[str, Any] = {
            "strides": value.stride(),
            "storage_offset": value.storage_offset(),
            "dtype": value.dtype,
        }
        made = torch.Tensor._make_wrapper_subclass(cls, value.shape, device=DEVICE, **shape)
        made.value = value
        return made

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _apply(function, args, kwargs or {})

    def __repr__(self, *_: Any) -> str:  # type: ignore[override]
        return f"There({self.value})"


class _Makes(TorchDispatchMode):
    """Tensors that are asked for on the device are made there."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _apply(function, args, kwargs or {})


def _apply(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [leaf for leaf in leaves if isinstance(leaf, There)]
    asked = kwargs.get("device")
    if there and function is not _COPY:
        # As on a GPU: single numbers may come from the CPU, and copies and indices.
        strange = [leaf for leaf in leaves if not isinstance(leaf, There) and leaf.ndim]
        if strange and function not in _FILL:
            raise RuntimeError(
                f"{function}: expected all tensors to be on the same device, one of {list(strange[0].shape)} is "
                "on the CPU"
            )
    stays = bool(there) and (asked is None or torch.device(asked).type == DEVICE.type)
    if asked is not None:
        stays = torch.device(asked).type == DEVICE.type
        kwargs = {**kwargs, "device": torch.device("cpu")}
    plain_args, plain_kwargs = tree_map(lambda leaf: leaf.value if isinstance(leaf, There) else leaf, (args, kwargs))
    result = function(*plain_args, **plain_kwargs)
    if not stays:
        return result
    known = {id(leaf.value): leaf for leaf in there}

    def moved(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        return known[id(leaf)] if id(leaf) in known else There(leaf)

    return tree_map(moved, result)


@contextmanager
def elsewhere() -> Iterator[torch.device]:
    """The device, while the block runs."""
    with _Makes():
        yield DEVICE
