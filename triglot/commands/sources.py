"""The data that a command is given: NAME=PATH, FORMAT=PATH, or a path whose format is detected from the file names."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from triglot.corpus.formats.registry import FORMATS, locate, split_spec
from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.tally import say
from triglot.files import InputError
from triglot.names import check_name

log = logging.getLogger("triglot")


def named_paths(words: Sequence[str], option: str = "--on") -> dict[str, str]:
    """`NAME=PATH` words as a dictionary.

    Raises InputError for a word without `=`, a name given twice, or one that no file can have.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not name or not path:
            raise InputError(f"{option} {word}: not NAME=PATH")
        if check_name("benchmark", name, f"{option} {word}") in found:
            raise InputError(f"{option} {word}: the name {name!r} is given twice")
        found[name] = path
    return found


def source_path(source: str) -> str:
    """The path in `FORMAT=PATH`, or the path itself."""
    return split_spec(source)[1]


def read_source(
    source: str, *, format: str = "", languages: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> ParallelCorpus:
    """The training data that a command is given; what was read and left out is logged.

    Args:
        source: `FORMAT=PATH`, a path whose format its names tell, a `hub:` name, or a built-in corpus; with `format` a
            path alone.
        format: of the data.
        languages: only these; empty for all.
        options: of the format's reader.

    Raises:
        InputError: as `triglot.corpus.formats.registry.locate`, or what cannot be read.
    """
    found = locate(source, format=format)
    given = {**found.options, **(options or {})} | ({"languages": list(languages)} if languages else {})
    corpus, tally = FORMATS[found.format].read("training", found.path, given)
    say(source, tally)
    return corpus
