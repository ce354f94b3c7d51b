"""The planner's batches as a batch sampler: for `SentenceTransformerTrainer`, and so for PyLate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import BatchSampler

from triglot.batches import BatchSettings, Rows, Step, plan_run, rank_slice
from triglot.files import InputError

if TYPE_CHECKING:
    from datasets import Dataset

_NEEDED = ("row", "query_language", "passage_language", "label")


@dataclass(frozen=True)
class Lines:
    """Which line of a dataset shows a row in a pair of languages.

    Attributes:
        rows: as the planner knows them.
        key: (lines,) int64, ascending: row, query language and passage language in one number.
        line: (lines,) int64, its place in the dataset.
    """

    rows: Rows
    key: np.ndarray
    line: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset) -> Lines:
        """The lines of a dataset that `to_dataset` made; some may have been taken away, or their order changed.

        Raises:
            InputError: it lacks a column, or a row lacks a line for a pair of its languages.
        """
        missing = [name for name in _NEEDED if name not in dataset.column_names]
        if missing:
            raise InputError(f"the dataset has no column {missing[0]!r}; make it with triglot.to_dataset(corpus)")
        table: Any = dataset.with_format("arrow")[:]
        columns = {name: table[name].to_numpy() for name in table.column_names if name not in ("anchor", "positive")}
        _, first, row = np.unique(columns["row"], return_index=True, return_inverse=True)
        query, passage = (columns[f"{side}_language"].astype(np.int64) for side in ("query", "passage"))
        masks = []
        for language in (query, passage):
            mask = np.zeros(len(first), np.uint64)
            np.bitwise_or.at(mask, row, np.uint64(1) << language.astype(np.uint64))
            masks.append(mask)
        source = columns["source"][first] if "source" in columns else np.zeros(len(first), np.int16)
        source = np.unique(source, return_inverse=True)[1]
        same = columns["bitext"][first] if "bitext" in columns else np.zeros(len(first), bool)
        rows = Rows(columns["label"][first], *masks, source=source, same=same)
        _check_pairs(rows, same, np.bincount(row, minlength=len(rows)), columns["row"][first])
        key = _keys(row, query, passage)
        order = np.argsort(key)
        return cls(rows, key[order], order)

    @classmethod
    def joined(cls, parts: Sequence[Lines]) -> Lines:
        """Several datasets, one after the other; each has sources of its own."""
        if len(parts) == 1:
            return parts[0]
        keys, lines, rows, sources = [], [], 0, 0
        columns: list[list[np.ndarray]] = [[], [], [], [], []]
        for part in parts:
            keys.append(part.key + _keys(rows, 0, 0))
            lines.append(part.line + sum(len(line) for line in lines))
            one = part.rows
            assert one.same is not None
            these = (one.family, one.query_languages, one.passage_languages, one.source + sources, one.same)
            for column, values in zip(columns, these, strict=True):
                column.append(values)
            rows += len(one)
            sources += int(one.source.max()) + 1
        return cls(Rows(*(np.concatenate(column) for column in columns)), np.concatenate(keys), np.concatenate(lines))

    def at(self, step: Step) -> list[int]:
        """The places of a batch in the dataset."""
        keys = _keys(step.rows, step.query_lang.astype(np.int64), step.passage_lang[:, 0].astype(np.int64))
        return self.line[np.searchsorted(self.key, keys)].tolist()


def _keys(row: Any, query: Any, passage: Any) -> Any:
    return (row * 64 + query) * 64 + passage


def _check_pairs(rows: Rows, same: np.ndarray, shown: np.ndarray, names: np.ndarray) -> None:
    """Raise InputError where a row cannot be shown in every pair of its languages."""
    query, passage = rows.query_languages, rows.passage_languages
    wanted = np.bitwise_count(query).astype(np.int64) * np.bitwise_count(passage)
    wanted -= np.where(same, np.bitwise_count(query & passage), 0)
    for row in np.flatnonzero(shown != wanted)[:1]:
        raise InputError(
            f"row {names[row]} has {shown[row]} lines for the {wanted[row]} pairs of its languages, and a batch "
            "may take "
            "any of them; make the dataset with triglot.to_dataset(corpus)"
        )


class PlannedBatchSampler(BatchSampler):
    """The places of a dataset's lines, batch by batch. An epoch of it has as many batches as those of all sources have.

    What it gives is a pure function of (dataset, settings, seed, epoch), so a run that goes on after some steps sees
    the same batches. For several processes, each batch is given as one slice a rank, in order of rank, which is how
    accelerate hands batches out.

    Args:
        lines: of the dataset.
        batches: settings of the planner; its size is that of a batch over all ranks.
        seed: of the plan.
        weights: of the sources (or datasets): shares of the steps. None is equal.
        world: number of processes.

    Raises:
        InputError: as `triglot.batches.plan_run`, or a batch is too small to be sliced.
    """

    def __init__(
        self, lines: Lines, batches: BatchSettings, *, seed: int, weights: Sequence[float] | None = None, world: int = 1
    ):
        if batches.positives > 1:
            raise InputError("batches.positives: a line of a dataset has one passage, so 1 is the only choice here")
        self.lines, self.world, self.epoch = lines, world, 0
        self._plan = plan_run(lines.rows, batches, steps=0, seed=seed, weights=weights)
        self._steps = sum(self._plan.epochs.values())
        if self._plan.sizes.min < world:
            raise InputError(
                f"a batch has {self._plan.sizes.min} rows, too few for {world} processes; use larger batches"
            )
        self.sampler = range(len(lines.line))
        self.drop_last = batches.drop_last
        # Slices differ in size by one; accelerate passes such batches on only if no size is named.
        self.batch_size: Any = batches.size if world == 1 else None

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._steps * self.world

    def __iter__(self) -> Iterator[list[int]]:
        plan = self._plan.lasting(self._steps * (self.epoch + 1))
        for number in range(self._steps * self.epoch, len(plan)):
            batch = self.lines.at(plan[number])
            for rank in range(self.world):
                yield batch[rank_slice(len(batch), rank, self.world)]


@dataclass(frozen=True)
class _Planned:
    """What `batch_sampler` returns. A class, so that the trainer can save its arguments."""

    batches: BatchSettings
    seed: int | None
    weights: tuple[float, ...] | None
    world: int | None

    def __call__(self, dataset: Any, batch_samplers: Sequence[PlannedBatchSampler] = (), **options: Any) -> Any:
        """A sampler of one dataset, or of several whose own samplers were made by this function as well."""
        seed = self.seed if self.seed is not None else options.get("seed") or 0
        world = self.world or _world()
        if batch_samplers:
            lines = Lines.joined([sampler.lines for sampler in batch_samplers])
            batches = batch_samplers[0]._plan.batches
            return PlannedBatchSampler(lines, batches, seed=seed, weights=self.weights, world=world)
        size, drop_last = options["batch_size"] * world, self.batches.drop_last or options.get("drop_last", False)
        batches = replace(self.batches, size=size, drop_last=drop_last)
        return PlannedBatchSampler(Lines.of(dataset), batches, seed=seed, weights=self.weights, world=world)


def batch_sampler(
    batches: BatchSettings | None = None,
    *,
    seed: int | None = None,
    weights: Sequence[float] | None = None,
    world: int | None = None,
) -> Any:
    """Planned batches for `SentenceTransformerTrainer`: every kind, alpha, one row of a family a batch, exact resume.

    Give what it returns as `batch_sampler=` of the training arguments, and for a dictionary of datasets as
    `multi_dataset_batch_sampler=` too. The datasets come from `to_dataset`.

    Args:
        batches: settings of the planner. The size of a batch and `drop_last` are the trainer's: its size a device times
            the number of processes, which share each batch.
        seed: of the plan; None for the trainer's own.
        weights: of the datasets (or the sources of a single one), shares of the steps; None is equal.
        world: processes; None asks torch.distributed.
    """
    return _Planned(batches or BatchSettings(), seed, None if weights is None else tuple(weights), world)


def _world() -> int:
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
