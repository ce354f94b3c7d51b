"""Prints the table of measures in Markdown.

python tools/measures.py            # the table
python tools/measures.py --write    # puts it into docs/measures.md, between its two marks
"""

import sys
from pathlib import Path

from triglot.measures import Measure, known

PAGE = Path(__file__).resolve().parents[1] / "docs" / "measures.md"
BEGIN, END = "<!-- measures: tools/measures.py -->\n", "<!-- /measures -->"
WHERE = {
    "settings": "the three settings",
    "ranked": "top-k runs",
    "bias": "language bias",
    "classification": "classification",
    "robustness": "attacks",
}


def _better(row: Measure) -> str:
    if row.chance:
        return "what chance gives"
    if row.name in ("changed", "calls"):
        return "neither"
    return "lower" if row.lower_is_better else "higher"


def table() -> str:
    """One line a measure, of Triglot's own."""
    lines = ["| name | heading | what it is | reported for | better |", "|---|---|---|---|---|"]
    for row in known():
        where = ", ".join(WHERE[place] for place in row.where)
        lines.append(f"| `{row.name}` | {row.title} | {row.help} | {where} | {_better(row)} |")
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
