"""Terms about where vectors lie: near a teacher's, or around one mean for all languages."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triglot.losses.batch import BatchVectors
from triglot.losses.terms import MeanTerm, TaughtTerm


def distance(own: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 - cosine; both (n, dim)."""
    return (1 - nn.functional.cosine_similarity(own.float(), teacher.float(), dim=1)).mean()


def distillation(batch: BatchVectors, settings: TaughtTerm) -> Tensor:
    """1 - cosine to the teacher's vectors: mean over the texts of a side, then over the sides (arXiv 2605.31171)."""
    assert settings.target is not None
    own, teacher, passage = batch.targets[settings.target]
    sides = [
        distance(own[part], teacher[part])
        for side, part in (("query", ~passage), ("passage", passage))
        if settings.side in (side, "both") and bool(part.any())
    ]
    return torch.stack(sides).mean() if sides else batch.nothing()


def mean_matching(batch: BatchVectors, settings: MeanTerm) -> Tensor:
    """Squared distance of each language's mean from the mean of these means: over the languages of a side, then over
    the sides. 0 in a batch of one language."""
    distances = []
    for side, of_side in (("query", ~batch.passage), ("passage", batch.passage)):
        if settings.side not in (side, "both"):
            continue
        means = []
        for language in torch.unique(batch.language[of_side]):
            part = of_side & (batch.language == language)
            if int(part.sum()) >= settings.least:
                means.append(batch.vectors[part].float().mean(0))
        if len(means) > 1:
            stacked = torch.stack(means)
            distances.append((stacked - stacked.mean(0)).square().sum(1).mean())
    return torch.stack(distances).mean() if distances else batch.nothing()
