"""What the command line does with a model: make, evaluate, encode, search."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triglot import outputs
from triglot.files import InputError, nearest
from triglot.language_tags import language
from triglot.names import check_name
from triglot.study.load import load_model, paths_of, retriever

log = logging.getLogger("triglot")


def named_paths(words: Sequence[str], option: str = "--on") -> dict[str, str]:
    """`NAME=PATH` words as a dictionary. Raises InputError for a word without `=`, a name given twice, or one that no file can have."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not name or not path:
            raise InputError(f"{option} {word}: not NAME=PATH")
        if check_name("benchmark", name, f"{option} {word}") in found:
            raise InputError(f"{option} {word}: the name {name!r} is given twice")
        found[name] = path
    return found


def evaluate_model(
    model: str,
    on: Mapping[str, str],
    out: str | Path,
    *,
    format: str = "",
    options: Mapping[str, Any] | None = None,
    classify: Mapping[str, Any] | None = None,
    lists: str = "",
    depth: int = 1000,
    similarity: str = "",
    save_run: bool = False,
    subsets: Sequence[Sequence[str]] = (),
    force: bool = False,
    progress: bool = False,
) -> Path:
    """Evaluate a model on benchmarks and write the results.

    Args:
        model: see `triglot.study.load.retriever`.
        on: name -> path or `hub:` name of each benchmark.
        out: folder for results.json and what lies beside it; see `triglot.outputs` for what it may hold.
        format: of the benchmarks; empty to tell it from their names.
        options: of the format's reader (`candidate_text`, `languages`).
        classify: how heads are trained for benchmarks of nli and stance, see `triglot.evaluate.tasks.Classify`.
        lists: folder of word lists for `bm25-translated`.
        depth: passages a query in top-k runs.
        similarity: of embeddings made elsewhere: `dot`, the default, or `cosine`.
        save_run: write NAME.run.gz and NAME.qrels.gz for every benchmark, and report the figures of the run.
        subsets: languages of smaller pools to report as well.
        force: replace another model's results.
        progress: show bars.

    Returns:
        the path of results.json.
    """
    from triglot.evaluate.results import write_results

    trained = [value for key, value in (classify or {}).items() if key in ("trained", "train") and isinstance(value, str)]
    inputs = [*paths_of(model), *on.values(), lists, str((options or {}).get("corpus", "")), *trained]
    with outputs.folder(out, "evaluate", model=model, inputs=inputs, force=force) as place:
        given = {"format": format, "options": options or {}, "classify": classify or {}, "lists": lists, "depth": depth}
        given |= {"similarity": similarity, "runs": place if save_run else None}
        answers = _answers(model, on, **given, subsets=subsets, progress=progress)
        write_results(place, {name: getattr(answer, "result", answer) for name, answer in answers.items()}, model=model)
    return Path(out) / "results.json"


def _answers(
    model: str,
    on: Mapping[str, str],
    *,
    format: str,
    options: Mapping[str, Any],
    classify: Mapping[str, Any],
    lists: str,
    depth: int,
    similarity: str,
    runs: Path | None,
    subsets: Sequence[Sequence[str]],
    progress: bool,
) -> dict[str, Any]:
    """The answers to each benchmark, and the classifications, by name; all benchmarks are read before the first is judged.

    With `runs`, that folder gets NAME.run.gz and NAME.qrels.gz of every benchmark.
    """
    from triglot.corpus.collection import check_languages
    from triglot.corpus.formats import detect, read_benchmark
    from triglot.corpus.hub import PREFIX
    from triglot.corpus.runs import run_written
    from triglot.corpus.trec import write_qrels
    from triglot.evaluate.classify import evaluate_task
    from triglot.evaluate.ranked import check_ids, judged
    from triglot.evaluate.retrievers import Bm25, Dense, evaluate
    from triglot.evaluate.scope import check_subsets
    from triglot.evaluate.tasks import FORMATS, read_parts

    chosen = retriever(model, names=list(on), lists=lists, similarity=similarity, progress=progress)
    benchmarks, tasks = {}, []
    for name, path in on.items():
        told = format or ("" if path.startswith(PREFIX) else detect(path))
        needed, of_reader = isinstance(chosen, Dense | Bm25), dict(options)
        if told in FORMATS:
            spoken = options.get("languages")
            more = {key: value for key, value in options.items() if key != "languages"}
            of_reader, task = read_parts(told, path, name=name, options={**more, **classify}, languages=spoken)
            if task and not isinstance(chosen, Dense):
                log.warning("%s: left out, %s has no vectors for it", task.name, model)
            elif task:
                tasks.append(task)
            if of_reader is None:
                continue
            of_reader |= {"languages": spoken} if spoken else {}
        benchmarks[name] = one = read_benchmark(path, name=name, format=told, passages=needed, **of_reader)
        check_languages(name, options.get("languages"), one.languages)
        check_subsets(name, subsets, one.languages)
        if runs:  # before hours of encoding
            check_ids(one, passages=needed)
    if classify and not tasks:
        raise InputError(
            f"--classify: nothing is classified; that takes a benchmark of format {' or '.join(FORMATS)} and a model with vectors"
        )
    answers: dict[str, Any] = {}
    for name, one in benchmarks.items():
        log.info("%s: %s", name, ", ".join(one.languages))
        how = {"depth": depth, "subsets": subsets, "tag": Path(model).name}
        if runs is None:
            answers[name] = evaluate(chosen, one, **how)
            continue
        with run_written(runs / f"{name}.run.gz") as keep:
            answers[name] = evaluate(chosen, one, ranked=True, keep=keep, **how)
        write_qrels(runs / f"{name}.qrels.gz", judged(one).qrels)
    for task in tasks:
        log.info("%s: %s", task.name, ", ".join(task.codes))
        answers[task.name] = evaluate_task(chosen.encoder, task, progress=progress)
    if not answers:
        raise InputError(f"{model}: has no vectors, and there is nothing else to judge")
    return answers


def fresh_encoder(
    paths: Sequence[str], out: str | Path, settings: Mapping[str, Any], *, format: str = "", seed: int = 1, force: bool = False
) -> Path:
    """A fresh encoder with a tokenizer made of the texts of training data, saved as a model folder."""
    from triglot.corpus.formats import detect
    from triglot.encoder import EncoderSettings, init_encoder
    from triglot.encoder.card import Card
    from triglot.encoder.tokenizer import word_counts
    from triglot.settings import Document, build
    from triglot.study.data import read_source

    chosen = build(EncoderSettings, Document(dict(settings), "init"))
    texts: dict[str, list[str]] = {}
    with outputs.folder(out, "init", inputs=paths, force=force) as place:
        for path in paths:
            corpus = read_source(path, format=format or detect(path))
            for text, lang in zip(corpus.texts.to_pylist(), corpus.text_lang.tolist(), strict=True):
                texts.setdefault(corpus.languages[lang], []).append(text)
        made = f"fresh weights, seed {seed}: not trained; the tokenizer was made of {sum(map(len, texts.values())):,} texts"
        sources = {Path(path).resolve().name: "" for path in paths}
        card = Card(languages=sorted(texts), sources=sources, training=[made])
        init_encoder(chosen, word_counts(texts), seed=seed).save(place, card=card)
    return Path(out)


def _speaking(encoder: Any, lang: str) -> Any:
    """An encoder whose texts are in one language, where it makes a difference to it."""
    from triglot.encoder.languages import ByLanguage

    if not lang or isinstance(encoder, ByLanguage):
        return encoder.in_language(language(lang)) if lang else encoder
    raise InputError(f"--lang: {encoder.name} encodes texts of all languages alike; leave it out")


def encode_file(
    model: str, path: str, out: str | Path, *, side: str, lang: str = "", force: bool = False, progress: bool = False
) -> tuple[int, int]:
    """Encode the texts of a file into a `.npy` file, row i for text i, with their ids in `.ids.txt` beside it. Returns the shape."""
    from triglot.corpus.passages import read_passages
    from triglot.corpus.vectors import ids_file, write_ids

    if side not in ("query", "passage"):
        raise InputError(f"--side: {side!r} is not query or passage{nearest(side, ('query', 'passage'))}")
    out = Path(out)
    targets = {"vectors": out, "ids": ids_file(out)}
    with outputs.files(targets, "encode", inputs=[*paths_of(model), path], force=force) as place:
        ids, texts = read_passages(path)
        vectors = _speaking(load_model(model), lang).encode(texts, side=side, progress=progress)
        write_ids(place / out.name, ids)
        with (place / out.name).open("wb") as handle:
            np.save(handle, vectors)
    return vectors.shape


@dataclass(frozen=True)
class Hit:
    """A passage that was found."""

    rank: int
    score: float
    id: str
    text: str


def search(model: str, path: str, queries: Sequence[str], *, k: int = 10, lang: str = "", progress: bool = False) -> list[list[Hit]]:
    """Exact search: the k passages of a file that the model's own similarity puts first, for each query; all of them where k is more.

    Raises:
        InputError: a query is empty or the model has no vector for it, k is below 1, or the model or file cannot be read.
    """
    from triglot.corpus.passages import read_passages
    from triglot.topk import top_k, within

    for number, query in enumerate(queries, 1):
        if not query.strip() or any(0xD800 <= ord(character) < 0xE000 for character in query):
            raise InputError(f"QUERY: number {number} is {'no text in UTF-8' if query.strip() else 'empty'}")
    if k < 1:
        raise InputError(f"-k: {k} is below 1")
    encoder = load_model(model)
    ids, texts = read_passages(path)
    k = within(k, len(texts), len(queries))
    vectors = encoder.encode(list(queries), side="query")
    for query, known in zip(queries, vectors.any(axis=1).tolist(), strict=True):
        if not known:
            raise InputError(f"QUERY: {encoder.name} knows nothing of {query!r:.60}: its vector is zero, and every passage is as far away")
    passages = _speaking(encoder, lang).encode(texts, side="passage", progress=progress)
    scores, index = top_k(vectors, passages, k)
    return [
        [Hit(rank, float(score), ids[i], texts[i]) for rank, (score, i) in enumerate(zip(row, places, strict=True), 1)]
        for row, places in zip(scores, index.tolist(), strict=True)
    ]


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
    from triglot.corpus.formats import detect, read_retrieval
    from triglot.debias import Debias, debias
    from triglot.encoder.card import Card
    from triglot.settings import Document, build
    from triglot.study.data import read_source
    from triglot.study.derive import fit_line

    chosen = build(Debias, Document(dict(settings), "debias"))
    if not chosen.method:
        raise InputError("--method: is missing")
    aside = held_out or {}
    with outputs.folder(out, "debias", model=model, inputs=[*paths_of(model), path, *aside.values()], force=force) as place:
        corpus = read_source(path, format=format or detect(path), languages=languages)
        hidden: set[str] = set()
        for name, benchmark_path in aside.items():
            benchmark = read_retrieval(detect(benchmark_path), benchmark_path, name=name)
            hidden.update(benchmark.queries.texts, benchmark.passages.texts)
        fitted = debias(load_model(model), corpus, chosen, seed=seed, held_out=hidden, progress=progress)
        source = Path(path).resolve().name
        line = fit_line(chosen, fitted, source)
        base = "" if Path(model).expanduser().exists() else model
        begun = [] if base else [f"made of the model {Path(model).resolve().name}, whose own card tells how that was trained"]
        fitted.encoder.save(place, card=Card(languages=corpus.languages, base=base, sources={source: ""}, training=[*begun, line]))
    return line
