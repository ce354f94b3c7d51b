"""`triglot check`: how much a model prefers languages, on benchmarks, translations or a collection without labels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.benchmark import open_benchmark
from triglot.check.geometry import FEWEST
from triglot.check.run import EXCESS, Check, check_benchmark, check_collection
from triglot.check.settings import CheckSettings
from triglot.check.verdict import LEVELS, Verdict, measure, past_limits, verdict
from triglot.commands.models import load_model, paths_of
from triglot.commands.sources import source_path
from triglot.corpus.formats import bitext
from triglot.corpus.formats.passages import read_collection
from triglot.corpus.retrieval import RetrievalSet
from triglot.document import split_word
from triglot.encoder.computing import USUAL, Computing
from triglot.encoder.languages import detect_missing
from triglot.files import InputError, write_json, write_text

log = logging.getLogger("triglot")
_LEAST_SHARE = 0.01  # of the texts; fewer in a detected language are mistakes as often as not


@dataclass(frozen=True)
class Checked:
    """A check, its verdict, and the limits that it is past."""

    check: Check
    verdict: Verdict
    past: tuple[str, ...]


def limits_of(words: Sequence[str]) -> dict[str, float]:
    """`MEASURE=VALUE` words. Raises InputError for a measure that no check has, or a value that is no number."""
    found = {}
    for word in words:
        name, value = split_word(word)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"--limit {word}: not MEASURE=NUMBER")
        found[measure(name).name] = float(value)
    return found


def check_model(
    model: str,
    out: str | Path | None = None,
    *,
    on: Mapping[str, str] | None = None,
    parallel: str = "",
    texts: str = "",
    questions: str = "",
    languages: Sequence[str] = (),
    settings: CheckSettings | None = None,
    limits: Mapping[str, float] | None = None,
    cache: str = "",
    computing: Computing = USUAL,
    force: bool = False,
    progress: bool = False,
) -> list[Checked]:
    """Check a model and write check.json and check.html.

    Args:
        model: a model folder, a run folder or a hub name.
        out: folder for the files; None writes none.
        on: name -> path, `FORMAT:PATH` or `hub:` name of benchmarks.
        parallel: a folder of line-aligned files, or of pairs of languages: the translations of a line are its answers.
        texts: a file of texts in several languages, without labels; languages are detected where it names none.
        questions: a file of questions for `texts`; by default they are drawn from the texts.
        languages: only these, and for detection: among these.
        settings: how much is looked at.
        limits: measure -> the figure that must not be passed.
        cache: where vectors are kept, see `triglot.commands.models.load_model`.
        computing: how the model computes.
        force: replace what another command wrote.
        progress: show bars.

    Returns:
        one for each benchmark, then the translations, then the collection.

    Raises:
        InputError: nothing to check on, or what cannot be read or checked.
    """
    if not (on or parallel or texts):
        raise InputError("nothing to check on: give --on NAME=PATH, --parallel PATH or --texts PATH")
    if questions and not texts:
        raise InputError("--questions: goes with --texts")
    named = _names(on or {}, parallel, texts)
    inputs = [*paths_of(model), *map(source_path, (on or {}).values()), parallel, texts, questions]
    how: dict[str, Any] = {"languages": languages, "settings": settings or CheckSettings(), "progress": progress}
    how |= {"cache": cache, "computing": computing}
    with outputs.folder(out, "check", model=model, inputs=inputs, force=force) if out else nullcontext() as place:
        checks = _checks(model, named, questions, **how)
        past = _past([check for check, _ in checks], limits or {})
        found = [Checked(check, said, past[check.name]) for check, said in checks]
        if place:
            from triglot.report.check_page import to_html

            write_json(place / "check.json", as_json(model, found))
            write_text(place / "check.html", to_html(model, [(one.check, one.verdict) for one in found]))
    return found


def _names(on: Mapping[str, str], parallel: str, texts: str) -> list[tuple[str, str, str]]:
    """(kind, name, path) of what is checked. Raises InputError for two of one name."""
    named = [("benchmark", name, path) for name, path in on.items()]
    named += [("parallel", Path(parallel).resolve().name, parallel)] if parallel else []
    named += [("collection", Path(texts).name, texts)] if texts else []
    for _, name, path in named:
        if sum(name == other for _, other, _ in named) > 1:
            raise InputError(f"{path}: two things to check are called {name!r}; give one another name by --on")
    return named


def _checks(
    model: str,
    named: Sequence[tuple[str, str, str]],
    questions: str,
    *,
    languages: Sequence[str],
    settings: CheckSettings,
    cache: str,
    computing: Computing,
    progress: bool,
) -> list[tuple[Check, Verdict]]:
    """Each check and its verdict, with the data that `triglot debias` can mend the model with.

    All is read before anything is encoded.
    """
    only = list(languages) or None
    opened: list[tuple[RetrievalSet | _Texts, str]] = []
    for kind, name, path in named:
        if kind == "collection":
            opened.append((_collection(path, languages), f"passages:{path}"))
        elif kind == "parallel":
            opened.append((bitext.read_retrieval(path, name=name, languages=only), path))
        else:
            more: dict[str, Any] = {"languages": only, "stream": False, "classification": False}
            held_out = f"DATA --held-out {name}={path}"  # a model is not mended with what it is judged on
            opened.append((open_benchmark(path, name=name, **more).in_memory(), held_out))
    collections = [data for data, _ in opened if isinstance(data, _Texts)]
    asked = _questions(questions, collections[0].languages) if questions else None
    encoder = load_model(model, cache=cache, computing=computing)
    treated = getattr(encoder, "removal", None) is not None
    found = []
    for data, mending in opened:
        log.info("%s: %s", data.name, ", ".join(data.languages))
        if isinstance(data, RetrievalSet):
            check = check_benchmark(encoder, data, settings, progress=progress)
        else:
            given: dict[str, Any] = {"questions": asked.texts, "question_langs": asked.langs} if asked else {}
            given |= {"name": data.name, "notes": data.notes, "progress": progress}
            check = check_collection(encoder, data.texts, data.langs, settings, **given)
        found.append((check, verdict(check, model, mending, treated=treated)))
    return found


def _past(checks: Sequence[Check], limits: Mapping[str, float]) -> dict[str, tuple[str, ...]]:
    """Name of a check -> the limits that it is past. Raises InputError for one that goes with none of the checks."""
    for name in limits:
        if not any(name in check.measures for check in checks):
            past_limits(checks[0], {name: limits[name]})
    return {
        check.name: tuple(past_limits(check, {name: limits[name] for name in limits if name in check.measures}))
        for check in checks
    }


@dataclass(frozen=True)
class _Texts:
    """Texts whose languages are known."""

    name: str
    texts: list[str]
    langs: list[str]
    notes: tuple[str, ...] = ()

    @property
    def languages(self) -> list[str]:
        return sorted(set(self.langs))


def _collection(path: str, languages: Sequence[str]) -> _Texts:
    """A collection without the texts that no language can be told of, or that are in others than those asked for."""
    texts, langs, told = _spoken(path, languages)
    notes = []
    if told:
        notes.append(
            f"the languages of {told:,} texts were detected (py3langid); give them in a column `lang` if you know them"
        )
    counts = Counter(langs)
    least = max(FEWEST, _LEAST_SHARE * len(texts)) if told else 0
    kept = {code for code, count in counts.items() if count >= least and (not languages or code in languages)}
    if dropped := sum(count for code, count in counts.items() if code not in kept):
        rare = ", ".join(f"{code} ({count:,})" for code, count in counts.most_common() if code not in kept)
        notes.append(f"{dropped:,} texts in languages that are rare or not asked for are left out: {rare[:200]}")
    rows = [row for row, code in enumerate(langs) if code in kept]
    if not rows:
        asked = ", ".join(languages) or "a language that can be told"
        raise InputError(f"{path}: no text in {asked}; it has {', '.join(sorted(counts))}")
    return _Texts(Path(path).name, [texts[row] for row in rows], [langs[row] for row in rows], tuple(notes))


def _questions(path: str, languages: Sequence[str]) -> _Texts:
    texts, langs, _ = _spoken(path, languages)
    return _Texts(Path(path).name, texts, langs)


def _spoken(path: str, languages: Sequence[str]) -> tuple[list[str], list[str], int]:
    """Texts of a file, their languages, and of how many these were detected, among `languages`."""
    _, texts, langs = read_collection(path)
    langs, told = detect_missing(texts, langs, languages)
    return texts, langs, len(told)


def questions_of(path: str, languages: Sequence[str]) -> tuple[list[str], list[str]]:
    """The questions of a file and their languages, detected among some where it names none."""
    found = _questions(path, languages)
    return found.texts, found.langs


def as_json(model: str, found: Sequence[Checked], *, first: bool = False) -> dict[str, Any]:
    """The content of check.json. `verdict` is the worst of all, or that of the first; `checks` has each."""
    worst = max(found, key=lambda one: (LEVELS.index(one.verdict.level), one.check.measures.get(EXCESS, 0.0)))
    worst = found[0] if first else worst
    checks = {
        one.check.name: {
            "kind": one.check.kind,
            "verdict": one.verdict.level,
            "sentences": list(one.verdict.sentences),
            "mend": one.verdict.mend,
            "measures": one.check.measures,
            "by_language": one.check.by_language,
            "shares": one.check.shares,
            "trials": {f"{strength:g}": figures for strength, figures in one.check.trials.items()},
            "counts": one.check.counts,
            "notes": list(one.check.notes),
            "past": list(one.past),
        }
        for one in found
    }
    return {
        "schema": 1,
        "model": model,
        "verdict": worst.verdict.level,
        "measures": worst.check.measures,
        "checks": checks,
    }
