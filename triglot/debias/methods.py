"""Ways of taking the language out of vectors: one row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triglot.registry import Registry, later

if TYPE_CHECKING:
    from triglot.encoder.languages import Removal


@dataclass(frozen=True)
class Method:
    """One way.

    Attributes:
        name: in settings (`debias.method`, `--method`).
        title, help: for people.
        fit: called as `fit(samples, settings)`; gives the step at full strength, a `Removal`. Samples are language ->
            (texts, dim) unit vectors; with `pairs`, language -> two such arrays: of texts, and of their translations in
            the pivot language.
        pairs: whether it needs translations.
        ranked: whether `rank` says how many directions it removes.
        sides: whether queries and passages may have offsets of their own.
        everywhere: whether the step is the same for every language, so that it becomes part of the model.
    """

    name: str
    title: str
    help: str
    fit: Callable[[Mapping[str, Any], Any], Removal]
    pairs: bool = False
    ranked: bool = False
    sides: bool = False
    everywhere: bool = False


METHODS = Registry(
    Method,
    group="debiasing",
    what="method of debiasing",
    rows=(
        Method(
            "centre",
            "Centring",
            "each language's mean is subtracted",
            later("triglot.debias.steps:centre_step"),
            sides=True,
        ),
        Method(
            "lir",
            "LIR",
            "the first right singular vectors of each language's sample are removed (arXiv 2109.04727)",
            later("triglot.debias.steps:lir_step"),
            ranked=True,
        ),
        Method(
            "lsar",
            "LSAR",
            "the subspace in which the means of the languages differ is removed (arXiv 2401.05792)",
            later("triglot.debias.steps:lsar_step"),
            ranked=True,
            everywhere=True,
        ),
        Method(
            "shift",
            "Shift",
            "the mean difference from translations in the pivot language is subtracted",
            later("triglot.debias.steps:shift_step"),
            pairs=True,
            sides=True,
        ),
        Method(
            "map",
            "Linear map",
            "each language is drawn to its translations in the pivot language by ridge regression",
            later("triglot.debias.steps:map_step"),
            pairs=True,
        ),
    ),
)
