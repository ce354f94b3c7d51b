"""Figures of language bias: by query language with intervals, ranks by passage language, and the languages of the top
of rankings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from triglot.evaluate.bias.measures import TOP
from triglot.report.plots import ARMS, INK, MARKERS, STYLE, to_svg
from triglot.report.runs import Arm
from triglot.stats import Interval

_HATCHES = ["", "///", "...", "\\\\\\", "xxx", "---", "ooo", "|||", "++", "oo", "**"]
SHARES = f"shares@{TOP}"


def language_bars(
    found: Mapping[str, Mapping[str, Interval]], arms: Sequence[str], *, label: str, prefix: str, x_label: str
) -> str:
    """A line of marks for each language, one mark an arm with its interval.

    Args:
        found: arm -> language -> interval.
        arms: all arms of the report, whose order gives colours and markers.
        label: for screen readers.
        prefix: makes the ids of this figure its own.
        x_label: what is measured.
    """
    shown = [arm for arm in arms if found.get(arm)]
    codes = list(dict.fromkeys(code for arm in shown for code in found[arm]))
    if not codes:
        return ""
    with mpl.rc_context(STYLE):
        step = 0.105 * len(shown) + 0.12
        legend = 0.24 * -(-len(shown) // 4)
        height = 0.55 + legend + step * len(codes)
        figure = Figure(figsize=(8.6, height))
        figure.subplots_adjust(left=0.08, right=0.98, top=1 - (legend + 0.06) / height, bottom=0.46 / height)
        axes = figure.add_subplot()
        for turn, arm in enumerate(shown):
            number = arms.index(arm)
            offset = (turn - (len(shown) - 1) / 2) * 0.8 / max(len(shown), 1)
            places = [i + offset for i, code in enumerate(codes) if code in found[arm]]
            figures = [found[arm][code] for code in codes if code in found[arm]]
            colour, marker = ARMS[number % len(ARMS)], MARKERS[number % len(MARKERS)]
            axes.hlines(
                places, [one.low for one in figures], [one.high for one in figures], color=colour, linewidth=1.1
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
        axes.set_xlim(left=min(0, axes.get_xlim()[0]))
        axes.set_xlabel(x_label)
        figure.legend(
            loc="upper left", ncols=4, frameon=False, bbox_to_anchor=(0.06, 1.0), handletextpad=0.4, columnspacing=1.6
        )
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


def composition(rows: Mapping[str, Mapping[str, float]], *, label: str, prefix: str) -> str:
    """Stacked bars of language shares, each part with its code and a hatch of its own.

    Args:
        rows: name of the bar -> language -> share.
        label: for screen readers.
        prefix: makes the ids of this figure its own.
    """
    codes = list(dict.fromkeys(code for shares in rows.values() for code in shares))
    if not codes:
        return ""
    with mpl.rc_context(STYLE):
        height = 0.55 + 0.36 * len(rows)
        figure = Figure(figsize=(8.6, height))
        figure.subplots_adjust(left=0.2, right=0.98, top=1 - 0.06 / height, bottom=0.46 / height)
        axes = figure.add_subplot()
        for place, shares in enumerate(rows.values()):
            start = 0.0
            for number, code in enumerate(codes):
                share = shares.get(code, 0.0)
                colour = ARMS[number % len(ARMS)]
                axes.barh(place, share, left=start, height=0.62, color=colour, alpha=0.16, linewidth=0)
                axes.barh(
                    place,
                    share,
                    left=start,
                    height=0.62,
                    facecolor="none",
                    edgecolor=colour,
                    hatch=_HATCHES[number % len(_HATCHES)],
                    linewidth=0.6,
                    alpha=0.55,
                )
                if share > 0.03:
                    axes.text(start + share / 2, place, code, ha="center", va="center", fontweight="bold")
                start += share
        axes.set_yticks(range(len(rows)), list(rows))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_xlabel(f"share of the first {TOP} passages")
        return to_svg(figure, label, prefix)


def rank_distributions(
    arms: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], *, label: str, prefix: str
) -> str:
    """Where relevant passages of each language stand in the pool, a panel an arm.

    A line from the 5th to the 95th percentile, a thick one from the 25th to the 75th, and a mark at the median: filled
    for questions in the passage's language, open for the others.

    Args:
        arms: name -> passage language -> `same`, `other` -> the five quantiles.
        label: for screen readers.
        prefix: makes the ids of this figure its own.
    """
    arms = {name: found for name, found in arms.items() if found}
    if not arms:
        return ""
    codes = list(dict.fromkeys(code for found in arms.values() for code in found))
    columns = min(3, len(arms))
    rows = -(-len(arms) // columns)
    with mpl.rc_context(STYLE):
        height = rows * (0.85 + 0.2 * len(codes)) + 0.1
        figure = Figure(figsize=(8.6, height))
        figure.subplots_adjust(
            left=0.05,
            right=0.985,
            top=1 - 0.3 / height,
            bottom=0.48 / height,
            wspace=0.14,
            hspace=0.85 / (0.2 * len(codes)),
        )
        for number, (name, found) in enumerate(arms.items(), 1):
            axes = figure.add_subplot(rows, columns, number)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
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
