"""From per-query files to intervals, paired differences and their p-values, through `triglot.stats`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triglot.evaluate.results import read_figures
from triglot.files import InputError
from triglot.measures import reported
from triglot.report.runs import Arm
from triglot.stats import MIN_SEEDS, Interval, Sums, bootstrap, bootstrap_unpaired, cluster_sums, permutation_test

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

    @cached_property
    def codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Clusters and cells as numbers in the order of the strings, so that two arms number them alike."""
        return _codes(self.cluster), _codes(self.cell)

    def same_rows(self, other: PerQuery) -> bool:
        """Whether both have the same queries in the same order."""
        return self.query.equals(other.query) and self.cell.equals(other.cell) and self.cluster.equals(other.cluster)


def read_per_query(path: Path) -> dict[str, PerQuery]:
    """Setting -> figures, from the per-query or per-item file of a run. Raises InputError where it is neither."""
    found, whole = {}, read_figures(path, what=" of per-query results")
    try:
        if "item_id" in whole.column_names:
            return _read_items(whole)
        for setting in ("mono", "cross", "multi", "ranked"):
            table = whole.filter(pc.field("setting") == setting).combine_chunks()
            texts = {
                key: table[key].cast(pa.string()).combine_chunks()
                for key in ("query_id", "query_lang", "passage_lang", "cluster")
            }
            cell = pc.call_function(
                "binary_join_element_wise", [texts["query_lang"], texts["passage_lang"], pa.scalar("/")]
            )
            values = {key: table[key].cast(pa.float64()).to_numpy() for key in table.column_names if key not in _KEYS}
            if len(table):
                found[setting] = PerQuery(texts["query_id"], cell, texts["cluster"], values)
    except (pa.ArrowException, KeyError, OSError, ValueError, TypeError, IndexError) as error:
        raise InputError(f"{path}: not a Parquet file of per-query results ({error})") from None
    return found


def _read_items(whole: pa.Table) -> dict[str, PerQuery]:
    """Setting -> figures of classified items. Each has its share of a measure, which can be resampled."""
    found = {}
    for setting in ("classification", "generalised"):
        table = whole.filter(pc.field("setting") == setting).combine_chunks()
        if not len(table):
            continue
        texts = {
            key: table[key].cast(pa.string()).combine_chunks()
            for key in ("item_id", "first_lang", "second_lang", "cluster")
        }
        cell = pc.call_function("binary_join_element_wise", [texts["first_lang"], texts["second_lang"], pa.scalar("/")])
        names, classes = np.unique(
            np.concatenate([table[key].to_numpy() for key in ("label", "predicted")]).astype(str), return_inverse=True
        )
        label, predicted = np.split(classes.reshape(-1), 2)
        codes = _codes(cell)
        values = {
            row.name: row.shares(label, predicted, codes, len(names))
            for row in reported("classification")
            if row.shares
        }
        found[setting] = PerQuery(texts["item_id"], cell, texts["cluster"], values)
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
        return cluster_sums(self.values if values is None else values, *self.rows.codes)


def _codes(column: pa.Array) -> np.ndarray:
    encoded = column.dictionary_encode()
    rank = np.argsort(np.argsort(np.array(encoded.dictionary.to_pylist(), dtype=object)))
    return rank[encoded.indices.to_numpy()]


def figures_of(runs: Sequence[Mapping[str, PerQuery]], setting: str, measure: str) -> Figures | None:
    """None where a run has no such figures, or where the runs have different queries. Bias stands in the multilingual
    rows.
    """
    setting = "multi" if setting == "bias" else setting
    found = [run[setting] for run in runs if setting in run and measure in run[setting].values]
    if len(found) < len(runs) or not all(found[0].same_rows(run) for run in found[1:]):
        return None
    values = np.stack([run.values[measure] for run in found])
    return None if np.isnan(values).all() else Figures(values, found[0])


def by_language(runs: Sequence[Mapping[str, PerQuery]], measure: str, *, samples: int = 1000) -> dict[str, Interval]:
    """Query language -> mean over seeds and queries of a measure of bias, with its interval over seeds and
    paragraphs."""
    found = figures_of(runs, "bias", measure)
    if found is None:
        return {}
    lang = np.array([cell.partition("/")[0] for cell in found.rows.cell.to_pylist()], dtype=object)
    clusters, _ = found.rows.codes
    result = {}
    for code in sorted(set(lang.tolist())):
        rows = lang == code
        if not np.isnan(found.values[:, rows]).all():
            result[code] = bootstrap(cluster_sums(found.values[:, rows], clusters[rows]), samples=samples)
    return result


def paired(arm: Arm, base: Arm) -> bool:
    """Whether the seeds of two arms belong together: the same numbers, and known."""
    seeds = [run.seed for run in arm.runs]
    return None not in seeds and seeds == [run.seed for run in base.runs]


def difference(
    own: Figures, other: Figures, same_seeds: bool, samples: int, seed: int, level: float
) -> Interval | None:
    """Interval of `own` - `other`, paired by query, and by seed where the seeds are the same. None if the queries
    differ.
    """
    if not own.rows.same_rows(other.rows):
        return None
    if same_seeds:
        return bootstrap(own.sums(own.values - other.values), samples=samples, seed=seed, level=level)
    return bootstrap_unpaired(own.sums(), other.sums(), samples=samples, seed=seed, level=level)


@dataclass(frozen=True)
class Contest:
    """An arm against the reference in one column, before any correction.

    Attributes:
        difference: interval of arm less reference.
        p: that the difference is 0.
        p_margin: that it is -margin.
        few: whether one of the two was trained with too few seeds; see `triglot.stats.verdict`.
        p_models: that these very models (means over their seeds) do not differ, on questions like these; NaN where
            neither was trained, as `p` says it there.
    """

    difference: Interval
    p: float
    p_margin: float
    few: bool
    p_models: float = float("nan")


def contest(
    own: Figures, other: Figures, arm: Arm, base: Arm, *, margin: float, samples: int, seed: int, level: float
) -> Contest | None:
    """Compare two arms by the same queries; None if their queries differ.

    Where both have a single set of weights there is no spread over seeds, and the p-values are those of the paired
    permutation test.
    """
    found = difference(own, other, paired(arm, base), samples, seed, level)
    if found is None:
        return None
    trained = [one for one in (arm, base) if one.runs[0].recipe]
    few = any(len(one.runs) < MIN_SEEDS for one in trained)
    models = float("nan")
    if trained:
        models = permutation_test(own.sums((own.values.mean(0) - other.values.mean(0))[None]), seed=seed)
    if len(own.values) == len(other.values) == 1:
        between = own.values - other.values
        return Contest(
            found,
            *(permutation_test(own.sums(between - null), seed=seed) for null in (0.0, -margin)),
            few=few,
            p_models=models,
        )
    return Contest(found, found.p(), found.p(-margin), few, models)


def resample(
    arms: Sequence[Arm],
    benchmark: str,
    columns: Sequence[tuple[str, str]],
    reference: str,
    *,
    samples: int,
    seed: int,
    level: float,
    margin: float,
    read: Mapping[str, list[dict[str, PerQuery]]] | None = None,
) -> dict[tuple[str, int], tuple[Interval, Contest | None]]:
    """Interval of each arm and column, and how it stands against the reference.

    Args:
        arms: those without per-query files are left out.
        benchmark: its name in the files.
        columns: (setting, measure) pairs.
        reference: name of the arm to compare with.
        samples: resamples.
        seed: of the draws.
        level: of the intervals.
        margin: of non-inferiority.
        read: what `read_arms` gives, where it is there already.

    Returns:
        (arm, index of the column) -> (interval, contest or None).
    """
    read = read_arms(arms, benchmark) if read is None else read
    by_name = {arm.name: arm for arm in arms}
    options = {"samples": samples, "seed": seed, "level": level}
    found: dict[tuple[str, int], tuple[Interval, Contest | None]] = {}
    for index, (setting, measure) in enumerate(columns):
        figures = {name: figures_of(runs, setting, measure) for name, runs in read.items() if name in by_name}
        base = figures.get(reference)
        for name, own in figures.items():
            if own is None:
                continue
            against = None
            if base is not None and name != reference:
                against = contest(own, base, by_name[name], by_name[reference], margin=margin, **options)
            found[name, index] = (bootstrap(own.sums(), **options), against)
    return found
