"""The model card (README.md) of a saved encoder: what it is, what it was trained on, under which licences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Card:
    """What the caller knows about a model.

    Attributes:
        title: heading; empty: "Multilingual retriever".
        languages: codes.
        licence: of the weights, as the hub spells it (`apache-2.0`); empty when not decided.
        base: the model it started from; empty for a fresh one.
        sources: training source -> licence of its data.
        training: one line each about how it was trained.
        results: Markdown that ends the card (a table of measures).
    """

    title: str = ""
    languages: Sequence[str] = ()
    licence: str = ""
    base: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    training: Sequence[str] = ()
    results: str = ""


def card_text(card: Card, *, kind: str, dim: int, query_prefix: str = "", passage_prefix: str = "") -> str:
    """README.md with the YAML head that model hubs read. The same arguments give the same text."""
    head: dict[str, object] = {"library_name": "sentence-transformers", "pipeline_tag": "sentence-similarity"}
    if card.languages:
        head["language"] = list(card.languages)
    if card.licence:
        head["license"] = card.licence
    if card.base:
        head["base_model"] = card.base
    head["tags"] = ["sentence-transformers", "sentence-similarity", "feature-extraction", "multilingual", "retrieval", "triglot"]
    # JSON is YAML, and quoting keeps the code `no` (Norwegian) from being read as false.
    lines = ["---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()), "---", ""]
    lines += [f"# {card.title or 'Multilingual retriever'}", ""]
    lines += [f"Maps queries and passages to unit vectors of {dim} dimensions ({kind}); their dot product is the cosine.", ""]
    if query_prefix or passage_prefix:
        lines += [f"Prompts: {query_prefix!r} before a query, {passage_prefix!r} before a passage.", ""]
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
    if card.sources:
        lines += ["## Training data", "", "| source | licence |", "|---|---|"]
        lines += [f"| {name} | {licence or 'not stated'} |" for name, licence in card.sources.items()] + [""]
    if card.training:
        lines += ["## Training", "", *(f"- {line}" for line in card.training), ""]
    if card.results:
        lines += ["## Results", "", card.results.rstrip(), ""]
    return "\n".join(lines)
