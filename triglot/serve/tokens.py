"""Tokens: kept as hashes, compared in a time that does not tell how far they agree."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from triglot.files import InputError, atomic_write, read_lines

_HASH = re.compile(r"[0-9a-f]{64}")


def new() -> tuple[str, str]:
    """A token of 256 random bits, and its hash."""
    token = secrets.token_urlsafe(32)
    return token, hashed(token)


def hashed(token: str) -> str:
    """SHA-256 of a token: it is random, so nothing slower is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Tokens:
    """Who may write.

    Args:
        hashes: of the tokens.
    """

    def __init__(self, hashes: Iterable[str] = ()):
        self._hashes = tuple(hashes)

    @classmethod
    def read(cls, path: str | Path) -> Tokens:
        """The hashes of a file, one a line; what stands behind `#` is passed over.

        Raises InputError for a line that is no hash, and never repeats it: it may be a token.
        """
        found = []
        for number, line in read_lines(path):
            told = line.partition("#")[0].strip()
            if told and not _HASH.fullmatch(told):
                raise InputError(f"{path}:{number}: 64 hexadecimal digits were expected, the SHA-256 of a token")
            if told:
                found.append(told)
        if not found:
            raise InputError(f"{path}: has no token; `triglot serve --new-token {path}` makes one")
        return cls(found)

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def allow(self, header: str) -> bool:
        """Whether an `Authorization` header has one of the tokens; every hash is compared, whichever agrees."""
        kind, _, token = header.partition(" ")
        told, found = hashed(token.strip()), False
        for one in self._hashes:
            found |= hmac.compare_digest(told, one)
        return found and kind.lower() == "bearer"


def make_token(path: str | Path) -> str:
    """A new token, whose hash is added to a file that only its owner reads. The token itself is kept nowhere.

    Raises InputError where the file is none of hashes.
    """
    path = Path(path)
    if path.is_file():
        Tokens.read(path)
    elif path.exists():
        raise InputError(f"{path}: is no file")
    before = path.read_text("utf-8") if path.is_file() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    token, hashed = new()
    with atomic_write(path) as handle:
        handle.write(before + hashed + "\n")
    path.chmod(0o600)
    return token
