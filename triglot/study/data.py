"""Sources, benchmarks and word lists of a recipe, each read once a process."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from triglot.augment.lexicon import Lexicon
from triglot.benchmark import Opened, open_benchmark
from triglot.classify.tasks import Task
from triglot.corpus.collection import Collection
from triglot.corpus.formats.registry import read_training
from triglot.corpus.formats.wordlist import read_lists
from triglot.corpus.hub import PREFIX
from triglot.corpus.parallel import ParallelCorpus, concat
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tally import say
from triglot.evaluate.bias.scope import check_subsets
from triglot.files import InputError, nearest
from triglot.recipe import Benchmark, Recipe, Source
from triglot.train import Feed, Switching

log = logging.getLogger("triglot")
Lists = dict[tuple[str, str], tuple[list[str], list[str]]]


@dataclass(frozen=True)
class Training:
    """The data of a stage.

    Attributes:
        corpus: all sources together.
        weights: share of each of `corpus.sources`.
        switching: source -> how it is code-switched.
    """

    corpus: ParallelCorpus
    weights: tuple[float, ...]
    switching: Mapping[str, Switching]

    @cached_property
    def checksum(self) -> str:
        """Of all that training sees of it: a run that was stopped goes on with the same data or not at all."""
        corpus = self.corpus
        switching = {name: (how.pivot, dict(how.lists), how.p, how.languages) for name, how in self.switching.items()}
        found = hashlib.blake2b(repr((corpus.languages, corpus.sources, self.weights, switching)).encode(), digest_size=16)
        for column in (corpus.source, corpus.family):
            found.update(np.ascontiguousarray(column).tobytes())
        corpus.hash_into(found)
        return found.hexdigest()


class Data:
    """Reads what a recipe names; asked again, it gives the same objects.

    Args:
        folder: the data folder.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._kept: dict[Any, Any] = {}
        self._feeds: dict[str, tuple[Any, Feed]] = {}

    def _path(self, path: str) -> Path:
        return self.folder / Path(path).expanduser() if path else self.folder

    def check(self, recipe: Recipe) -> None:
        """Everything that can be checked before a run begins: every path that the recipe names is there, every benchmark can be read.

        Raises:
            InputError: names the first that is not.
        """
        stages = [recipe.alignment] if recipe.alignment else []
        for source in (*(one for stage in stages for one in stage.sources), *recipe.sources):
            if source.path:
                self._check_path(f"source {source.label!r}", source.path)
            if source.codeswitch:
                self._check_path(f"source {source.label!r}: codeswitch.lists", source.codeswitch.lists)
        for one in (*stages, recipe):
            if one.augment.active and one.augment.needs_lists:
                self._check_path("augment.lists", one.augment.lists)
        if recipe.lists:
            self._check_path("lists", recipe.lists)
        for benchmark in (*recipe.validation, *recipe.evaluate):
            if benchmark.path and not benchmark.path.startswith(PREFIX):
                self._check_path(f"benchmark {benchmark.name!r}", benchmark.path)
        for benchmark in (*recipe.validation, *recipe.evaluate):
            self.benchmark(benchmark, recipe.languages)
            self.task(benchmark, recipe.languages)

    def _check_path(self, what: str, path: str) -> None:
        place = self._path(path)
        if not place.exists():
            siblings = [entry.name for entry in place.parent.iterdir()] if place.parent.is_dir() else []
            raise InputError(f"{what}: {place}: no such file or folder{nearest(place.name, siblings) if siblings else ''}")

    def _once(self, key: Any, read: Any) -> Any:
        if key not in self._kept:
            self._kept[key] = read()
        return self._kept[key]

    def lists(self, path: str, languages: Sequence[str], half: int | None = None) -> Lists:
        """Word lists by (source language, target language), in both directions; all or half of the entries."""

        def read() -> Lists:
            found, tally = read_lists(self._path(path), languages=list(languages) or None, both=True, half=half)
            say(path, tally)
            return found

        return self._once(("lists", path, tuple(languages), half), read)

    def lexicon(self, path: str, languages: Sequence[str], half: int | None = None) -> Lexicon:
        """The same lists as translations of a word into all other languages."""
        return self._once(("lexicon", path, tuple(languages), half), lambda: Lexicon(self.lists(path, languages, half)))

    def source(self, source: Source, languages: Sequence[str]) -> ParallelCorpus:
        """One source, under its label.

        Raises:
            InputError: it cannot be read; the message begins with the source.
        """
        wanted = tuple(source.languages if source.languages is not None else languages)

        def read() -> ParallelCorpus:
            options: dict[str, Any] = dict(source.options)
            if wanted:
                options["languages"] = list(wanted)
            if source.unit:
                options["unit"] = source.unit
            try:
                corpus, tally = read_training(self._path(source.path), format=source.format, **options)
            except InputError as error:
                raise InputError(f"source {source.label!r}: {error}") from None
            say(source.label, tally)
            return replace(corpus, sources=(source.label,))

        return self._once(("source", source.format, source.path, source.unit, wanted, repr(source.options), source.label), read)

    def training(self, sources: Sequence[Source], languages: Sequence[str]) -> Training:
        """The sources of a stage together.

        Raises:
            InputError: no source, two with one label, or code-switching without a word list.
        """
        labels = [source.label for source in sources]
        for label in labels:
            if labels.count(label) > 1:
                raise InputError(f"sources: two are called {label!r}; give one of them a `name`")
        key = ("training", tuple(map(repr, sources)), tuple(languages))

        def read() -> Training:
            parts = [balanced(self.source(source, languages), source) for source in sources]
            corpus = concat([part for part, _ in parts])
            switching = {source.label: self._switching(source, languages) for source in sources if source.codeswitch}
            spoken = list(languages) or sorted({*corpus.languages, *(code for how in switching.values() for code in how.lists)})
            return Training(corpus.restrict(spoken), tuple(weight for _, weights in parts for weight in weights), switching)

        return self._once(key, read)

    def _switching(self, source: Source, languages: Sequence[str]) -> Switching:
        how = source.codeswitch
        assert how is not None
        lists = self.lists(how.lists, languages, how.half)
        # A list and the reverse of its counterpart differ: each knows words that the other lacks.
        into = {b: list(dict.fromkeys(word_pairs(lists, how.pivot, b))) for a, b in sorted(lists) if a == how.pivot}
        if not into:
            raise InputError(f"source {source.label!r}: codeswitch.lists: no word list from {how.pivot} in {self._path(how.lists)}")
        return Switching(pivot=how.pivot, lists=into, p=how.p, languages=tuple(into))

    def benchmark(self, benchmark: Benchmark, languages: Sequence[str]) -> RetrievalSet | Collection | None:
        """What a benchmark has to retrieve, None where it has nothing. Raises InputError that begins with its name."""
        return self._opened(benchmark, languages).retrieval

    def task(self, benchmark: Benchmark, languages: Sequence[str]) -> Task | None:
        """What a benchmark has to classify, None where it has nothing. Raises InputError that begins with its name."""
        return self._opened(benchmark, languages).task

    def _opened(self, benchmark: Benchmark, languages: Sequence[str]) -> Opened:
        def read() -> Opened:
            options = dict(benchmark.options) | ({"candidate_text": benchmark.candidate_text} if benchmark.candidate_text else {})
            more = {"licence": benchmark.licence, "base": self.folder, "options": options}
            spoken = {"languages": benchmark.languages, "among": languages}
            try:
                opened = open_benchmark(benchmark.path, name=benchmark.name, format=benchmark.format, **spoken, **more)
                if opened.retrieval is not None:
                    check_subsets(benchmark.name, benchmark.subsets, opened.retrieval.languages)
            except InputError as error:
                raise InputError(f"benchmark {benchmark.name!r}: {error}") from None
            return opened

        return self._once(("benchmark", repr(benchmark), tuple(languages)), read)

    def feed(self, stage: str, training: Training, tokenize: Any, tokenizer: str, seed: int) -> Feed:
        """The feed of a stage; arms that train on the same data with the same tokenizer share it, so that texts are tokenised once.

        Args:
            stage: the feed of one training per stage is kept.
            training: from `training`.
            tokenize: as `Feed` takes it.
            tokenizer: stands for the tokenizer.
            seed: of the code-switching.
        """
        key = (id(training), tokenizer, seed)
        if stage not in self._feeds or self._feeds[stage][0] != key:
            self._feeds[stage] = (key, Feed(training.corpus, switching=training.switching, tokenize=tokenize, seed=seed))
        return self._feeds[stage][1]


def word_pairs(lists: Lists, source: str, target: str) -> Iterator[tuple[str, str]]:
    """(word, translation) of the list in this direction, then of the one in the other direction, reversed; one may occur twice."""
    for key, turned in (((source, target), False), ((target, source), True)):
        for left, right in zip(*lists.get(key, ([], [])), strict=True):
            yield (right, left) if turned else (left, right)


def balanced(corpus: ParallelCorpus, source: Source) -> tuple[ParallelCorpus, list[float]]:
    """The source split by the languages of its rows, `bitext/de-en`, with a weight for each part; whole where `balance` is None."""
    if source.balance is None or not len(corpus):
        return corpus, [source.weight]
    masks = corpus.group_languages[corpus.query] | corpus.group_languages[corpus.passage]
    values, number, rows = np.unique(masks, return_inverse=True, return_counts=True)
    names = ["-".join(code for bit, code in enumerate(corpus.languages) if int(value) >> bit & 1) for value in values]
    shares = rows.astype(float) ** source.balance
    split = replace(corpus, sources=tuple(f"{source.label}/{name}" for name in names), source=number.astype(np.int16))
    return split, [float(source.weight * share / shares.sum()) for share in shares]


def texts_by_language(parts: Sequence[Training]) -> dict[str, list[str]]:
    """Every text that a tokenizer must know: those of the corpora, and the words that code-switching puts in."""
    found: dict[str, list[str]] = {}
    for part in parts:
        texts = part.corpus.texts.to_pylist()
        for text, lang in zip(texts, part.corpus.text_lang.tolist(), strict=True):
            found.setdefault(part.corpus.languages[lang], []).append(text)
        for how in part.switching.values():
            for lang in how.languages or how.lists:
                found.setdefault(lang, []).extend(dict.fromkeys(word for _, word in how.lists[lang]))
    return found


def licences(recipe: Recipe) -> dict[str, str]:
    """Label of each source, word list and benchmark -> its licence as the recipe states it."""
    sources = [*(recipe.alignment.sources if recipe.alignment else ()), *recipe.sources]
    return {source.label: source.licence for source in sources} | {one.name: one.licence for one in recipe.validation if one.licence}
