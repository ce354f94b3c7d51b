"""Randomness as a function: every draw comes from (seed, purpose, epoch, step, row, side), never from a hidden state.

`generator` is for shuffles and other bulk draws. `uniform` is counter-based: the same arguments give the same number
whatever was drawn before, so a row's noise does not depend on its batch, on the number of workers or on where a run was
resumed.
"""

from __future__ import annotations

import hashlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_PHI = (5**0.5 - 1) / 2
_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)


def _key(seed: int, purpose: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{purpose}\0{seed}".encode(), digest_size=8).digest(), "little")


def generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A NumPy generator for this purpose and these counters (epoch, step, ...)."""
    return np.random.Generator(
        np.random.Philox(np.random.SeedSequence([_key(seed, purpose), *[c & 0xFFFFFFFF for c in counters]]))
    )


def shuffled(count: int, seed: int, purpose: str, *counters: int) -> np.ndarray:
    """A permutation that is the same under every version of NumPy: sorted random bits, of which the low ones are the
    index."""
    low = np.uint64(max(count - 1, 1).bit_length())
    key = np.asarray(generator(seed, purpose, *counters).bit_generator.random_raw(count), np.uint64)
    key &= _ALL_BITS << low
    key |= np.arange(count, dtype=np.uint64)
    key.sort()
    key &= ~(_ALL_BITS << low)
    return key.view(np.int64)


def _mix(x: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), in place on a uint64 array."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def bits(seed: int, purpose: str, *counters: int | np.ndarray) -> np.ndarray:
    """64 random bits for each combination of counters.

    Args:
        seed: of the run.
        purpose: what is drawn; different purposes are independent.
        counters: ints or integer arrays that broadcast together (epoch, step, row, side, position, ...).

    Returns:
        uint64 array of the broadcast shape.
    """
    with np.errstate(over="ignore"):
        state = np.atleast_1d(np.uint64(_key(seed, purpose)))
        for counter in counters:
            counter = np.asarray(counter).astype(np.int64).view(np.uint64)
            state = _mix(state + _GOLDEN + _mix(counter + _GOLDEN))
    return state if any(np.ndim(c) for c in counters) else state.reshape(())


def uniform(seed: int, purpose: str, *counters: int | np.ndarray) -> np.ndarray:
    """As `bits`, as float64 in [0, 1)."""
    return (bits(seed, purpose, *counters) >> np.uint64(11)) * 2.0**-53


def spread(start: float, place: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1) that fill it evenly, whichever consecutive places are taken: `start` plus multiples of the
    golden ratio."""
    return (start + place * _PHI) % 1
