"""Adversarial and noisy passes over a batch: FGM, PGD, FreeLB, smoothing, SMART and R3F.

A pass embeds texts with a shift added to their token embeddings. The methods are written against passes alone, so they
hold for every encoder, for chunked gradients (one shift a chunk, kept over both passes) and for several processes (each
shifts its own texts; the loss is that of all). Texts of the side that is not perturbed are embedded once: what every
loss of the step says of them goes back in one backward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from triglot.robust.ball import ascend, norms, over, times
from triglot.robust.methods import METHODS
from triglot.robust.settings import RobustSettings

Shifts = dict[int, Tensor]  # chunk -> (texts, ...) in the shape of its token embeddings


class Pass(Protocol):
    """Texts embedded once. `vectors` is (texts, dim), of all processes; it records gradients."""

    vectors: Tensor

    def backward(self, gradient: Tensor, chunks: Sequence[int], *, weights: bool = True) -> Shifts:
        """Send the gradient of `vectors` back through some chunks.

        Returns that of their shifts; without `weights`, of the shifts alone.
        """
        ...


class Passes(Protocol):
    """The texts of a step."""

    perturbed: list[int]  # chunks that hold a text of the perturbed side
    rest: list[int]  # the other chunks
    rows: Tensor  # (texts,) bool, on the model's device: texts of the perturbed side

    def run(self, chunks: Sequence[int], *, shifts: Shifts | None = None, base: Tensor | None = None) -> Pass:
        """Embed some chunks; the vectors of the others are taken from `base` (zeros without)."""
        ...

    def ball(self, chunk: int) -> tuple[Tensor, Tensor]:
        """(mask of what may be shifted, in the shape of a shift; the norm that a size of 1 stands for, one a text)."""
        ...

    def noise(self, chunk: int, purpose: str) -> Tensor:
        """Numbers in [-1, 1) in the shape of a shift, drawn by (seed, step, chunk)."""
        ...


class Opening(Protocol):
    """What a step takes once, of the vectors of its first loss."""

    @property
    def loss(self) -> Tensor:
        """The loss, with the terms that are taken once."""
        ...


class Losses(Protocol):
    """The losses of a step, of vectors of the whole batch. None of these changes anything.

    Without `descend` a loss is asked for its gradient with respect to shifts alone: what is learned beside the encoder
    takes no part of it.
    """

    def opening(self, vectors: Tensor) -> Opening:
        """The first loss of a step; asked for once."""
        ...

    def value(self, vectors: Tensor, *, descend: bool = True) -> Tensor:
        """Any further loss."""
        ...

    def divergence(self, clean: Tensor, noisy: Tensor, *, descend: bool = True) -> Tensor:
        """Symmetric KL between the distributions (over passages, or over classes) of clean and of noisy vectors."""
        ...


@dataclass(frozen=True)
class Outcome:
    """A step whose weight gradients are where the passes put them.

    Attributes:
        loss: that was descended.
        parts: of it, by name.
        opening: of its losses.
    """

    loss: float
    parts: dict[str, float]
    opening: Any


def perturbed_step(passes: Passes, losses: Losses, robust: RobustSettings) -> Outcome:
    """One step of a method.

    Args:
        passes: the texts.
        losses: of their vectors.
        robust: the method and its sizes.
    """
    return METHODS[robust.method].step(passes, losses, robust)


def _all(passes: Passes) -> list[int]:
    return sorted([*passes.perturbed, *passes.rest])


def _zeros(passes: Passes) -> Shifts:
    return {chunk: torch.zeros_like(passes.ball(chunk)[0]).requires_grad_() for chunk in passes.perturbed}


def _mixed(clean: Tensor, noisy: Tensor, passes: Passes) -> Tensor:
    """The noisy vectors of perturbed texts and the clean ones of the others, with gradients to both."""
    return torch.where(passes.rows[:, None], noisy, clean)


def plain(passes: Passes, losses: Losses, robust: RobustSettings) -> Outcome:
    """One pass, nothing shifted."""
    clean = passes.run(_all(passes))
    opening = losses.opening(clean.vectors)
    clean.backward(torch.autograd.grad(opening.loss, clean.vectors)[0], _all(passes))
    return Outcome(float(opening.loss.detach()), {}, opening)


def fgm(passes: Passes, losses: Losses, robust: RobustSettings) -> Outcome:
    """The clean loss plus that of one step of the whole size."""
    return _gradient_steps(passes, losses, robust, steps=1, size=robust.eps)


def pgd(passes: Passes, losses: Losses, robust: RobustSettings) -> Outcome:
    """The clean loss plus that of the last of `steps` steps, each projected."""
    return _gradient_steps(passes, losses, robust, steps=robust.steps, size=robust.step_size)


def _gradient_steps(passes: Passes, losses: Losses, robust: RobustSettings, *, steps: int, size: float) -> Outcome:
    shifts = _zeros(passes)
    clean = passes.run(_all(passes), shifts=shifts)
    opening = losses.opening(clean.vectors)
    loss = opening.loss
    (gradient,) = torch.autograd.grad(loss, clean.vectors)
    ascent = clean.backward(gradient, passes.perturbed)
    of_rest, adversarial = torch.zeros_like(gradient), loss
    for step in range(steps):
        moved = {}
        for chunk in passes.perturbed:
            mask, unit = passes.ball(chunk)
            length, limit = size * unit, robust.eps * unit
            moved[chunk] = ascend(shifts[chunk].detach(), ascent[chunk], length, limit, mask).requires_grad_()
        shifts = moved
        noisy = passes.run(passes.perturbed, shifts=shifts, base=clean.vectors.detach())
        mixed = _mixed(clean.vectors, noisy.vectors, passes)
        adversarial = robust.weight * losses.value(mixed, descend=step + 1 == steps)
        of_rest, of_shifted = torch.autograd.grad(adversarial, (clean.vectors, noisy.vectors))
        ascent = noisy.backward(of_shifted, passes.perturbed, weights=step + 1 == steps)
    clean.backward(gradient + of_rest, passes.rest)
    parts = {"clean": float(loss.detach()), "adversarial": float(adversarial.detach())}
    return Outcome(sum(parts.values()), parts, opening)


def freelb(passes: Passes, losses: Losses, robust: RobustSettings) -> Outcome:
    """Weight gradients averaged over the ascent steps, from a random start; there is no clean pass."""
    clean = passes.run(passes.rest)
    shifts: Shifts = {}
    for chunk in passes.perturbed:
        mask, unit = passes.ball(chunk)
        start = passes.noise(chunk, "freelb") * mask
        size = mask.expand_as(start).flatten(1).sum(1).clamp_min(1.0).sqrt()
        shifts[chunk] = times(over(start, size), robust.eps * unit).requires_grad_()
    of_rest, ascents, opening = torch.zeros_like(clean.vectors), [], None
    for step in range(robust.steps):
        noisy = passes.run(passes.perturbed, shifts=shifts, base=clean.vectors.detach())
        mixed = _mixed(clean.vectors, noisy.vectors, passes)
        if opening is None:
            opening = losses.opening(mixed)
            loss = opening.loss / robust.steps
        else:
            loss = losses.value(mixed) / robust.steps
        gradient, of_shifted = torch.autograd.grad(loss, (clean.vectors, noisy.vectors))
        of_rest += gradient
        ascent = noisy.backward(of_shifted, passes.perturbed)
        ascents.append(float(loss.detach()))
        if step + 1 < robust.steps:
            moved = {}
            for chunk in passes.perturbed:
                mask, unit = passes.ball(chunk)
                length, limit = robust.step_size * unit, robust.eps * unit
                moved[chunk] = ascend(shifts[chunk].detach(), ascent[chunk], length, limit, mask).requires_grad_()
            shifts = moved
    clean.backward(of_rest, passes.rest)
    parts = {f"ascent-{step + 1}": loss * robust.steps for step, loss in enumerate(ascents)}
    return Outcome(sum(ascents), parts, opening)


def smooth(passes: Passes, losses: Losses, robust: RobustSettings) -> Outcome:
    """Gradients averaged over `steps` random shifts of norm `eps`: the loss of a smoothed model (arXiv 2104.08645).

    A shift has the direction of uniform noise, and the radius of the ball, where nearly all of a ball of so many
    dimensions lies. There is no clean pass.
    """
    clean = passes.run(passes.rest)
    of_rest, drawn, opening = torch.zeros_like(clean.vectors), [], None
    for step in range(robust.steps):
        shifts: Shifts = {}
        for chunk in passes.perturbed:
            mask, unit = passes.ball(chunk)
            noise = passes.noise(chunk, f"smooth-{step}") * mask
            shifts[chunk] = times(over(noise, norms(noise)), robust.eps * unit)
        noisy = passes.run(passes.perturbed, shifts=shifts, base=clean.vectors.detach())
        mixed = _mixed(clean.vectors, noisy.vectors, passes)
        if opening is None:
            opening = losses.opening(mixed)
            loss = opening.loss / robust.steps
        else:
            loss = losses.value(mixed) / robust.steps
        gradient, of_shifted = torch.autograd.grad(loss, (clean.vectors, noisy.vectors))
        of_rest += gradient
        noisy.backward(of_shifted, passes.perturbed)
        drawn.append(float(loss.detach()))
    clean.backward(of_rest, passes.rest)
    parts = {f"draw-{step + 1}": loss * robust.steps for step, loss in enumerate(drawn)}
    return Outcome(sum(drawn), parts, opening)


def _noise_shifts(passes: Passes, robust: RobustSettings, purpose: str) -> Shifts:
    """Uniform noise whose largest entry is `eps` times the root mean square entry of a token embedding."""
    shifts = {}
    for chunk in passes.perturbed:
        mask, unit = passes.ball(chunk)
        noise = passes.noise(chunk, purpose) * mask
        shifts[chunk] = times(noise, robust.eps * unit / mask.shape[-1] ** 0.5).requires_grad_()
    return shifts


def r3f(passes: Passes, losses: Losses, robust: RobustSettings) -> Outcome:
    """The loss plus the symmetric divergence between clean and noisy distributions; one further pass over the perturbed
    side."""
    return _with_divergence(passes, losses, robust, passes.run(_all(passes)), _noise_shifts(passes, robust, "r3f"))


def smart(passes: Passes, losses: Losses, robust: RobustSettings) -> Outcome:
    """As R3F, with the noise moved by one ascent step on the divergence, normalised by its largest entry."""
    clean = passes.run(_all(passes))
    start = _noise_shifts(passes, robust, "smart")
    noisy = passes.run(passes.perturbed, shifts=start, base=clean.vectors.detach())
    still = clean.vectors.detach()
    apart = losses.divergence(still, _mixed(still, noisy.vectors, passes), descend=False)
    (gradient,) = torch.autograd.grad(apart, noisy.vectors)
    ascent = noisy.backward(gradient, passes.perturbed, weights=False)
    shifts = {}
    for chunk in passes.perturbed:
        mask, unit = passes.ball(chunk)
        along = over(ascent[chunk], ascent[chunk].flatten(1).abs().amax(1))
        size = robust.step_size * unit / mask.shape[-1] ** 0.5
        shifts[chunk] = (start[chunk].detach() + times(along, size) * mask).requires_grad_()
    return _with_divergence(passes, losses, robust, clean, shifts)


def _with_divergence(passes: Passes, losses: Losses, robust: RobustSettings, clean: Pass, shifts: Shifts) -> Outcome:
    noisy = passes.run(passes.perturbed, shifts=shifts, base=clean.vectors.detach())
    opening = losses.opening(clean.vectors)
    apart = robust.weight * losses.divergence(clean.vectors, _mixed(clean.vectors, noisy.vectors, passes))
    of_clean, of_noisy = torch.autograd.grad(opening.loss + apart, (clean.vectors, noisy.vectors))
    clean.backward(of_clean, _all(passes))
    noisy.backward(of_noisy, passes.perturbed)
    parts = {"clean": float(opening.loss.detach()), "divergence": float(apart.detach())}
    return Outcome(sum(parts.values()), parts, opening)
