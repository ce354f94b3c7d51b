"""LoRA: what is learned is B A alone, chunks and resumed runs learn the same, and what is saved is a plain model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from tests.train.test_loop import same, weights
from triglot.batches import BatchSettings, plan_run
from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.settings import LoraSettings
from triglot.files import SettingError
from triglot.losses import LossSettings
from triglot.train import Feed, TrainSettings, frozen, run
from triglot.train.network import Network

TEXTS = ["river bridge 3?", "Brücke Fluss 12.", "puente"]


@pytest.fixture
def make(words):
    def encoder():
        return init_encoder(EncoderSettings(kind="transformer", dim=16, vocab=300, layers=3, heads=2), words, seed=1)

    return encoder


def trained(encoder, corpus, out: Path, *, lora=LoraSettings(4), freeze="", steps=6, **options):  # noqa: B008
    model = Network(encoder, weight_decay=0.01, dropout=0.0, freeze=freeze, lora=lora, seed=9)
    feed = Feed(corpus, tokenize=None, seed=5)
    batches = BatchSettings(kind="xx", size=12, comparable=False, allow_small=True)
    plan = plan_run(feed.rows(), batches, steps=steps, seed=5, languages=corpus.languages)
    train = TrainSettings(steps=steps, lr=0.02, log_every=0, precision="fp32", **options)
    run(model, feed, plan, loss=LossSettings(), train=train, seed=7, stage="s", out=out)
    return model


def test_it_begins_as_it_is_and_the_same_seed_gives_the_same_adapters(make) -> None:
    expected = make().encode(TEXTS, side="query")
    models = [Network(make(), weight_decay=0.0, lora=LoraSettings(4), seed=seed) for seed in (3, 3, 4)]
    for model in models:
        assert np.array_equal(model.encoder().encode(TEXTS, side="query"), expected)
    first, again, other = map(weights, models)
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize("freeze", ["", 1])
def test_what_is_learned_is_b_a_and_what_is_saved_a_plain_model(make, corpus, tmp_path, monkeypatch, freeze) -> None:
    monkeypatch.setattr(frozen, "_SHOWN", 1.0)
    before = {name: value.clone() for name, value in make().model.state_dict().items()}
    model = trained(make(), corpus, tmp_path, freeze=freeze)
    state = weights(model)
    adapters = {key: value for key, value in state.items() if ".lora_" in key and key.startswith("module.")}
    layers = 3 - (freeze or 0)
    assert len(adapters) == 2 * 6 * layers  # query, key, value and three `dense` of each layer
    assert model.trained == sum(value.numel() for value in adapters.values())
    for key, value in before.items():
        kept = state.get(f"module.{key}", state.get(f"module.{key.replace('.weight', '.base_layer.weight')}"))
        kept = state[f"module.{key.replace('.bias', '.base_layer.bias')}"] if kept is None else kept
        assert torch.equal(kept, value), key
    unmerged = model.encoder().encode(TEXTS, side="query")
    made = model.finished()
    assert made.model.state_dict().keys() == before.keys()
    moved = {key for key, value in made.model.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {key.removeprefix("module.").partition(".lora_")[0] + ".weight" for key in adapters}
    for key in moved:
        a, b = (state[f"module.{key.removesuffix('.weight')}.lora_{part}.default.weight"] for part in "AB")
        naive = before[key].double() + 8 / 4 * b.double() @ a.double()
        torch.testing.assert_close(made.model.state_dict()[key].double(), naive, atol=1e-6, rtol=1e-5)
    np.testing.assert_allclose(made.encode(TEXTS, side="query"), unmerged, atol=1e-6)
    assert made.parameters == make().parameters
    made.save(tmp_path / "plain")
    theirs = SentenceTransformer(str(tmp_path / "plain"), device="cpu", local_files_only=True)
    np.testing.assert_allclose(theirs.encode_query(TEXTS), unmerged, atol=2e-6)
    assert not hasattr(theirs[0].auto_model, "peft_config")
    assert not any("adapter" in path.name for path in (tmp_path / "plain").rglob("*"))


def test_chunks_learn_what_whole_batches_learn(make, corpus, tmp_path) -> None:
    whole = weights(trained(make(), corpus, tmp_path / "whole", steps=3))
    chunks = weights(trained(make(), corpus, tmp_path / "chunks", steps=3, chunk=5))
    for key, value in whole.items():
        torch.testing.assert_close(chunks[key], value, rtol=1e-3, atol=1e-4, msg=key)


def test_a_run_that_stopped_goes_on_bitwise(make, corpus, tmp_path) -> None:
    options = {"freeze": 1, "chunk": 7, "checkpoint_every": 3}
    whole = trained(make(), corpus, tmp_path / "whole", **options)

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr("triglot.train.loop.RunLog.step", lambda self, step, *_: stop() if step == 5 else None)
        trained(make(), corpus, tmp_path / "broken", **options)
    again = trained(make(), corpus, tmp_path / "broken", **options)
    assert same(weights(whole), weights(again))
    assert np.array_equal(whole.finished().encode(TEXTS, side="query"), again.finished().encode(TEXTS, side="query"))


def test_modules_are_chosen_by_the_ends_of_their_names(make) -> None:
    model = Network(
        make(), weight_decay=0.0, lora=LoraSettings(2, modules=("query", "attention.output.dense")), freeze=1
    )
    adapted = {key.partition(".lora_")[0] for key in model.state() if ".lora_A" in key}
    assert {key.split(".layer.")[1] for key in adapted} == {
        f"{layer}.attention.{name}" for layer in (1, 2) for name in ("self.query", "output.dense")
    }
    with pytest.raises(SettingError, match=r"lora\.modules: no linear layer 'querry'; did you mean"):
        Network(make(), weight_decay=0.0, lora=LoraSettings(2, modules=("querry",)))


def test_settings_that_say_nothing_are_refused() -> None:
    assert LoraSettings(8).scale == 16
    assert LoraSettings(8, alpha=4).scale == 4
    for wrong in ({"alpha": 4.0}, {"modules": ("query",)}):
        with pytest.raises(SettingError, match="rank is 0"):
            LoraSettings(**wrong)
    with pytest.raises(SettingError, match="lora: goes with transformers"):
        EncoderSettings(lora=LoraSettings(2))
