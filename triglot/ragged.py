"""Sequences of unequal length in one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Sequences of unequal length, end to end: sequence i is `flat[offsets[i]:offsets[i + 1]]`."""

    flat: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        return self.flat[self.offsets[i] : self.offsets[i + 1]]

    @cached_property
    def lengths(self) -> np.ndarray:
        """(n,) int64."""
        return np.diff(self.offsets)

    def positions(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the elements of these sequences stand in `flat`, end to end, and the new offsets."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1]), offsets

    def take(self, rows: np.ndarray) -> Ragged:
        """These sequences, in this order."""
        where, offsets = self.positions(rows)
        return Ragged(self.flat[where], offsets)

    def followed_by(self, other: Ragged) -> Ragged:
        """These sequences, then the other ones."""
        offsets = np.concatenate([self.offsets, self.offsets[-1] + other.offsets[1:]])
        return Ragged(np.concatenate([self.flat, other.flat]), offsets)

    def expand(self, inner: Ragged) -> Ragged:
        """Each element replaced by its sequence in `inner`: units become tokens."""
        tokens = inner.take(self.flat)
        return Ragged(tokens.flat, tokens.offsets[self.offsets])

    @staticmethod
    def of(sequences: Sequence[Sequence[int]], dtype: type = np.int32) -> Ragged:
        """From lists of integers."""
        offsets = np.concatenate([[0], np.cumsum([len(s) for s in sequences], dtype=np.int64)]).astype(np.int64)
        flat = np.fromiter((x for s in sequences for x in s), dtype, count=int(offsets[-1]))
        return Ragged(flat, offsets)
