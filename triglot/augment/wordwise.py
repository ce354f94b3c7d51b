"""Translation word by word through lists, as a translator that stands in where there is no model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from triglot.augment.codeswitch import restore
from triglot.augment.lexicon import Lexicon, split_words
from triglot.files import InputError


class WordByWord:
    """Each word that the lists know becomes the first of its translations; the others stay, which serves names.

    Args:
        lexicon: the lists.
        name: of the lists, for what is kept of translations.
    """

    def __init__(self, lexicon: Lexicon, name: str):
        self.lexicon, self.name = lexicon, name
        self.met = self.translated = 0

    @property
    def digest(self) -> str:
        """Stands for the lists by their name; its translations are not kept on disk."""
        return hashlib.blake2b(self.name.encode(), digest_size=12).hexdigest()

    @property
    def of_result(self) -> dict[str, int]:
        """What a translation depends on beside the lists."""
        return {}

    def accepts(self, source: str) -> bool:
        """Whether there are words of a language."""
        return source in self.lexicon.languages

    def check(self, target: str) -> None:
        """Raises InputError for a language without a list."""
        self.lexicon.check([target])

    def translate(
        self,
        texts: Sequence[str],
        source: str,
        target: str,
        *,
        done: Callable[[Sequence[int], Sequence[str]], Any] = lambda rows, translations: None,
    ) -> list[str]:
        """Translations of sentences; arguments as for `triglot.augment.translate.Translator`."""
        self.check(target)
        if not self.accepts(source):
            raise InputError(f"translate: no word list from {source!r}")
        result = []
        for text in texts:
            units, gaps = split_words(text, source, self.lexicon)
            for place, unit in enumerate(units):
                if not unit[0].isalnum():
                    continue
                found = self.lexicon.candidates(unit, source, target)
                self.met += 1
                self.translated += bool(found)
                if found:
                    units[place] = found[0]
            result.append(restore(units, gaps))
        done(range(len(texts)), result)
        return result

    def too_long(self, texts: Sequence[str], target: str) -> int:
        """None is."""
        return 0

    @property
    def coverage(self) -> float:
        """Share of the words met so far that had a translation."""
        return self.translated / max(self.met, 1)
