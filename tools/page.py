"""What the scripts beside this one share: a table in a page, between two marks, printed or written."""

import sys
from collections.abc import Callable
from pathlib import Path


def placed(text: str, name: str, table: str) -> str:
    """A page's text with the table of today between its marks, `<!-- NAME: tools/NAME.py -->` and `<!-- /NAME -->`."""
    begin, end = f"<!-- {name}: tools/{name}.py -->\n", f"<!-- /{name} -->"
    before, mark, rest = text.partition(begin)
    return before + mark + table + end + rest.partition(end)[2]


def main(page: Path, name: str, table: Callable[[], str]) -> None:
    """Print the table, or with --write put it into the page."""
    if "--write" in sys.argv:
        page.write_text(placed(page.read_text("utf-8"), name, table()), "utf-8")
    else:
        print(table(), end="")
