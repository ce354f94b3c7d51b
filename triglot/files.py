"""Reading that names the line, writing that is whole or absent, errors that name the nearest known word."""

from __future__ import annotations

import difflib
import gzip
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


class InputError(ValueError):
    """Input that the user can mend. The message names the file, the line or key, and where it helps the nearest known name.

    The command line prints it without a traceback and exits with 2.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as `; did you mean 'hybrid'?`, or the known names where nothing is near. Empty if nothing is known."""
    known = sorted({str(k) for k in known})
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def open_text(path: str | os.PathLike[str]) -> IO[str]:
    """Open UTF-8 text, plain or gzip (by its first two bytes, whatever its name).

    Raises:
        InputError: the path does not exist, is a folder, or may not be read.
    """
    path = Path(path)
    try:
        raw = path.open("rb")
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, a file was expected") from None
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(f"{path}: no such file{nearest(path.name, siblings) if siblings else ''}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    head = raw.read(2)
    raw.seek(0)
    binary = gzip.GzipFile(fileobj=raw) if head == b"\x1f\x8b" else raw
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="strict", newline=None)  # type: ignore[arg-type]


@contextmanager
def _reading(path: str | os.PathLike[str], where: list[int]) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.object[error.start]:#04x} after line {where[0]})") from None
    except (gzip.BadGzipFile, EOFError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: broken or truncated after line {where[0]} ({error})") from None


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its newline).

    Raises:
        InputError: not there, not UTF-8, or a truncated gzip file; the message names the last good line.
    """
    where = [0]
    with open_text(path) as handle, _reading(path, where):
        for number, line in enumerate(handle, 1):
            where[0] = number
            yield number, line.rstrip("\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """One JSON document, plain or gzip. Raises InputError that names line and column."""
    with open_text(path) as handle, _reading(path, [0]):
        text = handle.read()
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON ({error.msg}, column {error.colno})") from None


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value) of JSON lines; blank lines are passed over. Raises InputError that names the line."""
    for number, line in read_lines(path):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}:{number}: not JSON ({error.msg})") from None


def _blame(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be written ({error.strerror or error})")


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """A handle on a temporary neighbour of `path` that takes its place when the block ends well, and vanishes when not.

    Raises:
        InputError: the folder cannot be made or written, or the disk is full; `path` is then as it was.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.fchmod(descriptor, 0o644) if hasattr(os, "fchmod") else None
        text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
        with os.fdopen(descriptor, mode, **text) as handle:  # type: ignore[call-overload]
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
        temporary = None
    except InputError:
        raise
    except OSError as error:
        raise _blame(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` when the block ends well; an older `path` is replaced.

    Raises:
        InputError: the parent cannot be written or the disk is full; `path` is then as it was.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        temporary.chmod(0o755)
        yield temporary
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
            os.replace(path, old / path.name)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, path)
        temporary = None
    except InputError:
        raise
    except OSError as error:
        raise _blame(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text atomically (UTF-8, `\\n`)."""
    with atomic_write(path) as handle:
        handle.write(text)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON atomically: indented, keys in the given order, no NaN (a ValueError names it instead)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
