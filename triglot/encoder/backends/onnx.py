"""Layers in ONNX Runtime. int8 is dynamic: weights are rounded once, a scale for each output channel, and activations
as they come, so nothing has to be calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from triglot.encoder.backends.network import INPUTS, Network, Sample
from triglot.extras import named

PACKAGES = ("onnx", "onnxruntime")
_OUT = "token_embeddings"
_OPSET = 17


def convert(layers: nn.Module, folder: Path, samples: Sequence[Sample], *, precision: str) -> None:
    """Write `model.onnx`.

    Args:
        layers: (embeddings, mask) -> vectors of tokens.
        folder: to write to.
        samples: (embeddings, mask) of some texts.
        precision: `fp32` or `int8`.
    """
    with named():
        from onnxruntime.quantization import QuantType, quantize_dynamic  # pyright: ignore[reportMissingImports]

    exact, rounded = folder / "exact.onnx", folder / "model.onnx"
    axes = {0: "texts", 1: "tokens"}
    torch.onnx.export(
        layers,
        samples[0],
        str(exact),
        input_names=list(INPUTS),
        output_names=[_OUT],
        dynamic_axes=dict.fromkeys((*INPUTS, _OUT), axes),
        opset_version=_OPSET,
        dynamo=False,
    )
    if precision == "int8":
        # A scale for each channel: with one for each matrix vectors of multilingual-e5-small were at .986 in cosine.
        quantize_dynamic(exact, rounded, weight_type=QuantType.QInt8, per_channel=True)
        exact.unlink()
    else:
        exact.rename(rounded)


def load(folder: Path, *, precision: str, threads: int) -> Network:
    """What `convert` wrote, ready to compute."""
    with named():
        import onnxruntime  # pyright: ignore[reportMissingImports]

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads that wait by spinning take the core from whoever needs it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])

    def network(embeddings: Tensor, mask: Tensor) -> Tensor:
        given = dict(zip(INPUTS, (embeddings.numpy(), mask.numpy()), strict=True))
        return torch.from_numpy(np.asarray(session.run(None, given)[0]))

    return network
