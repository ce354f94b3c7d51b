"""Example packages that add to Triglot from outside, each as it would lie in a repository of its own."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def install(name: str, place: Path, patch: pytest.MonkeyPatch) -> None:
    """Make an example package importable, with the entry points of its pyproject.toml, as pip would.

    Args:
        name: of the folder beside this file.
        place: an empty folder, which takes what pip writes beside a package.
        patch: undoes it.
    """
    project = tomllib.loads((FOLDER / name / "pyproject.toml").read_text("utf-8"))["project"]
    info = place / f"{name}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", "utf-8"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{point} = {where}" for point, where in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
    for folder in (place, FOLDER / name):
        patch.syspath_prepend(folder)
