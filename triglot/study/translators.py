"""Translators that a recipe names by a folder: its model where it is there, word lists where it is not, and that is
said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triglot.augment.lexicon import Lexicon
from triglot.augment.translations import Store, Translator, join, key_of, sentences_of
from triglot.augment.wordwise import WordByWord
from triglot.encoder.vector_cache import place
from triglot.evaluate.baselines import Translate
from triglot.evaluate.wordwise import WordLists
from triglot.files import InputError

log = logging.getLogger("triglot")


@dataclass(frozen=True)
class OfBaseline:
    """What a baseline is made of.

    Attributes:
        lists: languages -> word lists.
        translate: by a model; None where there is none.
    """

    lists: Callable[[Any], WordLists]
    translate: Translate | None = None


def translator_of(model: Path | None, lexicon: Callable[[], Lexicon] | None, *, beams: int, label: str) -> Translator:
    """The model of a folder; word by word where there is none.

    Args:
        model: the folder; None where no model was named.
        lexicon: makes the word lists.
        beams: of the model's search.
        label: begins messages.

    Raises:
        InputError: neither is there, or the folder holds no such model.
    """
    if model is not None and model.is_dir():
        from triglot.augment.translate import TranslateSettings
        from triglot.augment.translate import Translator as Model

        return Model(model, TranslateSettings(beams=beams))
    if lexicon is None:
        raise InputError(f"{label}: {model}: no such folder of a translation model, and there are no word lists")
    if model is not None:
        log.warning("%s: no translation model in %s: translated word by word", label, model)
    return WordByWord(lexicon(), label)


def store_of(translator: Translator) -> Store:
    """Where translations are kept: those of a model in the user's cache, those of word lists in memory."""
    root = None if isinstance(translator, WordByWord) else place(kind="translations")
    if root is None:
        return Store(None)
    root.mkdir(parents=True, exist_ok=True)
    return Store(root / f"{translator.digest}.jsonl")


def translating(translator: Translator) -> Translate:
    """A function that translates texts sentence by sentence; none twice."""

    def translate(texts: Any, source: str, target: str) -> list[str]:
        parts = [sentences_of(text, source) for text in texts]
        keys = {one: key_of(translator, source, target, one) for part in parts for one in part}
        with store_of(translator) as store:
            missing = [one for one, key in keys.items() if store.get(key) is None]

            def keep(rows: Any, translations: Any) -> None:
                store.add({keys[missing[row]]: text for row, text in zip(rows, translations, strict=True)})

            translator.translate(missing, source, target, done=keep)
            return [join([store.get(keys[one]) or "" for one in part]) for part in parts]

    return translate
