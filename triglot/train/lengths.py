"""Texts of a step in sub-batches of like length, so that a question is not padded to the length of a paragraph."""

from __future__ import annotations

import numpy as np


def by_length(lengths: np.ndarray, overhead: int) -> list[np.ndarray]:
    """Texts in sub-batches that cost least: padded tokens, and `overhead` for each sub-batch.

    Texts sorted by length are cut at the best places (dynamic programming over all of them).

    Args:
        lengths: (texts,) tokens of each.
        overhead: what another sub-batch costs, in tokens.

    Returns:
        places of the texts of each sub-batch, ascending; longest texts first.
    """
    order = np.argsort(-lengths, kind="stable")
    longest = lengths[order].astype(np.int64)  # of a sub-batch that begins here
    count = len(order)
    best = np.zeros(count + 1, np.int64)  # of the texts from here on
    end = np.zeros(count, np.int64)
    sizes = np.arange(1, count + 1)
    for start in range(count - 1, -1, -1):
        costs = longest[start] * sizes[: count - start] + overhead + best[start + 1 :]
        end[start] = start + 1 + int(costs.argmin())
        best[start] = costs.min()
    parts, start = [], 0
    while start < count:
        parts.append(np.sort(order[start : end[start]]))
        start = int(end[start])
    return parts
