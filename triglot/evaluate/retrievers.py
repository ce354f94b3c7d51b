"""Whatever can be judged on whichever benchmark: encoders, BM25, run files, embeddings made elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from triglot.corpus.collection import Collection, Part
from triglot.corpus.formats import runs, vectors
from triglot.corpus.formats.runs import Run
from triglot.corpus.formats.trec import topics_in
from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.corpus.tally import Tally
from triglot.encoder.once import encode_set
from triglot.encoder.protocol import Encoder, in_language
from triglot.evaluate.baselines import Translate, bm25_scores, machine_translated_scores, translated_scores
from triglot.evaluate.bias.scope import check_subsets
from triglot.evaluate.counts import ScoreBlock
from triglot.evaluate.encodings import ENCODINGS, EncodingSettings
from triglot.evaluate.evaluator import evaluate_embeddings, evaluate_scores, similarity_notes
from triglot.evaluate.ranked import Judge, Outcome, evaluate_run, join, judged
from triglot.evaluate.tables import SETTINGS, Evaluation
from triglot.evaluate.topruns import Parts, finite, parts_of_scores, parts_of_vectors, stream_of_blocks
from triglot.evaluate.wordwise import WordLists
from triglot.files import InputError
from triglot.measures import Measure

log = logging.getLogger("triglot")
DEPTH = 1000
EXTRA = ("ndcg@10", "r@100")  # of the three settings, where a benchmark is known by such measures
SIMILARITIES = ("dot", "cosine")  # of embeddings made elsewhere; the first is the default
RUN_SUFFIXES = (".run", ".trec", ".tsv", ".txt")


@dataclass(frozen=True)
class Dense:
    """An encoder, whose texts are scored as `encoding` says."""

    encoder: Encoder
    progress: bool = False
    encoding: EncodingSettings = field(default_factory=EncodingSettings)


@dataclass(frozen=True)
class Bm25:
    """BM25 within a language; with `lists` (languages -> word lists) its queries are translated word by word, with
    `translate` (texts, from, into -> texts) as they are."""

    lists: Callable[[Sequence[str]], WordLists] | None = None
    translate: Translate | None = None


def plain_bm25(given: Any) -> Bm25:
    """`bm25`, a row of `triglot.evaluate.untrained`."""
    return Bm25()


def listed_bm25(given: Any) -> Bm25:
    """`bm25-translated`, likewise."""
    return Bm25(lists=given.lists)


def translated_bm25(given: Any) -> Bm25:
    """`bm25-mt`, likewise: by words where there is no model."""
    return Bm25(translate=given.translate) if given.translate is not None else Bm25(lists=given.lists)


@dataclass(frozen=True)
class RunFile:
    """A TREC run made elsewhere: a file, or a folder with `NAME.run[.gz]` for each benchmark."""

    path: Path

    def file(self, name: str) -> Path:
        """The run of a benchmark. Raises InputError where the folder has none."""
        if not self.path.is_dir():
            return self.path
        files = [path for path in run_files(self.path) if run_name(path) == name]
        if len(files) != 1:
            raise InputError(f"{self.path}: {len(files) or 'no'} files such as {name}.run.gz")
        return files[0]


@dataclass(frozen=True)
class Vectors:
    """Embeddings made elsewhere (see `triglot.corpus.formats.vectors`), compared by `dot` (as they are) or `cosine` (of
    length 1).
    """

    path: str
    similarity: str = SIMILARITIES[0]

    def compared(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors whose dot products are the scores; zero ones stay zero."""
        return (
            vectors / np.maximum(_lengths(vectors), np.finfo(np.float32).tiny)[:, None]
            if self.similarity == "cosine"
            else vectors
        )

    def notes(self, shortest: float, longest: float) -> list[str]:
        """How they were compared, where it makes a difference: lengths of passages count in a dot product, and here
        differ by over 1 %.
        """
        if self.similarity == "cosine":
            return ["embeddings made elsewhere, compared by cosine"]
        differ = (
            f"lengths of passage embeddings differ ({shortest:.4g} to {longest:.4g}), and they are compared by dot "
            "product, the default"
        )
        return (
            [f"{differ}: longer ones are preferred; --similarity cosine compares directions alone"]
            if longest > 1.01 * shortest
            else []
        )


def _finite(path: Path, vectors: np.ndarray, ids: Sequence[str], what: str) -> np.ndarray:
    """Contiguous fp32 vectors of a file. Raises InputError that names it where one is not finite."""
    try:
        return finite(vectors, ids, what)[0]
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _extremes(lengths: np.ndarray | Sequence[float]) -> tuple[float, float]:
    """The least and the greatest of those above 0; both 0 where there are none."""
    lengths = np.asarray(lengths)
    return float(lengths[lengths > 0].min(initial=lengths.max(initial=0))), float(lengths.max(initial=0))


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))


Retriever = Dense | Bm25 | RunFile | Vectors


def run_name(path: Path) -> str | None:
    """`NAME` of `NAME.run.gz`; None where the name is not that of a run."""
    name = path.name.removesuffix(".gz")
    return next((name.removesuffix(suffix) for suffix in RUN_SUFFIXES if name.endswith(suffix)), None)


def run_files(folder: Path) -> list[Path]:
    """The runs in a folder."""
    files = (path for path in sorted(folder.iterdir()) if path.name.removesuffix(".gz").endswith((".run", ".trec")))
    return [path for path in files if path.is_file()]


Keep = Callable[[Run], None]
"""Is shown every part of a run, each with the results of some queries."""


def evaluate(
    retriever: Retriever,
    benchmark: RetrievalSet | Collection,
    *,
    ranked: bool | None = None,
    depth: int = DEPTH,
    extra: Sequence[str | Measure] = (),
    subsets: Sequence[Sequence[str]] = (),
    tag: str = "triglot",
    keep: Keep | None = None,
) -> Outcome | Evaluation:
    """Judge a retriever on a benchmark.

    A `RetrievalSet` is ranked whole, in the three settings. A `Collection` is streamed, each language within its own
    corpus, and its figures are those of a top-k run; so are those of a run file on any benchmark.

    Args:
        retriever: what is judged.
        benchmark: on what.
        ranked: make a top-k run over the pool of a `RetrievalSet` too, and add its figures; None leaves it to the
            benchmark.
        depth: passages a query in runs made here.
        extra: measures beside the usual ones.
        subsets: languages of smaller pools of a `RetrievalSet` to report as well.
        tag: the system's name in runs.
        keep: is shown each run that is made or read, part by part; none is held as a whole.

    Raises:
        InputError: embeddings, runs and benchmark do not fit one another.
    """
    if depth < 1:
        raise InputError(f"depth: {depth} is below 1")
    tag = "-".join(tag.split()) or "triglot"
    check_subsets(benchmark.name, subsets, benchmark.languages)
    if subsets and (isinstance(retriever, RunFile) or isinstance(benchmark, Collection)):
        log.warning("%s: no subsets; they are pools of a benchmark that is ranked whole, not of a run", benchmark.name)
    if isinstance(retriever, RunFile):
        return _judge_file(retriever, benchmark, extra, keep)
    if isinstance(benchmark, Collection):
        return _judge_collection(retriever, benchmark, depth, extra, tag, keep)
    ranked = benchmark.ranked if ranked is None else ranked
    wanted = [*extra, *(EXTRA if ranked or benchmark.ranked else ())]
    if isinstance(retriever, Bm25) or (isinstance(retriever, Dense) and not retriever.encoding.plain):
        score, notes, settings = _scored(retriever, benchmark)
        whole = evaluate_scores(score, benchmark, settings=settings, extra=wanted, notes=notes, subsets=subsets)
        above = 0.0 if isinstance(retriever, Bm25) else -np.inf
        made = parts_of_scores(score, benchmark, depth, above=above, tag=tag) if ranked else None
    else:
        queries, passages, notes = _embed(retriever, benchmark)
        whole = evaluate_embeddings(queries, passages, benchmark, extra=wanted, notes=notes, subsets=subsets)
        made = parts_of_vectors(queries, passages, benchmark, depth, tag=tag) if ranked else None
    if made is None:
        return whole
    judge = Judge(judged(benchmark), extra=extra)
    if not _show(judge, made.runs, keep):
        raise InputError(f"{benchmark.name}: {_NOTHING}")
    return join(whole, judge.outcome(notes=made.notes))


_NOTHING = "run: no results; no query finds a passage"


def _show(judge: Judge, parts: Iterable[Run], keep: Keep | None) -> bool:
    """Measure the parts of a run, and say whether there were any."""
    shown = False
    for part in parts:
        shown = True
        judge.show(part)
        if keep:
            keep(part)
    return shown


def _embed(retriever: Dense | Vectors, benchmark: RetrievalSet) -> tuple[np.ndarray, np.ndarray, list[str]]:
    if isinstance(retriever, Dense):
        return *encode_set(retriever.encoder, benchmark, progress=retriever.progress), similarity_notes(
            retriever.encoder
        )
    files = vectors.find_pair(retriever.path, benchmark.name)
    (queries, one), (passages, two) = (
        vectors.read(file, texts.ids)
        for file, texts in zip(files, (benchmark.queries, benchmark.passages), strict=True)
    )
    queries = _finite(files[0], queries, benchmark.queries.ids, "query")
    passages = _finite(files[1], passages, benchmark.passages.ids, "passage")
    said = retriever.notes(*_extremes(_lengths(passages)))
    return retriever.compared(queries), retriever.compared(passages), [*one, *two, *said]


def _scored(retriever: Bm25 | Dense, benchmark: RetrievalSet) -> tuple[ScoreBlock, tuple[str, ...], tuple[str, ...]]:
    """Scores, what to say of them, and the settings that they are good for."""
    if isinstance(retriever, Dense):
        scores = ENCODINGS[retriever.encoding.name].scores
        assert scores is not None
        return *scores(retriever.encoder, benchmark, retriever.encoding), SETTINGS
    if retriever.translate is not None:
        return *machine_translated_scores(benchmark, retriever.translate), SETTINGS
    if retriever.lists is None:
        return *bm25_scores(benchmark), ("mono",)
    return *translated_scores(benchmark, retriever.lists(benchmark.languages)), SETTINGS


def _judge_file(
    retriever: RunFile, benchmark: RetrievalSet | Collection, extra: Sequence[str | Measure], keep: Keep | None
) -> Outcome:
    tally, against = Tally(), judged(benchmark)
    path = retriever.file(benchmark.name)
    run = runs.read_run(path, tally)
    for line in tally.lines():
        log.info("%s: %s", path, line)
    try:
        outcome = evaluate_run(run, against, extra=extra, notes=tally.notes())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if keep:
        keep(run)
    return outcome


def _judge_collection(
    retriever: Dense | Bm25 | Vectors,
    collection: Collection,
    depth: int,
    extra: Sequence[str | Measure],
    tag: str,
    keep: Keep | None,
) -> Outcome | Evaluation:
    notes, sizes, any_run = [], {}, False
    judge = Judge(judged(collection), extra=extra)
    for code, part in collection.parts.items():
        tally = Tally()
        try:
            made, sizes[code] = _run_of_part(retriever, collection, code, part, tally, depth, tag)
            any_run |= _show(judge, made.runs, keep)
        except InputError as error:
            raise InputError(f"{collection.name}, {code}: {error}") from None
        label = f"{code}: " if collection.prefix(code) else ""
        notes += [f"{label}{note}" for note in [*made.notes, *tally.notes()]]
        log.info("%s, %s: %d queries, %d passages", collection.name, code, len(part.topics), sizes[code])
    if not any_run:
        raise InputError(f"{collection.name}: {_NOTHING}")
    return judge.outcome(notes=notes, passages=sizes)


def _run_of_part(
    retriever: Dense | Bm25 | Vectors, collection: Collection, code: str, part: Part, tally: Tally, depth: int, tag: str
) -> tuple[Parts, int]:
    """The run of one language, and the size of its corpus."""
    if isinstance(retriever, Dense) and not retriever.encoding.plain:
        raise InputError(f"encoding {retriever.encoding.name}: needs passages in memory, and these are streamed")
    prefix = collection.prefix(code)
    query_ids = [prefix + identifier for identifier in part.topics]
    judged_ids = {
        prefix + one for one, grade in zip(part.qrels.documents, part.qrels.grades.tolist(), strict=True) if grade > 0
    }
    unseen = set(judged_ids)
    like = ""

    def watched(blocks: Iterator[tuple[list[str], Any]]) -> Iterator[tuple[list[str], Any]]:
        nonlocal like
        for ids, content in blocks:
            like = like or next(iter(ids), "")
            unseen.difference_update(ids)
            yield ids, content

    topics = dict(zip(query_ids, part.topics.values(), strict=True))
    judged_rows = zip(part.qrels.queries, part.qrels.documents, part.qrels.grades.tolist(), strict=True)
    answers = {prefix + query for query, document, grade in judged_rows if query == document and grade > 0}
    itself: set[str] = set()
    lengths: list[float] = []

    def texts() -> Iterator[tuple[list[str], list[str]]]:
        for documents in collection.documents(code, tally):
            itself.update(one for one in topics_in(documents, topics) if one not in answers)
            yield documents.ids, documents.texts

    if isinstance(retriever, Bm25):
        held = _held(collection.name, code, topics, watched(texts()), itself, tally)
        score, said = bm25_scores(held)
        parts, notes, size = parts_of_scores(score, held, depth, above=0.0, tag=tag), [*said], len(held.passages)
    else:
        if isinstance(retriever, Dense):
            retriever = replace(retriever, encoder=in_language(retriever.encoder, code))
            queries = retriever.encoder.encode(list(part.topics.values()), side="query", progress=False)
            encoded = _encoded(retriever, f"{collection.name}, {code}", texts())
            notes = similarity_notes(retriever.encoder)
        else:
            files = vectors.find_pair(retriever.path, collection.name, code)
            queries, notes = vectors.read(files[0], list(part.topics))
            queries = retriever.compared(_finite(files[0], queries, list(part.topics), "query"))
            encoded = _with_ids(files[1], prefix, retriever, lengths)
        stream = stream_of_blocks(query_ids, queries, watched(encoded), depth, itself)
        parts, size = stream.parts(tag=tag), stream.passages
        notes = [*notes, *(retriever.notes(*_extremes(lengths)) if isinstance(retriever, Vectors) else [])]
    if unseen and unseen == judged_ids:
        first = min(unseen)
        raise InputError(
            f"none of the relevant passages is in the corpus; the first is {first!r}, the corpus has ids like {like!r}"
        )

    def noted() -> Iterator[Run]:
        yield from parts.runs
        notes.extend(parts.notes)
        if unseen:
            notes.append(
                f"{len(unseen)} relevant passages are not in the corpus and count as not found (first: {min(unseen)})"
            )

    return Parts(noted(), notes), size


def _encoded(
    retriever: Dense, label: str, texts: Iterator[tuple[list[str], list[str]]]
) -> Iterator[tuple[list[str], np.ndarray]]:
    done = 0
    for ids, block in texts:
        yield ids, retriever.encoder.encode(block, side="passage", progress=False)
        done += len(ids)
        if retriever.progress:
            log.info("%s: %d passages encoded", label, done)


def _with_ids(
    path: Path, prefix: str, retriever: Vectors, lengths: list[float]
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Blocks of ids and vectors to compare; `lengths` gets the least and the greatest length of each."""
    for ids, block in vectors.blocks(path):
        if ids is None:
            raise InputError(f"{path}: needs {vectors.ids_file(path).name} with the docid of each row")
        block = _finite(path, block, ids, "passage")
        lengths += _extremes(_lengths(block))
        yield [prefix + one for one in ids], retriever.compared(block)


def _held(
    name: str,
    code: str,
    topics: Mapping[str, str],
    blocks: Iterator[tuple[list[str], list[str]]],
    itself: Set[str],
    tally: Tally,
) -> RetrievalSet:
    """A language of a collection in memory: BM25 weighs all passages at once."""
    passages: dict[str, str] = {}
    for keys, values in blocks:
        for key, value in zip(keys, values, strict=True):
            if key in passages:
                tally.leave_out("passage whose docid occurred before", f"{name}: {key}")
            else:
                passages[key] = value

    def side(texts: Mapping[str, str]) -> Texts:
        nothing = np.zeros(len(texts), np.int32)
        return Texts(list(texts), list(texts.values()), nothing.astype(np.int16), nothing, nothing)

    place = {identifier: row for row, identifier in enumerate(passages)} if itself else {}
    same = [(row, place[query]) for row, query in enumerate(topics) if query in itself]
    queries, documents = side(topics), side(passages)
    return RetrievalSet(
        name, (code,), queries, documents, np.zeros((0, 3), np.int64), same=np.array(same, np.int64).reshape(-1, 2)
    )
