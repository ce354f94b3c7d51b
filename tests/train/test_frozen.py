"""Frozen layers: what is left as it is, and that kept outputs change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.conftest import LISTS
from tests.train.test_loop import same, weights
from triglot.batches import BatchSettings, plan_run
from triglot.encoder import EncoderSettings, init_encoder
from triglot.files import SettingError
from triglot.losses import LossSettings
from triglot.train import Feed, Switching, TrainSettings, frozen, run
from triglot.train.network import Network


@pytest.fixture
def make(words):
    def encoder():
        return init_encoder(EncoderSettings(kind="transformer", dim=16, vocab=300, layers=3, heads=2), words, seed=1)

    return encoder


def trained(encoder, corpus, out: Path, *, freeze, dropout=0.0, steps=8, **options):
    model = Network(encoder, weight_decay=0.01, dropout=dropout, freeze=freeze)
    feed = Feed(corpus, switching={"english": Switching("en", LISTS)}, tokenize=None, seed=5)
    plan = plan_run(feed.rows(), BatchSettings(kind="xx", size=24), steps=steps, seed=5, languages=corpus.languages)
    train = TrainSettings(steps=steps, lr=0.01, log_every=1, precision="fp32", **options)
    told = run(model, feed, plan, loss=LossSettings(), train=train, seed=7, stage="s", out=out)
    return model, told


@pytest.mark.parametrize(("freeze", "still"), [("embeddings", 0), (1, 1), (2, 2)])
def test_what_is_frozen_stays_and_the_rest_moves(make, corpus, tmp_path, freeze, still: int) -> None:
    encoder = make()
    before = {name: value.clone() for name, value in encoder.module.state_dict().items()}
    model, _ = trained(encoder, corpus, tmp_path, freeze=freeze, steps=2)
    for name, value in encoder.module.state_dict().items():
        below = "embeddings" in name or any(f"layer.{n}." in name for n in range(still))
        assert torch.equal(value, before[name]) == (below or "pooler" in name or "position_ids" in name), name
    assert model._table is None
    assert not any("word_embeddings" in name for name in model._names)


def test_kept_outputs_give_the_weights_of_making_them_anew(make, corpus, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(frozen, "_SHOWN", 1.0)
    kept, told = trained(make(), corpus, tmp_path / "kept", freeze=2)
    assert told["frozen_outputs"].startswith("kept: ")
    assert kept._outputs is not None
    assert len(kept._outputs.known) > 50
    monkeypatch.setattr(frozen, "_SHOWN", 1e9)
    anew, told = trained(make(), corpus, tmp_path / "anew", freeze=2)
    assert told["frozen_outputs"].startswith("not kept: a text is shown")
    for name, value in weights(kept).items():
        torch.testing.assert_close(value, weights(anew)[name], rtol=1e-3, atol=2e-4, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [0, 7])
def test_a_run_that_stopped_goes_on_bitwise(make, corpus, tmp_path, monkeypatch, chunk: int) -> None:
    monkeypatch.setattr(frozen, "_SHOWN", 1.0)
    monkeypatch.setattr(frozen, "_IN_MEMORY", 0)
    options = {"freeze": 2, "chunk": chunk, "checkpoint_every": 3}
    whole, told = trained(make(), corpus, tmp_path / "whole", **options)
    assert "in a file" in told["frozen_outputs"]

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr("triglot.train.loop.RunLog.step", lambda self, step, *_: stop() if step == 5 else None)
        trained(make(), corpus, tmp_path / "broken", **options)
    again, _ = trained(make(), corpus, tmp_path / "broken", **options)
    assert same(weights(whole), weights(again))
    assert not list((tmp_path / "broken").glob(".frozen*"))


def test_why_outputs_are_not_kept_is_told(make, corpus, tmp_path) -> None:
    _, told = trained(make(), corpus, tmp_path, freeze=2, dropout=0.1, steps=2)
    assert "dropout" in told["frozen_outputs"]


def test_layers_that_ask_for_more_than_the_one_below_are_found_out(make, corpus, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(frozen, "_SHOWN", 1.0)

    class Reader(torch.nn.Module):
        """The last layer looks at how much the first one made."""

        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, hidden, *args, **options):
            return self.layer(hidden, *args, **options) + sums[-1] * torch.eye(16)[0]

    class First(torch.nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, *args, **options):
            made = self.layer(*args, **options)
            sums.append(made.detach().abs().sum() / 300)
            return made

    sums: list[torch.Tensor] = []
    encoder = make()
    layers = encoder.model[0].auto_model.encoder.layer
    layers[0], layers[2] = First(layers[0]), Reader(layers[2])
    _, told = trained(encoder, corpus, tmp_path, freeze=1, steps=2)
    assert "more than the layer below" in told["frozen_outputs"]


def test_more_layers_than_there_are_and_nothing_left(make) -> None:
    with pytest.raises(SettingError, match="4 layers, but the model has 3"):
        Network(make(), weight_decay=0.0, freeze=4)
    with pytest.raises(SettingError, match="nothing to train"):
        Network(make(), weight_decay=0.0, freeze=3)


def test_a_static_encoder_has_nothing_to_freeze() -> None:
    with pytest.raises(SettingError, match="goes with transformers"):
        EncoderSettings(freeze="embeddings")


def test_outputs_of_unknown_texts_are_not_made_up() -> None:
    outputs = frozen.Outputs([torch.nn.Identity()], 4)
    texts = [np.array([1, 2, 3]), np.array([5, 6])] * 2
    outputs.keep(
        texts, lambda batch: torch.arange(12.0).view(1, 3, 4)[:, : len(batch[0])].repeat(len(batch), 1, 1), Path(".")
    )
    found = outputs.of(torch.tensor([[5, 6, 0]]), torch.tensor([2]))
    assert found is not None
    assert found[0, :, 0].tolist() == [0.0, 4.0, 0.0]
    assert outputs.of(torch.tensor([[5, 7]]), torch.tensor([2])) is None
