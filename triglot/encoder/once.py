"""Each different text encoded once: in a call, and by a model with a cache once for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.protocol import Encoder, by_language
from triglot.encoder.vector_cache import cached


def encode_set(encoder: Encoder, benchmark: RetrievalSet, *, progress: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of queries and passages; each different text is encoded once, so equal texts have equal vectors."""
    vectors = []
    for side, texts in (("query", benchmark.queries), ("passage", benchmark.passages)):
        langs = [benchmark.languages[lang] for lang in texts.lang.tolist()]
        vectors.append(encode_once(encoder, texts.texts, side, progress, langs))
    return vectors[0], vectors[1]


def encode_once(
    encoder: Encoder,
    texts: Sequence[str],
    side: str,
    progress: bool = False,
    langs: Sequence[str] | None = None,
    *,
    keep: bool = True,
) -> np.ndarray:
    """(texts, dim) vectors; each different text is encoded once, or once a language where that matters.

    An encoder that a command has given a cache (`triglot.encoder.vector_cache`) encodes the same texts once for all,
    unless they are not worth to `keep`.
    """
    if langs is None or not by_language(encoder):
        place: dict[str, int] = {}
        rows = np.array([place.setdefault(text, len(place)) for text in texts], np.int64)
        different = list(place)

        def encode() -> np.ndarray:
            return np.asarray(encoder.encode(different, side=side, progress=progress))

        vectors = cached(encoder, different, side, encode) if keep else encode()
        return vectors if len(place) == len(texts) else vectors[rows]
    places: dict[tuple[str, str], int] = {}
    rows = np.array([places.setdefault(one, len(places)) for one in zip(texts, langs, strict=True)], np.int64)
    return encoder.encode(
        [text for text, _ in places], side=side, langs=[lang for _, lang in places], progress=progress
    )[rows]
