"""What the loop needs to know of other processes. One process is a world of size 1 and never touches torch.distributed."""

from __future__ import annotations

import atexit
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class World:
    """Processes that train one model on the slices of one global batch."""

    rank: int = 0
    size: int = 1

    def concatenate(self, values: Tensor) -> Tensor:
        """The tensors of all ranks one after the other; their first dimensions may differ."""
        if self.size == 1:
            return values
        from torch import distributed

        count = torch.tensor([len(values)], device=values.device)
        counts = [torch.zeros_like(count) for _ in range(self.size)]
        distributed.all_gather(counts, count)
        most = max(int(c) for c in counts)
        padded = torch.zeros(most, *values.shape[1:], dtype=values.dtype, device=values.device)
        padded[: len(values)] = values
        gathered = [torch.zeros_like(padded) for _ in range(self.size)]
        distributed.all_gather(gathered, padded)
        return torch.cat([part[: int(c)] for part, c in zip(gathered, counts, strict=True)])

    def sum(self, values: Tensor) -> Tensor:
        """Summed over ranks, in place."""
        if self.size > 1:
            from torch import distributed

            distributed.all_reduce(values)
        return values


def join(rank: int, size: int) -> World:
    """The world of a process; several leave it when Python ends, or torch's threads may abort them."""
    if size > 1:
        atexit.unregister(_leave)
        atexit.register(_leave)
    return World(rank, size)


def _leave() -> None:
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()
