"""Code-switching: words of a text replaced by their translations, drawn anew each time the text is shown (arXiv
2305.05295).

A text becomes a sequence of *units* (words and punctuation) once, as integers. Switching a batch is then a few NumPy
gathers, with no string handling: a static encoder needs only the token ids of each unit, a transformer joins the units'
strings. What is drawn for a word depends on (seed, epoch, text, position) alone, so two arms of a study that show a
text in the same language replace the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import regex

from triglot import seeds
from triglot.files import InputError
from triglot.ragged import Ragged
from triglot.text import HAN_BLOCKS, THAI_BLOCKS, UNSPACED, ranges

_UNIT = regex.compile(r"[\p{L}\p{M}\p{N}\u200c\u200d]+(?:['’][\p{L}\p{M}\p{N}]+)*|\S")  # a word keeps its vowel signs
_BLOCKS = ranges((*HAN_BLOCKS, *THAI_BLOCKS))
_NO_SPACE_BEFORE = regex.compile(rf"[{_BLOCKS}.,;:!?%)\]}}’”»。，、；：！？؟،؛।]")
_NO_SPACE_AFTER = regex.compile(rf"[{_BLOCKS}(\[{{‘“«¿¡]")


def split_units(text: str) -> list[str]:
    """Words (with inner apostrophes) and single punctuation marks."""
    return _UNIT.findall(text)


def split_text(text: str) -> tuple[list[str], list[str]]:
    """Units, and what stands before, between and after them: `restore` puts both together again."""
    units, gaps, last = [], [], 0
    for match in _UNIT.finditer(text):
        gaps.append(text[last : match.start()])
        units.append(match.group())
        last = match.end()
    return units, [*gaps, text[last:]]


def restore(units: Sequence[str], gaps: Sequence[str]) -> str:
    """A text from units and the gaps around them; a space parts two words that would run together, where their scripts
    have spaces."""
    parts = [gaps[0]]
    for before, unit, after in zip(["", *units], units, gaps[1:], strict=False):
        if not parts[-1] and _spaced(before[-1:]) and _spaced(unit[:1]):
            parts.append(" ")
        parts += [unit, after]
    return "".join(parts)


def _spaced(character: str) -> bool:
    return character.isalnum() and not UNSPACED.match(character)


def join_units(units: Sequence[str]) -> str:
    """A text from units: no space inside Thai, Chinese or Japanese, nor before closing or after opening punctuation."""
    parts: list[str] = []
    open_ended = False  # whether a space may follow what stands there
    for unit in units:
        before, after = _spaces(unit[0], unit[-1])
        if open_ended and before:
            parts.append(" ")
        parts.append(unit)
        open_ended = after
    return "".join(parts)


@cache
def _spaces(first: str, last: str) -> tuple[bool, bool]:
    """Whether a unit that starts and ends so may have a space before it, and after it."""
    return not _NO_SPACE_BEFORE.match(first), not _NO_SPACE_AFTER.match(last)


class CodeSwitcher:
    """Texts of one language that can be shown in every language that has a word list.

    Args:
        texts: the texts, all in the pivot language.
        lists: for each target language, pairs (word, translation). Look-up ignores case; a word's translations are
            equally likely.
        p: probability that a word with a translation is replaced.
        seed: of the draws.
    """

    def __init__(
        self, texts: Sequence[str], lists: Mapping[str, Sequence[tuple[str, str]]], *, p: float = 1.0, seed: int = 0
    ):
        if not 0.0 <= p <= 1.0:
            raise InputError(f"codeswitch.p is {p}; a probability lies between 0 and 1")
        self.p, self.seed = p, seed
        known: dict[str, int] = {}
        self.units = Ragged.of([[known.setdefault(unit, len(known)) for unit in split_units(text)] for text in texts])
        lower = [unit.lower() for unit in known]
        owners: dict[str, list[int]] = {}
        for number, word in enumerate(lower):
            owners.setdefault(word, []).append(number)
        self.candidates: dict[str, Ragged] = {}
        tables = {}
        for lang, pairs in lists.items():
            table: dict[int, list[int]] = {}
            for word, translation in pairs:
                for owner in owners.get(word.lower(), ()):
                    table.setdefault(owner, []).append(known.setdefault(translation, len(known)))
            tables[lang] = table
        self.surface = list(known)
        for lang, table in tables.items():
            self.candidates[lang] = Ragged.of([table.get(unit, ()) for unit in range(len(self.surface))])

    def __len__(self) -> int:
        return len(self.units)

    @property
    def languages(self) -> list[str]:
        """Languages with a word list."""
        return list(self.candidates)

    def coverage(self, lang: str) -> float:
        """Share of the words of the texts (punctuation aside) that have a translation."""
        words = np.array([unit[0].isalnum() for unit in self.surface])[self.units.flat]
        return float((self.candidates[lang].lengths[self.units.flat] > 0)[words].mean()) if words.any() else 0.0

    def switch(self, texts: np.ndarray, lang: str, epoch: int, p: float | None = None) -> Ragged:
        """Show texts in a language.

        Args:
            texts: (n,) indices.
            lang: the target.
            epoch: a text shown again in another epoch gets other draws.
            p: in place of the switcher's own.

        Returns:
            unit ids, one sequence a text; `surface` has their strings.
        """
        table = self.candidates[lang]
        where, offsets = self.units.positions(texts)
        units = self.units.flat[where].astype(np.int64)
        choices = table.lengths[units]
        # `where` is the word's place in the whole collection: it stands for (text, position)
        draw = seeds.uniform(self.seed, "codeswitch", epoch, where)
        p = self.p if p is None else p
        if p < 1.0:
            choices = np.where(seeds.uniform(self.seed, "codeswitch-word", epoch, where) < p, choices, 0)
        picked = table.offsets[units] + (draw * choices).astype(np.int64)
        flat = np.where(
            choices > 0,
            table.flat[np.minimum(picked, max(len(table.flat) - 1, 0))] if len(table.flat) else units,
            units,
        )
        return Ragged(flat.astype(np.int32), offsets)

    def strings(self, switched: Ragged) -> list[str]:
        """The switched texts as strings."""
        surface, units, offsets = self.surface, switched.flat.tolist(), switched.offsets.tolist()
        return [join_units([surface[unit] for unit in units[start:stop]]) for start, stop in pairwise(offsets)]
