"""Linear layers by oneDNN, and weights rounded once: the same numbers, and on which processors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.encoder.conftest import MIXED
from triglot.encoder import EncoderSettings, init_encoder, precision, products
from triglot.encoder.products import prefers_onednn

SETTINGS = EncoderSettings(kind="transformer", dim=32, vocab=700, layers=2, heads=2, query_length=12, passage_length=40)
CPU = torch.device("cpu")
has_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"),
    reason="torch was built without oneDNN",
)


@pytest.fixture
def layers() -> nn.Sequential:
    torch.manual_seed(0)
    first = nn.Linear(16, 32)
    return nn.Sequential(first, nn.GELU(), nn.Linear(32, 16, bias=False), first, nn.LayerNorm(32)).eval()


@has_onednn
def test_onednn_computes_the_same(layers: nn.Sequential, words, monkeypatch) -> None:
    encoder = init_encoder(SETTINGS, words, seed=1)
    vectors, found = {}, {}
    calls: list[bool] = []
    for way in (False, True):
        monkeypatch.setattr(products, "prefers_onednn", lambda way=way: calls.append(way) or way)
        vectors[way] = encoder.encode(MIXED, side="passage")
        with torch.inference_mode(), products.products(CPU, "fp32"):
            found[way] = layers(torch.linspace(-1, 1, 5 * 16).reshape(1, 5, 16))
    assert set(calls) == {False, True}
    np.testing.assert_allclose(vectors[True], vectors[False], atol=1e-6)
    torch.testing.assert_close(found[True], found[False], atol=1e-6, rtol=1e-5)


def test_bfloat16_rounds_as_autocast_does_and_each_weight_once(layers: nn.Sequential, monkeypatch) -> None:
    texts = torch.linspace(-1, 1, 5 * 16).reshape(1, 5, 16)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        expected = layers(texts)
    rounded: list[int] = []
    once = products._RoundedOnce._once

    def noted(self, part):
        rounded.append(len(self._rounded))
        return once(self, part)

    monkeypatch.setattr(products._RoundedOnce, "_once", noted)
    with torch.inference_mode(), products.products(CPU, "bf16"):
        for _ in range(2):
            torch.testing.assert_close(layers(texts), expected, atol=0, rtol=0)
    assert rounded[-1] == 3


@has_onednn
@pytest.mark.parametrize(
    ("vendor", "flags", "expected"),
    [
        ("AuthenticAMD", "avx2 avx512f", True),
        ("AuthenticAMD", "avx2", False),
        ("GenuineIntel", "avx2 avx512f", False),
        ("", "", False),
    ],
)
def test_the_processor_decides(vendor: str, flags: str, expected: bool, monkeypatch, tmp_path: Path) -> None:
    if not torch.backends.mkl.is_available():
        expected = False
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu {flags}\n")
    monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "cpuinfo")
    prefers_onednn.cache_clear()
    try:
        assert prefers_onednn() is expected
    finally:
        prefers_onednn.cache_clear()


@has_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_gradients_by_onednn_are_torchs(bias: bool, learned: bool) -> None:
    torch.manual_seed(4)
    layer = nn.Linear(16, 24, bias=bias).requires_grad_(learned)
    texts = torch.randn(3, 5, 16, requires_grad=True)
    upon = torch.randn(3, 5, 24)
    wanted = [texts, *(one for one in layer.parameters() if learned)]
    found = torch.autograd.grad((products.by_onednn(texts, layer.weight, layer.bias) * upon).sum(), wanted)
    expected = torch.autograd.grad((layer(texts) * upon).sum(), wanted)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
