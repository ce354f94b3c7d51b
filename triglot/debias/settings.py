"""How the language is taken out of vectors, as settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from triglot.debias.methods import METHODS
from triglot.files import SettingError
from triglot.ranges import OneOf, Range, Rank, Share, check_ranges

FEWEST = 50  # texts of a language; a mean of fewer says more about the texts than about the language


@dataclass(frozen=True)
class DebiasSettings:
    """How the language is taken out of a trained encoder.

    Attributes:
        method: how it is taken out (see `triglot.debias.methods`); empty for not at all.
        rank: directions removed by `lir` (0: one) and `lsar` (0: one less than there are languages).
        texts: of each language at most; pairs of each language for `shift` and `map`.
        pivot: of `shift` and `map`: its vectors stay as they are.
        strength: how much of it is applied; None to have it chosen on a fifth of the data, which is then not fitted on.
        strengths: language -> how much of it is applied there, in place of `strength`.
        by_language: whether, once `strength` is chosen, one is chosen for each language in turn.
        sides: `both`: queries and passages have steps of their own; `passage`: queries have that of passages.
        source: label of the source whose texts are used; empty for the first of natural texts, rather one
            that word lists did not translate.
    """

    method: Annotated[str, OneOf(METHODS, none="")] = ""
    rank: Rank = 0
    texts: Annotated[int, Range(FEWEST, 10**9)] = 10_000
    pivot: str = "en"
    source: str = ""
    strength: Share | None = 1.0
    strengths: Mapping[str, Share] = field(default_factory=dict)
    by_language: bool = False
    sides: Literal["passage", "both"] = "passage"

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.sides not in ("passage", "both"):
            raise SettingError("sides", f"{self.sides!r} is not passage or both")
        if self.rank and self.method and not METHODS[self.method].ranked:
            having = " and ".join(method.name for method in METHODS if method.ranked)
            raise SettingError("rank", f"{self.method} has none; {having} have")
        everywhere = bool(self.method) and METHODS[self.method].everywhere
        for key, value in (("strengths", self.strengths), ("by_language", self.by_language)):
            if value and everywhere:
                raise SettingError(key, f"{self.method} is the same for all languages; its strength is one for all")
        if self.by_language and self.strength is not None:
            raise SettingError("by_language", "goes with a strength that is chosen, and one is given")
