"""What is in data, and what of an evaluation occurs in training: the work behind `triglot data inspect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from triglot.corpus import sentences
from triglot.corpus.formats import beir, described, mlqa, squad
from triglot.corpus.formats import registry as formats
from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.tally import Tally
from triglot.text import normalise

# Bytes of UTF-8, so 8 Chinese characters. A shorter sentence ("Yes.", a name) on both sides says nothing about leakage.
SHORTEST = 24
EXAMPLES = 5
_LEAD = 20  # words at most of a title that stands before a text


@dataclass
class Inventory:
    """The texts of one path in lists, with what is known about them."""

    path: str
    format: str
    tally: Tally
    # (id that the publisher gave or '', language, text)
    questions: list[tuple[str, str, str]] = field(default_factory=list)
    # (language, text without its title, where that stands apart)
    passages: list[tuple[str, str]] = field(default_factory=list)
    answers: set[int] | None = None  # places in `passages` of those that answer a question; None for all
    titles: set[str] = field(default_factory=set)
    published_sentences: Counter[str] = field(default_factory=Counter)
    question_languages: dict[str, set[str]] = field(default_factory=dict)
    passage_languages: dict[str, set[str]] = field(default_factory=dict)

    @cached_property
    def question_keys(self) -> list[int]:
        """Hashes of the normalised questions."""
        return [hash(normalise(text)) for _, _, text in self.questions]

    @cached_property
    def passage_keys(self) -> list[int]:
        """Hashes of the normalised passages."""
        return [hash(normalise(text)) for _, text in self.passages]

    def bodies(self) -> Iterator[list[int]]:
        """For each passage, hashes of what may be its text if its first words are a title."""
        for _, text in self.passages:
            normal, place, keys = normalise(text), 0, []
            for _ in range(_LEAD):
                place = normal.find(" ", place) + 1
                if not place or len(normal[place:].encode()) < SHORTEST:
                    break
                keys.append(hash(normal[place:]))
            yield keys

    def sentences(self) -> Iterator[tuple[str, str, int]]:
        """(language, sentence, hash) of the sentences of passages that have at least `SHORTEST` bytes; of a benchmark
        only of those that answer a question."""
        for place, ((lang, text), key) in enumerate(zip(self.passages, self.passage_keys, strict=True)):
            if self.answers is not None and place not in self.answers:
                continue
            spans = sentences.split(text, lang)
            for start, end in spans:
                if len(text[start:end].encode()) >= SHORTEST:
                    yield lang, text[start:end], key if len(spans) == 1 else hash(normalise(text[start:end]))


def _from_contents(inventory: Inventory, contents: squad.Contents) -> None:
    for paragraph in contents.paragraphs:
        inventory.passages.append((paragraph.lang, paragraph.context))
        if paragraph.spans is not None:
            inventory.published_sentences[paragraph.lang] += len(paragraph.spans)
        if paragraph.title:
            inventory.titles.add(paragraph.title)
    seen = set()
    for question in contents.questions:
        inventory.question_languages.setdefault(question.id, set()).add(question.lang)
        inventory.passage_languages.setdefault(question.id, set()).add(contents.paragraphs[question.paragraph].lang)
        if (question.id, question.lang) not in seen:  # MLQA repeats a question for each context language
            seen.add((question.id, question.lang))
            inventory.questions.append((question.id, question.lang, question.text))


def _from_corpus(inventory: Inventory, corpus: ParallelCorpus) -> None:
    ids = corpus.group_ids.to_pylist()
    texts = corpus.texts.to_pylist()
    is_query = np.zeros(len(ids), bool)
    is_query[corpus.query] = True
    is_passage = np.zeros(len(ids), bool)
    is_passage[corpus.passage] = True
    for text, lang, group in zip(texts, corpus.text_lang.tolist(), corpus.text_group.tolist(), strict=True):
        code = corpus.languages[lang]
        if is_query[group] and not is_passage[group]:
            inventory.questions.append(("", code, text))
            inventory.question_languages.setdefault(ids[group], set()).add(code)
        else:
            inventory.passages.append((code, text))
            inventory.passage_languages.setdefault(ids[group], set()).add(code)
    inventory.titles = {title for title in corpus.group_titles.to_pylist() if title}


def _from_beir(inventory: Inventory, contents: beir.Contents) -> None:
    for (identifier, lang), text in contents.queries.texts.items():
        inventory.questions.append((identifier, lang, text))
        inventory.question_languages.setdefault(identifier, set()).add(lang)
    answers, inventory.answers = {document for _, document, grade in contents.judgements if grade > 0}, set()
    for (identifier, lang), text in contents.corpus.texts.items():
        if identifier in answers:
            inventory.answers.add(len(inventory.passages))
        inventory.passages.append((lang, text))
        inventory.passage_languages.setdefault(identifier, set()).add(lang)
    inventory.titles = {title for title in contents.corpus.titles.values() if title}


def take_inventory(path: str | Path, *, strict: bool = False, benchmark: bool = False) -> Inventory:
    """Read data in the format that its names tell. Raises InputError where it cannot be read.

    Args:
        path: as `triglot.corpus.formats.registry.locate`.
        strict: a record that cannot be used is an error.
        benchmark: what is wanted of a path that is both training data and a benchmark.
    """
    located = formats.locate(path)
    path, format = located.path, located.format
    inventory = Inventory(str(path) or format, format, Tally(strict=strict))
    if format == "squad":
        _from_contents(inventory, squad.read_contents(path, inventory.tally))
    elif format == "mlqa":
        _from_contents(inventory, mlqa.read_contents(path, inventory.tally)[0])
    elif format == "beir":
        _from_beir(inventory, beir.read_contents(path, inventory.tally, split=None, titles=False))
    elif format == "prepared" and benchmark:
        _from_beir(inventory, beir.read_contents(Path(path) / described.BENCHMARK, inventory.tally))
    elif format == "described" and benchmark:
        prepared = described.read(path, strict=strict)
        inventory.tally = prepared.tally
        _from_beir(inventory, described.benchmark(prepared))
    else:
        row = formats.FORMATS[format]
        wishes, known = {"strict": strict, "titles": False}, row.options("training")
        given = {**located.options, **{key: value for key, value in wishes.items() if key in known}}
        corpus, inventory.tally = row.read("training", path, given)
        _from_corpus(inventory, corpus)
    return inventory


def _coverage(languages: dict[str, set[str]]) -> dict[int, int]:
    """Number of languages -> number of groups that exist in so many."""
    return dict(sorted(Counter(len(codes) for codes in languages.values()).items(), reverse=True))


def _repeats(keys: Iterable[tuple[str, int]]) -> int:
    """Texts that an earlier text of their language equals after normalisation."""
    return sum(number - 1 for number in Counter(keys).values())


def describe(inventory: Inventory) -> dict[str, Any]:
    """Format, languages, counts, parallel coverage, duplicates and what was left out, as plain values."""
    questions = Counter(lang for _, lang, _ in inventory.questions)
    passages = Counter(lang for lang, _ in inventory.passages)
    languages = {}
    for code in sorted({*questions, *passages}):
        languages[code] = {"questions": questions[code], "passages": passages[code]}
        if inventory.published_sentences:
            languages[code]["sentences"] = inventory.published_sentences[code]
    return {
        "path": inventory.path,
        "format": inventory.format,
        "languages": languages,
        "counts": {
            "questions": len(inventory.questions),
            "question_groups": len(inventory.question_languages),
            "passages": len(inventory.passages),
            "articles": len(inventory.titles),
        },
        "coverage": {
            "questions": _coverage(inventory.question_languages),
            "passages": _coverage(inventory.passage_languages),
        },
        "duplicates": {
            "questions": _repeats(
                zip((lang for _, lang, _ in inventory.questions), inventory.question_keys, strict=True)
            ),
            "passages": _repeats(zip((lang for lang, _ in inventory.passages), inventory.passage_keys, strict=True)),
        },
        "read": dict(inventory.tally.read),
        "left_out": {
            reason: {"count": one.count, "first": one.first} for reason, one in inventory.tally.left_out.items()
        },
    }


@dataclass
class _Known:
    """Hashes of what training has seen."""

    ids: set[str]
    questions: set[int]
    passages: set[int]
    sentences: set[int]
    titles: set[str]


def _known(inventory: Inventory) -> _Known:
    questions, passages = set(inventory.question_keys), set(inventory.passage_keys)
    return _Known(
        ids={identifier for identifier, _, _ in inventory.questions if identifier},
        questions=questions | passages,
        passages=passages,
        sentences={key for _, _, key in inventory.sentences()} | passages | questions,
        titles={normalise(title) for title in inventory.titles},
    )


def _leakage(train: Inventory, known: _Known, evaluation: Inventory) -> dict[str, Any]:
    # A number such as "12" names another question in every collection that counts from one, so such ids are no
    # evidence.
    ids = [one for one, _, _ in evaluation.questions if one in known.ids and not (one.isdigit() and len(one) < 8)]
    pairs = zip(evaluation.questions, evaluation.question_keys, strict=True)
    questions = [(lang, text) for (_, lang, text), key in pairs if key in known.questions]
    # A title may stand before the text on one side and not on the other: both sides are compared without their first
    # words too.
    wanted = set(evaluation.passage_keys) - known.passages
    titled = {key for keys in train.bodies() for key in keys if key in wanted} if wanted else set()
    seen = [
        key in known.passages or key in titled or not known.passages.isdisjoint(bodies)
        for key, bodies in zip(evaluation.passage_keys, evaluation.bodies(), strict=True)
    ]
    passages = [one for one, was in zip(evaluation.passages, seen, strict=True) if was]
    answering = evaluation.answers
    answers = [
        one
        for place, (one, was) in enumerate(zip(evaluation.passages, seen, strict=True))
        if was and (answering is None or place in answering)
    ]
    every = list(evaluation.sentences())
    parts = [(lang, text) for lang, text, key in every if key in known.sentences]
    titles = [title for title in sorted(evaluation.titles) if normalise(title) in known.titles]

    def by_text(leaks: list[tuple[str, str]], total: int) -> dict[str, Any]:
        return {
            "total": total,
            "by_text": len(leaks),
            "languages": dict(sorted(Counter(lang for lang, _ in leaks).items())),
        }

    examples = [f"question id {one}" for one in ids[:EXAMPLES]]
    for what, found in (("question", questions), ("passage", answers), ("sentence", parts)):
        examples += [f"{what} ({lang}) {text[:80]!r}" for lang, text in found[:EXAMPLES]]
    return {
        "training": train.path,
        "evaluation": evaluation.path,
        "questions": {**by_text(questions, len(evaluation.questions)), "by_id": len(ids)},
        "passages": by_text(passages, len(evaluation.passages)),
        "answers": by_text(answers, len(evaluation.passages if answering is None else answering)),
        "sentences": by_text(parts, len(every)),
        "articles": {"total": len(evaluation.titles), "by_title": len(titles)},
        "examples": [*examples, *(f"article {title!r}" for title in titles[:EXAMPLES])],
    }


def inspect_paths(
    train_paths: Sequence[str | Path], eval_paths: Sequence[str | Path] = (), *, strict: bool = False
) -> dict[str, Any]:
    """Describe every path, and count what of each evaluation path occurs in each training path.

    Args:
        train_paths: files or folders, with or without their format.
        eval_paths: the same of benchmarks.
        strict: a record that cannot be used is an error.

    Returns:
        {"training": [description], "evaluation": [description], "leakage": [counts for a pair of paths]}, plain values
        only.

    Raises:
        InputError: a path cannot be read, or is in no known format.
    """
    trains = [take_inventory(path, strict=strict) for path in train_paths]
    evaluations = [take_inventory(path, strict=strict, benchmark=True) for path in eval_paths]
    leakage = []
    for train in trains if evaluations else []:
        known = _known(train)
        leakage += [_leakage(train, known, evaluation) for evaluation in evaluations]
    return {
        "training": [describe(one) for one in trains],
        "evaluation": [describe(one) for one in evaluations],
        "leakage": leakage,
    }


def _describe_lines(one: dict[str, Any]) -> list[str]:
    counts = one["counts"]
    lines = [f"{one['path']}: {one['format']}, {len(one['languages'])} languages"]
    for code, numbers in one["languages"].items():
        lines.append(f"  {code:<5}" + "  ".join(f"{number:>9,} {what}" for what, number in numbers.items()))
    articles = f", {counts['articles']:,} articles" if counts["articles"] else ""
    lines.append(
        f"  all   {counts['questions']:,} questions in {counts['question_groups']:,} groups, "
        f"{counts['passages']:,} passages{articles}"
    )
    for side, coverage in one["coverage"].items():
        if coverage:
            parts = ", ".join(f"{groups:,} in {number}" for number, groups in coverage.items())
            lines.append(f"  {side} by the number of languages of their group: {parts}")
    lines.append(
        f"  repeated: {one['duplicates']['questions']:,} questions, {one['duplicates']['passages']:,} passages"
    )
    for reason, left in one["left_out"].items():
        lines.append(f"  left out: {left['count']:,} x {reason} (first: {left['first']})")
    return lines


def _each(leak: dict[str, Any]) -> str:
    """What was found by text in each language, where there is any."""
    counts = ", ".join(f"{code} {number:,}" for code, number in leak["languages"].items())
    return f" ({counts})" if counts else ""


def _leakage_lines(one: dict[str, Any]) -> list[str]:
    lines = [f"{one['evaluation']} in {one['training']}:"]
    questions, articles = one["questions"], one["articles"]
    lines.append(
        f"  questions: {questions['by_id']:,} by id, {questions['by_text']:,} by text, of "
        f"{questions['total']:,}{_each(questions)}"
    )
    pool, answers = one["passages"]["total"], one["answers"]["total"]
    lines += [
        f"  {what}: {one[kind]['by_text']:,} by text, of {one[kind]['total']:,}{_each(one[kind])}"
        for kind, what in (
            ("passages", "passages"),
            ("answers", "  that answer a question"),
            ("sentences", "sentences"),
        )
        if kind != "answers" or answers < pool
    ]
    lines.append(f"  articles: {articles['by_title']:,} by title, of {articles['total']:,}")
    return [*lines, *(f"    e.g. {example}" for example in one["examples"])]


def render(report: dict[str, Any]) -> str:
    """The answer of `inspect_paths` as lines of text."""
    blocks = [("Training data" if report["evaluation"] else "Data", report["training"], _describe_lines)]
    blocks += [("Evaluation data", report["evaluation"], _describe_lines)]
    blocks += [
        (
            "Leakage (equal after NFKC, case folding and dropping punctuation and titles; paraphrases are not found)",
            report["leakage"],
            _leakage_lines,
        )
    ]
    lines = []
    for heading, entries, make in blocks:
        if entries:
            lines += [heading, *(f"  {line}" for entry in entries for line in make(entry)), ""]
    return "\n".join(lines).rstrip("\n")
