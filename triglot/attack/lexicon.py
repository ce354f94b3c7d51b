"""Translations of a word into all other languages, from word lists that go through a pivot language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triglot import seeds
from triglot.augment.codeswitch import restore, split_text
from triglot.augment.halves import half_of
from triglot.files import InputError, nearest

Lists = Mapping[tuple[str, str], tuple[Sequence[str], Sequence[str]]]


class Lexicon:
    """What a word may be replaced by.

    Args:
        lists: (source language, target language) -> words and their translations, in the same order.
        pivot: the language that all lists share. Words of two other languages are linked through it.
        half: keep entries whose pivot word lies in this half (`triglot.augment.halves`); None keeps all.
        most: translations of a word kept for each target language.

    Raises:
        InputError: no list has the pivot.
    """

    def __init__(self, lists: Lists, *, pivot: str = "en", half: int | None = None, most: int = 4):
        self.pivot, self.most = pivot, most
        self._from: dict[str, dict[str, list[str]]] = {}  # language -> word -> pivot words
        self._into: dict[str, dict[str, list[str]]] = {}  # language -> pivot word -> words
        kept: dict[str, bool] = {}
        for (source, target), (left, right) in lists.items():
            if pivot not in (source, target):
                continue
            other = target if source == pivot else source
            into, back = self._into.setdefault(other, {}), self._from.setdefault(other, {})
            for a, b in zip(left, right, strict=True):
                word, translation = (a, b) if source == pivot else (b, a)
                low = word.lower()
                if half is not None and kept.setdefault(low, half_of(low) == half) is False:
                    continue
                for table, key, value in ((into, low, translation), (back, translation.lower(), low)):
                    values = table.setdefault(key, [])
                    if value not in values and len(values) < most:
                        values.append(value)
        if not self._into:
            raise InputError(f"attack.lists: no word list with {pivot!r}")

    @property
    def languages(self) -> list[str]:
        """All languages that the lists connect."""
        return sorted({self.pivot, *self._into})

    def check(self, codes: Sequence[str]) -> None:
        """Raises InputError for a language without a list."""
        for code in codes:
            if code not in self.languages:
                raise InputError(f"attack.into: no word list for {code!r}{nearest(code, self.languages)}")

    def candidates(self, word: str, lang: str, into: str) -> list[str]:
        """Translations of a word of `lang` into `into`, at most `most`; empty where the lists lack it."""
        if lang == into:
            return []
        low = word.lower()
        pivots = [low] if lang == self.pivot else self._from.get(lang, {}).get(low, [])
        if into == self.pivot:
            found = pivots
        else:
            table = self._into.get(into, {})
            found = [translation for pivot in pivots for translation in table.get(pivot, ())]
        return [one for one in dict.fromkeys(found) if one.lower() != low][: self.most]


def switch(
    texts: Sequence[str],
    langs: Sequence[str],
    lexicon: Lexicon,
    *,
    rate: float,
    into: Sequence[str],
    mode: str,
    seed: int,
    purpose: str = "attack-switch",
    first: int = 0,
) -> list[str]:
    """Replace each word that has a translation with probability `rate`. Text i is drawn by `first + i`.

    Args:
        texts: what to change.
        langs: the language of each.
        lexicon: where translations come from.
        rate: probability.
        into: languages to draw from; those of the text itself are passed over.
        mode: multilingual (a language a word) | bilingual (a language a text).
        seed: of the draws.
        purpose: of the draws; different purposes are independent.
        first: number of the first text.
    """
    lexicon.check(into)
    result = []
    for number, (text, lang) in enumerate(zip(texts, langs, strict=True), first):
        targets = [code for code in into if code != lang]
        units, gaps = split_text(text)
        if not targets or not units:
            result.append(text)
            continue
        draws = seeds.generator(seed, purpose, number).random((len(units), 3))
        fixed = targets[int(draws[0, 1] * len(targets))]
        changed = False
        for place, unit in enumerate(units):
            if draws[place, 0] >= rate:
                continue
            target = fixed if mode == "bilingual" else targets[int(draws[place, 1] * len(targets))]
            options = lexicon.candidates(unit, lang, target)
            if options:
                units[place] = options[int(draws[place, 2] * len(options))]
                changed = True
        result.append(restore(units, gaps) if changed else text)
    return result
