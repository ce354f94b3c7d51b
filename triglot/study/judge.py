"""A model on the benchmarks of its recipe: clean, under attack, and written out as the results of its run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triglot.attack.settings import AttackSettings
from triglot.classify.judge import evaluate_task
from triglot.encoder.card import add_scores
from triglot.encoder.protocol import Encoder
from triglot.evaluate import Evaluation, write_results
from triglot.evaluate.encodings import EncodingSettings
from triglot.evaluate.retrievers import Dense, evaluate
from triglot.measures.result import Result
from triglot.study.attacks import attacked, attacked_tasks
from triglot.study.inputs import Benchmarks, Inputs

log = logging.getLogger("triglot")


def evaluate_all(
    encoder: Encoder,
    benchmarks: Benchmarks,
    *,
    ranked: bool | None = None,
    tasks: bool = True,
    encoding: EncodingSettings | None = None,
) -> dict[str, Result]:
    """An encoder on benchmarks; `ranked` as for `evaluate.retrievers.evaluate`. Without `tasks` nothing is classified;
    with an `encoding` retrieval is scored so."""
    retriever = Dense(encoder, encoding=encoding or EncodingSettings())
    results: dict[str, Result] = {}
    for asked, opened in benchmarks:
        if opened.retrieval is not None:
            results[asked.name] = evaluate(
                retriever, opened.retrieval, ranked=ranked, depth=asked.depth, subsets=asked.subsets
            )
        if tasks and opened.task is not None:
            results[opened.task.name] = evaluate_task(encoder, opened.task)
    return results


def judge(
    encoder: Any,
    inputs: Inputs,
    attacks: Sequence[AttackSettings],
    out: Path,
    *,
    model: str,
    title: str,
    encoding: EncodingSettings | None = None,
) -> None:
    """Validate and evaluate a saved model; `results.json` comes last.

    Args:
        encoder: the model of the run folder.
        inputs: of the run.
        attacks: on the queries of its benchmarks.
        out: run folder.
        model: name in the results.
        title: of the model's card.
        encoding: how its texts are scored in retrieval.
    """
    if encoding is not None and not encoding.plain and attacks:
        log.warning("encoding %s: attacks are on vectors of whole texts, and left out", encoding.name)
        attacks = ()
    if inputs.validation and not (out / "validation" / "results.json").is_file():
        write_results(out / "validation", evaluate_all(encoder, inputs.validation, encoding=encoding), model=model)
    if inputs.evaluate:
        log.info("evaluating %s on %s", model, ", ".join(asked.name for asked, _ in inputs.evaluate))
    how: dict[str, Any] = {"ranked": False if attacks else None, "tasks": not attacks, "encoding": encoding}
    results = evaluate_all(encoder, inputs.evaluate, **how)
    if attacks:
        lexicon_of = inputs.lexicons.__getitem__
        tasks = [opened.task for _, opened in inputs.evaluate if opened.task is not None]
        whole = {name: one for name, one in results.items() if isinstance(one, Evaluation)}
        for name in results.keys() - whole:
            log.warning("%s is streamed, and not attacked", name)
        sets = {name: one.benchmark for name, one in whole.items()}
        results |= attacked(encoder, sets, attacks, out, lexicon_of=lexicon_of, clean=whole)
        results |= attacked_tasks(encoder, tasks, attacks, out, lexicon_of=lexicon_of)
    add_scores(out / "model", title, {name: one.summary for name, one in results.items() if "+" not in name})
    write_results(out, results, model=model)
