"""Figures of language bias: by query language with intervals, ranks by passage language, and the languages of the top
of rankings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from triglot.measures.bias import TOP
from triglot.report.plots import ARMS, INK, MARKERS, NARROW, PAPER, STYLE, THOUSANDS, WIDE, Space, to_svg
from triglot.report.runs import Arm
from triglot.stats import Interval

SHARES = f"shares@{TOP}"


def language_bars(
    found: Mapping[str, Mapping[str, Interval]],
    arms: Sequence[str],
    *,
    label: str,
    prefix: str,
    x_label: str,
    space: Space = WIDE,
) -> str:
    """A line of marks for each language, one mark an arm with its interval.

    Args:
        found: arm -> language -> interval.
        arms: all arms of the report, whose order gives colours and markers.
        label: for screen readers.
        prefix: makes the ids of this figure its own.
        x_label: what is measured; it is never below 0.
        space: for the figure.
    """
    shown = [arm for arm in arms if found.get(arm)]
    codes = list(dict.fromkeys(code for arm in shown for code in found[arm]))
    if not codes:
        return ""
    with mpl.rc_context(STYLE):
        step = 0.105 * len(shown) + 0.12
        across = 4 if space.columns > 1 else 2
        legend = 0.24 * -(-len(shown) // across)
        height = 0.55 + legend + step * len(codes)
        figure = Figure(figsize=(space.width, height))
        figure.subplots_adjust(
            left=0.5 / space.width, right=0.97, top=1 - (legend + 0.06) / height, bottom=0.46 / height
        )
        axes = figure.add_subplot()
        for turn, arm in enumerate(shown):
            number = arms.index(arm)
            offset = (turn - (len(shown) - 1) / 2) * 0.8 / max(len(shown), 1)
            places = [i + offset for i, code in enumerate(codes) if code in found[arm]]
            figures = [found[arm][code] for code in codes if code in found[arm]]
            colour, marker = ARMS[number % len(ARMS)], MARKERS[number % len(MARKERS)]
            axes.hlines(
                places,
                [max(one.low, 0) for one in figures],
                [one.high for one in figures],
                color=colour,
                linewidth=1.1,
            )
            axes.plot(
                [one.value for one in figures],
                places,
                linestyle="",
                marker=marker,
                color=colour,
                markersize=4.4,
                label=arm,
            )
        for line in range(len(codes) - 1):
            axes.axhline(line + 0.5, linewidth=0.4, color=INK, alpha=0.2)
        axes.set_yticks(range(len(codes)), codes)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(codes) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(THOUSANDS)
        axes.xaxis.set_major_locator(MaxNLocator(4 if space is NARROW else 8))
        axes.set_xlabel(x_label)
        place = {"loc": "upper left", "bbox_to_anchor": (0.35 / space.width, 1.0), "ncols": across}
        figure.legend(**place, frameon=False, handletextpad=0.4, columnspacing=1.6)
        return to_svg(figure, label, prefix)


def mean_shares(arm: Arm, benchmark: str) -> tuple[list[str], np.ndarray]:
    """Codes, and (query languages, passage languages) mean over seeds of the shares of the top; empty where a run has
    none.
    """
    found = [run.languages(benchmark).get(SHARES, {}) for run in arm.runs]
    codes = [code for code in found[0] if all(code in run for run in found)] if found and all(found) else []
    if not codes:
        return [], np.zeros((0, 0))
    return codes, np.mean([[[run[a].get(b, np.nan) for b in codes] for a in codes] for run in found], axis=0)


def composition(
    rows: Mapping[str, Mapping[str, float]],
    *,
    label: str,
    prefix: str,
    own: Mapping[str, str] | None = None,
    pool: Mapping[str, float] | None = None,
    space: Space = WIDE,
) -> str:
    """Stacked bars of language shares, each part with its code.

    Args:
        rows: name of the bar -> language -> share.
        label: for screen readers.
        prefix: makes the ids of this figure its own.
        own: name of the bar -> the language that comes first in it, in full colour.
        pool: language -> its share of the pool, a mark in the bar of that language.
        space: for the figure.
    """
    if not any(rows.values()):
        return ""
    with mpl.rc_context(STYLE):
        height = 0.55 + 0.26 * len(rows)
        figure = Figure(figsize=(space.width, height))
        names = min(0.2 + 0.078 * max(map(len, rows)), 0.45 * space.width)
        figure.subplots_adjust(left=names / space.width, right=0.96, top=1 - 0.06 / height, bottom=0.46 / height)
        axes = figure.add_subplot()
        _stacks(axes, rows, own or {}, pool or {}, colour=ARMS[0], least=0.27 / (space.width - names))
        axes.set_xlabel(f"share of the first {TOP} passages")
        return to_svg(figure, label, prefix)


def own_shares(
    arms: Mapping[str, Mapping[str, Mapping[str, float]]],
    pool: Mapping[str, float],
    order: Sequence[str],
    *,
    label: str,
    prefix: str,
    space: Space = WIDE,
) -> str:
    """The languages of the first passages by the language of the question, a panel an arm: the question's own language
    first and in full colour, a mark where it would end if rankings were as mixed as the pool.

    Args:
        arms: name -> query language -> passage language -> share.
        pool: language -> its share of the pool.
        order: all arms of the report, whose order gives colours.
        label: for screen readers.
        prefix: makes the ids of this figure its own.
        space: for the figure.
    """
    arms = {name: rows for name, rows in arms.items() if rows}
    if not arms:
        return ""
    columns = min({1: 1, 2: 2, 4: 2}.get(len(arms), 3), space.columns)
    lines, most = -(-len(arms) // columns), max(map(len, arms.values()))
    with mpl.rc_context(STYLE):
        panel = 0.2 * most
        height = lines * (panel + 0.34) + 0.4
        figure = Figure(figsize=(space.width, height))
        figure.subplots_adjust(left=0.32 / space.width, right=0.97, top=1 - 0.28 / height, bottom=0.46 / height)
        figure.subplots_adjust(wspace=0.17, hspace=0.34 / panel)
        for number, (name, rows) in enumerate(arms.items(), 1):
            axes = figure.add_subplot(lines, columns, number)
            colour = ARMS[order.index(name) % len(ARMS)]
            _stacks(axes, rows, {code: code for code in rows}, pool, colour=colour, least=0.24 * columns / space.width)
            mean = np.mean([shares.get(code, 0.0) for code, shares in rows.items()])
            axes.set_title(f"{name}: {100 * mean:.0f} % own language")
            if number > len(arms) - columns:
                axes.set_xlabel(f"share of the first {TOP} passages")
            else:
                axes.tick_params(axis="x", labelbottom=False)
        return to_svg(figure, label, prefix)


def _stacks(
    axes: Axes,
    rows: Mapping[str, Mapping[str, float]],
    own: Mapping[str, str],
    pool: Mapping[str, float],
    *,
    colour: str,
    least: float,
) -> None:
    """One bar a row; a part wider than `least` has its code in it."""
    codes = list(dict.fromkeys(code for shares in rows.values() for code in shares))
    for place, (name, shares) in enumerate(rows.items()):
        first, start = own.get(name), 0.0
        for code in sorted(codes, key=lambda one: one != first):
            share = shares.get(code, 0.0)
            mine = code == first
            if share < 0.002:
                start += share
                continue
            face = to_rgba(colour if mine else INK, 0.5 if mine else 0.09)
            axes.barh(place, share, left=start, height=0.74, linewidth=0.7, facecolor=face, edgecolor=PAPER)
            if share > least:
                right = mine and share > 3 * least  # beside the mark of the pool, not on it
                text = f"{100 * share:.0f} %" if mine and share > 1.5 * least else code
                where = start + (share - 0.2 * least if right else share / 2)
                aligned = "right" if right else "center"
                axes.text(where, place, text, ha=aligned, va="center_baseline", fontsize=7.5)
            start += share
        if first is not None and first in pool:
            axes.plot([pool[first]] * 2, [place - 0.5, place + 0.5], color=INK, linewidth=1.1)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "", "50 %", "", "100 %"])


def rank_distributions(
    arms: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], *, label: str, prefix: str, space: Space = WIDE
) -> str:
    """Where relevant passages of each language stand in the pool, a panel an arm.

    A line from the 5th to the 95th percentile, a thick one from the 25th to the 75th, and a mark at the median: filled
    for questions in the passage's language, open for the others.

    Args:
        arms: name -> passage language -> `same`, `other` -> the five quantiles.
        label: for screen readers.
        prefix: makes the ids of this figure its own.
        space: for the figure.
    """
    arms = {name: found for name, found in arms.items() if found}
    if not arms:
        return ""
    codes = list(dict.fromkeys(code for found in arms.values() for code in found))
    columns = min(space.columns, len(arms))
    rows = -(-len(arms) // columns)
    with mpl.rc_context(STYLE):
        height = rows * (0.85 + 0.2 * len(codes)) + 0.1
        figure = Figure(figsize=(space.width, height))
        figure.subplots_adjust(
            left=0.43 / space.width,
            right=1 - 0.14 / space.width,
            top=1 - 0.3 / height,
            bottom=0.48 / height,
            wspace=0.14,
            hspace=0.85 / (0.2 * len(codes)),
        )
        for number, (name, found) in enumerate(arms.items(), 1):
            axes = figure.add_subplot(rows, columns, number)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(THOUSANDS)
            axes.xaxis.set_minor_formatter(NullFormatter())
            for place, code in enumerate(codes):
                for kind, offset, colour, face in (("same", -0.18, ARMS[0], ARMS[0]), ("other", 0.18, ARMS[1], "none")):
                    if kind not in found.get(code, {}):
                        continue
                    low, lower, middle, upper, high = found[code][kind]
                    axes.hlines(place + offset, low, high, color=colour, linewidth=0.7)
                    axes.hlines(place + offset, lower, upper, color=colour, linewidth=2.4, alpha=0.6)
                    axes.plot(
                        middle,
                        place + offset,
                        marker="o",
                        markersize=4.2,
                        color=colour,
                        markerfacecolor=face,
                        linestyle="",
                    )
            axes.set_yticks(range(len(codes)), codes)
            axes.tick_params(axis="y", length=0)
            axes.set_ylim(len(codes) - 0.5, -0.5)
            axes.set_xlim(left=0.8)
            axes.set_title(name)
            axes.set_xlabel("rank in the pool")
        return to_svg(figure, label, prefix)
