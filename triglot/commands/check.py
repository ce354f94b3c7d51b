"""`triglot check`: how much a model prefers languages, on benchmarks, translations or a collection without labels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.benchmark import open_benchmark
from triglot.check.geometry import FEWEST
from triglot.check.run import EXCESS, Check, check_benchmark, check_collection
from triglot.check.settings import CheckSettings
from triglot.check.verdict import Verdict, past_limits, verdict
from triglot.commands.models import load_model, paths_of
from triglot.corpus.formats import bitext
from triglot.corpus.formats.passages import read_collection
from triglot.encoder.languages import detect
from triglot.files import InputError, write_json, write_text

log = logging.getLogger("triglot")
_LEAST_SHARE = 0.01  # of the texts; fewer in a detected language are mistakes as often as not


@dataclass(frozen=True)
class Checked:
    """A check, its verdict, and the limits that it is past."""

    check: Check
    verdict: Verdict
    past: tuple[str, ...]


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
    force: bool = False,
    progress: bool = False,
) -> list[Checked]:
    """Check a model and write check.json and check.html.

    Args:
        model: a model folder, a run folder or a hub name.
        out: folder for the files; None writes none.
        on: name -> path or `hub:` name of benchmarks.
        parallel: a folder of line-aligned files, or of pairs of languages: the translations of a line are its answers.
        texts: a file of texts in several languages, without labels; languages are detected where it names none.
        questions: a file of questions for `texts`; by default they are drawn from the texts.
        languages: only these, and for detection: among these.
        settings: how much is looked at.
        limits: measure -> the figure that must not be passed.
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
    chosen = settings or CheckSettings()
    if out is None:
        return _checked(model, on or {}, parallel, texts, questions, languages, chosen, dict(limits or {}), progress)
    inputs = [*paths_of(model), *(on or {}).values(), parallel, texts, questions]
    with outputs.folder(out, "check", model=model, inputs=inputs, force=force) as place:
        found = _checked(model, on or {}, parallel, texts, questions, languages, chosen, dict(limits or {}), progress)
        from triglot.report.check_page import to_html

        write_json(place / "check.json", as_json(model, found))
        write_text(place / "check.html", to_html(model, [(one.check, one.verdict) for one in found]))
    return found


def _checked(
    model: str,
    on: Mapping[str, str],
    parallel: str,
    texts: str,
    questions: str,
    languages: Sequence[str],
    settings: CheckSettings,
    limits: dict[str, float],
    progress: bool,
) -> list[Checked]:
    only = list(languages) or None
    more: dict[str, Any] = {"languages": only, "stream": False, "classification": False}
    sets = {path: open_benchmark(path, name=name, **more).in_memory() for name, path in on.items()}
    if parallel:
        sets[parallel] = bitext.read_retrieval(parallel, name=Path(parallel).resolve().name, languages=only)
    collection = _collection(texts, languages) if texts else None
    asked = _questions(questions, collection.languages) if questions and collection else None
    encoder = load_model(model)
    found = []
    for path, benchmark in sets.items():
        log.info("%s: %s", benchmark.name, ", ".join(benchmark.languages))
        found.append((check_benchmark(encoder, benchmark, settings, progress=progress), path))
    if collection:
        log.info("%s: %s", collection.name, ", ".join(collection.languages))
        given: dict[str, Any] = {"questions": asked.texts, "question_langs": asked.langs} if asked else {}
        given |= {"name": collection.name, "notes": collection.notes, "progress": progress}
        found.append((check_collection(encoder, collection.texts, collection.langs, settings, **given), texts))
    return [Checked(one, verdict(one, model, path), tuple(past_limits(one, limits))) for one, path in found]


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
    _, texts, langs = read_collection(path)
    notes = []
    unknown = [row for row, code in enumerate(langs) if not code]
    if unknown:
        for row, code in zip(unknown, detect([texts[row] for row in unknown], languages), strict=True):
            langs[row] = code
        notes.append(
            f"the languages of {len(unknown):,} texts were detected (py3langid); give them in a column `lang` if "
            "you know them"
        )
    counts = Counter(langs)
    least = max(FEWEST, _LEAST_SHARE * len(texts)) if unknown else 0
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
    _, texts, langs = read_collection(path)
    unknown = [row for row, code in enumerate(langs) if not code]
    for row, code in zip(unknown, detect([texts[row] for row in unknown], languages) if unknown else [], strict=True):
        langs[row] = code
    return _Texts(Path(path).name, texts, langs)


def as_json(model: str, found: Sequence[Checked]) -> dict[str, Any]:
    """The content of check.json. `verdict` is the worst of all, `checks` has each."""
    worst = max(found, key=lambda one: one.check.measures.get(EXCESS, 0.0))
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
