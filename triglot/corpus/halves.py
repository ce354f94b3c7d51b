"""Disjoint halves of word lists, so that what trains a model and what attacks it never share an entry."""

from __future__ import annotations

import hashlib


def half_of(word: str) -> int:
    """0 (for training) or 1 (for attacks): a fair coin that depends on the pivot word alone, whatever its case."""
    return hashlib.blake2b(b"half\0" + word.lower().encode(), digest_size=1).digest()[0] & 1
