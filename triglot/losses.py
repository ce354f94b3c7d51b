"""Contrastive losses over unit vectors. Which pairs count as positive, negative or neither is decided by group ids, never by scores."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from triglot.files import InputError


@dataclass(frozen=True)
class Loss:
    """Settings of the loss.

    Attributes:
        temperature: the scores' divisor. The paper's printed equation has none, which trains weakly.
        symmetric: weight of the passage-to-query term, 0 to 1; the query-to-passage term has the rest.
    """

    temperature: float = 0.05
    symmetric: float = 0.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise InputError(f"loss.temperature: {self.temperature} is not a positive number")
        if not 0 <= self.symmetric <= 1:
            raise InputError(f"loss.symmetric: {self.symmetric} is not between 0 and 1")


def pair_masks(query_row: Tensor, passage_row: Tensor, query_family: Tensor, passage_family: Tensor) -> tuple[Tensor, Tensor]:
    """Which pairs are positive, and which must not be negatives.

    Args:
        query_row: (queries,) the row of each query.
        passage_row: (passages,) the row that a passage is the answer of; -1 for a hard negative.
        query_family: (queries,) passage family that answers the query.
        passage_family: (passages,) its own family. Passages that share one (translations, further answers) are never negatives.

    Returns:
        positive, ignored: (queries, passages) bool; they do not overlap.
    """
    positive = query_row[:, None] == passage_row[None, :]
    return positive, (query_family[:, None] == passage_family[None, :]) & ~positive


def _one_way(scores: Tensor, positive: Tensor, ignored: Tensor) -> Tensor:
    """Mean over positives of -log softmax of a positive among itself and the negatives; rows without a positive have no part."""
    negative = scores.masked_fill(positive | ignored, -torch.inf).logsumexp(1)  # (queries,)
    row, column = positive.nonzero(as_tuple=True)
    return (torch.logaddexp(negative[row], scores[row, column]) - scores[row, column]).mean()


def info_nce(queries: Tensor, passages: Tensor, positive: Tensor, ignored: Tensor, loss: Loss) -> Tensor:
    """InfoNCE (van den Oord et al. 2018) with in-batch negatives, several positives a query, and masked pairs.

    Each positive competes with the negatives alone, not with the query's other positives (its translations).

    Args:
        queries: (queries, dim) unit vectors.
        passages: (passages, dim) unit vectors.
        positive: (queries, passages) bool, see `pair_masks`.
        ignored: (queries, passages) bool.
        loss: temperature and weight of the passage-to-query term.

    Returns:
        a scalar in float32, whatever the inputs' precision.
    """
    scores = queries.float() @ passages.float().T / loss.temperature  # (queries, passages)
    forward = _one_way(scores, positive, ignored)
    if loss.symmetric == 0:
        return forward
    return (1 - loss.symmetric) * forward + loss.symmetric * _one_way(scores.T, positive.T, ignored.T)
