"""Training pairs as a `datasets.Dataset`: a line for each row of a corpus in each pair of languages it can be shown
in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from triglot.files import InputError

if TYPE_CHECKING:
    from datasets import Dataset

    from triglot.corpus.parallel import ParallelCorpus

_CELLS = 2**24  # (row, language, language) looked at together


class ShownTexts:
    """What a trainer sees of a line: `anchor` and `positive` as texts, and `label`, the passage's family."""

    def __init__(self, texts: pa.Array):
        self.texts = texts

    def __call__(self, lines: dict[str, list[Any]]) -> dict[str, list[Any]]:
        shown = {side: self._texts(lines[side]) for side in ("anchor", "positive") if side in lines}
        if "label" in lines:
            shown["label"] = lines["label"]
        return shown or lines

    def _texts(self, numbers: list[int]) -> list[str]:
        return self.texts.take(pa.array(numbers, pa.int32())).to_pylist()


def to_dataset(corpus: ParallelCorpus) -> Dataset:
    """The pairs of a corpus for `SentenceTransformerTrainer`, to be used with `triglot.batch_sampler`.

    A line shows the columns `anchor`, `positive` and `label`: the passage's family, by which `GroupMaskedRankingLoss`
    knows pairs that are not negatives of one another. Texts are looked up when a batch is made; what is stored are some
    twenty bytes a line, namely numbers of texts, and `row`, `query_language`, `passage_language`, `source` and
    `bitext`, which the batch sampler reads.

    Raises:
        InputError: `datasets` is not installed.
    """
    try:
        from datasets import Dataset
    except ImportError:
        raise InputError("the package `datasets` is needed: pip install datasets") from None

    row, query_language, passage_language = (np.concatenate(column) for column in zip(*_lines(corpus), strict=True))
    query, passage = corpus.query[row], corpus.passage[row]
    columns = {
        "anchor": corpus.text_of[query, query_language],
        "positive": corpus.text_of[passage, passage_language],
        "label": corpus.family[passage],
        "row": row.astype(np.int32),
        "query_language": query_language.astype(np.int8),
        "passage_language": passage_language.astype(np.int8),
        "source": corpus.source[row],
        "bitext": query == passage,
    }
    return Dataset(pa.table(columns)).with_transform(ShownTexts(corpus.texts))


def _lines(corpus: ParallelCorpus) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(row, query language, passage language) of each line; a text is never paired with itself."""
    languages = len(corpus.languages)
    block = max(1, _CELLS // languages**2)
    for start in range(0, len(corpus), block):
        rows = slice(start, start + block)
        query, passage = corpus.query[rows], corpus.passage[rows]
        able = (corpus.text_of[query] >= 0)[:, :, None] & (corpus.text_of[passage] >= 0)[:, None, :]
        able &= ~((query == passage)[:, None, None] & np.eye(languages, dtype=bool))
        row, query_language, passage_language = np.nonzero(able)
        yield row + start, query_language, passage_language
