"""Reading that names the line, writing that is whole or absent, errors that name the nearest known word."""

from __future__ import annotations

import difflib
import errno
import glob
import gzip
import io
import json
import math
import os
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LONGEST_LINE = 2**26  # bytes, unpacked; a longer one is no line of text
LARGEST_DOCUMENT = 2**28  # bytes, unpacked; a JSON document is read whole, JSON lines are not
_BLOCK = 2**20
_FEW = 8  # names in a folder that a hint lists
_DEEPEST = 100  # objects and arrays within one another
_MOST_DIGITS = 100  # of a number
_OF_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}
_OTHER_KINDS = {  # by their first bytes
    b"BZh": "packed by bzip2; unpack it, or pack it by gzip",
    b"\xfd7zXZ\0": "packed by xz; unpack it, or pack it by gzip",
    b"\x28\xb5\x2f\xfd": "packed by zstd; unpack it, or pack it by gzip",
    b"PK\x03\x04": "a zip archive; unpack it, or pack its files by gzip",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it, or pack its files by gzip",
    b"PAR1": "a Parquet file; its name must end in .parquet",
    b"\x93NUMPY": "an array of numpy, and no text",
    b"ARROW1": "an Arrow file; write it as Parquet",
    b"%PDF": "a PDF, and no text",
    b"SQLite format 3\0": "a database, and no text",
}
_LEFTOVER = re.compile(r"\..+\.[a-z0-9_]{8}\.(?:part|old)|\..+\.lock")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|-?Infinity|-?[0-9][0-9.eE+-]*')
_JSON_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")


class InputError(ValueError):
    """Input that the user can correct.

    The message names the file, the line or key, and where it helps the nearest known name.

    The command line prints it without a traceback and exits with 2.
    """


class SettingError(InputError):
    """A setting that cannot be so. Whoever put the settings together adds where `key` was written.

    Attributes:
        key: the field, dotted where it lies deeper.
        what: is wrong with it.
    """

    def __init__(self, key: str, what: str):
        super().__init__(f"{key}: {what}")
        self.key, self.what = key, what


def nearest(name: str, known: Iterable[str], *, listed: bool = True) -> str:
    """A hint such as `; did you mean 'hybrid'?`, or the known names where nothing is near and `listed` asks for them.

    Empty if nothing is known.
    """
    known = sorted({str(k) for k in known})
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if known and listed else ""


def beside(path: Path, *, folders: bool = False) -> str:
    """The hint for a path that is not there: the nearest name in its folder; all names where there are few."""
    names = [entry.name for entry in path.parent.glob("*") if not folders or entry.is_dir()]
    return nearest(path.name, names, listed=len(names) <= _FEW)


def check_choice(key: str, value: object, known: Iterable[str]) -> None:
    """Raises SettingError for a value that is not among the known ones."""
    known = list(known)
    if value not in known:
        raise SettingError(key, f"{value!r} is unknown{nearest(str(value), known)}")


def expand(word: str) -> str:
    """A path of the command line with the home folder in place of `~`, also behind `NAME=` and behind the comma of two
    paths.

    A shell does this at the beginning of a word alone. A `~` by itself behind `NAME=` stays: it is YAML's null.
    """
    if found := re.match(r"((?:[^=/~]+=)?[a-z][\w-]+:)(~(?:/.*)?)$", word):
        return found[1] + os.path.expanduser(found[2])
    name, equals, path = word.partition("=")
    if equals and "/" not in name and not name.startswith("~"):
        return f"{name}={expand(path) if path != '~' else path}"
    return ",".join(os.path.expanduser(part) if re.match("~[^/,]*(?:/|$)", part) else part for part in word.split(","))


@contextmanager
def open_bytes(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where it is gzip (by its first two bytes, whatever its name); pipes work too.

    Raises:
        InputError: the path does not exist, is a folder, or may not be read; is packed in another way, or a file of
            another kind that is known by its first bytes; or the gzip data is broken or ends early.
    """
    path = Path(path)
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(path.open("rb"))
            head = raw.peek(16)[:16]
        except IsADirectoryError:
            raise InputError(f"{path}: is a folder, a file was expected") from None
        except ValueError:  # a NUL in the name
            raise InputError(f"{str(path)!r}: no file can have this name") from None
        except FileNotFoundError:
            raise InputError(f"{path}: no such file{beside(path)}") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        for start, kind in _OTHER_KINDS.items():
            if head.startswith(start) and (start != b"BZh" or head[4:10] == b"1AY&SY"):
                raise InputError(f"{path}: this is {kind}")
        if head.startswith(b"\x1f\x8b"):
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=raw))
            yield stack.enter_context(io.BufferedReader(unpacked))  # type: ignore[arg-type]
        else:
            yield raw


def _decode(path: str | os.PathLike[str], line: int, data: bytes | bytearray) -> str:
    """UTF-8 text whose first byte is in this line; a byte order mark at the very start is dropped."""
    try:
        return data.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        line += data.count(b"\n", 0, error.start)
        raise InputError(f"{path}:{line}: not UTF-8 (byte {data[error.start]:#04x})") from None


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its newline).

    Raises:
        InputError: not there, not UTF-8 (names the line), a line of more than `LONGEST_LINE` bytes, or broken gzip data
            (names the last whole line).
    """
    number = 0
    with open_bytes(path) as handle:
        try:
            for number, line in enumerate(iter(partial(handle.readline, LONGEST_LINE + 1), b""), 1):
                if len(line) > LONGEST_LINE:
                    raise InputError(
                        f"{path}:{number}: a line of more than {LONGEST_LINE >> 20} MiB; is this a file of text lines?"
                    )
                yield number, _decode(path, number, line.rstrip(b"\r\n"))
        except (EOFError, OSError, zlib.error) as error:
            raise InputError(f"{path}: broken or truncated after line {number} ({error})") from None


def read_whole(path: str | os.PathLike[str]) -> str:
    """The text of a file that is one document, plain or gzip.

    Raises:
        InputError: not there, not UTF-8 or with a NUL byte (names the line), more than `LARGEST_DOCUMENT` bytes, or
            broken gzip data.
    """
    data = bytearray()
    with open_bytes(path) as handle:
        try:
            for block in iter(partial(handle.read, _BLOCK), b""):
                data += block
                if b"\0" in block:
                    raise InputError(
                        f"{path}:{1 + data.count(10, 0, data.index(0))}: a NUL byte; this is no text in UTF-8"
                    )
                if len(data) > LARGEST_DOCUMENT:
                    raise InputError(
                        f"{path}: more than {LARGEST_DOCUMENT >> 20} MiB, too large for one document; use JSON lines"
                    )
        except (EOFError, OSError, zlib.error) as error:
            raise InputError(f"{path}: broken or truncated ({error})") from None
    return _decode(path, 1, data)


class _Unfit(ValueError):
    """A number that Python's parser takes, or might, and that no reader can use."""


def _constant(token: str) -> float:
    raise _Unfit(f"{token} is not a number of JSON")


def _whole(token: str) -> int:
    if len(token) > _MOST_DIGITS:
        raise _Unfit(f"a number of {len(token):,} digits")
    return int(token)


def _fraction(token: str) -> float:
    if not math.isfinite(value := float(token)):
        raise _Unfit(f"{token[:20]} is too large a number")
    return value


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_int=_whole, parse_float=_fraction)


def _unfit_at(text: str) -> int:
    """Where the first number stands that `_DECODER` refuses, in text that is JSON up to there."""
    for match in _JSON_TOKEN.finditer(text):
        token = match[0]
        try:
            if token.endswith(("NaN", "Infinity")):
                _constant(token)
            elif token[0] != '"':
                _whole(token) if token.lstrip("-").isdigit() else _fraction(token)
        except ValueError:
            return match.start()
    return 0


def _lone_surrogate(text: str) -> int | None:
    """Where JSON text has the half of a pair of surrogates alone, as in `"\\ud800"`: no character, and not to be
    written as UTF-8."""
    pending = None
    for match in _JSON_ESCAPE.finditer(text):
        code = int(match[1], 16) if match[1] else 0
        if 0xDC00 <= code < 0xE000:
            if pending is None or pending.end() != match.start():
                return match.start()
            pending = None
            continue
        if pending is not None:
            break
        pending = match if 0xD800 <= code < 0xDC00 else None
    return None if pending is None else pending.start()


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            one
            for outer in level
            for one in (outer.values() if type(outer) is dict else outer)
            if type(one) is dict or type(one) is list
        ]
        if not level:
            return False
    return True


def parse_json(text: str, path: str | os.PathLike[str], line: int | None = None) -> Any:
    """The value of JSON text: a document, or with `line` the line of this number.

    Raises:
        InputError: names file and line: not JSON, which knows no NaN and no infinity; numbers of more than 100 digits
            or beyond 1.8e308; nested more than 100 deep; half a surrogate pair.
    """

    def at(position: int) -> str:
        return f"{path}:{line or 1 + text.count(chr(10), 0, position)}"

    value = None
    try:
        value = _DECODER.decode(text)
        deep = text.count("[") + text.count("{") > _DEEPEST and _too_deep(value)
    except json.JSONDecodeError as error:
        column = f", column {error.colno}" if line is None else ""
        raise InputError(f"{at(error.pos)}: not JSON ({error.msg}{column})") from None
    except _Unfit as error:
        raise InputError(f"{at(_unfit_at(text))}: {error}") from None
    except RecursionError:
        deep = True
    if deep:
        raise InputError(f"{path}{f':{line}' if line else ''}: objects and arrays nested more than {_DEEPEST} deep")
    if ("\\ud" in text or "\\uD" in text) and (place := _lone_surrogate(text)) is not None:
        raise InputError(f"{at(place)}: {text[place : place + 6]} is half a surrogate pair and no character")
    return value


def read_json(path: str | os.PathLike[str]) -> Any:
    """One JSON document, plain or gzip. Raises InputError as `read_whole` and `parse_json`."""
    return parse_json(read_whole(path), path)


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value) of JSON lines; blank lines are passed over.

    Raises InputError as `read_lines` and `parse_json`.
    """
    for number, line in read_lines(path):
        if line.strip():
            yield number, parse_json(line, path, number)


@contextmanager
def blamed(path: Path) -> Iterator[None]:
    """Turn an OSError about writing `path` into an InputError; one about another file, or about no file's writing,
    stays what it is."""
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, str):
            place, target = Path(os.path.abspath(error.filename)), Path(os.path.abspath(path))
            below = place.parts[len(target.parent.parts)] if target.parent in place.parents else ""
            if below != target.name and not below.startswith(f".{target.name}.") and place not in target.parents:
                raise
        elif error.errno not in _OF_WRITING:
            raise
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    except Exception as error:
        # safetensors and tokenizers report what the system said, a full disk for one, as an error of their own kind
        reason = re.search(r"(?:I/O error: )?([^:()]+) \(os error (\d+)\)", str(error))
        if reason is None or isinstance(error, InputError) or int(reason[2]) not in _OF_WRITING:
            raise
        raise InputError(f"{path}: cannot be written ({reason[1].strip()})") from error


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """A handle on a temporary neighbour of `path` that takes its place when the block ends well, and vanishes when not.

    Raises:
        InputError: the folder cannot be made or written, or the disk is full; `path` is then as it was.
    """
    path = Path(path)
    with blamed(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        try:
            os.fchmod(descriptor, 0o644) if hasattr(os, "fchmod") else None
            text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
            with os.fdopen(descriptor, mode, **text) as handle:  # type: ignore[call-overload]
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)


def _swap(new: Path, old: Path) -> bool:
    """Exchange two paths in one step, so that no moment has neither. False where the system cannot (Windows)."""
    import ctypes  # takes as long to load as all the rest of this file

    try:
        system = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            return system.renamex_np(os.fsencode(new), os.fsencode(old), 2) == 0  # RENAME_SWAP
        return system.renameat2(-100, os.fsencode(new), -100, os.fsencode(old), 2) == 0  # AT_FDCWD, RENAME_EXCHANGE
    except (AttributeError, OSError, TypeError):
        return False


def sync(path: str | os.PathLike[str]) -> None:
    """Bring a file, or the list of names that a folder is, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Bring every file of a folder, and the folders themselves, to the disk."""
    for root, _, names in os.walk(path):
        for place in (*(os.path.join(root, name) for name in names), root):
            with suppress(OSError):
                sync(place)


def is_leftover(path: Path) -> bool:
    """Whether a name is one of those that a killed write leaves: `.NAME.xxxxxxxx.part`, `.NAME.xxxxxxxx.old`,
    `.NAME.lock`."""
    return _LEFTOVER.fullmatch(path.name) is not None


def sweep(path: str | os.PathLike[str], *, inside: bool = True) -> None:
    """Clear away what killed writes of `path` have left beside it, and `inside` it where it is a folder; bring back a
    folder that was moved aside when its writer was killed. Call it while `locked(path)` holds, so that no other process
    is writing."""
    path = Path(path)
    # Leftovers of `PATH.jsonl` are not among them.
    near = path.parent.glob(f".{glob.escape(path.name)}.????????.*") if path.parent.is_dir() else ()
    beside = [
        entry for entry in near if is_leftover(entry) and len(entry.name) <= len(path.name) + len("..xxxxxxxx.part")
    ]
    for entry in beside:
        if entry.suffix == ".old" and not path.exists():
            os.replace(entry, path)
    held = path.rglob(".*") if inside and path.is_dir() and not path.is_symlink() else ()
    for entry in (*beside, *filter(is_leftover, held)):
        if entry.suffix == ".lock":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Only one process at a time writes `path`, a file or folder that need not exist.

    A process that ends, however, leaves no lock.

    The lock is held on `.NAME.lock` beside `path`, which is removed at the end. Where the system has no such locks
    (Windows) nothing is locked.

    Raises:
        InputError: another process is writing there, or the folder cannot be written.
    """
    path = Path(os.path.abspath(path))
    if fcntl is None:
        yield
        return
    place = path.with_name(f".{path.name}.lock")
    with blamed(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with blamed(path):
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise InputError(
                f"{path}: another process is writing there; wait for it, or choose another place"
            ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(place)):
                break
        os.close(descriptor)  # the one before us removed its lock file between our opening and locking it
    try:
        yield
    finally:
        with suppress(OSError):
            place.unlink()
        os.close(descriptor)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` when the block ends well; an older folder is replaced.

    Raises:
        InputError: `path` is a file, the parent cannot be written, or the disk is full; `path` is then as it was.
    """
    path = Path(path)
    if path.is_file():
        raise InputError(f"{path}: is a file, a folder was expected")
    with blamed(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        old = temporary.with_suffix(".old")
        try:
            temporary.chmod(0o755)
            yield temporary
            sync_folder(temporary)
            if path.exists() and _swap(temporary, path):
                return
            try:
                if path.exists():
                    os.replace(path, old)
                os.replace(temporary, path)
            except BaseException:
                if old.exists() and not path.exists():
                    os.replace(old, path)
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text atomically (UTF-8, `\\n`)."""
    with atomic_write(path) as handle:
        handle.write(text)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON atomically: indented, keys in the given order, no NaN (a ValueError names it instead)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
