"""Rows of a fresh static encoder at the mean of their translations."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.conftest import LISTS, make_corpus
from triglot.corpus.parallel import CorpusBuilder, concat
from triglot.files import InputError
from triglot.ragged import Ragged
from triglot.train import Feed
from triglot.train.anchors import anchor, anchored


def naive(rows, pivot, other, fixed, strength):
    """The same by loops, in float64."""
    rows = rows.astype(np.float64)
    mean = np.zeros_like(rows)
    for a, b in zip(pivot, other, strict=True):
        word = sum(rows[t] for t in a)
        word = word / max(np.linalg.norm(word), 1e-12)
        for token in b:
            mean[token] += word / len(b)
    result = rows.copy()
    for token in range(len(rows)):
        length = np.linalg.norm(mean[token])
        if length > 0 and not fixed[token]:
            result[token] = strength * mean[token] / length * np.linalg.norm(rows[token]) + (1 - strength) * rows[token]
    return result


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_anchored_is_what_loops_make(strength: float) -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(30, 5)).astype(np.float32)
    pivot = [list(rng.integers(0, 15, rng.integers(1, 4))) for _ in range(20)]
    other = [list(rng.integers(10, 30, rng.integers(1, 4))) for _ in range(20)]
    fixed = np.arange(30) < 12
    found = anchored(rows, Ragged.of(pivot), Ragged.of(other), fixed, strength)
    np.testing.assert_allclose(found, naive(rows, pivot, other, fixed, strength), rtol=2e-5, atol=1e-6)
    assert (found[:12] == rows[:12]).all()


def test_strength_outside_0_to_1() -> None:
    empty = Ragged.of([[0]])
    with pytest.raises(InputError, match=r"anchor: 1\.5"):
        anchored(np.ones((2, 2), np.float32), empty, empty, np.zeros(2, bool), 1.5)


def lists_source():
    builder = CorpusBuilder("muse")
    for lang, pairs in LISTS.items():
        for number, (word, translation) in enumerate(pairs):
            builder.text(f"{lang}{number}.a", "en", word)
            builder.text(f"{lang}{number}.a", lang, translation)
            builder.row(f"{lang}{number}.a", f"{lang}{number}.a")
    return builder.build()


@pytest.mark.slow
def test_words_start_near_their_translations(make_static) -> None:
    encoder = make_static()
    feed = Feed(concat([make_corpus(), lists_source()]), tokenize=encoder.tokenize, seed=1)
    moved = encoder.with_rows(anchor(encoder.embeddings, feed, {"muse"}, "en", 1.0))

    def agreement(of) -> float:
        pairs = [pair for pairs in LISTS.values() for pair in pairs]
        a = of.encode([word for word, _ in pairs], side="query")
        b = of.encode([translation for _, translation in pairs], side="passage")
        return float((a * b).sum(1).mean())

    assert agreement(moved) > agreement(encoder) + 0.2


def test_anchor_without_a_list_of_the_pivot(make_static) -> None:
    feed = Feed(make_corpus(), tokenize=make_static().tokenize, seed=1)
    with pytest.raises(InputError, match="no word list with 'en'"):
        anchor(make_static().embeddings, feed, {"muse"}, "en", 1.0)
    with pytest.raises(InputError, match="no text in 'fr'"):
        anchor(make_static().embeddings, feed, {"muse"}, "fr", 1.0)
