"""What the loop needs to know of other processes. One process is a world of size 1 and never touches torch.distributed."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from accelerate import PartialState


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


def device() -> torch.device:
    """Where this process trains: on its GPU, if there is one. Whoever makes a model asks here; all else asks the model."""
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if torch.cuda.is_available() else torch.device("cpu")


def join() -> World:
    """The world of this process; several processes leave it when Python ends, or torch's threads may abort them."""
    state = process()
    if state.num_processes > 1:
        atexit.unregister(_leave)
        atexit.register(_leave)
    return World(state.process_index, state.num_processes)


def process() -> PartialState:
    """Accelerate's state of this process; under torchrun it begins the process group."""
    # Imported later (an optimizer does so), it takes the group as default of its arguments, and no one could end the group's threads.
    import torch.distributed.nn.functional
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def _leave() -> None:
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def main_first() -> Iterator[None]:
    """The block runs on the main process first, on the others when it is done there."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    with process().main_process_first():
        yield
