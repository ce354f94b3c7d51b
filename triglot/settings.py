"""YAML and `key=value` words into frozen dataclasses; what is not understood is named with file, line, key and nearest
known name."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from triglot.document import Document, Loader, joined, put
from triglot.files import InputError, SettingError, nearest
from triglot.ranges import Range, hints_of, ranges_in, shown

T = TypeVar("T")
_ANY_NUMBER = Range(-(2.0**63), 2.0**63)
_MOST_MEANT = 3  # keys that one hint names


def _shapes(kind: Any) -> Iterable[Any]:
    """The types that an annotation allows."""
    if get_origin(kind) in (typing.Union, types.UnionType):
        for option in get_args(kind):
            yield from _shapes(option)
    elif get_origin(kind) is typing.Annotated:
        yield from _shapes(get_args(kind)[0])
    else:
        yield kind


def dotted_keys(kind: Any, above: str = "") -> Iterator[str]:
    """The dotted keys that a dataclass has at any depth; of a list, those of its first entry (`sources.0.path`)."""
    for shape in _shapes(kind):
        if dataclasses.is_dataclass(shape):
            hints = hints_of(shape)
            for entry in dataclasses.fields(shape):
                if entry.init:
                    yield joined(above, entry.name)
                    yield from dotted_keys(hints[entry.name], joined(above, entry.name))
        elif get_origin(shape) in (list, tuple, Sequence) and get_args(shape):
            yield from dotted_keys(get_args(shape)[0], joined(above, 0))


@cache
def _by_name(kind: Any) -> dict[str, tuple[str, ...]]:
    """Last part of a key -> the dotted keys that end in it, the shortest ones alone."""
    keys_of: dict[str, list[str]] = {}
    for key in dotted_keys(kind):
        keys_of.setdefault(key.rpartition(".")[2], []).append(key)
    depth = {name: min(key.count(".") for key in keys) for name, keys in keys_of.items()}
    return {name: tuple(key for key in keys if key.count(".") == depth[name]) for name, keys in keys_of.items()}


def _meant(name: str, known: Sequence[str], root: Any) -> str:
    """A hint for an unknown key: those of this very name at other places of the tree, the nearest beside it, or the
    nearest anywhere."""
    elsewhere = _by_name(root) if root is not None else {}
    last = name.rpartition(".")[2]
    if last not in elsewhere and (hint := nearest(name, known, listed=False)):
        return hint
    close = [last] if last in elsewhere else difflib.get_close_matches(last, elsewhere, n=1)
    if not close:
        return nearest(name, known)
    return f"; did you mean {' or '.join(repr(key) for key in elsewhere[close[0]][:_MOST_MEANT])}?"


def _unknown(kind: Any, value: Any, prefix: str, root: Any) -> Iterable[tuple[str, str]]:
    """Yield (dotted key, what is wrong) for keys that no dataclass knows; `root` has all keys that may be meant."""
    for shape in _shapes(kind):
        origin = get_origin(shape) or shape
        if isinstance(value, Mapping) and dataclasses.is_dataclass(shape):
            hints = hints_of(shape)
            known = [entry.name for entry in dataclasses.fields(shape) if entry.init]
            for key, child in value.items():
                if key not in known:
                    yield joined(prefix, key), f"no such setting{_meant(str(key), known, root)}"
                else:
                    yield from _unknown(hints[key], child, joined(prefix, key), root)
        elif isinstance(value, Mapping) and origin in (dict, Mapping) and get_args(shape):
            for key, child in value.items():
                yield from _unknown(get_args(shape)[1], child, joined(prefix, key), root)
        elif isinstance(value, (list, tuple)) and origin in (list, tuple, Sequence) and get_args(shape):
            for number, child in enumerate(value):
                yield from _unknown(get_args(shape)[0], child, joined(prefix, number), root)


def _hint(kind: Any, path: Sequence[Any]) -> Any:
    """The annotation at a path of a dataclass, None where the path leaves it."""
    for name in path:
        options = list(_shapes(kind))
        kind = None
        for shape in options:
            if dataclasses.is_dataclass(shape) and name in {entry.name for entry in dataclasses.fields(shape)}:
                kind = get_type_hints(shape)[name]
            elif get_origin(shape) in (list, tuple, Sequence) and isinstance(name, int):
                kind = get_args(shape)[0]
            elif get_origin(shape) in (dict, Mapping):
                kind = get_args(shape)[1]
        if kind is None:
            return None
    return kind


_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text (quote it if it is)",
    "dataclass": "a block of settings",
    "dict": "a block of settings",
    "mapping": "a block of settings",
    "tuple": "a list",
    "list": "a list",
}


def _complaint(kind: Any, error: Mapping[str, Any]) -> str:
    """One sentence for one of pydantic's errors."""
    given = error.get("input")
    if error["type"] == "missing":
        return "is missing"
    choices = [
        str(choice)
        for shape in _shapes(_hint(kind, error["loc"]))
        if get_origin(shape) is Literal
        for choice in get_args(shape)
    ]
    if choices:
        return f"{shown(given)} is not one of {', '.join(choices)}{nearest(str(given), choices, listed=False)}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    wanted = next((text for start, text in _WANTED.items() if error["type"].startswith(start)), "")
    return f"{shown(given)} is not {wanted}" if wanted else f"{shown(given)}: {error['msg']}"


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _made(kind: Any, value: Any, prefix: str, root: Any = None) -> tuple[Any, dict[str, str]]:
    """What plain values make, and dotted key -> what is wrong with it; of the two, one is empty."""
    wrong = dict(_unknown(kind, value, prefix, root or kind)) or dict(_wrong_numbers(kind, value, prefix))
    if wrong:
        return None, wrong
    try:
        return _adapter(kind).validate_python(value), {}
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            path = [part for part in error["loc"] if isinstance(part, int) or re.fullmatch(r"[\w\-+.]+", str(part))]
            key, refused = ".".join(map(str, path)), error.get("ctx", {}).get("error")
            if isinstance(refused, SettingError):
                key = joined(key, refused.key)
            what = refused.what if isinstance(refused, SettingError) else _complaint(kind, {**error, "loc": path})
            wrong[joined(prefix, key) if key else prefix] = what
        return None, wrong


def complaints(kind: type[T], value: Mapping[str, Any]) -> tuple[T, dict[str, str]]:
    """A dataclass from plain values, and dotted key -> what is wrong with them; the dataclass is None where anything
    is."""
    return _made(kind, value, "")


def _refusal(document: Document, inside: str, wrong: Mapping[str, str]) -> InputError:
    """One line for everything that is wrong, with the place where it was written."""
    lines = [
        ": ".join(part for part in (document.where(key), inside + key, what) if part) for key, what in wrong.items()
    ]
    return InputError("\n".join(lines))


def build(kind: type[T], document: Document) -> T:
    """A dataclass from plain values.

    Args:
        kind: the dataclass; fields may be dataclasses, or lists and mappings of them.
        document: the values, and where they were written.

    Raises:
        InputError: names every key that is unknown, missing or has a wrong value, with its place and the nearest known
            name.
    """
    made, wrong = _made(kind, document.value, "")
    if wrong:
        raise _refusal(document, "", wrong)
    return made


def changed(settings: T, document: Document, inside: str = "") -> T:
    """A dataclass with other values in some places; every dataclass on the way is made anew once, and checks itself.

    Args:
        settings: the dataclass.
        document: dotted key -> plain value, and where they were written.
        inside: what errors put before a key (an arm of a study).

    Raises:
        InputError: as `build`.
    """
    changes: dict[str, Any] = {}
    for key, value in document.value.items():
        _nest(changes, key.split("."), value, document.where(key))
    wrong: dict[str, str] = {}
    made = _changed(settings, type(settings), changes, "", wrong, type(settings))
    if wrong:
        raise _refusal(document, inside, wrong)
    return made


@dataclass(frozen=True)
class _Whole:
    """A plain value that takes the place of what was there."""

    value: Any


def _nest(changes: dict[str, Any], path: Sequence[str], value: Any, where: str) -> None:
    """Put a change where its dotted key says, in place."""
    first, *rest = path
    if not rest:
        changes[first] = _Whole(copy.deepcopy(value))
    elif isinstance(changes.get(first), _Whole):
        put(changes[first].value, rest, value, where)
    else:
        _nest(changes.setdefault(first, {}), rest, value, where)


def _unnest(changes: Any) -> Any:
    """Nested changes as the plain values that they would be alone."""
    if isinstance(changes, _Whole):
        return changes.value
    return {key: _unnest(child) for key, child in changes.items()}


def _changed(value: Any, kind: Any, changes: Any, key: str, wrong: dict[str, str], root: Any) -> Any:
    """A value with changes below it; what is wrong with them goes into `wrong` by its dotted key."""
    if isinstance(changes, _Whole) or value is None:
        made, faults = _made(kind, _unnest(changes), key, root)
        wrong.update(faults)
        return made
    if isinstance(value, Mapping):
        below = {name: _unnest(child) for name, child in changes.items()}
        return {**value, **below}
    if isinstance(value, tuple):
        return _changed_items(value, kind, changes, key, wrong, root)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        wrong[joined(key, next(iter(changes)))] = f"{key} is {shown(value)} and holds no settings"
        return value
    hints, names = hints_of(type(value)), [entry.name for entry in dataclasses.fields(value)]
    below = {}
    for name, child in changes.items():
        if name in names:
            below[name] = _changed(getattr(value, name), hints[name], child, joined(key, name), wrong, root)
        else:
            wrong[joined(key, name)] = f"no such setting{_meant(name, names, root)}"
    if wrong:
        return value
    try:
        return dataclasses.replace(value, **below)
    except SettingError as error:
        wrong[joined(key, error.key)] = error.what
    except InputError as error:
        wrong[key] = str(error)
    return value


def _changed_items(
    value: tuple[Any, ...], kind: Any, changes: Mapping[str, Any], key: str, wrong: dict[str, str], root: Any
) -> tuple[Any, ...]:
    items = list(value)
    of_items = next(get_args(shape)[0] for shape in _shapes(kind) if get_origin(shape) is tuple)
    for name, child in changes.items():
        if re.fullmatch(r"[0-9]{1,9}", name) and int(name) < len(items):
            items[int(name)] = _changed(items[int(name)], of_items, child, joined(key, name), wrong, root)
        else:
            wrong[joined(key, name)] = (
                f"the list has the entries 0 to {len(items) - 1}" if items else "the list is empty"
            )
    return tuple(items)


def _as(value: int | float, whole: bool) -> int | float:
    """A number as its field holds it: 2.0 is a whole number, and 1 becomes 1.0."""
    if isinstance(value, float):
        return int(value) if whole and value.is_integer() else value
    return value if whole or value.bit_length() > 1000 else float(value)


def _wrong_numbers(kind: Any, value: Any, prefix: str) -> Iterable[tuple[str, str]]:
    """Yield (dotted key, what is wrong) where a boolean stands for a number (pydantic takes `true` as 1), or one is out
    of its range."""
    shapes = list(_shapes(kind))
    if isinstance(value, bool):
        if bool not in shapes and (int in shapes or float in shapes):
            yield prefix, f"{str(value).lower()} is not a number"
    elif isinstance(value, (int, float)):
        for allowed, whole in ranges_in(kind):
            if said := allowed.complaint(_as(value, whole), whole):
                yield prefix, said
    for shape in shapes:
        if isinstance(value, Mapping) and dataclasses.is_dataclass(shape):
            hints = hints_of(shape)  # type: ignore[arg-type]
            for key, child in value.items():
                yield from _wrong_numbers(hints[key], child, joined(prefix, key))
        elif isinstance(value, (list, tuple)) and get_origin(shape) in (list, tuple, Sequence) and get_args(shape):
            for number, child in enumerate(value):
                yield from _wrong_numbers(get_args(shape)[0], child, joined(prefix, number))
        elif isinstance(value, Mapping) and get_origin(shape) in (dict, Mapping) and get_args(shape):
            for key, child in value.items():
                yield from _wrong_numbers(get_args(shape)[1], child, joined(prefix, key))
        elif shape is Any:
            yield from _wrong_options(value, prefix)


def _wrong_options(value: Any, prefix: str) -> Iterable[tuple[str, str]]:
    """Yield the numbers that no reader takes, whatever its options are."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _wrong_options(child, joined(prefix, key))
    elif isinstance(value, (list, tuple)):
        for number, child in enumerate(value):
            yield from _wrong_options(child, joined(prefix, number))
    elif (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and (said := _ANY_NUMBER.complaint(value, False))
    ):
        yield prefix, said


def plain(value: Any) -> Any:
    """Dataclasses and tuples as dictionaries and lists, for YAML and JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {entry.name: plain(getattr(value, entry.name)) for entry in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


class _Dumper(yaml.SafeDumper):
    """Block style, with short lists on one line; strings that another YAML would misread are quoted."""


def _represent_list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    flow = all(not isinstance(item, (dict, list)) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    plain_here = Loader("").resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain_here else "'")


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_text)


def dump_yaml(value: Any) -> str:
    """YAML of settings in the order of their fields."""
    return yaml.dump(
        plain(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140, default_flow_style=False
    )
