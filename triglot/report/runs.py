"""Run folders as they lie on disk: results, per-language and per-query figures, curves, counts and settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from triglot.files import InputError, beside
from triglot.report import documents


@dataclass(frozen=True)
class Run:
    """One evaluated model: an arm with one seed, or a baseline.

    Attributes:
        folder: holds `results.json` and what lies beside it.
        results: the content of `results.json`.
        seed: None where the folder's name does not tell.
    """

    folder: Path
    results: Mapping[str, Any]
    seed: int | None = None

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {', '.join(self.benchmarks)})"

    @property
    def benchmarks(self) -> Mapping[str, Any]:
        """Macro averages by benchmark."""
        return self.results["benchmarks"]

    def languages(self, benchmark: str) -> Mapping[str, Any]:
        """Figures by language; empty where the file is not there."""
        return documents.languages(self.folder / f"{benchmark}.languages.json")

    def queries(self, benchmark: str) -> Path | None:
        """The figures of single queries, or of classified items (Parquet); None where they are not there."""
        paths = (self.folder / f"{benchmark}.{kind}.parquet" for kind in ("queries", "items"))
        return next((path for path in paths if path.is_file()), None)

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """Lines of `metrics.jsonl`: losses and validation results."""
        return documents.metrics(self.folder / "metrics.jsonl")

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """What the training saw, versions, licences; empty for a baseline."""
        return documents.summary(self.folder / "summary.json")

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The resolved settings as plain values; empty for a baseline."""
        return documents.settings(self.folder / "recipe.yaml")

    @cached_property
    def recipe(self) -> str:
        """The resolved settings as YAML; empty for a baseline."""
        return (self.folder / "recipe.yaml").read_text(encoding="utf-8") if self.settings else ""

    def read_all(self) -> Run:
        """The run itself, after each of its documents was read, so that whatever is wrong with one is said before
        anything is written.
        """
        for name in self.benchmarks:
            self.languages(name)
        _ = self.metrics, self.summary, self.settings
        return self


@dataclass(frozen=True)
class Arm:
    """Runs that differ only in their seed."""

    name: str
    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        if not self.runs:
            raise InputError(f"{self.name}: no finished run")

    @property
    def benchmarks(self) -> list[str]:
        """Benchmarks that every seed was evaluated on."""
        return [name for name in self.runs[0].benchmarks if all(name in run.benchmarks for run in self.runs)]


def read_run(folder: str | Path) -> Run:
    """A run from its folder. Raises InputError where there is no `results.json`, or one of another schema."""
    folder = Path(folder)
    path = folder / "results.json"
    if not path.is_file():
        raise InputError(
            f"{folder}: no results.json here; a finished run, an arm (seed-*) or a study folder was expected"
        )
    results = documents.results(path)
    seed = re.fullmatch(r"seed-([0-9]{1,10})", folder.name)
    return Run(folder, results, int(seed[1]) if seed else None).read_all()


def _seeds(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("seed-*") if (path / "results.json").is_file()]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def _arm_folders(study: Path) -> list[Path]:
    """Baselines, the alignment stage, then the arms in the order of the recipe."""
    order = documents.arms(study / "study.json")
    arms = [path for path in sorted((study / "arms").glob("*")) if _seeds(path)]
    arms.sort(
        key=lambda path: (
            path.name != "alignment",
            order.index(path.name) if path.name in order else len(order),
            path.name,
        )
    )
    return [path for path in sorted((study / "baselines").glob("*")) if (path / "results.json").is_file()] + arms


def find_arms(paths: Sequence[str | Path]) -> list[Arm]:
    """Arms from run folders, arm folders (with `seed-*` inside) and study folders, in the order given.

    Runs of one arm are put together. Arms of different folders that have the same name get so many of the folders above
    before it that they differ.

    Raises:
        InputError: a path is none of these, or is given twice.
    """
    groups: dict[Path, list[Path]] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise InputError(f"{path}: no such folder{beside(path, folders=True)}")
        if (path / "results.json").is_file():
            groups.setdefault(path.parent if re.fullmatch(r"seed-\d+", path.name) else path, []).append(path)
        elif _seeds(path):
            groups.setdefault(path, []).extend(_seeds(path))
        elif _arm_folders(path):
            for folder in _arm_folders(path):
                groups.setdefault(folder, []).extend(_seeds(folder) or [folder])
        else:
            read_run(path)  # names what was expected
    for folder, runs in groups.items():
        resolved = [run.resolve() for run in runs]
        if len(set(resolved)) < len(resolved):
            raise InputError(f"{folder}: a run is named twice")
    return [
        Arm(label, tuple(read_run(run) for run in runs))
        for label, runs in zip(_labels(list(groups)), groups.values(), strict=True)
    ]


def _labels(folders: Sequence[Path]) -> list[str]:
    """What arms are called: their folder, with as many of the folders above it as tell equal names apart."""
    parts = [
        [os.fsencode(part).decode("utf-8", "replace") for part in folder.resolve().parts] for folder in folders
    ]  # a file name need not be text
    short = [[*(part for part in one[:-1] if part not in ("arms", "baselines")), one[-1]] for one in parts]
    labels = [one[-1] for one in short]
    for size in range(2, max(map(len, short), default=0) + 1):
        labels = ["/".join(one[-size:]) if labels.count(label) > 1 else label for one, label in zip(short, labels)]
    return [str(Path(*one)) if labels.count(label) > 1 else label for one, label in zip(parts, labels)]
