"""Layers in OpenVINO. int8 is static: NNCF finds the ranges of activations on the samples."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Sequence
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


def convert(
    layers: nn.Module,
    folder: Path,
    samples: Sequence[Sample],
    *,
    precision: str,
    inputs: Sequence[str] = INPUTS,
    outputs: Sequence[str] = (),
    file: str = _FILE,
) -> None:
    """Write a model as OpenVINO's XML, with its weights in `.bin` beside it.

    Args:
        layers: (embeddings, mask) -> vectors of tokens; or whatever else `inputs` and `outputs` say.
        folder: to write to.
        samples: (embeddings, mask) of some texts.
        precision: `fp32`, `bf16` (which is that of the products alone) or `int8`.
        inputs: names of what goes in.
        outputs: names of what comes out; none for those that the converter gives.
        file: name of the file.
    """
    openvino = _openvino()
    model = openvino.convert_model(layers, example_input=dict(zip(inputs, samples[0], strict=True)))
    # Texts and tokens are as many as come; what else there is has its size.
    model.reshape({number: [-1, -1, *part.shape[2:]] for number, part in enumerate(samples[0])})
    for name, output in zip(outputs, model.outputs, strict=False):
        output.get_tensor().set_names({name})
    if precision == "int8":
        with named():
            import nncf  # pyright: ignore[reportMissingImports]

        # Not by nncf.set_log_level, which changes handlers that others may have hung on its logger.
        logging.getLogger("nncf").setLevel(logging.ERROR)
        arrays = [dict(zip(inputs, (part.numpy() for part in sample), strict=True)) for sample in samples]
        # It draws its bars on stdout, where results belong.
        with redirect_stdout(io.StringIO()):
            model = nncf.quantize(
                model, nncf.Dataset(arrays), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(arrays)
            )
    openvino.save_model(model, folder / file, compress_to_fp16=False)


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


def run(file: Path) -> Callable[..., Sequence[Any]]:
    """What `convert` wrote, as a function of arrays, in the order of its inputs and outputs."""
    model = _openvino().Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda *arrays: list(model(list(arrays)).values())
