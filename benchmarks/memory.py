"""Peak memory of evaluation, search, mining and reading against their sizes, each in a process of its own. Run:

    python benchmarks/memory.py
    PYTHONPATH=OTHER python benchmarks/memory.py    # another checkout

What is shown is the peak above what the process held once its data were made, so imports and the vectors or files
themselves are not in it. Data are made by chance; speed is shown beside memory, for memory is easily bought with time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

DIM = 32


class Drawn:
    """An encoder whose vectors are drawn for each text."""

    name = "drawn"

    def encode(self, texts: list[str], *, side: str, progress: bool = False) -> np.ndarray:
        vectors = np.random.default_rng(0).standard_normal((len(texts), DIM)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def retrieval_set(queries: int, passages: int, languages: int, ranked: bool) -> Any:
    """Parallel questions, as many in each language; one answer in each language."""
    from triglot.corpus.retrieval import RetrievalSet, Texts

    each, pool = queries // languages, passages // languages
    lang = [np.repeat(np.arange(languages), n).astype(np.int16) for n in (each, pool)]
    number = [np.tile(np.arange(n, dtype=np.int32), languages) for n in (each, pool)]
    answer = np.arange(languages) * pool + number[0][:, None] % pool  # (queries, languages)
    rows = np.repeat(np.arange(len(answer)), languages)
    judgements = np.column_stack([rows, answer.reshape(-1), np.ones(answer.size, np.int64)])
    sides = []
    for name, codes, group in zip("qp", lang, number, strict=True):
        ids = [f"{name}{i}" for i in range(len(codes))]
        sides.append(Texts(ids, ids, codes, group, group % 240))
    codes = tuple(f"{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(languages))
    return RetrievalSet("drawn", codes, *sides, judgements, ranked=ranked)


def evaluating(queries: int, passages: int, languages: int, depth: int) -> Callable[[], object]:
    """All settings and bias; with a depth, the figures of a top-k run as well."""
    from triglot.evaluate.retrievers import Dense, evaluate

    benchmark = retrieval_set(queries, passages, languages, depth > 0)
    return lambda: evaluate(Dense(Drawn()), benchmark, depth=depth or 10)


def streaming(queries: int, passages: int, depth: int) -> Callable[[], object]:
    """A corpus that comes in blocks."""
    from triglot.evaluate.topruns import run_of_blocks

    encoder, ids = Drawn(), [f"q{i}" for i in range(queries)]
    blocks = (
        ([f"{b}-{i}" for i in range(1000)], encoder.encode(["x"] * 1000, side="passage"))
        for b in range(passages // 1000)
    )
    return lambda: run_of_blocks(ids, encoder.encode(ids, side="query"), blocks, depth)


def searching(queries: int, passages: int, k: int) -> Callable[[], object]:
    """The best k of an array of passages."""
    from triglot.topk import top_k

    encoder = Drawn()
    pool, asked = (encoder.encode(["x"] * n, side="") for n in (passages, queries))
    return lambda: top_k(asked, pool, k)


def mining(lines: int, depth: int) -> Callable[[], object]:
    """Negatives by vectors, some candidates left out by a bound."""
    from triglot.commands.sources import read_source
    from triglot.mine import MineSettings, mine

    corpus = read_source(_pairs(lines), format="pairs")
    return lambda: mine(corpus, MineSettings(depth=depth, max_score=0.9), Drawn())


def reading(rows: int, format: str = "pairs") -> Callable[[], object]:
    """A format as training reads it."""
    from triglot.commands.sources import read_source

    path = WRITE[format](rows)
    return lambda: read_source(path, format=format)


def _words(row: int) -> str:
    return "passage " + " ".join(str(word) for word in range(row, row + 20))


def _place(format: str, rows: int) -> Path:
    path = Path(tempfile.gettempdir()) / f"memory-{format}-{rows}"
    path.mkdir(exist_ok=True)
    return path


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w") as handle:
        handle.writelines(f"{line}\n" for line in lines)


def _pairs(rows: int) -> str:
    path = _place("pairs", rows) / "pairs.jsonl"
    _write_lines(
        path, (json.dumps({"query": f"question {row}", "positive": _words(row), "lang": "en"}) for row in range(rows))
    )
    return str(path)


def _bitext(rows: int) -> str:
    path = _place("bitext", rows) / "de-en.tsv"
    _write_lines(path, (f"Frage {row}\t{_words(row)}" for row in range(rows)))
    return str(path)


def _beir(rows: int) -> str:
    folder = _place("beir", rows)
    (folder / "qrels").mkdir(exist_ok=True)
    _write_lines(
        folder / "queries.jsonl", (json.dumps({"_id": f"q{row}", "text": f"question {row}"}) for row in range(rows))
    )
    _write_lines(folder / "corpus.jsonl", (json.dumps({"_id": f"d{row}", "text": _words(row)}) for row in range(rows)))
    judged = (f"q{row}\td{row}\t1" for row in range(rows))
    _write_lines(folder / "qrels" / "train.tsv", ["query-id\tcorpus-id\tscore", *judged])
    return str(folder)


def _squad(rows: int) -> str:
    def article(row: int) -> dict[str, Any]:
        answers = [{"text": str(row), "answer_start": len("passage ")}]
        paragraph = {
            "context": _words(row),
            "qas": [{"id": f"q{row}", "question": f"question {row}", "answers": answers}],
        }
        return {"title": f"title {row}", "paragraphs": [paragraph]}

    path = _place("squad", rows) / "train.en.json"
    parts = (json.dumps(article(row)) + "," * (row < rows - 1) for row in range(rows))
    _write_lines(path, itertools.chain(['{"version": "1.1", "data": ['], parts, ["]}"]))
    return str(path)


WRITE = {"pairs": _pairs, "bitext": _bitext, "beir": _beir, "squad": _squad}


CASES: dict[str, tuple[str, Callable[..., Callable[[], object]], tuple[Any, ...]]] = {
    "2,000 queries, run of 1,000": ("queries", evaluating, (2000, 5000, 1, 1000)),
    "8,000 queries, run of 1,000": ("queries", evaluating, (8000, 5000, 1, 1000)),
    "5,500 queries in 11 languages": ("queries", evaluating, (5500, 3300, 11, 0)),
    "22,000 queries in 11 languages": ("queries", evaluating, (22_000, 3300, 11, 0)),
    "1,500 queries in 50 languages": ("queries", evaluating, (1500, 1500, 50, 0)),
    "6,000 queries in 50 languages": ("queries", evaluating, (6000, 1500, 50, 0)),
    "2,000 queries, run of 1,000, streamed": ("queries", streaming, (2000, 5000, 1000)),
    "50 queries, run of 200,000 of 3,000, streamed": ("queries", streaming, (50, 3000, 200_000)),
    "search, 50 queries, -k 500,000 of 3,000": ("queries", searching, (50, 3000, 500_000)),
    "mine, 4,000 lines, depth 100": ("lines", mining, (4000, 100)),
    "mine, 4,000 lines, depth 4,000": ("lines", mining, (4000, 4000)),
    **{f"read {rows:,} {format}": ("rows", reading, (rows, format)) for format in WRITE for rows in (50_000, 200_000)},
}


def held() -> float:
    """Peak of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        _, make, sizes = CASES[options.case]
        work, before, start = make(*sizes), held(), time.perf_counter()
        kept = work()
        print(
            json.dumps({"memory": held() - before, "seconds": time.perf_counter() - start, "kept": type(kept).__name__})
        )
        return
    print(f"{'':46} {'MiB':>7} {'kB each':>8} {'seconds':>8}")
    for name, (_, _, sizes) in CASES.items():
        if options.only not in name:
            continue
        done = subprocess.run([sys.executable, __file__, "--case", name], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name:46} {done.stderr.strip().splitlines()[-1][:80]}")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{name:46} {found['memory']:7.0f} {found['memory'] * 1024 / sizes[0]:8.1f} {found['seconds']:8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
