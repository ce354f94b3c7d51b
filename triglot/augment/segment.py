"""Segmentation noise for bags of subwords: a token is now and then shown as two smaller ones (in the spirit of subword
regularisation, Kudo 2018, arXiv 1804.10959, and BPE-dropout, arXiv 1910.13267).

A misspelt word falls apart into pieces that a clean word never shows. A model that has met the pieces of clean words
has an idea of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triglot import seeds
from triglot.ragged import Ragged


class Splits:
    """All ways to part a token into two tokens of the vocabulary.

    Args:
        pieces: the token of each id; a token that begins a word begins with `▁`.
    """

    def __init__(self, pieces: Sequence[str]):
        place = {piece: number for number, piece in enumerate(pieces)}
        splits: list[list[int]] = []
        for piece in pieces:
            first = 2 if piece.startswith("▁") else 1
            parts = [(place.get(piece[:cut]), place.get(piece[cut:])) for cut in range(first, len(piece))]
            splits.append([number for a, b in parts if a is not None and b is not None for number in (a, b)])
        self._pairs = Ragged.of(splits)  # (first, second), (first, second), ... of each token

    def apply(self, tokens: Ragged, keys: np.ndarray, *, rate: float, seed: int, epoch: int, rounds: int = 2) -> Ragged:
        """Token sequences with some tokens parted.

        Args:
            tokens: sequences of ids.
            keys: (sequences,) integers that the draws of each sequence depend on; -1 leaves one as it is.
            rate: probability that a token that can be parted is, in each round.
            seed: of the draws.
            epoch: another draw in each.
            rounds: how often; parts of the first round may be parted again in the next.
        """
        for turn in range(rounds):
            lengths = tokens.lengths
            owner = np.repeat(keys, lengths)
            place = np.arange(len(tokens.flat)) - np.repeat(tokens.offsets[:-1], lengths)
            options = self._pairs.lengths[tokens.flat] // 2
            draw = seeds.uniform(seed, f"segment {turn}", epoch, owner, place)
            parted = (options > 0) & (owner >= 0) & (draw < rate)
            # Given that it is parted, draw / rate is uniform.
            which = (np.minimum(draw / max(rate, 1e-12), 1 - 1e-9) * options).astype(np.int64)
            at = self._pairs.offsets[tokens.flat] + 2 * which
            size = 1 + parted.astype(np.int64)
            ends = np.cumsum(size)
            flat = np.empty(int(ends[-1]) if len(ends) else 0, tokens.flat.dtype)
            flat[ends[~parted] - 1] = tokens.flat[~parted]
            flat[ends[parted] - 2] = self._pairs.flat[at[parted]]
            flat[ends[parted] - 1] = self._pairs.flat[at[parted] + 1]
            tokens = Ragged(flat, np.concatenate([[0], ends])[tokens.offsets])
        return tokens
