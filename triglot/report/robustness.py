"""What attacks cost each arm: attacked measures beside the clean ones, with intervals, and the loss as a share of the reference's loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triglot.report.resampling import Figures, difference, figures_of, read_arms
from triglot.report.runs import Arm
from triglot.report.tables import SETTINGS, TITLES, Cell, Column, Row, Table, pick_reference
from triglot.stats import bootstrap, bootstrap_ratio


def attacks_of(arms: Sequence[Arm]) -> dict[str, list[str]]:
    """Benchmark -> the names of its attacked forms (`NAME+ATTACK`), in the order of their first mention."""
    found: dict[str, list[str]] = {}
    for arm in arms:
        for run in arm.runs:
            for name, entry in run.benchmarks.items():
                base = name.partition("+")[0]
                if "robustness" in entry and name not in found.setdefault(base, []):
                    found[base].append(name)
    return found


def compare_attacks(
    arms: Sequence[Arm], benchmark: str, *, reference: str = "", resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> list[Table]:
    """One table an attack on a benchmark: attacked mAP and the mAP that was lost, in each setting, and how often the attack succeeded.

    Args:
        arms: in the order of the rows.
        benchmark: the clean one.
        reference: the arm that the others are compared with; by default the first trained one.
        resamples: of the bootstrap.
        level: of the intervals.
        seed: of the bootstrap.
    """
    reference = pick_reference(arms, benchmark, reference)
    clean = read_arms(arms, benchmark)
    return [
        _table(arms, benchmark, name, clean, reference, {"samples": resamples, "seed": seed, "level": level})
        for name in attacks_of(arms).get(benchmark, [])
    ]


def _table(arms: Sequence[Arm], benchmark: str, name: str, clean: dict, reference: str, options: dict) -> Table:
    present = [arm for arm in arms if name in arm.benchmarks and benchmark in arm.benchmarks]
    attacked = read_arms(present, name)
    settings = [s for s in SETTINGS if any(s in run.benchmarks[name] for arm in present for run in arm.runs)]
    columns = [Column(s, "map", f"{TITLES[s]} mAP") for s in settings]
    columns += [Column(s, "lost", f"lost, {TITLES[s].lower()}", lower_is_better=True) for s in settings]
    columns += [Column(s, "success@10", f"success@10, {TITLES[s].lower()}", lower_is_better=True) for s in settings]
    seeds = {arm.name: [run.seed for run in arm.runs] for arm in present}
    cells: dict[str, list[Cell | None]] = {arm.name: [] for arm in present}
    lost: dict[tuple[str, str], Figures] = {}
    reached: dict[tuple[str, str], Figures] = {}
    for arm in present:
        for setting in settings:
            before, after = (figures_of(one.get(arm.name, []), setting, "map") for one in (clean, attacked))
            if before is not None and after is not None and before.rows.same_rows(after.rows):
                reached[arm.name, setting] = after
                lost[arm.name, setting] = Figures(before.values - after.values, before.rows)
    notes = []
    for kind, table in (("map", reached), ("lost", lost)):
        for setting in settings:
            base = table.get((reference, setting))
            for arm in present:
                own = table.get((arm.name, setting))
                if own is None:
                    cells[arm.name].append(None)
                    continue
                found, versus = bootstrap(own.sums(), **options), 0
                if base is not None and arm.name != reference:
                    paired = seeds[arm.name] == seeds[reference] and None not in seeds[arm.name]
                    against = difference(own, base, paired, **options)
                    versus = 0 if against is None else int(against.low > 0) - int(against.high < 0)
                    if kind == "lost" and own.rows.same_rows(base.rows):
                        ratio = bootstrap_ratio(own.sums(), base.sums(), paired=paired, **options)
                        times = f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] times"
                        notes.append(f"{arm.name} loses {times} what {reference} loses ({TITLES[setting].lower()})")
                cells[arm.name].append(Cell(found.value, found.low, found.high, -versus if kind == "lost" else versus))
    for setting in settings:
        for arm in present:
            values = [run.benchmarks[name]["robustness"].get("success@10", {}).get(setting) for run in arm.runs]
            cells[arm.name].append(None if None in values else Cell(float(np.mean([v for v in values if v is not None]))))
    rows = tuple(Row(arm.name, len(arm.runs), tuple(cells[arm.name])) for arm in present)
    told = [
        f"{options['level']:.0%} intervals: crossed bootstrap over seeds and paragraphs. Lost: clean less attacked mAP, same queries.",
        "success@10: share of the queries with an answer among the first ten that have none after the attack.",
    ]
    return Table(name, tuple(columns), rows, reference if len(present) > 1 else "", (*told, *notes))
