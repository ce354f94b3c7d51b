"""How a model is checked."""

from __future__ import annotations

from dataclasses import dataclass

from triglot.ranges import Seed, Texts, check_ranges


@dataclass(frozen=True)
class CheckSettings:
    """How much of the data is looked at.

    Attributes:
        passages: of the pool, about; whole paragraphs (with all their translations) are drawn. 0 for all.
        queries: of all languages together, at most. 0 for all.
        seed: of the sample.
    """

    passages: Texts = 4000
    queries: Texts = 1100
    seed: Seed = 1

    def __post_init__(self) -> None:
        check_ranges(self)


FULL = CheckSettings(passages=0, queries=0)
