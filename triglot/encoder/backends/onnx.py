"""Layers in ONNX Runtime. int8 is dynamic: weights are rounded once, a scale for each output channel, and activations
as they come, so nothing has to be calibrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from triglot.encoder.backends.network import INPUTS, Network, Sample
from triglot.extras import named

PACKAGES = ("onnx", "onnxruntime")
_OUT, _FILE = "token_embeddings", "model.onnx"
_OPSET = 17


def convert(
    layers: nn.Module,
    folder: Path,
    samples: Sequence[Sample],
    *,
    precision: str,
    inputs: Sequence[str] = INPUTS,
    outputs: Sequence[str] = (_OUT,),
    file: str = _FILE,
) -> None:
    """Write a model as ONNX.

    Args:
        layers: (embeddings, mask) -> vectors of tokens; or whatever else `inputs` and `outputs` say.
        folder: to write to.
        samples: (embeddings, mask) of some texts.
        precision: `fp32` or `int8`.
        inputs: names of what goes in.
        outputs: names of what comes out; those of vectors of tokens have an axis of tokens.
        file: name of the file.
    """
    with named():
        from onnxruntime.quantization import QuantType, quantize_dynamic  # pyright: ignore[reportMissingImports]

    exact, rounded = folder / "exact.onnx", folder / file
    axes = {name: {0: "texts", 1: "tokens"} for name in (*inputs, outputs[0])} | {
        name: {0: "texts"} for name in outputs[1:]
    }
    torch.onnx.export(
        layers,
        samples[0],
        str(exact),
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_axes=axes,
        opset_version=_OPSET,
        dynamo=False,
    )
    if precision == "int8":
        # A scale for each channel: with one for each matrix vectors of multilingual-e5-small were at .986 in cosine.
        quantize_dynamic(exact, rounded, weight_type=QuantType.QInt8, per_channel=True)
        exact.unlink()
    else:
        exact.rename(rounded)


def _session(file: Path, threads: int) -> Any:
    with named():
        import onnxruntime  # pyright: ignore[reportMissingImports]

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads that wait by spinning take the core from whoever needs it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def load(folder: Path, *, precision: str, threads: int) -> Network:
    """What `convert` wrote, ready to compute."""
    session = _session(folder / _FILE, threads)

    def network(embeddings: Tensor, mask: Tensor) -> Tensor:
        given = dict(zip(INPUTS, (embeddings.numpy(), mask.numpy()), strict=True))
        return torch.from_numpy(np.asarray(session.run(None, given)[0]))

    return network


def run(file: Path) -> Callable[..., Sequence[Any]]:
    """What `convert` wrote, as a function of arrays, in the order of its inputs and outputs."""
    session = _session(file, torch.get_num_threads())
    names = [one.name for one in session.get_inputs()]
    return lambda *arrays: session.run(None, dict(zip(names, arrays, strict=True)))
