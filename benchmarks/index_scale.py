"""An index as it grows, next to bare FAISS over the same graph with the same width of search, in turns.

python -m benchmarks.index_scale --sizes 10000,100000,1000000

Vectors are made: 2,000 topics, passages and questions around them, in 384 dimensions whose spread falls with the square
root of their number, as that of sentence vectors about does. `build` is the making of the index on disk, the measuring
of its recall included; `open` is in a process of its own, with every checksum looked at and without; `MB held` is what
that process holds in memory of its own after the questions, and `mapped` what it has looked at of the files. Recall is
of the exact first ten, for 200 questions that are no passages. Times are seconds of one processor, which other work on
the machine does not lengthen; `ratio` is the median of ours over bare FAISS', question by question. Bare FAISS finds
less, since it ranks by vectors of 8 bits.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from triglot.index.documents import Documents
from triglot.index.settings import IndexSettings
from triglot.index.store import DiskIndex, create
from triglot.topk import top_k

DIM, TOPICS, ASKED, BLOCK, ROUNDS = 384, 2_000, 200, 50_000, 5
SPREAD = (np.arange(1, DIM + 1) ** -0.5).astype(np.float32)
HEAD = (
    "| passages | kind | build s | open s, checked | open s | MB on disk | MB held | mapped | looked at | recall@10 "
    "| bare | p50 ms | p99 ms | bare p50 | bare p99 | ratio | questions/s | bare | ratio |"
)


def made(rows: int, seed: int) -> np.ndarray:
    """(rows, 384) unit vectors around topics."""
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(0).standard_normal((TOPICS, DIM), np.float32) * SPREAD
    vectors = np.empty((rows, DIM), np.float32)
    for start in range(0, rows, BLOCK):
        part = vectors[start : start + BLOCK]
        part[:] = rng.standard_normal(part.shape, np.float32) * (0.7 * SPREAD)
        part += topics[rng.integers(0, TOPICS, len(part))]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def seconds(call: Callable[[np.ndarray], object], queries: np.ndarray) -> float:
    """Of one call: one thread's, whatever else the machine does."""
    began = time.thread_time()
    call(queries)
    return time.thread_time() - began


def opened(folder: Path) -> dict[str, float]:
    """What a process of its own needs to open an index and to answer the questions."""
    command = [sys.executable, "-m", "benchmarks.index_scale", "--open", str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def open_here(folder: Path) -> None:
    """Print what `opened` returns."""
    began = time.process_time()
    DiskIndex(folder)
    checked = time.process_time() - began
    began = time.process_time()
    index = DiskIndex(folder, verify=False)
    plain = time.process_time() - began
    for query in made(ASKED, 2):
        index.search(query[None], 10, langs=["en"])
    told = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    held, mapped = (int(told[name].split()[0]) / 1000 for name in ("RssAnon", "RssFile"))
    print(json.dumps({"checked": checked, "plain": plain, "held": held, "mapped": mapped}))


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """Share of the exact first ten."""
    pairs = zip(found.tolist(), exact.tolist(), strict=True)
    return float(np.mean([len(set(ours) & set(best)) / 10 for ours, best in pairs]))


def measured(rows: int, kind: str) -> str:
    """A row of the table."""
    import faiss

    faiss.omp_set_num_threads(1)
    vectors, queries = made(rows, 1), made(ASKED, 2)
    documents = Documents([f"p{n}" for n in range(rows)], [f"text {n}" for n in range(rows)], ["en"] * rows)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "i"
        began = time.process_time()
        index = create(place, documents, vectors, IndexSettings(kind=kind, lexical=False))  # type: ignore[arg-type]
        built = time.process_time() - began
        exact = top_k(queries, vectors, 10)[1]
        del vectors, documents
        found = recall(index.search(queries, 10, langs=["en"] * ASKED).places, exact)
        stats, graph = index.stats(), index.snapshot.segments[0].graphs.get("raw")
        chosen = stats["segments"][0]["kind"]
        other = opened(place)
        head = (
            f"| {rows:,} | {chosen} | {built:.0f} | {other['checked']:.2f} | {other['plain']:.2f} | "
            f"{stats['bytes'] / 1e6:.0f} | {other['held']:.0f} | {other['mapped']:.0f} "
        )
        ours = [seconds(lambda one: index.search(one, 10, langs=["en"]), query[None]) for query in queries]
        if graph is None:
            times = f"{1000 * np.median(ours):.2f} | {1000 * np.percentile(ours, 99):.2f}"
            return f"{head}| all | {found:.3f} | | {times} | | | | | | |"
        bare = faiss.read_index(str(next(place.glob("*.raw.faiss"))))
        if chosen == "hnsw":
            how = faiss.SearchParametersHNSW(efSearch=graph.width)
        else:
            how = faiss.SearchParametersIVF(nprobe=graph.width)
        plain = recall(bare.search(queries, 10, params=how)[1], exact)

        def search(some: np.ndarray) -> object:
            return index.search(some, 10, langs=["en"] * len(some))

        def search_bare(some: np.ndarray) -> object:
            return bare.search(some, 10, params=how)

        # the question itself comes in turns, so that neither finds the caches as the other left them more often
        one, two, many, bare_many = [], [], [], []
        for turn in range(ROUNDS):
            for number, query in enumerate(queries):
                pair = [(search, one), (search_bare, two)]
                for call, times in pair if (turn + number) % 2 else reversed(pair):
                    times.append(seconds(call, query[None]))
            many.append(seconds(search, queries))
            bare_many.append(seconds(search_bare, queries))
        ratio = np.median(np.divide(one, two))
        answered, bare_answered = ASKED / np.median(many), ASKED / np.median(bare_many)
        together = np.median(np.divide(bare_many, many))
        return (
            f"{head}| {graph.width} | {found:.3f} | {plain:.3f} | {1000 * np.median(one):.2f} | "
            f"{1000 * np.percentile(one, 99):.2f} | {1000 * np.median(two):.2f} | "
            f"{1000 * np.percentile(two, 99):.2f} | {ratio:.2f} | "
            f"{answered:.0f} | {bare_answered:.0f} | {together:.2f} |"
        )


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000")
    parser.add_argument("--kind", default="hnsw", help="exact | hnsw | ivf | auto")
    parser.add_argument("--open", type=Path, help="open this index, and say what that took")
    asked = parser.parse_args()
    if asked.open:
        return open_here(asked.open)
    print(HEAD, "|---:|---|" + "---:|" * 17, sep="\n", flush=True)
    for rows in map(int, asked.sizes.split(",")):
        print(measured(rows, asked.kind), flush=True)


if __name__ == "__main__":
    main()
