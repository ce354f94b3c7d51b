"""Runs side by side: tables with intervals, and the report as HTML, Markdown and JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triglot import escapes
from triglot.files import InputError, nearest, write_json, write_text
from triglot.report.mteb import write_mteb
from triglot.report.robustness import compare_attacks
from triglot.report.runs import Arm, Run, find_arms, read_run
from triglot.report.tables import Table, benchmark_names, compare, notes_markdown, to_csv, to_latex, to_markdown

__all__ = [
    "Arm",
    "Run",
    "Table",
    "benchmark_names",
    "compare",
    "find_arms",
    "read_run",
    "to_csv",
    "to_latex",
    "to_markdown",
    "write_mteb",
    "write_report",
]

log = logging.getLogger("triglot")
FORMATS = ("markdown", "csv", "latex", "json")


def tables_of(arms: Sequence[Arm], *, measure: str = "map", reference: str = "") -> list[Table]:
    """A table for each benchmark that has the measure, and with mAP one for each attack. A warning names those without the measure."""
    found = []
    for name in benchmark_names(arms):
        found.append(compare(arms, name, measure=measure, reference=reference))
        found += compare_attacks(arms, name, reference=reference) if measure == "map" else []
    for table in found:
        if not table.columns:
            log.warning("%s: no arm has %s on it", table.benchmark, measure)
    return [table for table in found if table.columns]


def render(arms: Sequence[Arm], output: str, *, measure: str = "map", reference: str = "") -> str:
    """Tables of all benchmarks as `markdown`, `csv`, `latex` or `json`."""
    if output not in FORMATS:
        raise InputError(f"--format: {output!r} is unknown{nearest(output, ('table', *FORMATS))}")
    tables = tables_of(arms, measure=measure, reference=reference)
    if output == "csv":
        return to_csv(tables)
    if output == "json":
        from triglot.report.plain import table_to_json

        return json.dumps({table.benchmark: table_to_json(table) for table in tables}, indent=2, ensure_ascii=False) + "\n"
    if output == "latex":
        return "\n".join(f"{escapes.latex_comment(table.benchmark)}\n{to_latex(table)}" for table in tables)
    return "\n".join(f"### {escapes.markdown(table.benchmark)}\n\n{to_markdown(table)}\n{notes_markdown(table)}" for table in tables)


def write_report(
    arms: Sequence[Arm], out: str | Path, *, title: str, command: str = "", study: Mapping[str, Any] | None = None, reference: str = ""
) -> Path:
    """Write report.html, report.md and report.json into a folder.

    Args:
        arms: as `find_arms` gives them.
        out: the folder.
        title: of the page.
        command: that made the runs.
        study: further facts for report.json.
        reference: the arm that the others are compared with; by default the first trained one.

    Returns:
        The path of report.html.
    """
    from triglot.report.content import gather
    from triglot.report.html import to_html
    from triglot.report.markdown import to_page
    from triglot.report.plain import to_json

    content = gather(arms, title=title, command=command, study=study, reference=reference)
    out, facts = Path(out), to_json(content)
    pages = {"report.md": to_page(content), "report.html": to_html(content)}  # all is made before anything is written
    write_json(out / "report.json", facts)
    for name, text in pages.items():
        write_text(out / name, text)
    return out / "report.html"
