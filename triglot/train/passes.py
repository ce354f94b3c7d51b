"""A step's texts, embedded once or several times, and gradients on their way back: whole or in chunks, on one process
or several."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triglot.batches import rank_slice
from triglot.train.distributed import World
from triglot.train.model import Model

Shifts = dict[int, Tensor]


class Passes:
    """The texts of one process in one step.

    With `graph` the graph of every pass is kept until its backward pass. Without (GradCache, Gao et al. 2021), vectors
    are made without a graph, and made again chunk by chunk, with the same dropout and the same shifts, for the gradient
    that the loss left on them.

    Args:
        model: to embed them.
        chunks: (prepared texts, their slice of this process' texts).
        size: texts of the whole batch.
        rows: (size,) bool, which texts a method may shift. A chunk holds either such texts or others.
        world: the processes.
        graph: see above.
        reseed: called with a chunk's number before it is embedded.
        autocast: context of the forward pass.
        draw: (chunk, purpose) -> torch generator for noise.
    """

    def __init__(
        self,
        model: Model,
        chunks: Sequence[tuple[Any, slice]],
        size: int,
        rows: np.ndarray,
        world: World,
        *,
        graph: bool,
        reseed: Callable[[int], None],
        autocast: Callable[[], Any],
        draw: Callable[[int, str], torch.Generator],
    ):
        self._model, self._chunks, self._size, self._world = model, chunks, size, world
        self._graph, self._reseed, self._autocast, self._draw = graph, reseed, autocast, draw
        self.mine = rank_slice(size, world.rank, world.size)
        own = rows[self.mine]
        self.perturbed = [number for number, (_, where) in enumerate(chunks) if own[where].any()]
        self.rest = [number for number in range(len(chunks)) if number not in self.perturbed]
        self.device = model.device
        self.rows = torch.from_numpy(rows).to(self.device)
        self._balls: dict[int, tuple[Tensor, Tensor]] = {}

    def embed(self, number: int, shift: Tensor | None) -> Tensor:
        """(texts, dim) vectors of one chunk, float32."""
        self._reseed(number)
        with self._autocast():
            prepared = self._chunks[number][0]
            return (self._model.embed(prepared) if shift is None else self._model.embed(prepared, shift)).float()

    def run(self, chunks: Sequence[int], *, shifts: Shifts | None = None, base: Tensor | None = None) -> Pass:
        """Embed some chunks; vectors of the others come from `base`, or are zero."""
        return Pass(self, chunks, shifts or {}, base)

    def ball(self, chunk: int) -> tuple[Tensor, Tensor]:
        """(mask in the shape of a shift, (texts,) norm that stands for a size of 1)."""
        if chunk not in self._balls:
            self._balls[chunk] = self._model.ball(self._chunks[chunk][0])
        return self._balls[chunk]

    def noise(self, chunk: int, purpose: str) -> Tensor:
        """Uniform in [-1, 1), in the shape of a shift."""
        mask = self.ball(chunk)[0]
        return torch.rand(mask.shape, generator=self._draw(chunk, purpose)).to(mask.device) * 2 - 1


class Pass:
    """Some chunks embedded once; see `Passes`."""

    def __init__(self, passes: Passes, chunks: Sequence[int], shifts: Shifts, base: Tensor | None):
        self._passes, self._shifts = passes, shifts
        self._made: dict[int, Tensor] = {}
        own: list[Tensor] = []
        with torch.set_grad_enabled(passes._graph):
            for number, (_, where) in enumerate(passes._chunks):
                if number in chunks:
                    self._made[number] = passes.embed(number, shifts.get(number))
                    own.append(self._made[number].detach())
                else:
                    own.append(torch.zeros(0, device=passes.device) if base is None else base[passes.mine][where])
        if base is None and len(own) > len(chunks):
            own = self._filled(own)
        joined = torch.cat(own) if own else torch.zeros(0, device=passes.device)
        self.vectors = passes._world.concatenate(joined).requires_grad_()  # (texts, dim), of the global batch
        if not passes._graph:
            self._made = {}

    def _filled(self, own: list[Tensor]) -> list[Tensor]:
        """Zeros for the chunks that were left out."""
        width = next((part.shape[1] for part in own if part.ndim == 2), self._passes._model.dim)
        sizes = [where.stop - where.start for _, where in self._passes._chunks]
        filler = functools.partial(torch.zeros, device=self._passes.device)
        return [part if part.ndim == 2 else filler(size, width) for part, size in zip(own, sizes, strict=True)]

    def backward(self, gradient: Tensor, chunks: Sequence[int], *, weights: bool = True) -> Shifts:
        """Send a gradient of `vectors` back through some chunks.

        Args:
            gradient: of the shape of `vectors`.
            chunks: to send it through.
            weights: whether the model's weights take it up; a chunk can be gone back through once with and any times
                without.

        Returns:
            the gradients of the chunks' shifts.
        """
        gradient = gradient[self._passes.mine]
        gradients: Shifts = {}
        for number in chunks:
            shift = self._shifts.get(number)
            vectors = self._made.pop(number) if number in self._made else self._passes.embed(number, shift)
            part = gradient[self._passes._chunks[number][1]]
            if not weights:
                assert shift is not None
                (gradients[number],) = torch.autograd.grad(vectors, shift, part)
                continue
            vectors.backward(part)
            if shift is not None and shift.grad is not None:
                gradients[number], shift.grad = shift.grad, None
        return gradients
