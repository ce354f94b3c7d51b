"""Whether an id was there before, in a collection of any size: 8 bytes an id, sorted runs of doubling length."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def digests(words: Sequence[str]) -> np.ndarray:
    """(words,) uint64; two different words of 100 million share one with a probability of .0003."""
    held = b"".join(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest() for word in words)
    return np.frombuffer(held, np.uint64)


class Seen:
    """What was added before."""

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []

    def add(self, new: np.ndarray) -> np.ndarray:
        """Add (rows,) digests.

        Returns:
            (rows,) bool: which of them were added before, or stand above in the same rows.
        """
        _, first = np.unique(new, return_index=True)
        known = np.ones(len(new), bool)
        known[first] = False
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, new), len(run) - 1)
            known |= run[places] == new
        run = np.sort(new[~known])
        # Runs that are as long are merged, so there are as many as the number of ids has digits.
        while self._runs and len(self._runs[-1]) <= len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]))
        if len(run):
            self._runs.append(run)
        return known
