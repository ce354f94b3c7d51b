"""Two kinds of batch and a loss for Triglot."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from triglot.batches import Kind
from triglot.losses import BatchVectors, LossKind, LossSettings
from triglot.losses.terms import RankingTerm

WIDTH = 0.2


def each_with_the_next(query: np.ndarray, passage: np.ndarray, both: np.ndarray) -> np.ndarray:
    """(languages, languages) shares: a question in one language goes with a passage in the next one."""
    joint = np.zeros((len(both), len(both)))
    languages = np.flatnonzero(both)
    joint[languages, np.roll(languages, -1)] = both[languages]
    return joint


def margin(batch: BatchVectors, settings: LossSettings | RankingTerm) -> Tensor:
    """How far the hardest negative comes closer than a margin below each positive (Wang et al. 2014)."""
    scores = batch.queries @ batch.passages.T
    hardest = scores.masked_fill(batch.positive | batch.ignored, -torch.inf).amax(1)
    row, column = batch.positive.nonzero(as_tuple=True)
    return torch.relu(hardest[row] - scores[row, column] + WIDTH).mean()


RING = Kind(
    "ring", "ring", "each language with the next one, drawn for each row", joint=each_with_the_next, needs="two"
)
HALF_RING = Kind(
    "half-ring",
    "half ring",
    "one third of the batches X-X, one third ring, one third independent",
    parts=lambda batches: {"xx": 1 / 3, "ring": 1 / 3, "independent": 1 / 3},
)
MARGIN = LossKind("margin", "margin", f"the hardest negative, {WIDTH} below each positive", margin)
