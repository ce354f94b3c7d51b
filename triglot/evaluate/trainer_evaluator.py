"""The evaluator of `triglot.evaluate.for_sentence_transformers`; importing this imports sentence-transformers."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator

from triglot.corpus.retrieval import RetrievalSet
from triglot.encoder.once import encode_set
from triglot.evaluate.evaluator import evaluate_embeddings, evaluate_scores
from triglot.evaluate.tables import SETTINGS, Evaluation
from triglot.files import InputError, nearest
from triglot.measures import Measure, reported
from triglot.ranges import Dim, Several, check_ranges

log = logging.getLogger("triglot")


@dataclass(frozen=True)
class Encoding:
    """How texts are encoded.

    `prompts`: side (query, passage) -> `prompt` and `prompt_name`, None for the model's own.
    """

    batch_size: Several = 32
    show_progress_bar: bool = False
    truncate_dim: Dim | None = None
    prompts: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class _Model:
    """A SentenceTransformer with the `encode` that Triglot's evaluation asks for."""

    model: Any
    encoding: Encoding

    @property
    def name(self) -> str:
        return type(self.model).__name__

    @property
    def dim(self) -> int:
        return int(self.model.get_embedding_dimension())

    def encode(
        self, texts: Sequence[str], *, side: str, langs: Sequence[str] | None = None, progress: bool = False
    ) -> np.ndarray:
        encode = self.model.encode_query if side == "query" else self.model.encode_document
        vectors = encode(
            list(texts),
            **self.encoding.prompts.get(side, {}),
            batch_size=self.encoding.batch_size,
            show_progress_bar=progress,
            truncate_dim=self.encoding.truncate_dim,
            convert_to_tensor=True,
        )
        return vectors.float().cpu().numpy()  # NumPy has no bfloat16


class MultilingualRetrievalEvaluator(SentenceEvaluator):
    """Monolingual, cross-lingual and multilingual retrieval with language bias, as a trainer of sentence-transformers
    calls it.

    Make one with `triglot.evaluate.for_sentence_transformers`.

    Attributes:
        primary_metric: name of the metric that chooses the best checkpoint.
        csv_file: name of the file that gets a line at each call.
        last: the whole evaluation of the last call, for `write_results`.
    """

    def __init__(
        self,
        benchmark: RetrievalSet,
        encoding: Encoding,
        *,
        settings: Sequence[str] = SETTINGS,
        extra: Sequence[str | Measure] = (),
        primary: str = "",
        by_language: bool = False,
        name: str = "",
        write_csv: bool = True,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        for setting in settings:
            if setting not in SETTINGS:
                raise InputError(f"no setting {setting!r}{nearest(setting, SETTINGS)}")
        wanted = [one for one in reported("settings", extra) if one.of == "ranks" and not one.lower_is_better]
        known = [f"{setting}_{one.name}" for setting in settings for one in wanted]
        if primary and primary not in known:
            raise InputError(f"no metric {primary!r} to choose a checkpoint by{nearest(primary, known)}")
        self.benchmark, self.encoding, self.settings, self.extra = benchmark, encoding, tuple(settings), tuple(extra)
        self.primary, self.by_language, self.name, self.write_csv = primary, by_language, name, write_csv
        self.options = dict(options or {})
        self.csv_file = f"Multilingual-Retrieval_evaluation{f'_{name}' if name else ''}_results.csv"
        self.last: Evaluation | None = None

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: int = -1, steps: int = -1, **_: Any
    ) -> dict[str, float]:
        """Metrics of a model; with an `output_path`, a line in the CSV file there too."""
        self.last = self._evaluate(model)
        metrics = self._metrics(self.last)
        self.primary_metric = self.primary or next(f"{s}_map" for s in reversed(SETTINGS) if f"{s}_map" in metrics)
        if output_path is not None and self.write_csv:
            _add_line(Path(output_path) / self.csv_file, {"epoch": epoch, "steps": steps, **metrics})
        shown = ", ".join(f"{key} {value:.4f}" for key, value in metrics.items() if key.endswith("_map"))
        log.info("%s after epoch %s, step %s: %s", self.benchmark.name, epoch, steps, shown)
        metrics = self.prefix_name_to_metrics(metrics, self.name)
        self.store_metrics_in_model_card_data(model, metrics, epoch, steps)
        return metrics

    def _evaluate(self, model: Any) -> Evaluation:
        """Cosine and dot product take the fast path; other similarities are asked block by block."""
        queries, passages = encode_set(
            _Model(model, self.encoding), self.benchmark, progress=self.encoding.show_progress_bar
        )
        options = {"settings": self.settings, "extra": self.extra, **self.options}
        similarity = getattr(model.similarity_fn_name, "value", model.similarity_fn_name)
        if similarity != "cosine":
            options["notes"] = [
                *options.get("notes", ()),
                f"scores are by {similarity}, as the model's similarity_fn_name says",
            ]
        if similarity in ("cosine", "dot"):
            if similarity == "cosine":
                queries, passages = _unit(queries), _unit(passages)
            return evaluate_embeddings(queries, passages, self.benchmark, **options)

        def score(rows: np.ndarray) -> np.ndarray:
            return model.similarity(queries[rows], passages).numpy()

        return evaluate_scores(score, self.benchmark, **options)

    def _metrics(self, evaluation: Evaluation) -> dict[str, float]:
        summary, metrics = evaluation.summary, {}
        for setting in self.settings:
            metrics |= {f"{setting}_{name}": float(value) for name, value in summary.get(setting, {}).items()}
        metrics |= {f"bias_{name}": float(value) for name, value in summary.get("bias", {}).items()}
        if self.by_language:
            for setting in self.settings:
                for code, cell in evaluation.by_language.get(setting, {}).items():
                    cells = {f"_{other}": one for other, one in cell.items()} if setting == "cross" else {"": cell}
                    metrics |= {f"{setting}_map_{code}{other}": float(one["map"]) for other, one in cells.items()}
        return metrics

    def get_config_dict(self) -> dict[str, Any]:
        """What the model card tells of the evaluation."""
        config: dict[str, Any] = {
            "languages": list(self.benchmark.languages),
            "truncate_dim": self.encoding.truncate_dim,
        }
        for side, name in (("query", "query"), ("passage", "corpus")):
            config |= {f"{name}_{key}": value for key, value in self.encoding.prompts.get(side, {}).items()}
        return {key: value for key, value in config.items() if value is not None}


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Divided by their lengths; zero vectors stay zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def _add_line(path: Path, values: Mapping[str, float]) -> None:
    """One more line in a CSV file; the first brings the head. Raises InputError where the file has other columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.is_file()
    if not fresh:
        with path.open(encoding="utf-8", newline="") as handle:
            head = next(csv.reader(handle), [])
        if head != list(values):
            raise InputError(
                f"{path}: has other columns ({len(head)}) than these metrics ({len(values)}); move it away"
            )
    with path.open("a", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        if fresh:
            writer.writerow(values)
        writer.writerow(values.values())
