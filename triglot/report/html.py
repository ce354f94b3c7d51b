"""The report as one HTML file that needs nothing else: no network, readable on paper, without colour and without its
script, which sorts tables and saves them and the figures as files.

What the page shows is collected here, one function a section; how it looks is in `templates/`, one file a section.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from triglot.measures import reported
from triglot.measures.bias import TOP
from triglot.report.bias import mean_shares
from triglot.report.content import FIGURES, Content, Seen, told_of
from triglot.report.curves import axis_curves, bias_bars, bias_figures, own_languages, training_curves
from triglot.report.glossary import Word, glossary, key_of
from triglot.report.heatmap import HeatMap, language_name, matrix
from triglot.report.ledger import Entry
from triglot.report.robustness import SUCCESSES, lost
from triglot.report.story import effect, few_seeds, p_value, panels
from triglot.report.tables import Table
from triglot.report.templates import environment

Context = dict[str, Any]  # what a template is filled with


def comparison(table: Table, content: Content) -> Context:
    """A table of arms for the macro `comparison`: its rows with their colours, and what is the best of each column."""
    best = [table.best(index) for index in range(len(table.columns))]
    arms = [arm.name for arm in content.arms]
    trained = {arm.name for arm in content.arms if arm.runs[0].recipe}
    rows: list[Context] = []
    for row in table.rows:
        cells = [
            (cell, column, row.name in best[index])
            for index, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True))
        ]
        after_a_baseline = bool(rows) and rows[-1]["name"] not in trained
        rows.append(
            {
                "name": row.name,
                "key": key_of("arm", arms.index(row.name)),
                "seeds": row.seeds,
                "colour": arms.index(row.name) % 8,
                "first_trained": after_a_baseline and row.name in trained,
                "cells": cells,
            }
        )
    return {"table": table, "rows": rows}


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean over seeds; None where one has no figure."""
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if len(present) == len(values) else None


def _scaled(found: Iterable[tuple[str, Sequence[str], np.ndarray]]) -> tuple[list[HeatMap], float]:
    """Heat maps of (arm, languages, values) in one scale of colours, and the value at its top."""
    found = list(found)
    top = max((float(np.nanmax(values)) for _, _, values in found), default=0.0)
    return [HeatMap(name, codes, values, top) for name, codes, values in found], top


def _results(content: Content) -> Context:
    benchmarks = [
        {
            "name": name,
            "size": _size(content, name),
            "main": comparison(table, content),
            "findings": told_of(content, name),
            "changes": content.changes.get(name),
            "examples": content.examples.get(name),
            "others": [comparison(other, content) for other in content.more[name]],
            "micro": _micro(content, name),
        }
        for name, table in content.tables.items()
    ]
    return {"benchmarks": benchmarks}


def _size(content: Content, benchmark: str) -> str:
    runs = (run for arm in content.arms for run in arm.runs if benchmark in run.benchmarks)
    counts = next(runs).benchmarks[benchmark]["counts"]
    return ", ".join(f"{counts[key]:,} {key}" for key in ("queries", "passages", "items") if key in counts)


def _micro(content: Content, benchmark: str) -> list[tuple[str, list[float | None]]]:
    """mAP of each arm in the three settings, every query counting the same; arms that have none are left out."""
    rows = []
    for arm in content.arms:
        entries = [run.benchmarks[benchmark].get("micro", {}) for run in arm.runs if benchmark in run.benchmarks]
        by_setting = [
            [entry.get(setting, {}).get("map") for entry in entries] for setting in ("mono", "cross", "multi")
        ]
        if any(value is not None for values in by_setting for value in values):
            rows.append((arm.name, [_mean(values) for values in by_setting]))
    return rows


def _bias(content: Content) -> Context:
    benchmarks = []
    for place, (name, table) in enumerate(content.tables.items()):
        has_distance = any(column.measure == "rank_distance" for column in table.columns)
        measures = content.bias.get(name)
        several = measures is not None and len(measures.columns) > 2
        benchmarks.append(
            {
                "name": name,
                "bars": bias_bars(table, content, f"b{place}") if has_distance else "",
                "own": own_languages(content, name, f"o{place}"),
                "measures": comparison(measures, content) if measures and several else None,
                "figures": bias_figures(content, name, f"f{place}"),
                "by_language": _bias_by_language(content, name) if has_distance else None,
                "shares": _shares(content, name),
            }
        )
    return {"benchmarks": benchmarks, "top": TOP}


def _shares(content: Content, benchmark: str) -> list[HeatMap]:
    """The languages of the top of rankings, one map an arm; they have no column for the pool."""
    found = [(arm.name, *mean_shares(arm, benchmark)) for arm in content.arms if benchmark in arm.benchmarks]
    no_pool = (
        (name, codes, np.column_stack([values, np.full(len(codes), np.nan)])) for name, codes, values in found if codes
    )
    return _scaled(no_pool)[0]


def _bias_by_language(content: Content, benchmark: str) -> Context:
    """Mean rank distance of each arm for the questions of each language."""
    by_arm = {
        arm.name: [run.languages(benchmark).get("bias", {}) for run in arm.runs]
        for arm in content.arms
        if benchmark in arm.benchmarks
    }
    by_arm = {name: runs for name, runs in by_arm.items() if all(runs)}
    codes = list(dict.fromkeys(code for runs in by_arm.values() for run in runs for code in run))
    rows = []
    for name, runs in by_arm.items():
        distances = [[run[code]["rank_distance"] for run in runs if code in run] for code in codes]
        rows.append((name, [_mean(values) if values else None for values in distances]))
    return {"languages": [(code, language_name(code)) for code in codes], "rows": rows}


def _effect_titles() -> dict[str, str]:
    """Measure -> heading, of what an attack did beside what the table of attacks shows."""
    return {row.name: row.title for row in reported("robustness") if row.name not in SUCCESSES}


def _robustness(content: Content) -> Context:
    attacks = []
    for base, tables in content.attacks.items():
        for table in tables:
            arms = [arm for arm in content.arms if table.benchmark in arm.benchmarks]
            losses = [(arm.name, *lost(arm, base, table.benchmark)) for arm in arms]
            maps, top = _scaled(loss for loss in losses if len(loss[1]))
            attacks.append(
                {
                    "name": table.benchmark,
                    "attack": table.benchmark.partition("+")[2],
                    "lost": comparison(table, content),
                    "maps": maps,
                    "maps_top": top,
                    "effects": _effects(content, table.benchmark),
                }
            )
    return {"attacks": attacks, "effects": list(_effect_titles().values())}


def _effects(content: Content, name: str) -> list[tuple[str, list[float | None]]]:
    """How far the attacked rankings and vectors of each arm are from the clean ones."""
    rows = []
    for arm in content.arms:
        if name in arm.benchmarks:
            entries = [run.benchmarks[name]["robustness"] for run in arm.runs]
            rows.append((arm.name, [_mean([entry.get(key) for entry in entries]) for key in _effect_titles()]))
    return rows


def _languages(content: Content) -> Context:
    benchmarks = []
    for name, table in content.tables.items():
        classified = any(column.setting in ("classification", "generalised") for column in table.columns)
        measure = "accuracy" if classified else "map"
        found = [(arm.name, *matrix(arm, name, measure)) for arm in content.arms if name in arm.benchmarks]
        maps, top = _scaled(one for one in found if len(one[1]) and not np.isnan(one[2]).all())
        if maps:
            benchmarks.append({"name": name, "classified": classified, "maps": maps, "top": top})
    return {"benchmarks": benchmarks}


def _training(content: Content) -> Context:
    return {"figures": training_curves(content)}


def _seen(content: Content) -> Context:
    keys = [key for key in FIGURES if any(key in seen.figures for seen in content.seen)]
    rows = [
        {
            "arm": seen.arm,
            "stage": seen.stage,
            "figures": [seen.figures.get(key) for key in keys],
            "same_language": seen.same_language,
        }
        for seen in content.seen
    ]
    pairs = [
        {"arm": seen.arm, "stage": seen.stage, "sources": _pairs_by_source(seen)} for seen in content.seen if seen.pairs
    ]
    return {"columns": [FIGURES[key] for key in keys], "rows": rows, "pairs": pairs}


def _pairs_by_source(seen: Seen) -> list[Context]:
    """Pairs by the languages of query and passage, one matrix a source."""
    matrices = []
    for source in dict.fromkeys(key[0] for key in seen.pairs):
        counts = {key[1:]: count for key, count in seen.pairs.items() if key[0] == source}
        passages = sorted({passage for _, passage in counts})
        queries = sorted({query for query, _ in counts})
        rows = [(query, [counts.get((query, passage), 0) for passage in passages]) for query in queries]
        matrices.append({"name": source, "passages": passages, "rows": rows})
    return matrices


def _answer(content: Content) -> Context:
    return {"story": content.story}


def _claims(content: Content) -> Context:
    if content.story is None:
        return {"entries": [], "note": ""}
    entries = [
        {"entry": one, "effect": effect(one.deciding), "p": p_value(one.deciding.p), "parts": _parts(one)}
        for one in content.story.ledger
    ]
    return {"entries": entries, "note": few_seeds(content.story)}


def _parts(entry: Entry) -> list[Context]:
    """All parts of a claim, where there are several."""
    several = len(entry.outcomes) > 1
    return [
        {"outcome": one, "effect": effect(one), "p": p_value(one.p) if one.effect is not None else ""}
        for one in entry.outcomes
        if several
    ]


def _curves(content: Content) -> Context:
    if content.story is None:
        return {"figures": []}
    tables = {name: (table, *content.attacks.get(name, ())) for name, table in content.tables.items()}
    return {"figures": axis_curves(panels(content.story, tables))}


def _commands(content: Content) -> Context:
    return {"story": content.story}


def _settings(content: Content) -> Context:
    recipes = {arm.name: arm.runs[0].recipe for arm in content.arms if arm.runs[0].recipe}
    return {"recipes": recipes, "differences": content.differences}


def _sources(content: Content) -> Context:
    return {"warnings": content.warnings, "licences": content.licences, "versions": content.versions}


def _glossary(content: Content) -> dict[str, list[Word]]:
    """What the names on this page mean, by heading."""
    attacked = [table for tables in content.attacks.values() for table in tables]
    more = [table for tables in content.more.values() for table in tables]
    tables = [*content.tables.values(), *more, *content.bias.values(), *attacked]
    return glossary(
        content.arms,
        (column for table in tables for column in table.columns),
        decided=any(cell.verdict for table in tables for row in table.rows for cell in row.cells if cell is not None),
        attacks=bool(attacked),
        micro=any(_micro(content, name) for name in content.tables),
    )


def _facts(content: Content) -> str:
    seeds = max((len(arm.runs) for arm in content.arms if arm.runs[0].recipe), default=0)
    listed = ", ".join(arm.name for arm in content.arms)
    counted = f" {seeds} {'seeds' if seeds > 1 else 'seed'} an arm." if seeds else ""
    return f"{len(content.arms)} arms: {listed}.{counted}"


# (id and name of the template, name in the list of contents, title, what fills it)
_SECTIONS: tuple[tuple[str, str, str, Callable[[Content], Mapping[str, Any]]], ...] = (
    ("answer", "Answer", "Question and answer", _answer),
    ("claims", "Claims", "Claims", _claims),
    ("curves", "Curves", "What was varied", _curves),
    ("results", "Results", "Results in the three settings", _results),
    ("bias", "Language bias", "Language bias", _bias),
    ("robustness", "Robustness", "Robustness", _robustness),
    ("languages", "Language by language", "Language by language", _languages),
    ("training", "Training", "Training", _training),
    ("seen", "What each arm saw", "What each arm saw", _seen),
    ("settings", "Settings", "Settings", _settings),
    ("commands", "Commands", "Commands", _commands),
    ("sources", "Data and versions", "Data, licences and versions", _sources),
    ("words", "Names", "What the names mean", lambda content: {}),
)


def to_html(content: Content) -> str:
    """The whole page; a section with nothing to show is left out."""
    templates, told = environment(), _glossary(content)
    names = {"glossary": told, "words": {one.key: one for entries in told.values() for one in entries}}
    sections = []
    for name, short, title, context_of in _SECTIONS:
        text = templates.get_template(f"{name}.html").render({**names, **context_of(content)}).strip()
        if text:
            sections.append({"id": name, "short": short, "title": title, "text": Markup(text)})
    return templates.get_template("page.html").render(
        title=content.title,
        command=content.command,
        facts=_facts(content),
        sections=sections,
        version=content.versions.get("triglot", ""),
    )
