"""What a run tells while it goes: metrics.jsonl, TensorBoard scalars, and a progress bar with rate and time left.

A run that was stopped and goes on logs what one that never stopped would have logged: a checkpoint holds the sums since
the last line, and the lines after it are dropped.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from triglot.files import InputError, write_text
from triglot.shapes import shaped, strict

if TYPE_CHECKING:
    from triglot.train.settings import TrainSettings

log = logging.getLogger("triglot")
_TIMES = ("pairs_per_second", "seconds")
_MARK = ".triglot"  # ends the names of the event files that are ours


@strict
class LogState(TypedDict):
    """What a checkpoint keeps of the log.

    Attributes:
        losses, parts, pairs: of the steps since the last line.
        seconds: since the start of the run.
        lines: checksum of the stage's lines.
    """

    losses: list[float]
    parts: dict[str, list[float]]
    pairs: int
    seconds: float
    lines: str


class RunLog:
    """The log of one stage.

    Args:
        out: run folder.
        stage: on every line.
        first: steps done before (lines beyond them are dropped).
        train: how often to log, how many steps.
        enabled: false on all ranks but the first.
        progress: show the bar.
        before: `state()` as it was then.
    """

    def __init__(
        self,
        out: Path,
        stage: str,
        first: int,
        train: TrainSettings,
        *,
        enabled: bool,
        progress: bool,
        before: Mapping[str, Any] | None = None,
    ):
        self._stage, self._train, self._enabled = stage, train, enabled
        self._losses: list[float] = []
        self._parts: dict[str, list[float]] = {}
        self._pairs, self._clock, self._start = 0, time.perf_counter(), time.perf_counter()
        self._bar = self._writer = self._file = None
        if not enabled:
            return
        kept: LogState | None = shaped(before, LogState, f"{out}: the log of a checkpoint") if before else None
        path = out / "metrics.jsonl"
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._lines = rewind(path, stage, first)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None
        if kept:
            self._losses, self._parts, self._pairs = kept["losses"], kept["parts"], kept["pairs"]
            self._start -= kept["seconds"]
            if kept["lines"] != self._lines.hexdigest():
                log.warning("%s: its lines up to step %d are not those that were written", path, first)
        if train.tensorboard:
            self._writer = _events(out / "tensorboard", path)
        if progress:
            self._bar = _bar(stage, first, train.steps)

    def step(
        self, step: int, loss: float, rate: float, norm: float, pairs: int, parts: Mapping[str, float] | None = None
    ) -> None:
        """After each step; writes means every `log_every` steps and after the last."""
        if not self._enabled:
            return
        self._losses.append(loss)
        for name, value in (parts or {}).items():
            self._parts.setdefault(name, []).append(value)
        self._pairs += pairs
        due = self._train.log_every and (step % self._train.log_every == 0 or step == self._train.steps)
        if self._bar is not None:
            self._bar[0].advance(self._bar[1])
        if not due:
            return
        now = time.perf_counter()
        speed = self._pairs / max(now - self._clock, 1e-9)
        line = {
            "stage": self._stage,
            "step": step,
            "loss": round(sum(self._losses) / len(self._losses), 6),
            "lr": rate,
            "grad_norm": round(norm, 6),
            **{name: round(sum(values) / len(values), 6) for name, values in self._parts.items()},
        }
        self._write({**line, "pairs_per_second": round(speed, 1), "seconds": round(now - self._start, 3)})
        if self._bar is not None:
            self._bar[0].update(self._bar[1], loss=line["loss"], rate=f"{speed:,.0f} pairs/s")
        self._losses, self._parts, self._pairs, self._clock = [], {}, 0, now

    def validation(self, step: int, answer: Mapping[str, Any]) -> None:
        """What `validate` returned: benchmark -> setting -> measure -> number."""
        if self._enabled:
            self._write({"stage": self._stage, "step": step, "validation": answer})
        self._clock = time.perf_counter()

    def _write(self, line: Mapping[str, Any]) -> None:
        assert self._file is not None
        text = json.dumps(line) + "\n"
        self._file.write(text)
        self._file.flush()
        self._lines.update(text.encode())
        if self._writer is not None:
            for name, value in _scalars(line):
                self._writer.add_scalar(name, value, line["step"])

    def state(self) -> LogState:
        """For a checkpoint; the lines written so far are then on the disk."""
        assert self._file is not None
        os.fsync(self._file.fileno())
        seconds = time.perf_counter() - self._start
        return {
            "losses": self._losses,
            "parts": self._parts,
            "pairs": self._pairs,
            "seconds": seconds,
            "lines": self._lines.hexdigest(),
        }

    def close(self) -> None:
        """Close the files and the bar."""
        for part in (self._file, self._writer):
            if part is not None:
                part.close()
        if self._bar is not None:
            self._bar[0].stop()


def rewind(path: Path, stage: str, step: int) -> hashlib.blake2b:
    """Drop the lines of a stage after a step (a run that was killed logs further than it saved), and those that cannot
    be read.

    Returns:
        the checksum of the stage's lines that are left.
    """
    kept, seen, unreadable = [], hashlib.blake2b(digest_size=16), 0
    data = path.read_bytes() if path.exists() else b""
    lines = data.split(b"\n")
    for raw in lines[:-1]:  # what stands after the last line break was cut when its writer was killed
        line = _line(raw)
        if line is None:
            unreadable += 1
        elif line["stage"] != stage or line["step"] <= step:
            kept.append(raw.decode() + "\n")
            if line["stage"] == stage:
                seen.update(raw + b"\n")
    if unreadable:
        log.warning("%s: %d lines that cannot be read are dropped", path, unreadable)
    if (text := "".join(kept)).encode() != data:
        write_text(path, text)
    return seen


def _line(raw: bytes) -> dict[str, Any] | None:
    """A line of the log, None for what is none."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    known = isinstance(value, dict) and isinstance(value.get("stage"), str) and type(value.get("step")) is int
    return value if known else None


def _events(folder: Path, log: Path) -> Any:
    """A TensorBoard writer that has every line of the log: what another one wrote before is left out, since it may have
    gone further."""
    from torch.utils.tensorboard.writer import SummaryWriter

    for old in folder.glob(f"events.out.tfevents.*{_MARK}"):
        old.unlink()
    writer = SummaryWriter(str(folder), filename_suffix=_MARK)
    for line in filter(None, map(_line, log.read_bytes().splitlines())):
        for name, value in _scalars(line):
            writer.add_scalar(name, value, line["step"])
    return writer


def _scalars(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Names and values of a line for TensorBoard."""
    if "validation" not in line:
        for name, value in line.items():
            if name not in ("stage", "step", *_TIMES) and isinstance(value, (int, float)):
                yield f"{line['stage']}/{name}", value
        return
    for benchmark, settings in line["validation"].items():
        for setting, values in settings.items():
            for measure, value in values.items():
                if isinstance(value, (int, float)):
                    yield f"{benchmark}/{setting}/{measure}", value


def _bar(stage: str, first: int, steps: int) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, TextColumn("{task.fields[rate]}  loss {task.fields[loss]}"), console=Console(stderr=True))
    bar.start()
    return bar, bar.add_task(stage, total=steps, completed=first, rate="", loss="")
