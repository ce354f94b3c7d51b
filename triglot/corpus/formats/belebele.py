"""Belebele: a file a language, `eng_Latn.jsonl`, of questions about passages of FLORES-200 (Bandarkar et al. 2024).

A record has `link`, `question_number`, `flores_passage` and `question`; the answers to choose from are not read. All
files are parallel: `link` and `question_number` name one question in every language, whose answer is the passage that
stands beside it there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from triglot.corpus import dicts
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tally import Tally
from triglot.files import InputError, read_jsonl
from triglot.language_tags import language, without_usual_script

NAME = re.compile(r"([a-z]{3}_[A-Z][a-z]{3})\.jsonl(\.gz)?")
_KEYS = ("link", "question_number", "flores_passage", "question")


def _files(path: Path) -> list[tuple[str, Path]]:
    """(language, file), by name; the script stands in the tag only where the language is usually written in another."""
    folder = sorted(path.iterdir()) if path.is_dir() else []
    files = [path] if path.is_file() else folder
    named = [(match[1], file) for file in files if (match := NAME.fullmatch(file.name))]
    return [(without_usual_script(language(code)), file) for code, file in named]


def is_layout(path: Path) -> bool:
    """Whether a file, or the first of a folder, is named and filled as Belebele's are."""
    files = _files(path)
    if not files:
        return False
    try:
        record = next(iter(read_jsonl(files[0][1])))[1]
    except (InputError, StopIteration):
        return False
    return isinstance(record, dict) and all(key in record for key in _KEYS)


def _records(file: Path, tally: Tally) -> Iterator[tuple[str, str, str]]:
    """(question key, question, passage) of a file, each question once."""
    seen: set[str] = set()
    for number, record in read_jsonl(file):
        where = f"{file}:{number}"
        link, count, passage, question = (
            record.get(key) if isinstance(record, dict) else None for key in ("link", "question_number", *_KEYS[2:])
        )
        if not isinstance(link, str) or type(count) not in (int, str):
            tally.leave_out("record without link and question_number", where)
        elif not (isinstance(passage, str) and isinstance(question, str) and passage.strip() and question.strip()):
            tally.leave_out("record without a passage or a question", where)
        elif (key := f"{link}#{count}") in seen:
            tally.leave_out("question that occurred before in its language", where)
        else:
            seen.add(key)
            yield key, question, passage


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    languages: Sequence[str] | None = None,
    strict: bool = False,
    licence: str = "CC BY-SA 4.0",
) -> RetrievalSet:
    """All questions against all passages of these languages; each passage once a language.

    Args:
        path: the folder, or one file.
        name: of the benchmark.
        languages: only these; None for all.
        strict: a record that cannot be used is an error.
        licence: of the data.

    Raises:
        InputError: no such file, one that cannot be read, or no question in these languages.
    """
    folder, tally = Path(path), Tally(strict=strict)
    files = _files(folder)
    if not files:
        raise InputError(f"{folder}: no file such as eng_Latn.jsonl")
    queries: dict[str, str] = {}
    corpus: dict[str, str] = {}
    spoken: dict[str, str] = {}
    groups: dict[str, str] = {}
    answers: dict[str, list[str]] = {}
    numbers: dict[str, int] = {}
    for code, file in files:
        if languages is not None and code not in languages:
            continue
        place: dict[str, str] = {}
        for key, question, passage in _records(file, tally):
            number = numbers.setdefault(key, len(numbers) + 1)
            query, document = f"{code}-q{number}", place.setdefault(passage, f"{code}-p{len(place) + 1}")
            queries[query], corpus[document] = question, passage
            spoken[query] = spoken[document] = code
            groups[query] = key
            answers.setdefault(key, []).append(document)
            tally.count("questions")
    if not queries:
        raise InputError(f"{folder}: no question in {', '.join(languages or ())}; {'; '.join(tally.lines())}")
    qrels = {query: answers[key] for query, key in groups.items()}
    more = {"name": name, "parallel": True, "licence": licence, "candidate_text": "paragraph"}
    benchmark = dicts.retrieval_set(queries, corpus, qrels, languages=spoken, groups=groups, **more)
    return replace(benchmark, notes=(*benchmark.notes, *tally.notes()))
