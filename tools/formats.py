"""Prints the table of file formats in Markdown, made of the rows of `triglot.corpus.formats.registry`.

python -m tools.formats            # the table
python -m tools.formats --write    # puts it into docs/formats.md, between its two marks
"""

from pathlib import Path

from tools import page
from triglot.corpus.formats.registry import TABLE, Format

PAGE = Path(__file__).resolve().parents[1] / "docs" / "formats.md"


def purposes(row: Format) -> str:
    """What a format is read for."""
    retrieval = "retrieval (passages streamed)" if row.streamed else "retrieval"
    words = {"training": row.training, retrieval: row.retrieval or row.streamed, "classification": row.classification}
    return ", ".join(word for word, has in words.items() if has)


def table() -> str:
    """The table in Markdown."""
    lines = ["| format | what it is | files | read for |", "|---|---|---|---|"]
    lines += [f"| `{row.name}` | {row.title} | {row.help} | {purposes(row)} |" for row in TABLE]
    return "\n".join(lines) + "\n"


def placed(text: str) -> str:
    """The page's text with the table of today."""
    return page.placed(text, "formats", table())


if __name__ == "__main__":
    page.main(PAGE, "formats", table)
