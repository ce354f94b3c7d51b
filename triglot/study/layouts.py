"""Benchmarks laid out as others: as MIRACL's topics and collections, and with queries in further languages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triglot.augment.lexicon import Lexicon, switch
from triglot.benchmark import open_benchmark
from triglot.corpus.formats import trec
from triglot.corpus.formats.wordlist import read_lists
from triglot.corpus.retrieval import RetrievalSet
from triglot.files import InputError, write_text


def _read(source: Path | None, format: str, options: dict[str, Any]) -> RetrievalSet:
    opened = open_benchmark(str(source) if source else "atlas", name="source", format=format, options=options)
    if not isinstance(opened.retrieval, RetrievalSet):
        raise InputError(f"{source}: has no questions and passages that fit in memory")
    return opened.retrieval


def _lines(records: list[dict[str, str]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def as_miracl(
    folder: Path, source: Path | None, *, format: str = "", split: str = "dev", limit: int = 0, **options: Any
) -> dict[str, Any]:
    """Questions of each language with their answers in that language, and that language's passages, as MIRACL lays them
    out.

    Args:
        folder: to write into.
        source: a benchmark in any format; None for the built-in corpus.
        format: of its files; empty to tell it.
        split: the name in the files.
        limit: so many questions of each language, the first; 0 for all.
        options: of the format's reader.
    """
    found = _read(source, format, options)
    counts: dict[str, int] = {}
    by_query: dict[int, list[int]] = {}
    for query, passage, grade in found.judgements.tolist():
        if grade > 0 and found.queries.lang[query] == found.passages.lang[passage]:
            by_query.setdefault(query, []).append(passage)
    for number, code in enumerate(found.languages):
        asked = [query for query in np.flatnonzero(found.queries.lang == number).tolist() if query in by_query]
        asked = asked[:limit] if limit else asked
        if not asked:
            continue
        passages = np.flatnonzero(found.passages.lang == number).tolist()
        names = {passage: f"{code}-{place}#0" for place, passage in enumerate(passages)}
        topics = {f"{place}": " ".join(found.queries.texts[query].split()) for place, query in enumerate(asked)}
        trec.write_topics(folder / f"topics.miracl-v1.0-{code}-{split}.tsv", topics)
        rows = [(f"{place}", names[p]) for place, query in enumerate(asked) for p in by_query[query]]
        queries, documents = (list(column) for column in zip(*rows, strict=True))
        ones = np.ones(len(rows), np.int64)
        qrels = trec.Qrels(queries, documents, ones, "", np.arange(len(rows)))
        trec.write_qrels(folder / f"qrels.miracl-v1.0-{code}-{split}.tsv", qrels)
        records = [{"docid": names[p], "title": "", "text": found.passages.texts[p]} for p in passages]
        (folder / f"miracl-corpus-v1.0-{code}").mkdir()
        write_text(folder / f"miracl-corpus-v1.0-{code}" / "docs-0.jsonl", _lines(records))
        counts[code] = len(asked)
    if not counts:
        raise InputError(f"{source}: no question has an answer in its own language")
    named = "the built-in corpus" if source is None else source.name
    return {"questions": counts, "told": f"{named}, laid out as MIRACL ({', '.join(counts)})"}


def translated(
    folder: Path,
    source: Path | None,
    *,
    languages: Sequence[str],
    lists: str = "",
    model: str = "",
    language: str = "en",
    format: str = "",
    rate: float = 1.0,
    limit: int = 0,
    **options: Any,
) -> dict[str, Any]:
    """A benchmark with its queries in further languages: word by word through word lists, or by a translation model.

    Args:
        folder: to write into.
        source: a benchmark in one language; None for the built-in corpus.
        languages: to translate the queries into.
        lists: folder of word lists; half 1 of them is used, so that training has the other.
        model: folder of a translation model (Marian, M2M, NLLB); where it is given, lists are not used.
        language: of the benchmark.
        format: of its files; empty to tell it.
        rate: share of the words that are translated through word lists.
        limit: so many queries, the first; 0 for all.
        options: of the format's reader.
    """
    if bool(lists) == bool(model):
        raise InputError("options: one of `lists` and `model` is needed, the word lists or the translation model")
    found = _read(source, format, {"languages": [language], **options} if source is None else options)
    queries = found.queries.texts[:limit] if limit else found.queries.texts
    ids = [f"q{number}" for number in range(len(queries))]
    texts = {language: list(queries)}
    for code in languages:
        texts[code] = _by_model(model, queries, code) if model else _by_lists(lists, queries, language, code, rate)
    for code, column in texts.items():
        rows = [{"_id": name, "text": text} for name, text in zip(ids, column, strict=True)]
        write_text(folder / f"queries.{code}.jsonl", _lines(rows))
    passages = [{"_id": f"d{number}", "title": "", "text": text} for number, text in enumerate(found.passages.texts)]
    write_text(folder / f"corpus.{language}.jsonl", _lines(passages))
    (folder / "qrels").mkdir()
    judged = [(q, p, g) for q, p, g in found.judgements.tolist() if q < len(queries)]
    rows = ["query-id\tcorpus-id\tscore", *(f"q{q}\td{p}\t{g}" for q, p, g in judged)]
    write_text(folder / "qrels" / "test.tsv", "\n".join(rows) + "\n")
    changed = {
        code: round(float(np.mean([a != b for a, b in zip(queries, column, strict=True)])), 4)
        for code, column in texts.items()
        if code != language
    }
    how = f"by {Path(model).name}" if model else "word by word through word lists, no translation model was given"
    return {"changed": changed, "queries": len(queries), "told": f"queries in {', '.join(languages)}: {how}"}


def _by_lists(lists: str, texts: Sequence[str], language: str, code: str, rate: float) -> list[str]:
    read, _ = read_lists(lists, languages=sorted({language, code}), both=True, half=1)
    lexicon = Lexicon(read)
    options: dict[str, Any] = {"seed": 1, "purpose": "translated queries", "numbers": np.arange(len(texts))}
    return switch(list(texts), [language] * len(texts), lexicon, into=(code,), mode="bilingual", rate=rate, **options)


def _by_model(model: str, texts: Sequence[str], code: str) -> list[str]:
    from triglot.augment.translate import Translator

    translator = Translator(model)
    translator.check(code)
    return list(translator.translate(list(texts), "en", code))
