"""Mining hard negatives against sentence-transformers:
`python benchmarks/mining.py DATA [--queries 87599] [--rounds 3]`.

DATA is SQuAD's training part (a file or folder that the format `squad` reads). A static encoder with a tokenizer of its
texts is made and saved as a sentence-transformers model; both sides load the same folder and mine the same questions
against all paragraphs, by turns. Ours does it with the vectors, with BM25, and with both; all end with the texts of the
negatives in memory. Reading the data, loading models and writing files is not counted, encoding is (ours is loaded anew
each time, since it remembers words). Printed are the seconds of each round, the median of the ratios, what writing JSON
lines then takes, and on how many questions the negatives of both are the same texts. It ends with an error where
`--factor` is not reached by vectors alone.

Needs the extra `peers`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from triglot.corpus.formats.registry import read_training
from triglot.corpus.parallel import ParallelCorpus
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.tokenizer import word_counts
from triglot.mine import Mined, MineSettings, mine, write
from triglot.mine.lines import lines_of

OURS = ("dense", "bm25", "both")


def ours(
    corpus: ParallelCorpus, strings: list[str], encoder: Any, source: Any, asked: argparse.Namespace
) -> tuple[Mined, Any]:
    """What was found, and its columns of texts."""
    lines = lines_of(corpus)
    settings = MineSettings(source=source, negatives=asked.negatives)
    found = mine(corpus, settings, encoder, lines=lines.select(np.arange(min(asked.queries, len(lines)))))
    kept = (found.text >= 0).all(axis=1)
    table = np.column_stack([found.lines.query, found.lines.passage, found.text])[kept]
    return found, [[strings[i] for i in column] for column in table.T.tolist()]


def theirs(rows: dict[str, list[str]], passages: list[str], model: Any, asked: argparse.Namespace) -> Any:
    """The same with sentence-transformers, at its fastest: whole lines as output, and the batch size that was asked
    for."""
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    return mine_hard_negatives(
        Dataset.from_dict(rows),
        model,
        corpus=passages,
        num_negatives=asked.negatives,
        output_format="n-tuple",
        batch_size=asked.batch,
        use_faiss=asked.faiss,
        verbose=False,
    )


def agreement(found: Mined, strings: list[str], other: Any, negatives: int) -> tuple[int, int]:
    """(questions with the same negatives, questions compared)."""
    columns = [other[f"negative_{n}"] for n in range(1, negatives + 1)] if negatives > 1 else [other["negative"]]
    known = {query: set(row) for query, row in zip(other["anchor"], zip(*columns, strict=True), strict=True)}
    same = compared = 0
    for line, query in enumerate(found.lines.query.tolist()):
        if strings[query] in known:
            compared += 1
            same += known[strings[query]] == {strings[text] for text in found.text[line].tolist() if text >= 0}
    return same, compared


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--queries", type=int, default=87_599)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--negatives", type=int, default=8)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--vocab", type=int, default=32_768)
    parser.add_argument(
        "--batch", type=int, default=32, help="texts that sentence-transformers encodes at once; 32 is its default"
    )
    parser.add_argument("--faiss", action="store_true", help="sentence-transformers searches with faiss")
    parser.add_argument("--factor", type=float, default=0.0)
    asked = parser.parse_args()
    try:
        import datasets
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        sys.exit(f"{error.name} is missing; install the extra `peers`")
    datasets.disable_progress_bars()
    os.environ["TQDM_DISABLE"] = "1"
    corpus, _ = read_training(asked.data, format="squad", unit="paragraph")
    strings = corpus.texts.to_pylist()
    lines = lines_of(corpus)
    some = slice(0, min(asked.queries, len(lines)))
    rows = {"anchor": [strings[i] for i in lines.query[some]], "positive": [strings[i] for i in lines.passage[some]]}
    passages = list(dict.fromkeys(strings[i] for i in lines.passage))
    print(f"{len(rows['anchor']):,} questions, {len(passages):,} passages, the best {asked.negatives}")
    seconds: dict[str, list[float]] = {name: [] for name in (*OURS, "sentence-transformers")}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        settings = EncoderSettings(kind="static", dim=asked.dim, vocab=asked.vocab)
        init_encoder(settings, word_counts({"en": strings}), seed=1).save(folder / "model")
        model = SentenceTransformer(str(folder / "model"), device="cpu")
        found = other = None
        for number in range(asked.rounds):
            for name in seconds:
                encoder = load_encoder(folder / "model")
                start = time.perf_counter()
                if name == "sentence-transformers":
                    other = theirs(rows, passages, model, asked)
                else:
                    made = ours(corpus, strings, encoder, name, asked)
                seconds[name].append(time.perf_counter() - start)
                if name == "dense":
                    found = made[0]
            print(
                f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:.1f} s" for name, values in seconds.items()),
                flush=True,
            )
        assert found is not None
        assert other is not None
        start = time.perf_counter()
        write(folder / "ours.jsonl", found)
        middle = time.perf_counter()
        other.to_json(folder / "theirs.jsonl")
        print(
            f"written in {middle - start:.1f} s, sentence-transformers' data set in "
            f"{time.perf_counter() - middle:.1f} s"
        )
        same, compared = agreement(found, strings, other, asked.negatives)
    print(f"{same:,} of {compared:,} questions have the same negatives")
    for name in OURS:
        ratios = [b / a for a, b in zip(seconds[name], seconds["sentence-transformers"], strict=True)]
        print(
            f"{name}: {statistics.median(ratios):.2f} times as fast (median of {len(ratios)}, {min(ratios):.2f} "
            f"to {max(ratios):.2f})"
        )
        if name == "dense" and statistics.median(ratios) < asked.factor:
            sys.exit(f"less than {asked.factor:g} times")


if __name__ == "__main__":
    main()
