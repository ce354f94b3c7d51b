"""The table of file formats, and the one door to their readers.

A new format is a module with its readers and a row in the table below: detection, recipes, commands and help texts are
made of it. A package adds a row by an entry point of the group `triglot.formats` that leads to a `Format` of the same
name; `FORMATS.add(row)` adds one to a process. What comes with Triglot is recognised first, so that no path changes its
format when a package is installed.
"""

from __future__ import annotations

import inspect
import logging
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from triglot.corpus import hub
from triglot.files import InputError, SettingError, beside, nearest
from triglot.language_tags import language, wanted
from triglot.ranges import check_options
from triglot.registry import Registry

if TYPE_CHECKING:
    from triglot.corpus.parallel import ParallelCorpus
    from triglot.corpus.retrieval import RetrievalSet
    from triglot.corpus.tally import Tally

log = logging.getLogger("triglot")
Task = Literal["training", "retrieval", "streamed", "classification"]


@dataclass(frozen=True)
class Format:
    """A file format. Whatever is code may be given as `module:name` and is then imported when it is first needed.

    Readers take the path (unless the data are built in) and keyword arguments; their keyword arguments are the format's
    options. `languages` holds the codes that are wanted, None for all; `name` is that of the benchmark.

    Attributes:
        name: of `FORMAT:PATH` and of `format:` in recipes.
        title: for people.
        help: a phrase that says what its files look like.
        training: reader of pairs to train on: (path, **options) -> (ParallelCorpus, Tally).
        retrieval: reader of a benchmark: (path, *, name, **options) -> RetrievalSet.
        streamed: the same for passages that need not fit in memory: -> Collection.
        classification: reader of labelled pairs of texts: (path, **options) -> LabelledData. The options that it may
            have are those that `triglot.corpus.labelled.LabelledData` explains.
        layout: whether a path as a whole has this format: (path) -> bool.
        names: a pattern; a file with such a name has this format, unless the layout of another tells otherwise.
        built_in: whether the data are made by the readers: there is no path.
    """

    name: str
    title: str
    help: str
    training: Callable[..., Any] | str = ""
    retrieval: Callable[..., Any] | str = ""
    streamed: Callable[..., Any] | str = ""
    classification: Callable[..., Any] | str = ""
    layout: Callable[[Path], bool] | str = ""
    names: re.Pattern[str] | str = ""
    built_in: bool = False

    @property
    def tasks(self) -> tuple[str, ...]:
        """What a benchmark of this format asks for: `retrieval`, `classification`, both or nothing."""
        retrieval, classification = bool(self.retrieval or self.streamed), bool(self.classification)
        return tuple(task for task, has in (("retrieval", retrieval), ("classification", classification)) if has)

    def recognises(self, path: Path, names: Iterable[str], *, by: Literal["layout", "names"]) -> bool:
        """Whether a path has this format, by its layout or by one of its file names."""
        if by == "layout":
            return bool(self.layout) and _found(self.layout)(path)
        return bool(self.names) and any(map(_found(self.names).fullmatch, names))

    def options(self, task: Task) -> tuple[str, ...]:
        """The names of a reader's options. Raises InputError where the format has no such reader."""
        return tuple(name for name in inspect.signature(self.reader(task)).parameters if name != "path")

    def reader(self, task: Task) -> Callable[..., Any]:
        """A reader. Raises InputError where the format has none of the kind."""
        if not getattr(self, task):
            known = [row.name for row in FORMATS if getattr(row, task)]
            raise InputError(f"{self.name!r} is not a {task} format{nearest(self.name, known)}")
        return _found(getattr(self, task))

    def read(self, task: Task, path: str | Path, options: Mapping[str, Any]) -> Any:
        """Call a reader, languages in the one spelling that they have here.

        Raises:
            InputError: no such reader, an option that it does not have (with the nearest it has), or what the reader
                raises.
        """
        reader, known = self.reader(task), self.options(task)
        for key in options:
            if key not in known:
                raise InputError(f"format {self.name!r} has no option {key!r}{nearest(key, known)}")
        check_options(reader, {key: value for key, value in options.items() if key not in ("languages", "language")})
        given = dict(options)
        if given.get("languages") is not None:
            given["languages"] = wanted(given["languages"])
        if given.get("language"):
            given["language"] = language(given["language"])
        return reader(**given) if self.built_in else reader(path, **given)


def _found(what: Any) -> Any:
    """An object, imported where it is given as `module:name`."""
    if not isinstance(what, str):
        return what
    module, _, name = what.partition(":")
    return getattr(import_module(module), name)


_HERE = "triglot.corpus.formats"
# In the order in which they are recognised.
TABLE = (
    Format(
        "trec",
        title="TREC topics and judgements (MIRACL, Mr. TyDi)",
        help="topics.NAME-xx-SPLIT.tsv, qrels.NAME-xx-SPLIT.tsv and passages as JSON lines in any number of parts",
        retrieval="triglot.corpus.collection:read_retrieval",
        streamed="triglot.corpus.collection:read",
        layout=f"{_HERE}.trec:is_layout",
        names=f"{_HERE}.trec:NAME",
    ),
    Format(
        "mlir",
        title="mixed pools (hub:yjoonjang/mlir-benchmarks: MIMO, SHIFT)",
        help="queries.jsonl, corpus.jsonl with the language of each passage, and qrels.jsonl, one folder a benchmark",
        retrieval=f"{_HERE}.mlir:read_retrieval",
        layout=f"{_HERE}.mlir:is_layout",
    ),
    Format(
        "belebele",
        title="Belebele",
        help="eng_Latn.jsonl and so on: questions and their passages of FLORES-200, a file a language",
        retrieval=f"{_HERE}.belebele:read_retrieval",
        layout=f"{_HERE}.belebele:is_layout",
    ),
    Format(
        "multieup",
        title="Multi-EuP v2",
        help="a CSV of speeches (did, TEXT, LANGUAGE) with the titles of their debates in every language (title_XX, "
        "qid_XX)",
        retrieval=f"{_HERE}.multieup:read_retrieval",
        layout=f"{_HERE}.multieup:is_layout",
    ),
    Format(
        "beir",
        title="BEIR",
        help="corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv, also with a language in their names",
        training=f"{_HERE}.beir:read_training",
        retrieval=f"{_HERE}.beir:read_retrieval",
        layout=f"{_HERE}.beir:is_layout",
    ),
    Format(
        "mteb",
        title="MTEB",
        help="Parquet tables in the folders corpus, queries and qrels, also xx-corpus and so on",
        retrieval=f"{_HERE}.mteb:read_retrieval",
        layout=f"{_HERE}.mteb:is_layout",
    ),
    Format(
        "stance",
        title="X-Stance",
        help="questions.xx.jsonl and comments for or against them, SPLIT.jsonl",
        training=f"{_HERE}.stance_pairs:read_training",
        retrieval=f"{_HERE}.stance:read_retrieval",
        classification=f"{_HERE}.stance:read_classification",
        names=f"{_HERE}.stance:NAME",
    ),
    Format(
        "nli",
        title="XNLI",
        help="line-aligned files SPLIT-xx.tsv of premise, hypothesis and label",
        training=f"{_HERE}.nli:read_training",
        classification=f"{_HERE}.nli:read_classification",
        names=f"{_HERE}.nli:NAME",
    ),
    Format(
        "mlqa",
        title="MLQA",
        help="test-context-xx-question-yy.json, each context and question language in a file of its own",
        training=f"{_HERE}.mlqa:read_training",
        retrieval=f"{_HERE}.mlqa:read_retrieval",
        names=f"{_HERE}.mlqa:NAME",
    ),
    Format(
        "squad",
        title="SQuAD (XQuAD, XQuAD-R, TyDi QA)",
        help="JSON of articles, paragraphs, questions and answers, a file a language",
        training=f"{_HERE}.squad:read_training",
        retrieval=f"{_HERE}.squad:read_retrieval",
        names=re.compile(r".*\.json(\.gz)?"),
    ),
    Format(
        "pairs",
        title="pairs as JSON lines (sentence-transformers, Tevatron, FlagEmbedding)",
        help="one question a line with its positives and negatives",
        training=f"{_HERE}.pairs:read_training",
        names=re.compile(r".*\.jsonl(\.gz)?"),
    ),
    Format(
        "bitext",
        title="bitext",
        help="xx-yy.tsv with a sentence and its translation a line, or line-aligned files xx.txt",
        training=f"{_HERE}.bitext:read_training",
        retrieval=f"{_HERE}.bitext:read_retrieval",
        layout=f"{_HERE}.bitext:is_aligned",
        names=f"{_HERE}.bitext:NAME",
    ),
    Format(
        "wordlist",
        title="word lists (MUSE)",
        help="xx-yy.txt with a word and its translation a line",
        training=f"{_HERE}.wordlist:read_training",
        names=f"{_HERE}.wordlist:NAME",
    ),
    Format(
        "passages",
        title="texts with their languages",
        help="JSON lines, JSON, Parquet, CSV or TSV with a column `lang`; no pairs, so they can be debiased on, not "
        "trained on; a file .csv or .parquet, others as passages:PATH",
        training=f"{_HERE}.passages:read_training",
        layout=f"{_HERE}.passages:is_layout",
    ),
    Format(
        "described",
        title="your own tables, described in YAML",
        help="articles and the clicks of a search log, as CSV, TSV, JSON lines, JSON, Parquet or workbooks with any "
        "column names; `triglot data describe FILES > data.yaml` writes the description",
        training=f"{_HERE}.described:read_training",
        retrieval=f"{_HERE}.described:read_retrieval",
        layout=f"{_HERE}.described:is_layout",
    ),
    Format(
        "prepared",
        title="what `triglot data prepare` wrote",
        help="a folder with train.jsonl, prepared.json and benchmark/",
        training=f"{_HERE}.described:read_prepared_training",
        retrieval=f"{_HERE}.described:read_prepared_retrieval",
        layout=f"{_HERE}.described:is_prepared",
    ),
    Format(
        "atlas",
        title="the built-in corpus",
        help="questions and answers about places, languages and calendars in 11 languages, made of CLDR; it has no "
        "path",
        training="triglot.corpus.atlas:read_training",
        retrieval="triglot.corpus.atlas:read_retrieval",
        built_in=True,
    ),
)
FORMATS = Registry(Format, group="formats", what="format", rows=TABLE)


def detect(path: str | Path) -> str:
    """The format of a file or folder, by its names; the name of a built-in corpus (where no such path exists) is its
    format.

    `xx-yy.tsv` is taken for bitext, though a word list may have that name too.

    Raises:
        InputError: there is no such path, or its names belong to no format.
    """
    path = Path(path)
    if not path.exists():
        if str(path) in FORMATS and FORMATS[str(path)].built_in:
            return str(path)
        raise InputError(f"{path}: no such file or folder{beside(path)}")
    names = sorted(p.name for p in path.iterdir()) if path.is_dir() else [path.name]
    for rows in (TABLE, FORMATS):
        for by in ("layout", "names"):
            for row in rows:
                if row.recognises(path, names, by=by):
                    return row.name
    shown = ", ".join(names[:5]) or "nothing"
    raise InputError(f"{path}: no known format ({', '.join(FORMATS.names())}) has such names: {shown}")


def check_format(format: str, *tasks: Task) -> None:
    """Raises SettingError, with the formats that there are, for one that has a reader for none of these tasks."""
    known = [row.name for row in FORMATS if any(getattr(row, task) for task in tasks)]
    if format not in known:
        hint = nearest(format, known, listed=False)
        raise SettingError("format", f"{format!r} is not one of {', '.join(known)}{hint}")


@dataclass(frozen=True)
class Located:
    """Where data lie, and in which format.

    Attributes:
        path: a local file or folder; empty for built-in data.
        format: of the files.
        options: of the reader, as far as a `hub:` name says them.
    """

    path: str | Path
    format: str
    options: Mapping[str, Any] = field(default_factory=dict)


def split_spec(spec: str | Path) -> tuple[str, str]:
    """(format, path) of `FORMAT:PATH`; the format is empty where there is none, or where the `:` belongs to the path.

    `FORMAT=PATH`, as it was until version 0.1, is read too.
    """
    word = str(spec)
    form = re.fullmatch(r"([A-Za-z][\w-]+)([:=])(.*)", word, re.DOTALL)
    if form is None or word.startswith(hub.PREFIX) or Path(word).exists():
        return "", word
    if form[2] == "=":
        _tell_form(form[1], form[3])
    return form[1], form[3]


@cache
def _tell_form(format: str, path: str) -> None:
    log.warning("%s=%s: is written %s:%s now", format, path, format, path)


def locate(spec: str | Path, *, format: str = "", passages: bool = True, base: str | Path = "") -> Located:
    """What a word of a command, or a path of a recipe, stands for.

    Args:
        spec: `PATH`, `FORMAT:PATH`, `hub:OWNER/NAME[:PART][@REVISION]` (which is fetched), or the name of a built-in
            corpus.
        format: of the files; then `spec` is a path alone. Empty to tell it from the names.
        passages: whether the corpus of a `hub:` name is wanted, where it lies apart; a run file or embeddings need
            none.
        base: folder that a path is relative to.

    Raises:
        InputError: an unknown format, no such path, names that belong to no format, or the hub does not have it.
    """
    name, path = (format, str(spec)) if format else split_spec(spec)
    if name and FORMATS[name].built_in:
        return Located(path if path != name else "", name)
    options: Mapping[str, Any] = {}
    place = Path(base) / Path(path).expanduser() if str(base) else Path(path)
    if path.startswith(hub.PREFIX):
        place, options = hub.local(path, passages=passages)
    return Located(place, name or detect(place), options)


def path_first(reader: Callable[..., Any]) -> Callable[..., Any]:
    """Take `reader(format, path)` too, the order of arguments until version 0.1."""

    @wraps(reader)
    def call(path: str | Path, *second: str | Path, **options: Any) -> Any:
        if second:
            name = reader.__name__
            warnings.warn(f"{name}(format, path) is now {name}(path, format=format)", DeprecationWarning, stacklevel=2)
            path, options["format"] = second[0], str(path)
        return reader(path, **options)

    return call


@path_first
def read_training(path: str | Path, *, format: str = "", **options: Any) -> tuple[ParallelCorpus, Tally]:
    """Read a training source.

    Args:
        path: as `spec` of `locate`.
        format: of the files; empty to tell it.
        options: of the format's own `read_training`.

    Raises:
        InputError: unknown format or option (with the nearest known one), or input that cannot be read.
    """
    located = locate(path, format=format)
    return FORMATS[located.format].read("training", located.path, {**located.options, **options})


@path_first
def read_retrieval(path: str | Path, *, name: str, format: str = "", **options: Any) -> RetrievalSet:
    """Read a benchmark into memory; see `triglot.open_benchmark` for one that need not fit there, or has more to it.

    Args:
        path: as `spec` of `locate`.
        name: of the benchmark.
        format: of the files; empty to tell it.
        options: of the format's own `read_retrieval`.

    Raises:
        InputError: as `read_training`.
    """
    located = locate(path, format=format)
    return FORMATS[located.format].read("retrieval", located.path, {**located.options, "name": name, **options})


def formats_for(tasks: Sequence[Task]) -> str:
    """The formats that come with Triglot and have a reader for one of these tasks, as `a | b | c` for help texts."""
    return " | ".join(row.name for row in TABLE if any(getattr(row, task) for task in tasks))
