"""Arms side by side: one row an arm, the three settings and the bias as columns, mean over seeds with intervals."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from triglot import escapes
from triglot.files import InputError, nearest
from triglot.grid import as_html, as_text
from triglot.measures import Measure, find, known, reported, shown
from triglot.report.resampling import PerQuery, resample
from triglot.report.runs import Arm
from triglot.report.verdicts import MARKS, OF_MODELS, WORDS, Decision, decide, margin_of
from triglot.report.verdicts import notes as verdict_notes
from triglot.stats import Interval

SETTINGS = ("mono", "cross", "multi")
TITLES = {"mono": "Monolingual", "cross": "Cross-lingual", "multi": "Multilingual"}
_CLASSIFIED = {"classification": "{}", "generalised": "{}, two languages"}
_MAJORITY = {"majority": "{} of the commonest label", "majority_by_question": "of the question's commonest label"}


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
        versus: 1 better, -1 worse than the reference arm, 0 where this is undecided or was not asked.
        p: that there is no difference from the reference, corrected for the comparisons of the table; None where this
            was not asked.
        not_below: `yes`, `no` or `undecided`: not below the reference by more than the margin; empty where this was not
            asked.
        models: as `versus`, of these very models, whatever other seeds would bring.
    """

    value: float
    low: float | None = None
    high: float | None = None
    versus: int = 0
    p: float | None = None
    not_below: str = ""
    models: int = 0

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `undecided`; empty where this was not asked."""
        return WORDS[self.versus] if self.versus or self.p is not None else ""

    @property
    def models_verdict(self) -> str:
        """`better`, `worse`, `undecided`, of these very models; empty where this was not asked."""
        return WORDS[self.models] if self.verdict else ""

    @property
    def mark(self) -> str:
        """The verdict as one sign; that on these very models where only so much is decided."""
        if not self.verdict:
            return ""
        return MARKS[self.versus] if self.versus else OF_MODELS[self.models]


@dataclass(frozen=True)
class Row:
    """An arm: its name, how many seeds, and a cell a column (None where the measure makes no sense for it)."""

    name: str
    seeds: int
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, repr=False)
class Table:
    """Arms on one benchmark, compared with `reference`; `margin` is that of `not_below`, and `notes` go below the
    table.
    """

    benchmark: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    reference: str = ""
    notes: tuple[str, ...] = ()
    margin: float | None = None

    def _grid(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows as plain text."""
        head = ["", *(column.title for column in self.columns)]
        return head, [[_name(row), *map(cell_text, row.cells, self.columns)] for row in self.rows]

    def __repr__(self) -> str:
        return "\n".join([self.benchmark, as_text(*self._grid()), *self.notes])

    def _repr_html_(self) -> str:
        return as_html(*self._grid(), caption=self.benchmark, notes=self.notes)

    def best(self, column: int) -> set[str]:
        """Names of the rows with the best value of a column, as far as it is printed; none where all are equal."""
        shown = {row.name: cell.value for row in self.rows if (cell := row.cells[column]) is not None}
        if len(shown) < 2:
            return set()
        value = (min if self.columns[column].lower_is_better else max)(shown.values())
        found = {
            name
            for name, other in shown.items()
            if number(other, self.columns[column]) == number(value, self.columns[column])
        }
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
    """The columns that at least one arm has figures for; a benchmark of classification has its own, whatever the
    measure.
    """
    if measure not in shown():
        raise InputError(f"no measure {measure!r}{nearest(measure, shown())}")
    biased = [_column("bias", row) for row in reported("bias") if not row.chance]
    if measure == "bias":
        wanted = biased
    else:
        wanted = [_column(setting, find(measure), f"{TITLES[setting]} {{}}") for setting in SETTINGS]
        # Figures of top-k runs stand together in the main table, and by themselves where one of them is asked for.
        of_runs = reported("ranked") if measure == "map" else [find(measure)]
        wanted += [_column("ranked", row, "{} of the run" if "settings" in row.where else "{}") for row in of_runs]
        of_classes = reported("classification")
        wanted += [_column(setting, row, title) for setting, title in _CLASSIFIED.items() for row in of_classes]
        wanted += [
            _column(setting, row, title) for setting, title in _MAJORITY.items() for row in of_classes if row.main
        ]
        wanted += [column for column in biased if bias and column.ranks]
    return tuple(column for column in wanted if any(_value(arm, benchmark, column) is not None for arm in arms))


def _column(setting: str, row: Measure, title: str = "{}") -> Column:
    return Column(setting, row.name, title.format(row.title), row.lower_is_better, row.rank)


def _value(arm: Arm, benchmark: str, column: Column) -> float | None:
    values = [
        run.benchmarks[benchmark].get(column.setting, {}).get(column.measure)
        for run in arm.runs
        if benchmark in run.benchmarks
    ]
    return None if len(values) < len(arm.runs) or any(value is None for value in values) else float(np.mean(values))


def benchmark_names(arms: Sequence[Arm]) -> list[str]:
    """Benchmarks that at least one arm has, in the order of their first mention; attacked forms are not among them."""
    return list(dict.fromkeys(name for arm in arms for name in arm.benchmarks if not is_attacked(arm, name)))


def is_attacked(arm: Arm, name: str) -> bool:
    """Whether a name of results is that of an attacked benchmark, `NAME+ATTACK`, whose clean form is there too."""
    return name.partition("+")[0] in arm.benchmarks and "robustness" in arm.runs[0].benchmarks[name]


def pick_reference(arms: Sequence[Arm], benchmark: str, name: str = "") -> str:
    """The arm to compare with: the named one, the first trained arm that is evaluated on the benchmark, or the first of
    all.
    """
    names = [arm.name for arm in arms]
    if name and name not in names:
        raise InputError(f"no arm {name!r} to compare with{nearest(name, names)}")
    present = [arm for arm in arms if benchmark in arm.benchmarks]
    trained = [arm.name for arm in present if arm.runs[0].recipe and arm.name != "alignment"]
    return name or next(iter([*trained, *(arm.name for arm in present)]), "")


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
    read: Mapping[str, list[dict[str, PerQuery]]] | None = None,
) -> Table:
    """Arms on a benchmark, with intervals and verdicts where per-query figures are there.

    Args:
        arms: in the order of the rows.
        benchmark: its name in the results.
        measure: of the three settings; `bias` for all measures of language bias.
        reference: the arm that the others are compared with; by default the first trained one.
        resamples: of the bootstrap; 0 for no intervals.
        level: coverage of the intervals.
        seed: of the bootstrap.
        bias: whether to add rank distance and Max@R.
        read: what `read_arms` gives, where it is there already.
    """
    columns = columns_for(arms, benchmark, measure, bias)
    reference = pick_reference(arms, benchmark, reference)
    present = [arm for arm in arms if benchmark in arm.benchmarks]
    pairs = [(column.setting, column.measure) for column in columns]
    margin = margin_of(arms, reference)
    options = {"samples": resamples, "seed": seed, "level": level, "margin": margin, "read": read}
    found = resample(present, benchmark, pairs, reference, **options) if resamples else {}
    contests = {key: against for key, (_, against) in found.items() if against is not None}
    lower = {key: columns[key[1]].lower_is_better for key in contests}
    decisions = decide(
        contests,
        lower,
        {key: measure != "bias" and not (lower[key] or columns[key[1]].ranks) for key in contests},
        margin,
    )
    rows = []
    for arm in present:
        cells = []
        for index, column in enumerate(columns):
            value, key = _value(arm, benchmark, column), (arm.name, index)
            own, bottom = found[key][0] if key in found else None, find(column.measure).least
            cells.append(None if value is None else make_cell(value, column, own, decisions.get(key), bottom=bottom))
        rows.append(Row(arm.name, len(arm.runs), tuple(cells)))
    notes = [*_notes(arms, benchmark, columns, bool(found), level)]
    titles = [TITLES.get(column.setting, column.title).lower() for column in columns]
    notes[1:1] = verdict_notes(decisions, titles, present, reference, margin)
    return Table(
        benchmark,
        columns,
        tuple(rows),
        reference if len(present) > 1 else "",
        tuple(notes),
        margin if decisions else None,
    )


def make_cell(
    value: float, column: Column, own: Interval | None, decision: Decision | None = None, *, bottom: float = 0.0
) -> Cell:
    """A cell with its interval, cut to the range of the measure (which begins at `bottom`), and what was decided."""
    cell = Cell(value)
    if own is not None and math.isfinite(own.low) and math.isfinite(own.high):
        top = math.inf if column.ranks else 1.0  # few seeds may stretch an interval beyond what the measure can be
        cell = replace(cell, low=max(own.low, bottom), high=min(own.high, top))
    return (
        cell
        if decision is None
        else replace(cell, versus=decision.versus, p=decision.p, not_below=decision.not_below, models=decision.models)
    )


def _notes(
    arms: Sequence[Arm], benchmark: str, columns: Sequence[Column], resampled: bool, level: float
) -> tuple[str, ...]:
    """What is said below a table, without what results say of measures that it does not show."""
    counts = {key for arm in arms for run in arm.runs for key in run.benchmarks.get(benchmark, {}).get("counts", {})}
    unit = next((unit for unit in ("premises", "questions") if unit in counts), "paragraphs")
    notes = []
    if resampled:
        notes.append(
            f"{level:.0%} intervals: crossed bootstrap over seeds and {unit}. Values are means over seeds of "
            "macro averages over languages."
        )
    if any(len(arm.runs) == 1 and arm.runs[0].recipe for arm in arms) and resampled:
        notes.append(f"An arm with one seed has an interval over {unit} only: it does not show how far seeds differ.")
    missing = [arm.name for arm in arms if benchmark not in arm.benchmarks]
    if missing:
        notes.append(f"Not evaluated on {benchmark}: {', '.join(missing)}.")
    of_data = dict.fromkeys(
        note
        for arm in arms
        if benchmark in arm.benchmarks
        for run in arm.runs
        for note in run.benchmarks[benchmark].get("notes", [])
    )
    shown_here = {column.measure.partition("@")[0] for column in columns}
    elsewhere = [row.title.partition("@")[0] for row in known() if row.notes and row.base not in shown_here]
    return (*notes, *(note for note in of_data if not any(f" {title} " in note for title in elsewhere)))


def cell_text(cell: Cell | None, column: Column, *, with_interval: bool = True) -> str:
    """A cell in one line of plain text; a dash where there is nothing."""
    if cell is None:
        return "—"
    parts = [number(cell.value, column), interval(cell, column) if with_interval else "", cell.mark]
    return " ".join(part for part in parts if part)


def _name(row: Row) -> str:
    return f"{row.name} ({row.seeds} seeds)" if row.seeds > 1 else row.name


def to_markdown(table: Table, *, with_interval: bool = True) -> str:
    """A pipe table; the best value of a column is bold."""
    lines = [
        "| arm | " + " | ".join(column.title for column in table.columns) + " |",
        "|---|" + "---:|" * len(table.columns),
    ]
    best = [table.best(index) for index in range(len(table.columns))]
    for row in table.rows:
        cells = []
        for index, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True)):
            text = cell_text(cell, column, with_interval=with_interval)
            if cell is not None and row.name in best[index]:
                value = number(cell.value, column)
                text = f"**{value}**{text[len(value) :]}"
            cells.append(text)
        lines.append(f"| {escapes.markdown(_name(row))} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def notes_markdown(table: Table) -> str:
    """The sentences below a table as a list."""
    return "".join(f"- {escapes.markdown(note)}\n" for note in table.notes)


def to_csv(tables: Sequence[Table]) -> str:
    """One line an arm and column, with full precision: value, interval, verdict against the reference, corrected p,
    non-inferiority.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            "benchmark",
            "arm",
            "seeds",
            "setting",
            "measure",
            "value",
            "low",
            "high",
            "versus",
            "reference",
            "verdict",
            "p",
            "not_below",
            "margin",
            "models_verdict",
        ]
    )
    for table in tables:
        for row in table.rows:
            for cell, column in zip(row.cells, table.columns, strict=True):
                if cell is not None:
                    value, low, high, p = (
                        "" if x is None else repr(float(x)) for x in (cell.value, cell.low, cell.high, cell.p)
                    )
                    key = [table.benchmark, row.name, row.seeds, column.setting, column.measure]
                    margin = table.margin if cell.not_below else ""
                    against = [cell.versus, table.reference, cell.verdict, p, cell.not_below, margin]
                    against.append(cell.models_verdict)
                    writer.writerow([escapes.csv_cell(one) for one in (*key, value, low, high, *against)])
    return out.getvalue()


_SIGNS = {"▲": r"$^{+}$", "▼": r"$^{-}$", "△": r"$^{(+)}$", "▽": r"$^{(-)}$", "?": r"$^{?}$", "": ""}


def to_latex(table: Table) -> str:
    """A `tabular` with booktabs: intervals in small print, best values bold, + - ? for better, worse and undecided;
    notes as comments.
    """
    best = [table.best(index) for index in range(len(table.columns))]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(["arm", *(escapes.latex(column.title) for column in table.columns)]) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
        cells = []
        for index, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True)):
            if cell is None:
                cells.append("--")
                continue
            text = number(cell.value, column).replace(",", r"\,")
            text = (rf"\textbf{{{text}}}" if row.name in best[index] else text) + _SIGNS[cell.mark]
            if cell.low is not None and cell.high is not None:
                low, high = (number(end, column).replace(",", r"\,") for end in (cell.low, cell.high))
                text += rf" {{\scriptsize [{low}, {high}]}}"
            cells.append(text)
        lines.append(f"{escapes.latex(_name(row))} & {' & '.join(cells)} " + r"\\")
    signs = str.maketrans({"▲": "+", "▼": "-", "△": "(+)", "▽": "(-)"})
    notes = [escapes.latex_comment(note.translate(signs)) for note in table.notes]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", *notes]) + "\n"
