"""Attacks from the command line and from recipes: word lists read once, results and attacked texts beside one
another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from triglot.attack import AttackSettings, Lexicon, attack_queries
from triglot.attack.pairs import attack_pairs
from triglot.attack.searches import SEARCHES
from triglot.classify.tasks import Task
from triglot.corpus.formats.wordlist import read_lists
from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.protocol import Encoder
from triglot.evaluate.tables import Evaluation
from triglot.measures.result import Result
from triglot.names import check_name

log = logging.getLogger("triglot")


def lexicons(path: str | Path, languages: Sequence[str]) -> Callable[[int | None], Lexicon]:
    """Half of the word lists (0, 1, None for all) -> `Lexicon`, each made once."""
    return cache(lambda half: Lexicon(read_lists(path, languages=list(languages) or None, both=True, half=half)[0]))


def attacked(
    encoder: Encoder,
    benchmarks: Mapping[str, RetrievalSet],
    attacks: Sequence[AttackSettings],
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
    evaluations: dict[str, Evaluation] = {}
    for name, benchmark in benchmarks.items():
        log.info("attacking %s: %s", name, ", ".join(attack.label for attack in attacks))
        before = (clean or {}).get(name)
        evaluations[name], done = attack_queries(
            encoder, benchmark, attacks, lexicon_of=lexicon_of, clean=before, progress=progress
        )
        for one in done:
            label = f"{name}+{one.attack.label}"
            evaluations[label] = one.evaluation
            if SEARCHES[one.attack.search].of_texts:
                one.write_texts(out / "attacks" / f"{label}.jsonl")
    return evaluations


def attacked_tasks(
    encoder: Encoder,
    tasks: Sequence[Task],
    attacks: Sequence[AttackSettings],
    out: Path,
    *,
    lexicon_of: Callable[[int | None], Lexicon] | None,
    progress: bool = False,
) -> dict[str, Result]:
    """Each classification clean and under each attack, as `NAME` and `NAME+ATTACK`; attacked texts go to
    `out/attacks/`."""
    results: dict[str, Result] = {}
    for task in tasks:
        for one in attacks:
            check_name("benchmark", f"{task.name}+{one.label}", "attacks")
        log.info("attacking %s: %s", task.name, ", ".join(attack.label for attack in attacks))
        results[task.name], done = attack_pairs(encoder, task, attacks, lexicon_of=lexicon_of, progress=progress)
        for one in done:
            label = f"{task.name}+{one.attack.label}"
            results[label] = one.classification
            if SEARCHES[one.attack.search].of_texts:
                one.write_texts(out / "attacks" / f"{label}.jsonl", task.test.ids)
    return results
