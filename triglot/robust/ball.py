"""Shifts in a ball: norms over all numbers of a text, the step of projected gradient ascent (arXiv 1706.06083)."""

from __future__ import annotations

from torch import Tensor


def over(x: Tensor, by: Tensor) -> Tensor:
    """x / by, with one number a text."""
    return x / by.reshape(-1, *[1] * (x.ndim - 1)).clamp_min(1e-30)


def norms(x: Tensor) -> Tensor:
    """(texts,) the Frobenius norm of each."""
    return x.flatten(1).norm(dim=1)


def times(x: Tensor, by: Tensor) -> Tensor:
    """x * by, with one number a text."""
    return x * by.reshape(-1, *[1] * (x.ndim - 1))


def project(shift: Tensor, limit: Tensor) -> Tensor:
    """Scaled back into the ball of radius `limit` (one a text)."""
    return times(shift, (limit / norms(shift).clamp_min(1e-30)).clamp_max(1.0))


def ascend(shift: Tensor, gradient: Tensor, length: Tensor, limit: Tensor, mask: Tensor | float = 1.0) -> Tensor:
    """One step of PGD: `length` along the gradient of each text, where `mask` allows it, and back into the ball.

    Args:
        shift: (texts, ...) where it stands.
        gradient: of what is to rise, in the shape of a shift.
        length: (texts,) of the step.
        limit: (texts,) radius of the ball.
        mask: in the shape of a shift, or 1.
    """
    return project(shift + times(over(gradient, norms(gradient)), length) * mask, limit)
