"""Adversarial and noisy passes over a batch: FGM, PGD, FreeLB, SMART and R3F.

A pass embeds texts with a shift added to their token embeddings. The methods are written against passes alone, so they
hold for every encoder, for chunked gradients (one shift a chunk, kept over both passes) and for several processes (each
shifts its own texts; the loss is that of all). Texts of the side that is not perturbed are embedded once: what every
loss of the step says of them goes back in one backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from triglot.robust.ball import ascend, over, times
from triglot.robust.settings import RobustSettings

Shifts = dict[int, Tensor]  # chunk -> (texts, ...) in the shape of its token embeddings
Value = Callable[[Tensor], Tensor]  # vectors of the whole batch -> loss
Divergence = Callable[[Tensor, Tensor], Tensor]  # clean vectors, noisy vectors -> symmetric KL


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


def perturbed_step(
    passes: Passes, value: Value, divergence: Divergence, robust: RobustSettings
) -> tuple[float, dict[str, float]]:
    """One step of a method: weight gradients are left where the passes put them.

    Args:
        passes: the texts.
        value: the loss of the vectors.
        divergence: symmetric KL between the softmax distributions over passages of clean and of noisy vectors.
        robust: the method and its sizes.

    Returns:
        the loss that was descended, and its parts by name.
    """
    return _METHODS[robust.method](passes, value, divergence, robust)


def _all(passes: Passes) -> list[int]:
    return sorted([*passes.perturbed, *passes.rest])


def _zeros(passes: Passes) -> Shifts:
    return {chunk: torch.zeros_like(passes.ball(chunk)[0]).requires_grad_() for chunk in passes.perturbed}


def _mixed(clean: Tensor, noisy: Tensor, passes: Passes) -> Tensor:
    """The noisy vectors of perturbed texts and the clean ones of the others, with gradients to both."""
    return torch.where(passes.rows[:, None], noisy, clean)


def _plain(
    passes: Passes, value: Value, divergence: Divergence, robust: RobustSettings
) -> tuple[float, dict[str, float]]:
    clean = passes.run(_all(passes))
    loss = value(clean.vectors)
    clean.backward(torch.autograd.grad(loss, clean.vectors)[0], _all(passes))
    return float(loss.detach()), {}


def _gradient_sign_steps(
    passes: Passes, value: Value, divergence: Divergence, robust: RobustSettings
) -> tuple[float, dict[str, float]]:
    """FGM (one step of the whole size) and PGD (`steps` steps, projected): the clean loss plus that of the last
    shift."""
    shifts = _zeros(passes)
    clean = passes.run(_all(passes), shifts=shifts)
    loss = value(clean.vectors)
    (gradient,) = torch.autograd.grad(loss, clean.vectors)
    ascent = clean.backward(gradient, passes.perturbed)
    steps, size = (1, robust.eps) if robust.method == "fgm" else (robust.steps, robust.step_size)
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
        adversarial = robust.weight * value(mixed)
        of_rest, of_shifted = torch.autograd.grad(adversarial, (clean.vectors, noisy.vectors))
        ascent = noisy.backward(of_shifted, passes.perturbed, weights=step + 1 == steps)
    clean.backward(gradient + of_rest, passes.rest)
    parts = {"clean": float(loss.detach()), "adversarial": float(adversarial.detach())}
    return sum(parts.values()), parts


def _freelb(
    passes: Passes, value: Value, divergence: Divergence, robust: RobustSettings
) -> tuple[float, dict[str, float]]:
    """Weight gradients averaged over the ascent steps, from a random start; there is no clean pass."""
    clean = passes.run(passes.rest)
    shifts: Shifts = {}
    for chunk in passes.perturbed:
        mask, unit = passes.ball(chunk)
        start = passes.noise(chunk, "freelb") * mask
        size = mask.expand_as(start).flatten(1).sum(1).clamp_min(1.0).sqrt()
        shifts[chunk] = times(over(start, size), robust.eps * unit).requires_grad_()
    of_rest, losses = torch.zeros_like(clean.vectors), []
    for step in range(robust.steps):
        noisy = passes.run(passes.perturbed, shifts=shifts, base=clean.vectors.detach())
        loss = value(_mixed(clean.vectors, noisy.vectors, passes)) / robust.steps
        gradient, of_shifted = torch.autograd.grad(loss, (clean.vectors, noisy.vectors))
        of_rest += gradient
        ascent = noisy.backward(of_shifted, passes.perturbed)
        losses.append(float(loss.detach()))
        if step + 1 < robust.steps:
            moved = {}
            for chunk in passes.perturbed:
                mask, unit = passes.ball(chunk)
                length, limit = robust.step_size * unit, robust.eps * unit
                moved[chunk] = ascend(shifts[chunk].detach(), ascent[chunk], length, limit, mask).requires_grad_()
            shifts = moved
    clean.backward(of_rest, passes.rest)
    return sum(losses), {f"ascent-{step + 1}": loss * robust.steps for step, loss in enumerate(losses)}


def _noise_shifts(passes: Passes, robust: RobustSettings, purpose: str) -> Shifts:
    """Uniform noise whose largest entry is `eps` times the root mean square entry of a token embedding."""
    shifts = {}
    for chunk in passes.perturbed:
        mask, unit = passes.ball(chunk)
        noise = passes.noise(chunk, purpose) * mask
        shifts[chunk] = times(noise, robust.eps * unit / mask.shape[-1] ** 0.5).requires_grad_()
    return shifts


def _r3f(
    passes: Passes, value: Value, divergence: Divergence, robust: RobustSettings
) -> tuple[float, dict[str, float]]:
    """The loss plus the symmetric divergence between clean and noisy distributions; one further pass over the perturbed
    side."""
    return _with_divergence(
        passes, value, divergence, robust, passes.run(_all(passes)), _noise_shifts(passes, robust, "r3f")
    )


def _smart(
    passes: Passes, value: Value, divergence: Divergence, robust: RobustSettings
) -> tuple[float, dict[str, float]]:
    """As R3F, with the noise moved by one ascent step on the divergence, normalised by its largest entry."""
    clean = passes.run(_all(passes))
    start = _noise_shifts(passes, robust, "smart")
    noisy = passes.run(passes.perturbed, shifts=start, base=clean.vectors.detach())
    still = clean.vectors.detach()
    (gradient,) = torch.autograd.grad(divergence(still, _mixed(still, noisy.vectors, passes)), noisy.vectors)
    ascent = noisy.backward(gradient, passes.perturbed, weights=False)
    shifts = {}
    for chunk in passes.perturbed:
        mask, unit = passes.ball(chunk)
        along = over(ascent[chunk], ascent[chunk].flatten(1).abs().amax(1))
        size = robust.step_size * unit / mask.shape[-1] ** 0.5
        shifts[chunk] = (start[chunk].detach() + times(along, size) * mask).requires_grad_()
    return _with_divergence(passes, value, divergence, robust, clean, shifts)


def _with_divergence(
    passes: Passes, value: Value, divergence: Divergence, robust: RobustSettings, clean: Pass, shifts: Shifts
) -> tuple[float, dict[str, float]]:
    noisy = passes.run(passes.perturbed, shifts=shifts, base=clean.vectors.detach())
    loss = value(clean.vectors)
    apart = robust.weight * divergence(clean.vectors, _mixed(clean.vectors, noisy.vectors, passes))
    of_clean, of_noisy = torch.autograd.grad(loss + apart, (clean.vectors, noisy.vectors))
    clean.backward(of_clean, _all(passes))
    noisy.backward(of_noisy, passes.perturbed)
    parts = {"clean": float(loss.detach()), "divergence": float(apart.detach())}
    return sum(parts.values()), parts


_METHODS = {
    "none": _plain,
    "fgm": _gradient_sign_steps,
    "pgd": _gradient_sign_steps,
    "freelb": _freelb,
    "smart": _smart,
    "r3f": _r3f,
}
