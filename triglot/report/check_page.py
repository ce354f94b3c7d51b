"""The page of `triglot check`: the verdict, a picture of the languages that rankings have, and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from triglot.check.run import Check
from triglot.check.verdict import Verdict, measure
from triglot.report.bias import composition
from triglot.report.heatmap import language_name
from triglot.report.plots import in_both
from triglot.report.templates import environment


def to_html(model: str, found: Sequence[tuple[Check, Verdict]]) -> str:
    """One page for the checks of a model, with nothing outside of it."""
    parts = [
        {
            "check": check,
            "verdict": verdict,
            "picture": Markup(_picture(check, number)),
            "figures": _figures(check),
            "trials": [f"{strength:g}" for strength in check.trials],
        }
        for number, (check, verdict) in enumerate(found)
    ]
    name = Path(model).name or model
    return environment().get_template("check.html").render(model=name, parts=parts)


def _picture(check: Check, number: int) -> str:
    """Bars of the languages in the first passages, one for each query language."""
    if not check.shares:
        return ""
    names = {code: f"{language_name(code)} ({code})" for code in check.shares}
    bars = {f"asked in {names[code]}": shares for code, shares in check.shares.items()}
    label = "Languages of the first ten texts, by the language of the question"
    own = {f"asked in {names[code]}": code for code in check.shares}
    return in_both(
        lambda prefix, space: composition(bars, label=label, prefix=prefix, own=own, space=space), f"check-{number}"
    )


def _figures(check: Check) -> list[dict[str, object]]:
    """Rows of the table: a measure, what it means, its figure, and the figures on trial."""
    return [
        {
            "title": measure(name).title,
            "meaning": measure(name).help,
            "value": _number(value),
            "trials": [_number(trial[name]) if name in trial else "" for trial in check.trials.values()],
        }
        for name, value in check.measures.items()
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 5 else f"{value:.3f}"
