"""A small table as text and as HTML, for whoever looks at a result in a terminal or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def as_text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of columns; the first one is to the left, the others to the right."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    first, *others = widths
    padded = (
        [line[0].ljust(first), *(cell.rjust(width) for cell, width in zip(line[1:], others, strict=True))]
        for line in lines
    )
    return "\n".join("  ".join(line).rstrip() for line in padded)


def cut(text: str, width: int) -> str:
    """A text in so many columns of a terminal, where some letters take two; whole where `width` is 0."""
    from rich.cells import cell_len, set_cell_size

    if not width or cell_len(text) <= width:
        return text
    return f"{set_cell_size(text, max(width - 3, 1)).rstrip()}..."


def as_html(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "", notes: Sequence[str] = ()) -> str:
    """A `table` element whose cells are plain text, and a paragraph for each note."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr><th>{escape(row[0])}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}</tr>" for row in rows
    )
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>{below}"
    )
