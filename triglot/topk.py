"""Exact top-k of dot products over a pool of any size, streamed in blocks, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from triglot.files import InputError


class Best:
    """The k best passages of each query among those shown so far: what a streamed search keeps, (queries, k) twice.

    Equal scores stand in the order of the pool. At the cut-off that order decides which of several equal passages is kept, so measures
    over a cut-off run are exact only where the pool has no tie at rank k.

    Attributes:
        seen: passages shown so far.
        scores: (queries, k) float32, best first; -inf where fewer than k passages were shown.
        index: (queries, k) int64 into the pool; -1 there.
    """

    def __init__(self, queries: int, k: int):
        if k < 1:
            raise InputError(f"k is {k}; it must be at least 1")
        self.seen = 0
        self.scores = np.full((queries, k), -np.inf, np.float32)
        self.index = np.full((queries, k), -1, np.int64)

    def add(self, queries: np.ndarray, passages: np.ndarray, *, rows: int = 512) -> None:
        """Show the next passages of the pool.

        Args:
            queries: (queries, dim) float32, the same in every call.
            passages: (passages, dim).
            rows: queries scored at a time; `rows * passages * 4` bytes are held, and about twice that while passages are picked.

        Raises:
            InputError: dimensions that differ, or a score that is not a number.
        """
        passages = np.ascontiguousarray(passages, np.float32)
        if passages.ndim != 2 or passages.shape[1] != queries.shape[1]:
            raise InputError(f"passages have shape {passages.shape}, queries {queries.shape[1]} dimensions")
        for begin in range(0, len(queries), rows):
            here = slice(begin, begin + rows)
            self.offer(here, queries[here] @ passages.T, self.seen)
        self.seen += len(passages)

    def offer(self, here: slice, scores: np.ndarray, offset: int) -> None:
        """Show scores that were worked out elsewhere.

        Args:
            here: the queries.
            scores: (queries in `here`, passages) float32; -inf for a passage that must not be returned.
            offset: place of the first of these passages in the pool; later calls for the same queries must have a higher one.
        """
        if not scores.shape[1]:
            return
        # The highest score of each row tells which rows change at all (in a long stream few do), and whether all is a number.
        highest = scores.max(axis=1)
        if np.isnan(highest).any():
            raise InputError("a score is not a number: an embedding holds NaN or infinity")
        changes = np.flatnonzero(highest > self.scores[here, -1])  # an equal one comes later in the pool and loses
        if not len(changes):
            return
        rows = np.arange(len(self.scores))[here][changes]
        scores = scores if len(changes) == len(scores) else scores[changes]
        self.scores[rows], self.index[rows] = _merge(self.scores[rows], self.index[rows], scores, offset)

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
        InputError: k below 1, dimensions that differ, or a score that is not a number.
    """
    queries = np.ascontiguousarray(queries, np.float32)
    best = Best(len(queries), k)
    blocks = (passages[i : i + block] for i in range(0, len(passages), block)) if isinstance(passages, np.ndarray) else passages
    for part in blocks:
        best.add(queries, part, rows=rows)
    kept = min(k, best.seen)
    return best.scores[:, :kept], best.index[:, :kept]


def _merge(best: np.ndarray, index: np.ndarray, scores: np.ndarray, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Best k of what was kept, (rows, k) in order, and of new scores, (rows, passages)."""
    k = best.shape[1]
    better = scores > best[:, -1:]
    most = int(better.sum(1).max(initial=0))
    if most <= k:
        row, column = np.nonzero(better)
        slot = np.arange(len(row)) - np.searchsorted(row, np.arange(len(scores)))[row]
        values, places = np.full((len(scores), most), -np.inf, np.float32), np.full((len(scores), most), -1, np.int64)
        values[row, slot], places[row, slot] = scores[row, column], column + offset
    else:
        bar = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
        # Above the k-th score all count; of those equal to it the first ones, as many as there is room for.
        room = k - (scores > bar).sum(1, keepdims=True)
        equal = scores == bar
        keep = (scores > bar) | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= room))
        values, places = scores[keep].reshape(-1, k), (np.nonzero(keep)[1] + offset).reshape(-1, k)
        places[values == -np.inf] = -1  # a row with fewer than k passages to return
    values, places = np.concatenate([best, values], axis=1), np.concatenate([index, places], axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]  # what was kept stands first, so earlier passages win ties
    return np.take_along_axis(values, order, 1), np.take_along_axis(places, order, 1)
