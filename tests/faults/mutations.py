"""Damage: what a careless export, a bad disk or ill will make of a file.

Each change comes from a random generator and says what it did.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
import struct
import zlib
from pathlib import Path
from typing import Any

_ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    3,
    0.5,
    1e308,
    -(2**31),
    2**31,
    2**63,
    10**40,
    float("nan"),
    float("inf"),
    "",
    " ",
    "a",
    "\x00",
    "\ud800",
    "a\nb",
    "../../up",
    "/nowhere/up",
    "$x^{$",
    "x" * 5000,
    [],
    {},
    [None],
    [[["a"]]],
    {"a": {"b": 1}},
)
_CELLS = ("", "nan", "-1", "inf", "1e999", "\x00", "9" * 5000, "٣", "../up", " ", "\u2028", "a b", "=1+1", '"', "\x85")
_YAML = (
    "null",
    "-1",
    "1e400",
    ".nan",
    ".inf",
    "[]",
    "{}",
    "true",
    "'x'",
    "2001-99-99",
    "2001-01-01",
    "!!python/object/apply:os.getcwd []",
    "!!binary aGk=",
    "9" * 5000,
    "[1, 2",
    "*a",
    "&a [*a]",
    '"\\ud800"',
    "? x",
    "4294967296",
    "{? [a]: b}",
    "\x01",
    "\t- x",
    "[" * 3000,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    children = enumerate(value[:20]) if isinstance(value, list) else ()
    if isinstance(value, dict):
        children = value.items()
    for key, child in children:
        found += _paths(child, (*path, key))
    return found


def document(value: Any, draw: random.Random) -> tuple[Any, str]:
    """One entry of a JSON document deleted, renamed, doubled or given an odd value."""
    value = copy.deepcopy(value)
    path = draw.choice(_paths(value))
    if not path:
        odd = draw.choice(_ODD)
        return odd, f"all of it is {odd!r:.40}"
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    key, how = path[-1], draw.choice(("odd", "odd", "odd", "delete", "rename", "twice"))
    where = ".".join(map(str, path))
    if how == "delete":
        del parent[key]
    elif how == "rename" and isinstance(parent, dict):
        parent[f"{key}_"] = parent.pop(key)
    elif how == "twice" and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    else:
        parent[key] = draw.choice(_ODD)
        how = f"is {parent[key]!r:.40}"
    return value, f"{where} {how}"


def text(data: bytes, draw: random.Random) -> tuple[bytes, str]:
    """One line, or one of its fields, changed."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    at = draw.randrange(max(1, len(lines) - 1))
    how = draw.choice(("field", "field", "field", "drop", "twice", "join", "parts", "turned", "control", "long"))
    fields = lines[at].split("\t")
    if how == "field":
        odd = draw.choice(_CELLS)
        fields[draw.randrange(len(fields))] = odd
        lines[at], how = "\t".join(fields), f"a field is {odd!r:.40}"
    elif how == "drop":
        del lines[at]
    elif how == "twice":
        lines.insert(at, lines[at])
    elif how == "join":
        lines[at] = lines[at].replace("\t", " ")
    elif how == "parts":
        lines[at] += "\t\tmore"
    elif how == "turned":
        lines[at] = "\t".join(reversed(fields))
    elif how == "control":
        lines[at] = lines[at][:3] + draw.choice("\r\x0b\x85\u2028\ufeff\x1c\x00") + lines[at][3:]
    else:
        lines[at] *= 300
    return "\n".join(lines).encode("utf-8", "surrogateescape"), f"line {at + 1}: {how}"


def yaml(data: bytes, draw: random.Random) -> tuple[bytes, str]:
    """One line of YAML changed."""
    lines = data.decode().split("\n")
    at = draw.randrange(len(lines))
    how = draw.choice(("value", "value", "value", "inner", "inner", "indent", "drop", "twice", "anchor"))
    if how == "value":
        lines[at] = lines[at].split(":")[0] + ": " + draw.choice(_YAML)
    elif how == "inner" and ": " in lines[at]:
        parts = lines[at].split(": ")
        place = draw.randrange(1, len(parts))
        tail = parts[place][len(parts[place].split(",")[0].split("}")[0]) :]
        parts[place] = draw.choice(_YAML) + tail
        lines[at] = ": ".join(parts)
    elif how == "indent":
        lines[at] = " " * draw.randrange(8) + lines[at]
    elif how == "drop":
        del lines[at]
    elif how == "twice":
        lines.insert(at, lines[at])
    else:
        lines[at] += " &a"
    shown = lines[at] if at < len(lines) else ""
    return "\n".join(lines).encode(), f"line {at + 1}: {how} {shown[:60]!r}"


def raw(data: bytes, draw: random.Random) -> tuple[bytes, str]:
    """Bytes flipped, cut, lost, doubled or zeroed."""
    if not data:
        return b"\x00\xff", "two bytes"
    changed = bytearray(data)
    at, how = draw.randrange(len(data)), draw.choice(("flip", "flip", "cut", "lost", "twice", "zero", "put", "empty"))
    length = draw.choice((1, 4, 40, 400))
    if how == "flip":
        for _ in range(draw.choice((1, 1, 4))):
            changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif how == "cut":
        del changed[at:]
    elif how == "lost":
        del changed[at : at + length]
    elif how == "twice":
        changed[at:at] = changed[at : at + length]
    elif how == "zero":
        changed[at : at + length] = bytes(len(changed[at : at + length]))
    elif how == "put":
        changed[at:at] = draw.randbytes(length)
    else:
        changed = bytearray()
    return bytes(changed), f"byte {at}: {how}"


def _tensors(data: bytes, draw: random.Random) -> tuple[bytes, str]:
    """The header of a safetensors file changed as a document."""
    (length,) = struct.unpack("<Q", data[:8])
    header, how = document(json.loads(data[8 : 8 + length]), draw)
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + data[8 + length :], f"header: {how}"


def _weights(data: bytes, draw: random.Random) -> tuple[bytes, str]:
    """Some numbers of a safetensors or NumPy file replaced by NaN, infinity or huge ones."""
    start = (
        struct.unpack("<Q", data[:8])[0] + 8 if data[:6] != b"\x93NUMPY" else 10 + struct.unpack("<H", data[8:10])[0]
    )
    changed, value = bytearray(data), draw.choice((float("nan"), float("inf"), 3e38, 0.0))
    for _ in range(draw.choice((1, 3, 40))):
        at = start + 4 * draw.randrange(max(1, (len(data) - start) // 4))
        if at + 4 <= len(changed):
            changed[at : at + 4] = struct.pack("<f", value)
    return bytes(changed), f"numbers are {value}"


def mutate(path: Path, draw: random.Random) -> str:
    """Damage a file in a way that fits its kind, or by bytes. Returns what was done."""
    data = path.read_bytes()
    name = path.name.removesuffix(".gz")
    packed = data[:2] == b"\x1f\x8b" and draw.random() < 0.8
    if packed:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            packed = False
    try:
        changed, how = _change(name, data, draw)
    except (ValueError, struct.error):  # damaged before, and no longer of its kind
        changed, how = raw(data, draw)
    path.write_bytes(gzip.compress(changed, mtime=0) if packed else changed)
    return f"{path.name}: {how}"


def _change(name: str, data: bytes, draw: random.Random) -> tuple[bytes, str]:
    if draw.random() < 0.2:
        return raw(data, draw)
    if name.endswith(".json"):
        value, how = document(json.loads(data), draw)
        return json.dumps(value).encode(), how
    if name.endswith(".jsonl") and data.strip():
        lines = data.decode().splitlines()
        at = draw.randrange(len(lines))
        value, how = document(json.loads(lines[at]), draw)
        lines[at] = json.dumps(value)
        return ("\n".join(lines) + "\n").encode(), f"line {at + 1}: {how}"
    if name.endswith((".tsv", ".txt", ".run", ".csv")):
        return text(data, draw)
    if name.endswith(".yaml"):
        return yaml(data, draw)
    if name.endswith(".safetensors"):
        return draw.choice((_tensors, _weights, raw))(data, draw)
    if name.endswith(".npy"):
        return draw.choice((_weights, raw))(data, draw)
    return raw(data, draw)
