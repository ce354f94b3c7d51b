"""`triglot attack`: questions changed and passages planted against a model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.attack import STANDARD, AttackSettings
from triglot.attack.poison import PoisonSettings, check_poison, plant
from triglot.benchmark import Opened, open_benchmark
from triglot.commands.models import load_model, paths_of
from triglot.commands.sources import source_path
from triglot.corpus.formats.registry import FORMATS, locate
from triglot.encoder.computing import USUAL, Computing
from triglot.encoder.once import encode_set
from triglot.evaluate import write_results
from triglot.files import InputError, write_json
from triglot.measures.result import Result
from triglot.study.attacks import attacked, attacked_tasks, lexicons

log = logging.getLogger("triglot")


def attack_model(
    model: str,
    on: Mapping[str, str],
    out: str | Path,
    *,
    attacks: Sequence[AttackSettings] = (),
    plants: Sequence[PoisonSettings] = (),
    lists: str = "",
    format: str = "",
    options: Mapping[str, Any] | None = None,
    cache: str = "",
    computing: Computing = USUAL,
    force: bool = False,
    progress: bool = False,
) -> Path:
    """Attack a model on benchmarks and write the results.

    Args:
        model: a model folder, a run folder or a hub name.
        on: name -> path, `FORMAT:PATH` or `hub:` name of each benchmark.
        out: folder for results.json, attacks/NAME+ATTACK.jsonl, and plants.json; see `triglot.outputs` for what it may
            hold.
        attacks: on queries; by default the standard suite (without code-switching where there are no lists).
        plants: passages to plant.
        lists: folder of word lists.
        format: of the benchmarks; empty to tell it from their names.
        options: of the format's reader (`candidate_text`, `languages`).
        cache: where vectors are kept, see `triglot.commands.models.load_model`.
        computing: how the model computes.
        force: replace another model's results.
        progress: show bars.

    Returns:
        the path of results.json.
    """
    if not attacks and not plants:
        attacks = [attack for attack in STANDARD if lists or not attack.needs_lists]
        if len(attacks) < len(STANDARD):
            log.warning(
                "no --lists: %d attacks that replace words by translations are left out", len(STANDARD) - len(attacks)
            )
    inputs = [*paths_of(model), *map(source_path, on.values()), lists]
    how: dict[str, Any] = {"format": format, "options": options, "stream": False, "classification": False}
    with outputs.folder(out, "attack", model=model, inputs=inputs, force=force) as place:
        opened = {name: _opened(spec, name, how) for name, spec in on.items()}
        tasks = [one.task for one in opened.values() if one.task is not None]
        if tasks and plants:
            raise InputError(f"{tasks[0].name}: has no passages among which one could be planted")
        sets = {name: one.in_memory() for name, one in opened.items() if one.task is None}
        for benchmark in sets.values():
            for one in plants:
                check_poison(benchmark, one)
        encoder = load_model(model, cache=cache, computing=computing)
        spoken = [*(one.languages for one in sets.values()), *(task.test.languages for task in tasks)]
        languages = sorted({code for codes in spoken for code in codes})
        lexicon_of = lexicons(lists, languages) if lists else None
        more: dict[str, Any] = {"lexicon_of": lexicon_of, "progress": progress}
        found: dict[str, Result] = {**attacked(encoder, sets, attacks, place, **more)}
        found |= attacked_tasks(encoder, tasks, attacks, place, **more)
        if plants:
            planted: dict[str, Any] = {}
            for name, benchmark in sets.items():
                queries, passages = encode_set(encoder, benchmark, progress=progress)
                planted[name] = {
                    key: plant(encoder, benchmark, queries, passages, one) for key, one in _numbered(plants).items()
                }
            write_json(place / "plants.json", planted)
        write_results(place, found, model=model)
    return Path(out) / "results.json"


def _opened(spec: str, name: str, how: Mapping[str, Any]) -> Opened:
    """A benchmark; pairs of texts to classify where its format has nothing to retrieve."""
    row = FORMATS[locate(spec, format=how["format"]).format]
    return open_benchmark(spec, name=name, **{**how, "classification": row.tasks == ("classification",)})


def _numbered(plants: Sequence[PoisonSettings]) -> dict[str, PoisonSettings]:
    """Settings by the name of their method; further ones of the same method as `greedy-2`, `greedy-3`."""
    found: dict[str, PoisonSettings] = {}
    for one in plants:
        nth = sum(other.method == one.method for other in found.values()) + 1
        found[one.method if nth == 1 else f"{one.method}-{nth}"] = one
    return found
