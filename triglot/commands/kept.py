"""What a smaller model keeps of the one that it was made of: its vectors, what it finds, its size and its speed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.build import model_folder
from triglot.encoder.protocol import Encoder

_TIMED = 96  # texts
_TIMES = 3
_SPLIT = 1000  # texts of a side, about
# Of a benchmark, and of one that has no answers in the language of the question: lines and their translations.
_SHOWN = (("mono", "map"), ("cross", "map"), ("multi", "map"))
_SHOWN_OF_LINES = (("cross", "hit@1"), ("cross", "map"))


class _Remembering:
    """An encoder that encodes a text of a side once."""

    def __init__(self, encoder: Encoder):
        self.encoder = encoder
        self.name, self.dim = encoder.name, encoder.dim
        self.similarity = getattr(encoder, "similarity", "cosine")
        self._known: dict[tuple[str, str], np.ndarray] = {}

    def encode(
        self, texts: Sequence[str], *, side: str, langs: Sequence[str] | None = None, progress: bool = False
    ) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if (side, text) not in self._known]
        if new:
            vectors = self.encoder.encode(new, side=side, progress=progress)
            self._known |= {(side, text): vector for text, vector in zip(new, vectors, strict=True)}
        return np.stack([self._known[side, text] for text in texts]) if texts else np.zeros((0, self.dim), np.float32)


@dataclass(frozen=True)
class Kept:
    """What is kept. The model is `cut` before it learned anything and `learned` after; one that did not learn is `cut`.

    Attributes:
        facts: the parent, the layers, the steps.
        tokens: rows of the table, of the parent and of the model.
        parameters: likewise.
        bytes: of weights and tokenizer on disk, likewise.
        speed: texts a second, as a multiple of the parent's; None where there was no text to time.
        texts: whose vectors were compared, on both sides.
        cosine: stage -> mean cosine to the parent's vectors of the same texts.
        retrieval: benchmark -> `parent` or stage -> setting and measure -> value.
        same_tokens: benchmark -> share of its texts (of a sample) that the trimmed vocabulary splits as the whole one.
    """

    facts: dict[str, Any]
    tokens: tuple[int, int]
    parameters: tuple[int, int]
    bytes: tuple[int, int]
    speed: float | None
    texts: int
    cosine: dict[str, float]
    retrieval: dict[str, dict[str, dict[str, float]]]
    same_tokens: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """The content of `kept.json`."""
        of = ("parent", "model")
        sizes = {key: dict(zip(of, getattr(self, key), strict=True)) for key in ("tokens", "parameters", "bytes")}
        return {
            "schema": 1,
            **self.facts,
            **sizes,
            "speed": None if self.speed is None else round(self.speed, 3),
            "texts": self.texts,
            "cosine": {stage: round(value, 5) for stage, value in self.cosine.items()},
            "retrieval": self.retrieval,
            "same_tokens": {name: round(share, 4) for name, share in self.same_tokens.items()},
        }

    def lines(self) -> list[str]:
        """The same in plain words."""
        name, steps = self.facts["parent"].rpartition("/")[2], self.facts["steps"]
        layers = self.facts["layers"]
        lines = []
        if layers:
            lines.append(f"layers: {len(layers)} of {self.facts['of_layers']} ({', '.join(map(str, layers))})")
        if self.tokens[0] != self.tokens[1]:
            lines.append(f"tokens: {self.tokens[1]:,} of {self.tokens[0]:,}")
        lines.append(f"parameters: {_millions(self.parameters[1])} of {_millions(self.parameters[0])}")
        lines.append(
            f"on disk: {self.bytes[1] / 2**20:,.0f} of {self.bytes[0] / 2**20:,.0f} MiB (weights and tokenizer)"
        )
        if self.speed is not None:
            lines.append(f"speed: {self.speed:.1f} times the texts a second of {name}, here")
        if self.cosine:
            stages = [f"{self.cosine['cut']:.3f} when cut"]
            stages += [f"{self.cosine['learned']:.3f} after {steps} steps"] if "learned" in self.cosine else []
            lines.append(f"mean cosine to the vectors of {name}, {self.texts:,} texts: {', '.join(stages)}")
        else:
            lines.append("no texts to compare vectors of: --texts, --parallel or --on would measure what is kept")
        for benchmark, figures in self.retrieval.items():
            for key, whole in figures["parent"].items():
                stages = [f"{name} {whole:.3f}", f"when cut {figures['cut'][key]:.3f}"]
                stages += [f"after {steps} steps {figures['learned'][key]:.3f}"] if "learned" in figures else []
                lines.append(f"{benchmark}, {key}: {', '.join(stages)}")
        for benchmark, share in self.same_tokens.items():
            lines.append(f"{benchmark}: {share:.0%} of its texts have the tokens that they had")
        return lines


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 10**5 else f"{count:,}"


def measure(
    parent: Any,
    cut: Any,
    learned: Any | None,
    *,
    folder: Path,
    whole: str,
    texts: Sequence[str],
    benchmarks: Sequence[RetrievalSet],
    facts: dict[str, Any],
    progress: bool = False,
) -> Kept:
    """Measure what is kept.

    Args:
        parent: the whole model.
        cut: as it was cut.
        learned: after it learned; None where it did not.
        folder: of the smaller model.
        whole: folder or hub name of the parent.
        texts: to compare vectors of, as queries and as passages.
        benchmarks: to find something on.
        facts: see `Kept`.
        progress: show bars.
    """
    from triglot.evaluate.retrievers import Dense, evaluate

    final = cut if learned is None else learned
    stages = {"parent": parent, "cut": cut} | ({} if learned is None else {"learned": learned})
    remembering = {stage: _Remembering(encoder) for stage, encoder in stages.items()}
    retrieval: dict[str, dict[str, dict[str, float]]] = {one.name: {} for one in benchmarks}
    cosine: dict[str, float] = {}
    unit: dict[str, np.ndarray] = {}
    for stage, encoder in remembering.items():
        for one in benchmarks:
            retrieval[one.name][stage] = _figures(evaluate(Dense(encoder, progress), one).summary)
        if texts:
            vectors = np.concatenate([encoder.encode(texts, side=side) for side in ("query", "passage")])
            unit[stage] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    for stage in unit.keys() - {"parent"}:
        cosine[stage] = float((unit[stage] * unit["parent"]).sum(axis=1).mean())
    return Kept(
        facts=facts,
        tokens=(_rows(parent), _rows(final)),
        parameters=(int(parent.parameters), int(final.parameters)),
        bytes=(size_of(model_folder(whole)), size_of(folder)),
        speed=_speed(parent, final, texts[:_TIMED]) if texts else None,
        texts=len(texts),
        cosine=cosine,
        retrieval=retrieval,
        same_tokens={one.name: _same_tokens(parent, final, one) for one in benchmarks if _rows(parent) != _rows(final)},
    )


def _figures(summary: Any) -> dict[str, float]:
    """The figures that are shown of a benchmark."""
    return {
        f"{setting} {name}": round(float(summary[setting][name]), 5)
        for setting, name in (_SHOWN if "mono" in summary else _SHOWN_OF_LINES)
        if name in summary.get(setting, {})
    }


def _same_tokens(parent: Any, final: Any, benchmark: RetrievalSet) -> float:
    """The share of the texts of a benchmark, of an even sample of each side, that both vocabularies split alike."""
    texts = [
        text
        for side in (benchmark.queries.texts, benchmark.passages.texts)
        for text in list(side)[:: max(len(side) // _SPLIT, 1)]
    ]
    whole, small = (
        [one.tokens for one in encoder.tokenizer.encode_batch(texts, add_special_tokens=False)]
        for encoder in (parent, final)
    )
    return sum(a == b for a, b in zip(whole, small, strict=True)) / max(len(texts), 1)


def _rows(encoder: Any) -> int:
    return len(encoder.input_embeddings.weight)


def _speed(parent: Encoder, small: Encoder, texts: Sequence[str]) -> float:
    """Texts a second of one as a multiple of the other's: in turns, the best of a few."""
    best = [float("inf")] * 2
    for _ in range(_TIMES):
        for place, encoder in enumerate((parent, small)):
            start = time.perf_counter()
            encoder.encode(texts, side="passage")
            best[place] = min(best[place], time.perf_counter() - start)
    return best[0] / best[1]


def size_of(folder: str | Path) -> int:
    """Bytes of a model's weights and tokenizer; copies for other programs (ONNX, OpenVINO) do not count."""
    files = [path for path in Path(folder).rglob("*") if path.is_file() and not {"onnx", "openvino"} & {*path.parts}]
    names = ("tokenizer", "vocab", "merges", "sentencepiece", "special_tokens", "spiece")
    return sum(path.stat().st_size for path in files if path.suffix == ".safetensors" or path.name.startswith(names))
