"""The page of `triglot check`: the verdict, a picture of the languages that rankings have, and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from triglot.check.run import POOL, Check
from triglot.check.verdict import Verdict, measure
from triglot.report.bias import composition
from triglot.report.heatmap import language_name
from triglot.report.plots import MEDIUM
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
    names = {code: f"{language_name(code)} ({code})" for code in check.shares}
    pool = {code: found[POOL] for code, found in check.by_language.items() if POOL in found}
    return composition(
        {names[code]: shares for code, shares in check.shares.items()},
        label="Languages of the first ten texts, by the language of the question",
        prefix=f"check-{number}",
        own={name: code for code, name in names.items()},
        pool=pool,
        space=MEDIUM,
    )


def _figures(check: Check) -> list[dict[str, object]]:
    """Rows of the table: a measure, what it means, its figure, and the figures on trial."""
    return [
        {
            "title": measure(name).title,
            "meaning": measure(name).help,
            "found": [value, *(trial.get(name) for trial in check.trials.values())],
        }
        for name, value in check.measures.items()
    ]
