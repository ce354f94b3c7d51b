"""Pairs JSONL in the shapes that the users of common trainers already have, and writing them.

A line is one question with its positives and negatives, in any of these shapes (told apart by their keys, line by
line):

- sentence-transformers:
  `{"anchor" | "query" | "sentence1": str, "positive" | "sentence2": str, "negative"?, "negative_1"?, ...}`
- Tevatron: `{"query_id", "query", "positive_passages": [{"docid", "title", "text"}], "negative_passages": [...]}`
- FlagEmbedding: `{"query", "pos": [str], "neg": [str]}`

Keys that Triglot adds, all optional: `lang` (both sides) or `query_lang` and `passage_lang`; `query_group` and
`passage_group` (`passage_groups`, one a positive; `negative_groups`, one a negative): texts with the same group are
translations of one another. `negative_langs`, one a negative, says which are in other languages than the passage. A
passage that is an object may have its own `lang`, `group` and `article` (a title that is not put before the text).
Without groups nothing is taken for a translation: `query_id` and `docid` name a question or document **within its
language**, since collections such as MIRACL number every language from one. Lines with the same question, or the same
positive, are never each other's negatives, with or without ids (case and white space make no difference). Groups that
agree up to the first `~~` in their names (`p1`, `p1~~aug1`) are of one family too.

A line with a label (`label`, `gold_label`, `is_duplicate`) is a pair only where the label says so: 1, `entailment`,
`duplicate`; the others are counted and left out. So are sentence pairs (`sentence1`, `sentence2`) with a `score` that
is not 1: where a score begins to mean the same, nobody but its maker knows. Keys that are not read are counted, each
once a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.corpus.tally import Tally
from triglot.files import InputError, read_jsonl
from triglot.language_tags import language as language_of
from triglot.text import titled

_QUERY = ("query", "anchor", "sentence1")
_POSITIVE = ("positive_passages", "positive", "pos", "sentence2")
_NEGATIVE = re.compile(r"(?:hard_)?negatives?(?:_\d+)?|negs?|negative_passages")
_LABEL = ("label", "gold_label", "is_duplicate")
_SCORE = ("score", "similarity", "similarity_score")
_IS_PAIR = {
    **dict.fromkeys((1, "1", "entailment", "duplicate", "paraphrase", "positive", "relevant", "true", "yes"), True),
    **dict.fromkeys(
        (
            0,
            "0",
            "contradiction",
            "neutral",
            "not_entailment",
            "not_duplicate",
            "negative",
            "irrelevant",
            "false",
            "no",
        ),
        False,
    ),
}
_LANGS = ("lang", "query_lang", "passage_lang", "negative_langs")
_IDS = ("query_id", "query_group", "passage_group", "passage_groups", "negative_groups")
# Written, and not needed to read back.
_TOLD = (
    "pos_scores",
    "neg_scores",
    "positive_scores",
    "negative_scores",
    "augmented",
    "origin",
)
_OTHER_KEYS = {*_QUERY, *_POSITIVE, "positives", *_LABEL, *_LANGS, *_IDS, *_TOLD}


class _Broken(ValueError):
    """Why a line cannot be used."""


@dataclass(frozen=True)
class Passage:
    """A passage of a line. `key` names its group within the source; `title` is its article."""

    text: str
    title: str
    lang: str
    key: str


def _only(record: dict[str, Any], names: Sequence[str], *others: str) -> tuple[str, Any]:
    """The one of these keys that a line has; `others` are other spellings."""
    present = [name for name in (*names, *others) if name in record]
    if len(present) > 1:
        raise _Broken(f"both {present[0]!r} and {present[1]!r}")
    if not present:
        raise _Broken(f"none of the keys {', '.join(names)}")
    return present[0], record[present[0]]


def _is_pair(record: dict[str, Any], where: str) -> bool:
    """Whether a line's label, or the score of sentence pairs, says that it is a pair. True where it has neither.

    Raises:
        InputError: a label that can mean anything, as 2 does in a file that numbers three classes.
    """
    for key in _LABEL:
        label = record.get(key)
        if label is None or label == "":
            continue
        if label == "-":  # SNLI: its annotators did not agree
            return False
        name = re.sub("[- ]", "_", label.strip().lower()) if isinstance(label, str) else label
        if not isinstance(name, str | int | float) or name not in _IS_PAIR:
            raise InputError(
                f"{where}: {key} is {label!r:.40}; known are 1 (a pair), 0 (none) and words such as entailment, "
                "contradiction"
            )
        return _IS_PAIR[name]
    scores = [record[key] for key in _SCORE if "sentence2" in record and record.get(key) is not None]
    return all(type(score) in (int, float) and score == 1 for score in scores)


def _tell_keys(record: dict[str, Any], where: str, tally: Tally) -> None:
    for key in record:
        if key not in _OTHER_KEYS and not _NEGATIVE.fullmatch(key) and not (key in _SCORE and "sentence2" in record):
            tally.remark("not read", f"key {key[:40]!r}", where)


def _string(record: dict[str, Any], key: str, default: str) -> str:
    value = record.get(key)
    if value is None or value == "":
        return default
    if type(value) not in (str, int):
        raise _Broken(f"{key!r} is not a string")
    return str(value)


def _language(record: dict[str, Any], key: str, default: str, where: str) -> str:
    """A language; InputError for one that cannot become part of a file name."""
    return language_of(code, where) if (code := _string(record, key, default)) != default else default


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _passage(value: Any, lang: str, group: str, place: str, titles: bool, where: str) -> Passage | None:
    """A passage from a string or an object; None where its text is empty, or null."""
    title = article = ""
    if isinstance(value, dict):
        text = value.get("text")
        title, article = _string(value, "title", ""), _string(value, "article", "")
        lang = _language(value, "lang", lang, where)
        group = _string(value, "group", group)
        docid = _string(value, "docid", "")
    else:
        text, docid = value, ""
    if text is None:
        return None
    if not isinstance(text, str):
        raise _Broken(f"a {place.split('/')[-2]} is not text")
    if not text.strip():
        return None
    own_id = f"{lang}/{docid}" if docid else place
    key = f"group/{group}" if group else own_id
    return Passage(titled(title, text) if titles else text, title or article, lang, key)


def _groups(record: dict[str, Any], key: str, number: int) -> list[str]:
    """Group names for so many passages; empty strings where the line gives none."""
    names = _as_list(record[key]) if record.get(key) is not None else [""] * number
    if len(names) != number:
        raise _Broken(f"{key!r} has {len(names)} entries for {number} passages")
    return [_string({key: name}, key, "") for name in names]


def _passages(
    record: dict[str, Any], lang: str, place: str, titles: bool, where: str
) -> tuple[list[Passage | None], list[Passage | None]]:
    name, value = _only(record, _POSITIVE, "positives")
    positives = _as_list(value)
    if not positives:
        raise _Broken(f"{name!r} is empty")
    negatives = [
        one
        for key, value in record.items()
        if _NEGATIVE.fullmatch(key) and value is not None
        for one in _as_list(value)
    ]
    groups = _groups(record, "passage_groups" if "passage_groups" in record else "passage_group", len(positives))
    others = _groups(record, "negative_groups", len(negatives))
    langs = _groups(record, "negative_langs", len(negatives))
    return (
        [
            _passage(one, lang, group, f"{place}/positive/{n}", titles, where)
            for n, (one, group) in enumerate(zip(positives, groups, strict=True))
        ],
        [
            _passage(one, language_of(own, where) if own else lang, group, f"{place}/negative/{n}", titles, where)
            for n, (one, group, own) in enumerate(zip(negatives, others, langs, strict=True))
        ],
    )


def find_files(path: Path, tally: Tally) -> list[Path]:
    """The JSONL files of a folder, or the file. Raises InputError where there is none."""
    if not path.is_dir():
        return [path]
    files = []
    for file in sorted(path.iterdir()):
        if file.name.endswith((".jsonl", ".jsonl.gz")):
            files.append(file)
        elif file.name.removesuffix(".gz").endswith((".json", ".ndjson", ".csv", ".tsv", ".parquet")):
            tally.pass_over("file whose name does not end in .jsonl", file)
    if not files:
        raise InputError(f"{path}: no file such as `name.jsonl` or `name.jsonl.gz`")
    return files


def read_training(
    path: str | Path,
    *,
    language: str = "und",
    languages: Sequence[str] | None = None,
    titles: bool = True,
    strict: bool = False,
    source: str = "pairs",
) -> tuple[ParallelCorpus, Tally]:
    """Training rows: one for each positive of a line; its negatives become the row's hard negatives.

    Args:
        path: a JSONL file, plain or gzip, or a folder of them.
        language: of texts whose line gives none; `und` is BCP 47's word for not known.
        languages: leave out lines whose question or positive is in another language, and negatives in another language.
        titles: put a passage's title before its text, as Tevatron does.
        strict: a line that cannot be used is an error.
        source: the name of the source in the corpus.

    Raises:
        InputError: a line is not JSON, or no line can be used.
    """
    tally = Tally(strict=strict)
    builder = CorpusBuilder(source)
    texts: dict[tuple[str, str], str] = {}
    rows = 0

    def give(key: str, lang: str, text: str, title: str, where: str) -> bool:
        """Give a group its text; False, and counted, where it has another one in this language."""
        if texts.setdefault((key, lang), text) != text:
            tally.leave_out("text whose id or group has another text in its language", where)
            return False
        builder.text(key, lang, text, title)
        return True

    for file in find_files(Path(path), tally):
        for number, record in read_jsonl(file):
            where = f"{file}:{number}"
            tally.count("lines")
            place = f"{file.name}/{number}"
            try:
                if not isinstance(record, dict):
                    raise _Broken("not an object")
                _tell_keys(record, where, tally)
                both = _language(record, "lang", language, where)
                query_lang, passage_lang = (
                    _language(record, key, both, where) for key in ("query_lang", "passage_lang")
                )
                name, query = _only(record, _QUERY)
                if not isinstance(query, str):
                    raise _Broken(f"{name!r} is not a string")
                positives, negatives = _passages(record, passage_lang, place, titles, where)
                group, identifier = _string(record, "query_group", ""), _string(record, "query_id", "")
            except _Broken as error:
                tally.leave_out(f"line that cannot be used: {error}", where)
                continue
            if not query.strip():
                tally.leave_out("line with an empty question", where)
                continue
            if not _is_pair(record, where):
                tally.leave_out("line whose label or score does not say that it is a pair", where)
                continue
            if languages is not None and query_lang not in languages:
                tally.count("lines in other languages (not asked for)")
                continue
            own_id = f"{query_lang}/{identifier}" if identifier else place
            query_key = f"question/group/{group}" if group else f"question/{own_id}"
            if not give(query_key, query_lang, query, "", where):
                continue
            hard = []
            for negative in negatives:
                if negative is None:
                    tally.leave_out("empty negative", where)
                elif languages is not None and negative.lang not in languages:
                    tally.count("negatives in other languages (not asked for)")
                elif give(f"passage/{negative.key}", negative.lang, negative.text, negative.title, where):
                    hard.append(f"passage/{negative.key}")
            for positive in positives:
                if positive is None:
                    tally.leave_out("empty positive", where)
                elif languages is not None and positive.lang not in languages:
                    tally.count("positives in other languages (not asked for)")
                elif give(f"passage/{positive.key}", positive.lang, positive.text, positive.title, where):
                    builder.row(
                        query_key, f"passage/{positive.key}", [key for key in hard if key != f"passage/{positive.key}"]
                    )
                    rows += 1
    if not rows:
        raise InputError(f"{path}: no line can be used; {'; '.join(tally.lines())}")
    corpus = builder.build()
    # Parallel lines repeat a (question group, passage group) once for each language; it is one row.
    corpus = _merge_rows(corpus, tally)
    tally.count("rows", len(corpus))
    return corpus.tied(), tally


def _merge_rows(corpus: ParallelCorpus, tally: Tally) -> ParallelCorpus:
    """Each (query, passage) once, with the negatives of all its lines."""
    seen: dict[tuple[int, int], int] = {}
    keep: list[int] = []
    merged: list[dict[int, None]] = []
    lists = corpus.negatives.to_pylist() if corpus.negatives is not None else [[]] * len(corpus)
    for row, (pair, negatives) in enumerate(
        zip(zip(corpus.query.tolist(), corpus.passage.tolist(), strict=True), lists, strict=True)
    ):
        at = seen.setdefault(pair, len(keep))
        if at == len(keep):
            keep.append(row)
            merged.append(dict.fromkeys(negatives))
        else:
            merged[at].update(dict.fromkeys(negatives))
    if len(keep) == len(corpus):
        return corpus
    tally.count("lines that add a language to an earlier row", len(corpus) - len(keep))
    fewer = corpus.select(np.array(keep))
    if corpus.negatives is None:
        return fewer
    return replace(fewer, negatives=pa.array([list(one) for one in merged], pa.list_(pa.int32())))
