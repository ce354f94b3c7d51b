"""What a table may claim: comparisons corrected for their number, better, worse or undecided, and what is said below
the table.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from triglot.report.resampling import Contest
from triglot.report.runs import Arm
from triglot.stats import MARGIN, MIN_SEEDS, holm, not_below, verdict

ALPHA = 0.05
MARKS = {1: "▲", -1: "▼", 0: "?"}
OF_MODELS = {1: "△", -1: "▽", 0: "?"}  # decided of these very models, and not of the method that made them
WORDS = {1: "better", -1: "worse", 0: "undecided"}

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Decision:
    """What is said of an arm against the reference in one column.

    Attributes:
        p: that there is no difference, corrected.
        versus: 1 better, -1 worse, 0 undecided.
        not_below: `yes`, `no`, `undecided`; empty where the margin makes no sense (ranks, measures where less is
            better).
        models: the same as `versus`, and where that is undecided, what is decided of these very models, whatever other
            seeds would bring.
    """

    p: float
    versus: int
    not_below: str
    models: int = 0


def decide(
    contests: Mapping[Key, Contest], lower_is_better: Mapping[Key, bool], margins: Mapping[Key, bool], margin: float
) -> dict[Key, Decision]:
    """Decisions on all comparisons of a table. Those on a difference are one family for Holm's correction, those on the
    margin another.

    Args:
        contests: by arm and column.
        lower_is_better: of each.
        margins: whether the margin makes sense for it.
        margin: of non-inferiority.
    """
    keys = list(contests)
    corrected = dict(zip(keys, holm([contests[key].p for key in keys]).tolist(), strict=True))
    shares = [key for key in keys if margins[key]]
    below = dict(zip(shares, holm([contests[key].p_margin for key in shares]).tolist(), strict=True))
    trained = [key for key in keys if not math.isnan(contests[key].p_models)]
    of_models = dict(zip(trained, holm([contests[key].p_models for key in trained]).tolist(), strict=True))
    found = {}
    for key in keys:
        value, few = contests[key].difference.value, contests[key].few
        versus = verdict(value, corrected[key], few=few, lower_is_better=lower_is_better[key], alpha=ALPHA)
        said = not_below(value, below[key], margin, few=few, alpha=ALPHA) if key in below else ""
        models = versus
        if not versus and key in of_models:
            models = verdict(value, of_models[key], lower_is_better=lower_is_better[key], alpha=ALPHA)
        found[key] = Decision(corrected[key], versus, said, models)
    return found


def margin_of(arms: Sequence[Arm], reference: str) -> float:
    """The margin in the recipe of the reference; the usual one where it has no recipe."""
    found = [run.settings for arm in arms if arm.name == reference for run in arm.runs if run.settings]
    return float(found[0].get("margin", MARGIN)) if found else MARGIN


def points(margin: float) -> str:
    """`0.5 points`: a share of 1 as points of 100."""
    return f"{100 * margin:.4g} point{'' if margin == 0.01 else 's'}"


def notes(
    decisions: Mapping[tuple[str, int], Decision],
    titles: Sequence[str],
    arms: Sequence[Arm],
    reference: str,
    margin: float,
) -> list[str]:
    """Sentences below a table: what the marks mean, what was corrected, non-inferiority, and who has too few seeds.

    Args:
        decisions: by arm and index of the column.
        titles: of the columns.
        arms: of the table.
        reference: the arm that the others are compared with.
        margin: of non-inferiority.
    """
    if not decisions:
        return []
    family = f"Holm's correction for the {len(decisions)} comparison{'s' if len(decisions) > 1 else ''} of this table"
    marks = ", ".join(f"{MARKS[sign]} {WORDS[sign]}" for sign in (1, -1, 0))
    said = [
        f"{marks}, against {reference}: two-sided tests of the differences at {ALPHA:.0%}, with {family}. "
        "Intervals are not corrected."
    ]
    few = [
        arm
        for arm in arms
        if arm.runs[0].recipe
        and len(arm.runs) < MIN_SEEDS
        and (arm.name == reference or any(n == arm.name for n, _ in decisions))
    ]
    why = []
    if few:
        listed = ", ".join(f"{arm.name} ({len(arm.runs)})" for arm in few)
        why.append(f"with fewer than {MIN_SEEDS} seeds: {listed}")
    enough = [arm.name for arm in arms if arm not in few and _of_models_alone(decisions, arm.name)]
    if enough and reference not in [arm.name for arm in few]:
        why.append(f"where seeds differ too much to tell: {', '.join(enough)}")
    if why:
        said.append(
            f"{OF_MODELS[1]} better, {OF_MODELS[-1]} worse: these very models, on questions like these. What that says "
            f"of how they were trained is undecided {'; '.join(why)}."
        )
    below = [
        _below([(titles[i], one.not_below) for (n, i), one in decisions.items() if n == arm.name and one.not_below])
        for arm in arms
    ]
    listed = "; ".join(f"{arm.name}: {text}" for arm, text in zip(arms, below, strict=True) if text)
    if listed and any(one.not_below not in ("", "undecided") for one in decisions.values()):
        count = sum(bool(one.not_below) for one in decisions.values())
        said.append(
            f"Not below {reference} by more than {points(margin)} (the recipe's margin, Holm's correction for "
            f"{count}): {listed}."
        )
    return said


def _of_models_alone(decisions: Mapping[tuple[str, int], Decision], arm: str) -> list[int]:
    """Columns where something is decided of the models of an arm, and nothing of its method."""
    return [column for (name, column), one in decisions.items() if name == arm and one.models and not one.versus]


def _below(answers: Sequence[tuple[str, str]]) -> str:
    """`yes (monolingual, multilingual), undecided (cross-lingual)`."""
    groups: dict[str, list[str]] = {}
    for title, answer in answers:
        groups.setdefault(answer, []).append(title)
    return ", ".join(
        f"{answer} ({', '.join(groups[answer])})" for answer in ("yes", "undecided", "no") if answer in groups
    )
