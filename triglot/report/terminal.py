"""Tables for the terminal."""

from __future__ import annotations

from typing import IO

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from triglot.report.tables import Table, cell_text


def print_table(table: Table, stream: IO[str], *, with_interval: bool = True, notes: bool = True) -> None:
    """Print a table; into a pipe or file it is plain text, as wide as it needs to be."""
    console = Console(file=stream, highlight=False)
    if not console.is_terminal:
        console.width = 200
    shown = RichTable(
        title=escape(table.benchmark),
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        header_style="italic",
    )
    shown.add_column("")
    for column in table.columns:
        shown.add_column(column.title, justify="right")
    best = [table.best(index) for index in range(len(table.columns))]
    for row in table.rows:
        cells = []
        for index, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True)):
            text = escape(cell_text(cell, column, with_interval=with_interval))
            cells.append(f"[bold]{text}[/bold]" if row.name in best[index] else text)
        shown.add_row(escape(row.name) + (f" x{row.seeds}" if row.seeds > 1 else ""), *cells)
    console.print(shown)
    if notes:
        for note in table.notes:
            console.print(escape(note), style="dim", soft_wrap=True)
