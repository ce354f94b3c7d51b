"""The losses that a recipe can name (`loss.name`): one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triglot.registry import Registry, later

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LossKind:
    """A loss over the vectors of a batch.

    Attributes:
        name: in settings (`loss.name`).
        title, help: for people.
        function: called as `triglot.losses.info_nce`: (queries, passages, positive, ignored, settings, learned) ->
            scalar tensor, with a gradient to queries and passages. `learned` holds scores of further negatives, or is
            None.
    """

    name: str
    title: str
    help: str
    function: Callable[..., Tensor]


LOSSES = Registry(
    LossKind,
    group="losses",
    what="loss",
    rows=(
        LossKind(
            "info-nce",
            "InfoNCE",
            "cross-entropy over in-batch negatives (van den Oord et al. 2018), several positives a query",
            later("triglot.losses.contrastive:info_nce"),
        ),
    ),
)
