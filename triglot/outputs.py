"""What a command writes, by one rule: nothing is replaced that the command did not write there before.

A command claims its output before any work and writes into a temporary folder beside it, which takes its place at the
end. A record of what was written (command, model, size and checksum of every file) lies with it, so that the next call
knows what is ours:

- nothing there, or an empty folder or file: written;
- written by the same command for the same model, and not changed since: replaced, as a whole;
- written by another command or for another model: replaced with `force` alone;
- anything else, and anything that is read as an input: never.

The record of a folder is `.triglot` inside. That of single files stands in the report that the command writes beside
them, or in `.NAME.triglot`. Links are followed and the rule applies to where they lead; devices and pipes are refused.
One process at a time writes an output, and the next one clears away what a killed one has left.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from triglot.files import (
    InputError,
    atomic_folder,
    atomic_write,
    blamed,
    is_leftover,
    locked,
    read_json,
    sweep,
    sync_folder,
    write_json,
)
from triglot.shapes import shaped, strict

RECORD = ".triglot"
_KEY = "record"  # of the record, in a report
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


@strict
class Written(TypedDict):
    """A file as it was written."""

    size: int
    sha256: str


@strict
class Record(TypedDict):
    """What a command wrote: `files` by their name in the folder, or by their role; several for one name while they are
    exchanged.

    In a report, `rest` is the checksum of everything else in it.
    """

    command: str
    model: str
    files: dict[str, list[Written]]
    rest: NotRequired[str]


def resolve(out: str | os.PathLike[str], kind: str) -> Path:
    """Where an output really lies: `~` is the home folder, links are followed.

    Args:
        out: as it was given.
        kind: `file` or `folder`.

    Raises:
        InputError: something else is there, a device or pipe for one, or the name is too long.
    """
    given = Path(os.path.abspath(os.path.expanduser(out)))
    if given.parts[1:2] in (("dev",), ("proc",), ("sys",)) and given.parts[1:3] != ("dev", "shm"):
        raise InputError(f"{out}: is a place of the system's, a {kind} of its own was expected")
    place = Path(os.path.realpath(given))
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return place
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    if stat.S_ISLNK(mode):
        raise InputError(f"{out}: is a link that leads to itself")
    if (stat.S_ISDIR if kind == "folder" else stat.S_ISREG)(mode):
        return place
    what = _KINDS.get(stat.S_IFMT(mode), "no file or folder")
    raise InputError(f"{out}: is {what}, a {kind} was expected")


def check_inputs(targets: Iterable[Path], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Raises InputError where a target, as `resolve` gives it, is an input or holds one.

    Inputs that are no paths are passed over.
    """
    for one in inputs:
        given = os.path.expanduser(os.fspath(one))
        if not given or not os.path.lexists(given):
            continue
        for lies in {Path(os.path.abspath(given)), Path(os.path.realpath(given))}:
            for target in targets:
                if (
                    target == lies
                    or target in lies.parents
                    or (target.exists() and lies.exists() and os.path.samefile(target, lies))
                ):
                    raise InputError(
                        f"{target}: cannot be written, it would replace {one}, which is read; choose another place"
                    )


@contextmanager
def folder(
    out: str | os.PathLike[str],
    command: str,
    *,
    model: str = "",
    inputs: Iterable[str | os.PathLike[str]] = (),
    force: bool = False,
    record: str = RECORD,
    kept: Sequence[str] = (),
) -> Iterator[Path]:
    """A temporary folder that becomes `out` when the block ends well.

    All checks are made before the block begins, and again at its end.

    Args:
        out: the folder.
        command: that writes it, `evaluate`.
        model: whose results they are; empty where they are no model's.
        inputs: paths that the command reads.
        force: replace what another command wrote, or the same one for another model.
        record: name of the JSON file inside that holds the record; a report of the command is extended by it.
        kept: names of files in `out` that are taken over as they are, such as a cache that grows while the command
            works.

    Raises:
        InputError: `out` holds what may not be replaced, is an input, or cannot be written; or another process is
            writing it.
    """
    place = resolve(out, "folder")
    here = Path.cwd()
    if place == here or place in here.parents:
        raise InputError(f"{out}: is the current folder or one above it; choose a folder of its own")
    if place.is_dir() and (os.path.ismount(place) or not os.access(place, os.W_OK)):
        raise InputError(
            f"{out}: cannot be replaced "
            f"({'a file system begins there' if os.path.ismount(place) else 'it is read-only'})"
        )
    check_inputs([place], inputs)

    def check() -> None:
        held = [name for name in _names(place) if name not in kept]
        if held:
            _check(_claims(place / record), {name: place / name for name in held}, record, place, command, model, force)

    with _claimed([place]), _as(place, atomic_folder(place)) as temporary:
        check()
        yield temporary
        check()  # what came while we worked
        for name in kept:
            if (place / name).exists():
                _link(place / name, temporary / name)
        written = {name: [_written(temporary / name)] for name in _names(temporary) if name not in (*kept, record)}
        _put_record(temporary / record, {"command": command, "model": model, "files": written})


@contextmanager
def files(
    targets: Mapping[str, str | os.PathLike[str]],
    command: str,
    *,
    model: str = "",
    inputs: Iterable[str | os.PathLike[str]] = (),
    force: bool = False,
    report: str = "",
) -> Iterator[Path]:
    """A temporary folder whose files, named as the targets are, take their places when the block ends well.

    Files cannot be exchanged all at once. The first one, which has the data, is whole at every moment, old or new; the
    others are absent until it is there. A journal, `.NAME.triglot`, names the old and the new files, so that the next
    start knows both as ours.

    Args:
        targets: role -> path, the one with the data first: `{"lines": "x.jsonl", "report": "x.jsonl.report.json"}`.
        command: as in `folder`.
        model: as in `folder`.
        inputs: as in `folder`.
        force: as in `folder`.
        report: the role of a JSON file that holds the record; empty: the journal stays and holds it.

    Raises:
        InputError: as in `folder`.
    """
    names = {role: Path(path).name for role, path in targets.items()}
    places = {role: resolve(path, "file") for role, path in targets.items()}
    place = next(iter(places.values()))
    journal = place.with_name(f".{place.name}{RECORD}")
    check_inputs([*places.values(), journal], inputs)

    def check() -> dict[str, Path]:
        held = {role: path for role, path in places.items() if path.exists() and path.stat().st_size}
        if held:
            _check(
                [*_claims(journal), *(_claims(places[report]) if report else [])],
                held,
                report,
                None,
                command,
                model,
                force,
            )
        return held

    with _claimed(places.values()), _as(place.parent, _staging(place)) as temporary:
        check()
        yield temporary
        _switch(temporary, names, places, check(), journal, report, {"command": command, "model": model, "files": {}})


def _switch(
    temporary: Path,
    names: Mapping[str, str],
    places: Mapping[str, Path],
    held: Mapping[str, Path],
    journal: Path,
    report: str,
    made: Record,
) -> None:
    """Put the files of a temporary folder in their places; see `files`."""
    first, *others = places
    made["files"] = {role: [_written(temporary / name)] for role, name in names.items() if role != report}
    if report:
        _put_record(temporary / names[report], made)
    sync_folder(temporary)
    both = {
        role: [_written(temporary / name), *([_written(held[role])] if role in held else [])]
        for role, name in names.items()
    }
    write_json(temporary / journal.name, {_KEY: {**made, "files": both}})
    os.replace(temporary / journal.name, journal)
    for role in others:
        places[role].unlink(missing_ok=True)
    for role in (first, *others):
        if places[role].parent == temporary.parent:
            os.replace(temporary / names[role], places[role])
        else:
            with (temporary / names[role]).open("rb") as source, atomic_write(places[role], "wb") as target:
                shutil.copyfileobj(source, target)
    if report:
        journal.unlink()
    else:
        write_json(temporary / journal.name, {_KEY: made})
        os.replace(temporary / journal.name, journal)


def _check(
    claims: Sequence[Record],
    held: Mapping[str, Path],
    record: str,
    folder: Path | None,
    command: str,
    model: str,
    force: bool,
) -> None:
    """Raise InputError for what is there (`held`: name or role -> path) and may not be replaced, by what the records
    claim.

    `record` is the name or role of the file that holds the record, `folder` has the files; it is None where they are
    files of their own.
    """
    advice = "nothing is replaced but what it wrote itself, choose another place"
    for name, path in held.items():
        if name == record and _is_whole_report(path):
            continue
        known = [one for claim in claims for one in claim["files"].get(name, [])]
        if not known or path.is_symlink() or not path.is_file():
            start = f"{folder}: holds {name}" if folder else f"{path}: is there already"
            raise InputError(f"{start}, which `triglot {command}` did not write; {advice}")
        if _written(path) not in known:
            raise InputError(f"{path}: was changed since `triglot {claims[0]['command']}` wrote it; {advice}")
    if not force and (claims[0]["command"] != command or not _is_same_model(claims[0]["model"], model)):
        whose = f" for {claims[0]['model']}" if claims[0]["model"] else ""
        where = folder or next(iter(held.values()))
        raise InputError(
            f"{where}: was written by `triglot {claims[0]['command']}`{whose}; --force replaces it, or choose "
            "another place"
        )


def _names(folder: Path) -> list[str]:
    """Names of all files and empty folders below a folder, leftovers of killed writes aside."""
    files = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_leftover(Path(name))]
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        here = [*names, *links] or ([] if folders or Path(root) == folder else [""])
        files += [
            Path(root, name).relative_to(folder).as_posix() for name in here if not (name and is_leftover(Path(name)))
        ]
    return sorted(files)


def _written(path: Path) -> Written:
    with path.open("rb") as handle:
        return {"size": os.fstat(handle.fileno()).st_size, "sha256": hashlib.file_digest(handle, "sha256").hexdigest()}


def _claims(path: Path) -> list[Record]:
    """The record of a report or journal, if there is one."""
    try:
        return [shaped(read_json(path)[_KEY], Record, str(path))]
    except (InputError, KeyError, TypeError):
        return []


def _rest(report: Mapping[str, Any]) -> str:
    rest = json.dumps({key: value for key, value in report.items() if key != _KEY}, sort_keys=True)
    return hashlib.sha256(rest.encode("utf-8", "surrogatepass")).hexdigest()


def _put_record(path: Path, record: Record) -> None:
    """Add the record to a report; a file of its own where there is none."""
    report = read_json(path) if path.exists() else {}
    write_json(path, {**report, _KEY: {**record, "rest": _rest(report)}})


def _is_whole_report(path: Path) -> bool:
    """Whether a report holds a record, and nothing in it was changed since."""
    claims = _claims(path)
    return bool(claims) and not path.is_symlink() and claims[0].get("rest") == _rest(read_json(path))


def _is_same_model(was: str, now: str) -> bool:
    return was == now or os.path.realpath(os.path.expanduser(was)) == os.path.realpath(os.path.expanduser(now))


def _link(source: Path, target: Path) -> None:
    if target.exists() and target.samefile(source):  # it was taken over before the work, to grow with it
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextmanager
def _claimed(places: Iterable[Path]) -> Iterator[None]:
    """The places locked and leftovers beside them cleared away; folders that had to be made for them go again where
    nothing was written."""
    places = sorted(set(places))
    absent = {parent for place in places for parent in place.parents if not parent.exists()}
    try:
        with ExitStack() as stack:
            for place in places:
                stack.enter_context(locked(place))
                sweep(place, inside=False)
            yield
    except BaseException:
        for parent in sorted(absent, reverse=True):
            with suppress(OSError):
                parent.rmdir()
        raise


@contextmanager
def _staging(place: Path) -> Iterator[Path]:
    """A temporary folder beside a file."""
    with blamed(place):
        temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".part", dir=place.parent))
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _as(shown: Path, made: AbstractContextManager[Path]) -> Iterator[Path]:
    """A temporary folder whose name stands in no error: what it will become does."""
    temporary = None
    try:
        with made as temporary:
            yield temporary
    except InputError as error:
        if temporary is None or str(temporary) not in str(error):
            raise
        raise InputError(str(error).replace(str(temporary), str(shown))) from error
