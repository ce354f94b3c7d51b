"""Which curves and bars a report shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from triglot.measures import find
from triglot.measures.bias import TOP
from triglot.report.bias import language_bars, mean_shares, own_shares, rank_distributions
from triglot.report.content import Content
from triglot.report.plots import Bar, Curve, bars, curves, in_both
from triglot.report.runs import Arm
from triglot.report.story import Axis
from triglot.report.tables import TITLES, Table

MAX_POINTS = 160


def _both(draw: Callable[..., str], prefix: str, *given: Any, **options: Any) -> str:
    """A drawing for a desk and one for a phone."""
    return in_both(lambda name, space: draw(*given, **options, prefix=name, space=space), prefix)


def loss_curve(arm: Arm, stage: str, key: str = "loss") -> tuple[list[float], list[float]]:
    """Steps and the mean over seeds of a figure of `metrics.jsonl`, thinned by averaging neighbours."""
    found: dict[int, list[float]] = defaultdict(list)
    for run in arm.runs:
        for line in run.metrics:
            if line.get("stage") == stage and isinstance(line.get(key), (int, float)) and np.isfinite(line[key]):
                found[line["step"]].append(line[key])
    steps = sorted(step for step, values in found.items() if len(values) == len(arm.runs))
    means = [float(np.mean(found[step])) for step in steps]
    width = -(-len(steps) // MAX_POINTS) or 1
    thin = [slice(start, start + width) for start in range(0, len(steps), width)]
    return [float(np.mean(steps[part])) for part in thin], [float(np.mean(means[part])) for part in thin]


def validation_curve(arm: Arm, stage: str, name: str, setting: str, measure: str) -> tuple[list[float], list[float]]:
    """Steps and the mean over seeds of a validation figure."""
    found: dict[int, list[float]] = defaultdict(list)
    for run in arm.runs:
        for line in run.metrics:
            value = (
                line.get("validation", {}).get(name, {}).get(setting, {}).get(measure)
                if line.get("stage") == stage
                else None
            )
            if value is not None:
                found[line["step"]].append(value)
    steps = sorted(step for step, values in found.items() if len(values) == len(arm.runs))
    return [float(step) for step in steps], [float(np.mean(found[step])) for step in steps]


def _stages(content: Content) -> list[str]:
    return list(
        dict.fromkeys(
            line["stage"] for arm in content.arms for run in arm.runs for line in run.metrics if "stage" in line
        )
    )


def training_curves(content: Content) -> list[tuple[str, str]]:
    """(caption, SVG) for the loss of each stage and for each validation set."""
    figures = []
    panels = {}
    for stage in _stages(content):
        found = [Curve(arm.name, *loss_curve(arm, stage), number) for number, arm in enumerate(content.arms)]
        panels[f"Loss, {stage}"] = [curve for curve in found if curve.x]
    svg = _both(curves, "loss", panels, label="Training loss by step, one line an arm", log=True)
    if svg:
        figures.append(
            (
                "Loss by step, mean over seeds. Losses of arms are not comparable with one another: their "
                "negatives differ.",
                svg,
            )
        )
    for number, (stage, name) in enumerate(_validations(content)):
        panels = {}
        for setting, title in TITLES.items():
            found = [
                Curve(arm.name, *validation_curve(arm, stage, name, setting, "map"), i)
                for i, arm in enumerate(content.arms)
            ]
            panels[f"{title} {find('map').title}"] = [curve for curve in found if curve.x]
        svg = _both(curves, f"v{number}", panels, label=f"Validation mAP on {name} by step, one line an arm")
        if svg:
            figures.append((f"Validation on {name} ({stage}), mean over seeds.", svg))
    return figures


def axis_curves(found: Sequence[tuple[Axis, Mapping[str, Sequence[tuple]]]]) -> list[tuple[str, str]]:
    """Title and figure of each axis: its panels with intervals."""
    figures = []
    for number, (axis, drawn) in enumerate(found):
        shown = {
            title: [
                Curve(
                    "",
                    [point[0] for point in points],
                    [point[1] for point in points],
                    0,
                    [point[1] if point[2] is None else point[2] for point in points],
                    [point[1] if point[3] is None else point[3] for point in points],
                )
            ]
            for title, points in drawn.items()
        }
        svg = _both(curves, f"axis{number}", shown, label=f"{axis.title}, with 95 % intervals", x_label=axis.x)
        if svg:
            figures.append((axis.title, svg))
    return figures


def _validations(content: Content) -> list[tuple[str, str]]:
    lines = [line for arm in content.arms for run in arm.runs for line in run.metrics if "validation" in line]
    return list(dict.fromkeys((line["stage"], name) for line in lines for name in line["validation"]))


def bias_figures(content: Content, benchmark: str, prefix: str) -> list[tuple[str, str]]:
    """(caption, SVG) of bias by query language, and ranks by passage language."""
    present = [arm for arm in content.arms if benchmark in arm.benchmarks]
    names, figures = [arm.name for arm in content.arms], []
    label = f"Rank distance by query language on {benchmark}"
    found, below = content.distances.get(benchmark, {}), "rank distance (lower is better)"
    svg = _both(language_bars, f"{prefix}l", found, names, label=label, x_label=below)
    if svg:
        figures.append((f"{label}, mean over seeds; lines: 95 % intervals over seeds and paragraphs.", svg))
    ranks = {arm.name: arm.runs[0].languages(benchmark).get("ranks", {}) for arm in present}
    label = f"Ranks of relevant passages by their language on {benchmark}"
    svg = _both(rank_distributions, f"{prefix}r", ranks, label=label)
    if svg:
        told = (
            "filled: for questions in the same language, open: for the others. Thick: middle half, thin: 5th to 95th "
            "percentile"
        )
        figures.append(
            (f"Where relevant passages of each language stand in the pool of {benchmark} (first seed); {told}.", svg)
        )
    return figures


def own_languages(content: Content, benchmark: str, prefix: str) -> str:
    """The languages of the top of rankings by the language of the question, a panel an arm.

    Averaged over the languages of questions, a model that finds its own language alone would look as mixed as the pool.
    """
    present = [arm for arm in content.arms if benchmark in arm.benchmarks]
    found = {}
    for arm in present:
        codes, values = mean_shares(arm, benchmark)
        found[arm.name] = {
            code: dict(zip(codes, row, strict=True)) for code, row in zip(codes, values.tolist(), strict=True)
        }
    passages = present[0].runs[0].languages(benchmark).get("passages", {})
    pool = {code: number / max(sum(passages.values()), 1) for code, number in passages.items()}
    label = f"Languages of the first {TOP} passages on {benchmark} by the language of the question"
    return _both(own_shares, prefix, found, pool, [arm.name for arm in content.arms], label=label)


def bias_bars(table: Table, content: Content, prefix: str) -> str:
    """Rank distance of each arm that has one."""
    index = next(i for i, column in enumerate(table.columns) if column.measure == "rank_distance")
    order = [arm.name for arm in content.arms]
    found = [
        Bar(row.name, cell.value, cell.low, cell.high, order.index(row.name))
        for row in table.rows
        if (cell := row.cells[index]) is not None
    ]
    label = f"Rank distance of each arm on {table.benchmark}"
    return _both(bars, prefix, found, label=label, x_label="rank distance (lower is better)")
