"""The BEIR layout: `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`; with translations in `corpus.xx.jsonl`,
`queries.xx.jsonl`.

A record is `{"_id", "text", "title"?, "lang"?}`. The same `_id` in two files of one kind is the same text in two
languages. Judgements may be JSON lines too (`qrels/SPLIT.jsonl`, read where there is no `.tsv`). Every file may be gzip
(`.gz`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from triglot.corpus.formats import qrels
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.corpus.retrieval import Absent, RetrievalSet, Texts
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest, read_jsonl
from triglot.graph import components
from triglot.language_tags import TAG, tag
from triglot.language_tags import language as language_of
from triglot.text import titled

_KIND = re.compile(r"(corpus|queries)(?:\.(.+))?\.jsonl(\.gz)?")
_QRELS = re.compile(r"(.+)\.(jsonl|tsv)(\.gz)?")
_CORPUS = re.compile(rf"corpus(\.{TAG})?\.jsonl(\.gz)?")
NOT_FOUND = "counted as not found"


@dataclass
class Records:
    """Texts of one kind by (id, language), in file order.

    Attributes:
        texts: as they are encoded.
        titles: of documents, by id.
        elsewhere: ids that occur in languages that were not asked for.
        same: ids of documents that are, without their title, the query of the same id.
    """

    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    same: set[str] = field(default_factory=set)

    def languages_of(self) -> dict[str, list[str]]:
        """Languages of each id, in file order."""
        languages_of_id: dict[str, list[str]] = {}
        for identifier, lang in self.texts:
            languages_of_id.setdefault(identifier, []).append(lang)
        return languages_of_id


@dataclass
class Contents:
    """A folder in BEIR's layout.

    Attributes:
        corpus, queries: the texts.
        judgements: (query id, document id, grade) whose ids both exist.
        absent: those whose document the corpus does not have.
    """

    corpus: Records
    queries: Records
    judgements: list[tuple[str, str, int]]
    absent: list[tuple[str, str, int]] = field(default_factory=list)


def is_layout(folder: Path) -> bool:
    """Whether a folder has a corpus in this layout."""
    return folder.is_dir() and any(_CORPUS.fullmatch(file.name) for file in folder.iterdir())


def _text(record: dict[str, Any], titles: bool) -> str:
    text, title = record.get("text"), record.get("title") or ""
    if not isinstance(text, str) or not isinstance(title, str):
        return ""
    return titled(title, text) if titles else text


def add_record(
    records: Records,
    record: Any,
    where: str,
    tally: Tally,
    *,
    kind: str,
    language: str,
    languages: Sequence[str] | None,
    titles: bool,
    asked: Mapping[str, set[str]] | None = None,
) -> None:
    """Add `{"_id", "text", "title"?, "lang"?}`, or count why not. Raises InputError for a `lang` that is no code.

    Args:
        records: gets the text.
        record: from a file.
        where: file and line.
        tally: gets the counts.
        kind: `corpus` or `queries`.
        language: of a record that tells none.
        languages: leave out texts in other languages.
        titles: put a title before its text.
        asked: the queries, by id (see `asked`), to tell documents that are one of them.
    """
    what = "passages" if kind == "corpus" else "queries"
    identifier = qrels.identifier_of(record.get("_id")) if isinstance(record, dict) else None
    if identifier is None:
        tally.leave_out("record without an _id", where)
        return
    text = _text(record, titles)
    if not text.strip():
        tally.leave_out("record with an empty text", where)
        return
    lang = language_of(record.get("lang") or language, where)
    if languages is not None and lang not in languages:
        tally.count(f"{what} in other languages (not asked for)")
        records.elsewhere.add(identifier)
    elif (identifier, lang) in records.texts:
        tally.leave_out("record whose _id occurred before in its language", where)
    else:
        records.texts[identifier, lang] = text
        records.titles.setdefault(identifier, record.get("title") or "")
        if asked and {text.strip(), record["text"].strip()} & asked.get(identifier, set()):
            records.same.add(identifier)
        tally.count(what)


def asked(queries: Records) -> dict[str, set[str]]:
    """Query id -> its texts in all languages, stripped."""
    texts_of: dict[str, set[str]] = {}
    for (identifier, _), text in queries.texts.items():
        texts_of.setdefault(identifier, set()).add(text.strip())
    return texts_of


def _read_records(
    folder: Path,
    kind: str,
    tally: Tally,
    *,
    language: str,
    languages: Sequence[str] | None,
    titles: bool = False,
    asked: Mapping[str, set[str]] | None = None,
) -> Records:
    records = Records()
    files = []
    for file in sorted(folder.iterdir()):
        match = _KIND.fullmatch(file.name)
        if match and match[1] == kind:
            if match[2] and tag(match[2]) is None:
                tally.pass_over(f"file of {kind} whose name tells no language", file)
            else:
                files.append((file, tag(match[2] or "")))
    if not files:
        raise InputError(f"{folder}: no {kind}.jsonl{nearest(kind + '.jsonl', [p.name for p in folder.iterdir()])}")
    for file, code in files:
        for number, record in read_jsonl(file):
            where = f"{file}:{number}"
            if isinstance(record, dict) and code:
                record = record | {"lang": code}
            add_record(
                records,
                record,
                where,
                tally,
                kind=kind,
                language=language,
                languages=languages,
                titles=titles,
                asked=asked,
            )
    if not records.texts:
        what = "passages" if kind == "corpus" else "queries"
        raise InputError(f"{folder}: no {what} can be read; {'; '.join(tally.lines())}")
    return records


def _read_qrels(folder: Path, split: str | None, tally: Tally) -> Iterator[tuple[str, str, int, str]]:
    """(query id, document id, grade, where) of one split, or of all."""
    # in this order, so that of two files of one split the TSV is read: data sets of the hub have the same judgements in
    # both
    known = {match[1]: p for p in sorted((folder / "qrels").glob("*")) if (match := _QRELS.fullmatch(p.name))}
    if not known:
        raise InputError(f"{folder}/qrels: no file such as test.tsv")
    if split is not None and split not in known:
        raise InputError(f"{folder}/qrels: no split {split!r}{nearest(split, known)}")
    for file in known.values() if split is None else [known[split]]:
        yield from qrels.read(file, tally)


def read_contents(
    path: str | Path,
    tally: Tally,
    *,
    split: str | None = "test",
    language: str = "en",
    languages: Sequence[str] | None = None,
    titles: bool = True,
    absent: str = NOT_FOUND,
) -> Contents:
    """Everything in a folder. Judgements that name an unknown query or document are counted.

    Args:
        path: the folder.
        tally: gets the counts.
        split: of the judgements; None for all splits.
        language: of records that tell none, in files whose names tell none.
        languages: leave out texts in other languages.
        titles: put a document's title before its text, as BEIR does.
        absent: what becomes of judgements whose document the corpus does not have, for the notes.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: a folder with corpus.jsonl, queries.jsonl and qrels/ was expected")
    queries = _read_records(folder, "queries", tally, language=language, languages=languages)
    known = asked(queries) if absent == NOT_FOUND else None
    corpus = _read_records(folder, "corpus", tally, language=language, languages=languages, titles=titles, asked=known)
    return Contents(
        corpus, queries, *known_judgements(corpus, queries, _read_qrels(folder, split, tally), tally, absent=absent)
    )


Judgements = list[tuple[str, str, int]]


def known_judgements(
    corpus: Records,
    queries: Records,
    given_grades: Iterable[tuple[str, str, int, str]],
    tally: Tally,
    *,
    absent: str = NOT_FOUND,
) -> tuple[Judgements, Judgements]:
    """Judgements (query, document, grade, where) of known queries, each pair once: of known documents, and of those
    that are not there.

    `absent` says what becomes of the latter; the others are counted. Strict readers refuse any that names what is not
    there.
    """
    known_queries, known_documents = corpus_ids(queries), corpus_ids(corpus)
    judgements: dict[tuple[str, str], int] = {}
    for query, document, grade, where in given_grades:
        elsewhere = (query in queries.elsewhere and query not in known_queries) or (
            document in corpus.elsewhere and document not in known_documents
        )
        if elsewhere:
            tally.count("judgements of texts in other languages (not asked for)")
        elif query not in known_queries:
            tally.leave_out("judgement that names an unknown query", where)
        elif judgements.setdefault((query, document), grade) != grade:
            tally.leave_out("judgement that contradicts an earlier one", where)
        elif document not in known_documents and (tally.strict or absent != NOT_FOUND):
            tally.leave_out("judgement that names an unknown document", where)
        elif document not in known_documents and grade > 0:
            tally.remark(NOT_FOUND, "judgement that names an unknown document", where)
    both = [(query, document, grade) for (query, document), grade in judgements.items()]
    return [one for one in both if one[1] in known_documents], [one for one in both if one[1] not in known_documents]


def corpus_ids(records: Records) -> set[str]:
    """The ids of records, whatever their language."""
    return {identifier for identifier, _ in records.texts}


def read_training(
    path: str | Path,
    *,
    split: str = "train",
    language: str = "en",
    languages: Sequence[str] | None = None,
    titles: bool = True,
    strict: bool = False,
    source: str = "beir",
) -> tuple[ParallelCorpus, Tally]:
    """One row for every judgement above 0 of a split.

    Args:
        path: the folder.
        split: of the judgements.
        language: of records that tell none, in files whose names tell none.
        languages: leave out texts in other languages.
        titles: put a document's title before its text, as BEIR does.
        strict: a record or judgement that cannot be used is an error.
        source: the name of the source in the corpus.

    Raises:
        InputError: a file is missing or cannot be read, the split is unknown, or no judgement can be used.
    """
    tally = Tally(strict=strict)
    contents = read_contents(
        path, tally, split=split, language=language, languages=languages, titles=titles, absent="left out"
    )
    builder = CorpusBuilder(source)
    langs = {"question": contents.queries.languages_of(), "passage": contents.corpus.languages_of()}
    for query, document, grade in contents.judgements:
        if grade <= 0:
            tally.count("judgements of grade 0 (no row)")
            continue
        for kind, identifier, records in (
            ("question", query, contents.queries),
            ("passage", document, contents.corpus),
        ):
            for lang in langs[kind][identifier]:
                title = records.titles[identifier] if kind == "passage" else ""
                builder.text(f"{kind}/{identifier}", lang, records.texts[identifier, lang], title)
        builder.row(f"question/{query}", f"passage/{document}")
    corpus = builder.build().tied()
    tally.count("rows", len(corpus))
    if not len(corpus):
        raise InputError(f"{path}: no judgement can be used; {'; '.join(tally.lines())}")
    return corpus, tally


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    split: str = "test",
    language: str = "en",
    languages: Sequence[str] | None = None,
    titles: bool = True,
    strict: bool = False,
    licence: str = "",
) -> RetrievalSet:
    """The queries judged in a split, in every language they have, against the whole corpus.

    Arguments are those of `read_training`. Clusters are the queries and documents that judgements tie, over any chain
    of them. `parallel` is True where the corpus itself has translations; translated queries alone give cross-lingual
    settings without it.
    """
    tally = Tally(strict=strict)
    contents = read_contents(path, tally, split=split, language=language, languages=languages, titles=titles)
    return retrieval_set(contents, tally, name=name, split=split, licence=licence)


def retrieval_set(contents: Contents, tally: Tally, *, name: str, split: str, licence: str) -> RetrievalSet:
    """Queries, passages and judgements of what was read. See `read_retrieval`."""
    relevant = {query for query, _, grade in contents.judgements if grade > 0}
    if not relevant:
        raise InputError(f"{name}: no query has a relevant document in {split}; {'; '.join(tally.lines())}")
    relevant |= {query for query, _, grade in contents.absent if grade > 0}
    unjudged = corpus_ids(contents.queries) - relevant
    codes = tuple(sorted({lang for _, lang in [*contents.queries.texts, *contents.corpus.texts]}))
    number_of = {code: n for n, code in enumerate(codes)}
    query_group = {
        identifier: n
        for n, identifier in enumerate(dict.fromkeys(i for i, _ in contents.queries.texts if i in relevant))
    }
    document_group = {identifier: n for n, identifier in enumerate(dict.fromkeys(i for i, _ in contents.corpus.texts))}
    judged = [(query, document, grade) for query, document, grade in contents.judgements if query in query_group]
    tied = [
        (query_group[query], len(query_group) + document_group[document])
        for query, document, grade in judged
        if grade > 0
    ]
    cluster = components(len(query_group) + len(document_group), *([pair[side] for pair in tied] for side in (0, 1)))

    def texts_of(records: Records, group: dict[str, int], first: int) -> Texts:
        kept = [(identifier, lang) for identifier, lang in records.texts if identifier in group]
        several = len({lang for _, lang in kept}) > 1
        numbers = np.array([group[identifier] for identifier, _ in kept], np.int32)
        return Texts(
            ids=[f"{lang}-{identifier}" if several else identifier for identifier, lang in kept],
            texts=[records.texts[key] for key in kept],
            lang=np.array([number_of[lang] for _, lang in kept], np.int16),
            group=numbers,
            cluster=cluster[first + numbers],
        )

    queries = texts_of(contents.queries, query_group, 0)
    passages = texts_of(contents.corpus, document_group, len(query_group))
    rows_of: list[dict[int, list[int]]] = [{}, {}]
    for side, texts in enumerate((queries, passages)):
        for row, group in enumerate(texts.group.tolist()):
            rows_of[side].setdefault(group, []).append(row)
    triples = sorted(
        (q, p, grade)
        for query, document, grade in judged
        for q in rows_of[0][query_group[query]]
        for p in rows_of[1][document_group[document]]
    )
    answered = np.isin(
        np.arange(len(document_group)), [document_group[document] for _, document, grade in judged if grade > 0]
    )
    both = [
        (query_group[one], document_group[one])
        for one in contents.corpus.same
        if one in query_group and one in document_group
    ]
    same = sorted((q, p) for query, document in both for q in rows_of[0][query] for p in rows_of[1][document])
    notes = (f"{len(unjudged)} queries have no relevant document in {split}",) if unjudged else ()
    return RetrievalSet(
        name=name,
        languages=codes,
        queries=queries,
        passages=Texts(
            passages.ids,
            passages.texts,
            passages.lang,
            np.where(answered[passages.group], passages.cluster, -1).astype(np.int32),
            passages.cluster,
        ),
        judgements=np.array(triples, np.int64),
        parallel=len({lang for _, lang in contents.corpus.texts}) > 1,
        ranked=True,
        notes=(*notes, *tally.notes()),
        licence=licence,
        absent=_absent(contents, query_group, rows_of[0], queries.lang.tolist(), number_of),
        same=np.array(same, np.int64).reshape(-1, 2),
    )


def _absent(
    contents: Contents,
    query_group: Mapping[str, int],
    rows_of: Mapping[int, list[int]],
    lang: Sequence[int],
    number_of: Mapping[str, int],
) -> Absent:
    """Judgements of documents that the corpus does not have, in the languages that they would be in.

    These are all languages of a corpus that is translated; in one whose documents have a language each, that of the
    query.
    """
    languages = sorted({number_of[code] for _, code in contents.corpus.texts})
    translated = len(contents.corpus.texts) > len(corpus_ids(contents.corpus))
    code_of = {number: code for code, number in number_of.items()}

    def languages_for(row: int) -> list[int]:
        if translated:
            return languages
        return [lang[row]] if lang[row] in languages else languages[:1]

    missing = sorted(
        (row, number, grade, f"{code_of[number]}-{document}" if len(languages) > 1 else document)
        for query, document, grade in contents.absent
        for row in rows_of.get(query_group.get(query, -1), ())
        for number in languages_for(row)
    )
    numbers = np.array([one[:3] for one in missing], np.int64).reshape(-1, 3)
    return Absent(numbers[:, 0], numbers[:, 1], numbers[:, 2], [one[3] for one in missing])
