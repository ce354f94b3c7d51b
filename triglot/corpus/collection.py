"""Topics and judgements over corpora that need not fit in memory, each language with its own: MIRACL and Mr. TyDi.

The passages of a `Collection` are only named; `trec.read_corpus` streams them. They may be missing altogether where a
run or embeddings are judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from triglot.corpus.formats import trec
from triglot.corpus.formats.beir import NOT_FOUND
from triglot.corpus.retrieval import Absent, RetrievalSet, Texts
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest
from triglot.graph import components
from triglot.language_tags import wanted


@dataclass(frozen=True)
class Part:
    """One language of a collection.

    Attributes:
        topics: id -> text of the topics with a relevant passage.
        qrels: their judgements.
        files: parts of the corpus, in order; empty where there are none.
    """

    topics: dict[str, str]
    qrels: trec.Qrels
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Collection:
    """A benchmark whose topics are ranked within their own language.

    Attributes:
        name: of the benchmark.
        parts: language -> topics, judgements and corpus.
        titles: put a passage's title before its text.
        notes: what was left out and why, for the results.
        licence: of the data.
    """

    name: str
    parts: dict[str, Part]
    titles: bool = True
    notes: tuple[str, ...] = ()
    licence: str = ""

    def __repr__(self) -> str:
        topics = sum(len(part.topics) for part in self.parts.values())
        return f"Collection({self.name!r}: {topics:,} topics in {', '.join(self.languages)}; passages are streamed)"

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes, in order."""
        return tuple(self.parts)

    def prefix(self, language: str) -> str:
        """What stands before the ids of a language in runs and judgements: nothing where there is one language
        alone."""
        return f"{language}-" if len(self.parts) > 1 else ""

    def documents(self, language: str, tally: Tally, *, block: int = 16_384) -> Iterator[trec.Documents]:
        """Stream the passages of a language, prefixed as `prefix` says.

        Raises:
            InputError: there are none, or a file cannot be read.
        """
        files, prefix = self.parts[language].files, self.prefix(language)
        if not files:
            raise InputError(
                f"{self.name}: no passages for {language}: put its corpus (`*.jsonl[.gz]` with docid, title, "
                "text) beside the topics or"
                " name it with the option `corpus`; a run file or embeddings need none"
            )
        for documents in trec.read_corpus(files, tally, block=block, titles=self.titles):
            yield documents if not prefix else replace(documents, ids=[prefix + one for one in documents.ids])


def read(
    path: str | Path,
    *,
    name: str,
    split: str = "dev",
    corpus: str | Path | None = None,
    language: str | None = None,
    languages: Sequence[str] | None = None,
    titles: bool = True,
    strict: bool = False,
    licence: str = "",
) -> Collection:
    """Read topics and judgements; the corpus is only found, not read.

    Args:
        path: a folder that holds, at any depth, `topics.NAME-xx-SPLIT.tsv`, `qrels.NAME-xx-SPLIT.tsv` and
            `*.jsonl[.gz]`.
        name: of the benchmark.
        split: of topics and qrels.
        corpus: where the passages are, if not under `path`: a file or a folder.
        language: of topics whose file names do not tell it.
        languages: read only these of what the folder has.
        titles: put a passage's title before its text.
        strict: a record or judgement that cannot be used is an error.
        licence: of the data, for the report.

    Raises:
        InputError: topics or judgements are missing or cannot be read, or none of the languages is there.
    """
    tally = Tally(strict=strict)
    parts, without = _parts(Path(path), split, corpus, language, languages, tally, passages=corpus is not None)
    answered = {code: part for code, part in parts.items() if part.topics}
    if not answered:
        raise InputError(f"{name}: no topic has a relevant passage in {split}; {'; '.join(tally.lines())}")
    return Collection(name, answered, titles, (*_left(without, split), *tally.notes()), licence)


def read_retrieval(
    path: str | Path,
    *,
    name: str,
    split: str = "dev",
    corpus: str | Path | None = None,
    language: str | None = None,
    languages: Sequence[str] | None = None,
    titles: bool = True,
    strict: bool = False,
    licence: str = "",
) -> RetrievalSet:
    """The topics of a split against the passages; the judgements of a language concern its own passages.

    The whole corpus is held in memory. For one that is too large take `read`. Arguments are those of `read`.

    Raises:
        InputError: a file is missing or cannot be read, or no topic has a relevant passage.
    """
    tally = Tally(strict=strict)
    parts, without = _parts(Path(path), split, corpus, language, languages, tally, passages=True)
    benchmark = _in_memory(Collection(name, parts, titles, licence=licence), tally)
    if not (benchmark.judgements[:, 2] > 0).any():
        raise InputError(f"{name}: no topic has a relevant passage in {split}; {'; '.join(tally.lines())}")
    return replace(benchmark, notes=(*_left(without, split), *tally.notes()))


def _left(without: int, split: str) -> tuple[str, ...]:
    return (f"{without} queries have no relevant passage in {split}",) if without else ()


def _parts(
    folder: Path,
    split: str,
    corpus: str | Path | None,
    language: str | None,
    languages: Sequence[str] | None,
    tally: Tally,
    *,
    passages: bool,
) -> tuple[dict[str, Part], int]:
    """What is judged in each language (nothing, where no topic has a relevant passage), and how many topics have
    none."""
    topic_files = trec.find_topics(folder, split, language, tally)
    codes = [code for code in topic_files if languages is None or code in languages]
    if not codes:
        raise InputError(
            f"{folder}: none of the languages {list(languages or ())}; the folder has {', '.join(topic_files)}"
        )
    files = _corpus(folder if corpus is None else Path(corpus), codes, needed=passages)
    parts: dict[str, Part] = {}
    without = 0
    for code in codes:
        topics = trec.read_topics(topic_files[code]["topics"], tally)
        qrels = trec.read_qrels(topic_files[code]["qrels"], tally)
        for row, query in enumerate(qrels.queries):
            if query not in topics:
                tally.leave_out("judgement that names an unknown topic", qrels.where(row))
        answered = {query for query, grade in zip(qrels.queries, qrels.grades.tolist(), strict=True) if grade > 0}
        kept = {query: text for query, text in topics.items() if query in answered}
        without += len(topics) - len(kept)
        judged = qrels.take([row for row, query in enumerate(qrels.queries) if query in kept])
        parts[code] = Part(kept, judged, tuple(files.get(code, ())))
    return parts, without


def _in_memory(collection: Collection, tally: Tally) -> RetrievalSet:
    """Topics, all passages and the judgements of both; ids have the language in front as `Collection.prefix` says."""
    queries: dict[str, tuple[str, int]] = {}  # id -> text, language
    passages: dict[str, tuple[str, int]] = {}
    judged: list[tuple[int, int, int]] = []
    absent: list[tuple[int, int, int, str]] = []
    same: set[str] = set()
    for number, (code, part) in enumerate(collection.parts.items()):
        prefix = collection.prefix(code)
        topics = {prefix + identifier: text for identifier, text in part.topics.items()}
        queries |= {identifier: (text, number) for identifier, text in topics.items()}
        for documents in collection.documents(code, tally):
            for identifier, text in zip(documents.ids, documents.texts, strict=True):
                if identifier in passages:
                    where = f"{part.files[0].parent}: {identifier.removeprefix(prefix)}"
                    tally.leave_out("passage whose docid occurred before", where)
                passages.setdefault(identifier, (text, number))
            same.update(trec.topics_in(documents, topics))
    query_row = {identifier: row for row, identifier in enumerate(queries)}
    passage_row = {identifier: row for row, identifier in enumerate(passages)}
    for number, (code, part) in enumerate(collection.parts.items()):
        prefix, qrels = collection.prefix(code), part.qrels
        for row, (query, document, grade) in enumerate(
            zip(qrels.queries, qrels.documents, qrels.grades.tolist(), strict=True)
        ):
            asked, passage = query_row[prefix + query], passage_row.get(prefix + document)
            if passage is not None:
                judged.append((asked, passage, grade))
                continue
            absent.append((asked, number, grade, prefix + document))
            if tally.strict:
                tally.leave_out("judgement that names an unknown passage", qrels.where(row))
            elif grade > 0:
                tally.remark(NOT_FOUND, "judgement that names an unknown passage", qrels.where(row))
    triples = np.array(sorted(judged), np.int64).reshape(-1, 3)
    relevant = triples[triples[:, 2] > 0]  # judged misses tie nothing, see `clusters`
    cluster = components(len(queries) + len(passages), relevant[:, 0], relevant[:, 1] + len(queries))
    of_queries, of_passages = np.split(cluster, [len(queries)])
    answers = np.isin(np.arange(len(passages)), relevant[:, 1])
    absent.sort(key=lambda judgement: judgement[0])
    lacking = np.array([judgement[:3] for judgement in absent], np.int64).reshape(-1, 3)
    itself = sorted((query_row[pair], passage_row[pair]) for pair in same)
    return RetrievalSet(
        name=collection.name,
        languages=collection.languages,
        queries=_texts(queries, np.arange(len(queries), dtype=np.int32), of_queries),
        passages=_texts(passages, np.where(answers, of_passages, -1).astype(np.int32), of_passages),
        judgements=triples,
        parallel=False,
        licence=collection.licence,
        absent=Absent(lacking[:, 0], lacking[:, 1], lacking[:, 2], [judgement[3] for judgement in absent]),
        same=np.array(itself, np.int64).reshape(-1, 2),
    )


def _texts(texts: Mapping[str, tuple[str, int]], group: np.ndarray, cluster: np.ndarray) -> Texts:
    lang = np.array([number for _, number in texts.values()], np.int16)
    return Texts(list(texts), [text for text, _ in texts.values()], lang, group, cluster)


def _corpus(root: Path, codes: Sequence[str], *, needed: bool) -> dict[str, list[Path]]:
    """Parts of the corpus by language; empty where there are none and none are needed."""
    if not needed and not any(root.rglob("*.jsonl*")):
        return {}
    return trec.passage_files(root, codes)


def clusters(part: Part) -> np.ndarray:
    """(topics,) int32: topics that share a relevant passage, over any chain of them, share a number.

    Passages that were judged and are not relevant tie nothing: through them 434 of MIRACL's 482 Swahili topics would be
    one cluster.
    """
    query = {identifier: number for number, identifier in enumerate(part.topics)}
    document: dict[str, int] = {}
    rows, columns = [], []
    for identifier, passage, grade in zip(
        part.qrels.queries, part.qrels.documents, part.qrels.grades.tolist(), strict=True
    ):
        if grade > 0:
            rows.append(query[identifier])
            columns.append(len(query) + document.setdefault(passage, len(document)))
    return components(len(query) + len(document), rows, columns)[: len(query)]


def check_languages(name: str, asked: Sequence[str] | None, known: Sequence[str]) -> None:
    """Raises InputError for a language asked for that a benchmark does not have."""
    for code in wanted(asked) or ():
        if code not in known:
            raise InputError(f"{name}: no language {code!r}{nearest(code, known)}")
