"""Mixed pools as `hub:yjoonjang/mlir-benchmarks` keeps them (MIMO, arXiv 2605.31171; SHIFT, arXiv 2606.18801).

A folder a benchmark: `queries.jsonl` with `{"_id", "text", "lang"?}`, `corpus.jsonl` with `{ID: {"text", "lang"}}` and
`qrels.jsonl` with `{QUERY: {ID: GRADE}}`. Queries in several languages (`MMLIR/NAME`) are called `xx_ID`: those with
the same rest ask the same. Where records name no language, the folder above says it, `MLIR-xx/NAME`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from triglot.corpus import dicts
from triglot.corpus.formats.qrels import MALFORMED, grade_of, identifier_of
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest, read_jsonl
from triglot.language_tags import language, tag

_KINDS = ("queries", "corpus", "qrels")
_DUTCH = {"dt": "nl"}  # what these data sets call it
_PARALLEL = 0.9  # share of the queries with one answer a language from which answers are taken for translations


def _place(folder: Path, kind: str) -> Path | None:
    return next((file for end in ("", ".gz") if (file := folder / f"{kind}.jsonl{end}").is_file()), None)


def is_layout(folder: Path) -> bool:
    """Whether a folder has the three files; judgements in a folder of their own are BEIR's."""
    return folder.is_dir() and all(_place(folder, kind) for kind in _KINDS) and not (folder / "qrels").is_dir()


def _objects(folder: Path, kind: str, tally: Tally) -> Iterator[tuple[str, dict[str, Any]]]:
    file = _place(folder, kind)
    if file is None:
        known = [one.name for one in folder.iterdir()] if folder.is_dir() else []
        raise InputError(f"{folder}: no {kind}.jsonl{nearest(f'{kind}.jsonl', known)}")
    for number, record in read_jsonl(file):
        if isinstance(record, dict):
            yield f"{file}:{number}", record
        else:
            tally.leave_out("record that is no object", f"{file}:{number}")


def _spoken(value: object, where: str) -> str:
    code = value.lower() if isinstance(value, str) else value
    return language(_DUTCH.get(code, value) if isinstance(code, str) else value, where)


def _add(
    texts: dict[str, str],
    spoken: dict[str, str],
    identifier: str | None,
    text: object,
    lang: object,
    where: str,
    tally: Tally,
    languages: Sequence[str] | None,
) -> bool:
    """Whether a text was added; counts why not."""
    if identifier is None or not isinstance(text, str) or not text.strip():
        tally.leave_out("record without an id or a text", where)
    elif identifier in texts:
        tally.leave_out("record whose id occurred before", where)
    elif languages is not None and _spoken(lang, where) not in languages:
        tally.count("texts in other languages (not asked for)")
    else:
        texts[identifier], spoken[identifier] = text, _spoken(lang, where)
        return True
    return False


def _meaning(identifier: str, code: str) -> str:
    """What a query's translations share: its id without its language."""
    before, _, rest = identifier.partition("_")
    return rest if rest and tag(_DUTCH.get(before, before)) == code else identifier


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    language: str = "",
    languages: Sequence[str] | None = None,
    strict: bool = False,
    licence: str = "",
) -> RetrievalSet:
    """All queries against the whole pool.

    Answers count as translations of one another where nine queries in ten have at most one in a language.

    Args:
        path: the folder of a benchmark.
        name: of the benchmark.
        language: of queries that tell none; by default that of the folder above, `MLIR-xx`, else English.
        languages: queries and passages in these alone; None for all.
        strict: a record that cannot be used is an error.
        licence: of the data.

    Raises:
        InputError: a file is missing or cannot be read, or no query has an answer.
    """
    folder, tally = Path(path), Tally(strict=strict)
    above = re.fullmatch(r"MLIR-(.+)", folder.resolve().parent.name)
    default = language or (_DUTCH.get(above[1], above[1]) if above else "en")
    queries: dict[str, str] = {}
    corpus: dict[str, str] = {}
    asked_in: dict[str, str] = {}
    spoken: dict[str, str] = {}
    for where, record in _objects(folder, "queries", tally):
        rows: Mapping[Any, Any] = record if "_id" not in record else {record["_id"]: record}
        for key, value in rows.items():
            text, lang = (value.get("text"), value.get("lang")) if isinstance(value, dict) else (value, None)
            if _add(queries, asked_in, identifier_of(key), text, lang or default, where, tally, languages):
                tally.count("queries")
    for where, record in _objects(folder, "corpus", tally):
        for key, value in record.items():
            text, lang = (value.get("text"), value.get("lang")) if isinstance(value, dict) else (None, None)
            if lang is None:
                raise InputError(f"{where}: {key!r:.60} has no lang; a mixed pool needs the language of each passage")
            if _add(corpus, spoken, identifier_of(key), text, lang, where, tally, languages):
                tally.count("passages")
    if twice := next((one for one in queries if one in corpus), None):
        raise InputError(f"{folder}: {twice!r} is the id of a query and of a passage")
    qrels = _judgements(folder, queries, corpus, tally, partial=languages is not None)
    if not any(grade > 0 for answers in qrels.values() for grade in answers.values()):
        raise InputError(f"{folder}: no query has a relevant passage; {'; '.join(tally.lines())}")
    groups = {query: _meaning(query, asked_in[query]) for query in queries}
    more = {"name": name, "parallel": _translations(qrels, spoken), "licence": licence, "candidate_text": "paragraph"}
    benchmark = dicts.retrieval_set(queries, corpus, qrels, languages=asked_in | spoken, groups=groups, **more)
    return replace(benchmark, notes=(*benchmark.notes, *tally.notes()))


def _judgements(
    folder: Path, queries: Mapping[str, str], corpus: Mapping[str, str], tally: Tally, *, partial: bool
) -> dict[str, dict[str, int]]:
    """Query -> passage -> grade, of what is there; `partial`: texts in other languages were left out on purpose."""
    grades: dict[str, dict[str, int]] = {}
    for where, record in _objects(folder, "qrels", tally):
        for query, answers in record.items():
            for passage, value in answers.items() if isinstance(answers, dict) else [(None, None)]:
                if passage is None or (grade := grade_of(value, where)) is None:
                    tally.leave_out(MALFORMED, where)
                elif query in queries and passage in corpus:
                    grades.setdefault(query, {})[passage] = grade
                    tally.count("judgements")
                elif not partial:
                    what = "query" if query not in queries else "document"
                    tally.leave_out(f"judgement that names an unknown {what}", where)
    return grades


def _translations(qrels: Mapping[str, Mapping[str, int]], spoken: Mapping[str, str]) -> bool:
    """Whether answers are translations of one another, as far as their languages tell."""
    several = [[spoken[one] for one, grade in answers.items() if grade > 0] for answers in qrels.values()]
    several = [langs for langs in several if len(langs) > 1]
    single = sum(max(Counter(langs).values()) == 1 for langs in several)
    return bool(several) and single >= _PARALLEL * len(several)
