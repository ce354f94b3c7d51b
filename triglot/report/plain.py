"""The report as plain values for JSON."""

from __future__ import annotations

from typing import Any

from triglot.report.content import Content, findings
from triglot.report.tables import Table


def table_to_json(table: Table) -> dict[str, Any]:
    """Rows by setting and measure, findings and notes."""
    rows = []
    for row in table.rows:
        cells: dict[str, Any] = {}
        for cell, column in zip(row.cells, table.columns, strict=True):
            if cell is not None:
                figures = {"value": cell.value, "low": cell.low, "high": cell.high, "versus": cell.versus, "p": cell.p}
                figures |= {"verdict": cell.verdict or None, "not_below": cell.not_below or None}
                figures |= {"models_verdict": cell.models_verdict or None}
                cells.setdefault(column.setting, {})[column.measure] = {
                    key: value for key, value in figures.items() if value is not None
                }
        rows.append({"arm": row.name, "seeds": row.seeds, **cells})
    return {
        "reference": table.reference,
        "margin": table.margin,
        "rows": rows,
        "findings": findings(table),
        "notes": list(table.notes),
    }


def to_json(content: Content) -> dict[str, Any]:
    """Everything but the curves and the per-language figures, which stand in the run folders."""
    return {
        "schema": 1,
        "title": content.title,
        "command": content.command,
        **(content.story.plain() if content.story else {}),
        "benchmarks": {name: table_to_json(table) for name, table in content.tables.items()},
        "changes": {name: told.sentences for name, told in content.changes.items()},
        "attacks": {one.benchmark: table_to_json(one) for tables in content.attacks.values() for one in tables},
        "seen": [
            {"arm": seen.arm, "stage": seen.stage, **seen.figures, "same_language": seen.same_language}
            | {"counts": [[*key, count] for key, count in seen.pairs.items()]}
            for seen in content.seen
        ],
        "differences": content.differences,
        "licences": content.licences,
        "versions": content.versions,
        "warnings": list(content.warnings),
        "study": dict(content.study),
    }
