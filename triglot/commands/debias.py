"""`triglot debias`: the language taken out of a saved model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.commands.models import load_model, paths_of
from triglot.commands.sources import read_source, source_path
from triglot.files import InputError

log = logging.getLogger("triglot")


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
    force: bool = False,
    progress: bool = False,
) -> str:
    """Take the language out of a saved model and save the result.

    Args:
        model: as for `load_model`.
        path: training data whose texts are the sample.
        out: model folder to write; see `triglot.outputs` for what it may hold.
        settings: of `triglot.debias.Debias`.
        format: of the data; empty to tell it.
        languages: only these; empty for all.
        held_out: name -> path of benchmarks; texts that occur there are not used.
        seed: of the sample.
        force: replace what was made of another model.
        progress: show bars.

    Returns:
        one line about what was done.
    """
    from triglot.benchmark import open_benchmark
    from triglot.debias import Debias, debias
    from triglot.encoder.card import Card
    from triglot.settings import Document, build
    from triglot.study.derive import fit_line

    chosen = build(Debias, Document(dict(settings), "debias"))
    if not chosen.method:
        raise InputError("--method: is missing")
    aside = held_out or {}
    inputs = [*paths_of(model), *map(source_path, (path, *aside.values()))]
    with outputs.folder(out, "debias", model=model, inputs=inputs, force=force) as place:
        corpus = read_source(path, format=format, languages=languages)
        hidden: set[str] = set()
        for name, benchmark_path in aside.items():
            benchmark = open_benchmark(benchmark_path, name=name, stream=False, classification=False).in_memory()
            hidden.update(benchmark.queries.texts, benchmark.passages.texts)
        fitted = debias(load_model(model), corpus, chosen, seed=seed, held_out=hidden, progress=progress)
        source = Path(path).resolve().name
        line = fit_line(chosen, fitted, source)
        base = "" if Path(model).expanduser().exists() else model
        begun = [] if base else [f"made of the model {Path(model).resolve().name}, whose own card tells how that was trained"]
        fitted.encoder.save(place, card=Card(languages=corpus.languages, base=base, sources={source: ""}, training=[*begun, line]))
    return line
