"""A small parallel corpus and small encoders, made here."""

from __future__ import annotations

import numpy as np
import pytest

from tests.words import WORDS
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus, concat
from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.tokenizer import word_counts

LANGUAGES = ("de", "en", "es")
LISTS = {lang: list(zip(WORDS["en"], WORDS[lang], strict=True)) for lang in ("de", "es")}


def make_corpus(rows: int = 60, *, negatives: bool = False) -> ParallelCorpus:
    """Questions and passages in three languages; every second row in English alone, as a second source."""
    rng = np.random.default_rng(0)
    parts = []
    for source, languages in (("parallel", LANGUAGES), ("english", ("en",))):
        builder = CorpusBuilder(source)
        for row in range(rows):
            words = rng.choice(12, 4, replace=False)
            for lang in languages:
                builder.text(f"q{row}", lang, f"{WORDS[lang][words[0]]} {WORDS[lang][words[1]]} {row}?")
                builder.text(f"p{row}", lang, " ".join(WORDS[lang][w] for w in words) + f" {row}.")
        for row in range(rows):
            builder.row(f"q{row}", f"p{row}", [f"p{(row + 1) % rows}", f"p{(row + 2) % rows}"] if negatives else [])
        parts.append(builder.build())
    return concat(parts)


@pytest.fixture(scope="session")
def corpus() -> ParallelCorpus:
    return make_corpus()


@pytest.fixture(scope="session")
def words(corpus: ParallelCorpus) -> dict[str, dict[str, int]]:
    texts: dict[str, list[str]] = {}
    for text, lang in zip(corpus.texts.to_pylist(), corpus.text_lang, strict=True):
        texts.setdefault(corpus.languages[lang], []).append(text)
    return word_counts(texts)


@pytest.fixture(scope="session")
def make_static(words: dict[str, dict[str, int]]):
    made = init_encoder(EncoderSettings(dim=16, vocab=300), words, seed=1)
    return lambda: made


@pytest.fixture(scope="session")
def make_transformer(words: dict[str, dict[str, int]]):
    def make(dropout: float = 0.0):
        return init_encoder(
            EncoderSettings(kind="transformer", dim=16, vocab=300, layers=1, heads=2, dropout=dropout), words, seed=1
        )

    return make
