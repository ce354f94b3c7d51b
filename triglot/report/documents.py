"""The documents of a run folder, read with their shapes checked: what is wrong is named with file and key, whoever
wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from triglot.document import read_yaml
from triglot.files import InputError, read_json, read_jsonl
from triglot.names import check_name
from triglot.shapes import shaped, strict

SCHEMA = 1
Figures = dict[str, float | None]
ByLanguage = dict[str, Figures]


@strict
class Entry(TypedDict, total=False):
    """Of one benchmark in `results.json`; which settings there are depends on the benchmark."""

    mono: Figures
    cross: Figures
    multi: Figures
    bias: Figures
    ranked: Figures
    classification: Figures
    generalised: Figures
    micro: dict[str, Figures]
    counts: dict[str, Any]
    notes: list[str]
    licence: str
    robustness: dict[str, Any]


@strict
class Results(TypedDict):
    benchmarks: dict[str, Entry]
    versions: NotRequired[dict[str, str]]


Ranks = dict[str, Annotated[list[float], Field(min_length=5, max_length=5)]]
Languages = strict(
    TypedDict(  # type: ignore[misc]
        "Languages",
        {
            "languages": list[str],
            "mono": ByLanguage,
            "cross": dict[str, ByLanguage],
            "multi": ByLanguage,
            "ranked": ByLanguage,
            "bias": ByLanguage,
            "ranks": dict[str, Ranks],
            "passages": Figures,
            "shares@10": ByLanguage,
        },
        total=False,
    )
)


@strict
class Line(TypedDict):
    """Of `metrics.jsonl`."""

    stage: str
    step: int
    validation: NotRequired[dict[str, dict[str, Any]]]


@strict
class Stage(TypedDict, total=False):
    steps: float
    texts: float
    tokens: float
    effective_negatives: float
    seconds: float
    counts: list[Annotated[list[str | float], Field(min_length=4, max_length=4)]]


@strict
class Summary(TypedDict, total=False):
    stages: dict[str, Stage]
    versions: dict[str, str]
    licences: dict[str, str]
    parameters: int
    warnings: list[str]


@strict
class Settings(TypedDict, total=False):
    margin: float
    languages: list[str]


@strict
class Study(TypedDict, total=False):
    arms: list[str]


def results(path: Path) -> Mapping[str, Any]:
    """`results.json`. Names of benchmarks become parts of file names."""
    value = read_json(path)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA or not isinstance(value.get("benchmarks"), dict):
        raise InputError(f"{path}: not results of schema {SCHEMA}")
    shaped(value, Results, str(path))
    for name, entry in value["benchmarks"].items():
        check_name("benchmark", name, str(path))
        for key, part in entry.get("robustness", {}).items():
            shaped(part, float | Figures | None, f"{path}: benchmarks.{name}.robustness.{key}")
        for key, part in entry.get("counts", {}).items():
            if key in ("queries", "passages", "items"):
                shaped(part, int, f"{path}: benchmarks.{name}.counts.{key}")
    return value


def languages(path: Path) -> Mapping[str, Any]:
    """`NAME.languages.json`; empty where it is not there."""
    return _optional(path, Languages)


def summary(path: Path) -> Mapping[str, Any]:
    """`summary.json`; empty where it is not there."""
    found = _optional(path, Summary)
    for stage, one in found.get("stages", {}).items():
        for number, count in enumerate(one.get("counts", ())):
            if [isinstance(part, str) for part in count] != [True, True, True, False]:
                raise InputError(f"{path}: stages.{stage}.counts.{number}: is not a source, two languages and a count")
    return found


def arms(path: Path) -> list[str]:
    """Names of the arms in `study.json`, in their order; empty where it is not there."""
    return list(_optional(path, Study).get("arms", ()))


def metrics(path: Path) -> list[dict[str, Any]]:
    """Lines of `metrics.jsonl`; empty where it is not there."""
    found = []
    for number, line in read_jsonl(path) if path.is_file() else ():
        shaped(line, Line, f"{path}:{number}")
        for name, answers in line.get("validation", {}).items():
            for setting, figures in answers.items():
                if setting in ("mono", "cross", "multi"):
                    shaped(figures, Figures, f"{path}:{number}: validation.{name}.{setting}")
        found.append(line)
    return found


def settings(path: Path) -> Mapping[str, Any]:
    """`recipe.yaml` as plain values; empty where it is not there."""
    if not path.is_file():
        return {}
    found = read_yaml(path).value
    shaped(found, Settings, str(path))
    return found


def _optional(path: Path, kind: Any) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    value = read_json(path)
    shaped(value, kind, str(path))
    return value
