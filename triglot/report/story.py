"""What a study is about, and what came of it: its question, the answer in two sentences, the ledger, curves over what
was varied, and the commands that made it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triglot.measures import find
from triglot.names import check_name
from triglot.report.ledger import Entry, Outcome
from triglot.stats import MIN_SEEDS

if TYPE_CHECKING:
    from triglot.report.tables import Table


@dataclass(frozen=True)
class Axis:
    """Arms that differ in one number, to be drawn as a curve.

    Attributes:
        title: of the figure.
        x: below the panels: what the number is.
        arms: arm -> its number.
    """

    title: str
    x: str
    arms: Mapping[str, float]

    def __post_init__(self) -> None:
        for arm in self.arms:
            check_name("arm", arm, "curves.arms")


@dataclass(frozen=True)
class Story:
    """A study as its report tells it.

    Attributes:
        name, size: of the study.
        question: that it asks.
        ledger: its claims with their verdicts; the first is the one that answers the question.
        would_change: what would change the answer.
        notes: what a reader must know of this size: data that were made, models that have seen a benchmark.
        axes: to draw.
        commands: each run as one command.
        left_out: runs that a budget had no time for.
    """

    name: str
    size: str
    question: str
    ledger: tuple[Entry, ...]
    would_change: str = ""
    notes: tuple[str, ...] = ()
    axes: tuple[Axis, ...] = ()
    commands: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def answer(self) -> tuple[str, ...]:
        """Two sentences with figures: what became of the first claim, and of the others."""
        if not self.ledger:
            return ()
        main = self.ledger[0]
        opening = {1: "Yes", -1: "No"}.get(main.versus, _of_models(main))
        first = f"{opening}: {told(main)}."
        return (first, *([_others(self.ledger[1:])] if len(self.ledger) > 1 else []))

    def plain(self) -> dict[str, Any]:
        """For report.json."""
        return {
            "name": self.name,
            "size": self.size,
            "question": self.question,
            "answer": list(self.answer),
            "would_change": self.would_change,
            "notes": list(self.notes),
            "claims": [entry.plain() for entry in self.ledger],
            "commands": list(self.commands),
            "left_out": list(self.left_out),
        }


def _of_models(entry: Entry) -> str:
    words = {1: "of these very models yes", -1: "of these very models no", 0: "nothing is decided"}
    return f"Undecided of the method, {words[entry.models]}" if entry.models or _few(entry) else "Undecided"


def _few(entry: Entry) -> bool:
    return any(one.few for one in entry.outcomes)


def told(entry: Entry) -> str:
    """`hybrid .508 against x-x .423 ...: +.085 [.060, .110], p < .001`, of the part on which the verdict hangs."""
    main = entry.deciding
    if main.effect is None:
        return f"{main.why or main.what}"
    if main.p is None:
        return main.what
    return f"{main.what}: {figure(main.value)} to {figure(main.other)}, {effect(main)}, {p_value(main.p)}"


def figure(value: float | None) -> str:
    """A share with three decimals, a rank or a count without."""
    if value is None:
        return "—"
    return f"{value:,.0f}" if abs(value) >= 5 else f"{value:.3f}"


def effect(outcome: Outcome) -> str:
    """The effect of a part; a dash where there is none."""
    return signed(outcome.effect, outcome.low, outcome.high)


def signed(value: float | None, low: float | None, high: float | None) -> str:
    """`+0.085 [0.060, 0.110]`; a dash where there is none."""
    if value is None:
        return "—"
    ends = "" if low is None or high is None else f" [{figure(low)}, {figure(high)}]"
    return f"{'+' if value > 0 else ''}{figure(value)}{ends}"


def p_value(p: float | None) -> str:
    """`p = 0.012`; small ones as `p < 0.001`."""
    if p is None:
        return "counted"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _others(ledger: Sequence[Entry]) -> str:
    """`Of the 5 other claims 2 hold (a, b), 1 does not (c), 2 are undecided (d; of these very models holds: e).`"""
    groups: dict[str, list[str]] = {}
    for entry in ledger:
        word = {1: "holds", -1: "does not hold", 0: "undecided"}[entry.versus]
        if not entry.versus and entry.models:
            word = f"undecided, of these very models {entry.models_verdict}"
        groups.setdefault(word, []).append(entry.claim.id)
    parts = [f"{word}: {', '.join(names)}" for word, names in groups.items()]
    return f"Of the other {len(ledger)} claim{'s' if len(ledger) > 1 else ''}: {'; '.join(parts)}."


def few_seeds(story: Story) -> str:
    """The sentence below a ledger in which something is undecided for want of seeds; empty where nothing is."""
    if not any(_few(entry) for entry in story.ledger):
        return ""
    return (
        f"With fewer than {MIN_SEEDS} seeds nothing is decided of a method. The column beside the verdict says what is "
        "decided of these very models, on questions like these (a permutation test over paragraphs)."
    )


def panels(story: Story, tables: Mapping[str, Sequence[Table]]) -> list[tuple[Axis, dict[str, list[tuple]]]]:
    """Each axis with its panels: title -> (number, value, low, high) of the arms, in the order of the numbers.

    Args:
        story: with axes.
        tables: benchmark -> its tables.
    """
    found = []
    for axis in story.axes:
        drawn: dict[str, list[tuple]] = {}
        for name, those in tables.items():
            for table in those:
                rows = {row.name: row for row in table.rows}
                for place, column in enumerate(table.columns):
                    if column.setting.startswith("majority") or not _drawn(column.measure):
                        continue
                    points = [
                        (number, cell.value, cell.low, cell.high)
                        for arm, number in sorted(axis.arms.items(), key=lambda pair: pair[1])
                        if arm in rows and (cell := rows[arm].cells[place]) is not None
                    ]
                    if len(points) > 1:
                        drawn.setdefault(f"{name}: {column.title}", points)
        if drawn:
            found.append((axis, drawn))
    return found


def _drawn(measure: str) -> bool:
    return measure == "lost" or find(measure).main or measure in ("map", "rank_distance", "ndcg@10", "accuracy")
