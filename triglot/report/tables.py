"""Arms side by side: one row an arm, the three settings and the bias as columns, mean over seeds with intervals."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triglot.files import InputError, nearest
from triglot.report.resampling import resample
from triglot.report.runs import Arm
from triglot.stats import Interval

SETTINGS = ("mono", "cross", "multi")
MEASURES = {"map": "mAP", "map@20": "mAP@20", "mrr": "MRR", "r@1": "R@1", "r@10": "R@10", "hit@1": "hit@1"}
RANKED = {"ndcg@10": "nDCG@10", "r@100": "R@100", "mrr@10": "MRR@10", "mrr@100": "MRR@100", "map": "mAP of the run"}
TITLES = {"mono": "Monolingual", "cross": "Cross-lingual", "multi": "Multilingual"}


@dataclass(frozen=True)
class Column:
    """What a column shows: a measure in a setting, or a measure of bias."""

    setting: str
    measure: str
    title: str
    lower_is_better: bool = False
    ranks: bool = False


@dataclass(frozen=True)
class Cell:
    """A mean over seeds.

    Attributes:
        low, high: interval of the crossed bootstrap over seeds and paragraphs; None without per-query figures.
        versus: 1 better, -1 worse than the reference arm, 0 where the interval of the paired difference holds zero or none was computed.
    """

    value: float
    low: float | None = None
    high: float | None = None
    versus: int = 0


@dataclass(frozen=True)
class Row:
    """An arm: its name, how many seeds, and a cell a column (None where the measure makes no sense for it)."""

    name: str
    seeds: int
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Table:
    """Arms on one benchmark. `reference` is the arm that `versus` compares with; `notes` go below the table."""

    benchmark: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    reference: str = ""
    notes: tuple[str, ...] = ()

    def best(self, column: int) -> set[str]:
        """Names of the rows with the best value of a column, as far as it is printed; none where all are equal."""
        shown = {row.name: cell.value for row in self.rows if (cell := row.cells[column]) is not None}
        if len(shown) < 2:
            return set()
        value = (min if self.columns[column].lower_is_better else max)(shown.values())
        found = {name for name, other in shown.items() if number(other, self.columns[column]) == number(value, self.columns[column])}
        return found if len(found) < len(shown) else set()


def number(value: float, column: Column) -> str:
    """A value as tables print it: shares with three decimals, ranks with as many as matter."""
    if column.ranks:
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.3f}"


def interval(cell: Cell, column: Column) -> str:
    """`[low, high]`, or nothing."""
    return "" if cell.low is None or cell.high is None else f"[{number(cell.low, column)}, {number(cell.high, column)}]"


def columns_for(arms: Sequence[Arm], benchmark: str, measure: str = "map", bias: bool = True) -> tuple[Column, ...]:
    """The columns that at least one arm has figures for."""
    if measure not in MEASURES | RANKED:
        raise InputError(f"no measure {measure!r}{nearest(measure, MEASURES | RANKED)}")
    title = MEASURES.get(measure) or RANKED[measure]
    wanted = [Column(setting, measure, f"{TITLES[setting]} {title}") for setting in SETTINGS]
    # Figures of top-k runs stand together in the main table, and by themselves where one of them is asked for.
    wanted += [Column("ranked", name, text) for name, text in RANKED.items() if name == measure or measure == "map"]
    if bias:
        wanted.append(Column("bias", "rank_distance", "Rank distance", lower_is_better=True, ranks=True))
        wanted.append(Column("bias", "max_rank", "Max@R", lower_is_better=True, ranks=True))
    return tuple(column for column in wanted if any(_value(arm, benchmark, column) is not None for arm in arms))


def _value(arm: Arm, benchmark: str, column: Column) -> float | None:
    values = [run.benchmarks[benchmark].get(column.setting, {}).get(column.measure) for run in arm.runs if benchmark in run.benchmarks]
    return None if len(values) < len(arm.runs) or any(value is None for value in values) else float(np.mean(values))


def benchmark_names(arms: Sequence[Arm]) -> list[str]:
    """Benchmarks that at least one arm has, in the order of their first mention."""
    return list(dict.fromkeys(name for arm in arms for name in arm.benchmarks))


def pick_reference(arms: Sequence[Arm], benchmark: str, name: str = "") -> str:
    """The arm to compare with: the named one, or the first trained arm that is evaluated on the benchmark."""
    names = [arm.name for arm in arms]
    if name and name not in names:
        raise InputError(f"no arm {name!r} to compare with{nearest(name, names)}")
    trained = [arm.name for arm in arms if benchmark in arm.benchmarks and arm.runs[0].recipe and arm.name != "alignment"]
    return name or next(iter(trained), "")


def compare(
    arms: Sequence[Arm],
    benchmark: str,
    *,
    measure: str = "map",
    reference: str = "",
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    bias: bool = True,
) -> Table:
    """Arms on a benchmark, with intervals where per-query figures are there.

    Args:
        arms: in the order of the rows.
        benchmark: its name in the results.
        measure: of the three settings.
        reference: the arm that the others are compared with; by default the first trained one.
        resamples: of the bootstrap; 0 for no intervals.
        level: coverage of the intervals.
        seed: of the bootstrap.
        bias: whether to add rank distance and Max@R.
    """
    columns = columns_for(arms, benchmark, measure, bias)
    reference = pick_reference(arms, benchmark, reference)
    present = [arm for arm in arms if benchmark in arm.benchmarks]
    pairs = [(column.setting, column.measure) for column in columns]
    found = resample(present, benchmark, pairs, reference, samples=resamples, seed=seed, level=level) if resamples else {}
    rows = []
    for arm in present:
        cells = []
        for index, column in enumerate(columns):
            value = _value(arm, benchmark, column)
            cells.append(None if value is None else _cell(value, column, *found.get((arm.name, index), (None, None))))
        rows.append(Row(arm.name, len(arm.runs), tuple(cells)))
    notes = _notes(arms, benchmark, bool(found), reference, level)
    return Table(benchmark, columns, tuple(rows), reference if len(present) > 1 else "", notes)


def _cell(value: float, column: Column, own: Interval | None, against: Interval | None) -> Cell:
    if own is None:
        return Cell(value)
    versus = 0 if against is None else int(against.low > 0) - int(against.high < 0)
    top = np.inf if column.ranks else 1.0  # the stretch for few seeds may leave the range of the measure
    return Cell(value, max(own.low, 0.0), min(own.high, top), -versus if column.lower_is_better else versus)


def _notes(arms: Sequence[Arm], benchmark: str, resampled: bool, reference: str, level: float) -> tuple[str, ...]:
    notes = []
    if resampled:
        notes.append(
            f"{level:.0%} intervals: crossed bootstrap over seeds and paragraphs. "
            "Values are means over seeds of macro averages over languages."
        )
        if reference and sum(benchmark in arm.benchmarks for arm in arms) > 1:
            notes.append(f"▲ better, ▼ worse than {reference}: the {level:.0%} interval of the paired difference leaves out zero.")
    if any(len(arm.runs) == 1 and arm.runs[0].recipe for arm in arms) and resampled:
        notes.append("An arm with one seed has an interval over paragraphs only: it does not show how far seeds differ.")
    missing = [arm.name for arm in arms if benchmark not in arm.benchmarks]
    if missing:
        notes.append(f"Not evaluated on {benchmark}: {', '.join(missing)}.")
    of_data = dict.fromkeys(
        note for arm in arms if benchmark in arm.benchmarks for run in arm.runs for note in run.benchmarks[benchmark].get("notes", [])
    )
    return (*notes, *of_data)


_MARKS = {1: "▲", -1: "▼", 0: ""}


def cell_text(cell: Cell | None, column: Column, *, with_interval: bool = True) -> str:
    """A cell in one line of plain text; a dash where there is nothing."""
    if cell is None:
        return "—"
    parts = [number(cell.value, column), interval(cell, column) if with_interval else "", _MARKS[cell.versus]]
    return " ".join(part for part in parts if part)


def _name(row: Row) -> str:
    return f"{row.name} ({row.seeds} seeds)" if row.seeds > 1 else row.name


def to_markdown(table: Table, *, with_interval: bool = True) -> str:
    """A pipe table; the best value of a column is bold."""
    escape = str.maketrans({"|": "\\|", "<": "&lt;", "\n": " "})
    lines = ["| arm | " + " | ".join(column.title for column in table.columns) + " |", "|---|" + "---:|" * len(table.columns)]
    best = [table.best(index) for index in range(len(table.columns))]
    for row in table.rows:
        cells = []
        for index, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True)):
            text = cell_text(cell, column, with_interval=with_interval)
            if cell is not None and row.name in best[index]:
                value = number(cell.value, column)
                text = f"**{value}**{text[len(value) :]}"
            cells.append(text)
        lines.append(f"| {_name(row).translate(escape)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def to_csv(tables: Sequence[Table]) -> str:
    """One line an arm and column: benchmark, arm, seeds, setting, measure, value, low, high, versus, reference."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["benchmark", "arm", "seeds", "setting", "measure", "value", "low", "high", "versus", "reference"])
    for table in tables:
        for row in table.rows:
            for cell, column in zip(row.cells, table.columns, strict=True):
                if cell is not None:
                    figures = ["" if x is None else repr(x) for x in (cell.value, cell.low, cell.high)]
                    writer.writerow(
                        [table.benchmark, row.name, row.seeds, column.setting, column.measure, *figures, cell.versus, table.reference]
                    )
    return out.getvalue()


_TEX = {
    "\\": r"\textbackslash{}",
    "_": r"\_",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\^{}",
}


def to_latex(table: Table) -> str:
    """Rows for a `tabular` with booktabs: best values bold, a dagger where an arm differs from the reference."""
    best = [table.best(index) for index in range(len(table.columns))]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        "arm & " + " & ".join(column.title for column in table.columns) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
        cells = []
        for index, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True)):
            if cell is None:
                cells.append("--")
                continue
            text = number(cell.value, column).replace(",", r"\,")
            text = rf"\textbf{{{text}}}" if row.name in best[index] else text
            cells.append(text + (r"$^\dagger$" if cell.versus else ""))
        lines.append("".join(_TEX.get(c, c) for c in row.name) + " & " + " & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"
