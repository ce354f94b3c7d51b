"""Figures as inline SVG that takes its colours and fonts from the page; every line also differs in dashes, marker and
label.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

INK, _RULE, PAPER = "#010101", "#020202", "#030303"  # stand for the page's colours until the SVG is written
ARMS = ["#0072b2", "#d55e00", "#009e73", "#a05a8c", "#4b7a1e", "#7a5c2e", "#3f6fb5", "#b04040"]
_DASHES = [
    "-",
    (0, (5, 1.6)),
    (0, (1.4, 1.4)),
    (0, (6, 1.5, 1.4, 1.5)),
    (0, (3, 1)),
    (0, (8, 2)),
    (0, (1, 2.4)),
    (0, (6, 1.2, 1.2, 1.2, 1.2, 1.2)),
]
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.10g}")
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a $ in a name is a $
    "svg.fonttype": "none",
    "svg.hashsalt": "triglot",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _RULE,
    "axes.linewidth": 0.7,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "grid.color": _RULE,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.5,
}


@dataclass(frozen=True)
class Space:
    """Room for a figure: its width in inches, and how many panels go side by side."""

    width: float
    columns: int


WIDE, MEDIUM, NARROW = Space(8.6, 3), Space(5.6, 1), Space(4.4, 1)


def in_both(draw: Callable[[str, Space], str], prefix: str) -> str:
    """A figure for a desk and one for a phone: the style sheet shows one. Empty where there is nothing to draw.

    Args:
        draw: from a prefix of ids and a space to an `svg` element.
        prefix: makes the ids of this figure its own.
    """
    wide = draw(prefix, WIDE)
    return f'<div class="wide">{wide}</div><div class="narrow">{draw(f"{prefix}n", NARROW)}</div>' if wide else ""


@dataclass(frozen=True)
class Curve:
    """One line of a plot: a name, x and y values, which of the arms it is (its colour, dashes and marker), and the
    lower and upper ends of intervals where there are some."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    arm: int
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def to_svg(figure: Figure, label: str, prefix: str) -> str:
    """The figure as an `svg` element: page colours, ids that no other figure has, the label for those who cannot see
    it.
    """
    out = io.StringIO()
    figure.savefig(
        out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}, transparent=True
    )
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    text = text.replace(INK, "var(--ink)").replace(_RULE, "var(--rule)").replace(PAPER, "var(--paper)")
    for number, colour in enumerate(ARMS):
        text = text.replace(colour, f"var(--arm-{number})")
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    width, height = figure.get_size_inches()
    opening = (
        f'<svg role="img" aria-label="{_attribute(label)}" viewBox="0 0 {width * 72:g} {height * 72:g}" '
        'xmlns="http://www.w3.org/2000/svg" '
    )
    return re.sub(r"<svg[^>]*>", opening + 'xmlns:xlink="http://www.w3.org/1999/xlink">', text, count=1)


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Positions near the wanted ones that are at least `gap` apart, in the same order."""
    order = np.argsort(wanted)
    placed = np.array(wanted, float)
    for _ in range(100):
        moved = False
        for below, above in pairwise(order):
            short = gap - (placed[above] - placed[below])
            if short > 1e-9:
                placed[below] -= short / 2
                placed[above] += short / 2
                moved = True
        if not moved:
            break
    return placed.tolist()


def _draw(axes: Axes, curves: Sequence[Curve], *, markers: bool, log: bool) -> None:
    if log and all(min(curve.y) > 0 for curve in curves):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    for curve in curves:
        colour, again = curve.arm % len(ARMS), curve.arm // len(ARMS)
        every = max(1, len(curve.x) // 6)
        axes.plot(
            curve.x,
            curve.y,
            color=ARMS[colour],
            linestyle=_DASHES[(colour + again) % len(_DASHES)],
            linewidth=1.3,
            marker=MARKERS[(colour + 3 * again) % len(MARKERS)] if markers else None,
            markersize=3.6,
            markevery=every,
        )
        if len(curve.low):
            axes.vlines(curve.x, curve.low, curve.high, color=ARMS[colour], linewidth=0.9)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    axes.set_ylim(axes.get_ylim())
    right = max(curve.x[-1] for curve in curves)
    places = axes.transAxes.inverted().transform(axes.transData.transform([(right, curve.y[-1]) for curve in curves]))[
        :, 1
    ]
    for curve, place in zip(curves, _spread(places.tolist(), 0.075), strict=True):
        axes.annotate(
            curve.name,
            xy=(right, curve.y[-1]),
            xytext=(1.02, place),
            textcoords="axes fraction",
            va="center",
            color=ARMS[curve.arm % len(ARMS)],
            annotation_clip=False,
        )


def curves(
    panels: Mapping[str, Sequence[Curve]],
    *,
    label: str,
    prefix: str,
    columns: int = 2,
    x_label: str = "step",
    log: bool = False,
    space: Space = WIDE,
) -> str:
    """Panels of curves with a name at the end of each line.

    Args:
        panels: title -> curves.
        label: what the figure shows, for screen readers.
        prefix: makes the ids of this figure its own.
        columns: panels side by side at most.
        x_label: below every panel.
        log: a logarithmic y axis, where all values are above 0.
        space: for the figure.
    """
    panels = {title: [curve for curve in found if len(curve.x)] for title, found in panels.items()}
    panels = {title: found for title, found in panels.items() if found}
    if not panels:
        return ""
    columns = min(columns, space.columns, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(STYLE):
        width, height = space.width, 2.5 * rows
        # Inches that the longest name takes.
        names = 0.12 + 0.085 * max(len(curve.name) for found in panels.values() for curve in found)
        panel = (width - 0.55 - columns * names - (columns - 1) * 0.5) / columns
        figure = Figure(figsize=(width, height))
        figure.subplots_adjust(left=0.55 / width, right=1 - names / width, wspace=(names + 0.5) / panel)
        figure.subplots_adjust(top=1 - 0.3 / height, bottom=0.46 / height, hspace=0.45)
        for number, (title, found) in enumerate(panels.items(), 1):
            axes = figure.add_subplot(rows, columns, number)
            _draw(axes, found, markers=len(found) > 1, log=log)
            axes.set_title(title)
            axes.set_xlabel(x_label)
        return to_svg(figure, label, prefix)


@dataclass(frozen=True)
class Bar:
    """One bar: a name, a value, its interval where there is one, and which of the arms it is."""

    name: str
    value: float
    low: float | None
    high: float | None
    arm: int


def bars(found: Sequence[Bar], *, label: str, prefix: str, x_label: str, space: Space = WIDE) -> str:
    """Horizontal bars from zero with the value written at the end of each, and its interval as a line."""
    if not found:
        return ""
    with mpl.rc_context(STYLE):
        height = 0.62 + 0.32 * len(found)
        figure = Figure(figsize=(space.width, height))
        names = min(0.2 + 0.078 * max(len(bar.name) for bar in found), 0.4 * space.width)
        figure.subplots_adjust(left=names / space.width, right=0.97, top=1 - 0.08 / height, bottom=0.5 / height)
        axes = figure.add_subplot()
        top = max(bar.high if bar.high is not None else bar.value for bar in found)
        for place, bar in enumerate(found):
            colour = ARMS[bar.arm % len(ARMS)]
            axes.barh(place, bar.value, height=0.56, color=colour, alpha=0.28, linewidth=0)
            axes.plot([bar.value, bar.value], [place - 0.28, place + 0.28], color=colour, linewidth=1.6)
            if bar.low is not None and bar.high is not None:
                axes.plot([bar.low, bar.high], [place, place], color=INK, linewidth=0.9)
            end = max(bar.value, bar.high or 0)
            text = f"{bar.value:,.0f}" if bar.value >= 100 else f"{bar.value:.1f}"
            axes.text(end + top * 0.012, place, text, va="center")
        axes.set_yticks(range(len(found)), [bar.name for bar in found])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_xlim(0, top * (1 + 0.75 / space.width) or 1)
        axes.xaxis.set_major_formatter(THOUSANDS)
        axes.xaxis.set_major_locator(MaxNLocator(4 if space is NARROW else 8))
        axes.set_xlabel(x_label)
        return to_svg(figure, label, prefix)
