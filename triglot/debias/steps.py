"""The steps of the methods of debiasing, from samples of unit vectors; `triglot.debias.methods` has a row for each."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from triglot.debias.settings import DebiasSettings
from triglot.encoder.languages import Removal
from triglot.files import InputError

log = logging.getLogger("triglot")
Pairs = Mapping[str, tuple[np.ndarray, np.ndarray]]


def centre(samples: Mapping[str, np.ndarray]) -> Removal:
    """Each language's mean.

    Args:
        samples: language -> (texts, dim) unit vectors.
    """
    offsets = np.stack([sample.mean(axis=0, dtype=np.float64) for sample in samples.values()])
    return _removal(samples, "centre", offsets=offsets)


def shift(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], pivot: str) -> Removal:
    """Each language's mean difference from its translations in the pivot language.

    Args:
        pairs: language -> two (pairs, dim) arrays of unit vectors: in that language, and of their translations in the
            pivot language.
        pivot: gets an offset of zero.
    """
    offsets = {
        code: (own.astype(np.float64) - other).mean(axis=0) for code, (own, other) in pairs.items() if code != pivot
    }
    offsets[pivot] = np.zeros_like(next(iter(offsets.values())))
    return _removal(offsets, "shift", offsets=np.stack(list(offsets.values())))


def linear_maps(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], pivot: str) -> Removal:
    """Each language's linear map to its translations in the pivot language: ridge regression whose penalty draws it to
    the identity.

    The map W is that of the least |X W - Y|^2 + n r |W - I|^2 over the n pairs (X, Y), r the mean variance of a
    dimension: with few pairs it hardly moves anything that they say nothing of.

    Args:
        pairs: as for `shift`.
        pivot: gets the identity.
    """
    map_of: dict[str, np.ndarray] = {}
    for code, (own, other) in pairs.items():
        if code == pivot:
            continue
        own, other = own.astype(np.float64), other.astype(np.float64)
        dim = own.shape[1]
        if len(own) < dim:
            log.warning(
                "map: %d pairs of %s for vectors of %d dimensions; directions that they lack stay as they are",
                len(own),
                code,
                dim,
            )
        gram = own.T @ own
        ridge = np.trace(gram) / dim * np.eye(dim)
        map_of[code] = np.linalg.solve(gram + ridge, own.T @ other + ridge)
    map_of[pivot] = np.eye(next(iter(map_of.values())).shape[0])
    maps = np.stack(list(map_of.values())).astype(np.float32)
    empty = np.zeros((len(map_of), maps.shape[1]), np.float32)
    return Removal(tuple(map_of), empty, np.zeros((len(map_of), 0, maps.shape[1]), np.float32), "map", maps=maps)


def lir(samples: Mapping[str, np.ndarray], rank: int = 1) -> Removal:
    """Each language's strongest directions: the first right singular vectors of its sample, which is not centred.

    Args:
        samples: language -> (texts, dim) unit vectors.
        rank: directions of each language.
    """
    directions = []
    for code, sample in samples.items():
        if not 1 <= rank < min(sample.shape):
            raise InputError(
                f"rank: {rank} directions of {len(sample)} vectors of {sample.shape[1]} dimensions ({code})"
            )
        sample = sample.astype(np.float64)
        # Ascending; the same vectors as the SVD's, at a dim x dim problem.
        values, vectors = np.linalg.eigh(sample.T @ sample)
        directions.append(vectors[:, np.argsort(-values)[:rank]].T)
    return _removal(samples, "lir", directions=np.stack(directions))


def lsar(samples: Mapping[str, np.ndarray], rank: int = 0) -> np.ndarray:
    """The projection onto what the languages have in common: `vectors @ it` has no part in `language_space`.

    Args, Raises:
        as `language_space`.

    Returns:
        (dim, dim) float64, symmetric.
    """
    language = language_space(samples, rank)
    return np.eye(language.shape[1]) - language.T @ language


def language_space(samples: Mapping[str, np.ndarray], rank: int = 0) -> np.ndarray:
    """The subspace in which languages differ, as orthonormal rows.

    Args:
        samples: language -> (texts, dim) unit vectors.
        rank: of the subspace of language; 0: one less than there are languages.

    Returns:
        (rank, dim) float64.
    """
    means = np.stack([sample.mean(axis=0, dtype=np.float64) for sample in samples.values()])  # (languages, dim)
    most = min(len(means) - 1, means.shape[1] - 1)
    rank = rank or most
    if not 1 <= rank <= most:
        raise InputError(
            f"rank: {rank} directions among {len(means)} languages of {means.shape[1]} dimensions; at most {most}"
        )
    middle = means.mean(axis=0)
    left, values, right = np.linalg.svd(means - middle, full_matrices=False)
    fitted = (left[:, :rank] * values[:rank]) @ right[:rank] + middle
    common = np.linalg.pinv(fitted) @ np.ones(len(means))
    common /= common @ common  # orthogonal to the differences between languages
    return np.linalg.svd(fitted - common, full_matrices=False)[2][:rank]


def _removal(languages: Collection[str], method: str, offsets: Any = None, directions: Any = None) -> Removal:
    dim = (offsets if offsets is not None else directions).shape[-1]
    offsets = np.zeros((len(languages), dim)) if offsets is None else offsets
    directions = np.zeros((len(languages), 0, dim)) if directions is None else directions
    return Removal(tuple(languages), offsets.astype(np.float32), directions.astype(np.float32), method)


def centre_step(samples: Mapping[str, np.ndarray], settings: DebiasSettings) -> Removal:
    """`centre`, as a row of the table has it."""
    return centre(samples)


def lir_step(samples: Mapping[str, np.ndarray], settings: DebiasSettings) -> Removal:
    """`lir` with the rank of the settings, or one direction."""
    return lir(samples, settings.rank or 1)


def lsar_step(samples: Mapping[str, np.ndarray], settings: DebiasSettings) -> Removal:
    """`language_space` as a step that is the same for every language."""
    language = language_space(samples, settings.rank)
    return _removal(samples, "lsar", directions=np.repeat(language[None], len(samples), axis=0))


def shift_step(pairs: Pairs, settings: DebiasSettings) -> Removal:
    """`shift` to the pivot of the settings."""
    return shift(pairs, settings.pivot)


def map_step(pairs: Pairs, settings: DebiasSettings) -> Removal:
    """`linear_maps` to the pivot of the settings."""
    return linear_maps(pairs, settings.pivot)
