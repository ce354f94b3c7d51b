"""What a step descends: the contrastive loss, what is said of views, learned negatives, and the adversary that looks
for the language."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triglot.losses import LOSSES, LossSettings, divergence, log_shares, pair_masks
from triglot.robust import LanguageAdversary, LearnedNegatives, RobustSettings
from triglot.train.feed import Batch


class Objective:
    """Losses over the vectors of a whole batch; the same on every process.

    Args:
        loss: its settings.
        robust: settings of learned negatives and of the adversary.
        dim: of the vectors.
        languages: of the corpus.
        seed: of what is learned beside the encoder.
        device: of the vectors.
    """

    def __init__(
        self, loss: LossSettings, robust: RobustSettings, *, dim: int, languages: int, seed: int, device: Any = "cpu"
    ):
        self.loss, self.device = loss, device
        options = {"dim": dim, "languages": languages, "seed": seed, "device": device}
        self.negatives = LearnedNegatives(robust.negatives, **options) if robust.negatives.count else None
        self.adversary = (
            LanguageAdversary(robust.language_adversary, **options) if robust.language_adversary.weight else None
        )

    def on(self, batch: Batch, done: float) -> Terms:
        """The losses of one batch. `done` is the share of the steps that are over."""
        return Terms(self, batch, done)

    def state(self) -> dict[str, Tensor]:
        """What is learned beside the encoder, for a checkpoint."""
        parts = {"negatives": self.negatives, "adversary": self.adversary}
        return {
            f"{name}.{key}": value
            for name, part in parts.items()
            if part is not None
            for key, value in part.state().items()
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """From a checkpoint; keys of the encoder are passed over."""
        for name, part in (("negatives", self.negatives), ("adversary", self.adversary)):
            if part is not None:
                part.load_state(
                    {key.removeprefix(f"{name}."): v for key, v in state.items() if key.startswith(f"{name}.")}
                )


@dataclass(frozen=True)
class Opening:
    """What a step takes once, of the vectors of its first loss.

    Attributes:
        loss: `Terms.value`, and a term of value 0 whose gradient is the language adversary's, reversed.
        vectors: those vectors, without gradients.
        told: parts of the loss and what the adversary knows, by name.
        adversary: gradients of the adversary's own parameters.
    """

    loss: Tensor
    vectors: Tensor
    told: dict[str, float]
    adversary: list[Tensor]


class Terms:
    """The losses of one batch. Only `learn` changes anything."""

    def __init__(self, objective: Objective, batch: Batch, done: float):
        self._objective, self._done, self._batch = objective, done, batch
        self._queries, self._passages = len(batch.query_row), len(batch.passage_row)
        columns = (batch.query_row, batch.passage_row, batch.query_family, batch.passage_family)
        self._masks = pair_masks(
            *(torch.from_numpy(np.ascontiguousarray(column)).to(objective.device) for column in columns)
        )
        self._views = torch.from_numpy(batch.views).to(objective.device)
        self._query_lang = torch.from_numpy(batch.query_lang.astype(np.int64)).to(objective.device)

    def _parts(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Queries, passages, views, and the masks of positive and of ignored pairs."""
        queries, passages, views = vectors.split([self._queries, self._passages, len(self._views)])
        return queries, passages, views, *self._masks

    def named(self, vectors: Tensor) -> dict[str, Tensor]:
        """The losses of (texts, dim) vectors, queries, passages, views: the ranking loss first."""
        objective, loss, where = self._objective, self._objective.loss, self._views
        queries, passages, views, positive, ignored = self._parts(vectors)
        taught: dict[str, Tensor] = {}
        lang = self._query_lang
        if len(where) and (loss.self_teaching or loss.consistency):
            taught = self._taught(queries[where], views, passages, ignored[where])
        elif len(where):  # views are queries like any other
            queries, lang = torch.cat([queries, views]), torch.cat([lang, lang[where]])
            positive, ignored = (torch.cat([mask, mask[where]]) for mask in (positive, ignored))
        learned = None
        if objective.negatives is not None:
            learned = objective.negatives.scores(queries, lang, loss.temperature)
        return {loss.name: LOSSES[loss.name].function(queries, passages, positive, ignored, loss, learned)} | taught

    def value(self, vectors: Tensor) -> Tensor:
        """The loss of (texts, dim) vectors: queries, passages, views."""
        return functools.reduce(torch.add, self.named(vectors).values())

    def opening(self, vectors: Tensor) -> Opening:
        """The loss of the first vectors of a step, with the terms that are taken once."""
        named = self.named(vectors)
        told = {name: float(term.detach()) for name, term in named.items() if name != self._objective.loss.name}
        against, known, own = self._reversed(vectors)
        loss = functools.reduce(torch.add, named.values()) + against
        return Opening(loss, vectors.detach(), told | known, own)

    def _taught(self, queries: Tensor, views: Tensor, passages: Tensor, ignored: Tensor) -> dict[str, Tensor]:
        """How far the views' shares of passages are from those of the queries that they are copies of."""
        loss, terms = self._objective.loss, {}
        p = log_shares(queries, passages, ignored, loss.temperature)
        q = log_shares(views, passages, ignored, loss.temperature)
        if loss.self_teaching:
            terms["self_teaching"] = loss.self_teaching * divergence(p.detach(), q)
        if loss.consistency:
            terms["consistency"] = loss.consistency * (divergence(p, q) + divergence(q, p)) / 2
        return terms

    def divergence(self, clean: Tensor, noisy: Tensor) -> Tensor:
        """Symmetric KL, KL(p || q) + KL(q || p), between the distributions over passages that clean and noisy vectors
        give."""
        temperature = self._objective.loss.temperature
        p, q = (
            log_shares(*self._parts(vectors)[:2], self._parts(vectors)[4], temperature) for vectors in (clean, noisy)
        )
        return divergence(p, q) + divergence(q, p)

    def _languages(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of queries and positives, and the language of each."""
        batch = self._batch
        shown = batch.passage_lang >= 0
        row, place = np.nonzero(shown.T)[::-1]
        lang = np.concatenate([batch.query_lang, batch.passage_lang[row, place]]).astype(np.int64)
        return vectors[: len(lang)], torch.from_numpy(lang).to(vectors.device)

    def _reversed(self, vectors: Tensor) -> tuple[Tensor | float, dict[str, float], list[Tensor]]:
        """A term of value 0 whose gradient is the adversary's, reversed; what the adversary knows; and the gradients of
        its own parameters."""
        adversary = self._objective.adversary
        if adversary is None:
            return 0.0, {}, []
        leaf = vectors.detach().requires_grad_()
        known, language = self._languages(leaf)
        value, accuracy = adversary.loss(known, language, self._done)
        gradient, *own = torch.autograd.grad(value, [leaf, *adversary.parameters])
        told = {"language_loss": float(value.detach()), "language_accuracy": accuracy}
        return ((vectors - vectors.detach()) * gradient).sum(), told, own

    def learn(self, opening: Opening) -> None:
        """One step of what is learned beside the encoder: the adversary's own, and that of the learned negatives
        against the vectors of the opening."""
        adversary, negatives = self._objective.adversary, self._objective.negatives
        if adversary is not None:
            adversary.update(opening.adversary)
        if negatives is not None:
            queries, passages, _, _, ignored = self._parts(opening.vectors)
            scores = (queries @ passages.T).masked_fill(ignored, -torch.inf)
            negatives.ascend(queries, self._query_lang, scores)
