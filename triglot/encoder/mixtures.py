"""With which weights a mixture of layers begins (`mix.start`): one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from triglot.registry import Registry


@dataclass(frozen=True)
class Mixture:
    """One beginning.

    Attributes:
        name: in settings.
        title, help: for people.
        weights: (number of layers in the mixture) -> a weight for each, the lowest first; their sum is not 0.
    """

    name: str
    title: str
    help: str
    weights: Callable[[int], list[float]]


MIXTURES = Registry(
    Mixture,
    group="mixtures",
    what="mixture of layers",
    rows=(
        Mixture(
            "last",
            "last layer",
            "the last layer alone, so that the start is the model as it was",
            lambda layers: [0.0] * (layers - 1) + [1.0],
        ),
        Mixture("equal", "all equal", "the mean of the layers", lambda layers: [1.0] * layers),
    ),
)
