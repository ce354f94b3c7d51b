"""Queries translated word by word through bilingual lists, as weighted bags for BM25."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from triglot import bm25
from triglot.files import InputError
from triglot.text import fold

WordLists = Mapping[tuple[str, str], tuple[Sequence[str], Sequence[str]]]
"""(source language, target language) -> words and their translations side by side, as `corpus.wordlist.read_lists`
gives them.
"""

KEPT = 3
"""Translations of a word that count: the first ones of its list. Each weighs 1 / their number."""


@dataclass
class Translator:
    """Word lists ready for look-up.

    Where two languages have no list, a word goes through the pivot language and weights multiply. A word without a
    translation stays as it is, which serves names and numbers. Scripts without spaces are cut greedily into the longest
    words that the list knows.
    """

    lists: WordLists
    pivot: str = "en"
    _tables: dict[tuple[str, str], dict[str, list[str]]] = field(default_factory=dict, init=False, repr=False)
    _longest: dict[tuple[str, str], int] = field(default_factory=dict, init=False, repr=False)
    _cuts: dict[tuple[str, tuple[str, str]], list[str]] = field(default_factory=dict, init=False, repr=False)
    _seen: dict[tuple[str, str, str], tuple[bool, list[tuple[str, float]]]] = field(
        default_factory=dict, init=False, repr=False
    )
    words: dict[tuple[str, str], list[int]] = field(default_factory=dict, init=False)
    """(source, target) -> [words translated, words met], for the note on coverage."""

    def path(self, source: str, target: str) -> list[tuple[str, str]]:
        """The lists from one language to another: none for itself. Raises InputError where there is no way."""
        if source == target:
            return []
        if (source, target) in self.lists:
            return [(source, target)]
        steps = [(source, self.pivot), (self.pivot, target)]
        for step in steps:
            if step not in self.lists:
                raise InputError(f"no word list {step[0]}-{step[1]}, needed to translate {source} to {target}")
        return steps

    def bag(self, text: str, source: str, target: str) -> dict[str, float]:
        """Tokens of a query in the target language with their weights."""
        steps = self.path(source, target)
        if not steps:
            return bm25.count_tokens(text)
        bag: dict[str, float] = {}
        tally = self.words.setdefault((source, target), [0, 0])
        if (text, steps[0]) not in self._cuts:
            self._cuts[text, steps[0]] = self._cut(text, steps[0])
        for word in self._cuts[text, steps[0]]:
            if (word, source, target) not in self._seen:
                self._seen[word, source, target] = self._word(word, steps)
            known, tokens = self._seen[word, source, target]
            tally[0] += known
            tally[1] += 1
            for token, weight in tokens:
                bag[token] = bag.get(token, 0.0) + weight
        return bag

    def _word(self, word: str, steps: list[tuple[str, str]]) -> tuple[bool, list[tuple[str, float]]]:
        """Whether the lists know a word, and the tokens of its translations with their weights."""
        meanings = {word: 1.0}
        for step in steps:
            meanings = self._step(meanings, step)
        known = bool(meanings)
        return known, [
            (token, weight) for text, weight in (meanings or {word: 1.0}).items() for token in bm25.tokenise(text)
        ]

    def coverage(self) -> float:
        """Share of the words met so far that had a translation."""
        known = sum(translated for translated, _ in self.words.values())
        return known / max(1, sum(met for _, met in self.words.values()))

    def _table(self, step: tuple[str, str]) -> dict[str, list[str]]:
        if step not in self._tables:
            table: dict[str, list[str]] = {}
            for word, meaning in zip(*self.lists[step]):
                kept = table.setdefault(fold(word), [])
                meaning = fold(meaning)
                if len(kept) < KEPT and meaning not in kept:
                    kept.append(meaning)
            self._tables[step] = table
            self._longest[step] = max(map(len, table), default=1)
        return self._tables[step]

    def _step(self, meanings: Mapping[str, float], step: tuple[str, str]) -> dict[str, float]:
        table = self._table(step)
        out: dict[str, float] = {}
        for word, weight in meanings.items():
            translations = table.get(word, ())
            for meaning in translations:
                out[meaning] = out.get(meaning, 0.0) + weight / len(translations)
        return out

    def _cut(self, text: str, step: tuple[str, str]) -> list[str]:
        """Words of a text; what a list does not know of an unspaced run stays in one piece between the words it
        knows."""
        table = self._table(step)
        words: list[str] = []
        for run, unspaced in bm25.runs(text):
            if not unspaced:
                words.append(run)
                continue
            start = rest = 0
            while start < len(run):
                length = next(
                    (
                        n
                        for n in range(min(self._longest[step], len(run) - start), 0, -1)
                        if run[start : start + n] in table
                    ),
                    0,
                )
                if length:
                    if rest < start:
                        words.append(run[rest:start])
                    words.append(run[start : start + length])
                    rest = start + length
                start += length or 1
            if rest < len(run):
                words.append(run[rest:])
        return words
