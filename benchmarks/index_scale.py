"""An index as it grows, next to bare FAISS with the same parameters: time to build and to open, size, recall, time of a
question.

python -m benchmarks.index_scale --rows 10000,100000 --kind hnsw
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from triglot.index.documents import Documents
from triglot.index.settings import IndexSettings
from triglot.index.store import DiskIndex, create

DIM, TOPICS, ASKED = 384, 200, 200


def made(rows: int, seed: int) -> np.ndarray:
    """(rows, 384) unit vectors around topics, which random ones without any neighbourhood are not."""
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(0).standard_normal((TOPICS, DIM)).astype(np.float32)
    vectors = topics[rng.integers(0, TOPICS, rows)] + rng.standard_normal((rows, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def milliseconds(call: object, queries: np.ndarray) -> tuple[float, float]:
    """Median and 99th percentile of one question at a time."""
    taken = []
    for query in queries:
        began = time.perf_counter()
        call(query[None])  # type: ignore[operator]
        taken.append(1000 * (time.perf_counter() - began))
    return float(np.median(taken)), float(np.percentile(taken, 99))


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="10000,100000")
    parser.add_argument("--kind", default="hnsw")
    asked = parser.parse_args()
    print("| passages | kind | build s | open s | MB | recall@10 | p50 ms | p99 ms | bare FAISS p50 ms | p99 ms |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for rows in map(int, asked.rows.split(",")):
        vectors, queries = made(rows, 1), made(ASKED, 2)
        documents = Documents([f"p{n}" for n in range(rows)], [f"text {n}" for n in range(rows)], ["en"] * rows)
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            create(Path(folder) / "i", documents, vectors, IndexSettings(kind=asked.kind, lexical=False))
            built = time.perf_counter() - began
            began = time.perf_counter()
            index = DiskIndex(Path(folder) / "i")
            opened = time.perf_counter() - began
            exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
            found = index.search(queries, 10, langs=["en"] * ASKED).places
            recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), exact.tolist(), strict=True)])
            ours = milliseconds(partial(index.search, k=10, langs=["en"]), queries)
            graph = index.snapshot.segments[0].graphs.get("raw")
            bare = milliseconds(partial(graph.search, k=10, allowed=None), queries) if graph else (np.nan, np.nan)
            size = index.stats()["bytes"] / 1e6
        print(
            f"| {rows:,} | {asked.kind} | {built:.1f} | {opened:.2f} | {size:.0f} | {recall:.3f} | {ours[0]:.2f} | "
            f"{ours[1]:.2f} | {bare[0]:.2f} | {bare[1]:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
