"""`triglot study --index`: a page over several studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triglot.files import InputError, locked
from triglot.outputs import resolve

OWN = {"index.html", "index.md", "index.json"}


def index_page(folders: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write the page. Raises InputError where OUT holds something else, or a folder is no finished study's."""
    from triglot.report.index_page import write_index

    place = resolve(out, "folder")
    if place.is_dir() and {path.name for path in place.iterdir()} - OWN:
        raise InputError(f"{out}: holds something else than an index; choose an empty or a new folder")
    with locked(place):
        return write_index(folders, place)
