"""The SQuAD family: SQuAD, XQuAD-R and MLQA-R (`sentences`, `sentence_breaks`), TyDi QA GoldP; `.json` and
`.json.gz`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from triglot.corpus import sentences
from triglot.corpus.formats import answers
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest, read_json
from triglot.graph import components
from triglot.language_tags import of_name

Unit = Literal["sentence", "sentence+context", "paragraph"]


@dataclass
class Paragraph:
    """A context in one language. `spans` and `texts` are its sentences, filled when they are first asked for."""

    lang: str
    context: str
    title: str
    where: str
    spans: list[tuple[int, int]] | None = None
    texts: list[str] | None = None

    def sentence_spans(self) -> list[tuple[int, int]]:
        """The publisher's sentence breaks, or else the splitter's."""
        if self.spans is None:
            self.spans = sentences.split(self.context, self.lang)
        return self.spans

    def passage(self, sentence: int, unit: Unit) -> str:
        """The text of a passage: a sentence, a sentence followed by its paragraph (as LAReQA's evaluator has it), or
        the paragraph."""
        if unit == "paragraph":
            return self.context
        start, end = self.sentence_spans()[sentence]
        text = self.texts[sentence] if self.texts is not None else self.context[start:end]
        return text if unit == "sentence" else f"{text} {self.context}"


@dataclass
class Question:
    """A question as one file has it. `starts` are the offsets of its answers that have a text."""

    id: str
    lang: str
    text: str
    paragraph: int
    starts: list[int]
    where: str


@dataclass
class Contents:
    """Paragraphs and questions of one or several files, in file order; `paragraph` of a question indexes
    `paragraphs`."""

    paragraphs: list[Paragraph] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)


def check_unit(unit: str, what: str) -> None:
    """Raises InputError for an unknown passage unit, with the nearest known one."""
    if unit not in get_args(Unit):
        raise InputError(f"{what}: {unit!r} is not a kind of passage{nearest(unit, get_args(Unit))}")


def language_of(name: str) -> str | None:
    """The language in a file name: `xx.json.gz`, `zh-CN.json`, `tydiqa.goldp.xx.dev.json`; None where there is none."""
    return of_name(re.sub(r"\.json(\.gz)?$", "", name))


def find_files(
    path: Path, *, language: str | None, languages: Sequence[str] | None, files: str | None, tally: Tally | None = None
) -> list[tuple[Path, str]]:
    """(file, language) of every file to read. Raises InputError where there is none, or a name tells no language."""
    if not path.is_dir():
        code = language or language_of(path.name)
        if code is None:
            raise InputError(
                f"{path}: the file name tells no language (`xx.json`, `name.xx.json`); give `language: xx`"
            )
        if languages is not None and code not in languages:
            raise InputError(f"{path}: its language is {code}, which is not among {list(languages)}")
        return [(path, code)]
    names = sorted(p for p in path.glob(files or "*") if p.name.endswith((".json", ".json.gz")))
    with_language = [(p, language or language_of(p.name)) for p in names]
    kept = [(p, code) for p, code in with_language if code is not None and (languages is None or code in languages)]
    for file, code in with_language if kept else ():
        if code is None and tally is not None:
            tally.pass_over("file whose name tells no language", file)
    if not kept:
        known = sorted({code for _, code in with_language if code is not None})
        if known and languages is not None:
            raise InputError(f"{path}: none of the languages {list(languages)}; the folder has {', '.join(known)}")
        raise InputError(
            f"{path}: no file such as `xx.json` or `xx.json.gz`{f' that matches {files!r}' if files else ''}"
        )
    return kept


def _member(value: Any, key: str, kind: type, where: str) -> Any:
    """`value[key]` of this type, or an InputError that says what is wrong where."""
    if not isinstance(value, dict):
        raise InputError(f"{where}: an object with {key!r} was expected, not {type(value).__name__}")
    if key not in value:
        raise InputError(f"{where}: has no {key!r}{nearest(key, value)}")
    if not isinstance(value[key], kind):
        raise InputError(f"{where}.{key}: {kind.__name__} expected, not {type(value[key]).__name__}")
    return value[key]


def _breaks(raw: dict[str, Any], context: str, where: str) -> tuple[list[tuple[int, int]] | None, list[str] | None]:
    """Checked `sentence_breaks` and `sentences`. Raises InputError where they do not fit the context or each other."""
    if "sentence_breaks" not in raw:
        return None, None
    spans: list[tuple[int, int]] = []
    for k, pair in enumerate(_member(raw, "sentence_breaks", list, where)):
        ok = isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, int) for x in pair)
        if not ok or not (spans[-1][1] if spans else 0) <= pair[0] < pair[1] <= len(context):
            raise InputError(
                f"{where}.sentence_breaks[{k}]: {pair} is not a span after the last one within {len(context)} "
                "characters"
            )
        spans.append((pair[0], pair[1]))
    texts = raw.get("sentences")
    if texts is not None and (
        not isinstance(texts, list) or len(texts) != len(spans) or not all(isinstance(t, str) for t in texts)
    ):
        raise InputError(f"{where}.sentences: not one text for each of the {len(spans)} sentence breaks")
    return spans, texts


def read_file(path: Path, lang: str, tally: Tally, contents: Contents) -> None:
    """Add the paragraphs and questions of one file.

    Raises:
        InputError: not JSON, no `data`, or nothing in it that can be used. Records that cannot be used are counted in
            the tally.
    """
    name = path.name
    document = read_json(path)
    try:
        articles = _member(document, "data", list, name)
    except InputError as error:
        raise InputError(f"{path.parent}/{error}") from None
    known: dict[str, int] = {}
    questions_before = len(contents.questions)
    for i, article in enumerate(articles):
        where = f"{name}: data[{i}]"
        try:
            title = article.get("title") or "" if isinstance(article, dict) else ""
            raw_paragraphs = _member(article, "paragraphs", list, where)
        except InputError as error:
            tally.leave_out("article without paragraphs", str(error))
            continue
        tally.count("articles")
        for j, raw in enumerate(raw_paragraphs):
            where = f"{name}: data[{i}].paragraphs[{j}]"
            try:
                context = _member(raw, "context", str, where)
                questions = _member(raw, "qas", list, where)
                spans, texts = _breaks(raw, context, where)
            except InputError as error:
                tally.leave_out("paragraph that cannot be read", str(error))
                continue
            if not context.strip():
                tally.leave_out("paragraph with an empty context", where)
                continue
            tally.count("paragraphs")
            # TyDi QA repeats a paragraph for each of its questions. The very same paragraph of one file is one passage,
            # not two: this is the identity of a document, not a guess at meaning.
            number = known.setdefault(context, len(contents.paragraphs))
            if number == len(contents.paragraphs):
                contents.paragraphs.append(
                    Paragraph(lang, context, title if isinstance(title, str) else "", where, spans, texts)
                )
            else:
                tally.count("repeated paragraphs (read as one)")
            for k, item in enumerate(questions):
                _question(item, lang, number, f"{where}.qas[{k}]", tally, contents)
    if len(contents.questions) == questions_before:
        raise InputError(f"{path}: no question in it can be read; {'; '.join(tally.lines())}")


def _question(raw: Any, lang: str, paragraph: int, where: str, tally: Tally, contents: Contents) -> None:
    identifier = raw.get("id") if isinstance(raw, dict) else None
    text = raw.get("question") if isinstance(raw, dict) else None
    if type(identifier) is int:
        identifier = str(identifier)
    if not isinstance(identifier, str) or not identifier:
        tally.leave_out("question without an id", where)
    elif not isinstance(text, str):
        tally.leave_out("question without a text", where)
    elif not text.strip():
        tally.leave_out("question with an empty text", where)
    elif raw.get("is_impossible") not in (None, True, False):
        tally.leave_out("question whose is_impossible is neither true nor false", where)
    elif answers.is_impossible(raw):
        tally.pass_over("question that its paragraph does not answer (SQuAD 2.0's is_impossible)", where)
    else:
        tally.count("questions")
        starts = answers.starts(raw, contents.paragraphs[paragraph].context, where, tally)
        contents.questions.append(Question(identifier, lang, text, paragraph, starts, where))


def read_contents(
    path: str | Path,
    tally: Tally,
    *,
    language: str | None = None,
    languages: Sequence[str] | None = None,
    files: str | None = None,
    shared_ids: bool | None = None,
) -> Contents:
    """Everything in a file or in the files of a folder.

    Args:
        path: a file, or a folder whose files tell their language (`xx.json`, `name.xx.dev.json.gz`).
        tally: gets the counts.
        language: of files whose names do not tell it.
        languages: read only these languages of a folder.
        files: a glob within the folder, such as `*.dev.*`.
        shared_ids: whether a question id names the same question in every file. By default it does, except in files
            whose ids repeat over different questions (TyDi QA's train files number the answers of a page, not the
            questions).
    """
    contents = Contents()
    for file, lang in find_files(Path(path), language=language, languages=languages, files=files, tally=tally):
        first = len(contents.questions)
        read_file(file, lang, tally, contents)
        own = contents.questions[first:]
        if not (_ids_name_questions(own) if shared_ids is None else shared_ids):
            tally.count("files whose ids name no question (place in the file taken instead)")
            for question in own:
                question.id = question.where.replace(": ", "/")
    _check_ids(contents, tally)
    return contents


def _ids_name_questions(questions: Sequence[Question]) -> bool:
    """Whether nine of ten different questions have an id of their own."""
    different = {(question.id, question.text) for question in questions}
    return len({question.id for question in questions}) >= 0.9 * len(different)


def _check_ids(contents: Contents, tally: Tally) -> None:
    """Leave out a question whose id already belongs to another text in its language."""
    first: dict[tuple[str, str], str] = {}
    kept = []
    for question in contents.questions:
        if first.setdefault((question.id, question.lang), question.text) == question.text:
            kept.append(question)
        else:
            tally.leave_out("question whose id belongs to another question of its language", question.where)
    contents.questions = kept


Place = tuple[int, int]  # (paragraph, sentence); the sentence is -1 for a whole paragraph


def places(contents: Contents, question: Question, unit: Unit, tally: Tally) -> list[Place]:
    """The passages that answer a question, in the order of its answers: `start <= answer_start < end` for sentences."""
    if unit == "paragraph":
        return [(question.paragraph, -1)]
    if not question.starts:
        tally.leave_out("question whose answers have no usable text or place, so no gold sentence", question.where)
        return []
    spans = contents.paragraphs[question.paragraph].sentence_spans()
    sentences = []
    for start in question.starts:
        inside = [number for number, (low, high) in enumerate(spans) if low <= start < high]
        if inside:
            sentences.append((question.paragraph, inside[0]))
        else:
            tally.leave_out("answer that begins in no sentence", question.where)
    return list(dict.fromkeys(sentences))


def read_training(
    path: str | Path,
    *,
    unit: Unit = "sentence",
    language: str | None = None,
    languages: Sequence[str] | None = None,
    files: str | None = None,
    shared_ids: bool | None = None,
    strict: bool = False,
    source: str = "squad",
) -> tuple[ParallelCorpus, Tally]:
    """Training pairs of questions and the passages that answer them.

    A question id that occurs in several languages is one query group. The passage group of a row is what that id's
    first answer names in each language: (paragraph, sentence), or the paragraph.

    Args:
        path: as in `read_contents`.
        language: as in `read_contents`.
        languages: as in `read_contents`.
        files: as in `read_contents`.
        shared_ids: as in `read_contents`.
        unit: the passage: the gold sentence, the sentence followed by its paragraph, or the paragraph.
        strict: a record that cannot be used is an error.
        source: the name of the source in the corpus.

    Raises:
        InputError: a file cannot be read, or nothing in it can be used.
    """
    check_unit(unit, "unit")
    tally = Tally(strict=strict)
    contents = read_contents(path, tally, language=language, languages=languages, files=files, shared_ids=shared_ids)
    if all(not question.starts for question in contents.questions) and unit != "paragraph":
        raise InputError(f"{path}: no answer in it has a text, so there are no gold sentences; use `unit: paragraph`")
    builder = CorpusBuilder(source)
    add_rows(builder, contents, unit, tally)
    corpus = builder.build()
    tally.count("rows", len(corpus))
    if not len(corpus):
        raise InputError(f"{path}: no row can be used; {'; '.join(tally.lines())}")
    return corpus, tally


def add_rows(builder: CorpusBuilder, contents: Contents, unit: Unit, tally: Tally) -> None:
    """One row for every question id and passage group."""
    # Which passages are translations of one another is known through the question ids alone. Two ids that share an
    # English sentence may still have their answers in two Spanish ones, because a translator splits and joins sentences
    # (in XQuAD-R 852 Thai sentences stand for 1,276 German ones). So passages form a group only where the same id names
    # them all; ids that name the same passages in the same languages share the group, and groups that overlap in one
    # language fall into one `family` by that identical text, which keeps them from being each other's negatives.
    named: dict[str, dict[str, Place]] = {}
    more: dict[str, list[tuple[str, Place]]] = {}
    seen: set[tuple[str, str]] = set()
    for question in contents.questions:
        builder.text(
            f"question/{question.id}", question.lang, question.text, contents.paragraphs[question.paragraph].title
        )
        for place in places(contents, question, unit, tally):
            further = more.setdefault(question.id, [])
            if (
                named.setdefault(question.id, {}).setdefault(question.lang, place) != place
                and (question.lang, place) not in further
            ):
                further.append((question.lang, place))
            elif (question.id, question.lang) in seen:
                tally.count("repeated questions (read as one)")
        seen.add((question.id, question.lang))

    def row(identifier: str, members: list[tuple[str, Place]]) -> None:
        key = "passage/" + "+".join(f"{lang}.{p}" if s < 0 else f"{lang}.{p}.{s}" for lang, (p, s) in members)
        for lang, (p, s) in members:
            paragraph = contents.paragraphs[p]
            builder.text(key, lang, paragraph.passage(s, unit), paragraph.title)
        builder.row(f"question/{identifier}", key)

    for identifier, by_language in named.items():
        row(identifier, sorted(by_language.items()))
        # A further answer elsewhere is a row of its own. It is no known translation of anything, so it stands alone.
        for lang, place in more.get(identifier, ()):
            row(identifier, [(lang, place)])


def _is_tydi(path: Path) -> bool:
    """Whether this is TyDi QA GoldP, by its file names."""
    names = [p.name for p in path.glob("*.json*")] if path.is_dir() else [path.name]
    return bool(names) and all(name.startswith("tydiqa.goldp.") for name in names)


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    candidate_text: Unit | None = None,
    language: str | None = None,
    languages: Sequence[str] | None = None,
    files: str | None = None,
    shared_ids: bool | None = None,
    strict: bool = False,
    licence: str = "",
) -> RetrievalSet:
    """Every question against every sentence (or paragraph) of the files.

    A question in X is answered by the gold passages of its id in every language. Clusters are
    paragraphs, tied over languages by the shared question ids; in XQuAD-R they are the position in the file.

    Args:
        path: as for `read_contents`; of a folder of TyDi QA GoldP (`tydiqa.goldp.xx.dev.json`) the dev files alone are
            read.
        name: of the benchmark.
        candidate_text: what a passage is. None: `paragraph` for TyDi QA GoldP, whose gold passages are its paragraphs,
            else `sentence`.
        language: as for `read_contents`.
        languages: as for `read_contents`.
        files: as for `read_contents`.
        shared_ids: as for `read_contents`.
        strict: a record that cannot be used is an error.
        licence: of the data.

    Raises:
        InputError: a file cannot be read, or no question has a relevant passage.
    """
    tydi = _is_tydi(Path(path))
    candidate_text = candidate_text or ("paragraph" if tydi else "sentence")
    check_unit(candidate_text, "candidate_text")
    files = "*.dev.*" if tydi and files is None else files
    tally = Tally(strict=strict)
    contents = read_contents(path, tally, language=language, languages=languages, files=files, shared_ids=shared_ids)
    if all(not question.starts for question in contents.questions) and candidate_text != "paragraph":
        raise InputError(
            f"{path}: no answer in it has a text, so there are no gold sentences; use `candidate_text: paragraph`"
        )
    return retrieval_set(contents, tally, name=name, unit=candidate_text, licence=licence)


def paragraph_clusters(contents: Contents) -> np.ndarray:
    """(paragraphs,) int32: paragraphs that share a question id, over any chain of ids, share a number."""
    last: dict[str, int] = {}
    a, b = [], []
    for question in contents.questions:
        a.append(last.get(question.id, question.paragraph))
        b.append(question.paragraph)
        last[question.id] = question.paragraph
    return components(len(contents.paragraphs), a, b)


def retrieval_set(contents: Contents, tally: Tally, *, name: str, unit: Unit, licence: str) -> RetrievalSet:
    """Queries, candidates and judgements of what was read. See `read_retrieval`."""
    codes = tuple(
        sorted(
            {paragraph.lang for paragraph in contents.paragraphs} | {question.lang for question in contents.questions}
        )
    )
    number_of = {code: n for n, code in enumerate(codes)}
    cluster = paragraph_clusters(contents)
    in_language: Counter[str] = Counter()
    passage_of: dict[Place, int] = {}
    ids, texts, lang, owner = [], [], [], []
    for p, paragraph in enumerate(contents.paragraphs):
        position = in_language[paragraph.lang]
        in_language[paragraph.lang] += 1
        for s in [-1] if unit == "paragraph" else range(len(paragraph.sentence_spans())):
            passage_of[p, s] = len(ids)
            ids.append(f"{paragraph.lang}-{position}" if s < 0 else f"{paragraph.lang}-{position}-{s}")
            texts.append(paragraph.passage(s, unit))
            lang.append(number_of[paragraph.lang])
            owner.append(p)

    group_of: dict[str, int] = {}
    answered: dict[str, set[int]] = {}
    queries: dict[tuple[str, str], Question] = {}
    for question in contents.questions:
        group_of.setdefault(question.id, len(group_of))
        queries.setdefault((question.id, question.lang), question)
        answered.setdefault(question.id, set()).update(
            passage_of[place] for place in places(contents, question, unit, tally)
        )
    kept = [question for question in queries.values() if answered[question.id]]
    if len(kept) < len(queries):
        first = next(question for question in queries.values() if not answered[question.id])
        tally.leave_out("question without a relevant passage in any language", first.where, len(queries) - len(kept))
    if not kept:
        raise InputError(f"{name}: no question has a relevant passage; {'; '.join(tally.lines())}")
    judgements = [(q, passage, 1) for q, question in enumerate(kept) for passage in sorted(answered[question.id])]
    # Passages that answer one id, over any chain of ids, belong to one cluster of judgements.
    chains = [sorted(answers) for answers in answered.values()]
    tied = components(len(ids), [x for chain in chains for x in chain[:-1]], [x for chain in chains for x in chain[1:]])
    judged = np.zeros(len(ids), bool)
    judged[[passage for chain in chains for passage in chain]] = True
    return RetrievalSet(
        name=name,
        languages=codes,
        queries=Texts(
            ids=[f"{question.lang}-{question.id}" for question in kept],
            texts=[question.text for question in kept],
            lang=np.array([number_of[question.lang] for question in kept], np.int16),
            group=np.array([group_of[question.id] for question in kept], np.int32),
            cluster=cluster[[question.paragraph for question in kept]],
        ),
        passages=Texts(
            ids, texts, np.array(lang, np.int16), np.where(judged, tied, -1).astype(np.int32), cluster[owner]
        ),
        judgements=np.array(judgements, np.int64),
        parallel=len(queries) > len(group_of),
        notes=tally.notes(),
        licence=licence,
        candidate_text=unit,
    )
