"""What a report says, gathered from run folders before anything is formatted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml

from triglot.measures import find, reported
from triglot.measures.bias import TOP
from triglot.report.changes import Changes, changes
from triglot.report.resampling import by_language, read_arms
from triglot.report.robustness import compare_attacks
from triglot.report.runs import Arm
from triglot.report.story import Story
from triglot.report.tables import Table, benchmark_names, columns_for, compare, number
from triglot.stats import Interval


@dataclass(frozen=True)
class Seen:
    """What an arm saw in a stage of training, as means over seeds."""

    arm: str
    stage: str
    figures: Mapping[str, float]
    pairs: Mapping[tuple[str, str, str], float]

    @property
    def same_language(self) -> float | None:
        """Share of pairs whose query and passage are in one language."""
        total = sum(self.pairs.values())
        return sum(n for (_, query, passage), n in self.pairs.items() if query == passage) / total if total else None


@dataclass(frozen=True)
class Content:
    """A report: all that is worked out from run folders, before anything is formatted.

    Attributes:
        title, command: of the page.
        arms: in their order.
        tables: benchmark -> its main table.
        more: benchmark -> a table for each other measure of the settings.
        bias: benchmark -> the table of language bias.
        attacks: benchmark -> a table for each attack on it.
        distances: benchmark -> arm -> query language -> rank distance with its interval.
        changes: benchmark -> what changed from the first of two arms to the second, in words; none for other numbers
            of arms.
        examples: benchmark -> the same from the reference to the best other arm, where there are more than two.
        story: question, answer and claims; None where the runs are those of no study with a question.
        seen: what the arms saw in training.
        differences: setting -> arm -> value, where arms differ.
        licences, versions, warnings: of data, packages and runs.
        study: further facts.
    """

    title: str
    command: str
    arms: tuple[Arm, ...]
    tables: Mapping[str, Table]
    more: Mapping[str, tuple[Table, ...]]
    bias: Mapping[str, Table]
    attacks: Mapping[str, tuple[Table, ...]]
    distances: Mapping[str, Mapping[str, Mapping[str, Interval]]]
    seen: tuple[Seen, ...]
    differences: Mapping[str, Mapping[str, str]]
    licences: Mapping[str, str]
    versions: Mapping[str, str]
    warnings: tuple[str, ...]
    study: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Changes] = field(default_factory=dict)
    examples: Mapping[str, Changes] = field(default_factory=dict)
    story: Story | None = None


def gather(
    arms: Sequence[Arm],
    *,
    title: str,
    command: str = "",
    study: Mapping[str, Any] | None = None,
    reference: str = "",
    resamples: int = 2000,
    story: Story | None = None,
) -> Content:
    """Everything that a report of these arms says."""
    tables, more, bias, attacks, distances = {}, {}, {}, {}, {}
    for benchmark in benchmark_names(arms):
        present = [arm for arm in arms if benchmark in arm.benchmarks]
        read = read_arms(present, benchmark)
        options = {"reference": reference, "resamples": resamples, "read": read}
        distances[benchmark] = {name: by_language(runs, "rank_distance") for name, runs in read.items()}
        tables[benchmark] = compare(arms, benchmark, **options)
        others = [name for name in _in_settings() if name != "map" and _has(arms, benchmark, name)]
        more[benchmark] = tuple(compare(arms, benchmark, measure=measure, bias=False, **options) for measure in others)
        if columns_for(arms, benchmark, "bias"):
            bias[benchmark] = compare(arms, benchmark, measure="bias", **options)
        found = compare_attacks(arms, benchmark, **options) if resamples else []
        attacks |= {benchmark: tuple(found)} if found else {}
    return Content(
        title=title,
        command=command,
        arms=tuple(arms),
        tables=tables,
        more=more,
        bias=bias,
        attacks=attacks,
        distances=distances,
        seen=tuple(seen_by(arms)),
        differences=setting_differences(arms),
        licences=_licences(arms),
        versions=_versions(arms),
        warnings=tuple(
            dict.fromkeys(
                f"{arm.name}: {text}" for arm in arms for run in arm.runs for text in run.summary.get("warnings", [])
            )
        ),
        study=study or {},
        changes=(changed := changes_of(arms)),
        examples={} if changed else _examples(arms, tables),
        story=story,
    )


def _examples(arms: Sequence[Arm], tables: Mapping[str, Table]) -> dict[str, Changes]:
    """What changed from the reference of each table to the other arm with the highest multilingual mAP."""
    by_name, found = {arm.name: arm for arm in arms}, {}
    for benchmark, table in tables.items():
        place = next((i for i, one in enumerate(table.columns) if (one.setting, one.measure) == ("multi", "map")), None)
        if place is None or table.reference not in by_name:
            continue
        figures = {row.name: cell.value for row in table.rows if (cell := row.cells[place]) is not None}
        figures.pop(table.reference, None)
        for name in sorted(figures, key=figures.__getitem__, reverse=True):
            told = changes([by_name[table.reference], by_name[name]], benchmark)
            if told is not None:
                found[benchmark] = told
                break
    return found


def changes_of(arms: Sequence[Arm]) -> dict[str, Changes]:
    """What changed from the first of two arms to the second, by benchmark; nothing for other numbers of arms."""
    trained = [arm for arm in arms if arm.name != "alignment" and (len(arms) == 2 or arm.runs[0].recipe)]
    names = benchmark_names(trained) if len(trained) == 2 else []
    return {name: found for name in names if (found := changes(trained, name)) is not None}


def _in_settings() -> list[str]:
    return [row.name for row in reported("settings")]


def _has(arms: Sequence[Arm], benchmark: str, measure: str) -> bool:
    return any(column.measure == measure for column in columns_for(arms, benchmark, measure))


OTHERS = "Intervals and marks as above; the correction is for the comparisons of each of these tables by itself."
FIGURES = {
    "steps": "steps",
    "texts": "texts",
    "tokens": "tokens",
    "effective_negatives": "negatives a query",
    "seconds": "seconds",
}


def seen_by(arms: Sequence[Arm]) -> list[Seen]:
    """Steps, texts, tokens, negatives, seconds and pairs by source and languages, for each arm and stage."""
    found = []
    for arm in arms:
        for stage in dict.fromkeys(name for run in arm.runs for name in run.summary.get("stages", {})):
            stages = [run.summary["stages"][stage] for run in arm.runs if stage in run.summary.get("stages", {})]
            figures = {
                key: float(np.mean([one[key] for one in stages]))
                for key in FIGURES
                if all(key in one for one in stages)
            }
            pairs: dict[tuple[str, str, str], float] = {}
            for one in stages:
                for part, query, passage, count in one.get("counts", []):
                    key = (part.partition("/")[0], query, passage)  # a source that is balanced over languages has parts
                    pairs[key] = pairs.get(key, 0) + count / len(stages)
            if "effective_negatives" in figures and pairs:
                figures["effective_negatives"] /= sum(pairs.values())
            found.append(Seen(arm.name, stage, figures, pairs))
    return found


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        return {
            key: text
            for name, child in value.items()
            for key, text in _flat(child, f"{prefix}.{name}" if prefix else str(name)).items()
        }
    if isinstance(value, list) and any(isinstance(child, dict) for child in value):
        return {
            key: text for number, child in enumerate(value) for key, text in _flat(child, f"{prefix}.{number}").items()
        }
    return {prefix: yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).removesuffix("...\n").strip()}


def setting_differences(arms: Sequence[Arm]) -> dict[str, dict[str, str]]:
    """Dotted keys whose values differ between arms (the seed aside): key -> arm -> value."""
    flat = {arm.name: _flat(arm.runs[0].settings) for arm in arms if arm.runs[0].recipe}
    keys = dict.fromkeys(key for values in flat.values() for key in values)
    ignored = {"seed", "seeds", "name"}
    return {
        key: {name: values.get(key, "—") for name, values in flat.items()}
        for key in keys
        if key not in ignored and len({values.get(key) for values in flat.values()}) > 1
    }


def _licences(arms: Sequence[Arm]) -> dict[str, str]:
    trained = {name: text for arm in arms for run in arm.runs for name, text in run.summary.get("licences", {}).items()}
    tested = {
        name: entry.get("licence", "") for arm in arms for run in arm.runs for name, entry in run.benchmarks.items()
    }
    return {name: text or "not stated" for name, text in (trained | tested).items()}


def _versions(arms: Sequence[Arm]) -> dict[str, str]:
    found: dict[str, dict[str, None]] = {}
    for arm in arms:
        for run in arm.runs:
            for name, version in {**run.results.get("versions", {}), **run.summary.get("versions", {})}.items():
                found.setdefault(name, {})[str(version)] = None
    return {name: ", ".join(versions) for name, versions in sorted(found.items())}


_SHORT = {"mono": "monolingual", "cross": "cross-lingual", "multi": "multilingual"}


def findings(table: Table) -> list[str]:
    """Plain sentences about a table: the best of each column, and how each arm stands against the reference."""
    usual = _in_settings()
    short = {
        index: _SHORT[c.setting] for index, c in enumerate(table.columns) if c.setting in _SHORT and c.measure in usual
    }
    names = [
        short.get(index)
        or (column.title if "@" in column.title or column.setting == "ranked" else column.title.lower())
        for index, column in enumerate(table.columns)
    ]
    best: dict[str, list[str]] = {}
    for index, (column, name) in enumerate(zip(table.columns, names, strict=True)):
        winners = [
            (row.name, cell)
            for row in table.rows
            if row.name in table.best(index) and (cell := row.cells[index]) is not None
        ]
        if winners:
            highest = f"Highest {find(column.measure).title}" if index in short else "Highest"
            kind = "Lowest" if column.lower_is_better else highest
            best.setdefault(kind, []).append(
                f"{_listed([arm for arm, _ in winners])} ({name}, {number(winners[0][1].value, column)})"
            )
    said = [f"{kind}: {', '.join(parts)}." for kind, parts in best.items()]
    if not table.reference:
        return said
    for row in table.rows:
        if row.name == table.reference or not any(cell and cell.low is not None for cell in row.cells):
            continue
        groups: dict[int, list[str]] = {1: [], -1: [], 0: []}
        for cell, name in zip(row.cells, names, strict=True):
            if cell is not None and cell.low is not None:
                groups[cell.versus or cell.models].append(name)
        words = {1: "better", -1: "worse", 0: "undecided"}
        parts = [f"{word} ({', '.join(groups[sign])})" for sign, word in words.items() if groups[sign]]
        about = " (these models)" if any(cell and cell.models and not cell.versus for cell in row.cells) else ""
        said.append(f"{row.name} against {table.reference}{about}: {'; '.join(parts)}.")
    return said


def told_of(content: Content, benchmark: str) -> list[str]:
    """`findings` of a benchmark, and after the first of them how far the languages of questions and passages agree."""
    said = findings(content.tables[benchmark])
    bias = _own_languages(content.arms, benchmark)
    return [*said[:1], bias, *said[1:]] if bias else said


def _own_languages(arms: Sequence[Arm], benchmark: str) -> str:
    """`Of the first 10 passages 71 % (x-x), 33 % (x-y) are in the question's language; 9 % by chance.`"""
    own, chance = find(f"same_language@{TOP}").name, find("pool_share").name
    shares: dict[str, list[tuple[float, float]]] = {}
    for arm in arms:
        figures = [run.benchmarks.get(benchmark, {}).get("bias", {}) for run in arm.runs]
        found = [(one[own], one[chance]) for one in figures if one.get(own) is not None and one.get(chance) is not None]
        if found and len(found) == len(figures):
            shares[arm.name] = found
    if not shares:
        return ""
    parts = [f"{100 * np.mean([one for one, _ in found]):.0f} % ({name})" for name, found in shares.items()]
    by_chance = 100 * np.mean([one for found in shares.values() for _, one in found])
    return (
        f"Of the first {TOP} passages {', '.join(parts)} are in the question's language; {by_chance:.0f} % by chance."
    )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
