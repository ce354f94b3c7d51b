"""Checkpoints: safetensors and JSON, written whole or not at all; the log rewound to the step that is resumed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from triglot.files import InputError, atomic_folder, read_json, read_jsonl, write_text


def folder_of(out: Path, stage: str, step: int) -> Path:
    """Where the checkpoint after `step` steps of a stage lies."""
    return out / "checkpoints" / f"{stage}-step-{step:08d}"


def save(out: Path, stage: str, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any], keep: int) -> None:
    """Write a checkpoint, then delete all but the newest `keep` of the stage (0 keeps all)."""
    with atomic_folder(folder_of(out, stage, step)) as folder:
        save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, folder / "state.safetensors")
        (folder / "state.json").write_text(json.dumps({"stage": stage, "step": step, **state}, indent=2) + "\n", encoding="utf-8")
    for old in steps(out, stage)[: -keep or None]:
        if keep:
            shutil.rmtree(folder_of(out, stage, old))


def steps(out: Path, stage: str) -> list[int]:
    """Steps of the stage's checkpoints, ascending."""
    found = (out / "checkpoints").glob(f"{stage}-step-????????")
    return sorted(int(path.name[-8:]) for path in found if path.is_dir() and path.name[-8:].isdigit())


def latest(out: Path, stage: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """The newest checkpoint of a stage, or None.

    Raises:
        InputError: it was made with other settings, or cannot be read.
    """
    found = steps(out, stage)
    if not found:
        return None
    folder = folder_of(out, stage, found[-1])
    state = read_json(folder / "state.json")
    for key, value in settings.items():
        if state["settings"].get(key) != value:
            was = state["settings"].get(key)
            raise InputError(f"{folder}: made with {key}={was}, now {key}={value}; resume with the same settings, or choose another folder")
    try:
        return state, load_file(folder / "state.safetensors")
    except (SafetensorError, OSError) as error:
        raise InputError(f"{folder / 'state.safetensors'}: cannot be read ({error})") from None


def rewind(log: Path, stage: str, step: int) -> None:
    """Drop the lines of a stage after a step (a run that was killed logs further than it saved), and a last line that was cut."""
    if not log.exists():
        return
    text = log.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        write_text(log, text[: text.rfind("\n") + 1])
    kept = [line for _, line in read_jsonl(log) if not (line["stage"] == stage and line["step"] > step)]
    write_text(log, "".join(json.dumps(line) + "\n" for line in kept))
