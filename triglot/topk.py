"""Exact top-k of dot products over a pool of any size, streamed in blocks, in bounded memory."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

from triglot.files import InputError
from triglot.memory import check_fits

log = logging.getLogger("triglot")
RESULT = 12  # bytes of one result: a score and a place
_NOTED = 1 << 26  # bytes; less is not looked at
_MERGED = 1 << 22  # results that are held and scores that are shown, put in order at a time


def within(k: int, passages: int, queries: int = 0) -> int:
    """k, or all passages where the pool has fewer, which is said: nothing is ever made larger than the pool.

    Args:
        k: passages of each query that are asked for.
        passages: of the pool.
        queries: whose results are held at one time.

    Raises:
        InputError: k below 1, or more results than the memory holds.
    """
    _check(k)
    if k > passages:
        log.info("the best %d passages of each query are asked for; there are %d, and all are ranked", k, passages)
    k = min(k, passages)
    _check_fits(queries, k)
    return k


def _check(k: int) -> None:
    if k < 1:
        raise InputError(f"k is {k}; it must be at least 1")


def _check_fits(queries: int, k: int) -> None:
    if queries * k * RESULT > _NOTED:
        check_fits(queries * k * RESULT, f"the best {k} passages of each of {queries} queries")


class Best:
    """The k best passages of each query among those shown so far: what a streamed search keeps, (queries, k) twice.

    Equal scores stand in the order of the pool. At the cut-off that order decides which of several equal passages is
    kept, so measures over a cut-off run are exact only where the pool has no tie at rank k.

    Args:
        queries: how many.
        k: passages of each.
        grow: make columns as `add` shows passages, up to k: where the size of the pool is not known, so that a k larger
            than it costs nothing.

    Attributes:
        seen: passages shown so far.
        scores: (queries, k) float32, best first; -inf where fewer than k passages were shown.
        index: (queries, k) int64 into the pool; -1 there.

    Raises:
        InputError: k below 1, or more results than the memory holds.
    """

    def __init__(self, queries: int, k: int, *, grow: bool = False):
        _check(k)
        self.seen = 0
        self._k = k
        self.scores = np.empty((queries, 0), np.float32)
        self.index = np.empty((queries, 0), np.int64)
        if not grow:
            self._widen(k)

    def _widen(self, width: int) -> None:
        """Columns for so many passages, up to k; at least twice as many as before, so that few copies are made."""
        queries, before = self.scores.shape
        if before < min(width, self._k):
            more = min(self._k, max(width, 2 * before)) - before
            _check_fits(queries, before + more)
            self.scores = np.concatenate([self.scores, np.full((queries, more), -np.inf, np.float32)], axis=1)
            self.index = np.concatenate([self.index, np.full((queries, more), -1, np.int64)], axis=1)

    def add(self, queries: np.ndarray, passages: np.ndarray, *, rows: int = 512) -> None:
        """Show the next passages of the pool.

        Args:
            queries: (queries, dim) float32, the same in every call.
            passages: (passages, dim).
            rows: queries scored at a time; `rows * passages * 4` bytes are held, and about twice that while passages
                are picked.

        Raises:
            InputError: dimensions that differ, or a score that is not a number.
        """
        passages = np.ascontiguousarray(passages, np.float32)
        if passages.ndim != 2 or passages.shape[1] != queries.shape[1]:
            raise InputError(f"passages have shape {passages.shape}, queries {queries.shape[1]} dimensions")
        self._widen(self.seen + len(passages))
        few = max(1, _MERGED // (self.scores.shape[1] + max(len(passages), 1)))
        for begin in range(0, len(queries), rows):
            scores = queries[begin : begin + rows] @ passages.T
            for first in range(0, len(scores), few):
                part = scores[first : first + few]
                self.offer(slice(begin + first, begin + first + len(part)), part, self.seen)
        self.seen += len(passages)

    def offer(self, here: slice, scores: np.ndarray, offset: int) -> None:
        """Show scores that were worked out elsewhere.

        Args:
            here: the queries.
            scores: (queries in `here`, passages) float32; -inf for a passage that must not be returned.
            offset: place of the first of these passages in the pool; later calls for the same queries must have a
                higher one.
        """
        if not scores.shape[1]:
            return
        # The highest score of each row tells which rows change at all (in a long stream few do), and whether all is a
        # number.
        highest = scores.max(axis=1)
        if np.isnan(highest).any():
            raise InputError("a score is not a number: an embedding holds NaN or infinity")
        changes = np.flatnonzero(highest > self.scores[here, -1])  # an equal one comes later in the pool and loses
        if not len(changes):
            return
        rows = np.arange(len(self.scores))[here][changes]
        scores = scores if len(changes) == len(scores) else scores[changes]
        self.scores[rows], self.index[rows] = _merge(self.scores[rows], self.index[rows], scores, offset)

    def offer_some(self, here: slice, places: np.ndarray, scores: np.ndarray) -> None:
        """Show some passages of the pool, other ones to each query.

        Args:
            here: the queries.
            places: (queries in `here`, n) int64 places in the pool, ascending and higher than any shown before; -1 for
                none.
            scores: of the same shape, float32, -inf for none.
        """
        if np.isnan(scores).any():
            raise InputError("a score is not a number: an embedding holds NaN or infinity")
        self.scores[here], self.index[here] = _kept(self.scores[here], self.index[here], scores, places)

    def kept(self) -> tuple[np.ndarray, np.ndarray]:
        """`scores` and `index` without the columns that no passage filled."""
        width = int((self.index >= 0).sum(1).max(initial=0))
        return self.scores[:, :width], self.index[:, :width]


def top_k(
    queries: np.ndarray, passages: np.ndarray | Iterable[np.ndarray], k: int, *, block: int = 16_384, rows: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """The k passages with the highest dot product for each query, best first; ties as in `Best`.

    Args:
        queries: (queries, dim).
        passages: (passages, dim), an array or a memory map, or an iterable of such blocks in the order of the pool.
        k: how many; all passages where the pool has fewer.
        block: passages scored at a time when `passages` is an array.
        rows: queries scored at a time; `rows * block * 4` bytes are held.

    Returns:
        scores (queries, k) float32 and indices (queries, k) int64.

    Raises:
        InputError: k below 1, more results than the memory holds, dimensions that differ, or a score that is not a
            number.
    """
    queries = np.ascontiguousarray(queries, np.float32)
    _check(k)
    blocks: Iterable[np.ndarray] = passages
    if isinstance(passages, np.ndarray):
        k = within(k, len(passages), len(queries))
        blocks = (passages[i : i + block] for i in range(0, len(passages), block))
    best = Best(len(queries), max(k, 1), grow=True)
    for part in blocks:
        best.add(queries, part, rows=rows)
    k = within(k, best.seen) if k > best.seen else k
    return best.scores[:, :k], best.index[:, :k]


def _merge(best: np.ndarray, index: np.ndarray, scores: np.ndarray, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Best k of what was kept, (rows, k) in order, and of new scores, (rows, passages)."""
    k, (rows, width) = best.shape[1], scores.shape
    # Flat places of the scores that count: few once a stream is on its way. A row's sum over booleans would cost more
    # than the product.
    better = scores > best[:, -1:]
    flat = np.flatnonzero(better) if width <= k or np.count_nonzero(better) <= 4 * k * rows else None
    if flat is None or (width > k and np.bincount(flat // width, minlength=rows).max(initial=0) > 4 * k):
        flat = _above(scores, np.maximum(reached(scores, k), np.nextafter(best[:, -1], np.inf, dtype=np.float32)), k)
    row = flat // width
    counts = np.bincount(row, minlength=rows)
    slot = np.arange(len(flat)) - (np.cumsum(counts) - counts)[row]
    shape = (rows, int(counts.max(initial=0)))
    values, places = np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64)
    values[row, slot], places[row, slot] = scores.ravel()[flat], flat - row * width + offset
    return _kept(best, index, values, places)


def _kept(best: np.ndarray, index: np.ndarray, values: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best k of what was kept, (rows, k), and of others, (rows, n), each with their places."""
    values, places = np.concatenate([best, values], axis=1), np.concatenate([index, places], axis=1)
    # What was kept stands first, so earlier passages win ties.
    order = np.argsort(-values, axis=1, kind="stable")[:, : best.shape[1]]
    return np.take_along_axis(values, order, 1), np.take_along_axis(places, order, 1)


def reached(scores: np.ndarray, k: int) -> np.ndarray:
    """(rows,) a score that at least k of each row reach, and few more; of k columns or more, of any type."""
    rows, width = scores.shape
    groups = 4 * k
    if width >= 2 * groups:  # of the highest of each group, the k-th is reached by k; far fewer have to be put in order
        scores = scores[:, : width // groups * groups].reshape(rows, -1, groups).max(axis=1)
        width = groups
    return np.partition(scores, width - k, axis=1)[:, width - k]


def _above(scores: np.ndarray, bar: np.ndarray, k: int) -> np.ndarray:
    """Flat places of scores above their row's bar, and of those equal to it the first ones, as many as make k."""
    flat = np.flatnonzero(scores >= bar[:, None])
    row = flat // scores.shape[1]
    counts = np.bincount(row, minlength=len(scores))
    if counts.max(initial=0) <= 2 * k:
        return flat
    equal = scores.ravel()[flat] == bar[row]
    ties = np.bincount(row[equal], minlength=len(scores))
    nth = np.cumsum(equal) - (np.cumsum(ties) - ties)[row]  # from 1 among the equal ones of a row
    return flat[~equal | (nth <= k - (counts - ties)[row])]
