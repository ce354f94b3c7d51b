"""MLQA's `test-context-XX-question-YY.json[.gz]` files: question in YY, paragraph in XX, ids shared over the files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from triglot.corpus.formats import squad
from triglot.corpus.formats.squad import Contents, Question, Unit
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest
from triglot.language_tags import TAG, tag
from triglot.ranges import Portion, Seed
from triglot.seeds import uniform

Part = Literal["all", "train", "validation"]
NAME = re.compile(rf".*context-({TAG})-question-({TAG})\.json(\.gz)?")


def find_files(
    path: Path, languages: Sequence[str] | None = None, tally: Tally | None = None
) -> list[tuple[Path, str, str]]:
    """(file, context language, question language). With `languages`, both must be among them.

    Raises InputError where there is none.
    """
    files = []
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        match = NAME.fullmatch(file.name)
        context, question = (tag(match[1]), tag(match[2])) if match else (None, None)
        if context is not None and question is not None:
            files.append((file, context, question))
        elif tally is not None and file.name.endswith((".json", ".json.gz")):
            tally.pass_over("file whose name tells no languages of context and question", file)
    kept = [(p, c, q) for p, c, q in files if languages is None or (c in languages and q in languages)]
    if not kept:
        why = f" in the languages {list(languages)}" if files and languages is not None else ""
        raise InputError(f"{path}: no file such as `test-context-xx-question-yy.json[.gz]`{why}")
    return kept


def read_contents(
    path: str | Path, tally: Tally, *, languages: Sequence[str] | None = None
) -> tuple[Contents, list[tuple[Question, str]]]:
    """Paragraphs once each, and (question, context language) for every question of every file.

    A paragraph occurs in a file once for each of its questions, and in the files of every question language. The very
    same paragraph in the same language is one paragraph: that is the identity of a document, not a guess at meaning.
    """
    whole = Contents()
    number_of: dict[tuple[str, str], int] = {}
    pairs: list[tuple[Question, str]] = []
    text_of: dict[tuple[str, str], str] = {}
    for file, context_lang, question_lang in find_files(Path(path), languages, tally):
        one = Contents()
        squad.read_file(file, context_lang, tally, one)
        renumber = []
        for paragraph in one.paragraphs:
            number = number_of.setdefault((context_lang, paragraph.context), len(whole.paragraphs))
            if number == len(whole.paragraphs):
                whole.paragraphs.append(paragraph)
            renumber.append(number)
        for question in one.questions:
            question.lang = question_lang
            question.paragraph = renumber[question.paragraph]
            if text_of.setdefault((question.id, question_lang), question.text) != question.text:
                tally.leave_out(
                    "question whose text differs from that of the same id and language in another file", question.where
                )
                continue
            pairs.append((question, context_lang))
    # Arabic and Hindi questions come without paragraphs of their own, so a question may have no language in common with
    # its paragraphs.
    whole.questions = [question for question, _ in pairs]
    return whole, pairs


def _part_of(contents: Contents, *, part: Part, seed: int, share: float) -> np.ndarray:
    """(paragraphs,) bool: which paragraphs belong to the part.

    A cluster of paragraphs tied by question ids never splits.
    """
    clusters = squad.paragraph_clusters(contents)
    if part == "all":
        return np.ones(len(contents.paragraphs), bool)
    smallest = [""] * (int(clusters.max(initial=-1)) + 1)
    for question in contents.questions:
        cluster = clusters[question.paragraph]
        if not smallest[cluster] or question.id < smallest[cluster]:
            smallest[cluster] = question.id
    # Drawn from the ids, so the split does not depend on the order of files or on their number in other folders.
    keys = [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "little") for name in smallest]
    validation = uniform(seed, "mlqa part", np.array(keys, np.int64)) < share
    return (validation if part == "validation" else ~validation)[clusters]


def _load(
    path: str | Path, tally: Tally, languages: Sequence[str] | None, part: Part, seed: int, share: float
) -> Contents:
    if part not in get_args(Part):
        raise InputError(f"part: {part!r} is not a part{nearest(part, get_args(Part))}")
    if not 0 < share < 1:
        raise InputError(f"share: {share} is not between 0 and 1")
    # The split is made over all languages: a choice of languages must not move a paragraph from one part to the other.
    contents, pairs = read_contents(path, tally)
    keep = _part_of(contents, part=part, seed=seed, share=share)
    if languages is not None:
        find_files(Path(path), languages)
        pairs = [(question, lang) for question, lang in pairs if question.lang in languages and lang in languages]
    pairs = [(question, lang) for question, lang in pairs if keep[question.paragraph]]
    used = np.unique([question.paragraph for question, _ in pairs]).astype(int)
    renumber = {int(old): new for new, old in enumerate(used)}
    for question, _ in pairs:
        question.paragraph = renumber[question.paragraph]
    kept = Contents([contents.paragraphs[i] for i in used], [question for question, _ in pairs])
    if not kept.questions:
        raise InputError(f"{path}: no question in part {part!r}")
    return kept


def read_training(
    path: str | Path,
    *,
    unit: Unit = "paragraph",
    languages: Sequence[str] | None = None,
    part: Part = "all",
    seed: Seed = 1,
    share: Portion = 0.1,
    strict: bool = False,
    source: str = "mlqa",
) -> tuple[ParallelCorpus, Tally]:
    """Training pairs: a question id is a query group with its texts; its passage group is the paragraphs (or gold
    sentences) it names.

    MLQA's paragraphs are not translations of one another: each holds one sentence that is. So two ids that share a
    German paragraph need not share a Spanish one, and a passage group ties only what one id ties.

    Args:
        path: a folder of such files, or one of them.
        unit: sentences need files with answers.
        languages: keep only questions and paragraphs in these languages.
        part: keep only the clusters of paragraphs drawn for validation, or only the others.
        seed: of the draw.
        share: of the clusters that are drawn for validation, about.
        strict: a record that cannot be used is an error.
        source: the name of the source in the corpus.

    Raises:
        InputError: a file cannot be read, or nothing in it can be used.
    """
    squad.check_unit(unit, "unit")
    tally = Tally(strict=strict)
    contents = _load(path, tally, languages, part, seed, share)
    builder = CorpusBuilder(source)
    named: dict[str, dict[str, squad.Place]] = {}
    for question in contents.questions:
        builder.text(f"question/{question.id}", question.lang, question.text)
        if unit != "paragraph" and not question.starts:
            tally.leave_out("question whose answers have no usable text or place, so no gold sentence", question.where)
            continue
        for place in squad.places(contents, question, unit, tally)[:1]:
            lang = contents.paragraphs[place[0]].lang
            if named.setdefault(question.id, {}).setdefault(lang, place) != place:
                tally.leave_out("question id that names a second passage in one language", question.where)
    for identifier, by_language in named.items():
        members = sorted(by_language.items())
        key = "passage/" + "+".join(f"{lang}.{p}" if s < 0 else f"{lang}.{p}.{s}" for lang, (p, s) in members)
        for lang, (p, s) in members:
            builder.text(key, lang, contents.paragraphs[p].passage(s, unit), contents.paragraphs[p].title)
        builder.row(f"question/{identifier}", key)
    corpus = builder.build()
    tally.count("rows", len(corpus))
    if not len(corpus):
        raise InputError(f"{path}: no row can be used; {'; '.join(tally.lines())}")
    return corpus, tally


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    candidate_text: Unit = "paragraph",
    languages: Sequence[str] | None = None,
    part: Part = "all",
    seed: Seed = 1,
    share: Portion = 0.1,
    strict: bool = False,
    licence: str = "",
) -> RetrievalSet:
    """Every question against the paragraphs of every context language; one relevant paragraph for a question id and
    language.

    `part`, `seed` and `share` as in `read_training`: what is `validation` here is never in `train` there.
    """
    squad.check_unit(candidate_text, "candidate_text")
    tally = Tally(strict=strict)
    contents = _load(path, tally, languages, part, seed, share)
    return squad.retrieval_set(contents, tally, name=name, unit=candidate_text, licence=licence)
