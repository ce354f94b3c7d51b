"""What a run tells while it goes: metrics.jsonl, TensorBoard scalars, and a progress bar with rate and time left."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triglot.files import InputError
from triglot.train import checkpoint

if TYPE_CHECKING:
    from triglot.train.settings import Train


class RunLog:
    """The log of one stage.

    Args:
        out: run folder.
        stage: on every line.
        first: steps done before (lines beyond them are dropped).
        train: how often to log, how many steps.
        enabled: false on all ranks but the first.
        progress: show the bar.
    """

    def __init__(self, out: Path, stage: str, first: int, train: Train, *, enabled: bool, progress: bool):
        self._stage, self._train, self._enabled = stage, train, enabled
        self._losses: list[float] = []
        self._parts: dict[str, list[float]] = {}
        self._pairs, self._clock, self._start = 0, time.perf_counter(), time.perf_counter()
        self._bar = self._writer = self._file = None
        if not enabled:
            return
        path = out / "metrics.jsonl"
        try:
            out.mkdir(parents=True, exist_ok=True)
            checkpoint.rewind(path, stage, first)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from None
        if train.tensorboard:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._writer = SummaryWriter(str(out / "tensorboard"), purge_step=first)
        if progress:
            self._bar = _bar(stage, first, train.steps)

    def step(self, step: int, loss: float, rate: float, norm: float, pairs: int, parts: Mapping[str, float] | None = None) -> None:
        """After each step; writes means every `log_every` steps and after the last."""
        self._losses.append(loss)
        for name, value in (parts or {}).items():
            self._parts.setdefault(name, []).append(value)
        self._pairs += pairs
        due = self._train.log_every and (step % self._train.log_every == 0 or step == self._train.steps)
        if self._bar is not None:
            self._bar[0].advance(self._bar[1])
        if not (due and self._enabled):
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
        if self._writer is not None:
            for key in ("loss", "lr", "grad_norm", *self._parts):
                self._writer.add_scalar(f"{self._stage}/{key}", line[key], step)
        if self._bar is not None:
            self._bar[0].update(self._bar[1], loss=line["loss"], rate=f"{speed:,.0f} pairs/s")
        self._losses, self._parts, self._pairs, self._clock = [], {}, 0, now

    def validation(self, step: int, answer: Mapping[str, Any]) -> None:
        """What `validate` returned: benchmark -> setting -> measure -> number."""
        if self._enabled:
            self._write({"stage": self._stage, "step": step, "validation": answer})
        if self._writer is not None:
            for benchmark, settings in answer.items():
                for setting, values in settings.items():
                    for measure, number in values.items():
                        self._writer.add_scalar(f"{benchmark}/{setting}/{measure}", number, step)
        self._clock = time.perf_counter()

    def _write(self, line: Mapping[str, Any]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the files and the bar."""
        for part in (self._file, self._writer):
            if part is not None:
                part.close()
        if self._bar is not None:
            self._bar[0].stop()


def _bar(stage: str, first: int, steps: int) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, TextColumn("{task.fields[rate]}  loss {task.fields[loss]}"), console=Console(stderr=True))
    bar.start()
    return bar, bar.add_task(stage, total=steps, completed=first, rate="", loss="")
