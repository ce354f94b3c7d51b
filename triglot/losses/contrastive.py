"""Contrastive losses over unit vectors.

Which pairs count as positive, negative or neither is decided by group ids, never by scores.
"""

from __future__ import annotations

import torch
from torch import Tensor

from triglot.losses.settings import LossSettings


def pair_masks(
    query_row: Tensor, passage_row: Tensor, query_family: Tensor, passage_family: Tensor
) -> tuple[Tensor, Tensor]:
    """Which pairs are positive, and which must not be negatives.

    Args:
        query_row: (queries,) the row of each query.
        passage_row: (passages,) the row that a passage is the answer of; -1 for a hard negative.
        query_family: (queries,) passage family that answers the query.
        passage_family: (passages,) its own family. Passages that share one (translations, further answers) are never
            negatives.

    Returns:
        positive, ignored: (queries, passages) bool; they do not overlap.
    """
    positive = query_row[:, None] == passage_row[None, :]
    return positive, (query_family[:, None] == passage_family[None, :]) & ~positive


def _one_way(scores: Tensor, positive: Tensor, ignored: Tensor) -> Tensor:
    """Mean over positives of -log softmax of a positive among itself and the negatives; rows without a positive have no
    part."""
    negative = scores.masked_fill(positive | ignored, -torch.inf).logsumexp(1)  # (queries,)
    row, column = positive.nonzero(as_tuple=True)
    return (torch.logaddexp(negative[row], scores[row, column]) - scores[row, column]).mean()


def log_shares(queries: Tensor, passages: Tensor, ignored: Tensor, temperature: float) -> Tensor:
    """(queries, passages) log of p(passage | query) over the batch, in float32; -inf for ignored pairs."""
    return (queries.float() @ passages.float().T / temperature).masked_fill(ignored, -torch.inf).log_softmax(1)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q), mean over queries, of log shares with the same pairs ignored."""
    there = torch.isfinite(p)
    difference = torch.where(there, p, 0.0) - torch.where(there, q, 0.0)
    return (p.exp() * difference).sum(1).mean()


def ranking_loss(
    scores: Tensor, positive: Tensor, ignored: Tensor, symmetric: float = 0.0, learned: Tensor | None = None
) -> Tensor:
    """InfoNCE of scores. Each positive competes with the negatives alone, not with the query's other positives.

    Args:
        scores: (queries, passages), over the temperature.
        positive: (queries, passages) bool, see `pair_masks`.
        ignored: (queries, passages) bool.
        symmetric: weight of the passage-to-query term; the query-to-passage term has the rest.
        learned: (queries, n) scores of further negatives, for the query-to-passage term.
    """
    if learned is None:
        forward = _one_way(scores, positive, ignored)
    else:
        none = torch.zeros_like(learned, dtype=torch.bool)
        further = torch.cat([scores, learned], 1), torch.cat([positive, none], 1), torch.cat([ignored, none], 1)
        forward = _one_way(*further)
    if symmetric == 0:
        return forward
    return (1 - symmetric) * forward + symmetric * _one_way(scores.T, positive.T, ignored.T)


def info_nce(
    queries: Tensor,
    passages: Tensor,
    positive: Tensor,
    ignored: Tensor,
    loss: LossSettings,
    learned: Tensor | None = None,
) -> Tensor:
    """InfoNCE (van den Oord et al. 2018) with in-batch negatives, several positives a query, and masked pairs.

    Args:
        queries: (queries, dim) unit vectors.
        passages: (passages, dim) unit vectors.
        positive: (queries, passages) bool, see `pair_masks`.
        ignored: (queries, passages) bool.
        loss: temperature and weight of the passage-to-query term.
        learned: (queries, n) scores of further negatives, over the temperature, for the query-to-passage term.

    Returns:
        a scalar in float32, whatever the inputs' precision.
    """
    scores = queries.float() @ passages.float().T / loss.temperature  # (queries, passages)
    return ranking_loss(scores, positive, ignored, loss.symmetric, learned)
