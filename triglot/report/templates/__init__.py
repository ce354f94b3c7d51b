"""The templates of the report: `page.html` and one file a section, filled by `triglot.report.html`; macros in
`tables.html`, and in `page.js` what a reader can do with tables and figures."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from triglot.report.glossary import parts_of
from triglot.report.plots import ARMS
from triglot.report.tables import number


def amount(value: float) -> str:
    """A count without decimals; a small mean with one."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def figure(value: float) -> str:
    """A share with three decimals, a rank or a count without."""
    return f"{value:,.0f}" if abs(value) >= 5 else f"{value:.3f}"


def whole(text: str) -> str:
    """A sentence whose figures stay with their per cent signs."""
    return text.replace(" %", "\xa0%")


def coded(text: str) -> Markup:
    """A sentence of a registry as HTML, where backticks set code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _style() -> str:
    return resources.files("triglot.report.templates").joinpath("style.css").read_text(encoding="utf-8")


def colours(*names: str) -> str:
    """The colours of the page by these names, for light and for dark, as a style sheet of their own."""
    light, dark = re.findall(r":root \{(.*?)\}", _style(), re.DOTALL)[:2]
    told = [
        "".join(f"--{name}: {found[1]}; " for name in names if (found := re.search(rf"--{name}: ([^;]+);", part)))
        for part in (light, dark)
    ]
    return f":root {{ {told[0]}}} @media (prefers-color-scheme: dark) {{ :root {{ {told[1]}}} }}"


def alone() -> str:
    """The style sheet of a figure that stands in a file of its own, since no page gives it colours and a font."""
    return (
        f"{colours('ink', 'rule', 'paper', *(f'arm-{n}' for n in range(len(ARMS))))} text {{ font-family: sans-serif }}"
    )


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
    templates.filters |= {
        "number": number,
        "amount": amount,
        "figure": figure,
        "whole": whole,
        "coded": coded,
        "parts": parts_of,
    }
    templates.globals["style"] = Markup(_style())
    templates.globals["script"] = Markup(templates.get_template("page.js").render(alone=alone()))
    return templates
