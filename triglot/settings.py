"""YAML and `key=value` words into frozen dataclasses; what is not understood is named with file, line, key and nearest
known name."""

from __future__ import annotations

import copy
import dataclasses
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from triglot.files import InputError, SettingError, nearest, read_lines
from triglot.ranges import Range, hints_of, ranges_in, shown

T = TypeVar("T")
COMMAND_LINE = "command line"
_DEEPEST = 32
_LONGEST = 1 << 17  # characters; the longest recipe has some thousands
_MOST_DIGITS = 400
_ANY_NUMBER = Range(-(2.0**63), 2.0**63)


class _Loader(yaml.SafeLoader):
    """The YAML that settings need: mappings, lists, text, and numbers and booleans of version 1.2 (`1e-2` is a number,
    `no`, Norwegian, is a word). No tags, anchors, aliases, merge keys or dates: a few lines of those can run code, take
    gigabytes or refer to themselves."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in rules if tag == "tag:yaml.org,2002:null"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str):
        super().__init__(text)
        self._depth = 0

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        if self.flow_level >= _DEEPEST:  # here, since the scanner looks far ahead and takes longer the deeper it is
            raise yaml.MarkedYAMLError(problem=f"nested more than {_DEEPEST} deep", problem_mark=self.get_mark())
        super().fetch_flow_collection_start(TokenClass)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(
                problem="anchors and aliases, & and *, are not read", problem_mark=event.start_mark
            )
        if getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(problem="tags, such as !!set, are not read", problem_mark=event.start_mark)
        if self._depth == _DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"nested more than {_DEEPEST} deep", problem_mark=event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)  # type: ignore[arg-type]
        self._depth -= 1
        return node


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf)$|^\.(?:nan|NaN)$"
    ),
    list("-+.0123456789"),
)


@dataclass(frozen=True)
class Document:
    """Settings as plain values, and where each dotted key was written."""

    value: dict[str, Any]
    source: str
    lines: dict[str, str] = field(default_factory=dict)

    def where(self, key: str) -> str:
        """`file:line`, or the command line, of a dotted key or of its nearest parent that was written."""
        while key:
            if key in self.lines:
                return self.lines[key]
            key = key.rpartition(".")[0]
        return self.source


def _join(prefix: str, key: object) -> str:
    return f"{prefix}.{key}" if prefix else str(key)


def _walk(node: yaml.Node, prefix: str, place: Callable[[int], str], lines: dict[str, str]) -> None:
    """Note where each dotted key was written, and refuse what no settings are made of."""
    where = f"{place(node.start_mark.line)}: {prefix}{': ' if prefix else ''}"
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for name, child in node.value:
            here = place(name.start_mark.line)
            if not isinstance(name, yaml.ScalarNode):
                raise InputError(f"{here}: {prefix}{': ' if prefix else ''}a key is a word, not a list or a mapping")
            _walk(name, prefix, place, {})
            key = _join(prefix, name.value)
            if not name.tag.endswith(":str"):
                raise InputError(f"{here}: {key}: a key is text; write it in quotes if it is meant")
            if name.value in seen:
                raise InputError(f"{here}: {key} is given twice")
            seen.add(name.value)
            lines[key] = here
            _walk(child, key, place, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            lines[_join(prefix, number)] = place(child.start_mark.line)
            _walk(child, _join(prefix, number), place, lines)
    elif node.tag.endswith(":int") and len(node.value) > _MOST_DIGITS:
        raise InputError(f"{where}a number of {len(node.value):,} digits is too large")
    elif any("\ud800" <= character <= "\udfff" for character in node.value):
        raise InputError(f"{where}half a character (a lone surrogate) is no text")


def _read_value(text: str, source: str, place: Callable[[int], str]) -> tuple[Any, dict[str, str]]:
    """What YAML text says, and where each dotted key was written.

    Args:
        text: of the settings, or of one value.
        source: what errors call it.
        place: what errors call a line of it, counted from 0.
    """
    if len(text) > _LONGEST:
        raise InputError(f"{source}: longer than {_LONGEST:,} characters; settings were expected")
    loader, lines = None, {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            _walk(node, "", place, lines)
        return None if node is None else loader.construct_document(node), lines
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        raise InputError(f"{place(line)}: not YAML (a control character, U+{ord(text[error.position]):04X})") from None
    except yaml.MarkedYAMLError as error:
        where = place(error.problem_mark.line) if error.problem_mark else source
        raise InputError(f"{where}: not YAML ({error.problem or error.context})") from None
    except InputError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # an escape that is no character
        raise InputError(f"{place(loader.line) if loader else source}: not YAML ({error})") from None
    finally:
        if loader:
            loader.dispose()


def parse_yaml(text: str, source: str) -> Document:
    """Settings from YAML text.

    Raises InputError for broken YAML, a key given twice, or anything but a mapping at the top.
    """
    value, lines = _read_value(text, source, lambda line: f"{source}:{line + 1}")
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise InputError(f"{source}: settings are `key: value` lines")
    return Document(value, source, lines)


def read_yaml(path: str | Path, source: str = "") -> Document:
    """Settings from a file; `source` is what errors call it."""
    lines: list[str] = []
    length = 0
    for _, line in read_lines(path):
        lines.append(line)
        length += len(line) + 1
        if length > _LONGEST + 1:
            break
    return parse_yaml("\n".join(lines), source or str(path))


def split_word(word: str) -> tuple[str, Any]:
    """`batches.kind=xy` as (dotted key, value read as YAML). Raises InputError where there is no `=`."""
    key, equals, text = word.partition("=")
    if not equals or not key.strip():
        raise InputError(f"{COMMAND_LINE}: {word!r} is not key=value")
    where = f"{COMMAND_LINE}: {word if len(word) <= 100 else f'{word[:97]}...'}"
    return key.strip(), _read_value(text, where, lambda line: where)[0]


def key_values(words: Sequence[str]) -> dict[str, Any]:
    """Words such as `head.hidden=64` as nested values. Raises InputError as `split_word` and `put`."""
    found: dict[str, Any] = {}
    for word in words:
        key, value = split_word(word)
        put(found, key.split("."), value, COMMAND_LINE)
    return found


def put(value: dict[str, Any], path: Sequence[str], new: Any, where: str) -> None:
    """Set the entry at a path of keys and list indices, in place.

    Raises:
        InputError: the path leads through something that is neither a mapping nor a list, or past a list's end.
    """
    here: Any = value
    if len(path) > _DEEPEST:
        raise InputError(f"{where}: {'.'.join(path)[:60]}...: a key of more than {_DEEPEST} parts")
    for depth, name in enumerate(path):
        key = ".".join(path[: depth + 1])
        last = depth == len(path) - 1
        if isinstance(here, list):
            if not re.fullmatch(r"[0-9]{1,9}", name) or int(name) >= len(here):
                raise InputError(
                    f"{where}: {key}: the list has the entries 0 to {len(here) - 1}"
                    if here
                    else f"{where}: {key}: the list is empty"
                )
            if last:
                here[int(name)] = new
            here = here[int(name)]
        elif isinstance(here, dict):
            if last:
                here[name] = new
            here = here.setdefault(name, {})
        else:
            what = "null" if here is None else shown(here)
            raise InputError(f"{where}: {key}: {'.'.join(path[:depth])} is {what} and holds no settings")


def _shapes(kind: Any) -> Iterable[Any]:
    """The types that an annotation allows."""
    if get_origin(kind) in (typing.Union, types.UnionType):
        for option in get_args(kind):
            yield from _shapes(option)
    elif get_origin(kind) is typing.Annotated:
        yield from _shapes(get_args(kind)[0])
    else:
        yield kind


def _unknown(kind: Any, value: Any, prefix: str) -> Iterable[tuple[str, str]]:
    """Yield (dotted key, what is wrong) for keys that no dataclass knows."""
    for shape in _shapes(kind):
        origin = get_origin(shape) or shape
        if isinstance(value, Mapping) and dataclasses.is_dataclass(shape):
            hints = hints_of(shape)
            known = [entry.name for entry in dataclasses.fields(shape) if entry.init]
            for key, child in value.items():
                if key not in known:
                    yield _join(prefix, key), f"no such setting{nearest(str(key), known)}"
                else:
                    yield from _unknown(hints[key], child, _join(prefix, key))
        elif isinstance(value, Mapping) and origin in (dict, Mapping) and get_args(shape):
            for key, child in value.items():
                yield from _unknown(get_args(shape)[1], child, _join(prefix, key))
        elif isinstance(value, (list, tuple)) and origin in (list, tuple, Sequence) and get_args(shape):
            for number, child in enumerate(value):
                yield from _unknown(get_args(shape)[0], child, _join(prefix, number))


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
        hint = nearest(str(given), choices)
        return f"{shown(given)} is not one of {', '.join(choices)}{hint if 'did you mean' in hint else ''}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    wanted = next((text for start, text in _WANTED.items() if error["type"].startswith(start)), "")
    return f"{shown(given)} is not {wanted}" if wanted else f"{shown(given)}: {error['msg']}"


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _made(kind: Any, value: Any, prefix: str) -> tuple[Any, dict[str, str]]:
    """What plain values make, and dotted key -> what is wrong with it; of the two, one is empty."""
    wrong = dict(_unknown(kind, value, prefix)) or dict(_wrong_numbers(kind, value, prefix))
    if wrong:
        return None, wrong
    try:
        return _adapter(kind).validate_python(value), {}
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            path = [part for part in error["loc"] if isinstance(part, int) or re.fullmatch(r"[\w\-+.]+", str(part))]
            key, refused = ".".join(map(str, path)), error.get("ctx", {}).get("error")
            if isinstance(refused, SettingError):
                key = _join(key, refused.key)
            what = refused.what if isinstance(refused, SettingError) else _complaint(kind, {**error, "loc": path})
            wrong[_join(prefix, key) if key else prefix] = what
        return None, wrong


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
    made = _changed(settings, type(settings), changes, "", wrong)
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


def _changed(value: Any, kind: Any, changes: Any, key: str, wrong: dict[str, str]) -> Any:
    """A value with changes below it; what is wrong with them goes into `wrong` by its dotted key."""
    if isinstance(changes, _Whole) or value is None:
        made, found = _made(kind, _unnest(changes), key)
        wrong.update(found)
        return made
    if isinstance(value, Mapping):
        below = {name: _unnest(child) for name, child in changes.items()}
        return {**value, **below}
    if isinstance(value, tuple):
        return _changed_items(value, kind, changes, key, wrong)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        wrong[_join(key, next(iter(changes)))] = f"{key} is {shown(value)} and holds no settings"
        return value
    hints, names = hints_of(type(value)), [entry.name for entry in dataclasses.fields(value)]
    below = {}
    for name, child in changes.items():
        if name in names:
            below[name] = _changed(getattr(value, name), hints[name], child, _join(key, name), wrong)
        else:
            wrong[_join(key, name)] = f"no such setting{nearest(name, names)}"
    if wrong:
        return value
    try:
        return dataclasses.replace(value, **below)
    except SettingError as error:
        wrong[_join(key, error.key)] = error.what
    except InputError as error:
        wrong[key] = str(error)
    return value


def _changed_items(
    value: tuple[Any, ...], kind: Any, changes: Mapping[str, Any], key: str, wrong: dict[str, str]
) -> tuple[Any, ...]:
    items = list(value)
    of_items = next(get_args(shape)[0] for shape in _shapes(kind) if get_origin(shape) is tuple)
    for name, child in changes.items():
        if re.fullmatch(r"[0-9]{1,9}", name) and int(name) < len(items):
            items[int(name)] = _changed(items[int(name)], of_items, child, _join(key, name), wrong)
        else:
            wrong[_join(key, name)] = (
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
                yield from _wrong_numbers(hints[key], child, _join(prefix, key))
        elif isinstance(value, (list, tuple)) and get_origin(shape) in (list, tuple, Sequence) and get_args(shape):
            for number, child in enumerate(value):
                yield from _wrong_numbers(get_args(shape)[0], child, _join(prefix, number))
        elif isinstance(value, Mapping) and get_origin(shape) in (dict, Mapping) and get_args(shape):
            for key, child in value.items():
                yield from _wrong_numbers(get_args(shape)[1], child, _join(prefix, key))
        elif shape is Any:
            yield from _wrong_options(value, prefix)


def _wrong_options(value: Any, prefix: str) -> Iterable[tuple[str, str]]:
    """Yield the numbers that no reader takes, whatever its options are."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _wrong_options(child, _join(prefix, key))
    elif isinstance(value, (list, tuple)):
        for number, child in enumerate(value):
            yield from _wrong_options(child, _join(prefix, number))
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
    plain_here = _Loader("").resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain_here else "'")


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_text)


def dump_yaml(value: Any) -> str:
    """YAML of settings in the order of their fields."""
    return yaml.dump(
        plain(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140, default_flow_style=False
    )
