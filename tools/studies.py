"""The sections of studies in docs/results.md, made of the reports in docs/reports and never typed.

python -m tools.studies                       # the sections
python -m tools.studies --write               # puts them into docs/results.md, between its two marks
python -m tools.studies --add STUDY...        # first takes over the report.json of finished study folders
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from tools import page
from triglot.report.index_page import claims_table, read_report
from triglot.report.story import figure

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, REPORTS = DOCS / "results.md", DOCS / "reports"
SIZES = ("full", "cpu", "smoke")
_LEFT_OUT = ("seen", "differences", "changes", "warnings", "commands")  # in the report itself


def add(folder: Path) -> Path:
    """Take over the report of a study folder; the file that was written."""
    found = read_report(folder)
    kept = {key: value for key, value in found.items() if key not in _LEFT_OUT}
    out = f"runs/{found['name']}-{found['size']}"
    kept["command"] = anywhere(kept["command"], out)
    if "command" in kept.get("study", {}):
        kept["study"] = {**kept["study"], "command": kept["command"]}
    REPORTS.mkdir(exist_ok=True)
    path = REPORTS / f"{found['name']}-{found['size']}.json"
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path


def anywhere(command: str, out: str) -> str:
    """A command as a reader would type it: without the folders of the machine that ran it. A copy of a model goes by
    its hub name, which the study has."""
    words = [word for word in shlex.split(command) if not word.startswith("encoder.model=/")]
    words = ["data=../shared/data" if word.startswith("data=/") else word for word in words]
    if "--out" in words:
        words[words.index("--out") + 1] = out
    return shlex.join(words)


def reports() -> list[dict[str, Any]]:
    """The reports, the largest size first, then by name."""
    found = [read_report(path) for path in sorted(REPORTS.glob("*.json"))]
    known = {size: place for place, size in enumerate(SIZES)}
    return sorted(found, key=lambda one: (known.get(one["size"], len(SIZES)), one["name"]))


def _cell(found: dict[str, Any] | None) -> str:
    if found is None:
        return "—"
    ends = f" [{figure(found['low'])}, {figure(found['high'])}]" if "low" in found and "high" in found else ""
    return f"{figure(found['value'])}{ends}"


def figures(table: dict[str, Any]) -> str:
    """The main table of a benchmark: a row an arm."""
    columns = dict.fromkeys(
        (setting, measure)
        for row in table["rows"]
        for setting, cells in row.items()
        if isinstance(cells, dict)
        for measure in cells
        if not setting.startswith("majority")
    )
    heads = " | ".join(f"{setting} {measure}" for setting, measure in columns)
    lines = [f"| arm | seeds | {heads} |", "|---|---:|" + "---:|" * len(columns)]
    for row in table["rows"]:
        cells = [_cell(row.get(setting, {}).get(measure)) for setting, measure in columns]
        lines.append(f"| {row['arm']} | {row['seeds']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def under_attack(attacks: dict[str, dict[str, Any]]) -> str:
    """The first measure of each setting under each attack: a row an arm."""
    rows: dict[str, dict[str, str]] = {}
    for name, table in attacks.items():
        for row in table["rows"]:
            for setting, cells in row.items():
                if isinstance(cells, dict) and not setting.startswith("majority"):
                    measure = next(iter(cells))
                    rows.setdefault(row["arm"], {})[f"{name}: {setting} {measure}"] = _cell(cells[measure])
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    lines = [f"| arm | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {arm} | {' | '.join(cells.get(column, '—') for column in columns)} |" for arm, cells in rows.items()]
    return "\n".join(lines)


def section(one: dict[str, Any]) -> str:
    """Question, answer, claims and, but for the smallest size, main tables of a study."""
    parts = [f"### {one['name']}, {one['size']}", f"```sh\n{one['command']}\n```"]
    parts.append(f"**{one['question']}** {' '.join(one['answer'])}")
    parts += [f"What would change it: {one['would_change']}"] if one.get("would_change") else []
    parts += ["\n".join(f"- {note}" for note in [*one.get("notes", []), *one.get("left_out", [])])]
    parts.append(claims_table(one["claims"]))
    for name, table in one["benchmarks"].items() if one["size"] != "smoke" else ():  # which shows that the way works
        parts += [f"{name}:", figures(table)]
    if one["size"] != "smoke" and one.get("attacks"):
        parts += ["Under attack:", under_attack(one["attacks"])]
    return "\n\n".join(part for part in parts if part)


def table() -> str:
    """All sections."""
    return "\n" + "\n\n".join(map(section, reports())) + "\n\n"


def placed(text: str) -> str:
    """The page's text with the sections of today."""
    return page.placed(text, "studies", table())


if __name__ == "__main__":
    if "--add" in sys.argv:
        for name in sys.argv[sys.argv.index("--add") + 1 :]:
            if not name.startswith("-"):
                print(add(Path(name)))
        sys.argv.append("--write")
    page.main(PAGE, "studies", table)
