"""YAML and `key=value` words as plain values that know where they were written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from triglot.files import InputError, read_lines
from triglot.ranges import shown

COMMAND_LINE = "command line"
_DEEPEST = 32
_LONGEST = 1 << 17  # characters; the longest recipe has some thousands
_MOST_DIGITS = 400


class Loader(yaml.SafeLoader):
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


Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
Loader.add_implicit_resolver(
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


def joined(prefix: str, key: object) -> str:
    """A dotted key."""
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
            key = joined(prefix, name.value)
            if not name.tag.endswith(":str"):
                raise InputError(f"{here}: {key}: a key is text; write it in quotes if it is meant")
            if name.value in seen:
                raise InputError(f"{here}: {key} is given twice")
            seen.add(name.value)
            lines[key] = here
            _walk(child, key, place, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            lines[joined(prefix, number)] = place(child.start_mark.line)
            _walk(child, joined(prefix, number), place, lines)
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
        loader = Loader(text)
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
    document: dict[str, Any] = {}
    for word in words:
        key, value = split_word(word)
        put(document, key.split("."), value, COMMAND_LINE)
    return document


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
