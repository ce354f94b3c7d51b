"""The data that a command is given: `[NAME=][FORMAT:]PATH`; without a format it is detected from the file names."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from triglot.benchmark import name_of
from triglot.corpus.formats.registry import FORMATS, locate, split_spec
from triglot.corpus.hub import PREFIX
from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.tally import say
from triglot.files import InputError, nearest
from triglot.language_tags import language
from triglot.names import check_name

log = logging.getLogger("triglot")


def named_paths(words: Sequence[str], option: str = "--on") -> dict[str, str]:
    """`[NAME=][FORMAT:]PATH` words as name -> `[FORMAT:]PATH`. Without a name data are called as the last part of their
    path.

    Raises:
        InputError: a name given twice, or one that no file can have; no path.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, path = (word, "", "") if Path(word).exists() else word.partition("=")
        if not equals:
            name, path = name_of(word), word
        if not path or not name:
            raise InputError(f"{option} {word}: not NAME=PATH")
        if check_name("benchmark", name, f"{option} {word}") in found:
            raise InputError(f"{option} {word}: the name {name!r} is given twice")
        found[name] = path
    return found


def check_there(*specs: str, format: str = "") -> None:
    """Raises InputError for data that are not there or in no known format, before anything is loaded; the hub is not
    asked."""
    for spec in specs:
        if not source_path(spec).startswith(PREFIX):
            locate(spec, format=format)


def source_path(source: str) -> str:
    """The path in `FORMAT:PATH`, or the path itself."""
    return split_spec(source)[1]


def read_source(
    source: str, *, format: str = "", languages: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> ParallelCorpus:
    """The training data that a command is given; what was read and left out is logged.

    Args:
        source: `FORMAT:PATH`, a path whose format its names tell, a `hub:` name, or a built-in corpus; with `format` a
            path alone.
        format: of the data.
        languages: only these; empty for all.
        options: of the format's reader.

    Raises:
        InputError: as `triglot.corpus.formats.registry.locate`, what cannot be read, or a language without a text.
    """
    found = locate(source, format=format)
    given = {**found.options, **(options or {})} | ({"languages": list(languages)} if languages else {})
    corpus, tally = FORMATS[found.format].read("training", found.path, given)
    say(source, tally)
    check_spoken(source, languages, corpus.languages)
    return corpus


def check_spoken(source: object, asked: Iterable[str], spoken: Collection[str]) -> None:
    """Raises InputError, with the nearest one that there is, for a language of `--languages` that data lack."""
    for code in (language(one, "--languages") for one in asked):
        if code not in spoken:
            raise InputError(f"--languages: {source} has no text in {code!r}{nearest(code, spoken)}")
