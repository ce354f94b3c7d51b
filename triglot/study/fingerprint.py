"""What data are, in a few letters: so that parts of a study made with other data are never taken for its own."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_WHOLE = 1 << 26  # bytes; of a larger file only both ends and its size are read
_END = 1 << 20


def fingerprint(path: str | Path) -> str:
    """24 hexadecimal digits of the names and bytes of a file, or of all files below a folder, wherever it lies. Of a
    file of more than 64 MiB: its size, its first and its last MiB."""
    root, digest = Path(path), hashlib.blake2b(digest_size=12)
    files = [root] if root.is_file() else sorted(one for one in root.rglob("*") if one.is_file())
    for file in files:
        name = "" if file == root else file.relative_to(root).as_posix()
        digest.update(f"{name}\0{file.stat().st_size}\0".encode())
        digest.update(_bytes_of(file))
    return digest.hexdigest()


def _bytes_of(file: Path) -> bytes:
    with open(file, "rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        if size <= _WHOLE:
            return hashlib.file_digest(handle, "blake2b").digest()
        first = handle.read(_END)
        handle.seek(-_END, os.SEEK_END)
        return hashlib.blake2b(first + handle.read(_END)).digest()
