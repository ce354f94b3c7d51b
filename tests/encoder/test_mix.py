"""A mixture of layers: the formula by hand, the start that changes nothing, training, and sentence-transformers' own
reading of the saved folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from tests.train.conftest import corpus, words
from tests.train.test_loop import start
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.mix import mixture_of, shares, with_mixture
from triglot.encoder.settings import MixSettings
from triglot.files import SettingError
from triglot.losses import LossSettings
from triglot.train import TrainSettings, run
from triglot.train.network import Network

__all__ = ["corpus", "words"]
TEXTS = ["river and mountain", "a king"]
SMALL = {"kind": "transformer", "dim": 16, "vocab": 300, "layers": 3, "heads": 2}


def made(words, **mix):
    plain = init_encoder(EncoderSettings(**SMALL), words, seed=1)  # type: ignore[arg-type]
    return with_mixture(plain, MixSettings(**mix))


def by_hand(encoder, weights: list[float], layer: int) -> np.ndarray:
    """Layer by layer and token by token in float64."""
    transformer = encoder.model[0].auto_model
    found = []
    for text in TEXTS:
        ids, mask = encoder.batch(*encoder.tokenize([text], side="passage"), [0])
        with torch.no_grad():
            states = transformer(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        total = np.zeros(states[0].shape[-1])
        for place in range(ids.shape[1]):
            for weight, state in zip(weights, states[layer:], strict=True):
                total += weight / sum(weights) * state[0, place].double().numpy() / ids.shape[1]
        found.append(total / np.linalg.norm(total))
    return np.stack(found)


def test_it_is_the_mean_of_weighted_layers(words) -> None:
    for layer, weights in ((0, [0.5, 1.0, -0.2, 2.0]), (2, [0.3, 0.7])):
        encoder = made(words, start="equal", layer=layer)
        mixture = mixture_of(encoder)
        assert mixture is not None
        assert shares(encoder) == pytest.approx([1 / (4 - layer)] * (4 - layer))
        with torch.no_grad():
            mixture.layer_weights.copy_(torch.tensor(weights))
        np.testing.assert_allclose(encoder.encode(TEXTS, side="passage"), by_hand(encoder, weights, layer), atol=1e-5)


def test_it_starts_as_the_last_layer_alone(words) -> None:
    plain = init_encoder(EncoderSettings(**SMALL), words, seed=1)  # type: ignore[arg-type]
    mixed = made(words, start="last")
    np.testing.assert_array_equal(mixed.encode(TEXTS, side="query"), plain.encode(TEXTS, side="query"))
    assert shares(mixed) == [0, 0, 0, 1]
    assert shares(plain) == []


def test_training_moves_the_weights_and_others_load_them(words, corpus, tmp_path: Path) -> None:
    encoder = made(words, start="last", rate=100.0)
    _, feed, plan = start(encoder, corpus, steps=4)
    model = Network(encoder, weight_decay=0.0, dropout=0.0, mix_rate=100.0)
    run(
        model,
        feed,
        plan,
        loss=LossSettings(),
        train=TrainSettings(steps=4, lr=1e-3, log_every=1, precision="fp32"),
        seed=7,
        stage="s",
        out=tmp_path / "run",
    )
    finished = model.finished()
    moved = shares(finished)
    assert moved != [0, 0, 0, 1]
    assert max(abs(one) for one in moved[:-1]) > 0.02  # a hundred times as fast as 1e-3
    finished.save(tmp_path / "model")
    own = finished.encode(TEXTS, side="query")
    peer = SentenceTransformer(str(tmp_path / "model"), device="cpu", local_files_only=True)
    np.testing.assert_allclose(peer.encode_query(TEXTS), own, atol=1e-6)
    again = load_encoder(tmp_path / "model")
    np.testing.assert_allclose(again.encode(TEXTS, side="query"), own, atol=1e-6)
    assert shares(again) == pytest.approx(moved)  # type: ignore[arg-type]


def test_a_resumed_mixture_is_the_same(words, corpus, tmp_path: Path) -> None:
    made_weights = []
    for name, steps in (("whole", (6,)), ("broken", (3, 6))):
        for turn, _ in enumerate(steps):
            encoder = made(words, start="equal")
            _, feed, plan = start(encoder, corpus, steps=6)
            model = Network(encoder, weight_decay=0.0, dropout=0.0, mix_rate=10.0)
            train = TrainSettings(steps=6, lr=1e-3, log_every=1, checkpoint_every=3, validate_every=4)

            def stop(_, last: bool = turn + 1 == len(steps)):
                if not last:
                    raise KeyboardInterrupt
                return {}

            options = {"loss": LossSettings(), "seed": 7, "stage": "s", "out": tmp_path / name, "validate": stop}
            if turn + 1 < len(steps):
                with pytest.raises(KeyboardInterrupt):
                    run(model, feed, plan, train=train, **options)
            else:
                run(model, feed, plan, train=train, **options)
                made_weights.append(shares(model.finished()))
    assert made_weights[0] == made_weights[1]


def test_what_does_not_fit_is_said(words) -> None:
    with pytest.raises(SettingError, match="the last of the model's layers is 3"):
        made(words, start="last", layer=3)
    with pytest.raises(SettingError, match="goes with a mixture"):
        MixSettings(layer=2)
