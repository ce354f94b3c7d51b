"""The optimiser of rows against torch's AdamW."""

from __future__ import annotations

import torch

from triglot.train.distributed import World
from triglot.train.rows import RowAdam, summed


def test_with_a_gradient_in_every_step_it_is_torch_s_adamw() -> None:
    torch.manual_seed(0)
    table = torch.randn(9, 4)
    dense = torch.nn.Parameter(table.clone())
    theirs = torch.optim.AdamW([dense], lr=0.0, weight_decay=0.1)
    ours = RowAdam(table, weight_decay=0.1)
    ids = torch.tensor([7, 2, 5])
    for step in range(12):
        gradient = torch.randn(3, 4)
        dense.grad = torch.zeros(9, 4).index_copy_(0, ids, gradient)
        theirs.param_groups[0]["lr"] = 0.1 / (step + 1)
        theirs.step()
        ours.step(ids, gradient, 0.1 / (step + 1))
    torch.testing.assert_close(table[ids], dense.detach()[ids], rtol=1e-5, atol=1e-6)


def test_rows_without_a_gradient_stay_and_each_counts_its_own_steps() -> None:
    torch.manual_seed(0)
    table = torch.randn(6, 3)
    before, alone = table.clone(), table[[4]].clone()
    ours, single = RowAdam(table, weight_decay=0.1), RowAdam(alone, weight_decay=0.1)
    gradients = torch.randn(4, 2, 3)
    for step, gradient in enumerate(gradients):
        ids = torch.tensor([4, 1]) if step % 2 else torch.tensor([3, 1])
        ours.step(ids, gradient, 0.1)
        if step % 2:
            single.step(torch.tensor([0]), gradient[:1], 0.1)
    assert torch.equal(table[[0, 2, 5]], before[[0, 2, 5]])
    torch.testing.assert_close(table[[4]], alone)


def test_a_saved_state_goes_on_bitwise() -> None:
    torch.manual_seed(0)
    table = torch.randn(8, 3)
    ours = RowAdam(table, weight_decay=0.1)
    ours.step(torch.tensor([1, 2]), torch.randn(2, 3), 0.1)
    other = table.clone()
    again = RowAdam(other, weight_decay=0.1)
    again.load_state({key: value.clone() for key, value in ours.state().items()})
    gradient = torch.randn(3, 3)
    for one in (ours, again):
        one.step(torch.tensor([2, 6, 0]), gradient, 0.05)
    assert torch.equal(table, other)


def test_gradients_of_rows_that_were_gathered_twice_are_summed() -> None:
    one = (torch.tensor([1, 4]), torch.ones(2, 2))
    two = (torch.tensor([4, 0]), torch.full((2, 2), 2.0))
    ids, grads = summed([one, two], World())
    assert dict(zip(ids.tolist(), grads[:, 0].tolist(), strict=True)) == {0: 2.0, 1: 1.0, 4: 3.0}
