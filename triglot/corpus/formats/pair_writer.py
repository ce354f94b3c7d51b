"""Pairs as JSON lines, written for the trainers that read them: one place for every command that writes pairs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from triglot.corpus.parallel import ParallelCorpus, variant_id
from triglot.files import atomic_write, check_choice

log = logging.getLogger("triglot")
OutputFormat = Literal["tevatron", "flag", "sentence-transformers"]
OUTPUT_FORMATS = get_args(OutputFormat)


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


@dataclass(frozen=True)
class Written:
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
    query: Written,
    positive: Written,
    negatives: Sequence[Written],
    *,
    positive_score: Sequence[float] = (),
    negative_scores: Sequence[float] = (),
    marks: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One line for a question, its passage and hard negatives, in the keys that a trainer reads.

    `tevatron` and `flag` keep languages and groups, so that reading them back gives the same corpus, with scores where
    there are some and `marks` at the end; `sentence-transformers` has plain columns only and loses all of them.
    """
    if output_format == "sentence-transformers":
        columns = {f"negative_{number}": one.text for number, one in enumerate(negatives, 1)}
        return {"anchor": query.text, "positive": positive.text, **columns}
    head = {"query": query.text, "query_lang": query.lang, "query_group": query.group}
    scores = [list(positive_score), list(negative_scores)]
    if output_format == "tevatron":
        passages = {"positive_passages": [_object(positive)], "negative_passages": [_object(one) for one in negatives]}
        scored = dict(zip(("positive_scores", "negative_scores"), scores, strict=True)) if any(scores) else {}
        return {"query_id": f"{query.lang}-{query.group}", **head, **passages, **scored, **(marks or {})}
    scored = dict(zip(("pos_scores", "neg_scores"), scores, strict=True)) if any(scores) else {}
    groups = {
        "passage_lang": positive.lang,
        "passage_groups": [positive.group],
        "negative_groups": [one.group for one in negatives],
        "negative_langs": [one.lang for one in negatives],
    }
    return {**head, "pos": [positive.text], "neg": [one.text for one in negatives], **scored, **groups, **(marks or {})}


def _object(passage: Written) -> dict[str, str]:
    # Not under `title`: readers of this format put a title before the text, and the text here is what was trained on.
    return {
        "docid": f"{passage.lang}-{passage.group}",
        "title": "",
        "text": passage.text,
        "lang": passage.lang,
        "group": passage.group,
        "article": passage.title,
    }


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
    number = 0
    with atomic_write(path) as handle:
        for line in lines:
            handle.write(json.dumps(line, ensure_ascii=False) + "\n")
            number += 1
    return number
