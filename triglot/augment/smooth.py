"""Randomised smoothing by copies of texts (arXiv 2104.08645): each word becomes a uniform draw from itself and its
neighbours, which are its synonyms and, where they are asked for, its translations.

The authors' neighbours are English synonyms out of counter-fitted vectors; here they come from word lists, in every
language that these have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triglot import seeds
from triglot.augment.codeswitch import restore
from triglot.augment.lexicon import Lexicon, split_words


def neighbours(word: str, lang: str, lexicon: Lexicon, into: Sequence[str] = ()) -> list[str]:
    """What a word may become: its synonyms, then its translations into some languages; it is not among them itself."""
    found = [*lexicon.synonyms(word, lang), *(one for code in into for one in lexicon.candidates(word, lang, code))]
    return [one for one in dict.fromkeys(found) if one.lower() != word.lower()]


def smooth_copies(
    texts: Sequence[str],
    langs: Sequence[str],
    lexicon: Lexicon,
    *,
    rate: float = 1.0,
    into: Sequence[str] = (),
    seed: int,
    purpose: str = "smooth",
    numbers: Sequence[int] | np.ndarray | None = None,
) -> list[str]:
    """One copy of each text.

    Args:
        texts: what to change.
        langs: the language of each.
        lexicon: where neighbours come from.
        rate: share of the words that are drawn at all; of these each stays with the chance of one of its neighbours.
        into: languages whose words count as neighbours; empty for synonyms alone.
        seed: of the draws.
        purpose: of the draws; different purposes are independent.
        numbers: (texts,) what each text is drawn by; 0, 1, ... by default.
    """
    lexicon.check(into)
    numbers = np.arange(len(texts)) if numbers is None else np.asarray(numbers, np.int64)
    result = []
    for text, lang, number in zip(texts, langs, numbers.tolist(), strict=True):
        units, gaps = split_words(text, lang, lexicon)
        place = np.arange(len(units))
        drawn = seeds.uniform(seed, f"{purpose} word", number, place) < rate
        choice = seeds.uniform(seed, f"{purpose} neighbour", number, place)
        changed = False
        for at in np.flatnonzero(drawn).tolist():
            options = [units[at], *neighbours(units[at], lang, lexicon, into)]
            new = options[int(choice[at] * len(options))]
            changed |= new != units[at]
            units[at] = new
        result.append(restore(units, gaps) if changed else text)
    return result
