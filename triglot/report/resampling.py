"""Crossed bootstrap of seeds x clusters for macro averages over languages, paired over arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from triglot import seeds
from triglot.report.runs import Arm

Draws = dict[tuple[str, int], np.ndarray]
COLUMNS = {"map": "ap", "map@20": "ap@20", "mrr": "rr"}  # what a macro average is called in the per-query file


@dataclass(frozen=True)
class PerQuery:
    """Per-query figures of one run; a cell is what a macro average runs over, (setting, query language, passage language).

    Attributes:
        cells: names of the cells, `setting/query language/passage language`.
        cell: (rows,) index into `cells`.
        clusters: names of the clusters.
        cluster: (rows,) index into `clusters`.
        values: measure -> (rows,) float64, NaN where a row has no such figure.
    """

    cells: list[str]
    cell: np.ndarray
    clusters: list[str]
    cluster: np.ndarray
    values: dict[str, np.ndarray]


def read_per_query(path: Path) -> PerQuery:
    """The per-query file of a run."""
    table = pq.read_table(path)
    parts = [table[key].cast(pa.string()) for key in ("setting", "query_lang", "passage_lang")]
    name = pc.call_function("binary_join_element_wise", [*parts, pa.scalar("/")])
    cell, cluster = (column.combine_chunks().dictionary_encode() for column in (name, table["cluster"].cast(pa.string())))
    known = {"query_id", "query_lang", "cluster", "setting", "passage_lang", "relevant"}
    values = {key: table[key].cast(pa.float64()).to_numpy() for key in table.column_names if key not in known}
    return PerQuery(
        cell.dictionary.to_pylist(),
        cell.indices.to_numpy(),
        cluster.dictionary.to_pylist(),
        cluster.indices.to_numpy(),
        values,
    )


def _sums(runs: Sequence[PerQuery], setting: str, measure: str, clusters: dict[str, int]) -> tuple[np.ndarray, np.ndarray] | None:
    """Sums (seeds, cells, clusters) of a measure and counts (cells, clusters); None where a run has no such figures."""
    prefix = "multi/" if setting == "bias" else f"{setting}/"
    column = COLUMNS.get(measure, measure)
    cells = {name: number for number, name in enumerate(sorted({name for run in runs for name in run.cells if name.startswith(prefix)}))}
    size = len(cells) * len(clusters)
    sums, counts = [], []
    for run in runs:
        values = run.values.get(column)
        if values is None:
            return None
        cell = np.array([cells.get(name, -1) for name in run.cells])[run.cell]
        kept = np.flatnonzero((cell >= 0) & ~np.isnan(values))
        if not len(kept):
            return None
        flat = cell[kept] * len(clusters) + np.array([clusters[name] for name in run.clusters])[run.cluster[kept]]
        sums.append(np.bincount(flat, values[kept], size).reshape(len(cells), -1))
        counts.append(np.bincount(flat, minlength=size).reshape(len(cells), -1))
    return np.stack(sums), counts[0]


def draw_arms(arms: Sequence[Arm], benchmark: str, columns: Sequence[tuple[str, str]], resamples: int, seed: int) -> Draws:
    """Bootstrap draws of the arms' macro averages: the same clusters in every arm, the same seeds where arms have equally many.

    Args:
        arms: those without per-query files are left out.
        benchmark: its name in the files.
        resamples: number of draws.
        seed: of the draws.
        columns: (setting, measure) pairs; the setting "bias" takes its figures from the multilingual rows.

    Returns:
        (arm, index of column) -> (resamples,) draws; pairs without per-query figures are left out.
    """
    files = {arm.name: [run.queries(benchmark) for run in arm.runs] for arm in arms}
    read = {name: [read_per_query(path) for path in paths if path] for name, paths in files.items() if all(paths)}
    names = sorted({name for runs in read.values() for run in runs for name in run.clusters})
    if not names:
        return {}
    clusters = {name: number for number, name in enumerate(names)}
    rng = seeds.generator(seed, "bootstrap-clusters", len(clusters))
    weights = rng.multinomial(len(clusters), np.full(len(clusters), 1 / len(clusters)), resamples).astype(float)  # (resamples, clusters)
    draws: Draws = {}
    for name, runs in read.items():
        picks = seeds.generator(seed, "bootstrap-seeds", len(runs)).integers(0, len(runs), (resamples, len(runs)))
        shares = np.stack([(picks == number).mean(1) for number in range(len(runs))], 1)  # (resamples, seeds)
        for index, (setting, measure) in enumerate(columns):
            found = _sums(runs, setting, measure, clusters)
            if found is None:
                continue
            sums, counts = found
            totals = sum(shares[:, s, None] * (weights @ sums[s].T) for s in range(len(runs)))  # (resamples, cells)
            with np.errstate(invalid="ignore"):
                means = totals / (weights @ counts.T)
            draws[name, index] = np.nanmean(means, axis=1)  # a cell none of whose clusters was drawn is left out of that draw
    return draws
