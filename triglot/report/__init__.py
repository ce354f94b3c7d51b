"""Runs side by side: tables with intervals, and the report as HTML, Markdown and JSON."""

from triglot.report.content import changes_of
from triglot.report.mteb import write_mteb
from triglot.report.runs import Arm, Run, find_arms, read_run
from triglot.report.tables import Table, benchmark_names, compare, to_csv, to_latex, to_markdown
from triglot.report.write import Report, check_format, render, tables_of, write_report

__all__ = [
    "Arm",
    "Report",
    "Run",
    "Table",
    "benchmark_names",
    "changes_of",
    "check_format",
    "compare",
    "find_arms",
    "read_run",
    "render",
    "tables_of",
    "to_csv",
    "to_latex",
    "to_markdown",
    "write_mteb",
    "write_report",
]
