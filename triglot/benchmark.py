"""Opens benchmarks: one door for whatever is judged, from a path, from the hub, or built in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from triglot.classify.tasks import Task, read_parts
from triglot.corpus.collection import Collection, check_languages
from triglot.corpus.formats.registry import FORMATS, locate, split_spec
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.sample import sample_labelled, sample_retrieval
from triglot.files import InputError
from triglot.names import check_name


@dataclass(frozen=True)
class Opened:
    """What a benchmark turned out to be.

    Attributes:
        name: in files and tables.
        format: of its files.
        retrieval: queries and passages, in memory or as a collection whose passages are streamed; None where there are
            none.
        task: pairs of texts to classify; None where there are none.
    """

    name: str
    format: str
    retrieval: RetrievalSet | Collection | None = None
    task: Task | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """What was opened: `retrieval set` or `streamed collection`, `classification task`."""
        kinds = {RetrievalSet: "retrieval set", Collection: "streamed collection", Task: "classification task"}
        return tuple(kinds[type(part)] for part in (self.retrieval, self.task) if part is not None)

    def in_memory(self) -> RetrievalSet:
        """The queries and passages. Raises InputError, which says what was opened, where they are not in memory."""
        if not isinstance(self.retrieval, RetrievalSet):
            raise InputError(
                f"{self.name}: is a {' and a '.join(self.kinds)}; queries and passages in memory are needed"
            )
        return self.retrieval

    def sampled(self, number: int) -> Opened:
        """About so many passages and at most so many queries, or so many items of a classification; 0 for all.

        Raises InputError for a collection whose passages are streamed.
        """
        if not number:
            return self
        retrieval, task = self.retrieval, self.task
        if isinstance(retrieval, Collection):
            raise InputError("sample: its passages are streamed, which all of its questions are asked of")
        if retrieval is not None:
            retrieval = sample_retrieval(retrieval, passages=number, queries=number)
        if task is not None:
            test = sample_labelled(task.test, number)
            note = f"a sample: {len(test):,} of {len(task.test):,} tested items"
            if test is not task.test:
                task = replace(task, test=test, notes=(*task.notes, note), counts={**task.counts, "sampled": len(test)})
        return replace(self, retrieval=retrieval, task=task)


def open_benchmark(
    spec: str | Path,
    *,
    name: str = "",
    format: str = "",
    languages: Sequence[str] | None = None,
    among: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    heads: Mapping[str, Any] | None = None,
    licence: str = "",
    base: str | Path = "",
    passages: bool = True,
    stream: bool = True,
    classification: bool = True,
) -> Opened:
    """Open a benchmark.

    Args:
        spec: `PATH`, `FORMAT:PATH`, `hub:OWNER/NAME[:PART][@REVISION]` (which is fetched), or the name of a built-in
            corpus.
        name: in files and tables; by default the last part of the path.
        format: of the files; empty to tell it from their names.
        languages: only these, which must be there; None for all.
        among: where `languages` is None: only those of these that are there; empty for all.
        options: of the format's reader (`candidate_text`, `split`); where something is to be classified also those of
            `heads`.
        heads: how they are trained, fields of `triglot.classify.tasks.ClassifySettings`, and `tasks`: which of
            retrieval and classification is wanted; of no account where nothing is to be classified.
        licence: of the data; empty for what the reader knows of it.
        base: folder that paths are relative to.
        passages: whether passages are needed; a run file or embeddings need none, and a corpus that lies apart is then
            not fetched.
        stream: whether passages may stay where they are, where the format allows it; otherwise they are read into
            memory.
        classification: whether a classification is wanted; otherwise options are those of the reader for retrieval
            alone.

    Raises:
        InputError: no such data, data that cannot be read, an unknown format, option or language; or nothing that was
            asked for.
    """
    located = locate(spec, format=format, passages=passages, base=base)
    name = name or name_of(spec)
    row, task = FORMATS[located.format], None
    of_reader: dict[str, Any] | None = {**located.options, **(options or {})}
    if classification and row.classification:
        more = {"languages": languages, "among": among, "licence": licence, "base": base}
        of_reader, task = read_parts(
            located.path, format=row.name, name=name, options={**of_reader, **(heads or {})}, **more
        )
    if of_reader is None:
        return Opened(name, row.name, task=task)
    wanted = languages if languages is not None else among or None
    of_reader |= {"name": name} | ({"languages": list(wanted)} if wanted else {})
    retrieval = row.read("streamed" if stream and row.streamed else "retrieval", located.path, of_reader)
    check_languages(name, languages, retrieval.languages)
    return Opened(name, row.name, replace(retrieval, licence=licence or retrieval.licence), task)


def name_of(spec: str | Path) -> str:
    """A name for files, of data that were given none: the last part of their path or hub name."""
    format, path = split_spec(spec)
    words = path.partition("@")[0] if path.startswith("hub:") else path or format
    last = Path(words.replace(":", "/")).name
    return check_name("benchmark", last.partition(".")[0] or last, str(spec))
