"""Prints the examples of every file format in Markdown: the files below docs/examples, as they are.

python -m tools.examples            # the examples
python -m tools.examples --write    # puts them into docs/formats.md, between their two marks
"""

from pathlib import Path

from tools import page
from tools.formats import PAGE
from triglot.corpus.formats.registry import TABLE
from triglot.parquet import rows

FOLDER = PAGE.parent / "examples"
LONGEST = 12  # lines of a file that are shown
LANGUAGES = {".json": "json", ".jsonl": "json", ".csv": "csv", ".yaml": "yaml"}


def shown(path: Path) -> str:
    """A file as a block of code; of Parquet its rows."""
    parquet = path.suffix == ".parquet"
    lines = [str(row) for _, row in rows(path)] if parquet else path.read_text("utf-8").splitlines()
    more = [f"... {len(lines) - LONGEST} more lines"] if len(lines) > LONGEST else []
    name = path.relative_to(FOLDER).as_posix()
    return "\n".join([f'```{LANGUAGES.get(path.suffix, "text")} title="{name}"', *lines[:LONGEST], *more, "```"])


def files(format: str) -> list[Path]:
    """The files of a format's example; `described` stands for what `data prepare` makes of it."""
    return sorted(path for path in (FOLDER / format).rglob("*") if path.is_file() and not path.name.startswith("."))


def examples() -> str:
    """A section for each format that has files."""
    parts = []
    for row in TABLE:
        if not row.built_in:
            blocks = [shown(path) for path in files(row.name)]
            parts.append("\n\n".join([f"### `{row.name}`: {row.title}", *blocks]))
    return "\n" + "\n\n".join(parts) + "\n\n"


def placed(text: str) -> str:
    """The page's text with the examples of today."""
    return page.placed(text, "examples", examples())


if __name__ == "__main__":
    page.main(PAGE, "examples", examples)
