"""Which precision a model computes in: bfloat16 where the processor has units for it, and nowhere else."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

import torch

log = logging.getLogger("triglot")
_UNITS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86, and of ARM
_CPUINFO = Path("/proc/cpuinfo")


@cache
def has_bf16_units(kind: str) -> bool:
    """Whether products in bfloat16 are faster than in float32 on a device of this kind (`cpu`, `cuda`).

    Without such units they are emulated, on a CPU with AVX2 alone fifty times slower than in float32.
    """
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu":
        return False
    probes = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(probe() for probe in probes if probe is not None) or bool(_UNITS & cpu_flags())


def cpu_flags() -> set[str]:
    """What Linux says that the processor can; empty elsewhere."""
    return set(" ".join(_cpuinfo("flags", "features")).split())


def cpu_vendor() -> str:
    """Who made the processor, as Linux says it (`AuthenticAMD`, `GenuineIntel`); empty elsewhere."""
    return next(iter(_cpuinfo("vendor_id")), "")


def _cpuinfo(*keys: str) -> list[str]:
    """The values of these keys."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    pairs = (line.partition(":") for line in lines)
    return [value.strip() for key, _, value in pairs if key.strip().lower() in keys]


def chosen(asked: str, device: torch.device, *, mixed: bool, key: str) -> str:
    """`fp32` or `bf16` for what the settings ask.

    Args:
        asked: `auto`, `fp32` or `bf16`.
        device: of the model.
        mixed: whether products of matrices are most of the model's work; `auto` is `fp32` for any other.
        key: of the setting, for the warning.
    """
    if asked == "auto":
        return "bf16" if mixed and has_bf16_units(device.type) else "fp32"
    if asked == "bf16" and not has_bf16_units(device.type):
        log.warning(
            "%s: bf16 is emulated on this %s, which can be fifty times slower than fp32; auto would take fp32",
            key,
            device.type,
        )
    return asked
