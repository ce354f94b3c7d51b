"""Exported models, computed without Triglot and without torch: near to torch's vectors, by files in their places."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from tests.command import triglot
from tests.encoder.conftest import MIXED, TEXTS
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.transformer import with_dense

ALL = [text for column in TEXTS.values() for text in column] + MIXED
SETTINGS = EncoderSettings(
    kind="transformer", dim=64, vocab=700, layers=2, heads=4, query_length=12, passage_length=40, query_prefix="q: "
)
FILES = {
    "onnx": {"fp32": "onnx/model.onnx", "int8": "onnx/model_quantized.onnx"},
    "openvino": {"fp32": "openvino/openvino_model.xml", "int8": "openvino/openvino_model_quantized.xml"},
}


@pytest.fixture(scope="module")
def model(words, tmp_path_factory) -> Path:
    """A model with a projection after its pooling."""
    path = tmp_path_factory.mktemp("model") / "m"
    weight = np.random.default_rng(1).standard_normal((24, 64)).astype(np.float32)
    with_dense(init_encoder(SETTINGS, words, seed=1), weight).save(path)
    return path


def computed(backend: str, file: Path, ids: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """What a file gives, by its backend's own runtime alone."""
    if backend == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_outputs()]
        return dict(zip(names, session.run(names, {"input_ids": ids, "attention_mask": mask}), strict=True))
    import openvino

    made = openvino.Core().compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = made({"input_ids": ids, "attention_mask": mask})
    return {name: found[name] for name in ("last_hidden_state", "sentence_embedding")}


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.parametrize(("backend", "precision"), [(name, one) for name, files in FILES.items() for one in files])
def test_an_exported_model_has_the_vectors_of_torch(model: Path, tmp_path: Path, backend: str, precision: str) -> None:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    for package in {"onnx": ("onnx", "onnxruntime"), "openvino": ("openvino", "nncf")}[backend]:
        pytest.importorskip(package)
    out = tmp_path / "out"
    done = triglot("export", model, "--to", backend, "--out", out, "--precision", precision, "-q")
    assert done.code == 0, done.err
    assert "(128 texts in 11 languages)" in done.out
    about = json.loads((out / "export.json").read_text())
    assert about["file"] == FILES[backend][precision]
    # As somebody else would: the folder's tokenizer, padded batches of any size, the prompt that export.json names.
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    tokenizer.enable_truncation(40)
    tokenizer.enable_padding()
    encoder = load_encoder(model)
    near = 0.9999 if precision == "fp32" else 0.97
    for side, texts in (("passage", ALL), ("passage", ALL[:1]), ("passage", ALL[3:8])):
        encoded = tokenizer.encode_batch([about["prompts"][side] + text for text in texts])
        ids = np.array([one.ids for one in encoded], np.int64)
        mask = np.array([one.attention_mask for one in encoded], np.int64)
        found = computed(backend, out / about["file"], ids, mask)
        exact = encoder.encode(texts, side=side)
        assert found["last_hidden_state"].shape == (*ids.shape, 64)
        assert found["sentence_embedding"].shape == exact.shape == (len(texts), 24)
        assert (found["sentence_embedding"] * exact).sum(1).min() > near
        if precision == "fp32":
            np.testing.assert_allclose(found["sentence_embedding"], exact, atol=1e-5)
    # The folder is still a model.
    np.testing.assert_array_equal(load_encoder(out).encode(ALL, side="query"), encoder.encode(ALL, side="query"))


def test_what_cannot_be_exported_is_said(model: Path, tmp_path: Path, words) -> None:
    init_encoder(EncoderSettings(kind="static", dim=16, vocab=700), words, seed=1).save(tmp_path / "static")

    def err(*given: object) -> str:
        done = triglot("export", *given, "--out", tmp_path / "out", "-q")
        assert done.code == 2, done.out
        assert not (tmp_path / "out").exists()
        return done.err

    assert "is static: it only adds numbers up" in err(tmp_path / "static", "--to", "onnx")
    assert "did you mean 'onnx'" in err(model, "--to", "onyx")
    assert "exports an index" in err(model, "--to", "parquet")
    assert "there is onnx in fp32" in err(model, "--to", "onnx", "--precision", "fp16")
