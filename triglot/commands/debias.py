"""`triglot debias`: the language taken out of a saved model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triglot import outputs
from triglot.commands.models import load_model, model_folder, paths_of
from triglot.commands.sources import check_there, read_source, source_path
from triglot.corpus.formats.vectors import blocks
from triglot.encoder.computing import USUAL, Computing
from triglot.encoder.languages import UNKNOWN, Removal
from triglot.files import InputError, read_lines
from triglot.language_tags import language

log = logging.getLogger("triglot")
_FEW = 30  # vectors of a language, of which a mean says little
_PLAIN = 0.3  # length of a mean that is no chance
_LIKE = 0.5  # cosine of two means of one model and language


def debias_model(
    model: str,
    path: str,
    out: str | Path,
    settings: Mapping[str, Any],
    *,
    format: str = "",
    languages: Sequence[str] = (),
    held_out: Mapping[str, str] | None = None,
    seed: int = 1,
    cache: str = "",
    computing: Computing = USUAL,
    force: bool = False,
    progress: bool = False,
) -> str:
    """Take the language out of a saved model and save the result.

    Args:
        model: as for `load_model`.
        path: training data whose texts are the sample.
        out: model folder to write; see `triglot.outputs` for what it may hold.
        settings: of `triglot.debias.DebiasSettings`.
        format: of the data; empty to tell it.
        languages: only these; empty for all.
        held_out: name -> path of benchmarks; texts that occur there are not used.
        seed: of the sample.
        cache: where vectors are kept, see `triglot.commands.models.load_model`.
        computing: how the model computes.
        force: replace what was made of another model.
        progress: show bars.

    Returns:
        one line about what was done.
    """
    from triglot.benchmark import open_benchmark
    from triglot.debias.settings import DebiasSettings
    from triglot.document import Document
    from triglot.settings import build

    chosen = build(DebiasSettings, Document(dict(settings), "debias"))
    if not chosen.method:
        raise InputError("--method: is missing")
    aside = held_out or {}
    check_there(path, format=format)
    check_there(*aside.values())
    from triglot.debias.fit import debias
    from triglot.encoder.card import Card
    from triglot.study.derive import fit_line

    inputs = [*paths_of(model), *map(source_path, (path, *aside.values()))]
    with outputs.folder(out, "debias", model=model, inputs=inputs, force=force) as place:
        corpus = read_source(path, format=format, languages=languages)
        hidden: set[str] = set()
        for name, benchmark_path in aside.items():
            benchmark = open_benchmark(benchmark_path, name=name, stream=False, classification=False).in_memory()
            hidden |= benchmark.judged_texts
        fitted = debias(
            load_model(model, cache=cache, computing=computing),
            corpus,
            chosen,
            seed=seed,
            held_out=hidden,
            progress=progress,
        )
        source = Path(source_path(path)).resolve().name
        line = fit_line(chosen, fitted, source)
        for tried in fitted.choice.lines() if fitted.choice else ():
            log.info("%s", tried)
        base = "" if Path(model).expanduser().exists() else model
        begun = (
            []
            if base
            else [f"made of the model {Path(model).resolve().name}, whose own card tells how that was trained"]
        )
        fitted.encoder.save(
            place, card=Card(languages=corpus.languages, base=base, sources={source: ""}, training=[*begun, line])
        )
    return line


def strengths(text: str) -> dict[str, Any]:
    """What `--strength` says: `0.8`, `de=0.5,fr=1`, both, or `by-language`; empty: to be chosen.

    Returns:
        the settings `strength`, `strengths` and `by_language`.

    Raises:
        InputError: anything else, or a number that is not from 0 to 1.
    """
    if text == "by-language":
        return {"strength": None, "strengths": {}, "by_language": True}
    for_all, own = None, {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        code, equals, number = part.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise InputError(f"--strength: {part!r} is not a number from 0 to 1, LANG=NUMBER or by-language")
        if equals:
            own[language(code, "--strength")] = value
        elif for_all is None:
            for_all = value
        else:
            raise InputError(f"--strength: two numbers for all languages, {for_all:g} and {value:g}")
    return {"strength": for_all, "strengths": own, "by_language": False}


def debias_vectors(
    vectors: str,
    languages: str,
    out: str | Path,
    settings: Mapping[str, Any],
    *,
    model: str = "",
    side: str = "passage",
    force: bool = False,
) -> str:
    """Take the language out of vectors that were made elsewhere, and write them in the same order.

    Args:
        vectors: a `.npy` of (texts, dim) numbers, or Parquet, brought to unit length.
        languages: a file with the language of each, one code a line; a blank line leaves its vector as it is.
        out: the `.npy` to write, float32.
        settings: of `triglot.debias.DebiasSettings`: `centre`, `lir` or `lsar`, fitted on these very vectors.
        model: a model debiased by language, whose step is applied; nothing is fitted then.
        side: `query` or `passage`, where a step differs between them.
        force: replace what another command wrote.

    Returns:
        one line about what was done.

    Raises:
        InputError: files that do not fit each other or the model, or a method that needs texts.
    """
    from triglot.debias.fit import UNTRIED, step_of, strengths_of
    from triglot.debias.settings import DebiasSettings
    from triglot.document import Document
    from triglot.encoder.languages import read_removal
    from triglot.settings import build

    chosen = build(DebiasSettings, Document(dict(settings), "debias"))
    with outputs.files({"vectors": Path(out)}, "debias", inputs=[vectors, languages, model], force=force) as place:
        array, codes = read_vectors(vectors), [line.strip() for _, line in read_lines(languages)]
        if len(codes) != len(array):
            raise InputError(f"{languages}: {len(codes):,} lines, but {vectors} has {len(array):,} vectors")
        spoken = [language(code, f"{languages}:{number}") if code else "" for number, code in enumerate(codes, 1)]
        if model:
            if (step := read_removal(Path(model_folder(model)))) is None:
                raise InputError(
                    f"{model}: has no step for each language; debias it by centre, lir, shift or map first"
                )
        else:
            if chosen.by_language:
                raise InputError("--strength by-language: needs text to choose on, and vectors alone have none")
            strength = UNTRIED if chosen.strength is None else chosen.strength
            samples = {
                code: array[[row for row, one in enumerate(spoken) if one == code]] for code in sorted({*spoken} - {""})
            }
            step = step_of(chosen, samples)
            step = step.at(strengths_of(step, strength, chosen.strengths))
        if step.offsets.shape[1] != array.shape[1]:
            raise InputError(
                f"{vectors}: vectors of {array.shape[1]} dimensions, but {model} has {step.offsets.shape[1]}"
            )
        if model:
            _say_foreign(vectors, array, spoken, step, model, side)
        numbers = {code: step.number(code) if code else UNKNOWN for code in set(spoken)}
        moved = step.apply(array, np.array([numbers[code] for code in spoken], np.int64), side)
        with (place / Path(out).name).open("wb") as handle:
            np.save(handle, moved)
    known = sum(numbers[code] != UNKNOWN for code in spoken)
    return f"{len(array):,} vectors, {known:,} of them changed by {step.method}"


def _say_foreign(vectors: str, array: np.ndarray, spoken: Sequence[str], step: Removal, model: str, side: str) -> None:
    """Vectors of another model have means of their own, where the step knows those of its model (`centre`)."""
    if step.method != "centre":
        return
    offsets = step.query_offsets if side == "query" and step.query_offsets is not None else step.offsets
    codes = np.array(spoken)
    for code in sorted({*spoken} - {""}):
        own, place = array[codes == code], step.number(code)
        if len(own) < _FEW or place == UNKNOWN:
            continue
        mean, offset = own.mean(axis=0), offsets[place]
        length = float(np.linalg.norm(mean))
        near = float(mean @ offset) / max(length * float(np.linalg.norm(offset)), 1e-12)
        if length > _PLAIN and near < _LIKE:
            log.warning(
                "%s: the mean of the vectors in %s is not that of %s (%.2f in cosine); are they of another model?",
                *(vectors, code, model, near),
            )


def read_vectors(path: str) -> np.ndarray:
    """(texts, dim) float32 unit vectors of a file that `triglot.corpus.formats.vectors` reads, in its order; zero
    vectors stay.

    Raises:
        InputError: it is none, or has numbers that are not finite.
    """
    array = np.concatenate([block for _, block in blocks(Path(path))])
    if not np.isfinite(array).all():
        raise InputError(f"{path}: has numbers that are not finite")
    return array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-12)
