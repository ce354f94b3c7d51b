"""Layers in OpenVINO. int8 is static: NNCF finds the ranges of activations on the samples."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from triglot.encoder.backends.network import INPUTS, Network, Sample
from triglot.extras import named

PACKAGES = ("openvino", "nncf")
_FILE = "model.xml"
_PRECISION = {"fp32": "f32", "int8": "f32", "bf16": "bf16"}
"""Ours -> that in which OpenVINO computes what is not rounded to int8."""


def _openvino() -> Any:
    """The package; its import tells a server of its maker what is done, unless the messenger is missing."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    with named():
        import openvino

    return openvino


def convert(layers: nn.Module, folder: Path, samples: Sequence[Sample], *, precision: str) -> None:
    """Write `model.xml` and `model.bin`.

    Args:
        layers: (embeddings, mask) -> vectors of tokens.
        folder: to write to.
        samples: (embeddings, mask) of some texts.
        precision: `fp32`, `bf16` (which is that of the products alone) or `int8`.
    """
    openvino = _openvino()
    model = openvino.convert_model(layers, example_input=dict(zip(INPUTS, samples[0], strict=True)))
    model.reshape({0: [-1, -1, samples[0][0].shape[-1]], 1: [-1, -1]})
    if precision == "int8":
        with named():
            import nncf  # pyright: ignore[reportMissingImports]

        # Not by nncf.set_log_level, which changes handlers that others may have hung on its logger.
        logging.getLogger("nncf").setLevel(logging.ERROR)
        arrays = [dict(zip(INPUTS, (part.numpy() for part in sample), strict=True)) for sample in samples]
        # It draws its bars on stdout, where results belong.
        with redirect_stdout(io.StringIO()):
            model = nncf.quantize(
                model, nncf.Dataset(arrays), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(arrays)
            )
    openvino.save_model(model, folder / _FILE, compress_to_fp16=False)


def load(folder: Path, *, precision: str, threads: int) -> Network:
    """What `convert` wrote, ready to compute."""
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _PRECISION[precision],
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    core = _openvino().Core()
    # The folder may be renamed or removed.
    core.set_property({"ENABLE_MMAP": "NO"})
    request = core.compile_model(folder / _FILE, "CPU", settings).create_infer_request()

    def network(embeddings: Tensor, mask: Tensor) -> Tensor:
        given = dict(enumerate((embeddings.numpy(), mask.numpy())))
        return torch.from_numpy(request.infer(given, share_inputs=True, share_outputs=False)[0])

    return network
