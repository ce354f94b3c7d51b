"""What the command line does with a model: make, evaluate, encode, search."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triglot.files import InputError, atomic_write, nearest

log = logging.getLogger("triglot")
BM25, TRANSLATED = "bm25", "bm25-translated"


def named_paths(words: Sequence[str]) -> dict[str, str]:
    """`NAME=PATH` words as a dictionary. Raises InputError for a word without `=`, or a name given twice."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not name or not path:
            raise InputError(f"--on {word}: not NAME=PATH")
        if name in found:
            raise InputError(f"--on {word}: the name {name!r} is given twice")
        found[name] = path
    return found


def evaluate_model(
    model: str,
    on: Mapping[str, str],
    out: str | Path,
    *,
    format: str = "",
    options: Mapping[str, Any] | None = None,
    lists: str = "",
    progress: bool = False,
) -> Path:
    """Evaluate a model on benchmarks and write the results.

    Args:
        model: a model folder, a run folder, a hub name, `bm25` or `bm25-translated`.
        on: name -> path of each benchmark.
        out: folder for results.json and what lies beside it.
        format: of the benchmarks; empty to tell it from their names.
        options: of the format's reader (`candidate_text`, `languages`).
        lists: folder of word lists for `bm25-translated`.
        progress: show bars.

    Returns:
        the path of results.json.
    """
    from triglot.corpus.formats import detect, read_retrieval
    from triglot.evaluate import evaluate_encoder, write_results

    benchmarks = {name: read_retrieval(format or detect(path), path, name=name, **(options or {})) for name, path in on.items()}
    found = {}
    if model in (BM25, TRANSLATED):
        from triglot.corpus.wordlist import read_lists
        from triglot.evaluate.baselines import evaluate_bm25, evaluate_translated_bm25

        if model == TRANSLATED and not lists:
            raise InputError("bm25-translated needs --lists, a folder of word lists")
        for name, benchmark in benchmarks.items():
            if model == BM25:
                found[name] = evaluate_bm25(benchmark)
            else:
                found[name] = evaluate_translated_bm25(benchmark, read_lists(lists, languages=benchmark.languages, both=True)[0])
    else:
        encoder = load_model(model)
        for name, benchmark in benchmarks.items():
            log.info("%s: %d queries, %d passages", name, len(benchmark.queries), len(benchmark.passages))
            found[name] = evaluate_encoder(encoder, benchmark, progress=progress)
    return write_results(out, found, model=model)


def load_model(model: str) -> Any:
    """An encoder from a model folder, a run folder (its `model/`) or a hub name."""
    from triglot.encoder import load_encoder

    inside = Path(model) / "model"
    return load_encoder(
        inside if (inside / "modules.json").is_file() else model, name=Path(model).resolve().name if Path(model).exists() else model
    )


def fresh_encoder(paths: Sequence[str], out: str | Path, settings: Mapping[str, Any], *, format: str = "", seed: int = 1) -> Path:
    """A fresh encoder with a tokenizer made of the texts of training data, saved as a model folder."""
    from triglot.corpus.formats import detect, read_training
    from triglot.encoder import EncoderSettings, init_encoder
    from triglot.encoder.tokenizer import word_counts
    from triglot.settings import Document, build

    chosen = build(EncoderSettings, Document(dict(settings), "init"))
    texts: dict[str, list[str]] = {}
    for path in paths:
        corpus, tally = read_training(format or detect(path), path)
        for line in tally.lines():
            log.info("%s: %s", path, line)
        for text, lang in zip(corpus.texts.to_pylist(), corpus.text_lang.tolist(), strict=True):
            texts.setdefault(corpus.languages[lang], []).append(text)
    init_encoder(chosen, word_counts(texts), seed=seed).save(out)
    return Path(out)


def encode_file(model: str, path: str, out: str | Path, *, side: str, progress: bool = False) -> tuple[int, int]:
    """Encode the texts of a file into a `.npy` file, row i for text i. Returns the shape."""
    from triglot.corpus.passages import read_passages

    if side not in ("query", "passage"):
        raise InputError(f"--side: {side!r} is not query or passage{nearest(side, ('query', 'passage'))}")
    vectors = load_model(model).encode(read_passages(path)[1], side=side, progress=progress)
    with atomic_write(out, "wb") as handle:
        np.save(handle, vectors)
    return vectors.shape


@dataclass(frozen=True)
class Hit:
    """A passage that was found."""

    rank: int
    score: float
    id: str
    text: str


def search(model: str, path: str, queries: Sequence[str], *, k: int = 10, progress: bool = False) -> list[list[Hit]]:
    """Exact search: the k passages of a file with the highest cosine, for each query."""
    from triglot.corpus.passages import read_passages
    from triglot.topk import top_k

    encoder = load_model(model)
    ids, texts = read_passages(path)
    passages = encoder.encode(texts, side="passage", progress=progress)
    scores, index = top_k(encoder.encode(list(queries), side="query"), passages, k)
    return [
        [Hit(rank, float(score), ids[i], texts[i]) for rank, (score, i) in enumerate(zip(row, places, strict=True), 1)]
        for row, places in zip(scores, index.tolist(), strict=True)
    ]
