"""The texts of a file or folder of any kind, for whoever asks only which texts there are."""

from __future__ import annotations

from pathlib import Path

from triglot.corpus import tables
from triglot.corpus.formats.passages import read_passages
from triglot.corpus.formats.registry import FORMATS, locate, split_spec
from triglot.corpus.tally import say

_PLAIN = (".txt", ".csv", ".parquet")


def read_texts(spec: str, *, base: str | Path = "") -> list[str]:
    """The texts of a file of texts (`.txt` of one a line, `.csv`, `.parquet`), or of anything that training reads.

    Args:
        spec: `PATH` or `FORMAT:PATH`; `passages:PATH` for other files of texts.
        base: folder that a path is relative to.

    Raises:
        InputError: no such path, or what cannot be read.
    """
    format, path = split_spec(spec)
    place = Path(base) / Path(path).expanduser()
    if format == "passages" or (not format and place.is_file() and tables.suffix(place) in _PLAIN):
        return read_passages(place)[1]
    located = locate(spec, base=base)
    corpus, tally = FORMATS[located.format].read("training", located.path, located.options)
    say(spec, tally)
    return corpus.texts.to_pylist()


def is_built_in(spec: str) -> bool:
    """Whether the texts are made by the readers, so that there is no path."""
    format, path = split_spec(spec)
    name = format or path
    return name in FORMATS and FORMATS[name].built_in
