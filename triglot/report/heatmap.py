"""The language x language heat map as a table: every value is written in its cell, the colour only repeats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triglot.report.runs import Arm


def language_name(code: str) -> str:
    """The English name of a language code; the code where CLDR has none."""
    from babel import Locale

    return Locale("en").languages.get(code, code)


def matrix(arm: Arm, benchmark: str, measure: str = "map") -> tuple[tuple[str, ...], np.ndarray]:
    """Mean over seeds of a measure by query language and pool.

    Returns:
        Language codes, and (languages, languages + 1): one column a passage language (the diagonal is monolingual) and
        the multilingual pool last; NaN where there is no figure.
    """
    found = [run.languages(benchmark) for run in arm.runs]
    codes = tuple(found[0].get("languages", ()))
    values = np.full((len(found), len(codes), len(codes) + 1), np.nan)
    for number, tables in enumerate(found):
        for i, query in enumerate(codes):
            for j, passage in enumerate(codes):
                cell = (
                    tables.get("mono", {}).get(query) if i == j else tables.get("cross", {}).get(query, {}).get(passage)
                )
                values[number, i, j] = _pick(cell, measure)
            values[number, i, -1] = _pick(tables.get("multi", {}).get(query), measure)
    return codes, values.mean(axis=0) if len(codes) else np.zeros((0, 1))


def _pick(cell: Mapping[str, Any] | None, measure: str) -> float:
    value = None if cell is None else cell.get(measure)
    return np.nan if value is None else float(value)


@dataclass(frozen=True)
class HeatCell:
    """A cell: its text (empty without a figure), the share of the full colour in per cent, its class in the style
    sheet, and its figure.
    """

    text: str
    percent: float
    kind: str
    value: float


@dataclass(frozen=True)
class HeatMap:
    """A map of one arm, as the macro `heat_map` of the templates shows it.

    Attributes:
        title: its caption.
        codes: of the languages.
        values: (languages, languages + 1), as `matrix` gives them.
        top: the value of the full colour, the same for all arms.
    """

    title: str
    codes: Sequence[str]
    values: np.ndarray
    top: float

    @property
    def languages(self) -> list[tuple[str, str]]:
        """(code, English name)."""
        return [(code, language_name(code)) for code in self.codes]

    @property
    def pool(self) -> bool:
        """Whether there is a figure for the multilingual pool."""
        return not np.isnan(self.values[:, -1]).all()

    @property
    def rows(self) -> list[tuple[tuple[str, str], list[HeatCell]]]:
        """((code, name), cells) of each query language."""
        number = len(self.codes)
        found = []
        for i, language in enumerate(self.languages):
            cells = [self._cell(self.values[i, j], "own" if i == j else "") for j in range(number)]
            cells += [self._cell(self.values[i, -1], "gap")] if self.pool else []
            found.append((language, cells))
        return found

    def _cell(self, value: float, kind: str) -> HeatCell:
        if np.isnan(value):
            return HeatCell("", 0.0, kind, value)
        text = f"{value:.2f}".removeprefix("0") if value < 1 else "1.0"
        return HeatCell(text, max(100 * value / self.top, 0.0) if self.top > 0 else 0.0, kind, value)


def heat_map(title: str, codes: Sequence[str], values: np.ndarray, top: float) -> str:
    """One map as HTML."""
    from triglot.report.templates import environment

    macros: Any = environment().get_template("tables.html").module
    return str(macros.heat_map(HeatMap(title, codes, values, top)))
