"""Run and study folders: whose a folder is, how far it got, and who may write there.

A run folder tells by its content how far it got: `recipe.yaml` when it began, `model/` and `summary.json` when it was
trained, `results.json` when it was evaluated. What later work starts from has checksums: checkpoints, `init/`, and the
model, in `summary.json`.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from triglot.document import read_yaml
from triglot.files import InputError, is_leftover, locked, sweep, write_text
from triglot.recipe import Recipe, parse_recipe, to_yaml
from triglot.sealed import check_files, checksums, discard, read_sealed, write_sealed
from triglot.settings import plain
from triglot.shapes import shaped
from triglot.study.fingerprint import fingerprint
from triglot.train.distributed import is_main
from triglot.train.teacher import SEAL as SEAL_OF_TEACHER

log = logging.getLogger("triglot")
RECIPE, STUDY, SUMMARY, RESULTS = "recipe.yaml", "study.json", "summary.json", "results.json"
DATA = "data.json"  # fingerprints of what a study reads
EVALUATIONS = "evaluations.jsonl"  # of a study: when it was evaluated on what
MADE = "made"  # data that a study makes, in its folder
_START = (
    "recipe.yaml",
    "study.json",
    "metrics.jsonl",
    "data.json",
)  # files of a run or study that has trained and measured nothing
_SEAL = "checksums.json"  # in `init/`
_CARD = "README.md"  # of a model: people edit it


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """A run or study folder is written by one process at a time (under torchrun by the first one); what killed writes
    left is removed.

    A run inside a study or another run is locked with that.

    Raises:
        InputError: another process is writing there, or it cannot be written.
    """
    if not is_main():
        yield
        return
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, a folder was expected")
    place = _whole(out)
    with locked(place):
        if out.is_dir():
            try:
                tempfile.TemporaryFile(dir=out).close()
            except OSError as error:
                raise InputError(f"{out}: cannot be written ({error.strerror})") from None
        _settle(out)
        if any((out / name).is_file() for name in (RECIPE, STUDY)) or not beyond_start(out):
            sweep(out)
        yield


@contextmanager
def waiting(path: Path) -> Iterator[None]:
    """`files.locked`, but for a process that waits until the other one is done, which is said."""
    said = False
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(path))
                break
            except InputError:
                if not path.with_name(f".{path.name}.lock").exists():
                    raise
            if not said:
                log.info("%s: another process is at work there; waiting for it", path)
                said = True
            time.sleep(0.2)
        yield


def _settle(out: Path) -> None:
    """Wait for the processes that run parts of a study; what killed ones have left of their locks goes."""
    for lock in sorted(out.rglob(".*.lock")) if (out / STUDY).is_file() else ():
        with waiting(lock.with_name(lock.name[1 : -len(".lock")])):
            pass


def _whole(out: Path) -> Path:
    """The study (OUT/arms/ARM/seed-N) or the run with two stages (OUT/alignment) that a folder is a part of; else the
    folder itself."""
    above = [*out.parents, out, out, out][:3]
    if above[1].name == "arms" and (above[2] / STUDY).is_file():
        return above[2]
    return above[0] if out.name == "alignment" and (above[0] / RECIPE).is_file() else out


def files_of(out: Path) -> list[str]:
    """Paths of the files below a folder, leftovers of killed writes aside."""
    files = []
    for root, folders, names in os.walk(out):
        folders[:] = [name for name in folders if not is_leftover(Path(name))]
        files += [Path(root, name).relative_to(out).as_posix() for name in names if not is_leftover(Path(name))]
    return sorted(files)


def beyond_start(out: Path) -> list[str]:
    """The files below a folder that a start alone does not leave: what was trained or measured, and what is not
    ours."""
    sealed: set[str] = set()
    patterns = (f"init/**/{_SEAL}", f"teachers/*/*/{SEAL_OF_TEACHER}", f"{MADE}/*.json")
    for pattern in patterns if out.is_dir() else ():
        sealed |= {path.parent.relative_to(out).as_posix() for path in out.rglob(pattern)}
    return [
        name
        for name in files_of(out)
        if Path(name).name not in _START
        and not any(name.startswith(f"{folder}/") for folder in sealed)
        and not ("tensorboard" in Path(name).parts and Path(name).name.startswith("events.out.tfevents."))
    ]


def claim(recipe: Recipe, out: Path) -> None:
    """Write the settings into a run folder, or check that they are those already there.

    A folder with nothing trained may be taken over.

    Raises:
        InputError: the folder holds a run of other settings, or something else, or cannot be written.
    """
    if not is_main():
        return
    path = out / RECIPE
    others = beyond_start(out)
    if path.is_file():
        differs = _difference(recipe, path, out)
        if not differs:
            return
        if others:
            raise InputError(differs)
        log.info("%s: nothing was trained there yet; it is used with the settings as they are now", out)
    elif others:
        raise InputError(
            f"{out}: holds something else than a run (it has no {RECIPE}, but {others[0]}); choose an empty or a "
            "new folder"
        )
    _clear(out)
    write_text(path, to_yaml(recipe))


def _difference(recipe: Recipe, path: Path, out: Path) -> str:
    """The error for a folder of other settings, empty where they are the same; where the data lie is no difference."""
    try:
        was, now = _flat(plain(parse_recipe(read_yaml(path)))), _flat(plain(recipe))
    except InputError as error:
        return f"{error} (the settings that {out} was made with); choose another folder"
    for key in {**was, **now}:
        if key != "data" and was.get(key) != now.get(key):
            return (
                f"{out}: made with {key}={was.get(key)}, now {key}={now.get(key)}; choose another folder or the same "
                "settings, or begin anew with --force"
            )
    return ""


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, list):
        items = enumerate(value)
    elif isinstance(value, Mapping) and value:
        items = value.items()
    else:
        return {prefix: value}
    return {
        key: item
        for name, child in items
        for key, item in _flat(child, f"{prefix}.{name}" if prefix else str(name)).items()
    }


def claim_study(out: Path) -> None:
    """Check that a folder is a study's, or may become one.

    Raises:
        InputError: it holds something else.
    """
    if not is_main() or (out / STUDY).is_file():
        return
    others = beyond_start(out)
    if others:
        raise InputError(
            f"{out}: holds something else than a study (it has no {STUDY}, but {others[0]}); choose an empty or "
            "a new folder"
        )
    _clear(out)


def check_data(out: Path, places: Mapping[str, tuple[str, Path]]) -> None:
    """Note what data a run or study reads, or check that they are those that it began with, by what is in them and not
    by where they lie.

    Args:
        out: its folder.
        places: as `Data.named_places` gives them.

    Raises:
        InputError: names what is other data now.
    """
    # A place that holds the run itself changes with it.
    places = {key: place for key, place in places.items() if place[1].resolve() not in out.resolve().parents}
    now = {key: fingerprint(path) for key, (_, path) in places.items()}
    before = shaped(read_sealed(out / DATA), dict[str, str], str(out / DATA)) if (out / DATA).is_file() else {}
    first: dict[str, str] = {}
    for key, (what, path) in places.items():
        # Folders begun before paths were noted know the first place by its name, others by the end of their path too.
        older = what if first.setdefault(what, key) == key else f"{what} ({path.name})"
        if before.get(key, before.get(older, now[key])) != now[key]:
            raise InputError(
                f"{out}: begun with other data: {what} has changed since ({path}); choose another folder, or begin "
                "anew with --force"
            )
    if {**before, **now} != before:
        write_sealed(out / DATA, {**before, **now})


def _clear(out: Path) -> None:
    """Remove what a start has left: settings and a log."""
    for name in files_of(out):
        if Path(name).name in _START:
            discard(out / Path(name).parent, [Path(name).name])


def is_trained(out: Path) -> bool:
    """Whether a run folder holds a trained model."""
    return (out / "model" / "modules.json").is_file() and (out / SUMMARY).is_file()


def is_finished(out: Path) -> bool:
    """Whether a run folder holds results."""
    return is_trained(out) and (out / RESULTS).is_file()


def save_summary(out: Path, summary: Mapping[str, Any]) -> None:
    """Write `summary.json` with the checksums of the model beside it; from then on the folder counts as trained."""
    write_sealed(out / SUMMARY, {**summary, "files": checksums(out / "model", (_CARD,))})


def trained(out: Path) -> Path:
    """The model of a run folder, as it was saved.

    Raises:
        InputError: it, or the summary that has its checksums, was damaged or changed.
    """
    path = out / SUMMARY
    try:
        check_files(out / "model", shaped(read_sealed(path).get("files"), dict[str, str], f"{path}: files"))
    except InputError as error:
        raise InputError(f"{error}; to train again, remove {path} and {out / 'model'}") from None
    return out / "model"


def is_whole(folder: Path, made: Mapping[str, Any]) -> bool:
    """Whether `folder`, an `init/`, holds what `save_start` wrote of the same settings; damage is said.

    One of an older version does not know its texts and is taken, which is said.

    Raises:
        InputError: the folder holds something else.
    """
    if not folder.exists():
        return False
    if not (folder / _SEAL).is_file():
        if not files_of(folder):
            return False
        raise InputError(f"{folder}: holds something that no run has written there; remove it, or choose another place")
    try:
        seal = read_sealed(folder / _SEAL)
        was, now = shaped(seal.get("made"), dict[str, Any], f"{folder / _SEAL}: made"), plain(made)
        unknown = "texts" in now and "texts" not in was
        if was != {key: value for key, value in now.items() if key != "texts" or not unknown}:
            return False
        if unknown:
            log.info("%s: made before checksums of texts were kept; whether they have changed is unknown", folder)
        check_files(folder, shaped(seal.get("files"), dict[str, str], f"{folder / _SEAL}: files"))
    except InputError as error:
        log.warning("%s; it is made again", error)
        return False
    return True


def seal_start(folder: Path, made: Mapping[str, Any]) -> None:
    """Add checksums to an `init/` that is being written.

    Args:
        folder: with the model.
        made: the settings that it was made with.
    """
    write_sealed(folder / _SEAL, {"made": plain(made), "files": checksums(folder)})


def discard_start(folder: Path) -> None:
    """Remove what was written into an `init/`; what others have put there stays."""
    if (folder / _SEAL).is_file():
        try:
            names = shaped(read_sealed(folder / _SEAL).get("files"), dict[str, str], "")
        except InputError:
            names = {}
        discard(folder, names)
        discard(folder, [_SEAL])


def origin(model: Path) -> dict[str, str]:
    """The checksums of a model that training starts from."""
    return checksums(model, (_CARD, _SEAL))
