"""MLQA retrieval by MTEB's protocol (task MLQARetrieval), against the figures that its public results have.

Run:

python benchmarks/mlqa_parity.py MODEL --data ../shared/data/mlqa --subsets vi-de

A subset is one file of MLQA's test part: its paragraphs are the corpus, each question has one of them; nDCG@10. The
published means of multilingual-e5-small over MLQA's 49 files are .658 (seven files of one language) and .528 (42 of two
languages); there are 16 of the latter here, whose own published figures stand below (embeddings-benchmark/results,
test split, mteb 2.1.17).
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

# context-question -> nDCG@10 of intfloat/multilingual-e5-small at fd1525a
PUBLISHED = {
    "de-ar": 0.467,
    "de-es": 0.622,
    "de-hi": 0.564,
    "de-vi": 0.544,
    "de-zh": 0.458,
    "es-ar": 0.515,
    "es-de": 0.674,
    "es-hi": 0.619,
    "es-vi": 0.601,
    "es-zh": 0.503,
    "vi-de": 0.587,
    "zh-ar": 0.437,
    "zh-de": 0.530,
    "zh-es": 0.507,
    "zh-hi": 0.489,
    "zh-vi": 0.461,
}


def measure(encoder: object, file: Path, name: str) -> tuple[float, int, int]:
    """nDCG@10 of one file, its questions and its paragraphs."""
    from triglot.corpus.formats.registry import read_retrieval
    from triglot.evaluate import evaluate_encoder

    benchmark = read_retrieval(file, format="mlqa", name=name, candidate_text="paragraph")
    found = evaluate_encoder(encoder, benchmark, extra=["ndcg@10"], settings=["cross"])  # type: ignore[arg-type]
    return found.summary["micro"]["cross"]["ndcg@10"], len(benchmark.queries), len(benchmark.passages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mlqa"))
    parser.add_argument("--subsets", default=",".join(PUBLISHED), help="context-question, comma-separated")
    given = parser.parse_args()
    from triglot.commands.models import load_model

    encoder = load_model(given.model, cache="")
    print("| paragraphs, questions | questions | paragraphs | nDCG@10 | published | difference |")
    print("|---|---:|---:|---:|---:|---:|")
    differences = []
    begun = time.monotonic()
    for name in given.subsets.split(","):
        context, question = name.split("-")
        file = given.data / f"test-context-{context}-question-{question}.json.gz"
        figure, queries, passages = measure(encoder, file, name)
        differences.append(figure - PUBLISHED[name])
        print(
            f"| {context}, {question} | {queries:,} | {passages:,} | {figure:.3f} | {PUBLISHED[name]:.3f} | "
            f"{differences[-1]:+.3f} |",
            flush=True,
        )
    print(f"mean difference {statistics.mean(differences):+.4f}, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
