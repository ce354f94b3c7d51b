"""`triglot augment`: a source of pairs, a composition of changes, factors; sample, files and counts."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Annotated, Any

from triglot import outputs
from triglot.augment import expand
from triglot.augment.apply import Augmenter
from triglot.augment.lexicon import Lexicon
from triglot.augment.noise import KINDS
from triglot.augment.settings import CODESWITCH, NEIGHBOUR, SIDES, AugmentSettings, Part
from triglot.augment.translations import Store, Translated, translate_corpus, wanted
from triglot.commands.sources import read_source, source_path
from triglot.commands.words import parse
from triglot.corpus.formats.pair_writer import OutputFormat, check_output_format
from triglot.corpus.formats.wordlist import read_lists
from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.tally import say
from triglot.document import key_values
from triglot.extras import named
from triglot.files import InputError, check_choice, nearest, read_json, write_json
from triglot.progress import Bar
from triglot.ranges import Beams, Count, Range, Seed, check_ranges
from triglot.recipe import load_recipe
from triglot.settings import plain

log = logging.getLogger("triglot")
TYPO = "typo"  # stands for all kinds of typos
_WIDTH = 90
_REPORT, _CACHE = "augment.json", "translations.jsonl"  # in a folder


@dataclass(frozen=True)
class Job:
    """What `triglot augment` is asked for.

    Attributes:
        source: `FORMAT:PATH`, or a path whose format is detected from the file names.
        out: a `.jsonl` file, or a folder of `x2.jsonl`, ...; None where only a sample is wanted.
        augment: the changes.
        seed: of the draws.
        factors: sizes, as multiples of the source.
        languages: only these.
        options: of the format's reader.
        output_format: of the lines.
        sample: rows of each kind and language to show.
        translate: folder of a translation model; empty for none.
        into: languages to translate into.
        translated: query | passage | both: the side whose texts are translated.
        beams: of the search for translations.
        cache: file of translations that were made; empty: beside `out`.
    """

    source: str
    out: str | Path | None
    augment: AugmentSettings
    seed: Seed = 1
    factors: tuple[Annotated[float, Range(1, 1000)], ...] = (2.0,)
    languages: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    output_format: OutputFormat = "tevatron"
    sample: Count = 1
    translate: str = ""
    into: tuple[str, ...] = ()
    translated: str = "both"
    beams: Beams = 4
    cache: str = ""

    def __post_init__(self) -> None:
        expand.check_factors(self.factors)
        check_ranges(self)
        check_choice("translate-side", self.translated, SIDES)
        if self.translate and not self.into:
            raise InputError("into: is missing; --translation-model needs the languages to translate into")


def compose(
    kinds: Sequence[str],
    parts: Sequence[str],
    *,
    rate: float,
    share: float,
    into: Sequence[str] = (),
    mode: str = "multilingual",
    side: str = "query",
    lists: str = "",
    half: int | None = None,
) -> AugmentSettings:
    """Changes from the command line: each of `kinds` (`insert,swap`) is a part, all with this rate and an equal share;
    each of `parts` (`kinds=insert,swap rate=0.2 share=0.5`) is one of its own.

    Raises:
        InputError: an unknown kind or key, or a number out of its range.
    """
    if kinds and parts:
        raise InputError("kind: goes with --rate and --share; beside --part give all of them as parts")
    if not 0 <= share <= 1:
        raise InputError(f"share: {share} is not between 0 and 1")
    composed = [
        Part(
            tuple(_kinds(names.split(","))),
            share=share / len(kinds),
            rate=rate,
            into=tuple(into) if {CODESWITCH, NEIGHBOUR} & set(_kinds(names.split(","))) else (),
            mode=mode,
        )
        for names in kinds
    ]
    composed += [
        replace(part, kinds=tuple(_kinds(part.kinds)))
        for part in parse([_typos(word) for word in parts], Part, "--part")
    ]
    return AugmentSettings(parts=tuple(composed), side=side, lists=lists, half=half)


def _kinds(names: Sequence[str]) -> list[str]:
    typos = [kind for kind, how in KINDS.items() if how.typo]
    stripped = [name.strip() for name in names]
    found = [kind for name in stripped for kind in (typos if name == TYPO else [name])]
    return list(dict.fromkeys(kind for kind in found if kind))


def _typos(word: str) -> str:
    """`kinds=typo` written out, since a part knows single kinds alone."""
    return " ".join(
        f"kinds={','.join(_kinds(piece.removeprefix('kinds=').strip('[]').split(',')))}"
        if piece.startswith("kinds=")
        else piece
        for piece in word.split()
    )


def of_recipe(name: str, settings: Sequence[str] = ()) -> tuple[AugmentSettings, int]:
    """The `augment` key of a recipe, with its lists inside the recipe's data folder, and its seed.

    Raises:
        InputError: the recipe changes no texts.
    """
    recipe = load_recipe(name, settings)
    augmentation = recipe.augment
    if not augmentation.parts:
        arms = [arm for arm, keys in recipe.arms.items() if any(str(key).startswith("augment.parts") for key in keys)]
        hint = f"; the arms {', '.join(arms)} have: give its settings as `augment.parts=[...]`" if arms else ""
        raise InputError(f"--recipe {name}: augment.parts is empty{hint}")
    if augmentation.segment:
        log.warning("augment.segment: is for tokens, in training; texts stay whole")
    lists = str(Path(recipe.data) / Path(augmentation.lists).expanduser()) if augmentation.lists else ""
    return replace(augmentation, lists=lists, segment=0.0, mode="replace"), recipe.seed


def job(
    source: str,
    out: str | Path | None,
    given: Mapping[str, Any],
    *,
    kinds: Sequence[str] = (),
    parts: Sequence[str] = (),
    recipe: str = "",
    settings: Sequence[str] = (),
    factor: Sequence[str] = (),
    languages: Sequence[str] = (),
    options: Sequence[str] = (),
    output_format: str = "tevatron",
    seed: int | None = None,
    sample: int | None = None,
    translation: Mapping[str, Any] | None = None,
) -> Job:
    """A job from the words of the command line.

    Args:
        source: as in `Job`.
        out: as in `Job`.
        given: the further arguments of `compose`.
        kinds: as in `compose`.
        parts: as in `compose`.
        recipe: take the changes from there instead.
        settings: `KEY=VALUE` words that replace the recipe's.
        factor: numbers; by default 2, or 1 without a kind of change.
        languages: as in `Job`.
        options: `KEY=VALUE` words of the format's reader.
        output_format: as in `Job`.
        seed: by default the recipe's, else 1.
        sample: given, nothing is written.
        translation: what `Job` knows of translation.
    """
    if settings and not recipe:
        raise InputError(
            f"{settings[0]}: KEY=VALUE words replace settings of a --recipe; options of the source go under --option"
        )
    if recipe and (kinds or parts):
        raise InputError("recipe: has its own kinds; leave out --kind and --part, or the recipe")
    if out is None and sample is None:
        raise InputError("--out: is missing (or --examples 3, to look only)")
    changes, own_seed = of_recipe(recipe, settings) if recipe else (compose(kinds, parts, **given), 1)
    output_format = check_output_format(output_format, "--output-format")
    asked = Job(
        source,
        None if sample is not None else out,
        changes,
        seed=own_seed if seed is None else seed,
        factors=tuple(_number(word) for word in factor or ["2" if changes.parts else "1"]),
        languages=tuple(languages),
        options=key_values(options),
        output_format=output_format,
        sample=1 if sample is None else sample,
    )
    return replace(asked, into=tuple(given["into"]), **translation) if translation else asked


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise InputError(f"factor: {word!r} is not a number") from None


def augment(job: Job, *, force: bool = False, progress: bool = False, stream: IO[str] | None = None) -> dict[str, Any]:
    """Do a job: read, show a sample, write.

    Args:
        job: what is asked for.
        force: replace what another command wrote.
        progress: show a bar.
        stream: where the sample goes; None shows none.

    Returns:
        what was written: also in `augment.json` in the folder, or beside the file.
    """
    if job.out is None:
        _read_and_write(job, {}, progress=progress, stream=stream)
        return {}
    files = expand.file_names(job.out, job.factors)
    first = next(iter(files.values()))
    report = first.with_suffix(".json") if Path(job.out) == first else first.with_name(_REPORT)
    with _claimed(job, files, report, force) as place:
        summary = _read_and_write(
            job, {factor: place / path.name for factor, path in files.items()}, progress=progress, stream=stream
        )
        write_json(place / report.name, summary)
    return read_json(report)


def _claimed(job: Job, files: Mapping[float, Path], report: Path, force: bool) -> AbstractContextManager[Path]:
    """The folder that files are written into at first; see `triglot.outputs`.

    The cache of translations grows where it is.
    """
    assert job.out is not None
    inputs = [source_path(job.source), job.augment.lists, job.translate]
    out, targets = Path(job.out), [*files.values(), report]
    kept = [_CACHE]
    if job.translate:
        place = outputs.resolve(out, "folder") if report.parent == out else out
        cache = outputs.resolve(_cache(job) or "", "file")
        outputs.check_inputs([cache], inputs)
        if cache in (outputs.resolve(path, "file") for path in targets):
            raise InputError(f"cache: {cache} is one of the files that are written; choose another one")
        kept += [cache.relative_to(place).as_posix()] if place in cache.parents else []
    if report.parent == out:
        return outputs.folder(out, "augment", inputs=inputs, force=force, record=_REPORT, kept=kept)
    return outputs.files(
        {"lines": targets[0], "report": report}, "augment", inputs=inputs, force=force, report="report"
    )


def _read_and_write(job: Job, files: Mapping[float, Path], *, progress: bool, stream: IO[str] | None) -> dict[str, Any]:
    """Read, show and write. Returns the report; empty where no files are wanted."""
    corpus = read_source(job.source, languages=job.languages, options=job.options)
    if not len(corpus):
        raise InputError(f"{job.source}: has no pairs of a question and a passage")
    translated = None
    if job.translate:
        translated = _translated(job, corpus, progress=progress, stream=stream)
        corpus = translated.corpus
    augmenter = _augmenter(job, corpus)
    if augmenter is None and translated is None:
        log.info("no kind of change is given: the pairs are written as they are")
    if stream is not None and augmenter is not None and job.sample:
        print_examples(expand.examples(corpus, augmenter, job.sample), stream)
    if not files:
        return {}
    began = time.perf_counter()
    with Bar("augmenting", progress, len(corpus) * math.ceil(job.factors[-1])) as bar:
        origins = translated.origins if translated else None
        expansion = expand.write(
            corpus, augmenter, files, output_format=job.output_format, origins=origins, advance=bar.advance
        )
    seconds = time.perf_counter() - began
    changed, lines = sum(expansion.changed.values()), sum(expansion.lines.values())
    texts, each = changed + sum(expansion.unchanged.values()), max(seconds, 1e-9)
    log.info(
        "%s lines in %s s, %s a second; %s texts changed, %s a second",
        *_in_words(lines, seconds, lines / each, changed, texts / each),
    )
    _warn(expansion)
    return {
        "source": job.source,
        "rows": len(corpus),
        "languages": list(corpus.languages),
        "seed": job.seed,
        "augment": plain(job.augment),
        "files": {
            files[factor].name: {"factor": factor, "lines": number} for factor, number in expansion.lines.items()
        },
        "changed": _table(expansion.changed),
        "unchanged": _table(expansion.unchanged),
        "clean": expansion.clean,
        "translated": {"texts": translated.texts, "without": translated.without, "cut": translated.cut}
        if translated
        else {},
    }


def _translated(job: Job, corpus: ParallelCorpus, *, progress: bool, stream: IO[str] | None) -> Translated:
    """The corpus with translations; with a sample alone, only so many."""
    with named():
        from triglot.augment.translate import TranslateSettings, Translator

    translator = Translator(job.translate, TranslateSettings(beams=job.beams))
    sides = ("query", "passage") if job.translated == "both" else (job.translated,)
    want = wanted(corpus, translator, job.into, sides=sides)
    if want.without:
        log.warning(
            "translate: %s groups have no text in a language that the model translates from", f"{want.without:,}"
        )
    path = _cache(job)
    with Store(path) as store:
        if len(store):
            log.info("%s: %s translations from before", path, f"{len(store):,}")
        few = translate_corpus(corpus, translator, want.first(job.sample), store)
        if stream is not None and few.texts:
            print_examples(_translations(corpus, few), stream)
        if job.out is None:
            return few
        began = time.perf_counter()
        with Bar("translating", progress, want.texts) as bar:
            translated = translate_corpus(corpus, translator, want, store, advance=bar.advance)
    seconds = max(time.perf_counter() - began, 1e-9)
    log.info(
        "%s texts translated; %s sentences now, %.1f a second",
        f"{translated.texts:,}",
        f"{translated.sentences:,}",
        translated.sentences / seconds,
    )
    if translated.cut:
        log.warning("translate: %s sentences were too long for the model and cut", f"{translated.cut:,}")
    return translated


def _cache(job: Job) -> str | Path | None:
    """Where translations are kept; None for nowhere."""
    if job.cache or job.out is None:
        return job.cache or None
    out = Path(job.out)
    return out.with_suffix(".translations.jsonl") if out.suffix == ".jsonl" else out / _CACHE


def _translations(corpus: ParallelCorpus, translated: Translated) -> list[expand.Example]:
    """Each translation beside the text that it was made from."""
    examples = []
    for number, origin in translated.origins.items():
        group, lang = int(translated.corpus.text_group[number]), int(translated.corpus.text_lang[number])
        before = int(corpus.text_of[group, corpus.languages.index(origin.removeprefix("mt:"))])
        target = translated.corpus.languages[lang]
        texts = corpus.texts[before].as_py(), translated.corpus.texts[number].as_py()
        examples.append(expand.Example(f"translate {origin.removeprefix('mt:')}", target, "", *texts))
    return examples


def _in_words(*numbers: float) -> tuple[str, ...]:
    return tuple(f"{number:,.0f}" if number > 100 or number == int(number) else f"{number:.1f}" for number in numbers)


def _table(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    by_kind: dict[str, dict[str, int]] = {}
    for (kind, lang), number in sorted(counts.items()):
        by_kind.setdefault(kind, {})[lang] = number
    return by_kind


def _warn(expansion: expand.Expansion) -> None:
    """Say where a kind of change does next to nothing."""
    for key, number in sorted(expansion.unchanged.items()):
        if number > expansion.changed[key]:
            log.warning(
                "%s changed %s of %s texts in %s",
                key[0],
                expansion.changed[key],
                expansion.changed[key] + number,
                key[1],
            )


def _augmenter(job: Job, corpus: ParallelCorpus) -> Augmenter | None:
    if not job.augment.parts:
        return None
    lexicon = None
    if job.augment.needs_lists:
        lists, tally = read_lists(job.augment.lists, both=True, half=job.augment.half)
        say(job.augment.lists, tally)
        lexicon = Lexicon(lists)
        missing = [code for code in corpus.languages if code not in lexicon.languages]
        if len(missing) == len(corpus.languages):
            raise InputError(
                f"lists: no word list for {', '.join(missing)} in "
                f"{job.augment.lists}{nearest(missing[0], lexicon.languages)}"
            )
        if missing:
            log.warning(
                "lists: no word list for %s; code-switching and synonyms leave these texts as they are",
                ", ".join(missing),
            )
    return Augmenter(job.augment, seed=job.seed, lexicon=lexicon)


def print_examples(examples: Sequence[expand.Example], stream: IO[str]) -> None:
    """A table of texts before and after, cut to where they differ."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stream, highlight=False)
    if not console.is_terminal:
        console.width = 220
    table = Table(box=None, pad_edge=False, header_style="italic")
    for title in ("kind", "lang", "before", "after"):
        table.add_column(
            title, overflow="fold" if title in ("before", "after") else "ellipsis", no_wrap=title in ("kind", "lang")
        )
    for example in examples:
        before, after = excerpts(example.before, example.after)
        table.add_row(example.kind, example.lang, before, after)
    console.print(table, markup=False)


def excerpts(before: str, after: str, width: int = _WIDTH) -> tuple[str, str]:
    """Both texts from a little before the first place where they differ, at most so many characters each."""
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    start = max(same - width // 3, 0)
    cut = []
    for text in (before, after):
        part = " ".join(text[start : start + width].split())
        cut.append(f"{'…' if start else ''}{part}{'…' if start + width < len(text) else ''}")
    return cut[0], cut[1]
