"""Checkpoints: safetensors and JSON, written whole or not at all, and believed only with their checksums."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from typing_extensions import TypedDict

from triglot.files import InputError, atomic_folder
from triglot.renamed import renamed
from triglot.sealed import check_files, checksums, discard, read_sealed, write_sealed
from triglot.shapes import shaped, strict

log = logging.getLogger("triglot")
_TENSORS, _STATE = "state.safetensors", "state.json"


@strict
class State(TypedDict):
    """The content of `state.json`.

    Attributes:
        stage, step: where the run stood.
        settings: what a run that goes on from here must share.
        totals: sums for the summary.
        counts: [source, query language, passage language, number].
        log: of `RunLog`.
        files: checksums.
        attention: how it was computed; absent before there was a choice.
    """

    stage: str
    step: int
    settings: dict[str, Any]
    totals: dict[str, int | float]
    counts: list[list[int]]
    log: dict[str, Any]
    files: dict[str, str]
    attention: NotRequired[str]


def folder_of(out: Path, stage: str, step: int) -> Path:
    """Where the checkpoint after `step` steps of a stage lies."""
    return out / "checkpoints" / f"{stage}-step-{step:08d}"


def save(out: Path, stage: str, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any], keep: int) -> None:
    """Write a checkpoint, then delete all but the newest `keep` of the stage (0 keeps all), and later ones: no one goes
    on from them."""
    with atomic_folder(folder_of(out, stage, step)) as folder:
        save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, folder / _TENSORS)
        write_sealed(folder / _STATE, {"stage": stage, "step": step, **state, "files": checksums(folder)})
    before = [old for old in steps(out, stage) if old <= step]
    for old in steps(out, stage):
        if old > step or (keep and old not in before[-keep:]):
            _remove(folder_of(out, stage, old))


def _remove(folder: Path) -> None:
    discard(folder, (_STATE, _TENSORS))


def clear(out: Path, stage: str) -> None:
    """Remove the checkpoints of a stage."""
    for step in steps(out, stage):
        _remove(folder_of(out, stage, step))
    discard(out / "checkpoints", ())


def steps(out: Path, stage: str) -> list[int]:
    """Steps of the stage's checkpoints, ascending."""
    folders = (out / "checkpoints").glob(f"{stage}-step-????????")
    return sorted(int(path.name[-8:]) for path in folders if path.is_dir() and path.name[-8:].isdigit())


def latest(out: Path, stage: str, settings: Mapping[str, Any]) -> tuple[State, dict[str, Tensor]] | None:
    """The newest checkpoint of a stage that is whole, or None. A damaged one is passed over with a warning.

    Raises:
        InputError: it was made with other settings.
    """
    numbers = steps(out, stage)
    for number, step in enumerate(reversed(numbers), 1):
        folder = folder_of(out, stage, step)
        try:
            state = _state(folder, stage, step)
            check_files(folder, state["files"])
            tensors = load_file(folder / _TENSORS)
        except (InputError, SafetensorError, OSError) as error:
            log.warning(
                "%s; %s",
                error,
                "going on from the checkpoint before" if number < len(numbers) else "training starts anew",
            )
            continue
        before = renamed(state["settings"])
        for key, value in settings.items():
            if before.get(key) != value:
                raise InputError(
                    f"{folder}: made with {key}={before.get(key)}, now {key}={value}; resume with the "
                    "same settings, "
                    f"or choose another folder"
                )
        return state, tensors
    return None


def _state(folder: Path, stage: str, step: int) -> State:
    path = folder / _STATE
    state = shaped(read_sealed(path), State, str(path))
    if (state["stage"], state["step"]) != (stage, step) or any(len(count) != 4 for count in state["counts"]):
        raise InputError(f"{path}: is not of {folder.name}")
    return state
