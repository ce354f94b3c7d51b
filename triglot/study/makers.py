"""Data that a study makes before it runs: the built-in facts in the layouts of other tasks, a benchmark laid out as
another, queries translated by word lists, nested augmented copies.

Each lies in a folder of its own with a sealed document beside it, `NAME.json`: made again where its settings or what
it was made of are others, and kept where they are the same.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from triglot.corpus.made import Made
from triglot.files import InputError, atomic_folder, nearest
from triglot.registry import Registry, later
from triglot.sealed import check_files, checksums, read_sealed, write_sealed
from triglot.settings import plain
from triglot.study.fingerprint import fingerprint

log = logging.getLogger("triglot")
Make = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class Maker:
    """Something that can be made.

    Attributes:
        name: of `made.NAME.kind` in a recipe.
        title: for people.
        help: a phrase that says what it writes.
        make: (folder, source, **options) -> facts, with `told`, a phrase for the report. `source` is a path, or None
            for the built-in corpus.
    """

    name: str
    title: str
    help: str
    make: Make


def _of_atlas(function: str) -> Make:
    write = later(f"triglot.corpus.atlas.layouts:{function}")
    return lambda folder, source, **options: write(folder, **options)


TABLE = (
    Maker("nli", "inference", "the built-in facts as inference, in XNLI's layout", _of_atlas("write_nli")),
    Maker("stance", "stances", "the built-in facts as stances, in X-Stance's layout", _of_atlas("write_stance")),
    Maker("words", "word lists", "names of the built-in facts as word lists", _of_atlas("write_words")),
    Maker(
        "miracl",
        "MIRACL's layout",
        "questions and passages of any benchmark as topics, judgements and collections of one language each",
        later("triglot.study.layouts:as_miracl"),
    ),
    Maker(
        "translated",
        "translated queries",
        "a benchmark in BEIR's layout whose queries stand in other languages too, translated word by word through word "
        "lists, or by a translation model in a folder",
        later("triglot.study.layouts:translated"),
    ),
    Maker(
        "augmented",
        "augmented copies",
        "nested changed copies of training pairs, x1.jsonl, x2.jsonl and so on, the worst of several draws for a model",
        later("triglot.study.augmented:write"),
    ),
)
MAKERS = Registry(Maker, group="makers", what="kind of data to make", rows=TABLE)


def check(name: str, made: Made) -> None:
    """Raises InputError that names the key, for a kind that is not known."""
    if made.kind not in MAKERS:
        raise InputError(f"made.{name}.kind: {made.kind!r} is not known{nearest(made.kind, MAKERS.names())}")


def make(made: Made, place: Path, at: Callable[[str], Path], name: str) -> Path:
    """The folder of what a recipe makes; it is made if it is not there as it should be.

    Args:
        made: what to make.
        place: its folder.
        at: a path of the recipe -> where that lies; what it is made of is made first.
        name: in the recipe.

    Raises:
        InputError: an unknown kind or option, or what it is made of cannot be read.
    """
    check(name, made)
    source = at(made.path) if made.path else None
    if source is not None and not source.exists():
        raise InputError(f"made.{name}: {source}: no such file or folder")
    lists = [at(str(made.options["lists"]))] if "lists" in made.options else []
    asked = {"settings": plain(made), "of": [fingerprint(path) for path in (source, *lists) if path is not None]}
    if _is_there(place, asked):
        return place
    log.info("making %s: %s", name, MAKERS[made.kind].title)
    options = dict(made.options) | ({"lists": str(lists[0])} if lists else {})
    with atomic_folder(place) as temporary:
        try:
            facts = MAKERS[made.kind].make(temporary, source, **options)
        except TypeError as error:
            if "unexpected keyword" not in str(error):
                raise
            raise InputError(f"made.{name}.options: {str(error).partition('got an ')[2] or error}") from None
        except InputError as error:
            raise InputError(f"made.{name}: {error}") from None
        sums = checksums(temporary)
    write_sealed(_seal(place), {"asked": asked, "facts": dict(facts), "files": sums})
    return place


def _seal(place: Path) -> Path:
    """The document about data that were made; beside their folder, where no reader of them finds it."""
    return place.with_name(f"{place.name}.json")


def drawn_alone(made: Mapping[str, Made]) -> dict[str, Made]:
    """The same without the search of a model, for whoever asks what a study costs: as many lines, other changes."""
    return {
        name: replace(one, options={key: value for key, value in one.options.items() if key != "model"})
        if one.kind == "augmented"
        else one
        for name, one in made.items()
    }


def facts_of(place: Path) -> Mapping[str, Any]:
    """What was told of data that were made; nothing where they are not there any more."""
    try:
        return read_sealed(_seal(place)).get("facts", {})
    except InputError as error:
        log.warning("%s; nothing is told of it", error)
        return {}


def _is_there(place: Path, asked: Mapping[str, Any]) -> bool:
    if not _seal(place).is_file():
        return False
    try:
        seal = read_sealed(_seal(place))
        if seal.get("asked") != json.loads(json.dumps(asked)):
            return False
        check_files(place, seal.get("files", {}))
    except InputError as error:
        log.warning("%s; it is made again", error)
        return False
    return True
