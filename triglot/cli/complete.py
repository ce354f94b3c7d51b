"""What a shell can complete beside commands and options: recipes and their keys, formats, measures, methods, arms.

Each function gets the word as far as it is typed and returns what it may become. They answer while somebody waits, so
what they need is imported inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


def _begin(names: Iterable[str], typed: str) -> list[str]:
    return [name for name in names if name.startswith(typed)]


def recipes(incomplete: str) -> list[str]:
    """Names of the recipes that come with Triglot, and recipes that lie here."""
    from triglot.recipes import names

    return [
        *_begin(names(), incomplete),
        *(path for path in _paths(incomplete) if path.endswith((".yaml", ".yml", "/"))),
    ]


def studies(incomplete: str) -> list[str]:
    """Names of studies and recipes."""
    from triglot.recipes import study_names

    return [*_begin(study_names(), incomplete), *recipes(incomplete)]


def sizes(ctx: Any, incomplete: str) -> list[str]:
    """Sizes of the study that the command line names."""
    from triglot.files import InputError
    from triglot.study.named import sizes_of

    try:
        known = sizes_of(ctx.params.get("recipe") or next(iter(ctx.args), ""))
    except InputError:
        return []
    return _begin(known, incomplete)


def keys(incomplete: str) -> list[str]:
    """Keys of recipes, with their `=`."""
    from triglot.recipe import Recipe
    from triglot.settings import dotted_keys

    return _begin((f"{key}=" for key in dotted_keys(Recipe)), incomplete)


def formats(incomplete: str) -> list[str]:
    """Names of formats of data."""
    from triglot.corpus.formats.registry import FORMATS

    return _begin(FORMATS.names(), incomplete)


def data(incomplete: str) -> list[str]:
    """`NAME=FORMAT:` as far as the format, or a path."""
    start, equals, rest = incomplete.rpartition("=")
    return [start + equals + word for word in (*(f"{name}:" for name in formats(rest)), *_paths(rest))]


def _paths(incomplete: str) -> list[str]:
    above, slash, typed = incomplete.rpartition("/")
    folder = Path(above + slash)
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        f"{path}/" if path.is_dir() else str(path)
        for path in found
        if path.name.startswith(typed) and (typed or not path.name.startswith("."))
    ]


def measures(incomplete: str) -> list[str]:
    """Measures that `compare` shows."""
    from triglot.measures import shown

    return _begin(shown(), incomplete)


def limits(incomplete: str) -> list[str]:
    """Measures of a check, with their `=`."""
    from triglot.check.verdict import measure_names

    return _begin((f"{name}=" for name in measure_names()), incomplete)


def methods(incomplete: str) -> list[str]:
    """Methods of debiasing."""
    from triglot.debias.methods import METHODS

    return _begin(METHODS.names(), incomplete)


def output_formats(incomplete: str) -> list[str]:
    """Formats of tables."""
    from triglot.report.write import FORMATS

    return _begin(("table", *FORMATS), incomplete)


def arms(ctx: Any, incomplete: str) -> list[str]:
    """Arms of the recipe that the command line names."""
    from triglot.files import InputError
    from triglot.recipe import load_recipe

    before, comma, typed = incomplete.rpartition(",")
    recipe = ctx.params.get("recipe") or next(iter(ctx.args), "")  # the parser stops at an option without its value
    try:
        known = load_recipe(recipe).arms if recipe else ()
    except InputError:
        return []
    return [before + comma + name for name in _begin(known, typed)]
