"""What the weight of words in hybrid search is worth, in the question's language and in others: a curve over weights.

python -m benchmarks.lexical_weight e5-lsar --data ../shared/data/mlqa --groups 60 --passages 360

Questions of MLQA's validation part with all paragraphs that answer them, in one pool of all languages, and other
paragraphs beside these. AP@100 over all answers; `own` counts answers in the question's language alone, for questions
that have one.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from triglot.commands.models import load_model
from triglot.corpus.formats.registry import read_retrieval
from triglot.encoder.once import encode_once
from triglot.encoder.protocol import inner_of
from triglot.index.documents import Documents
from triglot.index.settings import IndexSettings
from triglot.index.store import create
from triglot.search.searcher import Answer, Searcher, SearchSettings
from triglot.seeds import generator

DEEP = 100
WEIGHTS = "1:0,1:.1,1:1,.3:0,.3:.03,.3:.3,.1:0,.1:.01,.1:.1,.03:0,.03:.03"


def precision(hits: list[str], wanted: set[str]) -> float:
    """Average precision of the first hits."""
    found, total = 0, 0.0
    for rank, one in enumerate(hits, 1):
        if one in wanted:
            found += 1
            total += found / rank
    return total / len(wanted)


def main() -> None:
    """Print a row for each pair of weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", default="../shared/data/mlqa")
    parser.add_argument("--groups", type=int, default=60, help="questions, each in all its languages")
    parser.add_argument("--passages", type=int, default=360, help="paragraphs in the pool")
    parser.add_argument("--weights", default=WEIGHTS, help="pairs tried: in the question's language, and in others")
    parser.add_argument("--mode", default="fair")
    asked = parser.parse_args()
    encoder = load_model(asked.model, cache="")
    inner, removal = inner_of(encoder), getattr(encoder, "removal", None)
    benchmark = read_retrieval(asked.data, format="mlqa", name="mlqa", part="validation", candidate_text="paragraph")
    rng, rows = generator(0, "lexical weight"), benchmark.judgements
    groups = rng.permutation(np.unique(benchmark.queries.group))[: asked.groups]
    queries = np.flatnonzero(np.isin(benchmark.queries.group, groups))
    answers = np.unique(rows[np.isin(rows[:, 0], queries), 1])
    others = np.setdiff1d(np.arange(len(benchmark.passages)), answers)
    kept = np.sort(np.concatenate([answers, rng.permutation(others)[: max(0, asked.passages - len(answers))]]))
    pool, questions = benchmark.passages.take(kept), benchmark.queries.take(queries)
    langs = [benchmark.languages[lang] for lang in questions.lang.tolist()]
    of_pool = [benchmark.languages[lang] for lang in pool.lang.tolist()]
    lang_of = dict(zip(pool.ids, of_pool, strict=True))
    wanted: dict[int, set[str]] = {}
    for query, passage, _ in rows.tolist():
        wanted.setdefault(query, set()).add(benchmark.passages.ids[passage])
    vectors = encode_once(inner, questions.texts, "query", True)
    documents = Documents(pool.ids, pool.texts, of_pool)
    print(f"{len(questions)} questions, {len(pool)} paragraphs", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        of_passages = encode_once(inner, pool.texts, "passage", True)
        searcher = Searcher(inner, create(Path(folder) / "i", documents, of_passages, IndexSettings(), removal=removal))

        def measured(settings: SearchSettings) -> list[str]:
            found: list[Answer] = searcher.search_all(questions.texts, settings, langs=langs, vectors=vectors)
            whole, own = [], []
            for row, lang, answer in zip(queries.tolist(), langs, found, strict=True):
                hits = [hit.id for hit in answer.hits]
                whole.append(precision(hits, wanted[row]))
                if mine := {one for one in wanted[row] if lang_of[one] == lang}:
                    own.append(precision([one for one in hits if lang_of[one] == lang], mine))
            return [f"{np.mean(whole):.4f}", f"{np.mean(own):.4f}"]

        print("| same | other | AP@100 in the pool | AP@100, own |\n|---:|---:|---:|---:|", flush=True)
        print("| vectors alone | |", " | ".join(measured(SearchSettings(k=DEEP, mode=asked.mode))), "|", flush=True)
        for pair in asked.weights.split(","):
            same, other = map(float, pair.split(":"))
            settings = SearchSettings(k=DEEP, mode=asked.mode, hybrid=True, same=same, other=other)
            print(f"| {same:g} | {other:g} |", " | ".join(measured(settings)), "|", flush=True)


if __name__ == "__main__":
    main()
