"""Tables and sentences for the terminal. A table that is too wide is turned, or put into parts of fewer columns, or
shown an arm at a time; no figure is ever cut or broken."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import IO

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from triglot.report.story import Story, told
from triglot.report.tables import Table, cell_text

_GAP = 2  # spaces between columns
_MOST_PARTS = 3
_BEST = "\0"  # ends a cell that is printed bold


def width_of(stream: IO[str]) -> int:
    """Columns of a terminal; 0 for a pipe or a file."""
    console = Console(file=stream)
    return console.width if console.is_terminal else 0


def wrapped(line: str, width: int) -> list[str]:
    """A line broken between words, the rest two spaces further in; as it is where `width` is 0 or it fits."""
    if not width or cell_len(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    # a figure stays with its per cent sign
    found = textwrap.wrap(
        line.replace(" %", "\xa0%"),
        width,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part.replace("\xa0%", " %") for part in found]


def print_lines(lines: Iterable[str], stream: IO[str]) -> None:
    """Print sentences, broken between words in a terminal; into a pipe or file they are lines as they are."""
    width = width_of(stream)
    for line in lines:
        print("\n".join(wrapped(line, width)), file=stream)


def print_table(table: Table, stream: IO[str], *, with_interval: bool = True, notes: bool = True) -> None:
    """Print a table; into a pipe or file it is plain text, as wide as it needs to be."""
    console = Console(file=stream, highlight=False)
    width = console.width if console.is_terminal else 0
    blocks = _fitting(table, width, with_interval)
    console.width = max(width, *(_width(block) for block in blocks), cell_len(table.benchmark), 20)
    for number, block in enumerate(blocks):
        if number:
            console.print()
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
    for note in [*_left_out(table, blocks, width, with_interval), *(table.notes if notes else ())]:
        for line in wrapped(note, width):
            console.print(escape(line), style="dim", soft_wrap=True)


def _fitting(table: Table, width: int, with_interval: bool) -> list[list[list[str]]]:
    """The table in blocks, each a head and rows, that fit the width: whole; turned; in a few parts of fewer columns;
    turned without intervals; an arm at a time."""
    lines = _cells(table, with_interval)
    turned = [list(column) for column in zip(*lines, strict=True)]
    for layout in (lines, turned):
        if not width or _width(layout) <= width:
            return [layout]
    parts = _parts(lines, width)
    if len(parts) <= _MOST_PARTS and max(map(_width, parts)) <= width:
        return parts
    short = [list(column) for column in zip(*_cells(table, False), strict=True)]
    if _width(short) <= width:
        return [short]
    alone = [[[[row[0], row[place]] for row in layout] for place in range(1, len(lines))] for layout in (turned, short)]
    return next((blocks for blocks in alone if max(map(_width, blocks)) <= width), alone[-1])


def _left_out(table: Table, blocks: list[list[list[str]]], width: int, with_interval: bool) -> list[str]:
    """What is said of intervals that the terminal has no room for."""
    had = with_interval and any(cell and cell.low is not None for row in table.rows for cell in row.cells)
    shown = any("[" in cell for block in blocks for row in block[1:] for cell in row[1:])
    told = f"Intervals do not fit in {width} columns; the report, a pipe and the other formats have them."
    return [told] if had and not shown else []


def _parts(lines: list[list[str]], width: int) -> list[list[list[str]]]:
    """Blocks of as many columns as fit, each with the names of the rows; columns are spread evenly over the blocks."""
    count = len(lines[0]) - 1
    parts = [lines]
    for number in range(1, count + 1):
        most = -(-count // number)
        places = [range(start, min(start + most, count + 1)) for start in range(1, count + 1, most)]
        parts = [[[line[0], *(line[place] for place in part)] for line in lines] for part in places]
        if max(map(_width, parts)) <= width:
            break
    return parts


def _cells(table: Table, with_interval: bool) -> list[list[str]]:
    """Head and rows as text; the best of a column ends in `_BEST`."""
    best = [table.best(index) for index in range(len(table.columns))]
    lines = [["", *(column.title for column in table.columns)]]
    for row in table.rows:
        cells = [
            cell_text(cell, column, with_interval=with_interval) + (_BEST if row.name in best[index] else "")
            for index, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True))
        ]
        lines.append([row.name + (f" x{row.seeds}" if row.seeds > 1 else ""), *cells])
    return lines


def _styled(text: str) -> str:
    bare = escape(text.removesuffix(_BEST))
    return f"[bold]{bare}[/bold]" if text.endswith(_BEST) else bare


def _width(lines: list[list[str]]) -> int:
    """Columns of the terminal that such a table takes."""
    widths = [max(cell_len(cell.removesuffix(_BEST)) for cell in column) for column in zip(*lines, strict=True)]
    return sum(widths) + _GAP * (len(widths) - 1)


def story_lines(story: Story) -> list[str]:
    """Question, answer, and each claim with its verdict."""
    lines = [story.question, *story.answer, ""]
    for entry in story.ledger:
        models = f" (these models: {entry.models_verdict})" if entry.models != entry.versus else ""
        lines.append(f"{entry.verdict:14s}  {entry.claim.id}{models}: {told(entry)}")
    return [*lines, *story.left_out]
