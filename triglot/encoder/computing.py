"""How a model computes: on which device, in batches of how many texts, in which precision, by which backend. Whoever
loads an encoder may say it."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from triglot.files import InputError, SettingError, check_choice
from triglot.ranges import BatchTexts, check_ranges

if TYPE_CHECKING:
    import torch

log = logging.getLogger("triglot")
DEVICE = "TRIGLOT_DEVICE"  # a variable: the device of whatever is loaded or trained where nobody names one
KINDS = ("cpu", "cuda", "mps", "xpu")  # of devices, as torch names them
PRECISIONS = ("fp32", "bf16", "int8", "auto")
BACKENDS = {"torch": ("fp32", "bf16"), "onnx": ("fp32", "int8"), "openvino": ("fp32", "bf16", "int8")}
"""Backend -> the precisions that it has, the fastest last."""


@dataclass(frozen=True)
class Computing:
    """How an encoder computes. Nothing here is saved with a model.

    Attributes:
        device: as torch names it: `cpu`, `cuda`, `cuda:1`, `mps`; empty for a GPU if there is one.
        batch_size: texts of a batch, of like length; 0 for as many as fit into a number of tokens that suits the
            device, padding included.
        precision: `fp32`, `bf16` (products of matrices in bfloat16; vectors change by about 1e-5 in cosine), `int8`
            (weights and activations as whole numbers, of `onnx` and `openvino`; by about 4e-3), or `auto`: the fastest
            that the backend and the processor have. Empty for that of the encoder's settings, fp32 where they name
            none.
        backend: `torch`; or `onnx` or `openvino`, which compute the layers of a transformer on the CPU. They are
            converted once, see `triglot.encoder.backends.network.with_network`.
    """

    device: str = ""
    batch_size: BatchTexts = 0
    precision: str = ""
    backend: str = "torch"

    def __post_init__(self) -> None:
        check_ranges(self)
        check_choice("backend", self.backend, BACKENDS)
        if self.precision:
            check_choice("precision", self.precision, PRECISIONS)
        has = BACKENDS[self.backend]
        if self.precision not in ("", "auto", *has):
            raise SettingError("precision", f"{self.backend} computes in {' or '.join(has)}, not in {self.precision}")
        if self.backend != "torch" and self.device not in ("", "cpu"):
            raise SettingError("device", f"{self.backend} computes on the CPU, not on {self.device}")

    def settled(self, device: torch.device) -> Computing:
        """The same with a precision that is no longer open, for a transformer on this device."""
        from triglot.encoder.precision import chosen

        asked = self.precision or "fp32"
        if self.backend != "torch" and asked in ("auto", "int8"):
            return replace(self, precision=BACKENDS[self.backend][-1])
        return replace(self, precision=chosen(asked, device, mixed=True, key="precision"))

    def by_torch(self) -> Computing:
        """The same with torch in place of a backend."""
        return self if self.backend == "torch" else replace(self, backend="torch", precision="fp32", device="cpu")

    def for_static(self, name: str) -> None:
        """A static model adds numbers up by NumPy: what it cannot do is an error, what changes nothing is said.

        Raises:
            InputError: another precision than fp32, or a backend.
        """
        if self.backend != "torch" or self.precision not in ("", "fp32", "auto"):
            asked = self.precision if self.backend == "torch" else self.backend
            raise InputError(f"{name}: {asked}: goes with transformers; a static model only adds numbers up, in fp32")
        if self.batch_size or self.device not in ("", "cpu"):
            log.warning("%s: static models are computed on the CPU, text by text, whatever the device and batch", name)

    def refused(self, name: str) -> None:
        """Where there is no model to compute.

        Raises:
            InputError: it says how something is to be computed.
        """
        asked = [f.name.replace("_", "-") for f in fields(self) if getattr(self, f.name) != f.default]
        if asked:
            raise InputError(f"{name}: computes no vectors; leave out --{', --'.join(asked)}")


USUAL = Computing()


def asked_device(name: str = "") -> str:
    """The device that a caller names, else that of the variable `TRIGLOT_DEVICE`; empty for a GPU if there is one.

    Raises:
        InputError: torch finds no such device here.
    """
    name = name or os.environ.get(DEVICE, "")
    if name:
        check_device(name)
    return name


def check_device(name: str) -> None:
    """
    Raises:
        InputError: torch finds no such device here; the message names those that it finds.
    """
    import torch

    devices = ["cpu"]
    if (accelerator := torch.accelerator.current_accelerator(check_available=True)) is not None:
        count = torch.accelerator.device_count()
        devices += [accelerator.type, *(f"{accelerator.type}:{number}" for number in range(count))]
    if name not in devices:
        raise InputError(f"device: {name!r} is not here; there is {', '.join(devices)}")
