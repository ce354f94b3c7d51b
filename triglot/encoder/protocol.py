"""What an encoder is to the rooms that use one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Encoder(Protocol):
    """From texts to vectors. Anything with these can be evaluated, attacked, mined with and debiased.

    An encoder whose vectors depend on the language of a text says so by an attribute `by_language = True`; only such a
    one is given `langs`. One that compares by anything but the cosine names it in `similarity`.
    """

    @property
    def name(self) -> str:
        """Shown in tables."""
        ...

    @property
    def dim(self) -> int:
        """Of the vectors."""
        ...

    def encode(
        self, texts: Sequence[str], *, side: str, langs: Sequence[str] | None = None, progress: bool = False
    ) -> np.ndarray:
        """Vectors of texts, (texts, dim) float32.

        Args:
            texts: any sequence of str.
            side: "query" or "passage".
            langs: (texts,) language codes, for an encoder that asks for them.
            progress: a bar on stderr.
        """
        ...


class SavedEncoder(Encoder, Protocol):
    """An encoder of Triglot's own: one that can be saved, and trained on."""

    kind: str
    similarity: str

    @property
    def parameters(self) -> int:
        """Numbers learned."""
        ...

    def save(self, path: str | os.PathLike[str], *, card: Any = None) -> None:
        """Write it as a sentence-transformers folder, whole or not at all."""
        ...


def by_language(encoder: Encoder) -> bool:
    """Whether a text's vector depends on its language."""
    return getattr(encoder, "by_language", False)


def in_language(encoder: Encoder, code: str) -> Encoder:
    """An encoder for texts of one language; itself where languages make no difference to it.

    Raises:
        InputError: it was not fitted on that language.
    """
    return getattr(encoder, "in_language")(code) if by_language(encoder) else encoder  # noqa: B009


def inner_of(encoder: Any) -> Any:
    """The encoder before its step for each language; one without such a step is itself."""
    return getattr(encoder, "inner", encoder)


def similarity_of(encoder: Encoder) -> str:
    """By what its vectors are compared: the cosine, unless it says otherwise."""
    return getattr(encoder, "similarity", "cosine")
