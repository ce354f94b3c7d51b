"""The templates of the report: `page.html` and one file a section, filled by `triglot.report.html`; macros in
`tables.html`."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from triglot.report.tables import number


def amount(value: float) -> str:
    """A count without decimals; a small mean with one."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


@cache
def environment() -> Environment:
    """Templates that escape whatever they are given, and fail on names that they were not given."""
    templates = Environment(
        loader=PackageLoader("triglot.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"number": number, "amount": amount}
    style = resources.files("triglot.report.templates").joinpath("style.css").read_text(encoding="utf-8")
    templates.globals["style"] = Markup(style)
    return templates
