"""The exact best passages by fewer exact products: bfloat16 shows which can be among them at all.

Processors with matrix units for bfloat16 (AMX) multiply in it several times as fast as in float32. Rounding moves a
score by no more than the lengths of what was rounded away allow (Cauchy-Schwarz), so every passage of the best k has an
approximate score above a bound that is known; those few are scored again in float32. What comes out is the ranking by
float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from triglot.topk import Best, reached

WIDTH = 32_768  # passages at a time
_LOWEST = np.iinfo(np.int16).min
_LAST = 1 - 2.0**-8  # a result is rounded to eight bits, too


def pays() -> bool:
    """Whether this processor has such units."""
    import torch

    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread in each thread that calls it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Prefilter:
    """Passages of one pool.

    Args:
        pool: (passages, dim) float32.
    """

    def __init__(self, pool: np.ndarray):
        self._pool = np.ascontiguousarray(pool, np.float32)
        self._rounded, lengths, lost = _rounded(self._pool)
        self._length, self._lost = float(lengths.max(initial=0)), float(lost.max(initial=0))

    def search(self, best: Best, queries: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
        """Show all passages to some queries.

        Args:
            best: of these queries.
            queries: (queries, dim) float32.
            rows: with `columns`, pairs (query, passage) that must not be found.
            columns: see `rows`.
        """
        rounded, lengths, lost = _rounded(queries)
        # How far a score may be from the product of what was rounded; the second term is for sums in float32.
        apart = (lost * (self._length + self._lost) + lengths * self._lost) * 1.001
        apart += lengths * self._length * (queries.shape[1] + 8) * 2.0**-22 + 1e-30
        k = best.scores.shape[1]
        for begin in range(0, len(self._pool), WIDTH):
            keys = _keys(rounded @ self._rounded[begin : begin + WIDTH].T)
            inside = (columns >= begin) & (columns < begin + keys.shape[1])
            barred = rows[inside], columns[inside] - begin
            keys[barred] = _LOWEST
            bound = (
                _scores(reached(keys, k)) * _LAST - apart if keys.shape[1] > k else np.full(len(keys), -np.inf)
            ).astype(np.float64)
            bound = np.maximum(bound, best.scores[:, -1])  # no lower than the k-th best score in float32
            self._offer(best, queries, keys, (bound - apart) * _LAST, barred, begin)

    def _offer(
        self,
        best: Best,
        queries: np.ndarray,
        keys: np.ndarray,
        floor: np.ndarray,
        barred: tuple[np.ndarray, np.ndarray],
        begin: int,
    ) -> None:
        """Score those whose approximate score is not below a floor."""
        mask = keys >= _floor_keys(floor)[:, None]
        mask[barred] = False
        flat = np.flatnonzero(mask)
        row = flat // keys.shape[1]
        column = flat - row * keys.shape[1] + begin
        counts = np.bincount(row, minlength=len(keys))
        ends = np.cumsum(counts)
        width = int(counts.max(initial=0))
        if not width:
            return
        slot = np.arange(len(flat)) - (ends - counts)[row]
        places, scores = np.full((len(keys), width), -1, np.int64), np.full((len(keys), width), -np.inf, np.float32)
        places[row, slot] = column
        start = 0
        # A few passages each: one gather and one product stay in the cache.
        for number, end in enumerate(ends.tolist()):
            if end > start:
                scores[number, : end - start] = self._pool[column[start:end]] @ queries[number]
            start = end
        best.offer_some(slice(0, len(keys)), places, scores)


def _rounded(vectors: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    """The vectors in bfloat16, their lengths then, and the lengths of what was rounded away, (n,) float64."""
    import torch

    vectors = np.ascontiguousarray(vectors, np.float32)
    rounded = torch.from_numpy(vectors).bfloat16()
    lengths, lost = np.empty(len(vectors)), np.empty(len(vectors))
    for begin in range(0, len(vectors), 4096):
        here = slice(begin, begin + 4096)
        back = rounded[here].float().numpy()
        lengths[here] = np.sqrt(np.einsum("nd,nd->n", back, back))
        back -= vectors[here]
        lost[here] = np.sqrt(np.einsum("nd,nd->n", back, back))
    return rounded, lengths * (1 + 1e-5), lost * (1 + 1e-5)


def _keys(scores: Any) -> np.ndarray:
    """bfloat16 as int16: not negative numbers in their order, and all others below them."""
    import torch

    return scores.view(torch.int16).numpy()


def _scores(keys: np.ndarray) -> np.ndarray:
    """Scores of keys, float64; -inf for what is negative."""
    values = (keys.astype(np.int64).astype(np.uint32) << np.uint32(16)).view(np.float32)
    return np.where(keys >= 0, values, -np.inf).astype(np.float64)


def _floor_keys(floor: np.ndarray) -> np.ndarray:
    """(rows,) int16: every score that is not below the floor has a key that is not below this. Below zero all have."""
    # Cut off: not above.
    bits = np.nan_to_num(np.maximum(floor, 0), posinf=0).astype(np.float32).view(np.uint32) >> np.uint32(16)
    return np.where(floor > 0, bits.astype(np.int16), _LOWEST)
