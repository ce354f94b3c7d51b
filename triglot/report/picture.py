"""One small picture of what changed between runs, as a file of its own: mAP in the three settings, and how much of the
first passages is in the question's own language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triglot.files import InputError
from triglot.measures.bias import TOP
from triglot.measures.result import TITLES
from triglot.report.plots import ARMS, INK, STYLE, to_svg
from triglot.report.runs import Arm
from triglot.report.tables import Cell, Table
from triglot.report.templates import alone

OWN, POOL = f"same_language@{TOP}", "pool_share"


def picture(arms: Sequence[Arm], table: Table) -> str:
    """An SVG file that needs no page around it, in the colours of a light or a dark one.

    Args:
        arms: from the first to the last, such as before and after.
        table: mAP of these arms on one benchmark, with intervals.

    Raises:
        InputError: none of the arms is in the table.
    """
    settings = [
        (place, column.setting)
        for place, column in enumerate(table.columns)
        if column.measure == "map" and column.setting in TITLES
    ]
    names = [row.name for row in table.rows if row.name in {arm.name for arm in arms}]
    if not names or not settings:
        raise InputError(f"{table.benchmark}: no mAP of these runs to draw")
    rows = {row.name: row for row in table.rows}
    with mpl.rc_context(STYLE):
        bars = len(names)
        height = 0.95 + len(settings) * (0.17 * bars + 0.16)
        figure = Figure(figsize=(8.2, height))
        figure.subplots_adjust(left=0.13, right=0.985, top=1 - 0.44 / height, bottom=0.56 / height, wspace=0.22)
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        cells = {name: [rows[name].cells[place] for place, _ in settings] for name in names}
        _grouped(left, cells, [TITLES[setting] for _, setting in settings])
        left.set_title(f"mAP on {table.benchmark} (higher is better)")
        figure.legend(loc="lower left", bbox_to_anchor=(0.12, 0.0), ncols=min(bars, 4), frameon=False)
        shares = {arm.name: share for arm in arms if (share := _bias([arm], table.benchmark, OWN)) is not None}
        _shares(right, shares, _bias(arms, table.benchmark, POOL), names)
        label = f"mAP on {table.benchmark} and the share of the first {TOP} passages in the question's own language"
        return _alone(to_svg(figure, label, "picture"))


def _grouped(axes: Axes, cells: dict[str, list[Cell | None]], titles: Sequence[str]) -> None:
    """A group of bars a setting, one bar a run, its value at the end."""
    step = 0.8 / len(cells)
    for number, (name, found) in enumerate(cells.items()):
        colour = ARMS[number % len(ARMS)]
        for place, cell in enumerate(found):
            if cell is None:
                continue
            y = place + (number - (len(cells) - 1) / 2) * step
            label = "_" if place else name
            axes.barh(y, 100 * cell.value, height=step * 0.86, color=colour, linewidth=0, label=label)
            if cell.low is not None and cell.high is not None:
                axes.plot([100 * cell.low, 100 * cell.high], [y, y], color=INK, linewidth=0.9)
            axes.text(100 * max(cell.value, cell.high or 0) + 1.2, y, f"{100 * cell.value:.1f}", va="center")
    axes.set_yticks(range(len(titles)), titles)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(titles) - 0.5, -0.5)
    axes.set_xlim(0, 100)


def _bias(arms: Sequence[Arm], benchmark: str, name: str) -> float | None:
    """A measure of bias in percent, mean over runs."""
    values = [run.benchmarks.get(benchmark, {}).get("bias", {}).get(name) for arm in arms for run in arm.runs]
    known = [value for value in values if value is not None]
    return 100 * float(np.mean(known)) if known else None


def _shares(axes: Axes, shares: dict[str, float], pool: float | None, names: Sequence[str]) -> None:
    """A bar a run, and a line where rankings as mixed as the pool would end."""
    axes.set_title(f"Own language in the first {TOP}, %")
    for place, name in enumerate(names):
        if name in shares:
            axes.barh(place, shares[name], height=0.7, color=ARMS[place % len(ARMS)], linewidth=0)
            axes.text(shares[name] + 1.2, place, f"{shares[name]:.0f}", va="center")
    if pool is not None:
        axes.axvline(pool, color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
        axes.text(pool + 1.2, len(names) - 0.42, "as mixed as the pool", va="center")
    axes.set_yticks([])
    axes.set_ylim(len(names) - 0.2, -0.5)
    axes.set_xlim(0, 100)


def _alone(svg: str) -> str:
    """The figure with its own colours and font, since no page gives them."""
    return re.sub(r"(<svg[^>]*>)", rf"\1<style>{alone()}</style>", svg, count=1)
