"""Candidates of lines in one language, best first: by vectors, by BM25, or by chance.

Never one of the line's family.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

from triglot import seeds
from triglot.corpus.parallel import ParallelCorpus
from triglot.evaluate.counts import threads_allowed
from triglot.mine import prefilter
from triglot.mine.lexical import Lexical
from triglot.mine.lines import Lines, Pools
from triglot.topk import Best

ROWS = 512  # lines scored at a time by one thread
LEXICAL_ROWS = 128  # by BM25, against the whole pool at once
WIDTH = 4096  # passages scored at a time: a block of scores stays in the cache while the best are picked


@dataclass(frozen=True)
class Candidates:
    """Of each line, best first.

    Attributes:
        place: (lines, k) int64 into the pool of the language, -1 where there are no more.
        score: (lines, k) float32, -inf there.
    """

    place: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Vectors:
    """Unit vectors of question and passage texts.

    Attributes:
        query, passage: (texts, dim) float32.
        query_row, passage_row: (texts of the corpus,) row of each, -1 where it was not encoded.
        start: (languages + 1,) the pool of language l is `passage[start[l]:start[l + 1]]`.
    """

    query: np.ndarray
    passage: np.ndarray
    query_row: np.ndarray
    passage_row: np.ndarray
    start: np.ndarray

    def pool(self, lang: int) -> np.ndarray:
        """(passages, dim) of a language."""
        return self.passage[self.start[lang] : self.start[lang + 1]]

    def positive(self, lines: Lines) -> np.ndarray:
        """(lines,) score of the positive."""
        return np.einsum(
            "nd,nd->n", self.query[self.query_row[lines.query]], self.passage[self.passage_row[lines.passage]]
        )

    def score(self, lines: Lines, lang: int, place: np.ndarray) -> np.ndarray:
        """(lines, k) scores of these places of a pool; -inf where the place is -1."""
        query, pool = self.query[self.query_row[lines.query]], self.pool(lang)
        out = np.empty(place.shape, np.float32)
        for begin in range(0, len(lines), ROWS):
            here = slice(begin, begin + ROWS)
            out[here] = np.matmul(pool[place[here]], query[here, :, None])[:, :, 0]
        return np.where(place >= 0, out, -np.inf).astype(np.float32)


Embed = Callable[[np.ndarray, str], np.ndarray]


def vectors_of(corpus: ParallelCorpus, lines: Lines, pools: Pools, embed: Embed) -> Vectors:
    """Vectors of all that the lines need.

    Args:
        corpus: the training data.
        lines: what is mined for.
        pools: what is mined from.
        embed: (texts of the corpus, "query" or "passage") -> unit vectors.
    """
    asked = np.unique(lines.query)
    held = np.concatenate(pools.texts)
    passages = np.concatenate([held, np.setdiff1d(lines.passage, held)])
    rows = []
    for texts in (asked, passages):
        row = np.full(len(corpus.texts), -1, np.int64)
        row[texts] = np.arange(len(texts))
        rows.append(row)
    start = np.cumsum([0] + [len(texts) for texts in pools.texts])
    return Vectors(embed(asked, "query"), embed(passages, "passage"), rows[0], rows[1], start)


class Barred:
    """Places of a pool that a line must never have: its positive's and its question's family, and what says the same as
    its question."""

    def __init__(self, corpus: ParallelCorpus, pools: Pools):
        self._corpus, self._pools = corpus, pools
        self._sorted: dict[tuple[int, bool], tuple[np.ndarray, np.ndarray]] = {}

    def _find(self, lang: int, by_key: bool, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(line, place) of the places with the wanted family, or key."""
        if (lang, by_key) not in self._sorted:
            values = (self._pools.keys if by_key else self._pools.families)[lang]
            order = np.argsort(values, kind="stable")
            self._sorted[lang, by_key] = order, values[order]
        order, values = self._sorted[lang, by_key]
        low, high = np.searchsorted(values, wanted, "left"), np.searchsorted(values, wanted, "right")
        line = np.repeat(np.arange(len(wanted)), high - low)
        return line, order[
            np.arange(len(line)) - np.repeat(np.cumsum(high - low) - (high - low), high - low) + low[line]
        ]

    def of(self, lines: Lines, lang: int) -> tuple[np.ndarray, np.ndarray]:
        """(line, place) pairs, ascending by line; a pair may occur twice."""
        corpus, pools = self._corpus, self._pools
        results = [
            self._find(lang, False, pools.family[corpus.text_group[texts]]) for texts in (lines.passage, lines.query)
        ]
        results.append(self._find(lang, True, pools.key[lines.query]))
        line, place = (np.concatenate(column) for column in zip(*results, strict=True))
        order = np.argsort(line, kind="stable")
        return line[order], place[order]


class Search:
    """Candidates from one corpus.

    Args:
        corpus: the training data.
        pools: its passages.
        vectors: for `dense`.
        threads: 0 for the processors at hand. The answer does not depend on it.
    """

    def __init__(self, corpus: ParallelCorpus, pools: Pools, *, vectors: Vectors | None = None, threads: int = 0):
        self._corpus, self._pools, self._vectors = corpus, pools, vectors
        self._barred = Barred(corpus, pools)
        self._workers = threads_allowed(threads)
        self._prefilters: dict[int, prefilter.Prefilter] = {}

    @property
    def vectors(self) -> Vectors:
        """Those it was made with."""
        assert self._vectors is not None
        return self._vectors

    @cached_property
    def lexical(self) -> Lexical:
        """BM25 over the pools."""
        return Lexical(self._corpus, self._pools)

    def dense(self, lines: Lines, lang: int, k: int) -> Candidates:
        """By the dot product of vectors."""
        vectors, pool = self.vectors, self.vectors.pool(lang)
        if prefilter.pays():
            if lang not in self._prefilters:
                self._prefilters[lang] = prefilter.Prefilter(pool)
            search = self._prefilters[lang].search
        else:

            def search(best: Best, queries: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
                for begin in range(0, len(pool), WIDTH):
                    _offer(best, queries @ pool[begin : begin + WIDTH].T, begin, rows, columns)

        def show(best: Best, part: Lines, rows: np.ndarray, columns: np.ndarray) -> None:
            search(best, np.ascontiguousarray(vectors.query[vectors.query_row[part.query]]), rows, columns)

        with prefilter.one_thread():
            return self._best(lines, lang, k, show)

    def bm25(self, lines: Lines, lang: int, k: int) -> Candidates:
        """By BM25; passages that share no word with the question are no candidates."""
        self.lexical.prepare(self.lexical.asked(lines, lang), lang)  # before the threads start

        def show(best: Best, part: Lines, rows: np.ndarray, columns: np.ndarray) -> None:
            best.scores[:] = 0.0
            _offer(best, self.lexical.scores(self.lexical.asked(part, lang), lang), 0, rows, columns)

        return self._best(lines, lang, k, show, LEXICAL_ROWS)

    def random(self, lines: Lines, lang: int, k: int, seed: int) -> Candidates:
        """By chance, each line on its own. Scores are 0. A place may be drawn twice."""
        size = len(self._pools.texts[lang])
        counters = lines.query[:, None], lines.passage[:, None]
        if size <= 2 * k:
            draw = seeds.bits(seed, "mine.random", *counters, self._pools.texts[lang])
            place = np.argsort(draw, axis=1, kind="stable").reshape(len(lines), size)
        else:
            place = (seeds.uniform(seed, "mine.random", *counters, lang, np.arange(2 * k)) * size).astype(np.int64)
        line, barred = self._barred.of(lines, lang)
        bad = np.sort(line * size + barred)
        flat = np.arange(len(lines))[:, None] * size + place
        at = np.minimum(np.searchsorted(bad, flat), max(len(bad) - 1, 0))
        allowed = bad[at] != flat if len(bad) else np.ones(place.shape, bool)
        return Candidates(np.where(allowed, place, -1), np.where(allowed, 0, -np.inf).astype(np.float32))

    def _best(
        self,
        lines: Lines,
        lang: int,
        k: int,
        show: Callable[[Best, Lines, np.ndarray, np.ndarray], None],
        rows: int = ROWS,
    ) -> Candidates:
        """The best k of what `show` shows for some lines at a time, less the pairs (line, place) that are barred."""
        k = max(1, min(k, len(self._pools.texts[lang])))
        place, score = np.full((len(lines), k), -1, np.int64), np.full((len(lines), k), -np.inf, np.float32)
        line, barred = self._barred.of(lines, lang)

        def work(begin: int) -> None:
            here = slice(begin, min(begin + rows, len(lines)))
            low, high = np.searchsorted(line, [here.start, here.stop])
            best = Best(here.stop - here.start, k)
            show(best, lines.select(np.arange(here.start, here.stop)), line[low:high] - here.start, barred[low:high])
            place[here], score[here] = best.index, np.where(best.index >= 0, best.scores, -np.inf)

        # Each thread multiplies on its own: BLAS threads would wait for those that pick.
        with threadpool_limits(1), ThreadPoolExecutor(self._workers) as threads:
            list(threads.map(work, range(0, len(lines), rows)))
        return Candidates(place, score)


def _offer(best: Best, scores: np.ndarray, begin: int, rows: np.ndarray, columns: np.ndarray) -> None:
    """Show the scores of passages from a place on, without the pairs that are barred."""
    inside = (columns >= begin) & (columns < begin + scores.shape[1])
    scores[rows[inside], columns[inside] - begin] = -np.inf
    best.offer(slice(0, len(scores)), scores, begin)
