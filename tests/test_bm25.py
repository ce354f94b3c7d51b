"""BM25 against its formula, and tokens of every script."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot import bm25

TEXTS = st.lists(st.text("abç 北京大", max_size=12), min_size=1, max_size=8)


def naive(texts: list[str], query: str, k1: float = bm25.K1, b: float = bm25.B) -> list[float]:
    """Lucene's BM25, one token of the query at a time."""
    passages = [bm25.tokenise(text) for text in texts]
    mean = sum(map(len, passages)) / len(passages)
    scores = [0.0] * len(passages)
    for token in bm25.tokenise(query):
        n = sum(token in passage for passage in passages)
        idf = math.log(1 + (len(passages) - n + 0.5) / (n + 0.5))
        for i, passage in enumerate(passages):
            tf = passage.count(token)
            if tf:
                scores[i] += idf * tf / (tf + k1 * (1 - b + b * len(passage) / mean))
    return scores


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS)
def test_scores_follow_the_formula(texts, queries):
    index = bm25.build(texts)
    found = bm25.scores(index, bm25.bags(index, [bm25.count_tokens(query) for query in queries]))
    assert found.shape == (len(queries), len(texts))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [naive(texts, query) for query in queries], rtol=1e-5, atol=1e-6)


def test_equal_passages_get_equal_scores():
    texts = ["one two three four"] * 3 + ["two four six", "one two three four"]
    index = bm25.build(texts)
    scores = bm25.scores(index, bm25.bags(index, [bm25.count_tokens("four three two one six")]))[0]
    assert len(set(scores[[0, 1, 2, 4]].tolist())) == 1


def test_weights_count():
    index = bm25.build(["a b", "b c", "c d"])
    one, two = bm25.scores(index, bm25.bags(index, [{"a": 1.0, "x": 9.0}, {"a": 2.5}]))
    np.testing.assert_allclose(two, 2.5 * one)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't  STOP—now", ["don", "t", "stop", "now"]),
        ("Straße, ΣΊΣΥΦΟΣ", ["strasse", "σίσυφοσ"]),
        ("हिन्दी में लिखो", ["हिन्दी", "में", "लिखो"]),  # vowel signs are marks: no word is cut
        ("x² ﬁn １２", ["x2", "fin", "12"]),
        ("北京大学 2008", ["北京", "京大", "大学", "2008"]),
        ("人", ["人"]),
        ("ไทยAB", ["ไท", "ทย", "ab"]),
        ("カタカナ", ["カタ", "タカ", "カナ"]),
        ("مُحَمَّد بن", ["مُحَمَّد", "بن"]),
        ("_a_ ...", ["a"]),
        ("", []),
    ],
)
def test_tokens(text, tokens):
    assert bm25.tokenise(text) == tokens


def test_passages_without_any_token():
    index = bm25.build(["", "..."])
    assert bm25.scores(index, bm25.bags(index, [{"a": 1.0}])).tolist() == [[0, 0]]
