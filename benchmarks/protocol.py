"""The whole XQuAD-R protocol (121 cells, the pool, every measure of bias) against what the field's tools do for it.

Run:

python benchmarks/protocol.py --data ../shared/data/xquad-r

Two comparisons, each part in a process of its own, turn about, medians of the ratios over the rounds:

- texts to table: Triglot against one `InformationRetrievalEvaluator` a cell and one for the pool, with the same model
  (a static one; with `--model FOLDER` any, of which `--sample` makes a part that a CPU can encode 122 times);
- vectors to figures: Triglot's scoring against the path of BEIR and MTEB, top 1000 of each query as dictionaries and
  pytrec_eval.

Beside the second stands the time of one bare matrix product of the same size.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

SAMPLE = "PROTOCOL_SAMPLE"  # for the parts, which are processes of their own
PARTS = ("triglot", "sentence-transformers", "triglot scoring", "pytrec_eval", "product")


def benchmark_of(data: str) -> Any:
    """XQuAD-R with sentences as candidates, or a sample of it (`--sample`)."""
    from triglot.corpus.formats.registry import read_retrieval
    from triglot.corpus.sample import sample_retrieval

    whole = read_retrieval(data, format="squad", name="xquad-r", candidate_text="sentence")
    size = int(os.environ.get(SAMPLE, "0"))
    return sample_retrieval(whole, passages=size, queries=size) if size else whole


def cells(benchmark: Any, most: int) -> list[tuple[str, Any]]:
    """(name, set) of every ordered pair of languages, and of the pool."""
    pairs = [(a, b) for a in range(len(benchmark.languages)) for b in range(len(benchmark.languages))][:most]
    found = []
    for a, b in pairs:
        queries, passages = np.flatnonzero(benchmark.queries.lang == a), np.flatnonzero(benchmark.passages.lang == b)
        found.append((f"{benchmark.languages[a]}-{benchmark.languages[b]}", (queries, passages)))
    return [*found, ("pool", (np.arange(len(benchmark.queries)), np.arange(len(benchmark.passages))))]


def relevant_of(benchmark: Any) -> dict[int, set[int]]:
    """Query -> its relevant passages."""
    found: dict[int, set[int]] = {}
    for query, passage, grade in benchmark.judgements.tolist():
        if grade > 0:
            found.setdefault(query, set()).add(passage)
    return found


def run_triglot(data: str, model: str, most: int) -> float:
    from triglot.encoder import load_encoder
    from triglot.evaluate import evaluate_encoder

    benchmark, encoder = benchmark_of(data), load_encoder(model)
    start = time.perf_counter()
    evaluate_encoder(encoder, benchmark)
    return time.perf_counter() - start


def run_sentence_transformers(data: str, model: str, most: int) -> float:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.evaluation import InformationRetrievalEvaluator

    benchmark, encoder, relevant = (
        benchmark_of(data),
        SentenceTransformer(model, device="cpu"),
        relevant_of(benchmark_of(data)),
    )
    start = time.perf_counter()
    for name, (queries, passages) in cells(benchmark, most):
        inside = set(passages.tolist())
        judged = {str(q): {str(p) for p in relevant.get(int(q), ()) if p in inside} for q in queries}
        judged = {q: found for q, found in judged.items() if found}
        options = {
            "show_progress_bar": False,
            "write_csv": False,
            "map_at_k": [1000],
            "accuracy_at_k": [1],
            "precision_recall_at_k": [1, 10],
        }
        InformationRetrievalEvaluator(
            {q: benchmark.queries.texts[int(q)] for q in judged},
            {str(p): benchmark.passages.texts[p] for p in passages.tolist()},
            judged,
            name=name,
            mrr_at_k=[1000],
            ndcg_at_k=[10],
            **options,
        )(encoder)
    return time.perf_counter() - start


def vectors(benchmark: Any, dim: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Random unit vectors: scoring does not look at what they mean."""
    rng = np.random.default_rng(0)
    pair = [
        rng.standard_normal((len(texts), dim)).astype(np.float32) for texts in (benchmark.queries, benchmark.passages)
    ]
    return pair[0] / np.linalg.norm(pair[0], axis=1, keepdims=True), pair[1] / np.linalg.norm(
        pair[1], axis=1, keepdims=True
    )


def run_triglot_scoring(data: str, model: str, most: int) -> float:
    from triglot.evaluate import evaluate_embeddings

    benchmark = benchmark_of(data)
    queries, passages = vectors(benchmark)
    start = time.perf_counter()
    evaluate_embeddings(queries, passages, benchmark, bias=False)
    return time.perf_counter() - start


def run_pytrec_eval(data: str, model: str, most: int) -> float:
    import pytrec_eval
    import torch

    benchmark, relevant = benchmark_of(data), relevant_of(benchmark_of(data))
    q, p = vectors(benchmark)
    start = time.perf_counter()
    for _, (queries, passages) in cells(benchmark, most):
        inside = set(passages.tolist())
        qrels = {str(i): {str(j): 1 for j in relevant.get(int(i), ()) if j in inside} for i in queries}
        qrels = {i: found for i, found in qrels.items() if found}
        run: dict[str, dict[str, float]] = {}
        for begin in range(0, len(queries), 1000):
            part = queries[begin : begin + 1000]
            scores, places = torch.topk(torch.from_numpy(q[part] @ p[passages].T), min(1000, len(passages)), dim=1)
            for i, row, found in zip(part.tolist(), scores.tolist(), passages[places.numpy()].tolist(), strict=True):
                run[str(i)] = {str(j): score for j, score in zip(found, row, strict=True)}
        pytrec_eval.RelevanceEvaluator(qrels, {"map", "recip_rank", "recall.1,10", "success.1"}).evaluate(run)
    return time.perf_counter() - start


def run_product(data: str, model: str, most: int) -> float:
    benchmark = benchmark_of(data)
    queries, passages = vectors(benchmark)
    out = np.empty((1024, len(passages)), np.float32)
    start = time.perf_counter()
    for begin in range(0, len(queries), 1024):
        part = queries[begin : begin + 1024]
        np.matmul(part, passages.T, out=out[: len(part)])
    return time.perf_counter() - start


RUN = dict(
    zip(PARTS, (run_triglot, run_sentence_transformers, run_triglot_scoring, run_pytrec_eval, run_product), strict=True)
)


def make_model(data: str, folder: Path, dim: int) -> str:
    """A fresh static encoder with a vocabulary of the benchmark's own texts: the speed of a model does not depend on
    its weights."""
    from triglot.encoder import EncoderSettings, init_encoder
    from triglot.encoder.tokenizer import word_counts

    benchmark = benchmark_of(data)
    texts: dict[str, list[str]] = {}
    for text, lang in zip(benchmark.passages.texts, benchmark.passages.lang.tolist(), strict=True):
        texts.setdefault(benchmark.languages[lang], []).append(text)
    init_encoder(EncoderSettings(dim=dim, vocab=16_384), word_counts(texts), seed=1).save(folder)
    return str(folder)


def measured(part: str, arguments: argparse.Namespace, model: str) -> dict[str, float]:
    """Seconds and peak memory (MiB) of a part, in a process of its own."""
    words = [
        sys.executable,
        __file__,
        "--part",
        part,
        "--data",
        arguments.data,
        "--model",
        model,
        "--cells",
        str(arguments.cells),
    ]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="../shared/data/xquad-r")
    parser.add_argument("--model", default="", help="a model folder; by default a fresh static one")
    parser.add_argument("--sample", type=int, default=0, help="about so many questions and passages; 0 for all")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--cells", type=int, default=121)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="parts, parted by commas")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        seconds = RUN[arguments.part](arguments.data, arguments.model, arguments.cells)
        print(json.dumps({"seconds": seconds, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    os.environ[SAMPLE] = str(arguments.sample)
    parts = [part for part in PARTS if not arguments.only or part in arguments.only.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or make_model(arguments.data, Path(folder) / "model", arguments.dim)
        rounds = [{part: measured(part, arguments, model) for part in parts} for _ in range(arguments.rounds)]
    what = arguments.model or f"{arguments.dim} dimensions"
    part = f", a sample of {arguments.sample}" if arguments.sample else ""
    print(f"{arguments.cells} cells and the pool, {what}{part}, median of {arguments.rounds}")
    for part in parts:
        seconds, memory = (statistics.median(one[part][key] for one in rounds) for key in ("seconds", "memory"))
        print(f"{part:24s} {seconds:9.2f} s {memory:8.0f} MiB")
    for ours, theirs in (("triglot", "sentence-transformers"), ("triglot scoring", "pytrec_eval")):
        if ours in parts and theirs in parts:
            times, memory = (
                statistics.median(one[theirs][key] / one[ours][key] for one in rounds) for key in ("seconds", "memory")
            )
            print(f"{ours}: {times:.1f} times faster than {theirs}, which takes {memory:.1f} times the memory")
    if "product" in parts and "triglot scoring" in parts:
        ratio = statistics.median(one["triglot scoring"]["seconds"] / one["product"]["seconds"] for one in rounds)
        print(f"triglot scoring: {ratio:.2f} times a bare product")


if __name__ == "__main__":
    main()
