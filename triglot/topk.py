"""Exact top-k of dot products over a pool of any size, streamed in blocks, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from triglot.files import InputError


def top_k(
    queries: np.ndarray, passages: np.ndarray | Iterable[np.ndarray], k: int, *, block: int = 16_384, rows: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """The k passages with the highest dot product for each query, best first.

    Equal scores stand in the order of the pool. At the cut-off that order decides which of several equal passages is kept, so measures
    over a cut-off run are exact only where the pool has no tie at rank k.

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
    if k < 1:
        raise InputError(f"k is {k}; it must be at least 1")
    queries = np.ascontiguousarray(queries, np.float32)
    best = np.full((len(queries), k), -np.inf, np.float32)
    index = np.full((len(queries), k), -1, np.int64)
    blocks = (passages[i : i + block] for i in range(0, len(passages), block)) if isinstance(passages, np.ndarray) else passages
    seen = 0
    for part in blocks:
        part = np.ascontiguousarray(part, np.float32)
        if part.ndim != 2 or part.shape[1] != queries.shape[1]:
            raise InputError(f"passages have shape {part.shape}, queries {queries.shape[1]} dimensions")
        for begin in range(0, len(queries), rows):
            here = slice(begin, begin + rows)
            best[here], index[here] = _merge(best[here], index[here], queries[here] @ part.T, seen)
        seen += len(part)
    kept = min(k, seen)
    return best[:, :kept], index[:, :kept]


def _merge(best: np.ndarray, index: np.ndarray, scores: np.ndarray, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Best k of what was kept, (rows, k) in order, and of new scores, (rows, passages)."""
    if np.isnan(scores).any():
        raise InputError("a score is not a number: an embedding holds NaN or infinity")
    k = best.shape[1]
    better = scores > best[:, -1:]  # an equal one comes later in the pool and loses
    most = int(better.sum(1).max(initial=0))
    if not most:
        return best, index
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
        keep = (scores > bar) | (equal & (np.cumsum(equal, axis=1) <= room))
        values, places = scores[keep].reshape(-1, k), (np.nonzero(keep)[1] + offset).reshape(-1, k)
    values, places = np.concatenate([best, values], axis=1), np.concatenate([index, places], axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]  # what was kept stands first, so earlier passages win ties
    return np.take_along_axis(values, order, 1), np.take_along_axis(places, order, 1)
