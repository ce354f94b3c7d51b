"""The losses that a recipe can name (`loss.name`, and `name` of `loss.terms`): one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triglot.losses.terms import (
    AgreementTerm,
    ClassificationTerm,
    ClearTerm,
    DistillationTerm,
    JsdTerm,
    KeepTerm,
    LakdaTerm,
    MeanTerm,
    RankingTerm,
    TermSettings,
)
from triglot.registry import Registry, later

if TYPE_CHECKING:
    from torch import Tensor

    from triglot.losses.batch import BatchVectors


@dataclass(frozen=True)
class LossKind:
    """A loss over the vectors of a batch.

    Attributes:
        name: in settings (`loss.name`, or `name` of a term).
        title, help: for people.
        function: (vectors of a batch, settings) -> scalar tensor, with a gradient to the vectors. The settings are
            `LossSettings` where it is the loss, else those of the term, which then have a temperature if they have one.
        settings: class of its settings as a term.
        ranks: whether it ranks passages, and so can be `loss.name`.
        needs: what it needs beside queries and passages, in words: `a teacher`, `translations`, `views`, `languages`,
            `several positives`, `labels`. What exactly, its settings tell.
    """

    name: str
    title: str
    help: str
    function: Callable[[BatchVectors, Any], Tensor]
    settings: type[TermSettings] = RankingTerm
    ranks: bool = True
    needs: tuple[str, ...] = ()


def _term(name: str, title: str, says: str, where: str, settings: type[TermSettings], *needs: str) -> LossKind:
    return LossKind(name, title, says, later(f"triglot.losses.{where}"), settings, ranks=False, needs=needs)


LOSSES = Registry(
    LossKind,
    group="losses",
    what="loss",
    rows=(
        LossKind(
            "info-nce",
            "InfoNCE",
            "cross-entropy over in-batch negatives (van den Oord et al. 2018), several positives a query",
            later("triglot.losses.contrastive:ranking"),
        ),
        LossKind(
            "pool",
            "pool",
            "cross-entropy between a query's answers in all languages, equally wanted, and its ranking of the batch "
            "(Khosla et al. 2020, outside the logarithm)",
            later("triglot.losses.contrastive:pool"),
            needs=("several positives",),
        ),
        _term(
            "self-teaching",
            "self-teaching",
            "KL(p(query) || p(view)) with p(query) held fixed (arXiv 2204.00716)",
            "agreement:self_teaching",
            AgreementTerm,
            "views",
        ),
        _term(
            "consistency",
            "consistency",
            "symmetric KL between the rankings of queries and of their views",
            "agreement:consistency",
            AgreementTerm,
            "views",
        ),
        _term(
            "distillation",
            "distillation",
            "vectors of every language are drawn to a teacher's vectors of one language, by default the frozen start's "
            "own (arXiv 2004.09813; stage 1 and a part of stage 2 of MIMO, arXiv 2605.31171)",
            "space:distillation",
            DistillationTerm,
            "a teacher",
        ),
        _term(
            "keep",
            "keep",
            "vectors of every language are drawn to the teacher's vectors of the same texts",
            "space:distillation",
            KeepTerm,
            "a teacher",
        ),
        _term(
            "lakda",
            "LaKDA",
            "KL between the rankings that a query and its translation give (arXiv 2509.06195)",
            "agreement:lakda",
            LakdaTerm,
            "translations",
        ),
        _term(
            "jsd",
            "JSD",
            "Jensen-Shannon divergence of translations (arXiv 2604.05684)",
            "agreement:jsd",
            JsdTerm,
            "translations",
        ),
        _term(
            "clear",
            "CLEAR",
            "passages of one language look for translated queries, and both directions agree (arXiv 2604.05821)",
            "agreement:clear",
            ClearTerm,
            "translations",
        ),
        _term(
            "classification",
            "classification",
            "cross-entropy of the labels of pairs, such as premise and hypothesis, by a head that is trained "
            "beside the encoder",
            "classes:classification",
            ClassificationTerm,
            "labels",
        ),
        _term(
            "mean-matching",
            "mean matching",
            "squared distance of the batch means of languages from their mean",
            "space:mean_matching",
            MeanTerm,
            "languages",
        ),
    ),
)
