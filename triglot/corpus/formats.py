"""One door to every file format: detect it, read it for training, read it for evaluation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from triglot.corpus import bitext, mlqa, squad, wordlist
from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest

TRAINING: dict[str, Callable[..., tuple[ParallelCorpus, Tally]]] = {
    "squad": squad.read_training,
    "mlqa": mlqa.read_training,
    "bitext": bitext.read_training,
    "wordlist": wordlist.read_training,
}
RETRIEVAL: dict[str, Callable[..., RetrievalSet]] = {
    "squad": squad.read_retrieval,
    "mlqa": mlqa.read_retrieval,
    "bitext": bitext.read_retrieval,
}
KNOWN = (*TRAINING, "atlas")


def _call(format: str, reader: Callable[..., Any], *args: Any, **options: Any) -> Any:
    known = [name for name in inspect.signature(reader).parameters if name != "path"]
    for key in options:
        if key not in known:
            raise InputError(f"format {format!r} has no option {key!r}{nearest(key, known)}")
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
        raise InputError(f"{format!r} is no format for training{nearest(format, KNOWN)}")
    return _call(format, TRAINING[format], path, **options)


def read_retrieval(format: str, path: str | Path, *, name: str, **options: Any) -> RetrievalSet:
    """Read a benchmark. Options are those of the format's own `read_retrieval`. Raises InputError as `read_training`."""
    if format == "atlas":
        from triglot.corpus import atlas

        return _call(format, atlas.read_retrieval, name=name, **options)
    if format not in RETRIEVAL:
        raise InputError(f"{format!r} is no format for evaluation{nearest(format, (*RETRIEVAL, 'atlas'))}")
    return _call(format, RETRIEVAL[format], path, name=name, **options)
