"""Attacks from the command line and from recipes: word lists read once, results and attacked texts beside one another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from triglot.attack import STANDARD, Attack, Lexicon, attack_queries
from triglot.attack.plant import Plant, plant
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.wordlist import read_lists
from triglot.evaluate import write_results
from triglot.evaluate.evaluator import encode_set
from triglot.evaluate.tables import Evaluation
from triglot.files import write_json
from triglot.settings import Document, build, split_word
from triglot.study.load import load_model

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
    on: Mapping[str, RetrievalSet],
    out: str | Path,
    *,
    attacks: Sequence[Attack] = (),
    plants: Sequence[Plant] = (),
    lists: str = "",
    progress: bool = False,
) -> Path:
    """Attack a model on benchmarks and write the results.

    Args:
        model: a model folder, a run folder or a hub name.
        on: benchmarks by name.
        out: folder for results.json, attacks/NAME+ATTACK.jsonl, and plants.json.
        attacks: on queries; by default the standard suite (without code-switching where there are no lists).
        plants: passages to plant.
        lists: folder of word lists.
        progress: show bars.

    Returns:
        the path of results.json.
    """
    if not attacks and not plants:
        attacks = [attack for attack in STANDARD if lists or not attack.needs_lists]
        if len(attacks) < len(STANDARD):
            log.warning("no --lists: %d attacks that replace words by translations are left out", len(STANDARD) - len(attacks))
    encoder, out = load_model(model), Path(out)
    languages = sorted({code for benchmark in on.values() for code in benchmark.languages})
    lexicon_of = lexicons(lists, languages) if lists else None
    found = attacked(encoder, on, attacks, out, lexicon_of=lexicon_of, progress=progress)
    if plants:
        planted: dict[str, Any] = {}
        for name, benchmark in on.items():
            queries, passages = encode_set(encoder, benchmark, progress=progress)
            planted[name] = {one.method: plant(encoder, benchmark, queries, passages, one) for one in plants}
        write_json(out / "plants.json", planted)
    return write_results(out, found, model=model)
