"""Pairs as JSON lines, written for the trainers that read them: one place for every command that writes pairs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

from triglot.corpus.parallel import ParallelCorpus, variant_id
from triglot.files import InputError, atomic_write, check_choice

log = logging.getLogger("triglot")
OutputFormat = Literal["tevatron", "flag", "sentence-transformers"]
OUTPUT_FORMATS = get_args(OutputFormat)
# Lines handed on together: by single ones, writing takes a third longer.
_AT_ONCE = 64
_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Variant:
    """A changed copy of rows, for `numbered_records`: other texts in the place of those of the corpus.

    Attributes:
        copy: its number, from 1.
        query, passage: number of a text of the corpus -> (what stands in its place on this side, how it came about).
            None where a side is never changed; a side that may be has groups of its own, in the family of those that
            they were made from.
    """

    copy: int
    query: Mapping[int, tuple[str, str]] | None = None
    passage: Mapping[int, tuple[str, str]] | None = None


class Written(NamedTuple):
    """A text as a line has it.

    Attributes:
        text, lang: the text and its language.
        group: what it says.
        title: the article of a passage.
    """

    text: str
    lang: str
    group: str
    title: str = ""

    @property
    def id(self) -> str:
        """Of a question or passage."""
        return f"{self.lang}-{self.group}"

    @property
    def passage(self) -> dict[str, str]:
        """As `tevatron` has a passage."""
        # Not under `title`: readers of this format put a title before the text, and the text here is what was trained
        # on.
        return {
            "docid": self.id,
            "title": "",
            "text": self.text,
            "lang": self.lang,
            "group": self.group,
            "article": self.title,
        }


class Quoted:
    """What a `Written` has, as JSON made once each: for texts that stand in many lines.

    Args:
        written: the text.
    """

    __slots__ = ("_written", "group", "id", "lang", "passage", "text")
    text: str
    lang: str
    group: str
    id: str
    passage: str

    def __init__(self, written: Written):
        self._written = written

    def __getattr__(self, name: str) -> str:
        # Asked for the first time: a slot that is filled does not come here.
        quoted = _json(getattr(self._written, name))
        setattr(self, name, quoted)
        return quoted


def check_output_format(name: str, key: str = "output_format") -> OutputFormat:
    """The name of an output format; `pairs`, as `tevatron` was called before, is accepted with a warning.

    Raises:
        InputError: there is no such format; the message begins with `key`.
    """
    if name == "pairs":
        log.warning("%s: pairs is now called tevatron", key)
        return "tevatron"
    check_choice(key, name, OUTPUT_FORMATS)
    return cast(OutputFormat, name)


def record(
    output_format: OutputFormat,
    query: Written | Quoted,
    positive: Written | Quoted,
    negatives: Sequence[Written | Quoted],
    *,
    positive_score: Sequence[float | str] = (),
    negative_scores: Sequence[float | str] = (),
    marks: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One line for a question, its passage and hard negatives, in the keys that a trainer reads.

    `tevatron` and `flag` keep languages and groups, so that reading them back gives the same corpus, with scores where
    there are some and `marks` at the end; `sentence-transformers` has plain columns only and loses all of them. Of
    `Quoted` texts and scores as text it is a record for `quoted_line`.
    """
    if output_format == "sentence-transformers":
        columns = dict(zip(_columns(len(negatives)), [one.text for one in negatives], strict=True))
        return {"anchor": query.text, "positive": positive.text, **columns}
    head = {"query": query.text, "query_lang": query.lang, "query_group": query.group}
    scores = [list(positive_score), list(negative_scores)]
    if output_format == "tevatron":
        passages = {"positive_passages": [positive.passage], "negative_passages": [one.passage for one in negatives]}
        scored = dict(zip(("positive_scores", "negative_scores"), scores, strict=True)) if any(scores) else {}
        return {"query_id": query.id, **head, **passages, **scored, **(marks or {})}
    scored = dict(zip(("pos_scores", "neg_scores"), scores, strict=True)) if any(scores) else {}
    groups = {
        "passage_lang": positive.lang,
        "passage_groups": [positive.group],
        "negative_groups": [one.group for one in negatives],
        "negative_langs": [one.lang for one in negatives],
    }
    return {**head, "pos": [positive.text], "neg": [one.text for one in negatives], **scored, **groups, **(marks or {})}


@cache
def _columns(negatives: int) -> tuple[str, ...]:
    return tuple(f"negative_{number}" for number in range(1, negatives + 1))


def quoted_line(record: Mapping[str, str | Sequence[str]]) -> str:
    """A record whose values, or the entries of its lists, are JSON already, as `json.dumps` writes it of plain ones."""
    parts: list[str] = []
    for key, value in record.items():
        parts += (', "', key, '": ')
        parts += (value,) if isinstance(value, str) else ("[", ", ".join(value), "]")
    return "".join(('{"', *parts[1:], "}"))


def records(corpus: ParallelCorpus, *, output_format: OutputFormat = "tevatron") -> Iterator[dict[str, Any]]:
    """Lines for the rows of a corpus; every text of a row's two groups occurs in at least one of them.

    A row whose question has m languages and whose passage has n gives max(m, n) lines, same-language pairs where both
    exist. Negatives are in the passage's language where they have it. See `record` for what the formats keep.
    """
    return (line for _, line in numbered_records(corpus, output_format=output_format))


def numbered_records(
    corpus: ParallelCorpus,
    *,
    output_format: OutputFormat = "tevatron",
    variant: Variant | None = None,
    origins: Mapping[int, str] | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """As `records`, with the row of each line.

    Args:
        corpus: the rows.
        output_format: of the lines.
        variant: give the lines of a changed copy; those of which neither side is changed are passed over. Lines say
            what was done under `augmented` (not in plain columns).
        origins: number of a text -> where it comes from, told under `origin` in the same way.
    """
    output_format = check_output_format(output_format)
    if corpus.label is not None:
        raise InputError(
            f"{', '.join(corpus.sources)}: rows with labels are no pairs of a question and its answer (nli: read "
            "it with `rows: entailed`)"
        )
    plain, titles = corpus.group_ids.to_pylist(), corpus.group_titles.to_pylist()
    texts, names = corpus.text_of, corpus.languages
    queries, passages = (variant.query, variant.passage) if variant else (None, None)

    def written(group: int, lang: int, changed: Mapping[int, tuple[str, str]] | None = None) -> tuple[Written, str]:
        """A text, and how it was changed."""
        number = int(texts[group, lang])
        text, how = (changed or {}).get(number) or (corpus.texts[number].as_py(), "")
        name = plain[group] if changed is None or variant is None else variant_id(plain[group], variant.copy)
        return Written(text, names[lang], name, titles[group]), how

    def negative(group: int, lang: int) -> Written:
        """In this language where there is such a text."""
        has = texts[group] >= 0
        return written(group, lang if has[lang] else int(has.argmax()))[0]

    for row in range(len(corpus)):
        q, p = int(corpus.query[row]), int(corpus.passage[row])
        hard = (
            [group for group in corpus.negatives[row].as_py() if (texts[group] >= 0).any()]
            if corpus.negatives is not None
            else []
        )
        for ql, pl in language_pairs(texts[q] >= 0, texts[p] >= 0):
            (query, query_how), (passage, passage_how) = written(q, ql, queries), written(p, pl, passages)
            if variant is not None and not query_how and not passage_how:
                continue
            marks: dict[str, Any] = {}
            if variant is not None:
                marks["augmented"] = {"copy": variant.copy, "query": query_how, "passage": passage_how}
            if origins is not None:
                where = {"query": origins.get(int(texts[q, ql]), ""), "passage": origins.get(int(texts[p, pl]), "")}
                marks |= {"origin": where} if any(where.values()) else {}
            yield row, record(output_format, query, passage, [negative(group, pl) for group in hard], marks=marks)


def language_pairs(query: Any, passage: Any) -> list[tuple[int, int]]:
    """Language pairs that show every text of both sides at least once, the same language on both sides where it can
    be."""
    both = [(int(lang), int(lang)) for lang in (query & passage).nonzero()[0]]
    only_query = [int(lang) for lang in (query & ~passage).nonzero()[0]]
    only_passage = [int(lang) for lang in (passage & ~query).nonzero()[0]]
    fallback_query = int(query.argmax())
    fallback_passage = int(passage.argmax())
    number = max(len(only_query), len(only_passage))
    rest = [
        (
            only_query[n] if n < len(only_query) else fallback_query,
            only_passage[n] if n < len(only_passage) else fallback_passage,
        )
        for n in range(number)
    ]
    return both + rest if query.any() and passage.any() else []


def write(path: str | Path, corpus: ParallelCorpus, *, output_format: OutputFormat = "tevatron") -> int:
    """Write a corpus as pairs JSONL, atomically; returns the number of lines. See `record`."""
    lines = records(corpus, output_format=check_output_format(output_format))
    return write_records(path, lines)


def write_records(path: str | Path, lines: Iterable[Mapping[str, Any]]) -> int:
    """Write objects as JSON lines, atomically; returns their number."""
    return write_lines(path, map(_json, lines))


def write_lines(path: str | Path, lines: Iterable[str]) -> int:
    """Write lines, atomically; returns their number."""
    number, rest = 0, iter(lines)
    with atomic_write(path) as handle:
        while block := list(islice(rest, _AT_ONCE)):
            handle.write("\n".join(block) + "\n")
            number += len(block)
    return number
