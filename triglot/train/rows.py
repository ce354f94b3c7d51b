"""Tables of which a step touches the rows of its tokens alone: gradients of gathered rows, and an optimiser of rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from triglot.train.distributed import World


def gathered(table: Tensor, ids: Tensor, gradients: list[tuple[Tensor, Tensor]]) -> Tensor:
    """(n, dim) rows of a table for one pass. Where torch records gradients, each backward pass that reaches them adds
    (ids, gradient) to the list."""
    leaf = table[ids]
    if torch.is_grad_enabled():

        def take(leaf: Tensor) -> None:
            assert leaf.grad is not None
            gradients.append((ids, leaf.grad))
            leaf.grad = None

        leaf.requires_grad_()
        leaf.register_post_accumulate_grad_hook(take)
    return leaf


def summed(parts: Sequence[tuple[Tensor, Tensor]], world: World) -> tuple[Tensor, Tensor]:
    """The gradients of rows that were gathered several times, summed over the times and over ranks.

    Args:
        parts: (unique ids, (ids, dim) gradients) of each time; one at least.
        world: the processes.

    Returns:
        unique ids and their gradients.
    """
    ids, grads = (
        (parts[0][0], parts[0][1])
        if len(parts) == 1
        else (torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts]))
    )
    ids, grads = world.concatenate(ids), world.concatenate(grads)
    if len(parts) > 1 or world.size > 1:
        ids, place = torch.unique(ids, return_inverse=True)
        grads = torch.zeros(len(ids), grads.shape[1], device=grads.device).index_add_(0, place, grads)
    return ids, grads


class RowAdam:
    """AdamW (Loshchilov and Hutter 2019) of the rows that have a gradient; all others stay as they are.

    A row counts the steps in which it had one, and its moments and bias correction go by that count. Where every row
    has a gradient in every step this is `torch.optim.AdamW`; else the dense one would go on moving a row by its
    momentum for some ten steps, and shrink rows that no text has. Moments are kept for rows that were seen, so time and
    memory do not grow with the table.

    Args:
        table: (rows, dim), changed in place.
        weight_decay: of AdamW.
        betas: of the two moments.
        eps: added to the root of the second.
    """

    def __init__(
        self, table: Tensor, *, weight_decay: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ):
        self.table, self._decay, self._betas, self._eps = table, weight_decay, betas, eps
        self._slot = torch.full((len(table),), -1, dtype=torch.int64, device=table.device)  # row -> place below
        self._seen = torch.zeros(0, dtype=torch.int64, device=table.device)
        self._count = torch.zeros(0, dtype=torch.int64, device=table.device)
        self._moments = torch.zeros(2, 0, table.shape[1], device=table.device)

    def _slots(self, ids: Tensor) -> Tensor:
        """Places of rows among those seen; new ones get one."""
        new = ids[self._slot[ids] < 0]
        if len(new):
            known = len(self._seen)
            self._slot[new] = torch.arange(known, known + len(new), device=ids.device)
            self._seen = torch.cat([self._seen, new])
            if len(self._seen) > len(self._count):
                more = max(len(self._seen), 2 * len(self._count)) - len(self._count)
                self._count = torch.cat([self._count, self._count.new_zeros(more)])
                self._moments = torch.cat([self._moments, self._moments.new_zeros(2, more, self.table.shape[1])], 1)
        return self._slot[ids]

    @torch.no_grad()
    def step(self, ids: Tensor, grads: Tensor, lr: float) -> None:
        """Move some rows.

        Args:
            ids: (n,) each once.
            grads: (n, dim).
            lr: learning rate.
        """
        slots = self._slots(ids)
        self._count[slots] += 1
        count = self._count[slots].double()[:, None]
        one, two = self._betas
        first = self._moments[0, slots].lerp(grads, 1 - one)
        second = self._moments[1, slots].mul(two).addcmul(grads, grads, value=1 - two)
        self._moments[0, slots], self._moments[1, slots] = first, second
        root = (second / (1 - two**count).float()).sqrt_().add_(self._eps)
        rows = self.table[ids] * (1 - lr * self._decay) - lr * first / (1 - one**count).float() / root
        self.table[ids] = rows

    def state(self) -> dict[str, Tensor]:
        """Seen rows, their counts and moments."""
        known = len(self._seen)
        return {
            "ids": self._seen,
            "count": self._count[:known],
            "exp_avg": self._moments[0, :known],
            "exp_avg_sq": self._moments[1, :known],
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        where = self.table.device
        self._seen, self._count = state["ids"].to(where), state["count"].to(where)
        self._moments = torch.stack([state["exp_avg"], state["exp_avg_sq"]]).to(where)
        self._slot.fill_(-1)
        self._slot[self._seen] = torch.arange(len(self._seen), device=where)
