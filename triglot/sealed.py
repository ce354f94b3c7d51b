"""Checksums: what was written can be told from what a disk, a tool or a hand has changed since.

A sealed document is JSON with a checksum over the rest of it as its last key. It vouches for other files by naming the
checksum of each.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from triglot.files import InputError, read_json, write_json

_KEY = "checksum"
_SIZE = 16  # bytes of BLAKE2b


def checksum(value: Any) -> str:
    """Of a value that JSON can hold: 32 hexadecimal digits, whatever the order of its keys."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=_SIZE).hexdigest()


def file_checksum(path: str | os.PathLike[str]) -> str:
    """Of a file's bytes. Raises InputError where it cannot be read."""
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=_SIZE)).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def checksums(folder: Path, leave_out: Iterable[str] = ()) -> dict[str, str]:
    """Path inside the folder -> checksum, for every file below it but those that are left out."""
    left = set(leave_out)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: file_checksum(folder / name) for name in names if name not in left}


def check_files(folder: Path, sums: Mapping[str, str]) -> None:
    """Raise InputError where a file is missing or is not the one whose checksum this is; files that are not named may
    be there."""
    for name, value in sums.items():
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: is missing")
        if file_checksum(folder / name) != value:
            raise InputError(f"{folder / name}: damaged or changed (its checksum is another)")


def seal(value: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its checksum."""
    return {**value, _KEY: checksum(value)}


def write_sealed(path: str | os.PathLike[str], value: Mapping[str, Any]) -> None:
    """Write a sealed document, whole or not at all."""
    write_json(path, seal(value))


def read_sealed(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A sealed document without its checksum.

    Raises:
        InputError: it cannot be read, or is not what was written.
    """
    value = read_json(path)
    recorded = value.pop(_KEY, None) if isinstance(value, dict) else None
    if recorded is None:
        raise InputError(f"{path}: has no checksum")
    if recorded != checksum(value):
        raise InputError(f"{path}: damaged or changed (its checksum is another)")
    return value


def discard(folder: Path, names: Iterable[str]) -> None:
    """Remove these files of a folder, and the folders that are then empty; whatever else lies there stays."""
    places = {folder}
    for name in names:
        path = folder / name
        with suppress(OSError):
            path.unlink()
        places.update(parent for parent in path.parents if folder in parent.parents)
    for place in sorted(places, key=lambda place: len(place.parts), reverse=True):
        with suppress(OSError):
            place.rmdir()
