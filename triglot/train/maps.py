"""Linear maps between the vectors of translations, learned in closed form: one row each, for `joint_align.map`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triglot.registry import Registry, later

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Map:
    """One way to learn a map.

    Attributes:
        name: in settings.
        title, help: for people.
        fit: (n, dim) unit vectors and (n, dim) those of their translations -> (dim, dim) matrix W; vectors become
            `vector @ W`.
    """

    name: str
    title: str
    help: str
    fit: Callable[[np.ndarray, np.ndarray], np.ndarray]


MAPS = Registry(
    Map,
    group="maps",
    what="map",
    rows=(
        Map(
            "orthogonal",
            "orthogonal",
            "a turn (Procrustes), as in the paper's aligners",
            later("triglot.train.reallocate:rotation"),
        ),
        Map("ridge", "ridge", "ridge regression, which may stretch too", later("triglot.train.reallocate:ridge")),
    ),
)
