"""How long scoring takes against one bare matrix product of the same size.

    python benchmarks/scoring.py            # XQuAD-R's size: 13,090 queries, 13,014 passages, 11 languages

Random vectors in the shape of XQuAD-R, no data needed. Product, counting and the whole of scoring (count table, 121
cells, pool, bias, macro and micro averages) take turns within one run; medians are printed. The product is timed twice:
into a buffer that is used again, block by block, which is the fastest there is, and as the plain
`queries @ passages.T`, which has to touch 680 MB of new memory.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.evaluate import count_embeddings, evaluate_embeddings
from triglot.evaluate.counts import threads_allowed

PASSAGES = {
    "ar": 1222,
    "de": 1276,
    "el": 1234,
    "en": 1180,
    "es": 1215,
    "hi": 1244,
    "ru": 1219,
    "th": 852,
    "tr": 1167,
    "vi": 1209,
    "zh": 1196,
}
QUESTIONS = 1190
BLOCK = 512


def random_set(dim: int, seed: int = 0) -> tuple[RetrievalSet, np.ndarray, np.ndarray]:
    """A set of XQuAD-R's size and vectors in which a question is near its answers, so that ranks look like a trained
    encoder's."""
    rng = np.random.default_rng(seed)
    languages = tuple(PASSAGES)
    sizes = np.array(list(PASSAGES.values()))
    passage_lang = np.repeat(np.arange(len(languages)), sizes).astype(np.int16)
    query_lang = np.repeat(np.arange(len(languages)), QUESTIONS).astype(np.int16)
    question = np.tile(np.arange(QUESTIONS), len(languages))
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    answer = starts + question[:, None] % sizes  # (queries, languages) passage of each language
    judgements = np.column_stack(
        [np.repeat(np.arange(len(question)), len(languages)), answer.reshape(-1), np.ones(answer.size, np.int64)]
    )
    topic = rng.standard_normal((sizes.max(), dim), dtype=np.float32)
    place = np.arange(len(passage_lang)) - starts[passage_lang]
    passages = topic[place] + 1.5 * rng.standard_normal((len(place), dim), dtype=np.float32)
    queries = topic[question] + 1.5 * rng.standard_normal((len(question), dim), dtype=np.float32)

    def texts(prefix: str, lang: np.ndarray) -> Texts:
        ids = [f"{prefix}{i}" for i in range(len(lang))]
        return Texts(ids, ids, lang, np.zeros(len(lang), np.int32), np.arange(len(lang), dtype=np.int32) % 240)

    benchmark = RetrievalSet("random", languages, texts("q", query_lang), texts("p", passage_lang), judgements)
    return benchmark, *(v / np.linalg.norm(v, axis=1, keepdims=True) for v in (queries, passages))


def in_blocks(queries: np.ndarray, passages: np.ndarray, buffer: np.ndarray) -> None:
    """The whole product, one block of queries after the other, into one buffer."""
    for begin in range(0, len(queries), BLOCK):
        block = queries[begin : begin + BLOCK]
        np.matmul(block, passages.T, out=buffer[: len(block)])


def measure(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each; they take turns, so that a busy machine troubles all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn:  # the first is a warm-up
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dims", type=int, nargs="+", default=[256, 512], help="dimensions of the vectors")
    parser.add_argument("--repeats", type=int, default=5, help="timed repeats")
    options = parser.parse_args()
    sizes = f"{QUESTIONS * len(PASSAGES):,} queries, {sum(PASSAGES.values()):,} passages"
    print(f"{sizes}, {threads_allowed()} threads, median of {options.repeats}")
    print(
        f"{'dim':>5} {'product':>9} {'plain':>9} {'counting':>9} {'scoring':>9} {'counting/product':>17} "
        f"{'scoring/product':>16}"
    )
    for dim in options.dims:
        benchmark, queries, passages = random_set(dim)
        buffer = np.empty((BLOCK, len(passages)), np.float32)
        found = measure(
            {
                "product": lambda q=queries, p=passages, b=buffer: in_blocks(q, p, b),
                "plain": lambda q=queries, p=passages: q @ p.T,
                "counting": lambda q=queries, p=passages, s=benchmark: count_embeddings(q, p, s),
                "scoring": lambda q=queries, p=passages, s=benchmark: evaluate_embeddings(q, p, s),
            },
            options.repeats,
        )
        ratios = (found["counting"] / found["product"], found["scoring"] / found["product"])
        print(
            f"{dim:>5} "
            + " ".join(f"{found[name]:>8.3f}s" for name in found)
            + f" {ratios[0]:>17.2f} {ratios[1]:>16.2f}"
        )


if __name__ == "__main__":
    main()
