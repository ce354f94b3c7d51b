"""Vectors as a view of an index has them: as the model gave them, or without language."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triglot.encoder.languages import UNKNOWN, Removal
from triglot.files import InputError, check_choice
from triglot.index.protocol import FAIR, RAW


def without_language(
    removal: Removal, vectors: np.ndarray, langs: np.ndarray, codes: Sequence[str], side: str = "passage"
) -> np.ndarray:
    """Vectors without language.

    Args:
        removal: of an index.
        vectors: (texts, dim) of the model.
        langs: (texts,) numbers in `codes`.
        codes: languages; those that the removal does not know keep their vectors.
        side: `passage` or `query`.
    """
    number = np.array([removal.number(code) for code in codes] or [UNKNOWN], np.int64)
    return removal.apply(np.asarray(vectors, np.float32), number[langs], side)


def in_view(
    removal: Removal | None, dim: int | None, vectors: np.ndarray, langs: Sequence[str], view: str, side: str = "query"
) -> np.ndarray:
    """Vectors of texts in a view.

    Args:
        removal: of the index.
        dim: of the index; None for any.
        vectors: (texts, dim) of the model.
        langs: (texts,) codes.
        view: `raw` or `fair`.
        side: `passage` or `query`.

    Raises:
        InputError: an unknown view, another dimension, or a number of languages that is not that of the vectors.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    check_choice("view", view, (RAW, FAIR))
    if vectors.ndim != 2 or (dim is not None and vectors.shape[1] != dim) or len(langs) != len(vectors):
        what = "queries" if side == "query" else "passages"
        raise InputError(f"{len(langs)} languages and {what} of shape {vectors.shape}; the index has {dim} dimensions")
    if view == RAW or removal is None:
        return vectors
    codes = list(dict.fromkeys(langs))
    return without_language(removal, vectors, np.array([codes.index(one) for one in langs], np.int64), codes, side)
