"""What a service finds raw and fair: `triglot serve` on an index of a benchmark's passages, asked over HTTP.

python -m benchmarks.fair_http intfloat/multilingual-e5-small --on ../shared/data/xquad-r --paragraphs 60

Every question of some paragraphs, in every language, goes to `/search` on the loopback in the modes `any` and `fair`,
once over the pool of all languages and once with a filter on its own language, for the first 1,000 hits. Mean average
precision is that of these hits (what lies below rank 1,000 counts as not found), the distance is the mean difference of
the ranks of two versions of one answer, where a version that was not found stands at 1,001. Intervals: bootstrap over
paragraphs, of the same questions in both modes.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

from benchmarks.served import serving
from triglot.commands.index import fitted
from triglot.commands.models import lasting, load_model
from triglot.corpus.formats.registry import read_retrieval
from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.once import encode_once
from triglot.encoder.probe import probe
from triglot.encoder.protocol import inner_of
from triglot.index.documents import Documents
from triglot.index.settings import IndexSettings
from triglot.index.store import create

DEPTH, MODES = 1000, ("any", "fair")


def ask(line: http.client.HTTPConnection, body: dict[str, Any]) -> list[str]:
    """Ids of the hits of one question."""
    line.request("POST", "/search", json.dumps(body), {"Content-Type": "application/json"})
    answer = line.getresponse()
    told = json.loads(answer.read())
    assert answer.status == 200, told
    return [hit["id"] for hit in told["hits"]]


def precision(hits: list[str], wanted: set[str]) -> float:
    """Average precision of a ranking that goes as far as the hits."""
    found = [rank for rank, one in enumerate(hits, 1) if one in wanted]
    return sum(number / rank for number, rank in enumerate(found, 1)) / len(wanted)


def distance(hits: list[str], wanted: set[str]) -> float:
    """Mean difference of the ranks of two wanted passages."""
    at = {one: rank for rank, one in enumerate(hits, 1)}
    ranks = np.array([at.get(one, DEPTH + 1) for one in wanted], float)
    pairs = np.abs(ranks[:, None] - ranks[None])
    return float(pairs.sum() / (len(ranks) * (len(ranks) - 1)))


def asked_of(benchmark: RetrievalSet, paragraphs: int) -> list[tuple[int, int, set[int]]]:
    """(question, paragraph, its answers in all languages) of paragraphs that are spread over all."""
    answers: dict[int, set[int]] = {}
    for query, passage, grade in benchmark.judgements.tolist():
        if grade > 0:
            answers.setdefault(query, set()).add(passage)
    of_query = {query: int(benchmark.passages.cluster[next(iter(found))]) for query, found in answers.items()}
    known = sorted(set(of_query.values()))
    chosen = set(np.array(known)[np.linspace(0, len(known) - 1, min(paragraphs, len(known))).astype(int)].tolist())
    return [(query, cluster, answers[query]) for query, cluster in of_query.items() if cluster in chosen]


def interval(values: np.ndarray, clusters: np.ndarray, draws: int = 2000) -> tuple[float, float, float]:
    """Mean and the ends of its 95 % interval over paragraphs."""
    names, place = np.unique(clusters, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place)
    picked = np.random.default_rng(1).integers(0, len(names), (draws, len(names)))
    means = sums[picked].sum(1) / counts[picked].sum(1)
    return float(values.mean()), *(float(one) for one in np.percentile(means, [2.5, 97.5]))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--on", default="../shared/data/xquad-r")
    parser.add_argument("--paragraphs", type=int, default=60)
    parser.add_argument("--debias", default="lsar", help="centre | lir | lsar")
    told = parser.parse_args()
    encoder = load_model(told.model, cache="")
    benchmark = read_retrieval(told.on, name=Path(told.on).name)
    passages = encode_once(inner_of(encoder), benchmark.passages.texts, "passage", False)
    langs = [benchmark.languages[lang] for lang in benchmark.passages.lang.tolist()]
    documents = Documents(benchmark.passages.ids, benchmark.passages.texts, langs)
    removal = fitted(told.debias, documents, passages)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "index"
        more = {"model": lasting(told.model), "probe": probe(encoder), "removal": removal}
        create(place, documents, passages, IndexSettings(lexical=False), **more)
        with serving(str(place), "rate=1000000", f"most_hits={DEPTH}") as (port, _):
            report(http.client.HTTPConnection("127.0.0.1", port, timeout=60), benchmark, told.paragraphs)


def report(line: http.client.HTTPConnection, benchmark: RetrievalSet, paragraphs: int) -> None:
    """Ask, and print what was found in both modes."""
    asked, ids = asked_of(benchmark, paragraphs), benchmark.passages.ids
    clusters = np.array([cluster for _, cluster, _ in asked])
    values: dict[tuple[str, str], list[float]] = {(what, mode): [] for what in ("pool", "own", "far") for mode in MODES}
    began = time.perf_counter()
    for query, _, answers in asked:
        code = benchmark.languages[benchmark.queries.lang[query]]
        everywhere = {ids[one] for one in answers}
        own = {ids[one] for one in answers if benchmark.passages.lang[one] == benchmark.queries.lang[query]}
        for mode in MODES:
            body = {"query": benchmark.queries.texts[query], "lang": code, "mode": mode, "k": DEPTH}
            hits = ask(line, body)
            values["pool", mode].append(precision(hits, everywhere))
            values["far", mode].append(distance(hits, everywhere))
            values["own", mode].append(precision(ask(line, body | {"filters": [f"lang={code}"]}), own))
    seconds, different = time.perf_counter() - began, len(set(clusters.tolist()))
    print(f"{len(asked):,} questions of {different} paragraphs, {4 * len(asked):,} requests in {seconds:.0f} s")
    print("| | any | fair | fair - any [95 %] |")
    print("|---|---:|---:|---:|")
    names = {"pool": ("mAP in the pool", 3), "own": ("mAP within a language", 3), "far": ("rank distance", 0)}
    for what, (name, digits) in names.items():
        before, after = (np.array(values[what, mode]) for mode in MODES)
        mean, low, high = (f"{one:+.{digits}f}" for one in interval(after - before, clusters))
        print(f"| {name} | {before.mean():.{digits}f} | {after.mean():.{digits}f} | {mean} [{low}, {high}] |")


if __name__ == "__main__":
    main()
