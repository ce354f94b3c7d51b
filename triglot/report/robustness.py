"""What attacks cost each arm: attacked measures beside the clean ones, with intervals, and the loss as a share of the
reference's loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from triglot.measures import find
from triglot.report.heatmap import matrix
from triglot.report.resampling import Figures, PerQuery, contest, figures_of, paired, read_arms
from triglot.report.runs import Arm
from triglot.report.tables import SETTINGS, TITLES, Cell, Column, Row, Table, is_attacked, make_cell, pick_reference
from triglot.report.verdicts import decide, margin_of, notes
from triglot.stats import bootstrap, bootstrap_ratio

SUCCESS = "success@10"
CLASSIFIED = {"classification": "one language", "generalised": "two languages"}
SUCCESSES = (SUCCESS, "success")  # of retrieval, and of classification


def attacks_of(arms: Sequence[Arm]) -> dict[str, list[str]]:
    """Benchmark -> the names of its attacked forms (`NAME+ATTACK`), in the order of their first mention."""
    found: dict[str, list[str]] = {}
    for arm in arms:
        for name in arm.benchmarks:
            if is_attacked(arm, name):
                base = name.partition("+")[0]
                found[base] = list(dict.fromkeys([*found.get(base, []), name]))
    return found


def lost(arm: Arm, benchmark: str, name: str) -> tuple[tuple[str, ...], np.ndarray]:
    """As `heatmap.matrix`, mAP (or accuracy) on a clean benchmark less that on its attacked form."""
    measure = "accuracy" if is_classified([arm], name) else "map"
    (codes, clean), (others, attacked) = (matrix(arm, one, measure) for one in (benchmark, name))
    return (codes, clean - attacked) if codes == others else ((), np.zeros((0, 1)))


def is_classified(arms: Sequence[Arm], name: str) -> bool:
    """Whether the results of this name are those of a classification."""
    entries = [run.benchmarks[name] for arm in arms for run in arm.runs if name in run.benchmarks]
    return any(setting in entry for entry in entries for setting in CLASSIFIED)


def compare_attacks(
    arms: Sequence[Arm],
    benchmark: str,
    *,
    reference: str = "",
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    read: Mapping[str, list[dict[str, PerQuery]]] | None = None,
) -> list[Table]:
    """One table an attack on a benchmark: attacked mAP and the mAP that was lost, in each setting, and how often the
    attack succeeded.

    Args:
        arms: in the order of the rows.
        benchmark: the clean one.
        reference: the arm that the others are compared with; by default the first trained one.
        resamples: of the bootstrap.
        level: of the intervals.
        seed: of the bootstrap.
        read: what `read_arms` gives of the clean benchmark, where it is there already.
    """
    attacks = attacks_of(arms).get(benchmark, [])
    if not attacks:
        return []
    reference = pick_reference(arms, benchmark, reference)
    clean = read_arms(arms, benchmark) if read is None else read
    options = {"samples": resamples, "seed": seed, "level": level}
    return [_table(arms, benchmark, name, clean, reference, options) for name in attacks]


def _table(arms: Sequence[Arm], benchmark: str, name: str, clean: Mapping, reference: str, options: dict) -> Table:
    present = [arm for arm in arms if name in arm.benchmarks and benchmark in arm.benchmarks]
    attacked = read_arms(present, name)
    classified = is_classified(present, name)
    titles, measure = (CLASSIFIED, find("accuracy")) if classified else (TITLES, find("map"))
    known = tuple(CLASSIFIED) if classified else SETTINGS
    settings = [s for s in known if any(s in run.benchmarks[name] for arm in present for run in arm.runs)]
    success = find(SUCCESSES[classified])
    columns = [
        Column(s, measure.name, f"{measure.title}, {titles[s]}" if classified else f"{titles[s]} {measure.title}")
        for s in settings
    ]
    columns += [Column(s, "lost", f"lost, {titles[s].lower()}", lower_is_better=True) for s in settings]
    columns += [
        Column(s, success.name, f"{success.title}, {titles[s].lower()}", success.lower_is_better) for s in settings
    ]
    cells: dict[str, list[Cell | None]] = {arm.name: [] for arm in present}
    lost: dict[tuple[str, str], Figures] = {}
    reached: dict[tuple[str, str], Figures] = {}
    for arm in present:
        for setting in settings:
            before, after = (figures_of(one.get(arm.name, []), setting, measure.name) for one in (clean, attacked))
            if before is not None and after is not None and before.rows.same_rows(after.rows):
                reached[arm.name, setting] = after
                lost[arm.name, setting] = Figures(before.values - after.values, before.rows)
    ratios: dict[str, list[str]] = {}
    own_intervals, contests = {}, {}
    margin, by_name = margin_of(arms, reference), {arm.name: arm for arm in present}
    for index, (kind, setting) in enumerate((kind, setting) for kind in ("map", "lost") for setting in settings):
        table = reached if kind == "map" else lost
        base = table.get((reference, setting))
        for label, arm in by_name.items():
            own = table.get((label, setting))
            if own is None:
                continue
            own_intervals[label, index] = bootstrap(own.sums(), **options)
            found = (
                contest(own, base, arm, by_name[reference], margin=margin, **options)
                if base is not None and label != reference
                else None
            )
            if found is None or base is None:
                continue
            contests[label, index] = found
            if kind == "lost":
                ratio = bootstrap_ratio(own.sums(), base.sums(), paired=paired(arm, by_name[reference]), **options)
                ratios.setdefault(label, []).append(
                    f"{titles[setting].lower()} {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
                )
    lower = {key: columns[key[1]].lower_is_better for key in contests}
    decisions = decide(contests, lower, {key: not value for key, value in lower.items()}, margin)
    for index in range(2 * len(settings)):
        for arm in present:
            interval, bottom = own_intervals.get((arm.name, index)), -1.0 if columns[index].measure == "lost" else 0.0
            cells[arm.name].append(
                None
                if interval is None
                else make_cell(
                    interval.value, columns[index], interval, decisions.get((arm.name, index)), bottom=bottom
                )
            )
    for setting in settings:
        for arm in present:
            values = [run.benchmarks[name]["robustness"].get(success.name, {}).get(setting) for run in arm.runs]
            cells[arm.name].append(
                None if None in values else Cell(float(np.mean([v for v in values if v is not None])))
            )
    rows = tuple(Row(arm.name, len(arm.runs), tuple(cells[arm.name])) for arm in present)
    told = [
        f"{options['level']:.0%} intervals: crossed bootstrap over seeds and "
        f"{'premises' if classified else 'paragraphs'}. "
        f"Lost: clean less attacked {measure.title}, same {'items' if classified else 'queries'}.",
        f"{success.title}: {success.help}.",
        *notes(
            decisions,
            [f"{column.title[0].lower()}{column.title[1:]}" for column in columns],
            present,
            reference,
            margin,
        ),
        *(
            f"{label} loses, as a share of what {reference} loses: {', '.join(shares)}."
            for label, shares in ratios.items()
        ),
    ]
    return Table(
        name, tuple(columns), rows, reference if len(present) > 1 else "", tuple(told), margin if decisions else None
    )
