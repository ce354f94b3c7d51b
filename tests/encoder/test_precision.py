"""What `auto` takes on which processor, and who is warned."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from triglot.encoder import precision
from triglot.encoder.precision import chosen, has_bf16_units

CPU = torch.device("cpu")


@pytest.fixture
def processor(monkeypatch, tmp_path: Path):
    """A machine whose processor has these flags, and of which torch knows nothing."""

    def of(flags: str) -> None:
        (tmp_path / "cpuinfo").write_text(f"model name\t: some\nflags\t\t: fpu avx2 {flags}\n")
        monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "cpuinfo")
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
        has_bf16_units.cache_clear()

    yield of
    has_bf16_units.cache_clear()


@pytest.mark.parametrize(("flags", "expected"), [("avx512f", "fp32"), ("avx512_bf16", "bf16"), ("amx_bf16", "bf16")])
def test_auto_is_bf16_where_the_processor_has_units_for_it(processor, flags: str, expected: str) -> None:
    processor(flags)
    assert chosen("auto", CPU, mixed=True, key="train.precision") == expected
    assert chosen("auto", CPU, mixed=False, key="train.precision") == "fp32"
    assert chosen("fp32", CPU, mixed=True, key="train.precision") == "fp32"


def test_bf16_is_done_where_it_is_emulated_with_a_warning(processor, caplog) -> None:
    processor("")
    with caplog.at_level(logging.WARNING):
        assert chosen("bf16", CPU, mixed=True, key="train.precision") == "bf16"
    assert "emulated" in caplog.text
    caplog.clear()
    processor("amx_bf16")
    assert chosen("bf16", CPU, mixed=True, key="train.precision") == "bf16"
    assert not caplog.text


def test_a_machine_that_tells_nothing_has_none(processor, monkeypatch, tmp_path: Path) -> None:
    processor("amx_bf16")
    monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "absent")
    assert not has_bf16_units("cpu")
    assert not has_bf16_units("mps")
