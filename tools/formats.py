"""Prints the table of file formats in Markdown, made of the rows of `triglot.corpus.formats.registry`.

python tools/formats.py            # the table
python tools/formats.py --write    # puts it into docs/formats.md, between its two marks
"""

import sys
from pathlib import Path

from triglot.corpus.formats.registry import TABLE, Format

PAGE = Path(__file__).resolve().parents[1] / "docs" / "formats.md"
BEGIN, END = "<!-- formats: tools/formats.py -->\n", "<!-- /formats -->"


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


def placed(page: str) -> str:
    """The page's text with the table of today."""
    before, mark, rest = page.partition(BEGIN)
    return before + mark + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(placed(PAGE.read_text("utf-8")), "utf-8")
    else:
        print(table(), end="")
