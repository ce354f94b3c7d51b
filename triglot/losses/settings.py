"""Settings of the loss, apart from the loss itself: they are read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from triglot.files import SettingError, check_choice
from triglot.losses.table import LOSSES
from triglot.losses.terms import AgreementTerm, Target, TermSettings, Translation
from triglot.ranges import OneOf, Range, Share, Weight, check_ranges, shown
from triglot.settings import complaints


@dataclass(frozen=True)
class LossSettings:
    """Settings of the loss: one that ranks passages, and any number of terms beside it.

    Attributes:
        temperature: the scores' divisor. The paper's printed equation has none, which trains weakly.
        symmetric: weight of the passage-to-query term, 0 to 1; the query-to-passage term has the rest.
        self_teaching: weight of KL(p(q) || p(view)) with p(q) held fixed, where the feed gives views of queries (arXiv
            2204.00716). The same as a term of that name.
        consistency: weight of the symmetric KL between the two. With neither, views are trained on as further queries.
            The same as a term of that name.
        name: of the loss that ranks passages (see `triglot.losses.table`).
        weight: factor of that loss; 0 leaves the terms alone.
        weight_end: its factor after the last step, between linear; None for the same all the time.
        terms: further losses, each a block with `name`, `weight`, `weight_end` and the settings of that loss.
    """

    temperature: Annotated[float, Range(1e-4, 1e4)] = 0.05
    symmetric: Share = 0.0
    self_teaching: Weight = 0.0
    consistency: Weight = 0.0
    name: Annotated[str, OneOf(LOSSES, only="ranks")] = "info-nce"
    weight: Weight = 1.0
    weight_end: Weight | None = None
    terms: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        check_ranges(self)
        if not LOSSES[self.name].ranks:
            known = ", ".join(row.name for row in LOSSES if row.ranks)
            raise SettingError("name", f"{self.name} does not rank passages; it is one of the `terms` (here: {known})")
        if not isinstance(self.terms, (list, tuple)):
            raise SettingError("terms", f"{shown(self.terms)} is not a list")
        made = tuple(_term(one, f"terms.{number}") for number, one in enumerate(self.terms))
        object.__setattr__(self, "terms", made)
        if not self.weight and not self.weight_end and not self.beside:
            raise SettingError("weight", "is 0 and there are no terms, so there is nothing to learn")

    @property
    def beside(self) -> tuple[TermSettings, ...]:
        """All terms, those that have a key of their own first."""
        short = {"self-teaching": self.self_teaching, "consistency": self.consistency}
        return (*(AgreementTerm(name, weight) for name, weight in short.items() if weight), *self.terms)

    @property
    def translations(self) -> tuple[Translation, ...]:
        """Further texts that the terms ask for, each once."""
        return tuple(dict.fromkeys(one for term in self.beside for one in term.translations))

    @property
    def targets(self) -> tuple[Target, ...]:
        """Vectors of teachers that the terms ask for, each once."""
        return tuple(dict.fromkeys(term.target for term in self.beside if term.target is not None))


def _term(value: Any, key: str) -> TermSettings:
    """A term, from plain values or from its settings; they get the name of the loss if they have none."""
    if isinstance(value, TermSettings):
        name, options = value.name, None
    elif isinstance(value, Mapping):
        name, options = value.get("name"), {str(one): found for one, found in value.items()}
    else:
        raise SettingError(key, f"{shown(value)} is not a block of settings with a `name`")
    if name is None or name == "":
        raise SettingError(f"{key}.name", "is missing")
    if not isinstance(name, str) or name not in LOSSES:
        check_choice(f"{key}.name", name, LOSSES.names())
    kind = LOSSES[str(name)].settings
    if options is not None:
        made, wrong = complaints(kind, options)
        for below, what in wrong.items():
            raise SettingError(f"{key}.{below}" if below else key, what)
        return made
    if not isinstance(value, kind):
        raise SettingError(key, f"{type(value).__name__} are not the settings of {name}, which are {kind.__name__}")
    return value
