"""Prints the table of recipe keys in Markdown, made of the dataclasses that a recipe is built from.

python -m tools.keys            # the table
python -m tools.keys --write    # puts it into docs/recipe-keys.md, between its two marks
"""

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from tools import page
from triglot.losses import LOSSES, LossSettings, TermSettings
from triglot.ranges import choices_in, hints_of, ranges_in
from triglot.recipe import Recipe, key_order

PAGE = Path(__file__).resolve().parents[1] / "docs" / "recipe-keys.md"
NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "anything"}


def meanings(kind: type) -> dict[str, str]:
    """Field -> what the `Attributes:` of the docstrings say of it, those of the classes above included."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        said = inspect.cleandoc(one.__dict__.get("__doc__") or "").partition("Attributes:\n")[2].partition("\n\n")[0]
        for names, text in re.findall(r"^    ([\w, ]+): (.*(?:\n {8}.*)*)", said, re.MULTILINE):
            found |= dict.fromkeys(names.split(", "), re.sub(r"\s+", " ", text).replace("None", "null"))
    return found


def what(hint: Any) -> str:
    """What may stand at a key: choices, the range of a number, a type."""
    lists = any(get_origin(one) is tuple for one in get_args(hint))
    if (ranges := list(ranges_in(hint))) and not lists:
        words = " or ".join(allowed.in_words(whole) for allowed, whole in ranges).replace(
            "a whole number", "whole number"
        )
        return words.replace("a number", "number") + (" or null" if type(None) in get_args(hint) else "")
    origin, inner = get_origin(hint), get_args(hint)
    for choice in choices_in(hint):
        return ", ".join(([] if choice.none is None else ["empty"]) + [f"`{row.name}`" for row in choice.rows])
    if origin is Annotated:
        return what(inner[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" if choice else "empty" for choice in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if one is type(None) else what(one) for one in inner)
    if origin is tuple:
        return f"list of {what(inner[0])}"
    if origin is Mapping:
        return f"block of {what(inner[1])}"
    return NAMES.get(hint, "block")


def inside(hint: Any) -> Iterator[tuple[str, type]]:
    """(what follows the key, the dataclass) of the settings that lie below a key."""
    origin, inner = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        yield "", hint
    elif origin in (typing.Union, types.UnionType):
        for one in inner:
            yield from inside(one)
    elif origin is tuple:
        yield from ((f".N{rest}", kind) for rest, kind in inside(inner[0]))


def default(entry: dataclasses.Field[Any]) -> str:
    """The value where nothing is given."""
    if entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
        return "must be given"
    value = entry.default if entry.default is not dataclasses.MISSING else entry.default_factory()  # type: ignore[misc]
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return f"{value}" if isinstance(value, (str, int, float)) else ""


def rows(kind: type = Recipe, above: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield (key, what may stand there, default, meaning).

    `alignment` has the keys of a stage, which stand at the top already.
    """
    hints, said = hints_of(kind), meanings(kind)
    entries = {entry.name: entry for entry in dataclasses.fields(kind)}
    for entry in (entries[name] for name in (key_order() if kind is Recipe else entries)):
        below = list(inside(hints[entry.name]))
        choices = [f"`{row.name}`: {row.help}" for choice in choices_in(hints[entry.name]) for row in choice.rows]
        yield (
            above + entry.name,
            what(hints[entry.name]),
            "" if below and "N" not in below[0][0] else default(entry),
            " ".join([said[entry.name], *(["; ".join(choices) + "."] if choices else [])]),
        )
        for rest, child in below if entry.name != "alignment" else ():
            yield from rows(child, f"{above}{entry.name}{rest}.")
        if (kind, entry.name) == (LossSettings, "terms"):  # each as its own class says
            yield from terms(f"{above}terms.N.")


def terms(above: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of the settings of all terms; those that not all of them have say whose they are."""
    common = {entry.name for entry in dataclasses.fields(TermSettings)}
    names = [row for row in LOSSES if row.settings is not TermSettings]
    choices = ", ".join(f"`{row.name}`" for row in names)
    explained = "; ".join(f"`{row.name}`: {row.help}" for row in names)
    yield f"{above}name", choices, "must be given", f"which loss. {explained}."
    for row in (row for row in rows(TermSettings) if row[0] != "name"):
        yield above + row[0], *row[1:]
    owners: dict[tuple[str, str, str, str], list[str]] = {}
    for loss in LOSSES:
        for row in rows(loss.settings):
            if row[0] not in common:
                owners.setdefault(row, []).append(f"`{loss.name}`")
    for (key, allowed, value, said), names in owners.items():
        yield above + key, allowed, value, f"{', '.join(names)}: {said}"


def table() -> str:
    """One line a key."""
    lines = ["| key | what may stand there | default | meaning |", "|---|---|---|---|"]
    for row in rows():
        key, *cells = (cell.replace("|", "\\|") for cell in row)
        lines.append(f"| `{key}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def placed(text: str) -> str:
    """The page's text with the table of today."""
    return page.placed(text, "keys", table())


if __name__ == "__main__":
    page.main(PAGE, "keys", table)
