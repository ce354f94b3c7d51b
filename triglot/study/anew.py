"""`--force`: what an earlier run or study left in a folder is removed, so that another can begin there."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from triglot.files import InputError, read_json
from triglot.index import manifest
from triglot.index.settings import FILE, is_index
from triglot.outputs import check_inputs
from triglot.sealed import discard, read_sealed
from triglot.study.folder import EVALUATIONS, RECIPE, STUDY, SUMMARY, beyond_start, files_of
from triglot.train.distributed import is_main, main_first

log = logging.getLogger("triglot")
_PLACE = r"(?:arms/[^/]+/seed-[0-9]+/)?(?:alignment/)?(?:validation/)?|baselines/[^/]+/"
_FILE = (
    r"(?:summary|results|baseline|report|leakage)\.json|report\.(?:html|md)|[^/]+\.(?:queries|items)\.parquet|"
    r"[^/]+\.(?:languages|questions)\.json|attacks/[^/]+\.jsonl|[^/]+\.head/head\.(?:json|safetensors)|"
    r"checkpoints/[^/]+/state\.(?:json|safetensors)"
)
_WRITTEN = re.compile(rf"(?:{_PLACE})(?:{_FILE})")
_KEPT = (STUDY, EVALUATIONS)  # how often a benchmark was looked at is not forgotten


def begin_anew(out: Path, mark: str, inputs: Iterable[Path]) -> None:
    """Remove a run or study, as far as its folder holds one. Nothing else is removed.

    Args:
        out: its folder, which this process has locked.
        mark: `RECIPE` of a run, `STUDY` of a study: the file without which there is none.
        inputs: what the new one reads.

    Raises:
        InputError: the folder holds a file that no run wrote or that is read; nothing is removed then.
    """
    with main_first():
        if not is_main() or not (out / mark).is_file():
            return
        check_inputs([out], inputs)
        models = [(path.parent, _model_files(path.parent)) for path in sorted(out.rglob(RECIPE))]
        ours = {(folder / name).relative_to(out).as_posix() for folder, names in models for name in names}
        ours |= {*_KEPT, *_of_demo(out)}
        foreign = [name for name in beyond_start(out) if name not in ours and not _WRITTEN.fullmatch(name)]
        if foreign:
            raise InputError(
                f"{out}: holds {foreign[0]}, which no run has written there; move it away, or choose another folder"
            )
        gone = [name for name in files_of(out) if name not in _KEPT]
        discard(out, gone)
        log.info("%s: what was there is removed, %d files", out, len(gone))


def _of_demo(out: Path) -> list[str]:
    """Names of what `triglot demo` adds to its study: passages, and the files that the record of their index names."""
    facts = read_json(out / STUDY) if (out / STUDY).is_file() else {}
    if not str(facts.get("command", "")).startswith("triglot demo "):
        return []
    index = out / "index"
    named = [FILE, *manifest.files_of(manifest.read(index))] if is_index(index) else []
    return ["passages.jsonl", *(f"index/{name}" for name in named)]


def _model_files(run: Path) -> list[str]:
    """Names of the files of a run's model; where the run had not come so far, all that a new start would replace."""
    model = run / "model"
    if not (run / SUMMARY).is_file():
        return [path.relative_to(run).as_posix() for path in model.rglob("*") if path.is_file()]
    return [f"model/{name}" for name in (*read_sealed(run / SUMMARY).get("files", {}), "README.md")]
