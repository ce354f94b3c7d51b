"""Joint alignment: which tokens are private, by loops; the map of SciPy; rows that stay, and texts that come nearer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from triglot.files import InputError, SettingError
from triglot.ragged import Ragged
from triglot.train import Feed
from triglot.train.reallocate import SHARED, owners, reallocated, ridge, rotation
from triglot.train.settings import JointAlignSettings


def naive_owner(counts: list[list[int]], token: int, threshold: float) -> int:
    shares = [row[token] / max(sum(row), 1) for row in counts]
    for code, share in enumerate(shares):
        if sum(shares) > 0 and share / sum(shares) >= threshold:
            return code
    return SHARED


def test_owners_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, (3, 40)) * (rng.random((3, 40)) < 0.4)
    counts[1] *= 50  # more text of a language makes no token its own
    counts[:, 0] = 0
    for threshold in (0.6, 0.9, 1.0):
        found = owners(counts, threshold)
        assert found.tolist() == [naive_owner(counts.tolist(), token, threshold) for token in range(40)]
        assert found[0] == SHARED
    assert len(set(owners(counts, 0.9).tolist())) == 4


def test_the_map_is_scipy_s() -> None:
    rng = np.random.default_rng(1)
    source = rng.standard_normal((30, 5))
    turn = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    target = source @ turn + 0.01 * rng.standard_normal((30, 5))
    found = rotation(source, target)
    np.testing.assert_allclose(found, orthogonal_procrustes(source, target)[0], atol=1e-10)
    np.testing.assert_allclose(found, turn, atol=0.02)


def test_ridge_is_the_least_of_its_sum() -> None:
    rng = np.random.default_rng(2)
    source, target = rng.standard_normal((20, 4)), rng.standard_normal((20, 4))

    def total(w: np.ndarray) -> float:
        errors = [sum((x @ w - y) ** 2) for x, y in zip(source, target, strict=True)]
        return sum(errors) / 20 + 0.3 / 4 * (w**2).sum()

    found = ridge(source, target, penalty=0.3)
    for i in range(4):
        for j in range(4):
            step = np.zeros((4, 4))
            step[i, j] = 1e-4
            assert (total(found + step) - total(found - step)) / 2e-4 == pytest.approx(0, abs=1e-6)


def by_hand(rows: np.ndarray, feed: Feed, settings: JointAlignSettings) -> np.ndarray:
    corpus, vocab = feed.corpus, len(rows)
    tokens = [
        feed.tokens.flat[a:b].tolist() for a, b in zip(feed.tokens.offsets, feed.tokens.offsets[1:], strict=False)
    ]
    counts = [[0] * vocab for _ in corpus.languages]
    for text, code in enumerate(corpus.text_lang.tolist()):
        for token in tokens[text]:
            counts[code][token] += 1
    owner = [naive_owner(counts, token, settings.threshold) for token in range(vocab)]
    made, pivot = rows.astype(np.float64), corpus.languages.index(settings.pivot)
    for code in range(len(corpus.languages)):
        if code == pivot:
            continue
        own, theirs = [], []
        for group in range(len(corpus.group_ids)):
            mine, other = corpus.text_of[group, code], corpus.text_of[group, pivot]
            if mine < 0 or other < 0:
                continue
            u = sum((rows[t].astype(float) for t in tokens[mine] if owner[t] == code), np.zeros(rows.shape[1]))
            v = sum((rows[t].astype(float) for t in tokens[other]), np.zeros(rows.shape[1]))
            if np.linalg.norm(u) > 0:
                own.append(u / np.linalg.norm(u))
                theirs.append(v / np.linalg.norm(v))
        turn = orthogonal_procrustes(np.array(own), np.array(theirs))[0]
        for token in range(vocab):
            if owner[token] == code:
                made[token] = rows[token].astype(float) @ turn
    return made


def nearness(rows: np.ndarray, feed: Feed) -> float:
    """Mean cosine of texts and their translations into English."""
    corpus = feed.corpus
    cosines = []
    for group in range(len(corpus.group_ids)):
        texts = [corpus.text_of[group, corpus.languages.index(code)] for code in ("de", "en")]
        if min(texts) < 0:
            continue
        u, v = (rows[feed.tokens.take(np.array([text])).flat].sum(0) for text in texts)
        cosines.append(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
    return float(np.mean(cosines))


def test_private_rows_are_turned_and_shared_ones_stay(corpus, make_static) -> None:
    encoder = make_static()
    feed = Feed(corpus, tokenize=encoder.tokenize, seed=1)
    settings = JointAlignSettings(threshold=0.9, least=10)
    made = reallocated(encoder.embeddings, feed, settings)
    np.testing.assert_allclose(made, by_hand(encoder.embeddings, feed, settings), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), np.linalg.norm(encoder.embeddings, axis=1), rtol=1e-4)
    moved = (made != encoder.embeddings).any(1)
    assert 10 < moved.sum() < len(moved) - 10
    assert nearness(made, feed) > nearness(encoder.embeddings, feed) + 0.05
    assert isinstance(feed.tokens, Ragged)


def test_what_cannot_be_done_is_said(corpus, make_static) -> None:
    encoder = make_static()
    feed = Feed(corpus, tokenize=encoder.tokenize, seed=1)
    few = reallocated(encoder.embeddings, feed, JointAlignSettings(threshold=0.9, least=10**6))
    np.testing.assert_array_equal(few, encoder.embeddings)
    with pytest.raises(InputError, match="no text in 'fr'"):
        reallocated(encoder.embeddings, feed, JointAlignSettings(threshold=0.9, pivot="fr"))
    with pytest.raises(SettingError, match="more than half"):
        JointAlignSettings(threshold=0.4)
