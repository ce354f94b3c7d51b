"""A small parallel benchmark, word lists, and an encoder of letter pairs that needs no training."""

from __future__ import annotations

import numpy as np
import pytest

from tests.words import WORDS
from triglot.attack import Lexicon
from triglot.corpus.retrieval import RetrievalSet, Texts

LISTS = {("en", lang): (WORDS["en"], WORDS[lang]) for lang in ("de", "es")}


class Letters:
    """Vectors of hashed letter pairs: changed letters change the vector, as for any encoder."""

    name = "letters"

    def __init__(self, dim: int = 64):
        self.dim = dim
        self.asked = 0

    def encode(self, texts, *, side: str, progress: bool = False) -> np.ndarray:
        out = np.zeros((len(texts), self.dim), np.float32)
        self.asked += len(texts)
        for row, text in enumerate(texts):
            for a, b in zip(text.lower(), text.lower()[1:], strict=False):
                out[row, (ord(a) * 31 + ord(b) * 17) % self.dim] += 1
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def make_benchmark(groups: int = 24) -> RetrievalSet:
    rng = np.random.default_rng(5)
    languages = ("de", "en", "es")
    queries, passages, judged = [], [], []
    for group in range(groups):
        words = rng.choice(12, 4, replace=False)
        for code, lang in enumerate(languages):
            queries.append(
                (f"q{group}.{lang}", " ".join(WORDS[lang][w] for w in words[:3]) + f" {group}?", code, group)
            )
            passages.append((f"p{group}.{lang}", " ".join(WORDS[lang][w] for w in words) + f" {group}.", code, group))
    for group in range(groups):
        for a in range(3):
            judged += [(3 * group + a, 3 * group + b, 1) for b in range(3)]

    def texts(rows) -> Texts:
        ids, strings, lang, group = zip(*rows, strict=True)
        return Texts(
            list(ids), list(strings), np.array(lang, np.int16), np.array(group, np.int32), np.array(group, np.int32)
        )

    return RetrievalSet("tiny", languages, texts(queries), texts(passages), np.array(judged, np.int64))


@pytest.fixture(scope="session")
def benchmark() -> RetrievalSet:
    return make_benchmark()


@pytest.fixture
def encoder() -> Letters:
    return Letters()


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    return Lexicon(LISTS)
