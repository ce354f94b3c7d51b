"""YAML and `key=value` words into frozen dataclasses; what is not understood is named with file, line, key and nearest known name."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from triglot.files import InputError, nearest, read_lines
from triglot.ranges import hints_of, ranges_in, shown

T = TypeVar("T")
COMMAND_LINE = "command line"


class _Loader(yaml.SafeLoader):
    """YAML with the numbers and booleans of version 1.2: `1e-2` is a number, and `no` (Norwegian) is a word."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [
            (tag, pattern)
            for tag, pattern in rules
            if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float", "tag:yaml.org,2002:int")
        ]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf)$|^\.(?:nan|NaN)$"),
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


def _walk(node: yaml.Node, prefix: str, source: str, lines: dict[str, str]) -> None:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for name, child in node.value:
            key = _join(prefix, name.value)
            if name.value in seen:
                raise InputError(f"{source}:{name.start_mark.line + 1}: {key} is given twice")
            seen.add(name.value)
            lines[key] = f"{source}:{name.start_mark.line + 1}"
            _walk(child, key, source, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            lines[_join(prefix, number)] = f"{source}:{child.start_mark.line + 1}"
            _walk(child, _join(prefix, number), source, lines)


def parse_yaml(text: str, source: str) -> Document:
    """Settings from YAML text. Raises InputError for broken YAML, a key given twice, or anything but a mapping at the top."""
    loader = _Loader(text)
    lines: dict[str, str] = {}
    try:
        node = loader.get_single_node()
        if node is not None:
            _walk(node, "", source, lines)
        value = {} if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{source}{line}: not YAML ({error.problem or error.context})") from None
    except InputError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{source}: not YAML ({error})") from None
    finally:
        loader.dispose()
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InputError(f"{source}: settings are `key: value` lines")
    return Document(value, source, lines)


def read_yaml(path: str | Path, source: str = "") -> Document:
    """Settings from a file; `source` is what errors call it."""
    return parse_yaml("\n".join(line for _, line in read_lines(path)), source or str(path))


def _parse_value(text: str, key: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{COMMAND_LINE}: {key}={text}: not YAML ({getattr(error, 'problem', None) or error})") from None


def split_word(word: str) -> tuple[str, Any]:
    """`batches.kind=xy` as (dotted key, value read as YAML). Raises InputError where there is no `=`."""
    key, equals, text = word.partition("=")
    if not equals or not key.strip():
        raise InputError(f"{COMMAND_LINE}: {word!r} is not key=value")
    return key.strip(), _parse_value(text, key)


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
    for depth, name in enumerate(path):
        key = ".".join(path[: depth + 1])
        last = depth == len(path) - 1
        if isinstance(here, list):
            if not name.isdigit() or int(name) >= len(here):
                raise InputError(
                    f"{where}: {key}: the list has the entries 0 to {len(here) - 1}" if here else f"{where}: {key}: the list is empty"
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
            hints = get_type_hints(shape)
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
    choices = [str(choice) for shape in _shapes(_hint(kind, error["loc"])) if get_origin(shape) is Literal for choice in get_args(shape)]
    if choices:
        hint = nearest(str(given), choices)
        return f"{shown(given)} is not one of {', '.join(choices)}{hint if 'did you mean' in hint else ''}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    wanted = next((text for start, text in _WANTED.items() if error["type"].startswith(start)), "")
    return f"{shown(given)} is not {wanted}" if wanted else f"{shown(given)}: {error['msg']}"


def _placed(kind: Any, path: Sequence[Any], what: str) -> tuple[str, str]:
    """(dotted key, what is wrong); a dataclass that refuses its own values begins with the field's name, alone or after its own."""
    key = ".".join(map(str, path))
    said = re.match(r"([\w.]+): (.*)", what, re.DOTALL)
    if not said:
        return key, what
    names = said[1].split(".")
    for start in range(len(names)):  # `attack.rate` of the first entry of `attacks` is `attacks.0.rate`
        here = [int(name) if name.isdigit() else name for name in names[start:]]
        if _hint(kind, [*path, *here]) is not None:
            return _join(key, ".".join(names[start:])), said[2]
    if path and names[0] == path[-1] and len(names) > 1:
        return f"{key}.{'.'.join(names[1:])}", said[2]
    return key, what


def build(kind: type[T], document: Document, inside: str = "") -> T:
    """A dataclass from plain values.

    Args:
        kind: the dataclass; fields may be dataclasses, or lists and mappings of them.
        document: the values, and where they were written.
        inside: a dotted prefix to name in errors (an arm of a study).

    Raises:
        InputError: names every key that is unknown, missing or has a wrong value, with its place and the nearest known name.
    """
    wrong = list(_unknown(kind, document.value, ""))
    if not wrong:
        wrong += _wrong_numbers(kind, document.value, "")
    if not wrong:
        try:
            return TypeAdapter(kind).validate_python(document.value)
        except ValidationError as failure:
            for error in failure.errors(include_url=False):
                path = [part for part in error["loc"] if isinstance(part, int) or re.fullmatch(r"[\w\-+.]+", str(part))]
                wrong.append(_placed(kind, path, _complaint(kind, {**error, "loc": path})))
    lines = [": ".join(part for part in (document.where(key), inside + key, what) if part) for key, what in dict(wrong).items()]
    raise InputError("\n".join(lines))


def _as(value: int | float, whole: bool) -> int | float:
    """A number as its field holds it: 2.0 is a whole number, and 1 becomes 1.0."""
    if isinstance(value, float):
        return int(value) if whole and value.is_integer() else value
    return value if whole or value.bit_length() > 1000 else float(value)


def _wrong_numbers(kind: Any, value: Any, prefix: str) -> Iterable[tuple[str, str]]:
    """Yield (dotted key, what is wrong) where a boolean stands for a number (pydantic takes `true` as 1), or one is out of its range."""
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
    return yaml.dump(plain(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140, default_flow_style=False)
