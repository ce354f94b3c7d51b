"""One door to every file format: detect it, read it for training, read it for evaluation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from triglot.corpus import collection, hub
from triglot.corpus.collection import Collection
from triglot.corpus.formats import beir, bitext, mlqa, mteb, nli, pairs, squad, stance, stance_pairs, trec, wordlist
from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest
from triglot.language_tags import TAG, language, wanted

TRAINING: dict[str, Callable[..., tuple[ParallelCorpus, Tally]]] = {
    "squad": squad.read_training,
    "mlqa": mlqa.read_training,
    "bitext": bitext.read_training,
    "pairs": pairs.read_training,
    "beir": beir.read_training,
    "wordlist": wordlist.read_training,
    "stance": stance_pairs.read_training,
}
RETRIEVAL: dict[str, Callable[..., RetrievalSet]] = {
    "squad": squad.read_retrieval,
    "mlqa": mlqa.read_retrieval,
    "bitext": bitext.read_retrieval,
    "beir": beir.read_retrieval,
    "mteb": mteb.read_retrieval,
    "trec": trec.read_retrieval,
    "stance": stance.read_retrieval,
}
KNOWN = (*dict.fromkeys((*TRAINING, *RETRIEVAL)), "nli", "atlas")  # nli is read by its own module: it is neither pairs nor a ranking
_NAMES = (
    ("trec", trec.NAME),
    ("stance", stance.NAME),
    ("nli", nli.NAME),
    ("mlqa", mlqa.NAME),
    ("squad", re.compile(r".*\.json(\.gz)?")),
    ("pairs", re.compile(r".*\.jsonl(\.gz)?")),
    ("bitext", bitext.PAIR),
    ("wordlist", wordlist.NAME),
    ("bitext", bitext.ALIGNED),
)


def detect(path: str | Path) -> str:
    """The format of a file or folder, by its names; `atlas` (where no such path exists) is the built-in corpus.

    `xx-yy.tsv` is taken for bitext, though a word list may have that name too.

    Raises:
        InputError: there is no such path, or its names belong to no format.
    """
    path = Path(path)
    if not path.exists():
        if str(path) == "atlas":
            return "atlas"
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(f"{path}: no such file or folder{nearest(path.name, siblings) if siblings else ''}")
    names = sorted(p.name for p in path.iterdir()) if path.is_dir() else [path.name]
    if trec.is_layout(path) or {"topics", "qrels"} <= set(names):
        return "trec"
    if path.is_dir() and any(re.fullmatch(rf"corpus(\.{TAG})?\.jsonl(\.gz)?", name) for name in names):
        return "beir"
    if mteb.configs(path):
        return "mteb"
    if bitext.is_aligned(path):
        return "bitext"
    for format, pattern in _NAMES:
        if any(pattern.fullmatch(name) for name in names):
            return format
    shown = ", ".join(names[:5]) or "nothing"
    raise InputError(f"{path}: no known format ({', '.join(KNOWN)}) has such names: {shown}")


def _call(format: str, reader: Callable[..., Any], *args: Any, **options: Any) -> Any:
    known = [name for name in inspect.signature(reader).parameters if name != "path"]
    for key in options:
        if key not in known:
            raise InputError(f"format {format!r} has no option {key!r}{nearest(key, known)}")
    if options.get("languages") is not None:
        options["languages"] = wanted(options["languages"])
    if options.get("language"):
        options["language"] = language(options["language"])
    return reader(*args, **options)


def read_training(format: str, path: str | Path, **options: Any) -> tuple[ParallelCorpus, Tally]:
    """Read a training source. Options are those of the format's own `read_training`.

    Raises:
        InputError: unknown format or option (with the nearest known one), or input that cannot be read.
    """
    if format == "atlas":
        from triglot.corpus import atlas

        return _call(format, atlas.read_training, **options)
    if format not in TRAINING:
        raise InputError(f"{format!r} is no format for training{nearest(format, (*TRAINING, 'atlas'))}")
    return _call(format, TRAINING[format], path, **options)


def read_retrieval(format: str, path: str | Path, *, name: str, **options: Any) -> RetrievalSet:
    """Read a benchmark. Options are those of the format's own `read_retrieval`. Raises InputError as `read_training`."""
    if format == "atlas":
        from triglot.corpus import atlas

        return _call(format, atlas.read_retrieval, name=name, **options)
    if format not in RETRIEVAL:
        raise InputError(f"{format!r} is no format for evaluation{nearest(format, (*RETRIEVAL, 'atlas'))}")
    return _call(format, RETRIEVAL[format], path, name=name, **options)


def read_benchmark(path: str | Path, *, name: str, format: str = "", passages: bool = True, **options: Any) -> RetrievalSet | Collection:
    """A benchmark from a path or a `hub:` name; of `trec` the corpus stays where it is, to be streamed.

    Args:
        path: a file, a folder, or `hub:OWNER/NAME[:PART][@REVISION]`.
        name: of the benchmark.
        format: empty to tell it from the names.
        passages: whether the corpus of a `hub:` name is wanted; a run file or embeddings need none.
        options: of the format's reader.

    Raises:
        InputError: as `detect` and `read_retrieval`, or the hub does not have it.
    """
    if str(path).startswith(hub.PREFIX):
        path, told = hub.local(str(path), passages=passages)
        options = told | options
    format = format or detect(path)
    if format == "trec":
        return _call(format, collection.read, path, name=name, **options)
    return read_retrieval(format, path, name=name, **options)
