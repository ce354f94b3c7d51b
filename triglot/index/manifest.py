"""The one file that says what an index is made of: whoever replaces it has changed the index, at one moment.

All other files are written once, under names of their own, before the manifest names them with their checksums. A
process that is killed leaves the older manifest and files that nobody names, which the next writer removes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from triglot import outputs
from triglot.files import InputError, is_leftover, sync
from triglot.index.segment import SegmentRecord
from triglot.index.settings import FILE, is_index
from triglot.sealed import check_files, read_sealed, write_sealed
from triglot.shapes import shaped, strict

VERSION = 1
_NAME = re.compile(r"s[0-9]{6,9}(\.[a-z]{3,8}){1,2}|deleted\.[0-9]{6,9}\.npy|languages\.safetensors|probe\.npy")
MOST_ROWS = 10**9


@strict
class Manifest(TypedDict):
    """What an index is made of.

    `files` are those of no segment: what was deleted, the removal of language, the model's vectors of a few texts.
    """

    format: str
    version: int
    generation: int
    model: str
    similarity: str
    dim: int
    next: int
    settings: dict[str, Any]
    fields: dict[str, str]
    segments: list[SegmentRecord]
    files: dict[str, str]


def files_of(manifest: Manifest) -> dict[str, str]:
    """Name -> checksum of every file that it names."""
    found = dict(manifest["files"])
    for segment in manifest["segments"]:
        found |= segment["files"]
    return found


def read(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        InputError: there is none, it was damaged or changed, it is of another version, or it names what no index has.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{folder}: holds no index ({FILE} is missing); `triglot index` makes one")
    manifest: Manifest = shaped(read_sealed(path), Manifest, str(path))
    if manifest["format"] != "triglot-index" or manifest["version"] != VERSION:
        raise InputError(
            f"{path}: of version {manifest['version']}; this Triglot reads {VERSION}: build the index anew"
        )
    named: set[str] = set()
    for segment in manifest["segments"]:
        if not re.fullmatch(r"s[0-9]{6,9}", segment["name"]) or not 0 < segment["rows"] <= MOST_ROWS:
            raise InputError(f"{path}: a segment {segment['name']!r:.40} of {segment['rows']} passages")
        if not all(name.startswith(f"{segment['name']}.") for name in segment["files"]) or segment["name"] in named:
            raise InputError(f"{path}: the files of {segment['name']} are not its own")
        named.add(segment["name"])
    if not 0 < manifest["dim"] <= 2**14:
        raise InputError(f"{path}: vectors of {manifest['dim']} dimensions")
    for name in files_of(manifest):
        if not _NAME.fullmatch(name) or (folder / name).is_symlink():
            raise InputError(f"{path}: names {name!r:.60}, which is no file of an index")
    return manifest


def verify(folder: Path, manifest: Manifest, seen: Iterable[str] = ()) -> None:
    """Raises InputError for a file that is missing or not the one that was written; those in `seen` are passed over."""
    passed = set(seen)
    check_files(folder, {name: value for name, value in files_of(manifest).items() if name not in passed})


def size(folder: Path, manifest: Manifest) -> int:
    """Bytes of all files that it names. Raises InputError for one that is missing."""
    try:
        return sum((folder / name).stat().st_size for name in files_of(manifest))
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None


def write(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the older one. When this returns, the change is on disk."""
    write_sealed(folder / FILE, manifest)
    sync(folder)


def sweep(folder: Path, manifest: Manifest) -> None:
    """Remove what an index has written and no longer names; files of others stay."""
    named = files_of(manifest)
    for path in folder.iterdir():
        if path.name not in named and (_NAME.fullmatch(path.name) or is_leftover(path)):
            path.unlink(missing_ok=True)


def claim(out: str | os.PathLike[str], model: str, inputs: Sequence[str | os.PathLike[str]], *, force: bool) -> Path:
    """Where a new index goes.

    Raises:
        InputError: there is something that is no index, an index of another model and no `force`, a folder that is
            read, or a place that is none.
    """
    place = outputs.resolve(out, "folder")
    if place == Path.cwd() or place in Path.cwd().parents:
        raise InputError(f"{out}: is the current folder or one above it; choose a folder of its own")
    outputs.check_inputs([place], inputs)
    if not place.is_dir():
        return place
    held = {
        path.relative_to(place).as_posix() for path in place.rglob("*") if not path.is_dir() and not is_leftover(path)
    }
    known = read(place) if is_index(place) else None
    foreign = sorted(held - {FILE, *(files_of(known) if known else ())})
    foreign = [name for name in foreign if known is None or not _NAME.fullmatch(name)]
    if foreign:
        raise InputError(
            f"{place}: holds {foreign[0]}, which `triglot index` did not write; nothing is replaced but what it wrote "
            "itself, choose another place"
        )
    if known is not None and known["model"] != model and not force:
        raise InputError(
            f"{place}: was written by `triglot index` for {known['model']}; --force replaces it, or choose another "
            "place"
        )
    return place
