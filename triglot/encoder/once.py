"""Each different text encoded once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.protocol import Encoder, by_language


def encode_set(encoder: Encoder, benchmark: RetrievalSet, *, progress: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of queries and passages; each different text is encoded once, so equal texts have equal vectors."""
    found = []
    for side, texts in (("query", benchmark.queries), ("passage", benchmark.passages)):
        langs = [benchmark.languages[lang] for lang in texts.lang.tolist()]
        found.append(encode_once(encoder, texts.texts, side, progress, langs))
    return found[0], found[1]


def encode_once(
    encoder: Encoder, texts: Sequence[str], side: str, progress: bool = False, langs: Sequence[str] | None = None
) -> np.ndarray:
    """(texts, dim) vectors; each different text is encoded once, or once a language where that matters."""
    if langs is None or not by_language(encoder):
        place: dict[str, int] = {}
        rows = np.array([place.setdefault(text, len(place)) for text in texts], np.int64)
        vectors = np.asarray(encoder.encode(list(place), side=side, progress=progress))
        return vectors if len(place) == len(texts) else vectors[rows]
    places: dict[tuple[str, str], int] = {}
    rows = np.array([places.setdefault(one, len(places)) for one in zip(texts, langs, strict=True)], np.int64)
    return encoder.encode(
        [text for text, _ in places], side=side, langs=[lang for _, lang in places], progress=progress
    )[rows]
