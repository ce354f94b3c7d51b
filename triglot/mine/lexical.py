"""BM25 over the pools of passages, scored fast for many questions at once.

Nearly all of the work of a sparse product goes into the few tokens that most passages have (in SQuAD's paragraphs 56 of
79,065 have nine in ten postings that questions touch). Here their weights are a dense matrix, multiplied as such; all
others stay sparse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import sparse

from triglot import bm25
from triglot.corpus.parallel import ParallelCorpus
from triglot.mine.lines import Lines, Pools

COMMON = 1 / 8  # share of the passages above which a token's weights are held densely


@dataclass(frozen=True)
class _Index:
    """One language: weights of common tokens, (tokens, passages) dense, and of rare ones, sparse; which tokens of
    `whole` are which."""

    whole: bm25.Index
    often: np.ndarray
    common: np.ndarray
    rare: sparse.csr_array


@dataclass(frozen=True)
class _Asked:
    """Questions, ascending, and their bags, split as the index is."""

    texts: np.ndarray
    whole: sparse.csr_array
    common: sparse.csr_array
    rare: sparse.csr_array


class Lexical:
    """BM25 within each language. A question that has a translation in the passages' language is asked in it.

    Args:
        corpus: the training data.
        pools: its passages.
    """

    def __init__(self, corpus: ParallelCorpus, pools: Pools):
        self._corpus, self._pools = corpus, pools
        self._indices: dict[int, _Index] = {}
        self._asked: dict[int, _Asked] = {}

    def asked(self, lines: Lines, lang: int) -> np.ndarray:
        """(lines,) the texts that passages of a language are asked with."""
        translated = self._corpus.text_of[self._corpus.text_group[lines.query], lang]
        return np.where(translated >= 0, translated, lines.query)

    def _index(self, lang: int) -> _Index:
        if lang not in self._indices:
            texts = self._corpus.texts.take(pa.array(self._pools.texts[lang])).to_pylist()
            whole = bm25.build(texts)
            often = np.diff(whole.weights.indptr) > COMMON * len(texts)
            common, rare = whole.weights[np.flatnonzero(often)], whole.weights[np.flatnonzero(~often)]
            self._indices[lang] = _Index(whole, often, np.asarray(common.todense()), sparse.csr_array(rare))
        return self._indices[lang]

    def prepare(self, texts: np.ndarray, lang: int) -> None:
        """Count the tokens of these questions."""
        index, texts = self._index(lang), np.unique(texts)
        if lang not in self._asked or len(np.setdiff1d(texts, self._asked[lang].texts)):
            bags = bm25.bags(
                index.whole, [bm25.count_tokens(text) for text in self._corpus.texts.take(pa.array(texts)).to_pylist()]
            )
            common, rare = bags[:, np.flatnonzero(index.often)], bags[:, np.flatnonzero(~index.often)]
            self._asked[lang] = _Asked(texts, bags, sparse.csr_array(common), sparse.csr_array(rare))

    def scores(self, texts: np.ndarray, lang: int) -> np.ndarray:
        """(texts, passages of the pool) float32, of questions that were prepared."""
        index, asked = self._index(lang), self._asked[lang]
        rows = np.searchsorted(asked.texts, texts)
        out = np.asarray(asked.common[rows].todense()) @ index.common
        rest = sparse.csr_array(asked.rare[rows] @ index.rare)
        flat = np.repeat(np.arange(len(texts)) * out.shape[1], np.diff(rest.indptr)) + rest.indices
        out.ravel()[flat] += rest.data
        return out

    def positive(self, lines: Lines) -> np.ndarray:
        """(lines,) score of the positive in its own language; NaN where it is not in the pool."""
        out = np.full(len(lines), np.nan, np.float32)
        for lang in np.unique(lines.lang).tolist():
            here = np.flatnonzero(lines.lang == lang)
            keys = self._pools.keys[lang]
            order = np.argsort(keys, kind="stable")
            wanted = self._pools.key[lines.passage[here]]
            place = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
            inside = keys[place] == wanted
            texts = self.asked(lines.select(here), lang)
            self.prepare(texts, lang)
            columns = sparse.csr_array(self._index(lang).whole.weights.T)[place[inside]]
            asked = self._asked[lang]
            bags = sparse.csr_array(asked.whole[np.searchsorted(asked.texts, texts[inside])])
            out[here[inside]] = np.asarray(bags.multiply(columns).sum(axis=1)).ravel()
        return out
