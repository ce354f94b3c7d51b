"""Frequently asked questions, `xx.faq`: `Q: ...` and `A: ...` on lines of their own; entry n says the same in every
language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from triglot.corpus.formats.registry import Format
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tally import Tally
from triglot.files import InputError, read_lines


def _entries(path: str | Path, languages: Sequence[str] | None) -> Iterator[tuple[str, str, str, str]]:
    """Yield (number, language, question, answer)."""
    for file in sorted(Path(path).glob("*.faq")):
        if languages is not None and file.stem not in languages:
            continue
        question, number = "", 0
        for place, line in read_lines(file):
            kind, _, text = line.partition(": ")
            if kind == "Q":
                question, number = text, number + 1
            elif kind == "A" and question:
                yield str(number), file.stem, question, text
            elif line.strip():
                raise InputError(f"{file}:{place}: neither `Q: ...` nor `A: ...` after it")


def read_training(path: str | Path, *, languages: Sequence[str] | None = None) -> tuple[ParallelCorpus, Tally]:
    """A row for each entry, in every language that it has."""
    builder, tally, seen = CorpusBuilder("faq"), Tally(), set()
    for number, lang, question, answer in _entries(path, languages):
        builder.text(f"question/{number}", lang, question)
        builder.text(f"answer/{number}", lang, answer)
        if number not in seen:
            builder.row(f"question/{number}", f"answer/{number}")
        seen.add(number)
        tally.count("entries")
    return builder.build(), tally


def read_retrieval(path: str | Path, *, name: str, languages: Sequence[str] | None = None) -> RetrievalSet:
    """Every question against all answers; the right ones are those of its entry, in all languages."""
    entries = list(_entries(path, languages))
    return RetrievalSet.from_dicts(
        {f"q/{lang}/{number}": question for number, lang, question, _ in entries},
        {f"a/{lang}/{number}": answer for number, lang, _, answer in entries},
        {
            f"q/{lang}/{number}": [f"a/{other}/{n}" for n, other, *_ in entries if n == number]
            for number, lang, *_ in entries
        },
        languages={f"{side}/{lang}/{number}": lang for number, lang, *_ in entries for side in "qa"},
        groups={f"q/{lang}/{number}": number for number, lang, *_ in entries},
        name=name,
        parallel=True,
    )


FAQ = Format(
    "faq",
    title="frequently asked questions",
    help="xx.faq with `Q: ...` and `A: ...` on lines of their own",
    training=read_training,
    retrieval=read_retrieval,
    names=re.compile(r"[a-z]{2}\.faq"),
)
