"""Methods of robust training: how the token embeddings of a batch are perturbed, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triglot.registry import Registry, later

if TYPE_CHECKING:
    from triglot.robust.perturb import Outcome


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        name: in settings (`robust.method`).
        title, help: for people.
        step: called as `step(passes, losses, settings)`, see `triglot.robust.perturb`; gives an `Outcome`.
        shifts: whether it shifts anything.
        fine: whether its noise is so small that bfloat16 would lose it, so that its passes run in float32.
    """

    name: str
    title: str
    help: str
    step: Callable[[Any, Any, Any], Outcome]
    shifts: bool = True
    fine: bool = False


METHODS = Registry(
    Method,
    group="perturbations",
    what="method of robust training",
    rows=(
        Method("none", "None", "nothing is shifted", later("triglot.robust.perturb:plain"), shifts=False),
        Method(
            "fgm",
            "FGM",
            "the loss and that of one step of the whole size along the gradient (arXiv 1605.07725)",
            later("triglot.robust.perturb:fgm"),
        ),
        Method(
            "pgd",
            "PGD",
            "as FGM, by `steps` steps that stay in the ball (arXiv 1706.06083)",
            later("triglot.robust.perturb:pgd"),
        ),
        Method(
            "freelb",
            "FreeLB",
            "the gradients of all ascent steps, from a random start (arXiv 1909.11764)",
            later("triglot.robust.perturb:freelb"),
        ),
        Method(
            "smooth",
            "Smoothing",
            "the mean loss of `steps` random shifts of the whole size (randomised smoothing, arXiv 2104.08645)",
            later("triglot.robust.perturb:smooth"),
        ),
        Method(
            "smart",
            "SMART",
            "the loss and the divergence from noise that was moved one step up it (arXiv 1911.03437)",
            later("triglot.robust.perturb:smart"),
            fine=True,
        ),
        Method(
            "r3f",
            "R3F",
            "the loss and the divergence from noise (arXiv 2008.03156)",
            later("triglot.robust.perturb:r3f"),
            fine=True,
        ),
    ),
)
