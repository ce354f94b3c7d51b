"""Topics and judgements over corpora that need not fit in memory, each language with its own: MIRACL and Mr. TyDi.

The passages are only named here; `trec.read_corpus` streams them. They may be missing altogether where a run or embeddings are judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from triglot.corpus.formats import trec
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

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes, in order."""
        return tuple(self.parts)

    def prefix(self, language: str) -> str:
        """What stands before the ids of a language in runs and judgements: nothing where there is one language alone."""
        return f"{language}-" if len(self.parts) > 1 else ""

    def documents(self, language: str, tally: Tally, *, block: int = 16_384) -> Iterator[trec.Documents]:
        """Stream the passages of a language, prefixed as `prefix` says.

        Raises:
            InputError: there are none, or a file cannot be read.
        """
        files, prefix = self.parts[language].files, self.prefix(language)
        if not files:
            raise InputError(
                f"{self.name}: no passages for {language}: put its corpus (`*.jsonl[.gz]` with docid, title, text) beside the topics or"
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
    """Read topics and judgements; arguments and layout are those of `trec.read_retrieval`, but the corpus is only found, not read.

    Raises:
        InputError: topics or judgements are missing or cannot be read, or none of the languages is there.
    """
    folder, tally = Path(path), Tally(strict=strict)
    found = trec.find_topics(folder, split, language)
    codes = [code for code in found if languages is None or code in languages]
    if not codes:
        raise InputError(f"{folder}: none of the languages {list(languages or ())}; the folder has {', '.join(found)}")
    files = _corpus(folder if corpus is None else Path(corpus), codes, needed=corpus is not None)
    parts: dict[str, Part] = {}
    without = 0
    for code in codes:
        topics = trec.read_topics(found[code]["topics"], tally)
        qrels = trec.read_qrels(found[code]["qrels"], tally)
        known = np.array([query in topics for query in qrels.queries])
        if not known.all():
            first = qrels.queries[int(known.argmin())]
            tally.leave_out("judgement that names an unknown topic", f"{found[code]['qrels']}: {first}", int((~known).sum()))
        answered = {query for query, grade in zip(qrels.queries, qrels.grades.tolist(), strict=True) if grade > 0}
        kept = {query: text for query, text in topics.items() if query in answered}
        without += len(topics) - len(kept)
        rows = [row for row, query in enumerate(qrels.queries) if query in kept]
        if rows:
            judged = trec.Qrels([qrels.queries[i] for i in rows], [qrels.documents[i] for i in rows], qrels.grades[rows])
            parts[code] = Part(kept, judged, tuple(files.get(code, ())))
    if not parts:
        raise InputError(f"{name}: no topic has a relevant passage in {split}; {'; '.join(tally.lines())}")
    notes = (f"{without} queries have no relevant passage in {split}",) if without else ()
    return Collection(name, parts, titles, (*notes, *tally.notes()), licence)


def _corpus(root: Path, codes: Sequence[str], *, needed: bool) -> dict[str, list[Path]]:
    """Parts of the corpus by language; empty where there are none and none are needed."""
    if not needed and not any(root.rglob("*.jsonl*")):
        return {}
    return trec.passage_files(root, codes)


def clusters(part: Part) -> np.ndarray:
    """(topics,) int32: topics that share a relevant passage, over any chain of them, share a number.

    Passages that were judged and are not relevant tie nothing: through them 434 of MIRACL's 482 Swahili topics would be one cluster.
    """
    query = {identifier: number for number, identifier in enumerate(part.topics)}
    document: dict[str, int] = {}
    rows, columns = [], []
    for identifier, passage, grade in zip(part.qrels.queries, part.qrels.documents, part.qrels.grades.tolist(), strict=True):
        if grade > 0:
            rows.append(query[identifier])
            columns.append(len(query) + document.setdefault(passage, len(document)))
    return components(len(query) + len(document), rows, columns)[: len(query)]


def check_languages(name: str, asked: Sequence[str] | None, known: Sequence[str]) -> None:
    """Raises InputError for a language asked for that a benchmark does not have."""
    for code in wanted(asked) or ():
        if code not in known:
            raise InputError(f"{name}: no language {code!r}{nearest(code, known)}")
