"""The recipes that come with Triglot, as YAML files beside this one."""

from __future__ import annotations

from pathlib import Path

from triglot.files import InputError, nearest, write_text
from triglot.outputs import resolve

FOLDER = Path(__file__).parent
STUDIES = FOLDER / "studies"  # recipes with a question, claims and sizes
CLAIMS = "claims.yaml"


def names() -> list[str]:
    """Names of the recipes, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if path.name != CLAIMS)


def study_names() -> list[str]:
    """Names of the studies, sorted."""
    return sorted(path.stem for path in STUDIES.glob("*.yaml"))


def find(name_or_path: str, *, studies: bool = False) -> Path:
    """The file of a recipe: a path (it ends in .yaml or .yml, or has a separator), or the name of one that comes with
    Triglot.

    Args:
        name_or_path: of it.
        studies: whether the name may be that of a study too.

    Raises:
        InputError: neither; names the nearest known one.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix in (".yaml", ".yml") or "/" in name_or_path or "\\" in name_or_path:
        if path.is_file():
            return path
        siblings = [entry.name for entry in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise InputError(f"{name_or_path}: no such recipe{nearest(path.name, siblings)}")
    shipped = FOLDER / f"{name_or_path}.yaml"
    if (STUDIES / shipped.name).is_file():
        if studies:
            return STUDIES / shipped.name
        message = f"{name_or_path} is a study of several sizes: `triglot study {name_or_path} --size smoke`"
        raise InputError(message)
    known = [*names(), *study_names()] if studies else names()
    if not shipped.is_file() or shipped.name == CLAIMS:
        own = f"{path}.yaml"
        here = f" (a recipe of your own needs its ending: {own})" if Path(own).is_file() else ""
        raise InputError(f"no recipe {name_or_path!r}{nearest(name_or_path, known)}{here}")
    return shipped


def summary(path: Path) -> str:
    """The first sentence of the comment that a recipe opens with, its command aside."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.lstrip("#").strip()
        if line.startswith("#") and text and not text.startswith("triglot "):
            return text
    return ""


def copy(name_or_path: str, target: Path, *, force: bool = False) -> Path:
    """Copy a recipe to a file or into a folder.

    Raises:
        InputError: the file is already there; with `force`, it is something else than a recipe that comes with Triglot.
    """
    source = find(name_or_path, studies=True)
    target = target / source.name if target.is_dir() else target
    place = resolve(target, "file")
    if place.exists():
        shipped = {path.read_bytes() for path in FOLDER.rglob("*.yaml")}
        if place.read_bytes() not in shipped:
            raise InputError(f"{target}: is already there, and no copy as it was made; name another file")
        if not force:
            raise InputError(f"{target}: is already there; --force replaces it, or name another file")
    write_text(place, source.read_text(encoding="utf-8"))
    return target
