"""How a model computes: what can be asked of which kind, from Python and from every command that loads one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.command import triglot
from triglot.cli import app
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.computing import PRECISIONS, USUAL, Computing
from triglot.files import InputError
from triglot.train import distributed

COMMANDS = {"evaluate", "check", "encode", "search", "debias", "attack", "mine"}
OPTIONS = ("--device", "--batch-size", "--precision", "--backend")
SMALL = EncoderSettings(kind="transformer", dim=16, vocab=300, layers=1, heads=2, query_length=12, passage_length=24)


@pytest.fixture(scope="module")
def models(words, tmp_path_factory) -> Path:
    """A folder with a transformer, a static model, texts and vectors."""
    folder = tmp_path_factory.mktemp("models")
    init_encoder(SMALL, words, seed=1).save(folder / "transformer")
    init_encoder(EncoderSettings(dim=16, vocab=300), words, seed=1).save(folder / "static")
    (folder / "texts.txt").write_text("the river\nthe bridge over the river\ndie Brücke\n")
    return folder


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"precision": "fp16"}, "precision: 'fp16' is unknown; did you mean"),
        ({"precision": "int8"}, "precision: torch computes in fp32 or bf16, not in int8"),
        ({"backend": "tensorflow"}, "backend: 'tensorflow' is unknown"),
        ({"batch_size": -1}, "batch_size: -1 is negative"),
        ({"batch_size": 2.5}, "batch_size: 2.5 is not a whole number"),
    ],
)
def test_what_no_model_can(asked: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Computing(**asked)


def test_every_command_that_loads_a_model_has_the_same_options() -> None:
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        if name in COMMANDS:
            told = triglot(name, "--help").out
            assert all(option in told for option in OPTIONS), name


def test_a_device_that_is_not_here_is_named_before_the_model_is_loaded(models: Path) -> None:
    for device in ("meta", "cuda:99", "gpu"):
        with pytest.raises(InputError, match=f"device: '{device}' is not here; there is cpu"):
            load_encoder(models / "transformer", computing=Computing(device=device))
    encoder = load_encoder(models / "transformer", computing=Computing(device="cpu"))
    assert encoder.device == torch.device("cpu")


def test_a_static_model_takes_what_is_true_of_it(models: Path, caplog) -> None:
    plain = load_encoder(models / "static").encode(["the river"], side="query")
    for asked in ({"precision": "fp32"}, {"precision": "auto", "device": "cpu"}):
        encoder = load_encoder(models / "static", computing=Computing(**asked))
        np.testing.assert_array_equal(encoder.encode(["the river"], side="query"), plain)
    assert not caplog.records
    load_encoder(models / "static", computing=Computing(batch_size=8))
    assert "computed on the CPU, text by text, whatever the device and batch" in caplog.text
    with pytest.raises(InputError, match="static: bf16: goes with transformers; a static model only adds numbers up"):
        load_encoder(models / "static", computing=Computing(precision="bf16"))


def test_encode_computes_as_the_options_say(models: Path, tmp_path: Path) -> None:
    vectors = {}
    for name, words in {
        "fp32": (),
        "bf16": ("--precision", "bf16"),
        "one": ("--batch-size", 1, "--device", "cpu"),
    }.items():
        out = tmp_path / f"{name}.npy"
        done = triglot("encode", models / "transformer", models / "texts.txt", "--out", out, "-q", *words)
        assert done.code == 0, done.err
        vectors[name] = np.load(out)
    assert not np.array_equal(vectors["fp32"], vectors["bf16"])
    np.testing.assert_allclose(vectors["one"], vectors["fp32"], atol=2e-6)
    assert (vectors["fp32"] * vectors["bf16"]).sum(1).min() > 0.999


def test_search_and_check_compute_as_the_options_say(models: Path, tmp_path: Path) -> None:
    found = {}
    for precision in ("fp32", "bf16"):
        done = triglot(
            "search", models / "transformer", models / "texts.txt", "the river", "--json", "--precision", precision
        )
        assert done.code == 0, done.err
        found[precision] = [json.loads(line)["score"] for line in done.out.splitlines()]
    assert found["fp32"] != found["bf16"]
    assert found["fp32"] == pytest.approx(found["bf16"], abs=0.01)
    done = triglot("check", models / "transformer", "--on", "a=atlas", "--sample", 50, "--device", "cuda:99")
    assert (done.code, "device: 'cuda:99' is not here" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--precision", "fp16"), "triglot: --precision: 'fp16' is unknown; did you mean"),
        (("--batch-size", "-1"), "triglot: --batch-size: -1 is negative"),
        (("--backend", "tensorflow"), "triglot: --backend: 'tensorflow' is unknown"),
        (("--precision", "bf16", "--device", "cpu"), "bm25: computes no vectors; leave out --device, --precision"),
    ],
)
def test_bad_options_are_named(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = triglot("evaluate", "bm25", "--on", "a=atlas", "--languages", "en", "--out", tmp_path / "run", *words)
    assert (done.code, message in done.err) == (2, True), done.err


def test_mining_without_a_model_and_vectors_made_elsewhere_compute_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(3, dtype=np.float32))
    (tmp_path / "codes.txt").write_text("en\nde\nen\n")
    words = ("--vectors", tmp_path / "v.npy", "--languages", tmp_path / "codes.txt", "--out", tmp_path / "o.npy")
    done = triglot("debias", *words, "--precision", "bf16")
    assert (done.code, "--vectors: computes no vectors; leave out --precision" in done.err) == (2, True)
    done = triglot(
        "mine", "atlas", "--model", "bm25", "--out", tmp_path / "m.jsonl", "--device", "cpu", "--languages", "en"
    )
    assert (done.code, "bm25: computes no vectors; leave out --device" in done.err) == (2, True)


def test_the_usual_is_nothing_special() -> None:
    assert Computing() == USUAL
    USUAL.refused("a run")
    assert USUAL.settled(torch.device("cpu")).precision in PRECISIONS


def test_the_variable_names_the_device_where_nobody_does(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIGLOT_DEVICE", "cuda:99")
    for load in (lambda: load_encoder(models / "transformer"), distributed.device):
        with pytest.raises(InputError, match="device: 'cuda:99' is not here; there is cpu"):
            load()
    assert load_encoder(models / "transformer", computing=Computing(device="cpu")).device == torch.device("cpu")
    monkeypatch.setenv("TRIGLOT_DEVICE", "cpu")
    assert load_encoder(models / "transformer").device == distributed.device() == torch.device("cpu")


def test_training_takes_a_device_of_its_own(tmp_path: Path) -> None:
    done = triglot("train", "demo", "--out", tmp_path / "run", "--device", "cuda:99", "train.steps=1")
    assert (done.code, "device: 'cuda:99' is not here" in done.err) == (2, True)
    assert "TRIGLOT_DEVICE" not in os.environ
