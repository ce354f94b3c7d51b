"""Layers computed by ONNX Runtime and OpenVINO: near to torch's vectors, converted once, and what cannot be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from tests.encoder.conftest import MIXED, TEXTS
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder import vector_cache as kept
from triglot.encoder.backends import network as networks
from triglot.encoder.computing import BACKENDS, Computing
from triglot.encoder.once import encode_once
from triglot.encoder.transformer import with_dense
from triglot.extras import MissingExtra
from triglot.files import InputError

ALL = [text for column in TEXTS.values() for text in column] + MIXED
PACKAGES = {"onnx": ("onnx", "onnxruntime"), "openvino": ("openvino", "nncf")}
SETTINGS = EncoderSettings(
    kind="transformer", dim=64, vocab=700, layers=2, heads=4, query_length=12, passage_length=40, query_prefix="q: "
)


@pytest.fixture
def backend(request) -> str:
    for package in PACKAGES[request.param]:
        if package == "openvino":
            sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        pytest.importorskip(package)
    return request.param


def each(test: Callable[..., None]) -> Callable[..., None]:
    """For each backend, in the environment that has them."""
    return pytest.mark.peers(pytest.mark.parametrize("backend", list(PACKAGES), indirect=True)(test))


@pytest.fixture(scope="module")
def folder(words, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m"
    init_encoder(SETTINGS, words, seed=1).save(path)
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TRIGLOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.mark.slow
@each
def test_vectors_are_near_to_those_of_torch(backend: str, folder: Path, cache: Path, caplog) -> None:
    plain = load_encoder(folder)
    caplog.set_level("INFO", "triglot")
    for precision, near in {"fp32": 0.99999, "int8": 0.98}.items():
        encoder = load_encoder(folder, computing=Computing(backend=backend, precision=precision))
        for side in ("query", "passage"):
            exact, found = plain.encode(ALL, side=side), encoder.encode(ALL, side=side)
            assert (exact * found).sum(1).min() > near
            np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
            if precision == "fp32":
                np.testing.assert_allclose(found, exact, atol=1e-5)
            else:
                assert not np.allclose(found, exact, atol=1e-5)
        assert f"{backend} in {precision}: vectors at" in caplog.text
    assert "128 texts in 11 languages" in caplog.text
    assert len(list(cache.iterdir())) == 2


@pytest.mark.slow
@each
def test_layers_are_converted_once_and_damaged_ones_again(backend: str, folder: Path, cache: Path, monkeypatch) -> None:
    calls = []
    converted = networks._converted
    monkeypatch.setattr(networks, "_converted", lambda *given: calls.append(given) or converted(*given))
    computing = Computing(backend=backend, precision="auto")
    assert BACKENDS[backend][-1] == "int8"
    first = load_encoder(folder, computing=computing)
    assert first.computing.precision == "int8"
    vectors = first.encode(ALL, side="query")
    np.testing.assert_array_equal(load_encoder(folder, computing=computing).encode(ALL, side="query"), vectors)
    assert len(calls) == 1
    (made,) = cache.iterdir()
    model = next(path for path in sorted(made.iterdir()) if path.suffix in (".onnx", ".bin"))
    model.write_bytes(model.read_bytes()[:-9])
    np.testing.assert_array_equal(load_encoder(folder, computing=computing).encode(ALL, side="query"), vectors)
    assert len(calls) == 2
    other = load_encoder(folder)
    with torch.no_grad():
        next(other.model[0].auto_model.encoder.parameters())[0, 0] += 1
    other.save(folder.with_name("other"))
    load_encoder(folder.with_name("other"), computing=computing)
    assert len(calls) == 3


@pytest.mark.slow
@each
def test_kept_vectors_copies_and_saved_models(backend: str, folder: Path, tmp_path: Path) -> None:
    encoder = load_encoder(folder, computing=Computing(backend=backend))
    plain = load_encoder(folder)
    for one in (encoder, plain):
        kept.attach(one, tmp_path / "vectors")
        encode_once(one, ALL, "query")
    assert len(list((tmp_path / "vectors").iterdir())) == 2
    weight = np.random.default_rng(1).standard_normal((8, 64)).astype(np.float32)
    expected = with_dense(plain, weight).encode(ALL, side="query")
    copied = with_dense(encoder, weight)
    assert copied.network is encoder.network
    np.testing.assert_allclose(copied.encode(ALL, side="query"), expected, atol=1e-5)
    copied.save(tmp_path / "saved")
    np.testing.assert_allclose(load_encoder(tmp_path / "saved").encode(ALL, side="query"), expected, atol=1e-5)
    encoder(**encoder.features(ALL[:2], [0, 1])).sum().backward()


@pytest.mark.slow
@each
def test_another_architecture(backend: str, folder: Path, tmp_path: Path) -> None:
    """Positions of XLM-R come from the tokens, where padding is left out."""
    config = XLMRobertaConfig(
        vocab_size=700,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=60,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    load_encoder(folder).save(tmp_path / "m")
    XLMRobertaModel(config).save_pretrained(tmp_path / "m")
    exact = load_encoder(tmp_path / "m").encode(ALL, side="passage")
    found = load_encoder(tmp_path / "m", computing=Computing(backend=backend)).encode(ALL, side="passage")
    np.testing.assert_allclose(found, exact, atol=1e-5)


@pytest.mark.parametrize("backend", list(PACKAGES))
def test_packages_that_are_missing_are_named_with_their_extra(backend: str, folder: Path, monkeypatch) -> None:
    def missing(name: str) -> str:
        raise networks.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(networks.metadata, "version", missing)
    with pytest.raises(MissingExtra, match=rf'is not installed; pip install "triglot\[{backend}\]"'):
        load_encoder(folder, computing=Computing(backend=backend))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"backend": "onnx", "precision": "bf16"}, "precision: onnx computes in fp32 or int8, not in bf16"),
        ({"backend": "openvino", "device": "cuda"}, "device: openvino computes on the CPU, not on cuda"),
    ],
)
def test_what_a_backend_cannot(asked: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Computing(**asked)


class _Other:
    """A backend whose layers compute what they should not."""

    PACKAGES = ("torch",)

    @staticmethod
    def convert(layers, folder, samples, *, precision) -> None:
        (folder / "model.txt").write_text(precision)

    @staticmethod
    def load(folder, *, precision, threads):
        return lambda embeddings, mask: embeddings.flip(0, 2)


class _Broken(_Other):
    @staticmethod
    def convert(layers, folder, samples, *, precision) -> None:
        raise RuntimeError("no operator for this\nand more")


def test_other_vectors_are_refused_or_warned_about_and_errors_name_the_model(
    folder: Path, cache: Path, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(networks, "import_module", lambda name: _Other)
    with pytest.raises(InputError, match=r"m: onnx computes other vectors than torch \(-?0\.\d+ in cosine\)"):
        load_encoder(folder, computing=Computing(backend="onnx"))
    assert not list(cache.glob("*"))
    load_encoder(folder, computing=Computing(backend="onnx", precision="int8"))
    assert [record.levelname for record in caplog.records if "in cosine to torch" in record.message] == ["WARNING"]
    monkeypatch.setattr(networks, "import_module", lambda name: _Broken)
    with pytest.raises(InputError, match=r"m: openvino cannot compute it \(no operator for this\)"):
        load_encoder(folder, computing=Computing(backend="openvino"))
