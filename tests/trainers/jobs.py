"""What one of several processes does in tests of the loss: `Server.run([...], call="tests.trainers.jobs:gathers")`."""

from __future__ import annotations

import torch
from torch import Tensor, distributed

from tests.trainers.test_loss import Late, Table, columns
from triglot.train.distributed import join
from triglot.trainers import GroupMaskedRankingLoss, late_interaction

GROUPS = torch.tensor([[4, 5], [6, 4], [4, 8], [9, 6]])  # of the answer and of the hard negative
IDS = ([1, 2, 3, 4], [6, 7, 8, 9], [11, 12, 13, 14])


def gathers() -> None:
    """The loss of two slices is that of the whole batch on each process, and so is the mean gradient."""
    world = join()
    assert world.size == 2
    torch.manual_seed(1)
    model = Table()
    own = slice(2 * world.rank, 2 * world.rank + 2)
    whole = _gradient(model, GroupMaskedRankingLoss(model, symmetric=0.3), columns(*IDS), GROUPS)
    part = GroupMaskedRankingLoss(model, symmetric=0.3, gather_across_devices=True)
    _same(whole, _gradient(model, part, columns(*(ids[own] for ids in IDS)), GROUPS[own]), world.size)

    late = Late()
    tokens = [
        torch.tensor([[1, 2, 0], [3, 4, 0], [6, 7, 0], [8, 9, 5]]),
        torch.tensor([[9, 8], [7, 6], [5, 4], [3, 2]]),
    ]
    features = [{"input_ids": ids, "attention_mask": (ids > 0).long()} for ids in tokens]
    # The first process has no third token.
    short = [{key: value[own, : 2 + world.rank] for key, value in column.items()} for column in features]
    options = {"scale": 1.0, "score": late_interaction}
    whole = _gradient(late, GroupMaskedRankingLoss(late, **options), features, GROUPS[:, 0])
    part = GroupMaskedRankingLoss(late, gather_across_devices=True, **options)
    _same(whole, _gradient(late, part, short, GROUPS[own, 0]), world.size)


def _gradient(model: Table, loss: GroupMaskedRankingLoss, features: list, groups: Tensor) -> tuple[Tensor, Tensor]:
    model.zero_grad()
    value = loss(features, groups)
    value.backward()
    assert model.rows.weight.grad is not None
    return value.detach(), model.rows.weight.grad.clone()


def _same(whole: tuple[Tensor, Tensor], part: tuple[Tensor, Tensor], size: int) -> None:
    torch.testing.assert_close(part[0], whole[0])
    mean = part[1]
    distributed.all_reduce(mean)  # as DistributedDataParallel does
    torch.testing.assert_close(mean / size, whole[1])
    assert float(whole[1].abs().max()) > 0
