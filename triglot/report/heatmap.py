"""The language x language heat map as a table: every value is written in its cell, the colour only repeats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
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
        Language codes, and (languages, languages + 1): one column a passage language (the diagonal is monolingual) and the
        multilingual pool last; NaN where there is no figure.
    """
    found = [run.languages(benchmark) for run in arm.runs]
    codes = tuple(found[0].get("languages", ()))
    values = np.full((len(found), len(codes), len(codes) + 1), np.nan)
    for number, tables in enumerate(found):
        for i, query in enumerate(codes):
            for j, passage in enumerate(codes):
                cell = tables.get("mono", {}).get(query) if i == j else tables.get("cross", {}).get(query, {}).get(passage)
                values[number, i, j] = _pick(cell, measure)
            values[number, i, -1] = _pick(tables.get("multi", {}).get(query), measure)
    return codes, values.mean(axis=0) if len(codes) else np.zeros((0, 1))


def _pick(cell: Mapping[str, Any] | None, measure: str) -> float:
    value = None if cell is None else cell.get(measure)
    return np.nan if value is None else float(value)


def _cell(value: float, top: float, kind: str) -> str:
    if np.isnan(value):
        return f'<td class="empty {kind}">–</td>'
    share = max(100 * value / top, 0.0) if top > 0 else 0.0
    text = f"{value:.2f}".removeprefix("0") if value < 1 else "1.0"
    return f'<td class="{kind}{" strong" if share > 78 else ""}" style="--v:{share:.0f}">{text}</td>'


def heat_map(title: str, codes: Sequence[str], values: np.ndarray, top: float) -> str:
    """One table. `top` is the value of the full colour, the same for all arms."""
    names = {code: escape(language_name(code)) for code in codes}
    short = {code: f'<abbr title="{names[code]}">{escape(code)}</abbr>' for code in codes}
    pool = not np.isnan(values[:, -1]).all()
    head = "".join(f'<th scope="col">{short[code]}</th>' for code in codes) + ('<th scope="col" class="gap">pool</th>' if pool else "")
    rows = []
    for i, code in enumerate(codes):
        cells = "".join(_cell(values[i, j], top, "own" if i == j else "") for j in range(len(codes)))
        cells += _cell(values[i, -1], top, "gap") if pool else ""
        rows.append(f'<tr><th scope="row">{short[code]}</th>{cells}</tr>')
    corner = '<td class="empty"></td>'
    table = f"<caption>{escape(title)}</caption><thead><tr>{corner}{head}</tr></thead>\n<tbody>{''.join(rows)}</tbody>"
    return f'<div class="scroll"><table class="heat">{table}</table></div>'
