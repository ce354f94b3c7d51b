"""Every numeric setting has a range, declared with its field, and is held to it wherever it comes from."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import numpy as np
import pytest

import triglot
from triglot.augment.settings import AugmentSettings
from triglot.document import Document
from triglot.files import InputError
from triglot.ranges import OneOf, Range, Share, check_number, check_ranges, hints_of
from triglot.recipe import Recipe
from triglot.registry import Registry
from triglot.settings import build

# Dataclasses with numbers that have defaults, but hold what was read or measured.
FACTS = {
    "triglot.augment.expand.Expansion",
    "triglot.augment.learn.Learned",
    "triglot.debias.fit.Fitted",
    "triglot.index.database.Row",
    "triglot.measures.table.Measure",
    "triglot.ranges.Range",
    "triglot.report.tables.Cell",
    "triglot.report.verdicts.Decision",
    "triglot.study.probe.Plan",
    "triglot.train.distributed.World",
    "triglot.train.feed.Batch",
    "triglot.train.feed.Switching",
}


def numbers(hint: Any, ranged: Range | None = None) -> Iterator[tuple[type, Range | None]]:
    """Every int and float in an annotation, with its range."""
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
        yield from numbers(kind, next((note for note in notes if isinstance(note, Range)), ranged))
    elif hint in (int, float):
        yield hint, ranged
    elif get_origin(hint) in (typing.Union, types.UnionType, tuple, list, dict, Mapping):
        for part in get_args(hint):
            yield from numbers(part)


def reached(kind: type, found: dict[str, type]) -> None:
    """The dataclasses below a dataclass."""
    found[f"{kind.__module__}.{kind.__qualname__}"] = kind

    def below(hint: Any) -> None:
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            reached(hint, found)
        for part in get_args(hint):
            below(part)

    for hint in hints_of(kind).values():
        below(hint)


def names_of_dataclasses_with_numbers(source: str) -> list[str]:
    """Dataclasses with a field whose default is a number, but for private ones; read from the source, so that none must
    be imported."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
        and any(
            isinstance(line, ast.AnnAssign)
            and line.value is not None
            and re.fullmatch(r"-?[\d._]+(e-?\d+)?", ast.unparse(line.value))
            for line in node.body
        )
    ]


@cache
def settings_classes() -> dict[str, type]:
    """All that a recipe is made of, and every other dataclass of the package with a number that has a default."""
    found: dict[str, type] = {}
    reached(Recipe, found)
    root = Path(triglot.__file__).parent
    for path in sorted(root.rglob("*.py")):
        module = ".".join(["triglot", *path.relative_to(root).with_suffix("").parts])
        for name in names_of_dataclasses_with_numbers(path.read_text(encoding="utf-8")):
            if f"{module}.{name}" not in FACTS:
                found[f"{module}.{name}"] = getattr(importlib.import_module(module), name)
    return found


EXPECTED = {
    "triglot.recipe.Recipe",
    "triglot.sources.CodeSwitch",
    "triglot.encoder.settings.EncoderSettings",
    "triglot.train.settings.TrainSettings",
    "triglot.robust.settings.AdversarySettings",
    "triglot.classify.tasks.ClassifySettings",
    "triglot.classify.heads.HeadSettings",
    "triglot.augment.learn.LearnSettings",
    "triglot.augment.translate.TranslateSettings",
    "triglot.mine.settings.MineSettings",
    "triglot.attack.poison.PoisonSettings",
}


def test_the_walk_finds_what_settings_there_are() -> None:
    assert set(settings_classes()) >= EXPECTED


def test_every_numeric_setting_has_a_range() -> None:
    without = [
        f"{name}.{entry.name}"
        for name, kind in settings_classes().items()
        for entry in dataclasses.fields(kind)
        if any(allowed is None for _, allowed in numbers(hints_of(kind)[entry.name]))
    ]
    assert without == []


def fields_with_ranges() -> Iterator[tuple[str, type, str, bool, Range]]:
    for name, kind in sorted(settings_classes().items()):
        for entry in dataclasses.fields(kind):
            for number, allowed in numbers(hints_of(kind)[entry.name]):
                if allowed is not None:
                    yield name, kind, entry.name, number is int, allowed


def shaped_like(hint: Any, value: Any) -> Any:
    """The value as a field of this annotation takes it: alone, in a tuple or in a mapping."""
    text = str(hint)
    if "Mapping" in text:
        return {"de": value}
    return (value,) if "tuple" in text else value


REQUIRED: dict[str, dict[str, Any]] = {
    "triglot.sources.CodeSwitch": {"lists": "x"},
    "triglot.sources.Source": {"format": "atlas"},
    "triglot.sources.Benchmark": {"name": "b", "format": "atlas"},
    "triglot.recipe.Stage": {"sources": ()},
    "triglot.corpus.description.Description": {"articles": ()},
    "triglot.augment.settings.Part": {"kinds": ("swap",)},
    "triglot.commands.study.Job": {"about": None, "words": (), "arms": (), "seeds": ()},
    "triglot.commands.augment.Job": {"source": "x", "out": None, "augment": AugmentSettings()},
}


@pytest.mark.parametrize(
    "value", [2**31, 2**63, 10**400, -1, -(2**31), float("inf"), float("nan"), -float("inf"), 1e308, True]
)
def test_a_number_out_of_its_range_is_refused_with_key_value_and_range(value: Any) -> None:
    tried = 0
    for name, kind, field, whole, allowed in fields_with_ranges():
        if not allowed.complaint(value, whole):
            continue
        tried += 1
        given = {**REQUIRED.get(name, {}), field: shaped_like(hints_of(kind)[field], value)}
        with pytest.raises(InputError) as caught:
            kind(**given)
        message = str(caught.value)
        if "languages" in field:
            continue
        assert field.removesuffix("s") in message.split(":")[0], (name, field, message)
        said = ("is wanted", "between 0 and 1", "neither 0 nor 1", "is not a", "a factor of 1 is")
        assert any(part in message for part in said), message
        if not isinstance(value, bool):
            with pytest.raises(InputError) as caught:  # as a file or the command line gives it
                build(kind, Document(given, "f.yaml", {field: "f.yaml:3"}))
            assert str(caught.value).startswith("f.yaml:3: "), message
            assert "\n" not in str(caught.value)
    assert tried > 20


def test_no_range_is_without_an_end_and_every_default_lies_within_its_own() -> None:
    for name, kind, field, whole, allowed in fields_with_ranges():
        assert np.isfinite([allowed.low, allowed.high]).all(), (name, field)
        assert allowed.high <= 10**12, (name, field)
        default = next(entry.default for entry in dataclasses.fields(kind) if entry.name == field)
        for value in default if isinstance(default, tuple) else (default,):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                assert allowed.complaint(value, whole) == "", (name, field)


@dataclass(frozen=True)
class Row:
    name: str
    title: str = ""
    help: str = ""


@dataclass(frozen=True)
class Knobs:
    size: Annotated[int, Range(1, 2**20)] = 1
    share: Share = 0.5
    open: Annotated[float, Range(0, 1, above=True, below=True, hint="half a point is 0.005")] = 0.5
    lr: Annotated[float, Range(0, 1000, above=True)] = 1
    heat: Annotated[float, Range(0.05, 100)] = 1
    rates: tuple[Annotated[float, Range(-1, 1)], ...] = ()
    shares: str | Mapping[str, Share | None] = ""

    def __post_init__(self) -> None:
        check_ranges(self)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 0}, "size: 0 is below 1; a whole number from 1 to 1048576 is wanted"),
        ({"size": 2**40}, "size: 1099511627776 is too large; a whole number from 1 to 1048576 is wanted"),
        (
            {"size": 10**5000},
            "size: a number of about 5,001 digits is too large; a whole number from 1 to 1048576 is wanted",
        ),
        ({"size": 1.5}, "size: 1.5 is not a whole number"),
        ({"size": True}, "size: True is not a whole number"),
        ({"size": "3"}, "size: '3' is not a whole number"),
        ({"size": np.int64(-2)}, "size: -2 is below 1; a whole number from 1 to 1048576 is wanted"),
        ({"share": 1.5}, "share: 1.5 is not between 0 and 1; a number from 0 to 1 is wanted"),
        ({"share": float("nan")}, "share: nan is not a finite number; a number from 0 to 1 is wanted"),
        (
            {"open": 1},
            "open: 1 is not between 0 and 1; half a point is 0.005; a number between 0 and 1, neither of them is "
            "wanted",
        ),
        ({"lr": 0}, "lr: 0 is not a positive number; a number above 0, at most 1000 is wanted"),
        ({"heat": -1.0}, "heat: -1.0 is not a positive number; a number from 0.05 to 100 is wanted"),
        ({"heat": 0.01}, "heat: 0.01 is below 0.05; a number from 0.05 to 100 is wanted"),
        ({"rates": (0, 2)}, "rates.1: 2 is too large; a number from -1 to 1 is wanted"),
        ({"shares": {"de": 1, "en": -1}}, "shares.en: -1 is not between 0 and 1; a number from 0 to 1 is wanted"),
    ],
)
def test_what_is_said(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Knobs(**given)
    assert str(caught.value) == message


def test_what_lies_within_passes_whatever_type_of_number_it_is() -> None:
    Knobs(size=np.int64(5), share=np.float32(1.0), lr=1, rates=(-1, 1), shares={"de": None, "en": 0})  # type: ignore[arg-type]
    Knobs(shares="own")
    check_number("--top", 3, Annotated[int, Range(1, 10)])
    with pytest.raises(InputError, match=r"^--top: 0 is below 1; a whole number from 1 to 10 is wanted$"):
        check_number("--top", 0, Annotated[int, Range(1, 10)])


@dataclass(frozen=True)
class Chosen:
    method: Annotated[str, OneOf(Registry(Row, group="", what="row", rows=(Row("fgm"), Row("pgd"))))] = "pgd"
    other: Annotated[str, OneOf(Registry(Row, group="", what="row", rows=(Row("one"),)), none="")] = ""

    def __post_init__(self) -> None:
        check_ranges(self)


def test_a_name_comes_from_its_table() -> None:
    Chosen()
    Chosen(method="fgm", other="one")
    for given, message in (
        ({"method": "pgf"}, r"^method: 'pgf' is unknown; did you mean 'pgd'"),
        ({"method": ""}, r"^method: '' is unknown"),
        ({"other": "on"}, r"^other: 'on' is unknown; did you mean 'one'"),
    ):
        with pytest.raises(InputError, match=message):
            Chosen(**given)
