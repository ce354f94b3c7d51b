"""Settings of the loss, apart from the loss itself: they are read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from triglot.losses.table import LOSSES
from triglot.ranges import OneOf, Range, Share, Weight, check_ranges


@dataclass(frozen=True)
class LossSettings:
    """Settings of the loss.

    Attributes:
        temperature: the scores' divisor. The paper's printed equation has none, which trains weakly.
        symmetric: weight of the passage-to-query term, 0 to 1; the query-to-passage term has the rest.
        self_teaching: weight of KL(p(q) || p(view)) with p(q) held fixed, where the feed gives views of queries (arXiv
            2204.00716).
        consistency: weight of the symmetric KL between the two. With neither, views are trained on as further queries.
        name: of the loss (see `triglot.losses.table`).
    """

    temperature: Annotated[float, Range(1e-4, 1e4)] = 0.05
    symmetric: Share = 0.0
    self_teaching: Weight = 0.0
    consistency: Weight = 0.0
    name: Annotated[str, OneOf(LOSSES)] = "info-nce"

    def __post_init__(self) -> None:
        check_ranges(self)
