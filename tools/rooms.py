"""Prints the table of rooms: the floors of pyproject.toml (import-linter's layers), and what each room says of itself.

python -m tools.rooms            # the table
python -m tools.rooms --write    # puts it into docs/architecture.md, between its two marks
"""

import ast
import re
import tomllib
from pathlib import Path

from tools import page

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"


def floors() -> list[list[str]]:
    """The rooms of each floor, from the highest to the lowest; those still to come are left out."""
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0][
        "layers"
    ]
    return [[name for name in re.split(r"\s*\|\s*", layer) if not name.startswith(("(", "__"))] for layer in layers]


def said(room: str) -> tuple[str, str]:
    """(name as a path, summary of its docstring)."""
    folder = ROOT / "triglot" / room
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return (f"{room}/" if folder.is_dir() else path.name), " ".join(docstring.split("\n\n")[0].split()).rstrip(".")


def table() -> str:
    """The table in Markdown."""
    rows = [rooms for rooms in floors() if rooms]
    lines = ["| floor | room | what it holds |", "|---|---|---|"]
    for number, rooms in enumerate(rows):
        for place, room in enumerate(rooms):
            name, line = said(room)
            lines.append(
                f"| {'' if place else len(rows) - 1 - number} | `{name}` | {line.replace('|', chr(92) + '|')} |"
            )
    return "\n".join(lines) + "\n"


def placed(text: str) -> str:
    """The page's text with the table of today."""
    return page.placed(text, "rooms", table())


if __name__ == "__main__":
    page.main(PAGE, "rooms", table)
