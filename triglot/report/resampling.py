"""From per-query files to intervals and paired differences, through `triglot.stats`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from triglot.files import InputError
from triglot.report.runs import Arm
from triglot.stats import Interval, Sums, bootstrap, bootstrap_unpaired, cluster_sums

# What a macro average is called in the per-query file.
COLUMNS = {"map": "ap", "map@20": "ap@20", "mrr": "rr", "mrr@10": "rr@10", "mrr@100": "rr@100"}
_KEYS = ("query_id", "query_lang", "cluster", "setting", "passage_lang", "relevant")


@dataclass(frozen=True)
class PerQuery:
    """Per-query figures of one run in one setting; a cell is what a macro average runs over.

    Attributes:
        query: (rows,) Arrow strings, ids.
        cell: (rows,) Arrow strings, `query language/passage language`.
        cluster: (rows,) Arrow strings.
        values: measure -> (rows,) float64, NaN where a row has no such figure.
    """

    query: pa.Array
    cell: pa.Array
    cluster: pa.Array
    values: dict[str, np.ndarray]

    def same_rows(self, other: PerQuery) -> bool:
        """Whether both have the same queries in the same order."""
        return self.query.equals(other.query) and self.cell.equals(other.cell) and self.cluster.equals(other.cluster)


def read_per_query(path: Path) -> dict[str, PerQuery]:
    """Setting -> figures, from the per-query file of a run. Raises InputError where it is not one."""
    found = {}
    try:
        whole = pq.read_table(path)
        for setting in ("mono", "cross", "multi", "ranked"):
            table = whole.filter(pc.field("setting") == setting).combine_chunks()
            texts = {key: table[key].cast(pa.string()).combine_chunks() for key in ("query_id", "query_lang", "passage_lang", "cluster")}
            cell = pc.call_function("binary_join_element_wise", [texts["query_lang"], texts["passage_lang"], pa.scalar("/")])
            values = {key: table[key].cast(pa.float64()).to_numpy() for key in table.column_names if key not in _KEYS}
            if len(table):
                found[setting] = PerQuery(texts["query_id"], cell, texts["cluster"], values)
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise InputError(f"{path}: not a Parquet file of per-query results ({error})") from None
    return found


def read_arms(arms: Sequence[Arm], benchmark: str) -> dict[str, list[dict[str, PerQuery]]]:
    """Per-query figures of the arms whose every run has them."""
    files = {arm.name: [run.queries(benchmark) for run in arm.runs] for arm in arms}
    return {name: [read_per_query(path) for path in paths if path] for name, paths in files.items() if all(paths)}


@dataclass(frozen=True)
class Figures:
    """One measure of one arm: (seeds, rows) values and what the rows are."""

    values: np.ndarray
    rows: PerQuery

    def sums(self, values: np.ndarray | None = None) -> Sums:
        """What the bootstrap needs, of these or of other values of the same rows."""
        return cluster_sums(self.values if values is None else values, _codes(self.rows.cluster), _codes(self.rows.cell))


def _codes(column: pa.Array) -> np.ndarray:
    """Strings as numbers in the order of the strings, so that two arms number their clusters alike."""
    encoded = column.dictionary_encode()
    rank = np.argsort(np.argsort(np.array(encoded.dictionary.to_pylist(), dtype=object)))
    return rank[encoded.indices.to_numpy()]


def figures_of(runs: Sequence[dict[str, PerQuery]], setting: str, measure: str) -> Figures | None:
    """None where a run has no such figures, or where the runs have different queries. Bias stands in the multilingual rows."""
    setting, column = ("multi" if setting == "bias" else setting), COLUMNS.get(measure, measure)
    found = [run[setting] for run in runs if setting in run and column in run[setting].values]
    if len(found) < len(runs) or not all(found[0].same_rows(run) for run in found[1:]):
        return None
    values = np.stack([run.values[column] for run in found])
    return None if np.isnan(values).all() else Figures(values, found[0])


def difference(own: Figures, other: Figures, paired: bool, samples: int, seed: int, level: float) -> Interval | None:
    """Interval of `own` - `other`, paired by query, and by seed where the seeds are the same. None if the queries differ."""
    if not own.rows.same_rows(other.rows):
        return None
    if paired:
        return bootstrap(own.sums(own.values - other.values), samples=samples, seed=seed, level=level)
    return bootstrap_unpaired(own.sums(), other.sums(), samples=samples, seed=seed, level=level)


def resample(
    arms: Sequence[Arm], benchmark: str, columns: Sequence[tuple[str, str]], reference: str, *, samples: int, seed: int, level: float
) -> dict[tuple[str, int], tuple[Interval, Interval | None]]:
    """Interval of each arm and column, and of its difference from the reference.

    Args:
        arms: those without per-query files are left out.
        benchmark: its name in the files.
        columns: (setting, measure) pairs.
        reference: name of the arm to compare with.
        samples: resamples.
        seed: of the draws.
        level: of the intervals.

    Returns:
        (arm, index of the column) -> (interval, interval of the difference or None).
    """
    read = read_arms(arms, benchmark)
    seeds = {arm.name: [run.seed for run in arm.runs] for arm in arms}
    found: dict[tuple[str, int], tuple[Interval, Interval | None]] = {}
    for index, (setting, measure) in enumerate(columns):
        figures = {name: figures_of(runs, setting, measure) for name, runs in read.items()}
        base = figures.get(reference)
        for name, own in figures.items():
            if own is None:
                continue
            against = None
            if base is not None and name != reference:
                paired = seeds[name] == seeds[reference] and None not in seeds[name]
                against = difference(own, base, paired, samples, seed, level)
            found[name, index] = (bootstrap(own.sums(), samples=samples, seed=seed, level=level), against)
    return found
