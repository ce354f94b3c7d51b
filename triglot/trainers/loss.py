"""A contrastive loss for other trainers that knows which pairs are no negatives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, distributed, nn

from triglot.files import InputError
from triglot.losses import pair_masks, ranking_loss

log = logging.getLogger("triglot")
Features = Mapping[str, Tensor]
Score = Callable[[Any, Features, Features], Tensor]


class GroupMaskedRankingLoss(nn.Module):
    """InfoNCE with in-batch negatives, without those that belong to a query's own group (translations, further
    answers).

    Use it like `MultipleNegativesRankingLoss`; the column `label` of the dataset holds the group (the family) of each
    passage: one number a line, or one number for each passage of a line where there are hard negatives. In a batch
    where no group comes twice both losses are the same.

    Args:
        model: of sentence-transformers; for PyLate's ColBERT give `score=triglot.late_interaction` as well.
        scale: of the scores, one over the temperature.
        symmetric: weight of the passage-to-query term, 0 to 1; the query-to-passage term has the rest.
        score: (model, features of queries, features of passages) -> (queries, passages); by default the cosine of the
            sentence embeddings.
        gather_across_devices: rank among the passages of all processes: the loss is that of the whole batch, on each of
            them. Sentence embeddings are gathered; where there are none, token embeddings with their masks and ids.
    """

    def __repr__(self) -> str:
        score = getattr(self.score, "__name__", type(self.score).__name__)
        return f"GroupMaskedRankingLoss(scale={self.scale:g}, symmetric={self.symmetric:g}, score={score})"

    def __init__(
        self,
        model: Any,
        *,
        scale: float = 20.0,
        symmetric: float = 0.0,
        score: Score | None = None,
        gather_across_devices: bool = False,
    ):
        super().__init__()
        self.model, self.scale, self.symmetric = model, scale, symmetric
        self.score = score or cosine
        self.gather_across_devices = gather_across_devices

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The loss of a batch: features of queries, passages and hard negatives, each with its own embeddings.

        Args:
            sentence_features: of the columns of the dataset.
            labels: (rows,) or (rows, columns - 1) groups of the passages.

        Raises:
            InputError: labels that are no groups.
        """
        queries, *passages = ({**features, **self.model(features)} for features in sentence_features)
        if labels is None or labels.is_floating_point():
            raise InputError(
                "the loss needs a column `label` with the group of each passage, as triglot.to_dataset makes"
            )
        if self.gather_across_devices and _several():
            queries, *passages = (_gathered(column) for column in (queries, *passages))
            labels = _of_all(labels)
        groups = labels.reshape(len(labels), -1)  # (rows, 1) or (rows, passages)
        if groups.shape[1] not in (1, len(passages)):
            raise InputError(f"`label` has {groups.shape[1]} groups a line for {len(passages)} passages")
        of_answer = groups[:, 0]
        row = torch.arange(len(labels), device=labels.device)
        scores, positive, ignored = [], [], []
        for number, column in enumerate(passages):
            negative = torch.full_like(row, -1)
            own = groups[:, number] if number < groups.shape[1] else negative
            masks = pair_masks(row, negative if number else row, of_answer, own)
            scores.append(self.score(self.model, queries, column) * self.scale)
            positive.append(masks[0])
            ignored.append(masks[1])
        return ranking_loss(torch.cat(scores, 1), torch.cat(positive, 1), torch.cat(ignored, 1), self.symmetric)

    def get_config_dict(self) -> dict[str, Any]:
        """For the model card of sentence-transformers."""
        said = {"scale": self.scale, "symmetric": self.symmetric, "score": self.score.__name__}
        return {**said, "gather_across_devices": self.gather_across_devices}


class _Gather(torch.autograd.Function):
    """The rows of all processes, one after the other; a row's gradient is the sum of what all of them have for it."""

    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:  # type: ignore[override]
        ctx.rows = len(rows)
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        gradient = gradient.contiguous()
        distributed.all_reduce(gradient)
        first = distributed.get_rank() * ctx.rows
        return gradient[first : first + ctx.rows]


def _of_all(values: Tensor) -> Tensor:
    """(rows of all processes, ...), in the order of their ranks.

    Every process has as many rows; the second dimension may be of another length on each.
    """
    if values.ndim > 1:
        longest = torch.tensor(values.shape[1], device=values.device)
        distributed.all_reduce(longest, distributed.ReduceOp.MAX)
        values = nn.functional.pad(values, [*[0, 0] * (values.ndim - 2), 0, int(longest) - values.shape[1]])
    return _Gather.apply(values.contiguous())


def _several() -> bool:
    """Whether there are other processes to gather from."""
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        return True
    _say_alone()
    return False


@cache
def _say_alone() -> None:
    log.warning("gather_across_devices: there is no other process; questions are ranked among the passages of this one")


def _gathered(column: Features) -> Features:
    """What scores are made of, of the rows of all processes."""
    names = ("sentence_embedding",)
    if "sentence_embedding" not in column:
        names = ("token_embeddings", "attention_mask", "input_ids")
    return {name: _of_all(column[name]) for name in names}


def cosine(model: Any, queries: Features, passages: Features) -> Tensor:
    """(queries, passages) cosine of sentence embeddings, in float32."""
    vectors = (nn.functional.normalize(side["sentence_embedding"].float(), dim=1) for side in (queries, passages))
    query, passage = vectors
    return query @ passage.T


def late_interaction(model: Any, queries: Features, passages: Features) -> Tensor:
    """(queries, passages) sum over query tokens of the best passage token (ColBERT), for a PyLate model.

    As in PyLate, tokens that are left out score 0: padding, those of the skip list in passages, and in queries what the
    mask says, unless the model expands queries.
    """
    query, passage = (nn.functional.normalize(side["token_embeddings"].float(), dim=-1) for side in (queries, passages))
    keep = passages["attention_mask"].bool() & model.skiplist_mask(passages["input_ids"], model.skiplist)
    scores = torch.einsum("qth,psh->qpts", query, passage).masked_fill(~keep[None, :, None, :], 0.0)
    best = scores.amax(-1)  # (queries, passages, query tokens)
    if not model.do_query_expansion:
        best = best.masked_fill(~queries["attention_mask"].bool()[:, None, :], 0.0)
    return best.sum(-1)
