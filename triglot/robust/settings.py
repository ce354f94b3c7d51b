"""Settings of robust training. The defaults change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from triglot.files import check_choice
from triglot.ranges import OneOf, Range, Share, Weight, check_ranges
from triglot.robust.methods import METHODS

SIDES = ("query", "passage", "both")


@dataclass(frozen=True)
class NegativesSettings:
    """Learned negatives (AdCo, arXiv 2011.08435): vectors that move to where queries are, and so stay hard.

    Attributes:
        count: how many; 0 for none.
        per_language: a share of them for each language; queries meet those of their own language alone.
        temperature: of the learned negatives' own softmax.
        lr: of their ascent.
        momentum: of their ascent.
    """

    count: Annotated[int, Range(0, 10**6)] = 0
    per_language: bool = False
    temperature: Annotated[float, Range(1e-4, 1e4)] = 0.02
    lr: Annotated[float, Range(0, 1000, above=True)] = 3.0
    momentum: Annotated[float, Range(0, 1, below=True)] = 0.9

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class AdversarySettings:
    """A discriminator that tells the language of a vector, and whose gradient is reversed (Ganin and Lempitsky 2015;
    arXiv 2404.14339).

    Attributes:
        weight: of the reversed gradient at the end of the ramp; 0 for no adversary.
        ramp: share of the steps over which the weight rises from 0, as 2 / (1 + exp(-10 x)) - 1.
        hidden: units of its one hidden layer.
        lr: of its own AdamW.
    """

    weight: Weight = 0.0
    ramp: Share = 1.0
    hidden: Annotated[int, Range(1, 2**16)] = 128
    lr: Annotated[float, Range(0, 1000, above=True)] = 1e-3

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class RobustSettings:
    """Perturbation in the space of token embeddings.

    Sizes are shares of the root mean square norm of the model's token embeddings.

    Attributes:
        method: how texts are shifted (see `triglot.robust.methods`).
        side: query | passage | both: whose texts are perturbed.
        eps: largest norm of a text's shift over its tokens (fgm, pgd, freelb, smooth); size of the noise (smart, r3f).
        steps: ascent steps (pgd, freelb), draws (smooth).
        step_size: length of an ascent step (pgd, freelb, smart).
        weight: of the adversarial loss (fgm, pgd), or of the divergence (smart, r3f).
        negatives: learned negatives.
        language_adversary: looks for the language.
    """

    method: Annotated[str, OneOf(METHODS)] = "none"
    side: str = "both"
    eps: Annotated[float, Range(0, 1000, above=True)] = 0.5
    steps: Annotated[int, Range(1, 1000)] = 2
    step_size: Annotated[float, Range(0, 1000, above=True)] = 0.3
    weight: Weight = 1.0
    negatives: NegativesSettings = NegativesSettings()
    language_adversary: AdversarySettings = AdversarySettings()

    def __post_init__(self) -> None:
        check_choice("side", self.side, SIDES)
        check_ranges(self)
