"""Disjoint halves of word lists, so that what trains a model and what attacks it never share an entry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator


def half_of(word: str) -> int:
    """0 (for training) or 1 (for attacks): a fair coin that depends on the pivot word alone, whatever its case."""
    return hashlib.blake2b(b"half\0" + word.lower().encode(), digest_size=1).digest()[0] & 1


def in_half(pairs: Iterable[tuple[str, str]], half: int | None) -> Iterator[tuple[str, str]]:
    """Those (pivot word, translation) pairs whose pivot word lies in the half; all of them for None."""
    for pair in pairs:
        if half is None or half_of(pair[0]) == half:
            yield pair
