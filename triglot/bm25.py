"""BM25 for every script: words where words are spaced, character bigrams where they are not.

The index is bm25s' (Lu 2024): the weight of every term in every passage, worked out when it is built, so that scoring
is one sparse product. Settings are frozen (Lucene's k1 = 1.2, b = 0.75): a baseline that is tuned on what it is
measured on is none.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import bm25s
import numpy as np
from scipy import sparse

from triglot.text import HAN_BLOCKS, THAI_BLOCKS, fold, ranges

K1, B = 1.2, 0.75
_UNSPACED = ranges((*HAN_BLOCKS, *THAI_BLOCKS))


@lru_cache(maxsize=1)
def _runs() -> re.Pattern[str]:
    """Runs of letters, digits and their marks: unspaced scripts in the first group, others in the second.

    Vowel signs of Indic scripts and Thai are marks, which `\\w` leaves out: it would cut Hindi words in pieces.
    """
    marks = "".join(
        re.escape(c) for c in map(chr, range(min(sys.maxunicode, 0xFFFF))) if unicodedata.category(c) in ("Mn", "Mc")
    )
    return re.compile(f"([{_UNSPACED}]+)|((?:(?![{_UNSPACED}])(?:[^\\W_]|[{marks}]))+)")


def runs(text: str) -> list[tuple[str, bool]]:
    """(run, whether its script is unspaced) of a text, folded."""
    return [(unspaced or spaced, bool(unspaced)) for unspaced, spaced in _runs().findall(fold(text))]


def tokenise(text: str) -> list[str]:
    """Words of letters and digits, and overlapping character bigrams of scripts without spaces (a lone character is a
    token)."""
    tokens: list[str] = []
    for run, unspaced in runs(text):
        if unspaced and len(run) > 1:
            tokens += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            tokens.append(run)
    return tokens


def spans(text: str) -> list[tuple[str, int, int]]:
    """The tokens of a text as `tokenise` names them, each with where it begins and ends in the text as it is."""
    found: list[tuple[str, int, int]] = []
    for match in _runs().finditer(text):
        start, end = match.span()
        if match[1] and end - start > 1:
            found += [(fold(text[i : i + 2]), i, i + 2) for i in range(start, end - 1)]
        else:
            found.append((fold(match[0]), start, end))
    return found


@dataclass(frozen=True)
class Index:
    """Passages of one pool.

    Attributes:
        terms: token to row of `weights`.
        weights: (terms, passages) float32, what a token of the query adds to a passage's score.
    """

    terms: Mapping[str, int]
    weights: sparse.csr_array


def build(texts: Sequence[str], *, k1: float = K1, b: float = B) -> Index:
    """Index passages with Lucene's BM25: idf(t) tf / (tf + k1 (1 - b + b length / mean length)), idf = log(1 + (N - n +
    .5) / (n + .5))."""
    tokens = [tokenise(text) for text in texts]
    numbers: dict[str, int] = {}
    ids = [[numbers.setdefault(token, len(numbers)) for token in passage] for passage in tokens]
    if not numbers:
        return Index({}, sparse.csr_array((0, len(texts)), dtype=np.float32))
    retriever = bm25s.BM25(k1=k1, b=b, method="lucene", backend="numpy")
    retriever.index((ids, numbers), create_empty_token=False, show_progress=False)
    scores = retriever.scores
    shape = (len(numbers), len(texts))
    return Index(numbers, sparse.csr_array((scores["data"], scores["indices"], scores["indptr"]), shape=shape))


def bags(index: Index, queries: Sequence[Mapping[str, float]]) -> sparse.csr_array:
    """Weighted tokens of queries as a matrix, (queries, terms) float32; tokens that no passage has are left out."""
    rows, columns, values = [], [], []
    for row, bag in enumerate(queries):
        for token, weight in bag.items():
            if (column := index.terms.get(token)) is not None:
                rows.append(row)
                columns.append(column)
                values.append(weight)
    shape = (len(queries), len(index.terms))
    return sparse.csr_array((np.array(values, np.float32), (rows, columns)), shape=shape)


def count_tokens(text: str) -> dict[str, float]:
    """Token counts of a query: a token that stands twice counts twice."""
    bag: dict[str, float] = {}
    for token in tokenise(text):
        bag[token] = bag.get(token, 0.0) + 1.0
    return bag


def scores(index: Index, queries: sparse.csr_array) -> np.ndarray:
    """(queries, passages) float32 from the bags of `bags`. Equal passages get bitwise equal scores."""
    return np.asarray(sparse.csr_array(queries @ index.weights).todense())
