"""Small inputs of every kind that a command reads, made of a few sentences in three languages."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.translators import marian
from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.tokenizer import word_counts

LANGUAGES = ("de", "en", "es")
_PLACES = {
    "de": ["Fluss", "Berg", "Hafen", "Turm", "Markt", "Garten", "Bahnhof", "Strand"],
    "en": ["river", "mountain", "harbour", "tower", "market", "garden", "station", "beach"],
    "es": ["río", "monte", "puerto", "torre", "mercado", "jardín", "estación", "playa"],
}
_YEARS = range(1900, 1904)
_QUESTION = {
    "de": "Seit wann gibt es {} Nummer {}?",
    "en": "Since when is there {} number {}?",
    "es": "¿Desde cuándo existe {} número {}?",
}
_ANSWER = {
    "de": "Das Jahr von {} Nummer {} ist {}.",
    "en": "The year of {} number {} is {}.",
    "es": "El año de {} número {} es {}.",
}
FACTS = [(place, number, year) for place in range(len(_PLACES["en"])) for number, year in enumerate(_YEARS)]


def question(fact: int, lang: str) -> str:
    place, number, _ = FACTS[fact]
    return _QUESTION[lang].format(_PLACES[lang][place], number)


def passage(fact: int, lang: str) -> str:
    place, number, year = FACTS[fact]
    return _ANSWER[lang].format(_PLACES[lang][place], number, year)


def _lines(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _records(path: Path, records: Iterable[dict[str, Any]]) -> None:
    _lines(path, (json.dumps(record, ensure_ascii=False) for record in records))


def _table(path: Path, **columns: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def _squad(folder: Path) -> None:
    for lang in LANGUAGES:
        paragraphs = []
        for start in range(0, len(FACTS), 4):
            sentences = [passage(fact, lang) for fact in range(start, start + 4)]
            context = " ".join(sentences)
            answers = [
                {"text": str(FACTS[fact][2]), "answer_start": context.index(str(FACTS[fact][2]))}
                for fact in range(start, start + 4)
            ]
            asked = [
                {"id": f"q{fact}", "question": question(fact, lang), "answers": [answers[fact - start]]}
                for fact in range(start, start + 4)
            ]
            paragraphs.append({"context": context, "qas": asked})
        folder.mkdir(parents=True, exist_ok=True)
        content = {"version": "1", "data": [{"title": "facts", "paragraphs": paragraphs}]}
        (folder / f"{lang}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _rankings(folder: Path) -> None:
    """BEIR, TREC, MTEB's Parquet, a run of them, and embeddings."""
    facts = range(len(FACTS))
    documents = [{"_id": f"d{fact}", "title": f"Fact {fact}", "text": passage(fact, "en")} for fact in facts]
    _records(folder / "beir" / "corpus.jsonl", documents)
    _records(folder / "beir" / "queries.jsonl", ({"_id": f"q{fact}", "text": question(fact, "en")} for fact in facts))
    _lines(
        folder / "beir" / "qrels" / "test.tsv",
        ["query-id\tcorpus-id\tscore", *(f"q{fact}\td{fact}\t1" for fact in facts)],
    )
    _lines(folder / "trec" / "topics.x-v1.0-en-dev.tsv", (f"q{fact}\t{question(fact, 'en')}" for fact in facts))
    _lines(folder / "trec" / "qrels.x-v1.0-en-dev.tsv", (f"q{fact} Q0 d{fact} 1" for fact in facts))
    _records(
        folder / "trec" / "docs-0.jsonl.gz",
        ({"docid": one["_id"], "title": one["title"], "text": one["text"]} for one in documents),
    )
    _table(
        folder / "mteb" / "corpus" / "test-0.parquet",
        _id=[one["_id"] for one in documents],
        text=[one["text"] for one in documents],
    )
    _table(
        folder / "mteb" / "queries" / "test-0.parquet",
        _id=[f"q{fact}" for fact in facts],
        text=[question(fact, "en") for fact in facts],
    )
    judged = {
        "query-id": [f"q{fact}" for fact in facts],
        "corpus-id": [f"d{fact}" for fact in facts],
        "score": [1] * len(facts),
    }
    _table(folder / "mteb" / "qrels" / "test-0.parquet", **judged)
    _lines(
        folder / "some.run",
        (f"q{fact} Q0 d{(fact + step) % 5} {step + 1} {1 / (step + 1):.3f} x" for fact in facts for step in range(5)),
    )
    rng = np.random.default_rng(1)
    for side, letter in (("queries", "q"), ("passages", "d")):
        (folder / "vectors").mkdir(exist_ok=True)
        (folder / "arrow").mkdir(exist_ok=True)
        vectors = rng.normal(size=(len(FACTS), 8)).astype(np.float32)
        np.save(folder / "vectors" / f"{side}.npy", vectors)
        _lines(folder / "vectors" / f"{side}.ids.txt", (f"{letter}{fact}" for fact in facts))
        _table(
            folder / "arrow" / f"{side}.parquet", id=[f"{letter}{fact}" for fact in facts], embedding=vectors.tolist()
        )


def _pairs(folder: Path) -> None:
    facts = range(len(FACTS))
    made = []
    for fact in facts:
        for turn, lang in enumerate(LANGUAGES):
            record = {
                "query_id": f"q{fact}",
                "query": question(fact, lang),
                "query_lang": lang,
                "query_group": f"g{fact}",
            }
            other = LANGUAGES[(turn + fact) % 3]
            answer = {"docid": f"d{fact}", "text": passage(fact, other), "lang": other, "group": f"d{fact}"}
            made.append(record | {"positive_passages": [answer]})
    _records(folder / "pairs.jsonl", made)
    _records(folder / "few.jsonl", made[:12])
    for source, target, suffix in (("de", "en", ""), ("en", "es", ".gz")):
        lines = (f"{text(fact, source)}\t{text(fact, target)}" for text in (question, passage) for fact in facts)
        _lines(folder / "bitext" / f"{source}-{target}.tsv{suffix}", lines)
    for lang in ("de", "es"):
        _lines(
            folder / "muse" / f"en-{lang}.txt", (f"{a}\t{b}" for a, b in zip(_PLACES["en"], _PLACES[lang], strict=True))
        )
    labels = ("entailment", "neutral", "contradiction")
    for lang in LANGUAGES:
        items = (f"{passage(fact, lang)}\t{question(fact, lang)}\t{labels[fact % 3]}" for fact in facts)
        _lines(folder / "nli" / f"dev-{lang}.tsv", ["premise\thypo\tlabel", *items])
        _records(
            folder / "stance" / f"questions.{lang}.jsonl", ({"id": n, "text": question(n, lang)} for n in range(6))
        )
    said = (
        {
            "id": n,
            "language": LANGUAGES[n % 3],
            "question_id": n % 6,
            "comment": passage(n, LANGUAGES[n % 3]),
            "author": f"a{n % 5}",
        }
        | {"label": ("FAVOR", "AGAINST")[n % 2]}
        for n in facts
    )
    _records(folder / "stance" / "valid.jsonl", said)


def _texts(folder: Path) -> None:
    facts = range(len(FACTS))
    _records(
        folder / "passages.jsonl", ({"id": f"d{fact}", "text": passage(fact, "en"), "lang": "en"} for fact in facts)
    )
    _lines(folder / "passages.tsv", (f"d{fact}\t{passage(fact, 'de')}" for fact in facts))
    _lines(folder / "passages.txt", (passage(fact, "es") for fact in facts))
    _lines(
        folder / "articles.csv",
        ["id,lang,title,body", *(f'{fact},en,Fact {fact},"{passage(fact, "en")}\nMore, of it."' for fact in facts)],
    )
    _lines(
        folder / "mixed.csv",
        ["lang,text", *(f'{lang},"{passage(fact, lang)}"' for fact in facts for lang in LANGUAGES)],
    )
    for lang in LANGUAGES:
        (folder / "lines").mkdir(exist_ok=True)
        _lines(folder / "lines" / f"{lang}.txt", (passage(fact, lang) for fact in facts))
    np.save(folder / "v.npy", np.random.default_rng(1).normal(size=(120, 8)).astype(np.float32))
    _lines(folder / "v.txt", (("de", "en")[row % 2] for row in range(120)))


RECIPE = """data: .
languages: [de, en, es]
encoder: {kind: static, dim: 8, vocab: 300}
sources:
  - {format: pairs, path: pairs.jsonl}
  - {format: squad, path: squad, weight: 0.5}
batches: {kind: hybrid, size: 8, alpha: 0.5}
loss: {temperature: 0.1}
train: {steps: 4, lr: 0.05, log_every: 2, checkpoint_every: 2}
evaluate: [{name: facts, path: squad, format: squad}]
"""


def make(folder: Path) -> Path:
    """Write all inputs into a folder, and return it: data of every format, a recipe, a static model `model`, a
    transformer `small`, a translation model `translator`."""
    folder.mkdir(parents=True, exist_ok=True)
    for write in (lambda place: _squad(place / "squad"), _rankings, _pairs, _texts):
        write(folder)
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    texts = {
        lang: [text for fact in range(len(FACTS)) for text in (question(fact, lang), passage(fact, lang))]
        for lang in LANGUAGES
    }
    static = EncoderSettings(kind="static", dim=8, vocab=300)
    init_encoder(static, word_counts(texts), seed=1).save(folder / "model")
    small = EncoderSettings(kind="transformer", dim=8, vocab=300, layers=1, heads=2)
    init_encoder(small, word_counts(texts), seed=1).save(folder / "small")
    marian(folder / "translator", "en", "fr", max_position_embeddings=16)
    return folder
