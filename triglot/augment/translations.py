"""A corpus in more languages by machine translation, and the store that keeps every translation as soon as it is
made."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from typing_extensions import TypedDict

from triglot.corpus.parallel import MAX_LANGUAGES, ParallelCorpus
from triglot.corpus.sentences import split
from triglot.files import InputError, blamed, locked
from triglot.outputs import resolve
from triglot.shapes import shaped, strict
from triglot.text import UNSPACED

_LINE = b'{"key": "'  # how each line of a store begins


class Translator(Protocol):
    """Whoever translates: a model (`triglot.augment.translate`), or word lists (`triglot.augment.wordwise`)."""

    @property
    def digest(self) -> str:
        """Stands for what translates."""
        ...

    @property
    def of_result(self) -> dict[str, int]:
        """What a translation depends on beside that."""
        ...

    def accepts(self, source: str) -> bool:
        """Whether it translates from a language."""
        ...

    def check(self, target: str) -> None:
        """Raises InputError where it does not translate into a language."""
        ...

    def translate(
        self, texts: Sequence[str], source: str, target: str, *, done: Callable[[Sequence[int], Sequence[str]], Any]
    ) -> list[str]:
        """Translations of sentences; `done` is told each batch as it is finished."""
        ...

    def too_long(self, texts: Sequence[str], target: str) -> int:
        """How many sentences are cut."""
        ...


@strict
class Entry(TypedDict):
    """A line of a store."""

    key: str
    text: str


class Store:
    """Texts by key, in a file that grows by whole lines: what was written before a kill is there afterwards.

    Args:
        path: a JSONL file; None keeps texts in memory alone. One process at a time has it.

    Raises:
        InputError: the file holds something else, cannot be written, or is another process's.
    """

    def __init__(self, path: str | Path | None):
        self.path = resolve(path, "file") if path is not None else None
        self._texts: dict[str, str] = {}
        self._file: FileIO | None = None
        self._held = ExitStack()
        if self.path is None:
            return
        with ExitStack() as stack:
            stack.enter_context(locked(self.path))
            with blamed(self.path):
                good = self._read(self.path) if self.path.exists() else 0
                # No buffer, which would be written once more when it is closed.
                self._file = stack.enter_context(FileIO(self.path, "a"))
                self._file.truncate(good)
            self._held = stack.pop_all()

    def _read(self, path: Path) -> int:
        """Read all whole lines; returns how many bytes they are."""
        good = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n") and (line.startswith(_LINE) or _LINE.startswith(line)):
                    break  # a kill in the midst of a line
                try:
                    entry = shaped(json.loads(line), Entry, "")
                except (ValueError, RecursionError):
                    raise InputError(
                        f"{self.path}:{number}: no translation can be read; is it another kind of file?"
                    ) from None
                self._texts[entry["key"]] = entry["text"]
                good += len(line)
        return good

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def __len__(self) -> int:
        return len(self._texts)

    def get(self, key: str) -> str | None:
        """A text, None where there is none."""
        return self._texts.get(key)

    def add(self, entries: Mapping[str, str]) -> None:
        """Keep texts; they are on the disk when this returns. Raises InputError where it is full."""
        self._texts.update(entries)
        if self._file is None:
            return
        lines = "".join(
            json.dumps({"key": key, "text": text}, ensure_ascii=False) + "\n" for key, text in entries.items()
        )
        rest = memoryview(lines.encode())
        assert self.path is not None
        with blamed(self.path):
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())


@dataclass(frozen=True)
class Translated:
    """A corpus with translations.

    Attributes:
        corpus: the texts that were there, in the same order, then the translations.
        origins: number of a translated text -> `mt:xx`, the language that it was translated from.
        texts: translations of texts made or found in the store.
        sentences: sentences that the model translated now.
        without: groups that have no text in a language the model translates from.
        cut: sentences that were too long for the model, whether translated now or before.
    """

    corpus: ParallelCorpus
    origins: dict[int, str]
    texts: int
    sentences: int
    without: int
    cut: int


def key_of(translator: Translator, source: str, target: str, text: str) -> str:
    """What a translation depends on: the model's files, how it is run, both languages and the text."""
    said = json.dumps([translator.digest, translator.of_result, source, target, text], ensure_ascii=False)
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def sentences_of(text: str, lang: str) -> list[str]:
    """Models translate sentence by sentence: a paragraph at once loses parts of it."""
    return [text[start:end] for start, end in split(text, lang)]


def join(sentences: Sequence[str]) -> str:
    """Sentences as a text, with spaces between them unless the script has none."""
    result = ""
    for sentence in sentences:
        glue = "" if not result or not sentence or UNSPACED.match(sentence[0]) else " "
        result += glue + sentence
    return result


def wanted(
    corpus: ParallelCorpus, translator: Translator, into: Sequence[str], *, sides: Sequence[str], prefer: str = "en"
) -> Wanted:
    """Which texts have to be translated into what.

    Args:
        corpus: what there is.
        translator: who translates.
        into: target languages.
        sides: query, passage or both of them.
        prefer: the language to translate from where a group has it; else the first that the model takes.

    Raises:
        InputError: a language that the model does not translate into, or no text that it translates from.
    """
    if not into:
        raise InputError("into: no language is given to translate into")
    for code in into:
        translator.check(code)
    columns = {"query": corpus.query, "passage": corpus.passage}
    groups = np.unique(np.concatenate([columns[side] for side in sides]))
    order = sorted(
        (code for code in corpus.languages if translator.accepts(code)), key=lambda code: (code != prefer, code)
    )
    if not order:
        raise InputError(f"translate: the model translates from none of {', '.join(corpus.languages)}")
    number = {code: corpus.languages.index(code) for code in corpus.languages}
    has = corpus.text_of[groups] >= 0
    source = np.full(len(groups), -1)
    for code in reversed(order):
        source[has[:, number[code]]] = number[code]
    jobs: dict[tuple[str, str], np.ndarray] = {}
    for target in into:
        lacks = ~has[:, number[target]] if target in number else np.ones(len(groups), bool)
        for code in order:
            rows = groups[lacks & (source == number[code])]
            if code != target and len(rows):
                jobs[code, target] = rows
    return Wanted(jobs, int((source < 0).sum()))


@dataclass(frozen=True)
class Wanted:
    """(source language, target language) -> groups to translate, and how many groups have no text to translate from."""

    jobs: dict[tuple[str, str], np.ndarray]
    without: int

    def first(self, number: int) -> Wanted:
        """So many groups of each pair of languages."""
        return Wanted({pair: groups[:number] for pair, groups in self.jobs.items()}, self.without)

    @property
    def texts(self) -> int:
        """How many texts that makes."""
        return sum(map(len, self.jobs.values()))


def translate_corpus(
    corpus: ParallelCorpus,
    translator: Translator,
    want: Wanted,
    store: Store,
    *,
    advance: Callable[[float], Any] = lambda texts: None,
) -> Translated:
    """The corpus with the translations that are wanted; those in the store are not made again.

    Args:
        corpus: what there is.
        translator: who translates.
        want: from `wanted`.
        store: keeps translations; each batch is on the disk before the next one begins.
        advance: told how many texts are done; of a text of three sentences, each is a third.
    """
    new: list[tuple[int, str, str, str]] = []  # group, language, text, language it comes from
    made = cut = 0
    for (source, target), groups in want.jobs.items():
        numbers = corpus.text_of[groups, corpus.languages.index(source)]
        parts = [sentences_of(text, source) for text in corpus.texts.take(pa.array(numbers)).to_pylist()]
        keys = {one: key_of(translator, source, target, one) for part in parts for one in part}
        missing = [one for one, key in keys.items() if store.get(key) is None]

        each = len(groups) / max(len(missing), 1)

        def keep(
            rows: Sequence[int],
            translations: Sequence[str],
            missing: list[str] = missing,
            keys: dict[str, str] = keys,
            each: float = each,
        ) -> None:
            store.add({keys[missing[row]]: text for row, text in zip(rows, translations, strict=True)})
            advance(len(rows) * each)

        if not missing:
            advance(len(groups))
        translator.translate(missing, source, target, done=keep)
        made += len(missing)
        cut += translator.too_long(list(keys), target)
        for group, part in zip(groups.tolist(), parts, strict=True):
            text = join([store.get(keys[one]) or "" for one in part])
            if text:
                new.append((group, target, text, source))
    extended, origins = _extended(corpus, new)
    return Translated(extended, origins, len(new), made, want.without, cut)


def _extended(
    corpus: ParallelCorpus, new: Sequence[tuple[int, str, str, str]]
) -> tuple[ParallelCorpus, dict[int, str]]:
    languages = tuple(sorted({*corpus.languages, *(lang for _, lang, _, _ in new)}))
    if len(languages) > MAX_LANGUAGES:
        raise InputError(f"into: {len(languages)} languages, at most {MAX_LANGUAGES} fit")
    renumber = np.array([languages.index(code) for code in corpus.languages], np.int16)
    more_lang = np.array([languages.index(lang) for _, lang, _, _ in new], np.int16)
    extended = replace(
        corpus,
        languages=languages,
        texts=pa.concat_arrays([corpus.texts, pa.array([text for _, _, text, _ in new], pa.large_string())]),
        text_lang=np.concatenate([renumber[corpus.text_lang], more_lang]),
        text_group=np.concatenate([corpus.text_group, np.array([group for group, _, _, _ in new], np.int32)]),
    )
    first = len(corpus.texts)
    return extended, {first + n: f"mt:{source}" for n, (_, _, _, source) in enumerate(new)}


def retranslated(
    corpus: ParallelCorpus, translator: Translator, pivot: str, into: Sequence[str], store: Store
) -> Translated:
    """The texts of one language, and what they become in others; whatever else the corpus had in these is left out.

    Args:
        corpus: with texts in the pivot language; labels stay with their rows.
        translator: who translates.
        pivot: the language that is translated from.
        into: the others.
        store: keeps translations.

    Raises:
        InputError: no text in the pivot language, or as `wanted`.
    """
    alone = corpus.restrict([pivot])
    if not len(alone):
        raise InputError(f"no row has both texts in {pivot!r}, which is translated from")
    others = [code for code in into if code != pivot]
    return translate_corpus(
        alone, translator, wanted(alone, translator, others, sides=("query", "passage"), prefer=pivot), store
    )
