"""What a step descends: the ranking loss and the terms beside it, learned negatives, and the adversary that looks for
the language."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triglot.files import InputError
from triglot.losses import LOSSES, BatchVectors, LossSettings, TermSettings, divergence, log_shares, pair_masks
from triglot.losses.classes import class_shares
from triglot.losses.terms import ClassificationTerm, ClearTerm, RankingTerm, Target, weight_at
from triglot.robust import LanguageAdversary, LearnedNegatives, RobustSettings
from triglot.train.feed import Batch
from triglot.train.head import Gathered, PairHead
from triglot.train.projection import Projection
from triglot.train.teacher import Teachers


class Objective:
    """Losses over the vectors of a whole batch; the same on every process.

    Args:
        loss: its settings.
        robust: settings of learned negatives and of the adversary.
        dim: of the vectors.
        languages: of the corpus.
        seed: of what is learned beside the encoder.
        device: of the vectors.
        teachers: of the terms that ask for one.
        classes: of the rows' labels, for the term that classifies.

    Raises:
        InputError: two terms that classify.
    """

    def __init__(
        self,
        loss: LossSettings,
        robust: RobustSettings,
        *,
        dim: int,
        languages: int,
        seed: int,
        device: Any = "cpu",
        teachers: Teachers | None = None,
        classes: int = 0,
    ):
        if loss.targets and teachers is None:
            raise ValueError("loss.terms ask for a teacher, and none is given")
        self.loss, self.device, self.teachers = loss, device, teachers
        options = {"dim": dim, "languages": languages, "seed": seed, "device": device}
        self.negatives = LearnedNegatives(robust.negatives, **options) if robust.negatives.count else None
        self.adversary = (
            LanguageAdversary(robust.language_adversary, **options) if robust.language_adversary.weight else None
        )
        self.terms = _by_name(loss)
        self.viewed = any("views" in LOSSES[term.name].needs for term in self.terms.values())
        rates = {term.target.teacher: getattr(term, "projection_lr", 0.0) for term in loss.beside if term.target}
        taught = teachers.taught if teachers else {}
        self.projections = {
            name: Projection(one.projection, lr=rates[name], device=device)
            for name, one in taught.items()
            if one.projection is not None
        }

        heads = [term for term in loss.beside if isinstance(term, ClassificationTerm)]
        if len(heads) > 1:
            raise InputError("loss.terms: two terms classify, and a row has one label")
        of_head = {"dim": dim, "classes": classes, "seed": seed, "device": device}
        self.head = PairHead(heads[0], **of_head) if heads and classes else None

    def on(self, batch: Batch, done: float) -> Terms:
        """The losses of one batch. `done` is the share of the steps that are over."""
        return Terms(self, batch, done)

    @property
    def _learned(self) -> dict[str, Any]:
        """What is learned beside the encoder, by name."""
        numbered = {f"projection.{number}": one for number, (_, one) in enumerate(sorted(self.projections.items()))}
        parts = {"negatives": self.negatives, "adversary": self.adversary, "head": self.head, **numbered}
        return {name: part for name, part in parts.items() if part is not None}

    def state(self) -> dict[str, Tensor]:
        """What is learned beside the encoder, for a checkpoint."""
        return {f"{name}.{key}": value for name, part in self._learned.items() for key, value in part.state().items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """From a checkpoint; keys of the encoder are passed over."""
        for name, part in self._learned.items():
            part.load_state({key.removeprefix(f"{name}."): v for key, v in state.items() if key.startswith(f"{name}.")})


def _by_name(loss: LossSettings) -> dict[str, TermSettings]:
    """The terms by the names that they have in logs; the second of a name has a number."""
    by_name: dict[str, TermSettings] = {}
    seen = Counter([loss.name.replace("-", "_")])
    for term in loss.beside:
        name = term.name.replace("-", "_")
        seen[name] += 1
        by_name[name if seen[name] == 1 else f"{name}_{seen[name]}"] = term
    return by_name


@dataclass(frozen=True)
class Opening:
    """What a step takes once, of the vectors of its first loss.

    Attributes:
        loss: `Terms.value`, and a term of value 0 whose gradient is the language adversary's, reversed.
        vectors: those vectors, without gradients.
        told: parts of the loss and what the adversary knows, by name.
        adversary: gradients of the adversary's own parameters.
        projections: teacher -> gradient of the map into its space.
    """

    loss: Tensor
    vectors: Tensor
    told: dict[str, float]
    adversary: list[Tensor]
    projections: dict[str, Tensor]


class Terms:
    """The losses of one batch. Only `learn` changes anything."""

    def __init__(self, objective: Objective, batch: Batch, done: float):
        self._objective, self._done, self._batch = objective, done, batch
        self._queries, self._passages = len(batch.query_row), len(batch.passage_row)
        columns = (batch.query_row, batch.passage_row, batch.query_family, batch.passage_family)
        self._masks = pair_masks(
            *(torch.from_numpy(np.ascontiguousarray(column)).to(objective.device) for column in columns)
        )
        self._views = self._there(batch.views)
        self._query_lang = self._there(batch.query_lang.astype(np.int64))
        self._passage, self._lang = self._there(batch.sides), self._there(batch.lang.astype(np.int64))
        self._translations = {
            need: (self._there(np.flatnonzero(places >= 0)), self._there(places[places >= 0]))
            for need, places in batch.translations.items()
        }
        self._labels = self._there(batch.label.astype(np.int64))
        self._of_head = Gathered()
        self._targets: dict[Target, tuple[Tensor, Tensor]] = {}
        if objective.teachers is not None:
            for target in objective.loss.targets:
                places, vectors = objective.teachers.of(target, batch.group, batch.lang, batch.sides)
                self._targets[target] = self._there(places), self._there(vectors)

    def _there(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._objective.device)

    def _parts(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Queries, passages, views, and the masks of positive and of ignored pairs."""
        ends = [self._queries, self._passages, len(self._views)]
        queries, passages, views = vectors[: sum(ends)].split(ends)
        return queries, passages, views, *self._masks

    def _seen(self, vectors: Tensor, *, descend: bool = False) -> BatchVectors:
        """(texts, dim) vectors as losses see them: views are queries like any other, unless a term asks for them."""
        objective, where, head = self._objective, self._views, self._objective.head
        queries, passages, views, positive, ignored = self._parts(vectors)
        lang = self._query_lang
        if len(where) and not objective.viewed:
            queries, lang = torch.cat([queries, views]), torch.cat([lang, lang[where]])
            positive, ignored = (torch.cat([mask, mask[where]]) for mask in (positive, ignored))
        learned = None
        if objective.negatives is not None:
            learned = objective.negatives.scores(queries, lang, objective.loss.temperature)
        return BatchVectors(
            queries,
            passages,
            positive,
            ignored,
            objective.loss.temperature,
            self._queries,
            learned=learned,
            views=views,
            view_of=where,
            vectors=vectors,
            passage=self._passage,
            language=self._lang,
            translations={need: (rows, vectors[places]) for need, (rows, places) in self._translations.items()},
            targets=self._taught(vectors, {name: one.weight.detach() for name, one in objective.projections.items()}),
            labels=self._labels,
            head=None if head is None else head.on(self._of_head if descend else None),
        )

    def _taught(self, vectors: Tensor, projections: dict[str, Tensor]) -> dict[Target, tuple[Tensor, Tensor, Tensor]]:
        """`BatchVectors.targets`, with these maps into the teachers' spaces."""
        vectors_of = {}
        for target, (places, teacher) in self._targets.items():
            own = vectors[places]
            if target.teacher in projections:
                own = own.float() @ projections[target.teacher]
            vectors_of[target] = own, teacher, self._passage[places]
        return vectors_of

    def named(self, vectors: Tensor, *, descend: bool = False) -> dict[str, Tensor]:
        """The losses of (texts, dim) vectors of the batch, times their weights: the ranking loss first.

        Rows with labels are not ranked: a contradiction is no answer.
        """
        loss, seen = self._objective.loss, self._seen(vectors, descend=descend)
        weight, terms = weight_at(loss, self._done), {}
        if weight and not self._batch.classified:
            terms[loss.name.replace("-", "_")] = weight * LOSSES[loss.name].function(seen, loss)
        for name, term in self._objective.terms.items():
            if self._batch.classified and isinstance(term, (RankingTerm, ClearTerm)):
                continue
            terms[name] = weight_at(term, self._done) * LOSSES[term.name].function(seen, term)
        return terms

    def value(self, vectors: Tensor, *, descend: bool = True) -> Tensor:
        """The loss of (texts, dim) vectors: queries, passages, views, further translations."""
        return functools.reduce(torch.add, self.named(vectors, descend=descend).values(), (vectors * 0).sum())

    def opening(self, vectors: Tensor) -> Opening:
        """The loss of the first vectors of a step, with the terms that are taken once."""
        named = self.named(vectors, descend=True)
        parts = {name: float(term.detach()) for name, term in named.items()} if self._objective.terms else {}
        against, known, own = self._reversed(vectors)
        loss = functools.reduce(torch.add, named.values(), (vectors * 0).sum()) + against
        return Opening(loss, vectors.detach(), parts | known, own, self._of_projections(vectors.detach()))

    def _of_projections(self, vectors: Tensor) -> dict[str, Tensor]:
        """Teacher -> gradient of the map into its space."""
        objective = self._objective
        if not objective.projections:
            return {}
        maps = {name: one.weight for name, one in objective.projections.items()}
        seen = replace(self._seen(vectors), targets=self._taught(vectors, maps))
        total = vectors.new_zeros(())
        for term in objective.terms.values():
            if term.target is not None and term.target.teacher in maps:
                total = total + weight_at(term, self._done) * LOSSES[term.name].function(seen, term)
        gradients = torch.autograd.grad(total, list(maps.values()), allow_unused=True, materialize_grads=True)
        return dict(zip(maps, gradients, strict=True))

    def divergence(self, clean: Tensor, noisy: Tensor, *, descend: bool = True) -> Tensor:
        """Symmetric KL, KL(p || q) + KL(q || p), between the distributions over passages that clean and noisy vectors
        give; over classes, where the rows have labels."""
        temperature = self._objective.loss.temperature
        if self._batch.classified and self._objective.head is not None:
            p, q = (class_shares(self._seen(vectors, descend=descend)) for vectors in (clean, noisy))
            return divergence(p, q) + divergence(q, p)
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
        figures = {"language_loss": float(value.detach()), "language_accuracy": accuracy}
        return ((vectors - vectors.detach()) * gradient).sum(), figures, own

    def learn(self, opening: Opening) -> None:
        """One step of what is learned beside the encoder: the adversary's own, those of the maps into teachers' spaces,
        and that of the learned negatives against the vectors of the opening."""
        adversary, negatives = self._objective.adversary, self._objective.negatives
        for name, gradient in opening.projections.items():
            self._objective.projections[name].update(gradient)
        if adversary is not None:
            adversary.update(opening.adversary)
        if self._objective.head is not None:
            self._objective.head.update(self._of_head)
        if negatives is not None and not self._batch.classified:
            queries, passages, _, _, ignored = self._parts(opening.vectors)
            scores = (queries @ passages.T).masked_fill(ignored, -torch.inf)
            negatives.ascend(queries, self._query_lang, scores)
