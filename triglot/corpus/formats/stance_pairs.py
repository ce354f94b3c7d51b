"""Training pairs from comments for and against questions (X-Stance's layout): by question, by stance, or comment with
comment.

Questions are parallel by id, so a comment in French answers a question asked in German; the wordings below ask for one
side of it.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np

from triglot import seeds
from triglot.corpus.formats.stance import LABELS, Stances, read
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus, member_id
from triglot.corpus.tally import Tally
from triglot.files import InputError, check_choice, nearest
from triglot.ranges import Range, Seed

ASK = ("topic", "stance", "comments")
TEMPLATES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "de": {
        "FAVOR": (
            "{question} Ja, und zwar deshalb:",
            "Was spricht dafür? {question}",
            "Gesucht sind Stimmen, die zustimmen: {question}",
            "{question} Wer befürwortet das, und mit welcher Begründung?",
        ),
        "AGAINST": (
            "{question} Nein, und zwar deshalb:",
            "Was spricht dagegen? {question}",
            "Gesucht sind Stimmen, die ablehnen: {question}",
            "{question} Wer lehnt das ab, und mit welcher Begründung?",
        ),
    },
    "fr": {
        "FAVOR": (
            "{question} Oui, et voici pourquoi :",
            "Quels arguments plaident en faveur de cela ? {question}",
            "On cherche des avis favorables : {question}",
            "{question} Qui y est favorable, et pour quelles raisons ?",
        ),
        "AGAINST": (
            "{question} Non, et voici pourquoi :",
            "Quels arguments plaident contre cela ? {question}",
            "On cherche des avis défavorables : {question}",
            "{question} Qui s'y oppose, et pour quelles raisons ?",
        ),
    },
    "it": {
        "FAVOR": (
            "{question} Sì, ed ecco perché:",
            "Quali argomenti parlano a favore? {question}",
            "Si cercano pareri favorevoli: {question}",
            "{question} Chi è favorevole, e per quali motivi?",
        ),
        "AGAINST": (
            "{question} No, ed ecco perché:",
            "Quali argomenti parlano contro? {question}",
            "Si cercano pareri contrari: {question}",
            "{question} Chi è contrario, e per quali motivi?",
        ),
    },
    "en": {
        "FAVOR": (
            "{question} Yes, and here is why:",
            "What speaks for it? {question}",
            "Wanted are voices that agree: {question}",
            "{question} Who is in favour, and on what grounds?",
        ),
        "AGAINST": (
            "{question} No, and here is why:",
            "What speaks against it? {question}",
            "Wanted are voices that disagree: {question}",
            "{question} Who is against it, and on what grounds?",
        ),
    },
}


def read_training(
    path: str | Path,
    *,
    split: str = "train",
    languages: Sequence[str] | None = None,
    ask: str = "topic",
    negatives: Annotated[int, Range(0, 1000)] = 4,
    templates: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    seed: Seed = 1,
    strict: bool = False,
    source: str = "stance",
) -> tuple[ParallelCorpus, Tally]:
    """Training rows of comments.

    Args:
        path: the folder.
        split: the file of comments, without `.jsonl`.
        languages: only questions and comments in these.
        ask: `topic`: a question, in every language it has, and each comment on it. `stance`: the question as a template
            words it, for or against, and each comment of that side; hard negatives are comments of the other side.
            `comments`: two comments on one question, of the same side and in two languages, with the same negatives.
        negatives: hard negatives of a row at most, those in the comment's language first.
        templates: language -> FAVOR and AGAINST -> wordings with `{question}` in them, in the place of those for de,
            fr, it and en. A row has one of them, the same in all languages.
        seed: of what is drawn: templates, negatives, partners.
        strict: a record that cannot be used is an error.
        source: the name of the source in the corpus.

    Raises:
        InputError: as `stance.read`; an unknown `ask`, bad templates, or no row at all.
    """
    check_choice("ask", ask, ASK)
    if negatives < 0:
        raise InputError(f"negatives: {negatives} is below 0")
    wordings = _checked(TEMPLATES if templates is None else templates) if ask == "stance" else {}
    stances, tally = read(path, split=split, languages=languages, strict=strict)
    stances = _of_one_meaning(stances, split, tally)
    builder = CorpusBuilder(source)
    number = [stances.questions.number[question] for question in stances.question]
    sides: dict[tuple[int, int], list[int]] = {}
    for row, key in enumerate(zip(number, stances.labels.tolist(), strict=True)):
        sides.setdefault(key, []).append(row)
    # Comments of one side of a question say the same in other words: they are of one family, and never each other's
    # negatives.
    ids = [
        member_id(f"comment/{question}/{LABELS[label].lower()}", identifier)
        for question, label, identifier in zip(number, stances.labels.tolist(), stances.ids, strict=True)
    ]
    asked = _questions(stances, languages, tally)
    rows = 0
    for row in range(len(stances)):
        label = int(stances.labels[row])
        hard = _drawn(stances, sides.get((number[row], 1 - label), []), row, negatives, seed) if ask != "topic" else []
        if ask == "comments":
            pairs = [(ids[row], other) for other in _partners(stances, sides[number[row], label], row, seed)]
        else:
            key = _ask(
                builder, asked.get(number[row], {}), number[row], LABELS[label], wordings, stances.ids[row], seed
            )
            pairs = [(key, row)] if key else []
            if not key:
                tally.leave_out("comment on a question without a text (or template) in the languages", stances.ids[row])
        for query, passage in pairs:
            for comment in (row, passage, *hard):
                builder.text(ids[comment], stances.languages[int(stances.lang[comment])], stances.comments[comment])
            builder.row(query, ids[passage], [ids[comment] for comment in hard])
            rows += 1
    if not rows:
        raise InputError(f"{path}: no pair in {split}.jsonl for ask: {ask}; {'; '.join(tally.lines())}")
    tally.count("rows", rows)
    return builder.build(), tally


def _of_one_meaning(stances: Stances, split: str, tally: Tally) -> Stances:
    """Without comments whose very text stands under another question or for the other side, too: as negatives they
    would be wrong."""
    meant: dict[str, set[tuple[int, int]]] = {}
    for comment, question, label in zip(stances.comments, stances.question, stances.labels.tolist(), strict=True):
        meant.setdefault(comment, set()).add((stances.questions.number[question], label))
    unclear = [row for row, comment in enumerate(stances.comments) if len(meant[comment]) > 1]
    if not unclear:
        return stances
    where = f"{split}.jsonl, comment {stances.ids[unclear[0]]}"
    tally.leave_out("comment whose text stands under two questions or sides", where, len(unclear))
    return stances.take(np.setdiff1d(np.arange(len(stances)), unclear))


def _questions(stances: Stances, languages: Sequence[str] | None, tally: Tally) -> dict[int, dict[str, str]]:
    """Number of a question -> language -> its first wording there."""
    by_number: dict[int, dict[str, str]] = {}
    for (lang, identifier), text in stances.questions.texts.items():
        if languages is not None and lang not in languages:
            tally.count("questions in other languages (not asked for)")
            continue
        by_number.setdefault(stances.questions.number[identifier], {}).setdefault(lang, text)
    return by_number


def _ask(
    builder: CorpusBuilder,
    texts: Mapping[str, str],
    number: int,
    label: str,
    wordings: Mapping[str, Mapping[str, Sequence[str]]],
    comment: str,
    seed: int,
) -> str:
    """The group of a question, made at its first use; empty where no language has a text for it."""
    if not wordings:
        key = f"question/{number}"
        worded = dict(texts)
    else:
        many = len(next(iter(wordings.values()))[label])
        which = int(seeds.uniform(seed, f"stance template {comment}") * many)
        key = f"question/{number}/{label.lower()}/{which}"
        worded = {
            lang: wordings[lang][label][which].replace("{question}", text)
            for lang, text in texts.items()
            if lang in wordings
        }
    for lang, text in worded.items():
        builder.text(key, lang, text)
    return key if worded else ""


def _drawn(stances: Stances, rows: Sequence[int], row: int, most: int, seed: int) -> list[int]:
    """So many of the rows, those in the language of this row first."""
    if not rows or not most:
        return []
    others = np.array(rows)
    draw = seeds.uniform(seed, f"stance negative {stances.ids[row]}", others)
    return others[np.lexsort((draw, stances.lang[others] != stances.lang[row]))][:most].tolist()


def _partners(stances: Stances, rows: Sequence[int], row: int, seed: int) -> list[int]:
    """For each other language one comment on the same side of the same question, drawn."""
    partners = []
    for lang in range(len(stances.languages)):
        others = np.array([one for one in rows if stances.lang[one] == lang])
        if lang != stances.lang[row] and len(others):
            partners.append(int(others[np.argmin(seeds.uniform(seed, f"stance partner {stances.ids[row]}", others))]))
    return partners


def _checked(templates: Mapping[str, Mapping[str, Sequence[str]]]) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Raises InputError for templates without a place for the question, or not as many in every language."""
    if not isinstance(templates, Mapping) or not templates:
        raise InputError("templates: a block with languages was expected")
    many = {}
    for lang, sides in templates.items():
        if not isinstance(sides, Mapping):
            raise InputError(f"templates.{lang}: a block with {' and '.join(LABELS)} was expected")
        for label in sides:
            if label not in LABELS:
                raise InputError(f"templates.{lang}: {label!r} is no side{nearest(str(label), LABELS)}")
        for label in LABELS:
            wordings = sides.get(label, ())
            if isinstance(wordings, str) or not wordings:
                raise InputError(f"templates.{lang}.{label}: a list of wordings was expected")
            for wording in wordings:
                if [name for _, name, _, _ in string.Formatter().parse(str(wording)) if name is not None] != [
                    "question"
                ]:
                    raise InputError(f"templates.{lang}.{label}: {wording!r} has not one {{question}} in it")
            if many.setdefault(label, len(wordings)) != len(wordings):
                raise InputError(
                    f"templates.{lang}.{label}: {len(wordings)} wordings, but {many[label]} in another language"
                )
    return templates
