"""Settings of robust training. The defaults change nothing."""

from __future__ import annotations

from dataclasses import dataclass

from triglot.files import InputError, check_choice

METHODS = ("none", "fgm", "pgd", "freelb", "smart", "r3f")
SIDES = ("query", "passage", "both")


@dataclass(frozen=True)
class Negatives:
    """Learned negatives (AdCo, arXiv 2011.08435): vectors that move to where queries are, and so stay hard.

    Attributes:
        count: how many; 0 for none.
        per_language: a share of them for each language; queries meet those of their own language alone.
        temperature: of the learned negatives' own softmax.
        lr: of their ascent.
        momentum: of their ascent.
    """

    count: int = 0
    per_language: bool = False
    temperature: float = 0.02
    lr: float = 3.0
    momentum: float = 0.9

    def __post_init__(self) -> None:
        if self.count < 0:
            raise InputError(f"robust.negatives.count: {self.count} is negative")
        for key in ("temperature", "lr"):
            if not getattr(self, key) > 0:
                raise InputError(f"robust.negatives.{key}: {getattr(self, key)} is not a positive number")
        if not 0 <= self.momentum < 1:
            raise InputError(f"robust.negatives.momentum: {self.momentum} is not between 0 and below 1")


@dataclass(frozen=True)
class Adversary:
    """A discriminator that tells the language of a vector, and whose gradient is reversed (Ganin and Lempitsky 2015; arXiv 2404.14339).

    Attributes:
        weight: of the reversed gradient at the end of the ramp; 0 for no adversary.
        ramp: share of the steps over which the weight rises from 0, as 2 / (1 + exp(-10 x)) - 1.
        hidden: units of its one hidden layer.
        lr: of its own AdamW.
    """

    weight: float = 0.0
    ramp: float = 1.0
    hidden: int = 128
    lr: float = 1e-3

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise InputError(f"robust.language.weight: {self.weight} is negative")
        if not 0 <= self.ramp <= 1:
            raise InputError(f"robust.language.ramp: {self.ramp} is not between 0 and 1")
        if self.hidden < 1:
            raise InputError(f"robust.language.hidden: {self.hidden} is below 1")
        if not self.lr > 0:
            raise InputError(f"robust.language.lr: {self.lr} is not a positive number")


@dataclass(frozen=True)
class Robust:
    """Perturbation in the space of token embeddings. Sizes are shares of the root mean square norm of the model's token embeddings.

    Attributes:
        method: none | fgm (Miyato 2017) | pgd (Madry 2018) | freelb (1909.11764) | smart (1911.03437) | r3f (2008.03156).
        side: query | passage | both: whose texts are perturbed.
        eps: largest norm of a text's shift over its tokens (fgm, pgd, freelb); size of the noise (smart, r3f).
        steps: ascent steps (pgd, freelb).
        step_size: length of an ascent step (pgd, freelb, smart).
        weight: of the adversarial loss (fgm, pgd), or of the divergence (smart, r3f).
        negatives: learned negatives.
        language: adversary that looks for the language.
    """

    method: str = "none"
    side: str = "both"
    eps: float = 0.5
    steps: int = 2
    step_size: float = 0.3
    weight: float = 1.0
    negatives: Negatives = Negatives()
    language: Adversary = Adversary()

    def __post_init__(self) -> None:
        check_choice("robust.method", self.method, METHODS)
        check_choice("robust.side", self.side, SIDES)
        for key in ("eps", "step_size"):
            if not getattr(self, key) > 0:
                raise InputError(f"robust.{key}: {getattr(self, key)} is not a positive number")
        if self.steps < 1:
            raise InputError(f"robust.steps: {self.steps} is below 1")
        if self.weight < 0:
            raise InputError(f"robust.weight: {self.weight} is negative")
