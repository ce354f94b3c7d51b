"""How a model is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from triglot.ranges import Range, Seed, check_ranges

MAX_TEXTS = 10**8


@dataclass(frozen=True)
class CheckSettings:
    """How much of the data is looked at.

    Attributes:
        passages: of the pool, about; whole paragraphs (with all their translations) are drawn. 0 for all.
        queries: of all languages together, at most. 0 for all.
        seed: of the sample.
    """

    passages: Annotated[int, Range(0, MAX_TEXTS)] = 4000
    queries: Annotated[int, Range(0, MAX_TEXTS)] = 1100
    seed: Seed = 1

    def __post_init__(self) -> None:
        check_ranges(self)


FULL = CheckSettings(passages=0, queries=0)
