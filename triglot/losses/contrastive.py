"""Contrastive losses over unit vectors.

Which pairs count as positive, negative or neither is decided by group ids, never by scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from triglot.losses.settings import LossSettings
from triglot.losses.terms import RankingTerm

if TYPE_CHECKING:
    from triglot.losses.batch import BatchVectors


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


def ranking(batch: BatchVectors, settings: LossSettings | RankingTerm) -> Tensor:
    """`info_nce` of a batch."""
    t = batch.temperature if settings.temperature is None else settings.temperature
    scores = batch.queries.float() @ batch.passages.float().T / t
    return ranking_loss(scores, batch.positive, batch.ignored, settings.symmetric, _learned(batch, t))


def pool(batch: BatchVectors, settings: LossSettings | RankingTerm) -> Tensor:
    """Cross-entropy between a query's answers, wanted equally, and its distribution over the whole batch.

    Unlike in `info_nce`, answers of one query compete: it is least where all of them score the same, in whichever
    language they are. This is the supervised contrastive loss of Khosla et al. 2020 with the sum outside the logarithm.
    """
    t = batch.temperature if settings.temperature is None else settings.temperature
    scores = batch.queries.float() @ batch.passages.float().T / t
    forward = _shared(scores, batch.positive, batch.ignored, _learned(batch, t))
    if settings.symmetric == 0:
        return forward
    back = _shared(scores.T, batch.positive.T, batch.ignored.T)
    return (1 - settings.symmetric) * forward + settings.symmetric * back


def _learned(batch: BatchVectors, temperature: float) -> Tensor | None:
    """The scores of learned negatives, which a batch has over its own temperature, over this one."""
    return None if batch.learned is None else batch.learned * (batch.temperature / temperature)


def _shared(scores: Tensor, positive: Tensor, ignored: Tensor, learned: Tensor | None = None) -> Tensor:
    """Mean over rows with a positive of the mean over its positives of -log softmax over all that is not ignored."""
    scores = scores.masked_fill(ignored, -torch.inf)
    everything = scores if learned is None else torch.cat([scores, learned], 1)
    some = positive.any(1)
    log = scores - everything.logsumexp(1, keepdim=True)
    each = torch.where(positive, log, 0.0).sum(1) / positive.sum(1).clamp_min(1)
    return -each[some].mean()
