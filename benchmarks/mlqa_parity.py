"""MLQA retrieval by MTEB's protocol (task MLQARetrieval), against the figures that its public results have.

Run:

python benchmarks/mlqa_parity.py MODEL --data ../shared/data/mlqa --subsets vi-de

A subset is one file of MLQA's test part: its paragraphs are the corpus, each question has one of them; nDCG@10. The
published means of multilingual-e5-small over MLQA's 49 files are .658 (seven files of one language) and .528 (42 of two
languages); there are 16 of the latter here, whose own published figures stand below (embeddings-benchmark/results,
test split, mteb 2.1.17).

With `--mteb` each file is judged by MTEB's own code as well (the extra `peers`), which reads it apart from our reader
and encodes with sentence-transformers: what is left between the two is not the protocol.
"""

from __future__ import annotations

import argparse
import gzip
import json
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


def by_mteb(model: str, file: Path) -> float:
    """nDCG@10 of one file by MTEB's code: each different paragraph a document without a title, each question asked."""
    import mteb
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper
    from sentence_transformers import SentenceTransformer

    corpus: dict[str, str] = {}
    queries: dict[str, str] = {}
    relevant: dict[str, dict[str, int]] = {}
    for article in json.loads(gzip.decompress(file.read_bytes()))["data"]:
        for paragraph in article["paragraphs"]:
            document = corpus.setdefault(paragraph["context"], f"d{len(corpus)}")
            for question in paragraph["qas"]:
                queries[question["id"]] = question["question"]
                relevant.setdefault(question["id"], {})[document] = 1

    class File(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="MLQAFileRetrieval",
            description="one file of MLQA",
            dataset={"path": "none", "revision": "1"},
            type="Retrieval",
            eval_langs=["eng-Latn"],
            eval_splits=["test"],
            main_score="ndcg_at_10",
        )

        def load_data(self, *args: object, **kwargs: object) -> None:
            documents = [{"id": key, "title": "", "text": text} for text, key in corpus.items()]
            asked = [{"id": key, "text": text} for key, text in queries.items()]
            split = {"corpus": Dataset.from_list(documents), "queries": Dataset.from_list(asked)}
            self.dataset = {"default": {"test": {**split, "relevant_docs": relevant, "top_ranked": None}}}
            self.data_loaded = True

    loaded = SentenceTransformer(model, device="cpu", local_files_only=True)
    prompts = {key: text for key, text in loaded.prompts.items() if text}
    wrapped = SentenceTransformerEncoderWrapper(loaded, model_prompts=prompts or None)
    (found,) = mteb.evaluate(wrapped, File(), cache=None, show_progress_bar=False).task_results
    return float(found.get_score())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mlqa"))
    parser.add_argument("--subsets", default=",".join(PUBLISHED), help="context-question, comma-separated")
    parser.add_argument("--mteb", action="store_true", help="judge each file by MTEB's own code too")
    given = parser.parse_args()
    from triglot.commands.models import load_model

    encoder = load_model(given.model, cache="")
    head = "| paragraphs, questions | questions | paragraphs | nDCG@10 | published | difference |"
    print(head + (" by MTEB's code |" if given.mteb else ""))
    print("|---|---:|---:|---:|---:|---:|" + ("---:|" if given.mteb else ""))
    differences = []
    begun = time.monotonic()
    for name in given.subsets.split(","):
        context, question = name.split("-")
        file = given.data / f"test-context-{context}-question-{question}.json.gz"
        figure, queries, passages = measure(encoder, file, name)
        differences.append(figure - PUBLISHED[name])
        print(
            f"| {context}, {question} | {queries:,} | {passages:,} | {figure:.5f} | {PUBLISHED[name]:.3f} | "
            f"{differences[-1]:+.3f} |" + (f" {by_mteb(given.model, file):.5f} |" if given.mteb else ""),
            flush=True,
        )
    print(f"mean difference {statistics.mean(differences):+.4f}, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
