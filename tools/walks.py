"""Counts what a reader meets who follows a value through the package: files, and steps that lead to a higher floor.

python -m tools.walks                                           # the walks of docs/decisions.md
python -m tools.walks triglot.study.run:run=recipe              # any other: a function, and one of its parameters

Calls that hand on the value, or something made of it in the call, are followed in the order in which they are written,
each function once. Methods are not followed: the text does not say whose they are.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from tools.rooms import floors

ROOT = Path(__file__).resolve().parents[1]
WALKS = ("triglot.study.run:run=recipe", "triglot.study.stage:train_stage=recipe")
Function = ast.FunctionDef | ast.ClassDef


@cache
def tree(module: str) -> ast.Module | None:
    """The syntax of a module of the package; None where there is none of that name."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text("utf-8")) if path.is_file() else None


@cache
def imported(module: str) -> dict[str, str]:
    """Name -> module, or `module:name`, of what a module imports from the package."""
    names: dict[str, str] = {}
    for node in ast.walk(tree(module) or ast.Module([], [])):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("triglot"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names[alias.asname or alias.name] = inner if tree(inner) else f"{node.module}:{alias.name}"
    return names


def definition(place: str, faces: int = 4) -> tuple[str, Function] | None:
    """Where `module:name` is defined, through as many packages that pass it on."""
    module, _, name = place.partition(":")
    parsed = tree(module)
    if parsed is None:
        return None
    for node in parsed.body:
        if isinstance(node, Function) and node.name == name:
            return module, node
    onward = imported(module).get(name, "")
    return definition(onward, faces - 1) if ":" in onward and faces else None


def called(module: str, function: ast.expr) -> tuple[str, Function] | None:
    """What a call in a module calls; None for methods and for what is not the package's."""
    if isinstance(function, ast.Name):
        return definition(imported(module).get(function.id, f"{module}:{function.id}"))
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return definition(f"{imported(module).get(function.value.id, '')}:{function.attr}")
    return None


def bound(call: ast.Call, node: Function, followed: set[str]) -> set[str]:
    """The parameters that get something of what is followed."""

    def holds(value: ast.expr) -> bool:
        return any(isinstance(part, ast.Name) and part.id in followed for part in ast.walk(value))

    parameters: list[str] = []
    if isinstance(node, ast.FunctionDef):
        parameters = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    names = {keyword.arg or "" for keyword in call.keywords if holds(keyword.value)}
    places = [place for place, value in enumerate(call.args) if holds(value)]
    return names | {parameters[place] if place < len(parameters) else "" for place in places}


def walk(place: str, parameters: set[str], seen: set[tuple[str, str]]) -> Iterator[str]:
    """The module of each function in which the value is met."""
    where = definition(place)
    if where is None or (where[0], where[1].name) in seen:
        return
    module, node = where
    seen.add((module, node.name))
    yield module
    if isinstance(node, ast.ClassDef):
        return
    calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        target = called(module, call.func)
        if target and (names := bound(call, target[1], parameters)):
            yield from walk(f"{target[0]}:{target[1].name}", names, seen)


def count(start: str) -> tuple[int, int, int]:
    """(files, changes of file, those of them that lead to a higher floor) of a walk."""
    place, _, parameter = start.partition("=")
    height = {room: -number for number, rooms in enumerate(floors()) for room in rooms}
    modules = list(walk(place, {parameter}, set()))
    steps = [(a, b) for a, b in pairwise(modules) if a != b]
    room = {module: module.split(".")[1] for module in modules}
    return len(set(modules)), len(steps), sum(height[room[b]] > height[room[a]] for a, b in steps)


if __name__ == "__main__":
    for start in sys.argv[1:] or WALKS:
        files, steps, climbs = count(start)
        print(f"{start}: {files} files, {steps} changes of file, {climbs} climbs")
