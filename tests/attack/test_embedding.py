"""The white-box shift: within its size, worse for the victim than chance, more with more room; the same through torch
and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.attack.conftest import WORDS
from triglot.attack import AttackSettings
from triglot.attack.embedding import shift_queries
from triglot.attack.target import Target
from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.once import encode_set
from triglot.encoder.static import bag_means
from triglot.encoder.tokenizer import word_counts


@pytest.fixture(scope="module", params=["static", "transformer"])
def model(request):
    words = word_counts({lang: [" ".join(texts)] * 3 for lang, texts in WORDS.items()})
    settings = {
        "static": {"dim": 24, "vocab": 200},
        "transformer": {"kind": "transformer", "dim": 24, "vocab": 200, "layers": 1, "heads": 2},
    }
    return init_encoder(EncoderSettings(**settings[request.param]), words, seed=1)


@pytest.mark.slow
def test_more_room_does_more_harm(model, benchmark) -> None:
    target = Target(model, benchmark, *encode_set(model, benchmark))
    everyone = np.arange(len(target.queries))
    margins = [target.margins(target.queries, everyone).mean()]
    for eps in (0.05, 0.2, 0.8):
        vectors = shift_queries(target, AttackSettings(search="embedding", eps=eps))
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        margins.append(target.margins(vectors, everyone).mean())
    assert margins == sorted(margins, reverse=True)
    assert margins[-1] < margins[0] - 0.05
    tiny = shift_queries(target, AttackSettings(search="embedding", eps=1e-9))
    np.testing.assert_allclose(tiny, target.queries, atol=1e-5)


def test_a_static_shift_stays_within_its_size(benchmark) -> None:
    words = word_counts({lang: [" ".join(texts)] * 3 for lang, texts in WORDS.items()})
    model = init_encoder(EncoderSettings(dim=24, vocab=200), words, seed=1)
    target = Target(model, benchmark, *encode_set(model, benchmark))
    eps = 0.3
    vectors = shift_queries(target, AttackSettings(search="embedding", eps=eps, steps=8))
    ids, offsets = model.tokenize(benchmark.queries.texts)
    means = bag_means(model.embeddings, ids, offsets)
    room = eps * np.sqrt(np.square(model.embeddings).sum(1).mean()) / np.sqrt(np.diff(offsets))
    # The nearest point to the mean on the ray of the found direction lies within the allowed ball.
    along = (means * vectors).sum(1, keepdims=True) * vectors
    assert (np.linalg.norm(means - along, axis=1) <= room * (1 + 1e-4)).all()
