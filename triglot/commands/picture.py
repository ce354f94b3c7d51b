"""`triglot compare --picture`: one small figure of runs side by side, as a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.extras import named
from triglot.files import write_text
from triglot.report import tables_of


def draw(arms: Sequence[Any], path: Path, *, inputs: Sequence[Path] = (), force: bool = False) -> None:
    """Draw the first benchmark of some runs.

    Args:
        arms: as `triglot.report.find_arms` gives them.
        path: of the SVG file.
        inputs: folders that were read, which are never written over.
        force: replace what another command wrote.

    Raises:
        InputError: nothing to draw, or a file that is not ours.
        MissingExtra: matplotlib or Jinja is not installed.
    """
    with named():
        from triglot.report.picture import picture
    with outputs.files({"picture": path}, "compare", inputs=list(inputs), force=force) as place:
        write_text(place / path.name, picture(arms, tables_of(arms)[0]))
