"""Tables of arms, worked out once and shown as wanted: in the terminal, as text, or as a report."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triglot import escapes
from triglot.extras import named
from triglot.files import InputError, nearest, write_json, write_text
from triglot.report.content import Content, gather
from triglot.report.resampling import read_arms
from triglot.report.robustness import compare_attacks
from triglot.report.runs import Arm
from triglot.report.story import Story
from triglot.report.tables import Table, benchmark_names, compare, notes_markdown, to_csv, to_latex, to_markdown

log = logging.getLogger("triglot")
FORMATS = ("markdown", "csv", "latex", "json")


@dataclass(frozen=True)
class Report(os.PathLike):
    """A report that was written.

    Attributes:
        path: of report.html; `open(report)` opens it.
        content: what it says.
    """

    path: Path
    content: Content = field(compare=False, repr=False)

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def tables(self) -> list[Table]:
        """The main table of each benchmark, and after it one for each attack, as `tables_of` gives them."""
        main = self.content.tables.items()
        return _with_columns(
            [table for name, first in main for table in (first, *self.content.attacks.get(name, ()))], "map"
        )


def tables_of(arms: Sequence[Arm], *, measure: str = "map", reference: str = "") -> list[Table]:
    """A table for each benchmark that has the measure, and with mAP one for each attack. A warning names those without
    the measure.
    """
    found = []
    for name in benchmark_names(arms):
        read = read_arms([arm for arm in arms if name in arm.benchmarks], name)
        found.append(compare(arms, name, measure=measure, reference=reference, read=read))
        found += compare_attacks(arms, name, reference=reference, read=read) if measure == "map" else []
    return _with_columns(found, measure)


def _with_columns(tables: Sequence[Table], measure: str) -> list[Table]:
    for table in tables:
        if not table.columns:
            log.warning("%s: no arm has %s on it", table.benchmark, measure)
    return [table for table in tables if table.columns]


def check_format(output: str, known: Sequence[str] = ("table", *FORMATS)) -> None:
    """Raise InputError for a form of tables that is not known."""
    if output not in known:
        raise InputError(f"--output-format: {output!r} is unknown{nearest(output, ('table', *FORMATS))}")


def render(
    arms: Sequence[Arm],
    output: str,
    *,
    measure: str = "map",
    reference: str = "",
    tables: Sequence[Table] | None = None,
) -> str:
    """Tables of all benchmarks as `markdown`, `csv`, `latex` or `json`; `tables` are those of these arms, where they
    are there already.
    """
    check_format(output, FORMATS)
    if tables is None:
        tables = tables_of(arms, measure=measure, reference=reference)
    if output == "csv":
        return to_csv(tables)
    if output == "json":
        from triglot.report.plain import table_to_json

        return (
            json.dumps({table.benchmark: table_to_json(table) for table in tables}, indent=2, ensure_ascii=False) + "\n"
        )
    if output == "latex":
        return "\n".join(f"{escapes.latex_comment(table.benchmark)}\n{to_latex(table)}" for table in tables)
    return "\n".join(
        f"### {escapes.markdown(table.benchmark)}\n\n{to_markdown(table)}\n{notes_markdown(table)}" for table in tables
    )


def write_report(
    arms: Sequence[Arm],
    out: str | Path,
    *,
    title: str,
    command: str = "",
    study: Mapping[str, Any] | None = None,
    reference: str = "",
    story: Story | None = None,
) -> Report:
    """Write report.html, report.md and report.json into a folder.

    Args:
        arms: as `find_arms` gives them.
        out: the folder.
        title: of the page.
        command: that made the runs.
        study: further facts for report.json.
        reference: the arm that the others are compared with; by default the first trained one.
        story: question, claims and commands, where the study has them.

    Returns:
        The report: the path of report.html, and its tables.

    Raises:
        MissingExtra: matplotlib or Jinja is not installed.
    """
    with named():
        from triglot.report.html import to_html
    from triglot.report.markdown import to_page
    from triglot.report.plain import to_json

    content = gather(arms, title=title, command=command, study=study, reference=reference, story=story)
    out, facts = Path(out), to_json(content)
    pages = {"report.md": to_page(content), "report.html": to_html(content)}  # all is made before anything is written
    write_json(out / "report.json", facts)
    for name, text in pages.items():
        write_text(out / name, text)
    return Report(out / "report.html", content)
