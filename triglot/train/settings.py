"""Settings of the training loop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from triglot.files import SettingError, check_choice
from triglot.ranges import Count, OneOf, Range, Share, check_ranges
from triglot.train.maps import MAPS

SCHEDULES = ("linear", "cosine", "constant")
PRECISIONS = ("auto", "fp32", "bf16")
NEGATIVE_LANGUAGES = ("own", "others", "balanced")


@dataclass(frozen=True)
class JointAlignSettings:
    """Joint alignment of a static encoder before a stage (arXiv 1910.04708): tokens private to a language are turned,
    as a whole, towards the pivot's.

    Attributes:
        threshold: least share of a token's use that one language must have for it to be private, each language's texts
            counting the same; 0 for no joint alignment. The authors try .7 to .95.
        pivot: the language whose rows stay.
        map: how the private rows of a language are carried to the pivot's (see `triglot.train.maps`).
        least: texts beside one in the pivot language that a language needs for its map.
    """

    threshold: Share = 0.0
    pivot: str = "en"
    map: Annotated[str, OneOf(MAPS)] = "orthogonal"
    least: Annotated[int, Range(1, 10**9)] = 100

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.threshold and self.threshold <= 0.5:
            raise SettingError("threshold", f"{self.threshold:g}: private is what one language has more than half of")


@dataclass(frozen=True)
class TrainSettings:
    """Settings of the training loop.

    Attributes:
        steps: batches.
        lr: peak learning rate. Static encoders: the largest step of a row, where rows have mean length 1.
        schedule: linear | cosine (both to 0) | constant, after the warm-up.
        warmup: share of the steps in which the rate rises from 0.
        weight_decay: of AdamW (transformers only).
        clip: largest gradient norm; 0 for no clipping.
        precision: fp32 | bf16 (autocast; vectors, loss and weights stay fp32) | auto: bf16 for a transformer where the
            processor has units for it, else fp32. The summary says which it was; a seed gives other digits in another.
        chunk: texts embedded at once, for large batches in little memory (GradCache, Gao et al. 2021); 0 for all.
        negatives: hard negatives a row at most, where the data has them or they are mined (`refresh`).
        negative_languages: that they are shown in: own (that of the row's passage) | others | balanced.
        log_every, checkpoint_every, validate_every: steps; 0 for never (a checkpoint at the end is always kept until
            the stage is saved).
        keep: newest checkpoints kept; 0 for all. With two, a damaged one costs no more than the steps since the one
            before.
        threads: of torch; 0 leaves torch's choice. Saved in the checkpoint, since another number changes the last
            digits.
        tensorboard: write scalars for TensorBoard as well.
    """

    steps: Count = 1000
    lr: Annotated[float, Range(0, 1000, above=True)] = 0.05
    schedule: str = "linear"
    warmup: Annotated[float, Range(0, 1, below=True)] = 0.02
    weight_decay: Annotated[float, Range(0, 1000)] = 0.01
    clip: Annotated[float, Range(0, 10**6)] = 0.0
    precision: str = "auto"
    chunk: Count = 0
    negatives: Annotated[int, Range(0, 1000)] = 0
    negative_languages: str = "own"
    log_every: Count = 50
    checkpoint_every: Count = 1000
    validate_every: Count = 0
    keep: Count = 2
    threads: Annotated[int, Range(0, 1024)] = 0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for key, known in (
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
            ("negative_languages", NEGATIVE_LANGUAGES),
        ):
            check_choice(key, getattr(self, key), known)
        check_ranges(self)

    def rate(self, step: int) -> float:
        """The learning rate of step 0, 1, ..."""
        warm = math.ceil(self.warmup * self.steps)
        if step < warm:
            return self.lr * (step + 1) / warm
        done = (step - warm) / max(self.steps - warm, 1)
        return (
            self.lr * {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}[self.schedule]
        )
