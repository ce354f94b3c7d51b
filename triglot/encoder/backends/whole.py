"""A whole model for ONNX Runtime or OpenVINO, from tokens to vectors, as files that others load: Triglot is not needed
to use them, and neither is torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from triglot.encoder.backends.network import EXACT, cosines, padded_pairs, silent, texts_in_languages
from triglot.extras import MissingExtra
from triglot.files import InputError, write_json

if TYPE_CHECKING:
    from triglot.encoder.transformer import TransformerEncoder

INPUTS = ("input_ids", "attention_mask")
OUTPUTS = ("last_hidden_state", "sentence_embedding")
# Where sentence-transformers, transformers.js and text-embeddings-inference look for them.
FILES = {
    ("onnx", "fp32"): "onnx/model.onnx",
    ("onnx", "int8"): "onnx/model_quantized.onnx",
    ("openvino", "fp32"): "openvino/openvino_model.xml",
    ("openvino", "int8"): "openvino/openvino_model_quantized.xml",
}


class Whole(nn.Module):
    """A `SentenceTransformer` from ids to vectors, without what its modules do for callers."""

    def __init__(self, model: nn.Sequential):
        super().__init__()
        self.first = cast(Any, model[0]).auto_model
        self.rest = nn.ModuleList(list(model)[1:])

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """(texts, tokens) int64 twice -> (texts, tokens, dim) and (texts, dim) float32."""
        hidden = self.first(input_ids=input_ids, attention_mask=attention_mask, return_dict=False)[0]
        features: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
        features["token_embeddings"] = hidden
        for module in self.rest:
            features = module(features)
        return hidden, features["sentence_embedding"]


def export(encoder: TransformerEncoder, folder: Path, backend: str, precision: str = "fp32") -> dict[str, Any]:
    """Write a model for a backend beside what `encoder.save` wrote, and measure it against torch.

    Args:
        encoder: on the CPU.
        folder: of the saved model.
        backend: `onnx` or `openvino`.
        precision: `fp32` or `int8`.

    Returns:
        `file`, its inputs and outputs, and how near its vectors are to torch's; `export.json` in the folder says the
        same.

    Raises:
        MissingExtra: the backend's packages are not installed.
        InputError: a model that the backend cannot compute, or that comes out as another one.
    """
    if (backend, precision) not in FILES:
        raise InputError(f"export: {backend} in {precision}; there is {', '.join(' in '.join(key) for key in FILES)}")
    if any(encoder._hidden.values()):
        raise InputError(f"{encoder.name}: its pooling leaves the prompt out, which no exported model can know")
    converter: Any = import_module(f"triglot.encoder.backends.{backend}")
    name = FILES[backend, precision]
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    sample, texts, languages = texts_in_languages()
    try:
        with torch.no_grad(), silent():
            converter.convert(
                Whole(cast(nn.Sequential, encoder.model)).eval(),
                (folder / name).parent,
                [encoder.batch(*given) for given in padded_pairs(encoder, sample)],
                precision=precision,
                inputs=INPUTS,
                outputs=OUTPUTS,
                file=Path(name).name,
            )
        made = _vectors(encoder, converter.run(folder / name), texts)
    except (InputError, MissingExtra, KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:
        # Each architecture that cannot be converted ends in another error of another library.
        message = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{encoder.name}: {backend} cannot compute it ({message[0]:.200})") from error
    near = cosines(encoder.encode(texts, side="passage"), made)
    told = {"file": name, "inputs": INPUTS, "outputs": OUTPUTS, "precision": precision, "prompts": encoder.prefixes}
    told |= {"texts": len(texts), "languages": languages, "mean": float(near.mean()), "least": float(near.min())}
    if precision == "fp32" and told["mean"] < EXACT:
        raise InputError(f"{encoder.name}: {backend} computes other vectors than torch ({told['mean']:.5f} in cosine)")
    write_json(folder / "export.json", json.loads(json.dumps(told)))
    return told


def _vectors(encoder: TransformerEncoder, run: Callable[..., Sequence[Any]], texts: Sequence[str]) -> np.ndarray:
    """(texts, dim) vectors by an exported model, in batches with padding."""

    def blocks() -> Iterator[np.ndarray]:
        ids, offsets = encoder.tokenize(texts, side="passage")
        for first in range(0, len(texts), 8):
            rows = np.arange(first, min(first + 8, len(texts)))
            input_ids, mask = encoder.batch(ids, offsets, rows)
            yield np.asarray(run(input_ids.numpy(), mask.numpy())[1])

    return np.concatenate(list(blocks()))
