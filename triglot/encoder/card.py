"""The model card (README.md) of a saved encoder: what is known of it and no more. Names from outside are escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from triglot.escapes import markdown, markdown_code
from triglot.files import write_text
from triglot.measures import known

_CITATION = "## Citation"
_RESULTS = "## Results"
Scores = Mapping[str, Mapping[str, Mapping[str, float | None]]]
SETTINGS = {
    "mono": "monolingual",
    "cross": "cross-lingual",
    "multi": "multilingual",
    "ranked": "top-k",
    "classification": "classification",
}


@dataclass(frozen=True)
class Card:
    """What the caller knows about a model.

    Attributes:
        title: heading; empty: "Multilingual retriever".
        languages: codes.
        licence: of the weights, as the hub spells it (`apache-2.0`); empty when not decided.
        base: the model it started from, where that is on the hub; empty for a fresh one.
        sources: training source -> licence of its data, as this source itself states it.
        training: one line each about how it was trained.
        scores: benchmark -> setting -> measure -> value; of no model but this.
        results: Markdown after them (a table of measures).
    """

    title: str = ""
    languages: Sequence[str] = ()
    licence: str = ""
    base: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    training: Sequence[str] = ()
    scores: Scores = field(default_factory=dict)
    results: str = ""


def _metrics(scores: Scores) -> Iterator[tuple[str, str, str, float]]:
    """(benchmark, setting, measure, value) of what a card shows."""
    for name, settings in scores.items():
        for setting in SETTINGS:
            for measure in (row.name for row in known() if row.headline):
                value = settings.get(setting, {}).get(measure)
                if isinstance(value, (int, float)):
                    yield name, setting, measure, float(value)


def _model_index(title: str, scores: Scores) -> list[dict[str, object]]:
    """The results as model hubs read them."""
    metrics_of: dict[str, list[dict[str, object]]] = {}
    for name, setting, measure, value in _metrics(scores):
        metric = {
            "type": f"{setting}_{measure}".replace("@", "_at_"),
            "value": value,
            "name": f"{SETTINGS[setting]} {measure}",
        }
        metrics_of.setdefault(name, []).append(metric)
    kinds = {
        name: "text-classification" if "classification" in scores[name] else "text-retrieval" for name in metrics_of
    }
    results = [
        {
            "task": {"type": kinds[name], "name": kinds[name].replace("-", " ")},
            "dataset": {"name": name, "type": name},
            "metrics": metrics,
        }
        for name, metrics in metrics_of.items()
    ]
    return [{"name": title or "Multilingual retriever", "results": results}] if results else []


def _result_lines(scores: Scores) -> list[str]:
    rows = [
        f"| {markdown(name)} | {SETTINGS[setting]} | {measure} | {value:.4f} |"
        for name, setting, measure, value in _metrics(scores)
    ]
    return ["| benchmark | setting | measure | value |", "|---|---|---|---:|", *rows, ""] if rows else []


def _entry(key: str, value: object) -> str:
    # JSON is YAML, and quoting keeps the code `no` (Norwegian) from being read as false.
    return f"{key}: {json.dumps(value, ensure_ascii=False)}"


def card_text(
    card: Card, *, kind: str, dim: int, similarity: str = "cosine", query_prefix: str = "", passage_prefix: str = ""
) -> str:
    """README.md with the YAML head that model hubs read. The same arguments give the same text."""
    head: dict[str, object] = {"library_name": "sentence-transformers", "pipeline_tag": "sentence-similarity"}
    if card.languages:
        head["language"] = list(card.languages)
    if card.licence:
        head["license"] = card.licence
    if card.base:
        head["base_model"] = card.base
    head["tags"] = [
        "sentence-transformers",
        "sentence-similarity",
        "feature-extraction",
        "multilingual",
        "retrieval",
        "triglot",
    ]
    if index := _model_index(card.title, card.scores):
        head["model-index"] = index
    lines = ["---", *(_entry(key, value) for key, value in head.items()), "---", ""]
    lines += [f"# {markdown(card.title) or 'Multilingual retriever'}", ""]
    vectors, product = ("unit vectors", "the cosine") if similarity == "cosine" else ("vectors", "the score")
    lines += [
        f"Maps queries and passages to {vectors} of {dim} dimensions ({kind}); their dot product is {product}.",
        "",
    ]
    if query_prefix or passage_prefix:
        shown = [markdown_code(repr(prefix)) for prefix in (query_prefix, passage_prefix)]
        lines += [f"Prompts: {shown[0]} before a query, {shown[1]} before a passage.", ""]
    lines += [
        "```python",
        "from sentence_transformers import SentenceTransformer",
        "",
        'model = SentenceTransformer("path/to/this/folder")',
        'queries = model.encode_query(["Which city is the capital of Vietnam?"])',
        'passages = model.encode_document(["Hà Nội là thủ đô của Việt Nam."])',
        "scores = queries @ passages.T",
        "```",
        "",
    ]
    lines += [f"Licence of the weights: {markdown(card.licence) or 'not stated'}.", ""]
    if card.sources:
        lines += ["## Training data", "", "| source | licence |", "|---|---|"]
        lines += [
            f"| {markdown(name)} | {markdown(licence) or 'not stated'} |" for name, licence in card.sources.items()
        ] + [""]
    if card.training or card.base:
        based = [f"started from {markdown_code(card.base)}"] if card.base else []
        lines += ["## Training", "", *(f"- {line}" for line in (*based, *map(markdown, card.training))), ""]
    if card.results or any(True for _ in _metrics(card.scores)):
        lines += [_RESULTS, "", *_result_lines(card.scores), *([card.results.rstrip(), ""] if card.results else [])]
    return "\n".join([*lines, *_citation()])


def _citation() -> list[str]:
    try:
        version = metadata.version("triglot")
    except metadata.PackageNotFoundError:
        version = ""
    return [
        _CITATION,
        "",
        "Cite the data, as their licences ask, the base model where there is one, and the library:",
        "",
        "```bibtex",
        "@software{triglot,",
        "  title = {Triglot},",
        "  author = {{The Triglot developers}},",
        *([f"  version = {{{version}}},"] if version else []),
        "}",
        "```",
        "",
    ]


def add_scores(folder: Path, title: str, scores: Scores) -> None:
    """Put the results of a saved model into its card: a table, and the head's `model-index`.

    What was there is replaced.
    """
    path = folder / "README.md"
    if not path.is_file() or not (rows := _result_lines(scores)):
        return
    head, _, body = path.read_text(encoding="utf-8").removeprefix("---\n").partition("\n---\n")
    kept = [line for line in head.split("\n") if not line.startswith("model-index:")]
    before, _, citation = body.partition(_CITATION)
    before = before.partition(_RESULTS)[0]
    section = "\n".join([_RESULTS, "", *rows, ""])
    index = _entry("model-index", _model_index(title, scores))
    write_text(path, "\n".join(["---", *kept, index, "---", f"{before}{section}{_CITATION}{citation}"]))
