"""Settings that are refused, fresh static rows, and the one door to saved models."""

from __future__ import annotations

import numpy as np
import pytest

from triglot import memory, seeds
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.build import model_folder
from triglot.encoder.static import StaticEncoder
from triglot.encoder.tokenizer import token_shares
from triglot.files import InputError

SMALL = EncoderSettings(dim=16, vocab=700)


def test_fresh_rows(words):
    encoder = init_encoder(SMALL, words, seed=5)
    assert isinstance(encoder, StaticEncoder)
    assert encoder.embeddings.shape == (encoder.tokenizer.get_vocab_size(), 16)
    again, other = init_encoder(SMALL, words, seed=5), init_encoder(SMALL, words, seed=6)
    assert np.array_equal(again.embeddings, encoder.embeddings)
    assert not np.array_equal(other.embeddings, encoder.embeddings)
    normal = seeds.generator(5, "encoder.static").standard_normal(encoder.embeddings.shape, np.float32) / 4
    shares = token_shares(encoder.tokenizer, words, exponent=SMALL.balance)
    np.testing.assert_allclose(encoder.embeddings, normal * (1e-3 / (1e-3 + shares))[:, None], rtol=1e-5)
    flat = init_encoder(EncoderSettings(dim=16, vocab=700, frequency=0), words, seed=5)
    np.testing.assert_allclose(flat.embeddings, normal, rtol=1e-6)


def test_saved_and_loaded(words, tmp_path):
    encoder = init_encoder(SMALL, words, seed=5)
    encoder.save(tmp_path / "fresh")
    again = load_encoder(tmp_path / "fresh")
    assert isinstance(again, StaticEncoder)
    assert again.name == "fresh"
    assert load_encoder(str(tmp_path / "fresh"), name="mine").name == "mine"
    assert again.tokenizer.to_str() == encoder.tokenizer.to_str()
    started = init_encoder(EncoderSettings(kind="pretrained", model=str(tmp_path / "fresh")))
    assert np.array_equal(started.embeddings, encoder.embeddings)
    with pytest.raises(InputError, match="a prefix would shift every bag"):
        init_encoder(EncoderSettings(kind="pretrained", model=str(tmp_path / "fresh"), query_prefix="q: "))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dim": 0}, r"^dim: 0"),
        ({"query_length": 0}, r"^query_length"),
        ({"balance": 2.0}, r"^balance"),
        ({"dropout": 1.0}, r"^dropout"),
        ({"frequency": -1.0}, r"^frequency"),
        ({"character_coverage": 0.0}, r"^character_coverage"),
        ({"kind": "pretrained"}, r"^model: a pretrained encoder needs"),
        ({"model": "some/model"}, r"encoder\.kind is static, which starts fresh"),
        ({"query_prefix": "q: "}, "a prefix would shift every bag"),
        ({"kind": "transformer", "dim": 30, "heads": 4}, "4 heads do not divide 30"),
    ],
)
def test_settings_that_make_no_sense(given, message):
    with pytest.raises(InputError, match=message):
        EncoderSettings(**given)


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_a_fresh_encoder_needs_texts(kind):
    with pytest.raises(InputError, match=f"a fresh {kind} encoder needs texts"):
        init_encoder(EncoderSettings(kind=kind), {})


@pytest.mark.parametrize(
    "name", ["/no/such/model", "./model", "../model", "~/no-such-model", "a/b/c", "folder/", "back\\slash", ""]
)
def test_paths_are_never_looked_up_on_the_hub(name, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *a, **k: pytest.fail("asked the hub"))
    with pytest.raises(InputError, match="no such model folder"):
        load_encoder(name)


def test_a_file_is_no_model(tmp_path):
    (tmp_path / "model.bin").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        load_encoder(tmp_path / "model.bin")


def test_a_hub_name_fetches_safetensors_and_no_code(words, tmp_path, monkeypatch):
    init_encoder(SMALL, words).save(tmp_path / "snapshot")
    asked = {}

    def download(name: str, **options) -> str:
        asked.update(options, name=name)
        return str(tmp_path / "snapshot")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert load_encoder("someone/a-model").name == "someone/a-model"
    assert asked["name"] == "someone/a-model"
    assert not any(pattern.endswith((".py", ".bin", "*")) for pattern in asked["allow_patterns"])


def test_hub_errors_are_input_errors(monkeypatch):
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    for error, message in (
        (HFValidationError("bad name"), "neither a folder here nor"),
        (LocalEntryNotFoundError("offline"), "could not be reached"),
    ):

        def download(*_, _error=error, **__) -> str:
            raise _error

        monkeypatch.setattr("huggingface_hub.snapshot_download", download)
        with pytest.raises(InputError, match=message):
            model_folder("someone/a-model")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            EncoderSettings(kind="transformer", dim=16_000, layers=1000, heads=1, vocab=300),
            r"encoder\.layers x encoder\.dim: 1,000 x 16,000: about .* memory",
        ),
        (
            EncoderSettings(dim=16_000, vocab=300),
            r"encoder\.vocab x encoder\.dim: \d+ tokens of 16,000 dimensions: about .* memory",
        ),
    ],
)
def test_an_encoder_that_no_memory_holds_is_refused_before_it_is_made(
    settings: EncoderSettings, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available", lambda: 10_000_000)
    words = {"en": {chr(97 + a) + chr(97 + b): 5 for a in range(20) for b in range(20)}}
    with pytest.raises(InputError, match=message):
        init_encoder(settings, words, seed=1)
