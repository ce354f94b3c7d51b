"""A page over several studies: what each asks, what it answers, and the state of every claim."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from triglot.escapes import markdown
from triglot.extras import named
from triglot.files import InputError, read_json, write_json, write_text
from triglot.report.story import p_value, signed
from triglot.shapes import shaped, strict


@strict
class ClaimLine(TypedDict):
    """A claim in report.json."""

    id: str
    statement: str
    verdict: str
    models_verdict: str
    effect: float | None
    low: float | None
    high: float | None
    p: float | None
    what: str
    why: str
    runs: list[str]


@strict
class StudyReport(TypedDict):
    """What report.json says of a study with a question."""

    name: str
    size: str
    question: str
    answer: list[str]
    claims: list[ClaimLine]
    would_change: NotRequired[str]
    notes: NotRequired[list[str]]


def read_report(path: str | Path) -> dict[str, Any]:
    """The report.json of a study folder, or such a file. Raises InputError where it is none, or has no claims."""
    place = Path(path)
    place = place / "report.json" if place.is_dir() else place
    if not place.is_file():
        raise InputError(f"{path}: no report.json here; the folder of a finished study was expected")
    found = read_json(place)
    if not isinstance(found, dict) or "claims" not in found:
        raise InputError(f"{place}: the report of a recipe, which has no claims; a study's was expected")
    shaped(found, StudyReport, str(place))
    return found


def effect_of(claim: dict[str, Any]) -> str:
    """The effect of a claim; a dash where there is none."""
    return signed(claim["effect"], claim["low"], claim["high"])


def to_markdown(found: Sequence[dict[str, Any]], links: Sequence[str] = ()) -> str:
    """Each study as a section: question, answer, ledger."""
    parts = []
    for number, one in enumerate(found):
        title = f"{one['name']}, {one['size']}"
        parts.append(f"## {markdown(title)}")
        parts.append(f"**{markdown(one['question'])}** {' '.join(map(markdown, one['answer']))}")
        if links and links[number]:
            parts.append(f"[The whole report]({links[number]})")
        parts.append(claims_table(one["claims"]))
    return "\n\n".join(parts) + "\n"


def claims_table(claims: Sequence[dict[str, Any]]) -> str:
    """The ledger as a pipe table."""
    lines = ["| claim | verdict | of these very models | effect | p | by |", "|---|---|---|---:|---:|---|"]
    for claim in claims:
        by = claim["why"] if claim["effect"] is None else claim["what"]
        cells = [markdown(claim["statement"]), f"**{claim['verdict']}**", claim["models_verdict"], effect_of(claim)]
        lines.append(f"| {' | '.join([*cells, p_value(claim['p']), markdown(by)])} |")
    return "\n".join(lines)


def write_index(folders: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write index.html, index.md and index.json over study folders.

    Args:
        folders: of finished studies.
        out: folder for the page.

    Returns:
        the content of index.json.
    """
    with named():
        from triglot.report.templates import environment
    found = [read_report(folder) for folder in folders]
    links = [_link(folder, out) for folder in folders]
    keys = ("name", "size", "question", "answer", "claims")
    content = {"schema": 1, "studies": [{key: one[key] for key in keys} for one in found]}
    counts: dict[str, int] = {}
    for claim in (claim for one in found for claim in one["claims"]):
        counts[claim["verdict"]] = counts.get(claim["verdict"], 0) + 1
    studies = [
        {
            **one,
            "link": link,
            "rows": [{**claim, "shown": effect_of(claim), "tested": p_value(claim["p"])} for claim in one["claims"]],
        }
        for one, link in zip(content["studies"], links, strict=True)
    ]
    page = environment().get_template("index.html").render(studies=studies, counts=counts)
    text = "# Studies and their claims\n\n" + to_markdown(found, links)
    write_json(out / "index.json", content)
    write_text(out / "index.md", text)
    write_text(out / "index.html", page)
    return content


def _link(folder: Path, out: Path) -> str:
    """Where a study's page lies, seen from the index."""
    page = (folder if folder.is_dir() else folder.parent) / "report.html"
    return Path(os.path.relpath(page, out)).as_posix() if page.is_file() else ""
