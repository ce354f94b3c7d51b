"""Settings of the terms of a loss (`loss.terms` of a recipe), and what a term asks for beside the vectors of a batch.

They are read without torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from triglot.files import InputError, SettingError, check_choice
from triglot.language_tags import language
from triglot.ranges import Range, Weight, check_ranges

SIDES = ("query", "passage", "both")
Temperature = Annotated[float, Range(1e-4, 1e4)]


@dataclass(frozen=True)
class Translation:
    """A further text of every row that a term asks for: the same meaning in another language.

    Attributes:
        side: query | passage.
        language: that it is shown in; empty for one drawn among those that the row does not show already.
    """

    side: str
    language: str = ""


@dataclass(frozen=True)
class Target:
    """A teacher's vectors that a term asks for.

    Attributes:
        reference: language of the texts that the teacher reads; empty for the language that a text is shown in.
        missing: `leave` | `own`, what becomes of a text without a translation in that language: nothing, or the
            teacher reads the text itself.
        teacher: folder or hub name of the teacher's model; empty for the model that the stage starts from.
    """

    reference: str = ""
    missing: str = "leave"
    teacher: str = ""


@dataclass(frozen=True)
class TermSettings:
    """What every term has.

    Attributes:
        name: of the loss, see `triglot.losses.table`.
        weight: its factor.
        weight_end: its factor after the last step, between linear; None for the same all the time.
    """

    name: str = ""
    weight: Weight = 1.0
    weight_end: Weight | None = None

    def __post_init__(self) -> None:
        check_ranges(self)
        if hasattr(self, "side"):
            check_choice("side", getattr(self, "side"), SIDES)  # noqa: B009

    @property
    def translations(self) -> tuple[Translation, ...]:
        """Further texts that it asks for."""
        return ()

    @property
    def target(self) -> Target | None:
        """A teacher's vectors that it asks for."""
        return None


def weight_at(settings: Any, done: float) -> float:
    """The factor of a loss when a share `done` of the steps is over.

    Args:
        settings: with `weight` and `weight_end`.
        done: 0 to 1.
    """
    end = settings.weight if settings.weight_end is None else settings.weight_end
    return (1 - done) * settings.weight + done * end


@dataclass(frozen=True)
class RankingTerm(TermSettings):
    """A ranking loss beside that of the block.

    Attributes:
        temperature: the scores' divisor; None for that of the block.
        symmetric: weight of the passage-to-query term, 0 to 1; the query-to-passage term has the rest.
    """

    temperature: Temperature | None = None
    symmetric: Annotated[float, Range(0, 1)] = 0.0


@dataclass(frozen=True)
class AgreementTerm(TermSettings):
    """Two distributions over the passages of the batch that should agree.

    Attributes:
        temperature: the scores' divisor; None for that of the block.
    """

    temperature: Temperature | None = None


@dataclass(frozen=True)
class LakdaTerm(AgreementTerm):
    """LaKDA (arXiv 2509.06195).

    Attributes:
        temperature: the scores' divisor, 1 (none) as in the paper; None for that of the block.
    """

    name: str = "lakda"
    temperature: Temperature | None = 1.0

    @property
    def translations(self) -> tuple[Translation, ...]:
        """Each query in a second language."""
        return (Translation("query"),)


@dataclass(frozen=True)
class JsdTerm(AgreementTerm):
    """Jensen-Shannon divergence of translations (arXiv 2604.05684).

    Attributes:
        side: query | passage | both, whose translations.
        over: `scores` (each text's distribution over the other side of the batch) | `dimensions` (softmax of the vector
            itself). The summaries of the paper that could be read speak of distributions of embeddings, and do not say
            of which of the two.
    """

    name: str = "jsd"
    side: str = "query"
    over: str = "scores"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("over", self.over, ("scores", "dimensions"))

    @property
    def translations(self) -> tuple[Translation, ...]:
        """Texts in a second language, of the sides that are held together."""
        return tuple(Translation(side) for side in ("query", "passage") if self.side in (side, "both"))


@dataclass(frozen=True)
class ClearTerm(AgreementTerm):
    """CLEAR (arXiv 2604.05821): two parts of it, beside a ranking loss of weight 1 - reverse - agreement.

    Attributes:
        pivot: language of the passages.
        reverse: weight of the part in which passages in the pivot language look for translated queries.
        agreement: weight of KL(passage to translated queries || query to passages).
    """

    name: str = "clear"
    pivot: str = "en"
    reverse: Weight = 0.4
    agreement: Weight = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        _spelled(self, "pivot")

    @property
    def translations(self) -> tuple[Translation, ...]:
        """Each passage in the pivot language, and each query in a second one."""
        return Translation("passage", self.pivot), Translation("query")


@dataclass(frozen=True)
class MeanTerm(TermSettings):
    """Means of languages that should be the same.

    Attributes:
        side: query | passage | both, whose means; each side has its own.
        least: texts of a language in the batch; one with fewer has no part.
    """

    name: str = "mean-matching"
    side: str = "both"
    least: Annotated[int, Range(1, 10**6)] = 2


@dataclass(frozen=True)
class ClassificationTerm(TermSettings):
    """Labels of pairs of texts, told by a head on the vectors that are trained.

    Attributes:
        hidden: width of a hidden layer (tanh) of the head; 0 for none.
        lr: of the head's own AdamW.
        decay: its weight decay.
    """

    name: str = "classification"
    hidden: Annotated[int, Range(0, 2**16)] = 0
    lr: Annotated[float, Range(0, 1000, above=True)] = 1e-3
    decay: Annotated[float, Range(0, 1000)] = 0.01


@dataclass(frozen=True)
class TaughtTerm(TermSettings):
    """Vectors that are drawn to a teacher's.

    Attributes:
        teacher: folder or hub name of the teacher's model; empty for the model that the stage starts from.
        side: query | passage | both, whose vectors are drawn.
        projection_lr: learning rate of the linear map into the teacher's space, where it has other dimensions; the map
            is used in training only.
    """

    teacher: str = ""
    side: str = "both"
    projection_lr: Annotated[float, Range(0, 1000)] = 1e-3


@dataclass(frozen=True)
class DistillationTerm(TaughtTerm):
    """Distillation to one language (arXiv 2004.09813; as a part of MIMO, arXiv 2605.31171).

    Attributes:
        reference: language of the texts that the teacher reads.
        missing: `leave` | `own`: a text without a translation in that language is left out, or drawn to the teacher's
            vector of itself.
    """

    name: str = "distillation"
    reference: str = "en"
    missing: str = "leave"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("missing", self.missing, ("leave", "own"))
        _spelled(self, "reference")

    @property
    def target(self) -> Target:
        """The teacher's vectors of the reference language."""
        return Target(self.reference, self.missing, self.teacher)


@dataclass(frozen=True)
class KeepTerm(TaughtTerm):
    """Distillation to each text's own vector, so that what a language could do is kept."""

    name: str = "keep"

    @property
    def target(self) -> Target:
        """The teacher's vectors of the texts themselves."""
        return Target("", "leave", self.teacher)


def _spelled(settings: Any, key: str) -> None:
    """Give a language of settings the one spelling that readers give to languages."""
    try:
        object.__setattr__(settings, key, language(getattr(settings, key)))
    except InputError as error:
        raise SettingError(key, str(error)) from None
