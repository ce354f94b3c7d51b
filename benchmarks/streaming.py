"""A top-k run over a corpus that is never held:
`python benchmarks/streaming.py [--passages 2000000] [--dim 256] [--queries 300]`.

Unit vectors are drawn block by block, as an encoder would give them, with ids; the whole goes through the stream that
`triglot evaluate` uses for MIRACL. Printed: seconds of search (drawing not counted), seconds in all, and the highest
resident memory of the process. It ends with an error if memory passes `--limit` GiB, or if a slice is not exact: for
some queries every passage is drawn and scored again in other blocks, sorted as a whole, and compared with the run.
Products that are summed in another order differ in the last digits, so a place may differ where two scores do not
differ by more than that; these places are counted.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator

import numpy as np

from triglot import seeds
from triglot.evaluate.topruns import Stream

DRAWN = 8192  # vectors of one draw; blocks are made of whole draws, so that their size does not change the corpus
CLOSE = 1e-6


def draw(dim: int, number: int, size: int, purpose: str) -> np.ndarray:
    """(size, dim) unit vectors, a function of the number of the draw alone."""
    vectors = seeds.generator(1, purpose, number).standard_normal((size, dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def corpus(passages: int, dim: int, draws: int) -> Iterator[tuple[int, np.ndarray]]:
    """(place of the first, vectors) of blocks of so many draws."""
    for begin in range(0, passages, DRAWN * draws):
        end = min(passages, begin + DRAWN * draws)
        yield (
            begin,
            np.concatenate(
                [draw(dim, at // DRAWN, min(DRAWN, end - at), "passages") for at in range(begin, end, DRAWN)]
            ),
        )


def peak() -> float:
    """Highest resident memory so far, GiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**30 if sys.platform == "darwin" else 2**20)


def exact(queries: np.ndarray, passages: int, k: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and places of the best k by sorting all scores of these queries, (queries, passages) fp32 in memory."""
    scores = np.empty((len(queries), passages), np.float32)
    for begin, vectors in corpus(passages, queries.shape[1], draws):
        scores[:, begin : begin + len(vectors)] = queries @ vectors.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, 1), order


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--passages", type=int, default=2_000_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--depth", type=int, default=1000)
    parser.add_argument("--checked", type=int, default=10, help="queries that are compared with a whole sort")
    parser.add_argument("--limit", type=float, default=3.0, help="GiB")
    asked = parser.parse_args()
    start = time.perf_counter()
    queries = draw(asked.dim, 0, asked.queries, "queries")
    stream = Stream([f"q{i}" for i in range(asked.queries)], queries, asked.depth)
    seconds = 0.0
    for begin, vectors in corpus(asked.passages, asked.dim, 2):
        ids = [f"{place >> 4}#{place & 15}" for place in range(begin, begin + len(vectors))]
        before = time.perf_counter()
        stream.add(ids, vectors)
        seconds += time.perf_counter() - before
    before = time.perf_counter()
    run = stream.run()
    seconds += time.perf_counter() - before
    memory = peak()  # before the comparison, which holds more than the stream does
    print(
        f"{asked.passages:,} passages x {asked.dim}, {asked.queries} queries, the best {asked.depth} of each: "
        f"{len(run):,} results"
    )
    print(f"search {seconds:.1f} s, in all {time.perf_counter() - start:.1f} s, peak memory {memory:.2f} GiB")
    checked = min(asked.checked, asked.queries)
    scores, places = exact(queries[:checked], asked.passages, asked.depth, 3)
    names = np.array([f"{place >> 4}#{place & 15}" for place in places.ravel().tolist()]).reshape(places.shape)
    depth = places.shape[1]
    rows = slice(0, checked * depth)
    found = np.array(run.documents)[run.document[rows]].reshape(checked, depth)
    apart = float(np.abs(run.score[rows].reshape(checked, depth) - scores).max())
    moved = int((found != names).sum())
    missing = sum(len(set(a) - set(b)) for a, b in zip(found.tolist(), names.tolist(), strict=True))
    print(
        f"{checked} queries against a whole sort: scores apart by at most {apart:.1e}, {moved} places moved, "
        f"{missing} passages differ"
    )
    if apart > CLOSE:
        sys.exit("not exact")
    if memory > asked.limit:
        sys.exit(f"peak memory is above {asked.limit} GiB")


if __name__ == "__main__":
    main()
