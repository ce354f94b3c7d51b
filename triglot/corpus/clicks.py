"""Articles and the clicks of a search log, as training pairs and a benchmark that share no article and no question.

An article is a group of translations. The benchmark gets whole groups, drawn once; groups with the same text go
together. A question is the benchmark's where all its clicks are on articles of the benchmark, whatever its case,
punctuation and language; otherwise it is trained on, without its clicks on these. The pool of the benchmark is the
whole help centre, as it is when somebody searches.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from triglot.corpus import tables
from triglot.corpus.description import Articles, Clicks, Description, roles_of
from triglot.corpus.formats import beir
from triglot.corpus.markup import is_html, plain_text
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest
from triglot.graph import components
from triglot.language_tags import language
from triglot.seeds import bits
from triglot.text import in_one, normalise

TRAIN, TEST = "train", "test"
_NAMING, _SEVERAL = ("id", "group", "language", "article"), ("text", "article")
_PLACEHOLDERS = frozenset(("null", "none", "nan", "<na>", "n/a", "\\n"))  # how exports write nothing
_CLICKS = re.compile(r"([0-9]{1,15})(?:\.0+)?")
Rows = Mapping[str, Iterator[tables.Record]]


@dataclass
class Question:
    """What was asked, in one language or several.

    Attributes:
        texts: language -> text.
        clicks: group of articles -> clicks.
    """

    texts: dict[str, str]
    clicks: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """Articles and questions, divided.

    Attributes:
        languages: of the articles and questions.
        texts: (group, language) -> text of an article.
        test: groups of the benchmark.
        questions: part -> id -> question; groups in `clicks` are of that part.
        tally: what was read, joined and left out.
    """

    languages: tuple[str, ...]
    texts: Mapping[tuple[str, str], str]
    test: frozenset[str]
    questions: Mapping[str, Mapping[str, Question]]
    tally: Tally

    def corpus(self, source: str = "clicks") -> ParallelCorpus:
        """The training pairs: a row for each question and article that belong together."""
        builder, by_group = CorpusBuilder(source), self._by_group()
        for name, question in self.questions[TRAIN].items():
            for lang, text in question.texts.items():
                builder.text(f"question/{name}", lang, text)
            for group in question.clicks:
                for lang, text in by_group[group].items():
                    builder.text(f"article/{group}", lang, text)
                builder.row(f"question/{name}", f"article/{group}")
        return builder.build().tied()

    def contents(self) -> beir.Contents:
        """The benchmark in the terms of BEIR's layout: all articles, and the questions of the benchmark."""
        asked = self.questions[TEST]
        queries = {(name, lang): text for name, one in asked.items() for lang, text in one.texts.items()}
        judged = [(name, group, 1) for name, one in asked.items() for group in one.clicks]
        return beir.Contents(
            beir.Records(dict(self.texts), {group: "" for group, _ in self.texts}), beir.Records(queries), judged
        )

    def _by_group(self) -> dict[str, dict[str, str]]:
        by_group: dict[str, dict[str, str]] = defaultdict(dict)
        for (group, lang), text in self.texts.items():
            by_group[group][lang] = text
        return by_group


def prepare(
    description: Description, base: str | Path = "", *, strict: bool = False, given: Rows | None = None
) -> Prepared:
    """Read the tables and divide them.

    Args:
        description: of the tables.
        base: folder that its paths are relative to.
        strict: a row that cannot be used is an error.
        given: records of tables that are no files, by the path that the description has for them.

    Raises:
        InputError: a table or column is missing or cannot be read; a text whose language nobody tells; or too few
            clicks for training pairs and a benchmark.
    """
    tally = Tally(strict=strict)
    wanted = frozenset(description.languages)
    grouped = any(table.columns.group for table in description.articles)
    articles, questions = _Articles(tally, wanted, grouped), _Questions(tally, wanted)
    for table in description.articles:
        for where, record in _records(table, base, given, tally):
            texts, query = record["text"], record.get("query", "")
            if description.strip_html:
                if any(map(is_html, texts)):
                    tally.count("articles with HTML (tags and entities taken out)")
                texts, query = [plain_text(text) for text in texts], plain_text(query)
            articles.add(table, record | {"text": in_one(texts), "query": query}, where, questions)
    tally.count("articles", len(articles.texts))
    tally.count("groups of translations", len({group for group, _ in articles.texts}))
    for table in description.clicks:
        for where, record in _records(table, base, given, tally):
            questions.click(table, record, where, articles)
    if lacking := next((code for code in description.languages if code not in articles.met | questions.met), ""):
        raise InputError(f"languages: nothing is in {lacking!r}{nearest(lacking, articles.met | questions.met)}")
    if not articles.texts:
        raise InputError(f"no article can be used; {'; '.join(tally.lines())}")
    asked = questions.clicked(description.min_clicks)
    if not asked:
        raise InputError(f"no click can be used; {'; '.join(tally.lines())}")
    test = _draw(articles.texts, asked, description)
    parts = _divide(asked, test, tally)
    for part, share in ((TRAIN, 1 - description.test_size), (TEST, description.test_size)):
        if share and not parts[part]:
            raise InputError(
                f"no question is left for {'training' if part == TRAIN else 'the benchmark'}: {len(asked):,} questions "
                f"with clicks on {len({group for one in asked for group in one.clicks}):,} articles are too few for "
                f"test_size={description.test_size:g}"
            )
    spoken = {lang for _, lang in articles.texts} | {lang for one in asked for lang in one.texts}
    return Prepared(tuple(sorted(spoken)), articles.texts, test, parts, tally)


def _records(
    table: Articles | Clicks, base: str | Path, given: Rows | None, tally: Tally
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, role -> cell as text) of a table; what several columns or a list may give is a list."""
    roles = roles_of(table)
    place = Path(base) / Path(table.path).expanduser()
    names = [name for columns in roles.values() for name in columns]
    if given and table.path in given:
        rows = given[table.path]
    elif not place.exists() and Path(table.path).exists():
        raise InputError(f"{place}: no such file; paths in a description are relative to its own folder")
    else:
        rows = tables.records(place, names)
    if "language" not in roles and not table.language:
        raise InputError(f"{place}: no column tells the language; give `language: xx` beside its path, or the column")
    if given is None or table.path not in given:
        tables.check_columns(place, names, tables.columns_of(place))
    for _, where, record in rows:
        if not isinstance(record, dict):
            raise InputError(f"{where}: an object was expected")
        told: dict[str, Any] = {}
        for role, columns in roles.items():
            values = [record.get(name) for name in columns]
            if role == "article" and isinstance(values[0], list | tuple):
                values = list(values[0])
            cells = list(map(tables.cell_text, values))
            if role in _NAMING and (nothing := sum(cell.lower() in _PLACEHOLDERS for cell in cells)):
                tally.count("cells with NULL, nan or the like (taken for empty)", nothing)
                cells = [cell for cell in cells if cell.lower() not in _PLACEHOLDERS]
            told[role] = cells if role in _SEVERAL else "".join(cells)
        yield where, told


def _language(text: str) -> str:
    """A language in its one spelling; empty where a cell names none, as `n/a` does."""
    try:
        return language(text) if text else ""
    except InputError:
        return ""


class _Articles:
    """Texts by group and language, and which group an id belongs to."""

    def __init__(self, tally: Tally, wanted: frozenset[str], grouped: bool):
        self.tally, self.wanted, self.grouped = tally, wanted, grouped
        self.met: set[str] = set()
        self.texts: dict[tuple[str, str], str] = {}
        self._group_of: dict[str, str] = {}

    def add(self, table: Articles, record: dict[str, Any], where: str, questions: _Questions) -> None:
        lang = _language(record.get("language") or table.language)
        identifier, group = record.get("id", ""), record.get("group", "")
        if not record["text"]:
            self.tally.leave_out("article without a text", where)
            return
        if not lang:
            self.tally.leave_out("article without a language", where)
            return
        if "id" in record and not identifier:
            self.tally.leave_out("article without an id", where)
            return
        alone = f"id-{identifier}" if self.grouped else identifier  # a group of any table may be called so
        group = group or (alone if identifier else f"row {where}")
        self.met.add(lang)
        beside = not self.grouped and identifier in self._group_of and (group, lang) not in self.texts
        if self._group_of.setdefault(identifier or group, group) != group:
            self.tally.leave_out("article whose id another article has", where)
        elif self.wanted and lang not in self.wanted:
            self.tally.count("articles in other languages (not asked for)")
        elif self.texts.setdefault((group, lang), record["text"]) != record["text"]:
            self.tally.leave_out("article of a group that has one in this language already", where)
        else:
            if beside:
                self.tally.count("articles with the id of one in another language (taken for translations)")
            if record["query"]:
                questions.ask(record["query"], lang, group)

    def group_of(self, name: str) -> str | None:
        """The group of the article with this id; `10001.0` is what a data frame made of 10001."""
        found = self._group_of.get(name)
        return self._group_of.get(name.removesuffix(".0")) if found is None else found


class _Questions:
    """Questions by their language and words, and the articles that belong to them."""

    def __init__(self, tally: Tally, wanted: frozenset[str]):
        self.tally, self.wanted = tally, wanted
        self.met: set[str] = set()
        self.found: dict[tuple[str, str], Question] = {}
        self.own: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))

    def ask(self, text: str, lang: str, group: str) -> None:
        """A question that stands beside the text of an article."""
        if text in self.own[group][lang]:
            self.tally.count("questions that stand beside their article again (counted once)")
            return
        self.own[group][lang].append(text)
        self.tally.count("questions beside articles")

    def click(self, table: Clicks, record: dict[str, Any], where: str, articles: _Articles) -> None:
        self.tally.count("searches")
        lang, query = _language(record.get("language") or table.language), record["query"]
        clicked = [name for name in record["article"] if name]
        told = _CLICKS.fullmatch(record.get("clicks", "1"))
        self.met.add(lang)
        if not query:
            self.tally.leave_out("search without a query", where)
        elif not lang:
            self.tally.leave_out("search without a language", where)
        elif not told:
            self.tally.leave_out("search whose number of clicks is no whole number", where)
        elif not clicked or not int(told[1]):
            self.tally.leave_out("search without a click", where)
        elif self.wanted and lang not in self.wanted:
            self.tally.count("searches in other languages (not asked for)")
        else:
            question = self.found.setdefault((lang, " ".join(query.lower().split())), Question({lang: query}))
            clicks = int(told[1])
            for name in clicked:
                group = articles.group_of(name)
                if group is None:
                    self.tally.leave_out("click on an id that no article has", where)
                elif self.wanted and not any((group, code) in articles.texts for code in self.wanted):
                    self.tally.count("clicks on articles in other languages (not asked for)")
                else:
                    self.tally.count("clicks", clicks)
                    question.clicks[group] = question.clicks.get(group, 0) + clicks

    def clicked(self, least: int) -> list[Question]:
        """The questions with their articles, each pair once, and those with too few clicks left out."""
        clicked = []
        for question in self.found.values():
            few = [group for group, clicks in question.clicks.items() if clicks < least]
            for group in few:
                del question.clicks[group]
            if few:
                self.tally.remark(
                    "left out",
                    f"question and article with fewer than {least} clicks",
                    next(iter(question.texts.values())),
                    len(few),
                )
            if question.clicks:
                clicked.append(question)
        pairs, clicks = sum(len(one.clicks) for one in clicked), sum(sum(one.clicks.values()) for one in clicked)
        if clicks > pairs:
            self.tally.count("clicks that repeat a question and its article (counted once)", clicks - pairs)
        for group, asked in self.own.items():
            if all(len(texts) == 1 for texts in asked.values()):  # translations of one another, as the articles are
                clicked.append(Question({lang: texts[0] for lang, texts in asked.items()}, {group: 1}))
            else:
                clicked += [Question({lang: text}, {group: 1}) for lang, texts in asked.items() for text in texts]
        return clicked


def _draw(
    texts: Mapping[tuple[str, str], str], questions: Sequence[Question], description: Description
) -> frozenset[str]:
    """The groups of the benchmark: of those that belong to a question, a share, drawn by name, so that a new article
    changes the part of no other but the last."""
    number = {group: place for place, group in enumerate(dict.fromkeys(group for group, _ in texts))}
    first: dict[str, int] = {}
    same = [(first.setdefault(normalise(text), number[group]), number[group]) for (group, _), text in texts.items()]
    of_group = components(len(number), *(np.array(side) for side in zip(*same, strict=True)))
    asked = sorted({of_group[number[group]] for one in questions for group in one.clicks})
    named: dict[int, str] = {}
    for group, place in number.items():
        named[of_group[place]] = min(group, named.get(of_group[place], group))
    keys = [int.from_bytes(hashlib.blake2b(named[one].encode(), digest_size=7).digest(), "little") for one in asked]
    order = np.argsort(bits(description.seed, "articles of the benchmark", np.array(keys, np.int64)), kind="stable")
    chosen = {asked[place] for place in order[: round(description.test_size * len(asked))].tolist()}
    return frozenset(group for group, place in number.items() if of_group[place] in chosen)


def _divide(questions: Sequence[Question], test: frozenset[str], tally: Tally) -> dict[str, dict[str, Question]]:
    """The questions of training and of the benchmark."""
    keys = [{normalise(text) or text for text in one.texts.values()} for one in questions]
    trains = set[str]()
    for one, own in zip(questions, keys, strict=True):
        if not test.issuperset(one.clicks):
            trains |= own
    parts: dict[str, dict[str, Question]] = {TRAIN: {}, TEST: {}}
    for number, (one, own) in enumerate(zip(questions, keys, strict=True), 1):
        part = TEST if own.isdisjoint(trains) else TRAIN
        kept = {group: clicks for group, clicks in one.clicks.items() if (group in test) == (part == TEST)}
        if len(kept) < len(one.clicks):
            tally.remark(
                "left out",
                "clicks on articles of the benchmark by a question that training has",
                next(iter(one.texts.values())),
                len(one.clicks) - len(kept),
            )
        if kept:
            parts[part][f"q{number}"] = Question(one.texts, kept)
    return parts
