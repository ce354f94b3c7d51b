"""A batch of vectors, made at random, as losses see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triglot.losses import BatchVectors, pair_masks


def unit(rng: np.random.Generator, n: int, dim: int = 6) -> Tensor:
    """(n, dim) unit vectors in float64, which gradcheck needs."""
    return torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((n, dim))), dim=1)


def scene(rng: np.random.Generator, rows: int = 5, positives: int = 1, hard: int = 2, **more: Any) -> BatchVectors:
    """Rows of which the first two are of one family; queries and passages that are given replace drawn ones."""
    family = np.arange(rows)
    family[1] = family[0]
    columns = (
        np.arange(rows),
        np.concatenate([np.tile(np.arange(rows), positives), np.full(hard, -1)]),
        family,
        np.concatenate([np.tile(family, positives), 100 + np.arange(hard)]),
    )
    positive, ignored = pair_masks(*(torch.from_numpy(column) for column in columns))
    given: Mapping[str, Any] = {
        "queries": unit(rng, rows),
        "passages": unit(rng, rows * positives + hard),
        "temperature": 0.1,
        "rows": rows,
    }
    return BatchVectors(**{**given, "positive": positive, "ignored": ignored, **more})


def shares(scores: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Softmax of each row over what is not ignored."""
    e = np.where(ignored, 0.0, np.exp(scores - scores.max(1, keepdims=True)))
    return e / e.sum(1, keepdims=True)


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """Mean over rows."""
    return float(
        np.mean(
            [sum(a * np.log(a / b) for a, b in zip(*pair, strict=True) if a > 0) for pair in zip(p, q, strict=True)]
        )
    )
