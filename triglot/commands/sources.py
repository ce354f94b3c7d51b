"""The data that a command is given: NAME=PATH, FORMAT=PATH, or a path whose format its names tell."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triglot.corpus.formats.registry import TRAINING, detect, read_training
from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.tally import say
from triglot.files import InputError, nearest
from triglot.names import check_name

log = logging.getLogger("triglot")


def named_paths(words: Sequence[str], option: str = "--on") -> dict[str, str]:
    """`NAME=PATH` words as a dictionary. Raises InputError for a word without `=`, a name given twice, or one that no file can have."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not name or not path:
            raise InputError(f"{option} {word}: not NAME=PATH")
        if check_name("benchmark", name, f"{option} {word}") in found:
            raise InputError(f"{option} {word}: the name {name!r} is given twice")
        found[name] = path
    return found


def split_source(source: str) -> tuple[str, str]:
    """(format, path) of `FORMAT=PATH` or a path. Raises InputError for an unknown format, or a path that tells none."""
    format, equals, path = source.partition("=")
    known = (*TRAINING, "atlas")
    if equals and not Path(source).exists():
        if format not in known:
            raise InputError(f"{source}: {format!r} is no format for training{nearest(format, known)}")
        return format, path
    return detect(source), source


def source_path(source: str) -> str:
    """The path in `FORMAT=PATH`, or the path itself."""
    format, equals, path = source.partition("=")
    return path if equals and "/" not in format and not Path(source).exists() else source


def read_source(
    source: str, *, format: str = "", languages: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> ParallelCorpus:
    """The training data that a command is given; what was read and left out is logged.

    Args:
        source: `FORMAT=PATH`, or a path whose format its names tell; with `format` a path alone.
        format: of the data.
        languages: only these; empty for all.
        options: of the format's reader.

    Raises:
        InputError: as `split_source`, or what cannot be read.
    """
    told, path = (format, source) if format else split_source(source)
    corpus, tally = read_training(told, path, **dict(options or {}) | ({"languages": list(languages)} if languages else {}))
    say(source, tally)
    return corpus
