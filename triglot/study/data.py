"""Opens what a recipe names: sources, benchmarks and word lists, each once a process.

What runs below gets plain values.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from triglot.augment.lexicon import Lexicon
from triglot.augment.translations import retranslated
from triglot.augment.wordwise import WordByWord
from triglot.benchmark import Opened, open_benchmark
from triglot.corpus.formats.registry import read_training, split_spec
from triglot.corpus.formats.wordlist import read_lists
from triglot.corpus.hub import PREFIX
from triglot.corpus.made import Made
from triglot.corpus.parallel import ParallelCorpus, concat
from triglot.corpus.tally import say
from triglot.corpus.texts import is_built_in, read_texts
from triglot.encoder.build import model_folder
from triglot.evaluate.bias.scope import check_subsets
from triglot.evaluate.untrained import BASELINES
from triglot.files import InputError, beside, nearest
from triglot.recipe import Recipe, Stage
from triglot.sources import Benchmark, Source
from triglot.study.inputs import Benchmarks, Inputs, Training
from triglot.study.makers import facts_of, make
from triglot.study.translators import OfBaseline, store_of, translating, translator_of
from triglot.train.feed import Switching

log = logging.getLogger("triglot")
T = TypeVar("T")
Lists = dict[tuple[str, str], tuple[list[str], list[str]]]


class _Once(Generic[T]):
    """Values that are read when first asked for, and kept."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, T] = {}

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = read()
        return self._kept[key]


class Data:
    """Opens what a recipe names; asked again, it gives the same objects.

    `study.run` and `study.arms` ask it, and nothing below them does.

    Args:
        folder: the data folder.
        made: what is made before it is read, by the first part of its paths.
        place: where that lies; None where nothing is to be made.
    """

    def __init__(self, folder: str | Path, made: Mapping[str, Made] | None = None, place: str | Path | None = None):
        self.folder = Path(folder)
        self.made = dict(made or {}) if place is not None else {}
        self.place = Path(place or ".")
        self._lists: _Once[Lists] = _Once()
        self._lexicons: _Once[Lexicon] = _Once()
        self._sources: _Once[ParallelCorpus] = _Once()
        self._trainings: _Once[Training] = _Once()
        self._benchmarks: _Once[Opened] = _Once()
        self._made: _Once[Path] = _Once()
        self._notes: dict[str, str] = {}

    def inputs(self, recipe: Recipe, *, training: bool, evaluation: bool) -> Inputs:
        """All that one run reads.

        Args:
            recipe: of the run.
            training: whether its model is still to be made.
            evaluation: whether this process evaluates it at the end; under torchrun all validate, and one evaluates.
        """
        trains = training and not recipe.of
        aligned = self.stage(recipe.alignment, recipe.languages) if trains and recipe.alignment else None
        tuned = self.stage(recipe, recipe.languages) if trains and recipe.sources else None
        return Inputs(
            alignment=aligned,
            fine_tuning=tuned,
            validation=self.benchmarks(recipe.validation, recipe.languages) if training or evaluation else (),
            evaluate=self.benchmarks(recipe.evaluate, recipe.languages) if evaluation else (),
            lexicons={
                attack.half: self.lexicon(recipe.lists, recipe.languages, attack.half)
                for attack in recipe.attacks
                if attack.needs_lists and evaluation
            },
            fitting=self._fitting(recipe) if training and recipe.debias.method else None,
            kept=self.kept(recipe) if trains else (),
        )

    def check(self, recipe: Recipe) -> None:
        """Everything that can be checked before a run begins: every path that the recipe names is there, every
        benchmark can be read.

        Raises:
            InputError: names all paths that are not there, or the first benchmark that cannot be read.
        """
        self.check_places(recipe)
        stages = [recipe.alignment, recipe] if recipe.alignment else [recipe]
        for name in {target.teacher: None for stage in stages for target in stage.loss.targets if target.teacher}:
            try:
                model_folder(name)
            except InputError as error:
                raise InputError(f"loss.terms: teacher: {error}") from None
        self.benchmarks((*recipe.validation, *recipe.evaluate), recipe.languages)

    def check_places(self, recipe: Recipe) -> None:
        """Raises InputError, which names all paths of a recipe that are not there. Nothing is read."""
        if missing := [line for what, place in self.places(recipe) if (line := _absent(what, place))]:
            raise InputError("\n".join(missing))

    def places(self, recipe: Recipe) -> list[tuple[str, Path]]:
        """What a run reads, and where that lies; what is built in or of the hub has no place."""
        return list(dict.fromkeys((what, place) for what, _, place in self._written(recipe)))

    def named_places(self, recipes: Iterable[Recipe]) -> dict[str, tuple[str, Path]]:
        """What runs read of what is there: what it is and its path as the recipe writes it -> what it is, and where it
        lies. Arms may give one name to several."""
        written = (place for recipe in recipes for place in self._written(recipe))
        return {f"{what} ({path})": (what, place) for what, path, place in written if place.exists()}

    def _written(self, recipe: Recipe) -> list[tuple[str, str, Path]]:
        """What a run reads, its path as the recipe writes it, and where that lies."""
        places: list[tuple[str, str]] = []
        stages = [recipe.alignment, recipe] if recipe.alignment else [recipe]
        for source in (source for stage in stages for source in stage.sources):
            places.append((f"source {source.label!r}", source.path))
            if source.codeswitch:
                places.append((f"source {source.label!r}: codeswitch.lists", source.codeswitch.lists))
            how = source.retranslate
            if how and how.lists:
                places.append((f"source {source.label!r}: retranslate.lists", how.lists))
            if how and how.model and not how.lists:
                places.append((f"source {source.label!r}: retranslate.model", how.model))
        noisy = [stage.augment for stage in stages if stage.augment.active and stage.augment.needs_lists]
        places += [("augment.lists", augment.lists) for augment in noisy]
        places.append(("lists", recipe.lists))
        places += [(f"benchmark {one.name!r}", one.path) for one in (*recipe.validation, *recipe.evaluate)]
        places += [("encoder.trim", split_spec(spec)[1]) for spec in trim_files(recipe) if not is_built_in(spec)]
        inside = [
            (what, path, self.folder / Path(path).expanduser())
            for what, path in places
            if path and not path.startswith(PREFIX) and next(iter(Path(path).parts), "") not in recipe.made
        ]
        inside += [(f"made.{name}", one.path, self.folder / one.path) for name, one in recipe.made.items() if one.path]
        model = Path(recipe.encoder.model).expanduser()
        if recipe.encoder.model and (model.exists() or is_path(recipe.encoder.model)):
            inside.append(("encoder.model", recipe.encoder.model, model))
        return inside

    def _path(self, path: str) -> Path:
        return self._base(path) / Path(path).expanduser() if path else self.folder

    def _base(self, path: str) -> Path:
        """The folder that a path is relative to: where data were made, for what a recipe makes; these are made now if
        they are not there."""
        name = next(iter(Path(path).parts), "")
        if name not in self.made:
            return self.folder
        self._made.get(name, lambda: make(self.made[name], self.place / name, self._path, name))
        return self.place

    def make_all(self) -> dict[str, Mapping[str, Any]]:
        """Make whatever is to be made. Returns what is told of each."""
        for name in self.made:
            self._base(name)
        return {name: facts_of(self.place / name) for name in self.made}

    def lists(self, path: str, languages: Sequence[str], half: int | None = None) -> Lists:
        """Word lists by (source language, target language), in both directions; all or half of the entries."""

        def read() -> Lists:
            lists_read, tally = read_lists(self._path(path), languages=list(languages) or None, both=True, half=half)
            say(path, tally)
            return lists_read

        return self._lists.get((path, tuple(languages), half), read)

    def of_baseline(self, recipe: Recipe, name: str) -> OfBaseline:
        """What a baseline is made of; a model that is not there is said."""
        translate, folder = None, self._path(recipe.translation)
        if recipe.translation and "translation" in BASELINES[name].needs:
            lists = (lambda: self.lexicon(recipe.lists, recipe.languages)) if recipe.lists else None
            translator = translator_of(folder, lists, beams=4, label=f"baseline {name}: translation")
            translate = None if isinstance(translator, WordByWord) else translating(translator)
        return OfBaseline(lambda codes: self.lists(recipe.lists, codes), translate)

    def lexicon(self, path: str, languages: Sequence[str], half: int | None = None) -> Lexicon:
        """The same lists as translations of a word into all other languages."""
        return self._lexicons.get((path, tuple(languages), half), lambda: Lexicon(self.lists(path, languages, half)))

    def source(self, source: Source, languages: Sequence[str]) -> ParallelCorpus:
        """One source, under its label.

        Raises:
            InputError: it cannot be read; the message begins with the source.
        """
        wanted = tuple(source.languages if source.languages is not None else languages)

        def read() -> ParallelCorpus:
            options: dict[str, Any] = dict(source.options)
            if wanted:
                options["languages"] = [source.retranslate.pivot] if source.retranslate else list(wanted)
            if source.candidate_text:
                options["unit"] = source.candidate_text
            try:
                corpus, tally = read_training(self._path(source.path), format=source.format, **options)
            except InputError as error:
                raise InputError(f"source {source.label!r}: {error}") from None
            say(source.label, tally)
            corpus = replace(corpus, sources=(source.label,))
            return self._retranslated(corpus, source, wanted) if source.retranslate else corpus

        key = (source.format, source.path, source.candidate_text, wanted, repr(source.options), source.label)
        return self._sources.get((*key, repr(source.retranslate)), read)

    def _retranslated(self, corpus: ParallelCorpus, source: Source, languages: Sequence[str]) -> ParallelCorpus:
        """The texts of one language translated anew. Raises InputError that begins with the source."""
        how, label = source.retranslate, f"source {source.label!r}: retranslate"
        assert how is not None
        into = how.into or tuple(code for code in languages or corpus.languages if code != how.pivot)
        try:
            if not into:
                raise InputError("into: no language to translate into; the recipe and the source name none")
            spoken = sorted({how.pivot, *into})
            lexicon = (lambda: self.lexicon(how.lists, spoken, how.half)) if how.lists else None
            model = self._path(how.model) if how.model else None
            translator = translator_of(model, lexicon, beams=how.beams, label=label)
            with store_of(translator) as store:
                made = retranslated(corpus, translator, how.pivot, into, store)
        except InputError as error:
            raise InputError(str(error) if str(error).startswith(label) else f"{label}: {error}") from None
        note = f"{source.label}: {made.texts:,} texts in {', '.join(into)} translated from {how.pivot}"
        if isinstance(translator, WordByWord):
            note += f" word by word ({translator.coverage:.0%} of the words have a translation), not by a model"
        log.info("%s", note)
        self._notes[source.label] = note
        return made.corpus

    def training(self, sources: Sequence[Source], languages: Sequence[str]) -> Training:
        """The sources of a stage together.

        Raises:
            InputError: no source, two with one label, or code-switching without a word list.
        """
        labels = [source.label for source in sources]
        for label in labels:
            if labels.count(label) > 1:
                raise InputError(f"sources: two are called {label!r}; give one of them a `name`")

        def read() -> Training:
            parts = [balanced(self.source(source, languages), source) for source in sources]
            corpus = concat([part for part, _ in parts])
            switching = {source.label: self._switching(source, languages) for source in sources if source.codeswitch}
            spoken = list(languages) or sorted(
                {*corpus.languages, *(code for how in switching.values() for code in how.lists)}
            )
            weights = tuple(weight for _, weights in parts for weight in weights)
            notes = tuple(self._notes[label] for label in labels if label in self._notes)
            return Training(corpus.restrict(spoken), weights, switching, notes=notes)

        return self._trainings.get((tuple(map(repr, sources)), tuple(languages)), read)

    def stage(self, stage: Stage, languages: Sequence[str]) -> Training:
        """The data of a stage, with the translations that its noise needs. Raises InputError as `training` does."""
        training, noise = self.training(stage.sources, languages), stage.augment
        if not (noise.active and noise.needs_lists):
            return training
        lexicon = self.lexicon(noise.lists, languages, noise.half)
        key = (tuple(map(repr, stage.sources)), tuple(languages), noise.lists, noise.half)
        return self._trainings.get(key, lambda: replace(training, lexicon=lexicon))

    def kept(self, recipe: Recipe) -> tuple[str, ...]:
        """The texts of `encoder.trim`, where it is a list. Raises InputError for one that cannot be read."""
        texts: dict[str, None] = {}
        for spec in trim_files(recipe):
            try:
                texts |= dict.fromkeys(read_texts(spec, base=self.folder))
            except InputError as error:
                raise InputError(f"encoder.trim: {error}") from None
        return tuple(texts)

    def _fitting(self, recipe: Recipe) -> tuple[str, ParallelCorpus]:
        source = fitting_source(recipe)
        return source.label, self.source(source, recipe.languages)

    def _switching(self, source: Source, languages: Sequence[str]) -> Switching:
        how = source.codeswitch
        assert how is not None
        lists = self.lists(how.lists, languages, how.half)
        # A list and the reverse of its counterpart differ: each knows words that the other lacks.
        into = {b: list(dict.fromkeys(word_pairs(lists, how.pivot, b))) for a, b in sorted(lists) if a == how.pivot}
        if not into:
            raise InputError(
                f"source {source.label!r}: codeswitch.lists: no word list from {how.pivot} in {self._path(how.lists)}"
            )
        return Switching(pivot=how.pivot, lists=into, p=how.p, languages=tuple(into))

    def benchmarks(self, asked: Sequence[Benchmark], languages: Sequence[str]) -> Benchmarks:
        """The benchmarks with their settings.

        Raises InputError that begins with the name of the one that cannot be read.
        """
        return tuple((one, self.benchmark(one, languages)) for one in asked)

    def benchmark(self, benchmark: Benchmark, languages: Sequence[str]) -> Opened:
        """A benchmark: what it has to retrieve, and what to classify. Raises InputError that begins with its name."""

        def read() -> Opened:
            options = dict(benchmark.options) | (
                {"candidate_text": benchmark.candidate_text} if benchmark.candidate_text else {}
            )
            more = {"licence": benchmark.licence, "base": self._base(benchmark.path), "options": options}
            spoken = {"languages": benchmark.languages, "among": languages}
            try:
                opened = open_benchmark(benchmark.path, name=benchmark.name, format=benchmark.format, **spoken, **more)
                opened = opened.sampled(benchmark.sample)
                if opened.retrieval is not None:
                    check_subsets(benchmark.name, benchmark.subsets, opened.retrieval.languages)
            except InputError as error:
                raise InputError(f"benchmark {benchmark.name!r}: {error}") from None
            return opened

        return self._benchmarks.get((repr(benchmark), tuple(languages)), read)


def trim_files(recipe: Recipe) -> tuple[str, ...]:
    """The entries of `encoder.trim`."""
    return recipe.encoder.trim if isinstance(recipe.encoder.trim, tuple) else ()


def is_path(model: str) -> bool:
    """Whether the name of a model can be that of a folder alone, and of none on the hub."""
    return model.startswith((".", "~", "/")) or model.count("/") > 1


def _absent(what: str, place: Path) -> str:
    """The line about a path that is not there; empty where it is."""
    if place.exists():
        return ""
    return f"{what}: {place}: no such file or folder{beside(place)}"


def word_pairs(lists: Lists, source: str, target: str) -> Iterator[tuple[str, str]]:
    """(word, translation) of the list in this direction, then of the one in the other direction, reversed; one may
    occur twice."""
    for key, turned in (((source, target), False), ((target, source), True)):
        for left, right in zip(*lists.get(key, ([], [])), strict=True):
            yield (right, left) if turned else (left, right)


def balanced(corpus: ParallelCorpus, source: Source) -> tuple[ParallelCorpus, list[float]]:
    """The source split by the languages of its rows, `bitext/de-en`, with a weight for each part; whole where `balance`
    is None."""
    if source.balance is None or not len(corpus):
        return corpus, [source.weight]
    masks = corpus.group_languages[corpus.query] | corpus.group_languages[corpus.passage]
    values, number, rows = np.unique(masks, return_inverse=True, return_counts=True)
    names = ["-".join(code for bit, code in enumerate(corpus.languages) if int(value) >> bit & 1) for value in values]
    shares = rows.astype(float) ** source.balance
    split = replace(corpus, sources=tuple(f"{source.label}/{name}" for name in names), source=number.astype(np.int16))
    return split, [float(source.weight * share / shares.sum()) for share in shares]


def fitting_source(recipe: Recipe) -> Source:
    """The source whose texts a debiasing is fitted on: the one it names, or the first of natural texts in several
    languages."""
    sources = [*(recipe.alignment.sources if recipe.alignment else ()), *recipe.sources]
    natural = {source.label: source for source in sources if source.format != "wordlist"}
    if recipe.debias.source:
        if recipe.debias.source not in natural:
            raise InputError(
                f"debias.source: no source of texts {recipe.debias.source!r}{nearest(recipe.debias.source, natural)}"
            )
        return replace(natural[recipe.debias.source], codeswitch=None)
    for source in natural.values():
        if source.codeswitch is None:
            return source
    raise InputError("debias.source: no source has natural texts; add one and name it")
