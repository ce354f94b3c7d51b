"""Folders of translation models that are damaged, too short, or hold more than was asked for."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.translators import marian
from triglot.augment.translate import TranslateSettings, Translator
from triglot.files import InputError

SHORT = TranslateSettings(beams=1, longest=12)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return marian(tmp_path_factory.mktemp("marian"))


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "marian"))


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda w: {k: v for k, v in w.items() if "decoder.layers.0.fc1" not in k},
            r"the weights lack model\.decoder\.layers\.0\.fc1\.bias",
        ),
        (
            lambda w: w | {"model.encoder.layers.1.fc1.bias": torch.ones(24)},
            r"the weights hold model\.encoder\.layers\.1\.fc1\.bias",
        ),
        (
            lambda w: w | {"model.encoder.layers.0.fc1.bias": torch.full((24,), torch.nan)},
            "holds numbers that are not finite",
        ),
    ],
)
def test_weights_that_do_not_fit(folder: Path, make: Any, message: str) -> None:
    save_file(make(load_file(folder / "model.safetensors")), folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=message):
        Translator(folder, SHORT, device="cpu")


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("config.json", {"vocab_size": 2**31}, r"config\.json: vocab_size: 2147483648 is more than"),
        ("config.json", {"decoder_layers": 2**31}, r"config\.json: decoder_layers: 2147483648 is more than"),
        ("config.json", {"activation_function": 3}, "cannot be loaded"),
        ("config.json", {"max_position_embeddings": 4}, "a model of 4 positions is too short"),
        ("tokenizer_config.json", {"model_max_length": 0}, r"tokenizer_config\.json: model_max_length: 0"),
        ("generation_config.json", {"decoder_start_token_id": 10**30}, r"decoder_start_token_id: 10+ is out of range"),
    ],
)
def test_odd_values(folder: Path, file: str, values: dict[str, Any], message: str) -> None:
    change(folder / file, **values)
    with pytest.raises(InputError, match=f"translate.*{message}"):
        Translator(folder, SHORT, device="cpu")


def test_a_missing_file_of_the_tokenizer(folder: Path) -> None:
    (folder / "source.spm").unlink()
    with pytest.raises(InputError, match=f"translate: {folder} cannot be loaded"):
        Translator(folder, SHORT, device="cpu")


def test_no_pickle_is_read(folder: Path) -> None:
    class Payload:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("was unpickled",))

    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload()))
    Translator(folder, SHORT, device="cpu")
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    with pytest.raises(InputError, match="is a pickle"):
        Translator(folder, SHORT, device="cpu")


def test_sentences_and_translations_stay_within_the_positions(original: Path, caplog: pytest.LogCaptureFixture) -> None:
    translator = Translator(original, TranslateSettings(beams=1, longest=100), device="cpu")
    assert "reads and writes 62 tokens at most, not 100" in caplog.text
    (found,) = translator.translate(["The cat sleeps on the wall. " * 40], "en", "de")
    assert found
    assert translator.too_long(["The cat sleeps on the wall. " * 40, "The cat sleeps."], "de") == 1
