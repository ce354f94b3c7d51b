"""What the loop needs to know of other processes. One process is a world of size 1 and never begins a process group."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from triglot.encoder.computing import asked_device
from triglot.files import InputError


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
    """Where this process trains: on the device that the variable `TRIGLOT_DEVICE` names, else on its GPU, if there is
    one. Of several processes each has a GPU of its own.

    Whoever makes a model asks here; all else asks the model.

    Raises:
        InputError: there is no such device, or it is neither a CPU nor CUDA's.
    """
    asked = torch.device(asked_device() or ("cuda" if torch.cuda.is_available() else "cpu"))
    if asked.type not in ("cpu", "cuda"):
        raise InputError(f"device: training is on cpu or cuda, not on {asked.type}")
    if asked.type == "cpu" or asked.index is not None:
        return asked
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))


def join() -> World:
    """The world of this process. Under torchrun it begins the process group: NCCL where there are GPUs, else Gloo.

    Several processes leave the group when Python ends, or torch's threads may abort them.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return World()
    # Imported later (an optimizer does so), it takes the group as default of its arguments, and no one could end the
    # group's threads.
    import torch.distributed.nn.functional
    from torch import distributed

    if not distributed.is_initialized():
        where = device()
        if where.type == "cuda":
            torch.cuda.set_device(where)
            distributed.init_process_group("nccl", device_id=where)
        else:
            distributed.init_process_group("gloo")
    atexit.unregister(_leave)
    atexit.register(_leave)
    return World(distributed.get_rank(), distributed.get_world_size())


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
    world = join()
    if world.size > 1 and world.rank > 0:
        torch.distributed.barrier()
    yield
    if world.size > 1 and world.rank == 0:
        torch.distributed.barrier()
