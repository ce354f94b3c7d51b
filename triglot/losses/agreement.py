"""Terms by which two rankings of a batch come to agree: of a query and its changed copy, or its translation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from triglot.losses.batch import BatchVectors
from triglot.losses.contrastive import divergence, log_shares
from triglot.losses.terms import AgreementTerm, ClearTerm, JsdTerm, LakdaTerm, Translation


def _temperature(batch: BatchVectors, settings: AgreementTerm) -> float:
    return batch.temperature if settings.temperature is None else settings.temperature


def _of_views(batch: BatchVectors, settings: AgreementTerm) -> tuple[Tensor, Tensor]:
    """(views, passages) log shares of the queries that views are copies of, and of the views."""
    ignored, t = batch.ignored[batch.view_of], _temperature(batch, settings)
    return (
        log_shares(batch.queries[batch.view_of], batch.passages, ignored, t),
        log_shares(batch.views, batch.passages, ignored, t),
    )


def self_teaching(batch: BatchVectors, settings: AgreementTerm) -> Tensor:
    """KL(p(query) || p(view)), p(query) held fixed (typo-aware self-teaching, arXiv 2204.00716)."""
    if not len(batch.views):
        return batch.nothing()
    query, view = _of_views(batch, settings)
    return divergence(query.detach(), view)


def consistency(batch: BatchVectors, settings: AgreementTerm) -> Tensor:
    """Mean of KL(p(query) || p(view)) and KL(p(view) || p(query))."""
    if not len(batch.views):
        return batch.nothing()
    query, view = _of_views(batch, settings)
    return (divergence(query, view) + divergence(view, query)) / 2


def lakda(batch: BatchVectors, settings: LakdaTerm) -> Tensor:
    """KL(p(translation) || p(query)) over the passages of the batch (LaKDA, arXiv 2509.06195); gradients go to both.

    In the paper the ranking loss has weight 1 - a and this a; a is not stated in what could be read of it, and .5 where
    arXiv 2605.31171 trains it again.
    """
    rows, translated = batch.translations[Translation("query")]
    if not len(rows):
        return batch.nothing()
    ignored, t = batch.ignored[rows], _temperature(batch, settings)
    query = log_shares(batch.queries[rows], batch.passages, ignored, t)
    return divergence(log_shares(translated, batch.passages, ignored, t), query)


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence in nats, mean over rows, of log shares with the same entries -inf."""
    there = torch.isfinite(p)
    middle = torch.logaddexp(*(torch.where(there, shares, 0.0) for shares in (p, q))) - math.log(2)
    middle = middle.masked_fill(~there, -torch.inf)
    return (divergence(p, middle) + divergence(q, middle)) / 2


def jsd(batch: BatchVectors, settings: JsdTerm) -> Tensor:
    """Jensen-Shannon divergence between each text and its translation (arXiv 2604.05684), mean over the sides.

    Over `scores` a query is a distribution over the passages of the batch, and a passage one over the queries of its
    rows; over `dimensions` a text is the softmax of its vector over the temperature.
    """
    t, divergences = _temperature(batch, settings), []
    for need in settings.translations:
        rows, translated = batch.translations[need]
        if not len(rows):
            continue
        own = (batch.queries if need.side == "query" else batch.passages)[rows]
        if settings.over == "dimensions":
            p, q = ((vectors.float() / t).log_softmax(1) for vectors in (own, translated))
        else:
            others = batch.passages if need.side == "query" else batch.queries[: batch.rows]
            ignored = batch.ignored[rows] if need.side == "query" else batch.ignored[: batch.rows, rows].T
            p, q = (log_shares(vectors, others, ignored, t) for vectors in (own, translated))
        divergences.append(jensen_shannon(p, q))
    return torch.stack(divergences).mean() if divergences else batch.nothing()


def clear(batch: BatchVectors, settings: ClearTerm) -> Tensor:
    """CLEAR (arXiv 2604.05821) without its plain ranking loss, which is the loss that this stands beside.

    With q a row's query, q' its translation, d its passage in the pivot language, over the rows that have all three:
    `reverse` x cross-entropy of d looking for its own q' among all q', plus `agreement` x KL(p(q' | d) || p(d | q));
    gradients go to both, as in the authors' code. They add mined negatives on either side; here other rows alone are
    negatives. Which two languages q and q' have is not said for more than two: here any two.
    """
    with_pivot, pivot = batch.translations[Translation("passage", settings.pivot)]
    with_other, other = batch.translations[Translation("query")]
    rows = with_pivot[torch.isin(with_pivot, with_other)]
    if not len(rows):
        return batch.nothing()
    d, translated = pivot[torch.isin(with_pivot, rows)], other[torch.isin(with_other, rows)]
    ignored, t = batch.of_rows(rows), _temperature(batch, settings)
    reverse = log_shares(d, translated, ignored.T, t)
    reverse_loss = nn.functional.nll_loss(reverse, torch.arange(len(rows), device=rows.device))
    forward = log_shares(batch.queries[rows], d, ignored, t)
    return settings.reverse * reverse_loss + settings.agreement * divergence(reverse, forward)
