"""Prints the table of measures in Markdown.

python -m tools.measures            # the table
python -m tools.measures --write    # puts it into docs/measures.md, between its two marks
"""

from pathlib import Path

from tools import page
from triglot.measures import Measure, known

PAGE = Path(__file__).resolve().parents[1] / "docs" / "measures.md"
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
    lines = ["| name | heading | what it is | others call it | reported for | better |", "|---|---|---|---|---|---|"]
    for row in known():
        where = ", ".join(WHERE[place] for place in row.where)
        lines.append(f"| `{row.name}` | {row.title} | {row.help} | {row.elsewhere} | {where} | {_better(row)} |")
    return "\n".join(lines) + "\n"


def placed(text: str) -> str:
    """The page's text with the table of today."""
    return page.placed(text, "measures", table())


if __name__ == "__main__":
    page.main(PAGE, "measures", table)
