"""Figures of vectors by language, against sums written out and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from triglot.check.geometry import FEWEST, geometry, means_of, probe
from triglot.encoder.languages import Removal


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def clouds(apart: float, counts: tuple[int, ...] = (60, 90, 40), dim: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    lang = np.repeat(np.arange(len(counts)), counts)
    centres = rng.normal(size=(len(counts), dim)) * apart
    return unit(centres[lang] + rng.normal(size=(len(lang), dim))), lang


def test_variance_is_that_between_languages() -> None:
    vectors, lang = clouds(0.7)
    found = geometry(vectors, lang, ["a", "b", "c"])
    means = [vectors[lang == n].mean(0) for n in range(3)]
    middle = sum(means) / 3
    between = sum(float((mean - middle) @ (mean - middle)) for mean in means) / 3
    within = sum(float(np.mean([(v - means[n]) @ (v - means[n]) for v in vectors[lang == n]])) for n in range(3)) / 3
    assert found.variance == pytest.approx(between / (between + within))
    pairs = [np.linalg.norm(means[a] - means[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert found.distance == pytest.approx(np.mean(pairs))
    assert found.nearest["a"] == "bc"[int(np.argmin(pairs[:2]))]
    assert found.chance == pytest.approx(1 / 3)


def test_a_probe_tells_clouds_that_are_apart_and_no_others() -> None:
    far, near = clouds(3.0), clouds(0.0)
    assert geometry(*far, ["a", "b", "c"]).probe > 0.97
    assert abs(geometry(*near, ["a", "b", "c"]).probe - 1 / 3) < 0.15


def test_the_probe_is_a_ridge_classifier() -> None:
    rng = np.random.default_rng(3)
    samples = [unit(rng.normal(size=(300, 8)) + shift) for shift in (0.0, 0.4)]
    known = np.concatenate([sample[::2] for sample in samples])
    other = RidgeClassifier(alpha=1e-2 * 300 / 8).fit(known, np.repeat([0, 1], 150))
    theirs = np.mean([(other.predict(sample[1::2]) == n).mean() for n, sample in enumerate(samples)])
    assert probe(samples) == pytest.approx(theirs, abs=0.06)


def test_few_vectors_of_a_language_are_not_looked_at() -> None:
    vectors, lang = clouds(1.0, counts=(60, FEWEST - 1))
    found = geometry(vectors, lang, ["a", "b"])
    assert found.languages == ("a",)
    assert np.isnan([found.variance, found.distance, found.probe]).all()


def centred(vectors: np.ndarray, lang: np.ndarray, means: np.ndarray, strength: float) -> np.ndarray:
    codes = tuple("abcdefgh"[: len(means)])
    step = Removal(codes, means.astype(np.float32), np.zeros((len(means), 0, means.shape[1]), np.float32))
    return step.at(strength).apply(vectors.astype(np.float32), lang)


def test_centred_vectors_have_no_mean_of_their_language_left() -> None:
    vectors, lang = clouds(1.0)
    vectors[3] = 0
    means = means_of(vectors, lang, 4)
    assert not means[3].any()
    np.testing.assert_allclose(means[1], vectors[lang == 1].mean(0))
    whole = centred(vectors, lang, means, 1.0)
    np.testing.assert_allclose(np.linalg.norm(whole[lang != 0], axis=1), 1, atol=1e-5)
    assert not whole[3].any()
    np.testing.assert_allclose(centred(vectors, lang, means, 0.0), vectors, atol=1e-6)
    before, after = geometry(vectors, lang, "abc"), geometry(whole, lang, "abc")
    assert after.variance < 0.1 * before.variance
