"""`triglot evaluate`: a model on benchmarks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.commands.models import paths_of, retriever
from triglot.commands.sources import check_there, source_path
from triglot.encoder.computing import USUAL, Computing
from triglot.files import InputError
from triglot.measures.result import Result

log = logging.getLogger("triglot")


def evaluate_model(
    model: str,
    on: Mapping[str, str],
    out: str | Path,
    *,
    format: str = "",
    options: Mapping[str, Any] | None = None,
    classify: Mapping[str, Any] | None = None,
    encoding: Mapping[str, Any] | None = None,
    lists: str = "",
    depth: int = 1000,
    similarity: str = "",
    save_run: bool = False,
    subsets: Sequence[Sequence[str]] = (),
    cache: str = "",
    computing: Computing = USUAL,
    force: bool = False,
    progress: bool = False,
) -> Path:
    """Evaluate a model on benchmarks and write the results.

    Args:
        model: see `triglot.commands.models.retriever`.
        on: name -> path, `FORMAT:PATH` or `hub:` name of each benchmark.
        out: folder for results.json and what lies beside it; see `triglot.outputs` for what it may hold.
        format: of the benchmarks; empty to tell it from their names.
        options: of the format's reader (`candidate_text`, `languages`).
        classify: how heads are trained where something is to be classified, see
            `triglot.classify.tasks.ClassifySettings`.
        encoding: how a model's texts are scored in retrieval, fields of
            `triglot.evaluate.encodings.EncodingSettings`.
        lists: folder of word lists for `bm25-translated`.
        depth: passages a query in top-k runs.
        similarity: of embeddings made elsewhere: `dot`, the default, or `cosine`.
        save_run: write NAME.run.gz and NAME.qrels.gz for every benchmark, and report the figures of the run.
        subsets: languages of smaller pools to report as well.
        cache: where vectors are kept, see `triglot.commands.models.load_model`.
        computing: how the model computes.
        force: replace another model's results.
        progress: show bars.

    Returns:
        the path of results.json.
    """
    from triglot.evaluate.results import write_results

    check_there(*on.values(), format=format)
    trained = [
        value for key, value in (classify or {}).items() if key in ("trained", "train") and isinstance(value, str)
    ]
    inputs = [*paths_of(model), *map(source_path, on.values()), lists, str((options or {}).get("corpus", "")), *trained]
    with outputs.folder(out, "evaluate", model=model, inputs=inputs, force=force) as place:
        given = {"format": format, "options": options or {}, "classify": classify or {}, "lists": lists, "depth": depth}
        given |= {"similarity": similarity, "runs": place if save_run else None, "cache": cache}
        given |= {"computing": computing, "encoding": encoding or {}}
        answers = _answers(model, on, **given, subsets=subsets, progress=progress)
        write_results(place, answers, model=model)
    return Path(out) / "results.json"


def _answers(
    model: str,
    on: Mapping[str, str],
    *,
    format: str,
    options: Mapping[str, Any],
    classify: Mapping[str, Any],
    encoding: Mapping[str, Any],
    lists: str,
    depth: int,
    similarity: str,
    runs: Path | None,
    cache: str,
    computing: Computing,
    subsets: Sequence[Sequence[str]],
    progress: bool,
) -> dict[str, Result]:
    """The answers to each benchmark, and the classifications, by name; all benchmarks are read before the first is
    judged.

    With `runs`, that folder gets NAME.run.gz and NAME.qrels.gz of every benchmark.
    """
    from triglot.benchmark import open_benchmark
    from triglot.classify.judge import evaluate_task
    from triglot.corpus.formats.registry import FORMATS
    from triglot.corpus.formats.runs import run_written
    from triglot.corpus.formats.trec import write_qrels
    from triglot.document import Document
    from triglot.evaluate.bias.scope import check_subsets
    from triglot.evaluate.encodings import EncodingSettings
    from triglot.evaluate.ranked import check_ids, judged
    from triglot.evaluate.retrievers import Bm25, Dense, evaluate
    from triglot.settings import build

    how: dict[str, Any] = {"lists": lists, "similarity": similarity, "cache": cache, "computing": computing}
    chosen = retriever(model, names=list(on), progress=progress, **how)
    needed = isinstance(chosen, Dense | Bm25)
    if encoding and not isinstance(chosen, Dense):
        raise InputError(f"--encoding: says how a model's texts are scored, and {model} is none")
    if isinstance(chosen, Dense):
        chosen = replace(chosen, encoding=build(EncodingSettings, Document(dict(encoding), "--encoding")))
    languages = options.get("languages")
    of_reader = {key: value for key, value in options.items() if key != "languages"}
    benchmarks, tasks = {}, []
    for name, spec in on.items():
        opened = open_benchmark(
            spec, name=name, format=format, languages=languages, options=of_reader, heads=classify, passages=needed
        )
        if opened.task and not isinstance(chosen, Dense):
            log.warning("%s: left out, %s has no vectors for it", opened.task.name, model)
        elif opened.task:
            tasks.append(opened.task)
        if opened.retrieval is None:
            continue
        benchmarks[name] = opened.retrieval
        check_subsets(name, subsets, opened.retrieval.languages)
        if runs:  # before hours of encoding
            check_ids(opened.retrieval, passages=needed)
    if classify and not tasks:
        formats = " or ".join(row.name for row in FORMATS if row.classification)
        raise InputError(
            f"--classify: nothing is classified; that takes a benchmark of format {formats} and a model with vectors"
        )
    answers: dict[str, Result] = {}
    for name, benchmark in benchmarks.items():
        log.info("%s: %s", name, ", ".join(benchmark.languages))
        wanted = {"depth": depth, "subsets": subsets, "tag": Path(model).name}
        if runs is None:
            answers[name] = evaluate(chosen, benchmark, **wanted)
            continue
        with run_written(runs / f"{name}.run.gz") as keep:
            answers[name] = evaluate(chosen, benchmark, ranked=True, keep=keep, **wanted)
        write_qrels(runs / f"{name}.qrels.gz", judged(benchmark).qrels)
    for task in tasks:
        log.info("%s: %s", task.name, ", ".join(task.codes))
        answers[task.name] = evaluate_task(chosen.encoder, task, progress=progress)
    if not answers:
        raise InputError(f"{model}: has no vectors, and there is nothing else to judge")
    return answers
