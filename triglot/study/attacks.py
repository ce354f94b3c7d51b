"""Attacks from the command line and from recipes: word lists read once, results and attacked texts beside one another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.attack import STANDARD, Attack, Lexicon, attack_queries
from triglot.attack.plant import Plant, check_plant, plant
from triglot.corpus.formats import detect, read_retrieval
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.wordlist import read_lists
from triglot.evaluate import write_results
from triglot.evaluate.evaluator import encode_set
from triglot.evaluate.tables import Evaluation
from triglot.files import write_json
from triglot.names import check_name
from triglot.settings import Document, build, split_word
from triglot.study.load import load_model, paths_of

log = logging.getLogger("triglot")


def parse(words: Sequence[str], kind: type, option: str) -> list[Any]:
    """Settings dataclasses from words such as `kinds=[insert,codeswitch] rate=0.2 search=worst`.

    Args:
        words: one an attack.
        kind: the dataclass.
        option: of the command line, for errors.

    Raises:
        InputError: what is not key=value, an unknown key, a wrong value.
    """
    found = []
    for word in words:
        values = dict(split_word(part) for part in word.split())
        if isinstance(values.get("kinds"), str):
            values["kinds"] = values["kinds"].split(",")
        found.append(build(kind, Document(values, option)))
    return found


def lexicons(path: str | Path, languages: Sequence[str]) -> Callable[[int | None], Lexicon]:
    """Half of the word lists (0, 1, None for all) -> `Lexicon`, each made once."""
    return cache(lambda half: Lexicon(read_lists(path, languages=list(languages) or None, both=True, half=half)[0]))


def attacked(
    encoder: Any,
    benchmarks: Mapping[str, RetrievalSet],
    attacks: Sequence[Attack],
    out: Path,
    *,
    lexicon_of: Callable[[int | None], Lexicon] | None,
    clean: Mapping[str, Evaluation] | None = None,
    progress: bool = False,
) -> dict[str, Evaluation]:
    """Each benchmark clean and under each attack, as `NAME` and `NAME+ATTACK`; attacked texts go to `out/attacks/`."""
    for name in benchmarks:
        for one in attacks:
            check_name("benchmark", f"{name}+{one.label}", "attacks")
    found: dict[str, Evaluation] = {}
    for name, benchmark in benchmarks.items():
        log.info("attacking %s: %s", name, ", ".join(attack.label for attack in attacks))
        before = (clean or {}).get(name)
        found[name], done = attack_queries(encoder, benchmark, attacks, lexicon_of=lexicon_of, clean=before, progress=progress)
        for one in done:
            label = f"{name}+{one.attack.label}"
            found[label] = one.evaluation
            if one.attack.search != "embedding":
                one.write_texts(out / "attacks" / f"{label}.jsonl")
    return found


def attack_model(
    model: str,
    on: Mapping[str, str],
    out: str | Path,
    *,
    attacks: Sequence[Attack] = (),
    plants: Sequence[Plant] = (),
    lists: str = "",
    format: str = "",
    options: Mapping[str, Any] | None = None,
    force: bool = False,
    progress: bool = False,
) -> Path:
    """Attack a model on benchmarks and write the results.

    Args:
        model: a model folder, a run folder or a hub name.
        on: name -> path of each benchmark.
        out: folder for results.json, attacks/NAME+ATTACK.jsonl, and plants.json; see `triglot.outputs` for what it may hold.
        attacks: on queries; by default the standard suite (without code-switching where there are no lists).
        plants: passages to plant.
        lists: folder of word lists.
        format: of the benchmarks; empty to tell it from their names.
        options: of the format's reader (`candidate_text`, `languages`).
        force: replace another model's results.
        progress: show bars.

    Returns:
        the path of results.json.
    """
    if not attacks and not plants:
        attacks = [attack for attack in STANDARD if lists or not attack.needs_lists]
        if len(attacks) < len(STANDARD):
            log.warning("no --lists: %d attacks that replace words by translations are left out", len(STANDARD) - len(attacks))
    with outputs.folder(out, "attack", model=model, inputs=[*paths_of(model), *on.values(), lists], force=force) as place:
        sets = {name: read_retrieval(format or detect(path), path, name=name, **(options or {})) for name, path in on.items()}
        for benchmark in sets.values():
            for one in plants:
                check_plant(benchmark, one)
        encoder = load_model(model)
        languages = sorted({code for benchmark in sets.values() for code in benchmark.languages})
        lexicon_of = lexicons(lists, languages) if lists else None
        found = attacked(encoder, sets, attacks, place, lexicon_of=lexicon_of, progress=progress)
        if plants:
            planted: dict[str, Any] = {}
            for name, benchmark in sets.items():
                queries, passages = encode_set(encoder, benchmark, progress=progress)
                planted[name] = {one.method: plant(encoder, benchmark, queries, passages, one) for one in plants}
            write_json(place / "plants.json", planted)
        write_results(place, found, model=model)
    return Path(out) / "results.json"
