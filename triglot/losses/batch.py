"""What a loss sees of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from triglot.losses.terms import Target, Translation


@dataclass(frozen=True)
class BatchVectors:
    """The vectors of a batch over all processes, and what is known of its texts.

    All tensors lie on one device; vectors have unit length and carry gradients.

    Attributes:
        queries: (queries, dim); views too, where no term asks for views.
        passages: (passages, dim), the first positive of each row first.
        positive, ignored: (queries, passages) bool, see `pair_masks`.
        temperature: of the ranking loss.
        rows: rows of the batch; the first `rows` queries, and as many passages, are theirs in order.
        learned: (queries, n) scores of further negatives over the temperature, or None.
        views: (views, dim) changed copies of queries, where a term asks for them.
        view_of: (views,) the query of each.
        vectors: (texts, dim) all of them.
        passage: (texts,) bool, which are passages.
        language: (texts,) code numbers.
        translations: what terms asked for -> (rows that have it (n,), its vectors (n, dim)).
        targets: what terms asked for -> (own vectors (n, teacher's dim), the teacher's (n, teacher's dim), which are
            passages (n,) bool).
        labels: (rows,) class of each row, -1 for none.
        head: features of pairs -> (pairs, classes) logits, where a term classifies; see `triglot.losses.classes`.
    """

    queries: Tensor
    passages: Tensor
    positive: Tensor
    ignored: Tensor
    temperature: float
    rows: int
    learned: Tensor | None = None
    views: Tensor = field(default_factory=lambda: torch.zeros(0, 0))
    view_of: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    vectors: Tensor = field(default_factory=lambda: torch.zeros(0, 0))
    passage: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.bool))
    language: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    translations: Mapping[Translation, tuple[Tensor, Tensor]] = field(default_factory=dict)
    targets: Mapping[Target, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)
    labels: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    head: Callable[[Tensor], Tensor] | None = None

    def nothing(self) -> Tensor:
        """The loss of no texts: 0, with a gradient of 0."""
        return (self.queries * 0).sum()

    def of_rows(self, rows: Tensor) -> Tensor:
        """(rows, rows) bool: whose texts must not be negatives of one another."""
        return self.ignored[rows][:, rows]
