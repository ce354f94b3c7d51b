"""Settings of an attack, and the standard suite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from triglot.attack.searches import SEARCHES
from triglot.augment.noise import KINDS
from triglot.augment.settings import CODESWITCH, SYNONYM
from triglot.files import SettingError, check_choice
from triglot.language_tags import wanted
from triglot.ranges import Half, OneOf, Range, Seed, Share, check_ranges

LISTED = (CODESWITCH, SYNONYM)  # kinds that go by word lists
TYPOS = ("insert", "substitute", "keyboard")  # delete and swap are for training


@dataclass(frozen=True)
class AttackSettings:
    """How queries are changed.

    Attributes:
        name: in results; by default made from the other settings.
        kinds: what is done to words: kinds of `triglot.augment.noise`, `codeswitch` (translations), or `synonym` (words
            of the same language that share a translation); of several, one is drawn for each text (`random`, `worst`)
            or all are candidates (`greedy`, `beam`).
        rate: share of the words that may change.
        search: how the changes of a query are looked for (see `triglot.attack.searches`).
        tries: draws of `worst`; variants of a word that `greedy` and `beam` try.
        beam: partial texts kept.
        budget: texts that the model may be asked to encode for one query.
        eps: `embedding`: largest shift, as a share of the tokens' root mean square norm.
        steps: `embedding`: gradient steps.
        into: languages that code-switching may use; empty for all others.
        mode: multilingual (a language a word) | bilingual (one language a text).
        half: which half of the word lists is used; 0 is for training, 1 for attacks, None for all.
        seed: of the draws.
    """

    name: str = ""
    kinds: tuple[str, ...] = ("substitute",)
    rate: Share = 0.2
    search: Annotated[str, OneOf(SEARCHES)] = "random"
    tries: Annotated[int, Range(1, 1000)] = 8
    beam: Annotated[int, Range(1, 1000)] = 4
    budget: Annotated[int, Range(1, 10**6)] = 200
    eps: Annotated[float, Range(0, 1000, above=True)] = 0.1
    steps: Annotated[int, Range(1, 10_000)] = 5
    into: tuple[str, ...] = ()
    mode: str = "multilingual"
    half: Half | None = 1
    seed: Seed = 1

    def __post_init__(self) -> None:
        check_ranges(self)
        object.__setattr__(self, "into", tuple(wanted(self.into) or ()))
        known = (*KINDS, *LISTED)
        if not self.kinds and SEARCHES[self.search].of_texts:
            raise SettingError("kinds", "is empty")
        for kind in self.kinds:
            check_choice("kinds", kind, known)
        check_choice("mode", self.mode, ("multilingual", "bilingual"))
        if self.name and not re.fullmatch(r"[\w\-+.]+", self.name):
            raise SettingError("name", f"{self.name!r} has other characters than letters, digits and - + . _")

    @property
    def label(self) -> str:
        """The name in results: `typos-0.2`, `worst8-mix-0.2`, `pgd-0.1`."""
        if self.name:
            return self.name
        what = "typos" if set(self.kinds) == set(TYPOS) else "mix"
        if len(self.kinds) == 1:
            what = self.kinds[0]
        return SEARCHES[self.search].label(self, what)

    @property
    def needs_lists(self) -> bool:
        """Whether it goes by word lists."""
        return any(kind in LISTED for kind in self.kinds) and SEARCHES[self.search].of_texts


STANDARD = (
    *(AttackSettings(kinds=TYPOS, rate=rate) for rate in (0.1, 0.2, 0.4)),
    *(AttackSettings(kinds=(CODESWITCH,), rate=rate) for rate in (0.25, 0.5, 1.0)),
    AttackSettings(kinds=("diacritics",), rate=1.0),
    AttackSettings(kinds=("casing",), rate=1.0),
    AttackSettings(kinds=(*TYPOS, CODESWITCH), rate=0.3, search="worst"),
)
