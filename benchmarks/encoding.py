"""Encoding by a pretrained model, against `SentenceTransformer.encode` and its backends.

    python benchmarks/encoding.py MODEL --data ../shared/data/xquad-r

Questions, sentences and paragraphs, a third each, in a fixed order. Sides alternate, each repetition in another order;
told are the median of texts and of tokens a second, the median of the ratios to sentence-transformers' defaults in the
same repetition, the mean cosine to its float32 vectors, and the share of the machine's matrix product that is reached:
the fastest product of that precision measured here, by whichever library. Loading and converting are left out, making
tokens is counted. On a machine with other work `--clock cpu` counts the time of this process, with `--threads 1`.

- `sentence-transformers`: its defaults; `best batch`: the fastest of several batch sizes, found on an eighth of the
  texts before; `bf16`: loaded in bfloat16, where the processor has units for it; `onnx int8` and `openvino int8`: its
  backends, where they load (what they lack is said).
- `triglot`: our defaults; `auto`: bf16 where there are units; the backends of ours, where their packages are installed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from triglot.corpus.formats.registry import read_retrieval
from triglot.encoder import load_encoder
from triglot.encoder.computing import Computing
from triglot.encoder.precision import has_bf16_units
from triglot.extras import MissingExtra
from triglot.files import InputError, write_json

PREFIX = "passage"
BATCHES = (8, 16, 32, 64, 128)
WAYS = (
    ("triglot", Computing(precision="fp32")),
    ("triglot, auto", Computing(precision="auto")),
    ("triglot, onnx fp32", Computing(backend="onnx", precision="fp32")),
    ("triglot, onnx int8", Computing(backend="onnx", precision="int8")),
    ("triglot, openvino int8", Computing(backend="openvino", precision="int8")),
)


@dataclass(frozen=True)
class Side:
    """Something that encodes.

    Attributes:
        name: shown in the table.
        precision: `fp32`, `bf16` or `int8`.
        encode: texts -> (texts, dim) unit vectors.
    """

    name: str
    precision: str
    encode: Callable[[list[str]], np.ndarray]


def mixed_texts(data: Path, number: int) -> list[str]:
    """Questions, sentences and paragraphs, a third each, from all languages, in an order that is fixed."""
    rng = np.random.default_rng(0)
    sentences = read_retrieval(data, name="texts", candidate_text="sentence")
    paragraphs = read_retrieval(data, name="texts", candidate_text="paragraph")
    pools = (sentences.queries.texts, sentences.passages.texts, paragraphs.passages.texts)
    texts = [pool[row] for pool in pools for row in rng.choice(len(pool), min(number // 3, len(pool)), replace=False)]
    return [texts[row] for row in rng.permutation(len(texts))]


def peaks(clock: Callable[[], float]) -> dict[str, float]:
    """GFLOP/s of the fastest product of matrices that is found here, by precision."""
    found: dict[str, float] = {}
    for dtype, name in ((torch.float32, "fp32"), (torch.bfloat16, "bf16")):
        if name == "bf16" and not has_bf16_units("cpu"):
            continue
        for rows, inner, columns in ((1024, 384, 1536), (2048, 1024, 1024), (4096, 2048, 2048)):
            left, weight = (torch.randn(shape, dtype=dtype) for shape in ((rows, inner), (columns, inner)))
            ways = [lambda a=left, b=weight: nn.functional.linear(a, b)]
            if hasattr(torch.ops.mkldnn, "_linear_pointwise"):
                ways.append(lambda a=left, b=weight: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], ""))
            for way in ways:
                for _ in range(6):
                    begun = clock()
                    way()
                    rate = 2e-9 * rows * inner * columns / max(clock() - begun, 1e-9)
                    found[name] = max(found.get(name, 0.0), rate)
    return found


def peers(
    model: Path, texts: list[str], prompt: str, clock: Callable[[], float], only: str
) -> tuple[list[Side], list[str]]:
    """sentence-transformers in its defaults and the other ways that are asked for, and a line for each that does not
    work here."""
    missing: list[str] = []

    def side(name: str, precision: str, loaded: SentenceTransformer, batch: int = 32) -> Side:
        def encode(texts: list[str]) -> np.ndarray:
            vectors = loaded.encode(
                texts,
                prompt=prompt,
                batch_size=batch,
                normalize_embeddings=True,
                convert_to_numpy=False,
                convert_to_tensor=True,
                show_progress_bar=False,
            )
            return vectors.float().numpy()

        return Side(name, precision, encode)

    def best(name: str, precision: str, loaded: SentenceTransformer) -> Side:
        sample, seconds = texts[: max(len(texts) // 8, 8)], {}
        for batch in BATCHES:
            one = side(name, precision, loaded, batch)
            one.encode(sample[:8])
            begun = clock()
            one.encode(sample)
            seconds[batch] = clock() - begun
        fastest = min(seconds, key=seconds.__getitem__)
        return side(f"{name}, batch {fastest}", precision, loaded, fastest)

    plain = SentenceTransformer(str(model), device="cpu", local_files_only=True)
    found = [side("sentence-transformers", "fp32", plain)]
    if re.search(only, "sentence-transformers, best batch"):
        found.append(best("sentence-transformers", "fp32", plain))
    if not re.search(only, "sentence-transformers, bf16"):
        pass
    elif has_bf16_units("cpu"):
        dtype = {"dtype": torch.bfloat16}
        rough = SentenceTransformer(str(model), device="cpu", local_files_only=True, model_kwargs=dtype)
        found.append(best("sentence-transformers, bf16", "bf16", rough))
    else:
        missing.append("sentence-transformers, bf16: emulated on this processor")
    for backend, convert in (("onnx", _onnx_int8), ("openvino", _openvino_int8)):
        name = f"sentence-transformers, {backend} int8"
        if not re.search(only, name):
            continue
        try:
            found.append(best(name, "int8", convert(model, texts)))
        except Exception as error:
            # Whatever its packages lack or do not fit.
            missing.append(f"{name}: {(str(error).strip().splitlines() or [type(error).__name__])[0]:.200}")
    return found, missing


def _onnx_int8(model: Path, texts: list[str]) -> SentenceTransformer:
    """As its documentation says."""
    from sentence_transformers import export_dynamic_quantized_onnx_model

    whole = SentenceTransformer(str(model), backend="onnx", device="cpu", local_files_only=True)
    place = Path(tempfile.mkdtemp(prefix="encoding-"))
    whole.save_pretrained(str(place))
    export_dynamic_quantized_onnx_model(whole, "avx512_vnni", str(place))
    kwargs = {"file_name": "onnx/model_qint8_avx512_vnni.onnx"}
    return SentenceTransformer(str(place), backend="onnx", device="cpu", local_files_only=True, model_kwargs=kwargs)


def _openvino_int8(model: Path, texts: list[str]) -> SentenceTransformer:
    """As its documentation says, with texts from here to find the ranges with."""
    from sentence_transformers import export_static_quantized_openvino_model

    whole = SentenceTransformer(str(model), backend="openvino", device="cpu", local_files_only=True)
    place = Path(tempfile.mkdtemp(prefix="encoding-"))
    whole.save_pretrained(str(place))
    samples = Path(tempfile.mkdtemp(prefix="encoding-"))
    lines = (json.dumps({"sentence": text}, ensure_ascii=False) for text in texts[:300])
    (samples / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = {"dataset_name": str(samples), "dataset_config_name": "default", "dataset_split": "train"}
    export_static_quantized_openvino_model(whole, None, str(place), **source, column_name="sentence")
    kwargs = {"file_name": "openvino/openvino_model_qint8_quantized.xml"}
    return SentenceTransformer(str(place), backend="openvino", device="cpu", local_files_only=True, model_kwargs=kwargs)


def ours(model: Path, only: str) -> tuple[list[Side], list[str]]:
    """Triglot in the ways that are asked for, and a line for each that does not work here."""
    found, missing = [], []
    for name, computing in WAYS:
        if not re.search(only, name):
            continue
        try:
            encoder: Any = load_encoder(model, computing=computing)
        except (InputError, MissingExtra) as error:
            missing.append(f"{name}: {error}")
            continue
        precision = encoder.computing.precision
        if name == "triglot, auto" and precision == "fp32":
            missing.append(f"{name}: fp32 on this processor, as triglot")
            continue
        found.append(Side(name, precision, lambda texts, encoder=encoder: encoder.encode(texts, side=PREFIX)))
    return found, missing


def work(model: Path, texts: list[str]) -> tuple[int, float]:
    """Tokens of the texts, and GFLOP of all layers for them: products with weights, and attention."""
    encoder: Any = load_encoder(model)
    lengths = np.diff(encoder.tokenize(texts, side=PREFIX)[1]).astype(float)
    layers: Any = encoder.model[0].auto_model
    weights = sum(m.weight.numel() for n, m in layers.named_modules() if isinstance(m, nn.Linear) and "pooler" not in n)
    attention = 4 * layers.config.num_hidden_layers * layers.config.hidden_size * (lengths**2).sum()
    return int(lengths.sum()), float(2 * weights * lengths.sum() + attention) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a transformer")
    parser.add_argument("--data", type=Path, required=True, help="XQuAD-R, or another folder in SQuAD's layout")
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: torch's default")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--only", default="", help="a regular expression: only sides with such names, beside the first")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    texts = mixed_texts(arguments.data, arguments.texts)
    tokens, gflop = work(arguments.model, texts)
    encoder: Any = load_encoder(arguments.model)
    theirs, missing = peers(arguments.model, texts, encoder.prefixes[PREFIX], clock, arguments.only)
    mine, lacking = ours(arguments.model, arguments.only)
    sides = [*theirs, *mine]
    peak = peaks(clock)
    seconds: dict[str, list[float]] = {one.name: [] for one in sides}
    reference = sides[0].encode(texts)
    near = {one.name: float((one.encode(texts) * reference).sum(axis=1).mean()) for one in sides}
    for repeat in range(arguments.repeats):
        for one in sides[repeat % len(sides) :] + sides[: repeat % len(sides)]:
            begun = clock()
            one.encode(texts)
            seconds[one.name].append(clock() - begun)
    print(
        f"{len(texts):,} texts, {tokens:,} tokens, {torch.get_num_threads()} threads, {arguments.clock} time, "
        f"{torch.backends.cpu.get_cpu_capability()}; product of matrices: "
        + ", ".join(f"{name} {rate:,.0f} GFLOP/s" for name, rate in peak.items())
    )
    print(f"{'':42s} {'precision':>9s} {'texts/s':>8s} {'tokens/s':>9s} {'ratio':>6s} {'of peak':>8s} {'cosine':>7s}")
    rows = []
    for one in sides:
        median = statistics.median(seconds[one.name])
        ratio = statistics.median(a / b for a, b in zip(seconds[sides[0].name], seconds[one.name], strict=True))
        share = gflop / median / peak[one.precision] if one.precision in peak else None
        row = {
            "side": one.name,
            "precision": one.precision,
            "texts_per_second": len(texts) / median,
            "tokens_per_second": tokens / median,
            "ratio": ratio,
            "of_peak": share,
            "cosine": near[one.name],
            "seconds": seconds[one.name],
        }
        rows.append(row)
        told = "" if share is None else f"{share:.0%}"
        print(
            f"{one.name:42s} {one.precision:>9s} {row['texts_per_second']:8.1f} {row['tokens_per_second']:9,.0f} "
            f"{ratio:6.2f} {told:>8s} {near[one.name]:7.4f}"
        )
    for line in [*missing, *lacking]:
        print(f"left out: {line}")
    if arguments.json:
        about = {"texts": len(texts), "tokens": tokens, "gflop": gflop, "peak": peak, "clock": arguments.clock}
        write_json(arguments.json, {**about, "sides": rows, "left_out": [*missing, *lacking]})


if __name__ == "__main__":
    main()
