"""X-Stance: comments for or against political questions (Vamvas and Sennrich 2020); `questions.xx.jsonl`,
`train.jsonl`, `valid.jsonl`.

Questions are parallel by id; comments are written in one language each and are no translations of one another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triglot.corpus.labelled import Labelled, LabelledData, NoTraining, distinct
from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest, read_jsonl
from triglot.graph import components
from triglot.language_tags import TAG, language, tag

LABELS = ("AGAINST", "FAVOR")
NAME = re.compile(rf"questions\.({TAG})\.jsonl(\.gz)?")
_COMMENTS = re.compile(r"((?!questions\b)[^.]+)\.jsonl(\.gz)?")


@dataclass(frozen=True)
class Questions:
    """Questions in several languages.

    Attributes:
        languages: codes, sorted.
        texts: (language, question id) -> text.
        number: question id -> number of the question. Smartvote asks some questions again under a new id; ids whose
            text is identical in any language share a number (paraphrases do not: that would be a guess).
    """

    languages: tuple[str, ...]
    texts: dict[tuple[str, str], str]
    number: dict[str, int]

    @property
    def repeated(self) -> int:
        """How many ids repeat another's text."""
        return len(self.number) - len(set(self.number.values()))


@dataclass(frozen=True)
class Stances:
    """Comments with their stance towards a question, for classification.

    Attributes:
        languages: codes of the comments, sorted.
        ids, comments, authors: one a comment; an author is "" where none is given.
        lang: (comments,) int16 index into `languages`.
        question: question id of each comment.
        labels: (comments,) int8 index into `LABELS`.
        questions: the questions, in every language they have.
    """

    languages: tuple[str, ...]
    ids: list[str]
    comments: list[str]
    authors: list[str]
    lang: np.ndarray
    question: list[str]
    labels: np.ndarray
    questions: Questions

    def __len__(self) -> int:
        return len(self.ids)

    def asked_in(self, language: str | None = None) -> list[str]:
        """The question of each comment, in one language or (by default) in the comment's own.

        Raises InputError where it has none.
        """
        if language is not None and language not in self.questions.languages:
            raise InputError(f"no questions in {language!r}{nearest(language, self.questions.languages)}")
        texts = []
        for number, question in zip(self.lang.tolist(), self.question, strict=True):
            code = language or self.languages[number]
            if (code, question) not in self.questions.texts:
                raise InputError(f"question {question} has no text in {code!r}")
            texts.append(self.questions.texts[code, question])
        return texts

    def take(self, rows: np.ndarray) -> Stances:
        """The comments at these indices."""
        columns = [[column[i] for i in rows] for column in (self.ids, self.comments, self.authors, self.question)]
        ids, comments, authors, question = columns
        return Stances(
            self.languages, ids, comments, authors, self.lang[rows], question, self.labels[rows], self.questions
        )

    def without_authors(self, authors: Sequence[str]) -> Stances:
        """Only the comments of other authors (170 of X-Stance's authors occur in both train and valid)."""
        known = set(authors) - {""}
        return self.take(np.array([i for i, author in enumerate(self.authors) if author not in known], np.int64))


def _identifier(value: object) -> str:
    return str(value) if type(value) in (str, int) else ""


def read_questions(path: str | Path, tally: Tally) -> Questions:
    """The questions of a folder. Raises InputError where there are none."""
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: a folder with questions.xx.jsonl and comments was expected")
    files = []
    for file in sorted(folder.iterdir()):
        match = NAME.fullmatch(file.name)
        if match and (code := tag(match[1])) is not None:
            files.append((file, code))
        elif file.name.startswith("questions."):
            tally.pass_over("file of questions whose name tells no language", file)
    texts: dict[tuple[str, str], str] = {}
    for file, code in files:
        for number, record in read_jsonl(file):
            identifier = _identifier(record.get("id")) if isinstance(record, dict) else ""
            text = record.get("text") if isinstance(record, dict) else None
            if not identifier:
                tally.leave_out("question without an id", f"{file}:{number}")
            elif not isinstance(text, str) or not text.strip():
                tally.leave_out("question with an empty text", f"{file}:{number}")
            elif (code, identifier) not in texts:
                texts[code, identifier] = text
                tally.count("questions")
            elif texts[code, identifier] == text:
                tally.count("repeated questions (read as one)")
            else:
                tally.leave_out("question whose id belongs to an earlier one of its language", f"{file}:{number}")
    if not texts:
        raise InputError(
            f"{folder}: no question in a file such as questions.xx.jsonl can be read; {'; '.join(tally.lines())}"
        )
    ids = {identifier: n for n, identifier in enumerate(dict.fromkeys(identifier for _, identifier in texts))}
    first: dict[tuple[str, str], int] = {}
    tied = [
        (first.setdefault((code, text), ids[identifier]), ids[identifier]) for (code, identifier), text in texts.items()
    ]
    number_of = components(len(ids), [a for a, _ in tied], [b for _, b in tied]).tolist()
    questions = Questions(
        tuple(sorted({code for code, _ in texts})), texts, {identifier: number_of[n] for identifier, n in ids.items()}
    )
    if questions.repeated:
        tally.count("question ids that repeat another's text (read as one question)", questions.repeated)
    return questions


def _comment_files(path: str | Path) -> dict[str, Path]:
    """Split -> its file of comments."""
    return {match[1]: p for p in sorted(Path(path).iterdir()) if (match := _COMMENTS.fullmatch(p.name))}


def read(
    path: str | Path, *, split: str = "valid", languages: Sequence[str] | None = None, strict: bool = False
) -> tuple[Stances, Tally]:
    """The comments of a split, for classification. Machine translations of comments (`translation`) are not read.

    Args:
        path: the folder.
        split: the name of the file of comments, without `.jsonl`.
        languages: read only comments in these languages; questions are read in all.
        strict: a record that cannot be used is an error.

    Raises:
        InputError: a file is missing or cannot be read, or no comment can be used.
    """
    tally = Tally(strict=strict)
    questions = read_questions(path, tally)
    known = _comment_files(path)
    if split not in known:
        raise InputError(f"{path}: no comments in {split}.jsonl{nearest(split, known)}")
    rows: dict[str, tuple[str, str, str, str, int]] = {}
    for number, record in read_jsonl(known[split]):
        where = f"{known[split]}:{number}"
        if not isinstance(record, dict) or not _identifier(record.get("id")):
            tally.leave_out("comment without an id", where)
            continue
        identifier, comment, code = _identifier(record["id"]), record.get("comment"), record.get("language")
        question, label = _identifier(record.get("question_id")), record.get("label")
        if not isinstance(comment, str) or not comment.strip():
            tally.leave_out("comment with an empty text", where)
        elif not isinstance(code, str) or not code:
            tally.leave_out("comment without a language", where)
        elif languages is not None and language(code, where) not in languages:
            tally.count("comments in other languages (not asked for)")
        elif question not in questions.number:
            tally.leave_out("comment on an unknown question", where)
        elif label not in LABELS:
            tally.leave_out(f"comment whose label is not {' or '.join(LABELS)}", where)
        elif identifier in rows:
            tally.leave_out("comment whose id occurred before", where)
        else:
            rows[identifier] = (
                language(code, where),
                comment,
                _identifier(record.get("author")),
                question,
                LABELS.index(label),
            )
            tally.count("comments")
            if "translation" in record:
                tally.count("comments with a machine translation (not read)")
    if not rows:
        raise InputError(f"{known[split]}: no comment in it can be used; {'; '.join(tally.lines())}")
    codes = tuple(sorted({code for code, *_ in rows.values()}))
    columns = list(zip(*rows.values(), strict=True))
    lang, labels = np.array([codes.index(code) for code in columns[0]], np.int16), np.array(columns[4], np.int8)
    return Stances(
        codes, list(rows), list(columns[1]), list(columns[2]), lang, list(columns[3]), labels, questions
    ), tally


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    split: str = "valid",
    languages: Sequence[str] | None = None,
    strict: bool = False,
    licence: str = "",
) -> RetrievalSet:
    """Questions in each of their languages against all comments of a split; relevant are the comments on that question.

    Cross-lingual, because a question exists in languages in which nobody commented on it. Ids with an identical text
    are one question (see `Questions`): their comments answer both. Clusters are questions.

    Args:
        path: the folder.
        name: of the benchmark.
        split: as in `read`.
        languages: keep only queries and comments in these.
        strict: a record that cannot be used is an error.
        licence: of the data, for the report.

    Raises:
        InputError: as `read`; or no query is left in the languages asked for.
    """
    stances, tally = read(path, split=split, languages=languages, strict=strict)
    questions = stances.questions
    asked = [code for code in questions.languages if languages is None or code in languages]
    codes = tuple(sorted({*asked, *stances.languages}))
    of_comment = [questions.number[question] for question in stances.question]
    answers: dict[int, list[int]] = {}
    for row, number in enumerate(of_comment):
        answers.setdefault(number, []).append(row)
    # One question may have two wordings in a language. Both are asked; the very same wording is asked once.
    queries: dict[tuple[str, int, str], str] = {}
    unanswered: set[tuple[str, int, str]] = set()
    for (code, identifier), text in questions.texts.items():
        number = questions.number[identifier]
        if code in asked and number in answers:
            queries.setdefault((code, number, text), f"{code}-{identifier}")
        elif code in asked:
            unanswered.add((code, number, text))
    if not queries:
        raise InputError(
            f"{name}: no question with comments in {', '.join(languages or codes)}; {'; '.join(tally.lines())}"
        )
    numbers = np.array([number for _, number, _ in queries], np.int32)
    triples = [(row, comment, 1) for row, number in enumerate(numbers.tolist()) for comment in answers[number]]
    passage_number = np.array(of_comment, np.int32)
    notes = (f"{len(unanswered)} queries have no comment in {split}",) if unanswered else ()
    if questions.repeated:
        notes = (
            *notes,
            f"{questions.repeated} question ids repeat another's text in some language and are read as one "
            "question with it",
        )
    query_lang = np.array([codes.index(code) for code, *_ in queries], np.int16)
    comment_lang = np.array([codes.index(code) for code in stances.languages], np.int16)[stances.lang]
    return RetrievalSet(
        name=name,
        languages=codes,
        queries=Texts(list(queries.values()), [text for *_, text in queries], query_lang, numbers, numbers),
        passages=Texts(stances.ids, stances.comments, comment_lang, passage_number, passage_number),
        judgements=np.array(triples, np.int64),
        parallel=False,
        notes=(*notes, *tally.notes()),
        licence=licence,
    )


def labelled(stances: Stances) -> Labelled:
    """Questions in every language that they have, and comments in the one that they were written in; groups are
    questions."""
    texts = stances.questions.texts
    codes = tuple(sorted({*stances.languages, *stances.questions.languages}))
    first, first_at = distinct([[texts.get((code, question)) for question in stances.question] for code in codes])
    spoken = [stances.languages[number] for number in stances.lang.tolist()]
    written = list(zip(stances.comments, spoken, strict=True))
    second, second_at = distinct([[text if own == code else None for text, own in written] for code in codes])
    group = np.array([stances.questions.number[question] for question in stances.question], np.int64)
    key = np.arange(len(stances), dtype=np.int64)
    return Labelled(codes, LABELS, first, second, first_at, second_at, stances.labels, group, stances.ids, key)


def read_classification(
    path: str | Path,
    *,
    languages: Sequence[str] | None = None,
    among: Sequence[str] = (),
    split: str = "",
    train: str = "",
    train_languages: Sequence[str] | None = None,
    new_authors: bool = False,
    strict: bool = False,
    head: Mapping[str, Any] | None = None,
) -> LabelledData:
    """The comments of a split to test, and those of another to train a head on.

    Arguments are explained in `LabelledData`.

    Raises:
        NoTraining: there is no file to train a head on, and none is given.
        InputError: as `read`, or no training comment is left.
    """
    split, train = split or "valid", train or "train"
    languages = list(among) if languages is None and among else languages
    stances, tally = read(path, split=split, languages=languages, strict=strict)
    test, notes, facts = labelled(stances), list(tally.notes()), {"format": "stance"}
    counts = {"items": len(stances), "questions": len(np.unique(test.group))}
    if head is not None:
        return LabelledData(test, None, notes, facts, counts, sides=("query", "passage"), majority_by_group=True)
    if train not in (splits := _comment_files(path)):
        raise NoTraining(f"{path}: no comments in {train}.jsonl{nearest(train, splits)}")
    trained, of_training = read(path, split=train, languages=train_languages or languages, strict=strict)
    notes += [note for note in of_training.notes() if note not in notes]
    known = set(stances.authors) & set(trained.authors) - {""}
    written = sum(author in known for author in trained.authors)
    if known and new_authors:
        trained = trained.without_authors(sorted(known))
        notes.append(f"{written:,} training comments of {len(known)} authors of tested comments are left out")
    elif known:
        others = sum(author in known for author in stances.authors)
        notes.append(
            f"{len(known)} authors wrote {others:,} tested and {written:,} training comments (new_authors: true "
            "leaves out the latter)"
        )
    if not len(trained):
        raise InputError(f"{path}: no training comment is left without the authors of the tested ones")
    counts |= {"training_items": len(trained), "shared_authors": len(known)}
    return LabelledData(
        test, labelled(trained), notes, facts, counts, sides=("query", "passage"), majority_by_group=True
    )
