"""Tables for the terminal: as they are where they fit, turned or an arm at a time where they do not. No figure is ever
cut or broken."""

from __future__ import annotations

from typing import IO

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from triglot.report.tables import Table, cell_text

_GAP = 2  # spaces between columns


def print_table(table: Table, stream: IO[str], *, with_interval: bool = True, notes: bool = True) -> None:
    """Print a table; into a pipe or file it is plain text, as wide as it needs to be."""
    console = Console(file=stream, highlight=False)
    width = console.width if console.is_terminal else 0
    lines = _cells(table, with_interval)
    if width and _width(lines) > width:
        turned = [list(column) for column in zip(*lines, strict=True)]
        short = [list(column) for column in zip(*_cells(table, False), strict=True)]
        fitting = next((layout for layout in (turned, short) if _width(layout) <= width), None)
        alone = [[[row[0], row[place]] for row in turned] for place in range(1, len(lines))]
        blocks = alone if fitting is None else [fitting]
    else:
        blocks = [lines]
    console.width = max(width, *(_width(block) for block in blocks), cell_len(table.benchmark), 20)
    for number, block in enumerate(blocks):
        shown = RichTable(
            title=None if number else escape(table.benchmark),
            title_justify="left",
            title_style="bold",
            box=None,
            pad_edge=False,
            header_style="italic",
        )
        head, *rows = block
        for place, title in enumerate(head):
            shown.add_column(escape(title), justify="right" if place else "left", no_wrap=True)
        for row in rows:
            shown.add_row(*map(_styled, row))
        console.print(shown)
    console.width = width or 200
    if notes:
        for note in table.notes:
            console.print(escape(note), style="dim", soft_wrap=not width)


def _cells(table: Table, with_interval: bool) -> list[list[str]]:
    """Head and rows as text; the best of a column ends in a NUL, which `_styled` makes bold."""
    best = [table.best(index) for index in range(len(table.columns))]
    lines = [["", *(column.title for column in table.columns)]]
    for row in table.rows:
        cells = [
            cell_text(cell, column, with_interval=with_interval) + ("\0" if row.name in best[index] else "")
            for index, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True))
        ]
        lines.append([row.name + (f" x{row.seeds}" if row.seeds > 1 else ""), *cells])
    return lines


def _styled(text: str) -> str:
    bare = escape(text.removesuffix("\0"))
    return f"[bold]{bare}[/bold]" if text.endswith("\0") else bare


def _width(lines: list[list[str]]) -> int:
    """Columns of the terminal that such a table takes."""
    widths = [max(cell_len(cell.removesuffix("\0")) for cell in column) for column in zip(*lines, strict=True)]
    return sum(widths) + _GAP * (len(widths) - 1)
