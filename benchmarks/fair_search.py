"""What a search finds raw and fair: an index of a benchmark's passages, asked every question.

python -m benchmarks.fair_search intfloat/multilingual-e5-small --on ../shared/data/xquad-r --out runs/search
triglot compare runs/search/any runs/search/fair

Every passage of the index is ranked for each question, by what `Searcher` ranks in that mode: the model's own scores,
or those of debiased vectors calibrated by language. The first 100 hits of `Searcher` itself are compared with that
ranking for every 50th question. As `triglot index --debias` does, the step is fitted on the passages alone, without
translations; a model that `triglot debias` has made with a step of its own keeps that.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from triglot.commands.index import fitted
from triglot.commands.models import load_model
from triglot.corpus.formats.registry import read_retrieval
from triglot.encoder.once import encode_set
from triglot.encoder.protocol import inner_of
from triglot.evaluate import write_results
from triglot.evaluate.evaluator import evaluate_scores
from triglot.index.documents import Documents
from triglot.index.settings import IndexSettings
from triglot.index.store import DiskIndex, create
from triglot.search.modes import MODES
from triglot.search.searcher import Searcher, SearchSettings

CHECKED, DEEP = 50, 100


class Ranked:
    """The scores by which an index ranks all its passages for some questions, in one mode."""

    def __init__(self, index: DiskIndex, vectors: np.ndarray, langs: list[str], mode: str):
        self.index, self.vectors, self.langs, self.fair = index, vectors, langs, MODES[mode].fair
        self.seconds, self.asked = 0.0, 0

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(rows, passages), in the order in which the passages were indexed."""
        began = time.perf_counter()
        found = self.index.search(
            self.vectors[rows],
            len(self.index),
            langs=[self.langs[row] for row in rows],
            view="fair" if self.fair else "raw",
            calibrated=self.fair,
        )
        self.seconds, self.asked = self.seconds + time.perf_counter() - began, self.asked + len(rows)
        scores = np.empty(found.places.shape, np.float32)
        np.put_along_axis(scores, found.places, found.calibrated if self.fair else found.scores, axis=1)
        return scores


def main() -> None:
    """Write results of both modes, and print what they hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--on", default="../shared/data/xquad-r")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--debias", default="lsar", help="centre | lir | lsar")
    asked = parser.parse_args()
    encoder = load_model(asked.model, cache="")
    inner, removal = inner_of(encoder), getattr(encoder, "removal", None)
    benchmark = read_retrieval(asked.on, name=Path(asked.on).name)
    queries, passages = encode_set(inner, benchmark)
    of_queries, of_passages = (
        [benchmark.languages[lang] for lang in texts.lang.tolist()] for texts in (benchmark.queries, benchmark.passages)
    )
    documents = Documents(benchmark.passages.ids, benchmark.passages.texts, of_passages)
    removal = fitted(asked.debias, documents, passages) if removal is None else removal
    with tempfile.TemporaryDirectory() as folder:
        index = create(Path(folder) / "i", documents, passages, IndexSettings(lexical=False), removal=removal)
        searcher = Searcher(inner, index)
        for mode in ("any", "fair"):
            ranked = Ranked(index, queries, of_queries, mode)
            some = np.arange(0, len(queries), CHECKED)
            answers = searcher.search_all(
                [benchmark.queries.texts[row] for row in some],
                SearchSettings(k=DEEP, mode=mode),
                langs=[of_queries[row] for row in some],
                vectors=queries[some],
            )
            for answer, scores in zip(answers, ranked(some), strict=True):
                values = [hit.calibrated if ranked.fair else hit.score for hit in answer.hits]
                assert np.allclose(values, np.sort(scores)[::-1][:DEEP], atol=1e-4)
            result = evaluate_scores(ranked, benchmark, settings=["mono", "multi"])
            write_results(asked.out / mode, {benchmark.name: result}, model=f"{asked.model}, {mode}")
            held = result.summary
            print(
                f"{mode}: mono mAP {held['mono']['map']:.4f}, multi mAP {held['multi']['map']:.4f}, "
                f"rank distance {held['bias']['rank_distance']:.0f}; "
                f"{1000 * ranked.seconds / ranked.asked:.1f} ms a question, all passages ranked",
                flush=True,
            )


if __name__ == "__main__":
    main()
