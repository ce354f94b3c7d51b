"""How hits are put in order: a row for each way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from triglot.registry import Registry, later


@dataclass(frozen=True)
class Mode:
    """One way.

    Attributes:
        name: of the option and the request.
        title, help: for people.
        fair: whether the vectors without language are searched, and scores calibrated by language.
        order: called as `order(candidates, asked)`; candidates are put in another order. None to leave them.
        fold: whether translations become one hit.
    """

    name: str
    title: str
    help: str
    fair: bool = True
    order: Callable[..., Any] | None = None
    fold: bool = False


MODES = Registry(
    Mode,
    group="modes",
    what="way of ranking",
    rows=(
        Mode("any", "As the model ranks", "the model's own scores, whatever the language", fair=False),
        Mode("fair", "Fair", "language taken out of the vectors, scores calibrated by language"),
        Mode(
            "own-first",
            "Own language first",
            "the passages of `fair`, those in the question's language before the others",
            order=later("triglot.search.ranking:own_first"),
        ),
        Mode(
            "fold",
            "Translations folded",
            "as `fair`, with one hit for the translations of a passage, in the language that the reader likes best",
            fold=True,
        ),
    ),
)
