"""Translations of a word into all other languages, from word lists that go through a pivot language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import regex

from triglot import seeds
from triglot.augment.codeswitch import restore, split_text
from triglot.files import InputError, nearest
from triglot.text import RUNS, UNSPACED

_LETTER = regex.compile(r"\X")
_LONGEST = 10  # letters of a word in such a script
Lists = Mapping[tuple[str, str], tuple[Sequence[str], Sequence[str]]]


class Lexicon:
    """What a word may be replaced by.

    Args:
        lists: (source language, target language) -> words and their translations, in the same order.
        pivot: the language that all lists share. Words of two other languages are linked through it.
        most: translations of a word kept for each target language.

    Raises:
        InputError: no list has the pivot.
    """

    def __init__(self, lists: Lists, *, pivot: str = "en", most: int = 4):
        self.pivot, self.most = pivot, most
        self._from: dict[str, dict[str, list[str]]] = {}  # language -> word -> pivot words
        self._into: dict[str, dict[str, list[str]]] = {}  # language -> pivot word -> words
        # (language, into) -> word -> what `candidates` found
        self._known: dict[tuple[str, str], dict[str, list[str]]] = {}
        for (source, target), (left, right) in lists.items():
            if pivot not in (source, target):
                continue
            other = target if source == pivot else source
            into, back = self._into.setdefault(other, {}), self._from.setdefault(other, {})
            for a, b in zip(left, right, strict=True):
                word, translation = (a, b) if source == pivot else (b, a)
                low = word.lower()
                for table, key, value in ((into, low, translation), (back, translation.lower(), low)):
                    values = table.setdefault(key, [])
                    if value not in values and len(values) < most:
                        values.append(value)
        if not self._into:
            raise InputError(f"lists: no word list with {pivot!r}")

    @property
    def languages(self) -> list[str]:
        """All languages that the lists connect."""
        return sorted({self.pivot, *self._into})

    def check(self, codes: Sequence[str]) -> None:
        """Raises InputError for a language without a list."""
        for code in codes:
            if code not in self.languages:
                raise InputError(f"into: no word list for {code!r}{nearest(code, self.languages)}")

    def knows(self, word: str, lang: str) -> bool:
        """Whether a word stands in a list of its language."""
        low = word.lower()
        return (
            any(low in table for table in self._into.values())
            if lang == self.pivot
            else low in self._from.get(lang, {})
        )

    def candidates(self, word: str, lang: str, into: str) -> list[str]:
        """Translations of a word of `lang` into `into`, at most `most`; empty where the lists lack it."""
        return self._once(word, lang, into) if lang != into else []

    def _once(self, word: str, lang: str, into: str) -> list[str]:
        low = word.lower()
        known = self._known.setdefault((lang, into), {})
        if low not in known:
            known[low] = self._shared(low, lang) if lang == into else self._candidates(low, lang, into)
        return known[low]

    def synonyms(self, word: str, lang: str) -> list[str]:
        """Words of the same language that share a translation with a word, at most `most`; those that share more come
        first."""
        return self._once(word, lang, lang)

    def _shared(self, low: str, lang: str) -> list[str]:
        translations: Counter[str] = Counter()
        if lang == self.pivot:
            for other, table in self._into.items():
                for translation in table.get(low, ()):
                    translations.update(self._from[other].get(translation.lower(), ()))
        else:
            for pivot in self._from.get(lang, {}).get(low, ()):
                translations.update(self._into[lang].get(pivot, ()))
        return [one for one, _ in translations.most_common() if one.lower() != low][: self.most]

    def _candidates(self, low: str, lang: str, into: str) -> list[str]:
        pivots = [low] if lang == self.pivot else self._from.get(lang, {}).get(low, [])
        if into == self.pivot:
            translations = pivots
        else:
            table = self._into.get(into, {})
            translations = [translation for pivot in pivots for translation in table.get(pivot, ())]
        return [one for one in dict.fromkeys(translations) if one.lower() != low][: self.most]


def split_words(text: str, lang: str, lexicon: Lexicon) -> tuple[list[str], list[str]]:
    """Units and gaps as `split_text` gives them, but runs of letters of scripts without spaces are parted: into the
    longest words that the lists know, from the left, and single letters."""
    units, gaps = split_text(text)
    if not UNSPACED.search(text):
        return units, gaps
    cut, between = [], [gaps[0]]
    for unit, gap in zip(units, gaps[1:], strict=True):
        parts = [
            part
            for run in RUNS.findall(unit)
            for part in (_words(run, lang, lexicon) if UNSPACED.match(run) else (run,))
        ]
        cut += parts
        between += [*[""] * (len(parts) - 1), gap]
    return cut, between


def _words(run: str, lang: str, lexicon: Lexicon) -> list[str]:
    letters = _LETTER.findall(run)
    words, start = [], 0
    while start < len(letters):
        ends = range(min(start + _LONGEST, len(letters)), start, -1)
        end = next((end for end in ends if lexicon.knows("".join(letters[start:end]), lang)), start + 1)
        words.append("".join(letters[start:end]))
        start = end
    return words


def switch(
    texts: Sequence[str],
    langs: Sequence[str],
    lexicon: Lexicon,
    *,
    rate: float,
    into: Sequence[str],
    mode: str,
    seed: int,
    purpose: str = "switch",
    numbers: Sequence[int] | np.ndarray | None = None,
) -> list[str]:
    """Replace each word that has a translation with probability `rate`.

    Args:
        texts: what to change.
        langs: the language of each.
        lexicon: where translations come from.
        rate: probability.
        into: languages to draw from; those of the text itself are passed over. Empty: words are replaced by synonyms
            (`Lexicon.synonyms`).
        mode: multilingual (a language a word) | bilingual (a language a text).
        seed: of the draws.
        purpose: of the draws; different purposes are independent.
        numbers: (texts,) what each text is drawn by; 0, 1, ... by default.
    """
    lexicon.check(into)
    numbers = np.arange(len(texts)) if numbers is None else np.asarray(numbers, np.int64)
    parted = [split_words(text, lang, lexicon) for text, lang in zip(texts, langs, strict=True)]
    many = np.array([len(units) for units, _ in parted], np.int64)
    starts = np.cumsum(many) - many
    place = np.arange(int(many.sum())) - np.repeat(starts, many)
    draws = [
        seeds.uniform(seed, f"{purpose} {what}", np.repeat(numbers, many), place)
        for what in ("word", "language", "choice")
    ]
    find = lexicon.candidates if into else lambda word, lang, _: lexicon.synonyms(word, lang)
    result = []
    for text, lang, (units, gaps), start in zip(texts, langs, parted, starts.tolist(), strict=True):
        targets = [code for code in into if code != lang] if into else [lang]
        changed = False
        for at in (start + np.flatnonzero(draws[0][start : start + len(units)] < rate)).tolist() if targets else ():
            # A bilingual text takes the language that its first word draws.
            target = targets[int(draws[1][start if mode == "bilingual" else at] * len(targets))]
            options = find(units[at - start], lang, target)
            if options:
                units[at - start] = options[int(draws[2][at] * len(options))]
                changed = True
        result.append(restore(units, gaps) if changed else text)
    return result
