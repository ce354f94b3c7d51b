"""A small index of translations, and an encoder whose vectors are made of the words of a text."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from triglot.encoder.languages import Removal
from triglot.index.documents import Documents
from triglot.index.settings import IndexSettings
from triglot.index.store import DiskIndex, create

DIM = 24
CODES = ("de", "en", "fr")
THINGS = ("river", "bread", "winter", "stone", "horse", "city", "king", "mountain")


class Words:
    """A text is the sum of its words' vectors; what begins a word (`de-river`) is its language, which is added too."""

    name, dim, kind, similarity = "words", DIM, "test", "cosine"

    def encode(
        self, texts: Sequence[str], *, side: str, langs: Sequence[str] | None = None, progress: bool = False
    ) -> np.ndarray:
        found = np.zeros((len(texts), DIM), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                lang, _, thing = word.rpartition("-")
                rng = np.random.default_rng(zlib.crc32(thing.encode()))
                found[row, 3:] += rng.standard_normal(DIM - 3)
                if lang in CODES:
                    found[row, CODES.index(lang)] += 4
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)


def removal() -> Removal:
    """Takes the first three dimensions away, where the language is."""
    directions = np.repeat(np.eye(3, DIM, dtype=np.float32)[None], 3, axis=0)
    return Removal(CODES, np.zeros((3, DIM), np.float32), directions, "lsar")


def passages(groups: int = 40, seed: int = 1) -> Documents:
    """Each group in one to three languages."""
    rng = np.random.default_rng(seed)
    ids, texts, langs, of = [], [], [], []
    for group in range(groups):
        things = rng.choice(len(THINGS), 3, replace=False)
        for lang in rng.permutation(3)[: rng.integers(1, 4)]:
            code = CODES[int(lang)]
            ids.append(f"{group}-{code}")
            texts.append(" ".join(f"{code}-{THINGS[n]}" for n in things) + f" {group}")
            langs.append(code)
            of.append(f"g{group}")
    return Documents(ids, texts, langs, of, {"number": [int(one.split("-")[0]) for one in ids]})


def small(place: Path, *, debiased: bool = True, groups: int = 40, grouped: bool = True) -> DiskIndex:
    """An index of them."""
    documents = passages(groups)
    if not grouped:
        documents = Documents(documents.ids, documents.texts, documents.langs, (), documents.fields)
    vectors = Words().encode(documents.texts, side="passage")
    return create(place, documents, vectors, IndexSettings(), removal=removal() if debiased else None, model="words")
