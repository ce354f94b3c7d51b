"""Kinds of batch: each is one row, a joint distribution over (query language, passage language) and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from triglot.batches.languages import off_diagonal
from triglot.registry import Registry

if TYPE_CHECKING:
    from triglot.batches.settings import BatchSettings

Joint = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _never(batches: BatchSettings) -> bool:
    return False


@dataclass(frozen=True)
class Kind:
    """One kind of batch.

    Attributes:
        name: in settings (`batches.kind`), in plans and in logs.
        title, help: for people.
        joint: marginals (L,) of the query language, of the passage language, and of one language on both sides -> (L,
            L) shares of (query language, passage language), which sum to 1.
        needs: what a row must have: `one` language on both sides, `two` different ones, or nothing beyond a text a
            side.
        once: whether a whole batch is shown in one pair of languages, drawn once.
        mixed: the kind that such a batch turns into where its rows have too little in common.
        parts: the kinds that its batches are of, and their shares of the steps; a kind with parts has no `joint`.
    """

    name: str
    title: str
    help: str
    joint: Joint | None = None
    needs: Literal["", "one", "two"] = ""
    once: Callable[[BatchSettings], bool] = _never
    mixed: str = ""
    parts: Callable[[BatchSettings], Mapping[str, float]] | None = None


def _same_language(query: np.ndarray, passage: np.ndarray, both: np.ndarray) -> np.ndarray:
    return np.diag(both)


def _different_languages(query: np.ndarray, passage: np.ndarray, both: np.ndarray) -> np.ndarray:
    return off_diagonal(query, passage)


def _independent(query: np.ndarray, passage: np.ndarray, both: np.ndarray) -> np.ndarray:
    return np.outer(query, passage)


KINDS = Registry(
    Kind,
    group="batches",
    what="batch kind",
    rows=(
        Kind(
            "xx",
            "X-X",
            "query and passage in one language, the same for the whole batch",
            joint=_same_language,
            needs="one",
            once=lambda batches: True,
            mixed="xx-mixed",
        ),
        Kind(
            "xx-mixed",
            "X-X mixed",
            "query and passage in one language, another one for each row",
            joint=_same_language,
            needs="one",
        ),
        Kind(
            "xy",
            "X-Y",
            "query and passage in two languages, drawn for each row (or once a batch: `by`)",
            joint=_different_languages,
            needs="two",
            once=lambda batches: batches.by == "batch",
        ),
        Kind(
            "independent",
            "independent",
            "the languages of query and passage drawn independently for each row",
            joint=_independent,
        ),
        Kind(
            "hybrid",
            "hybrid",
            "X-X with probability alpha, else X-Y (Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536)",
            parts=lambda batches: {"xx": batches.alpha, "xy": 1 - batches.alpha},
        ),
    ),
)


def parts_of(batches: BatchSettings) -> dict[Kind, float]:
    """The plain kinds that batches of these settings are of, with their shares of all steps."""
    return {kind: (first + last) / 2 for kind, (first, last) in ends_of(batches).items()}


def ends_of(batches: BatchSettings) -> dict[Kind, tuple[float, float]]:
    """The plain kinds that batches of these settings are of, with their shares at the first and at the last step."""
    kind = KINDS[batches.kind]
    if kind.parts is None:
        return {kind: (1.0, 1.0)}
    first = kind.parts(batches)
    last = first if batches.alpha_end is None else kind.parts(replace(batches, alpha=batches.alpha_end, alpha_end=None))
    ends = {name: (first.get(name, 0.0), last.get(name, 0.0)) for name in dict.fromkeys((*first, *last))}
    return {KINDS[name]: shares for name, shares in ends.items() if max(shares) > 0}
