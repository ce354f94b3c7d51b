"""The report as one HTML file that needs nothing else: no network, no script, readable on paper and without colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

import numpy as np

from triglot.evaluate.bias.summary import TOP
from triglot.report.bias import mean_shares
from triglot.report.content import FIGURES, OTHERS, Content, Seen, findings
from triglot.report.curves import bias_bars, bias_figures, training_curves
from triglot.report.heatmap import heat_map, language_name, matrix
from triglot.report.robustness import lost
from triglot.report.tables import Cell, Column, Row, Table, interval, number

NONE = '<td class="none"><span aria-label="no figure">—</span></td>'


def _th(text: str, scope: str = "col", kind: str = "") -> str:
    return f'<th scope="{scope}"{f" class={kind}" if kind else ""}>{text}</th>'


def _row(name: str, cells: Iterable[str], kind: str = "") -> str:
    """`name` and `cells` are HTML."""
    return f"<tr{f' class={kind}' if kind else ''}>{_th(name, 'row')}{''.join(cells)}</tr>"


def _table(caption: str, head: Sequence[str], rows: Iterable[str]) -> str:
    """A table in the manner of print; everything is HTML already."""
    columns = "".join(text if text.startswith("<th") else _th(text) for text in head)
    parts = [f"<caption>{caption}</caption>", f"<thead><tr>{columns}</tr></thead>", "<tbody>", *rows, "</tbody>"]
    kind = "book" if len(head) <= 8 else "book dense"
    return f'<div class="scroll"><table class="{kind}">' + "\n".join(parts) + "</table></div>"


def _details(summary: str, inside: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>" if inside else ""


def _section(identifier: str, title: str, parts: Iterable[str]) -> str:
    inside = "\n".join(part for part in parts if part)
    return f'<section id="{identifier}"><h2>{escape(title)}</h2>\n{inside}</section>' if inside else ""


def _list(sentences: Sequence[str]) -> str:
    return '<ul class="plain">' + "".join(f"<li>{escape(text)}</li>" for text in sentences) + "</ul>" if sentences else ""


def _figure_cell(cell: Cell | None, column: Column, best: bool, reference: str) -> str:
    if cell is None:
        return NONE
    said = {"better": f"better than {reference}", "worse": f"worse than {reference}"}.get(cell.verdict, f"undecided against {reference}")
    mark = f'<span class="mark" role="img" aria-label="{escape(said)}">{cell.mark}</span>' if cell.mark else ""
    between = interval(cell, column).strip("[]").replace(", ", "–")
    low_high = f'<span class="interval">{between}</span>' if between else ""
    return f'<td{" class=best" if best else ""}>{mark}<span class="value">{number(cell.value, column)}</span>{low_high}</td>'


def _arm_name(row: Row, content: Content) -> str:
    place = [arm.name for arm in content.arms].index(row.name)
    swatch = f'<span class="swatch" style="border-color:var(--arm-{place % 8})" aria-hidden="true"></span>'
    return swatch + escape(row.name) + (f'<span class="seeds">{row.seeds} seeds</span>' if row.seeds > 1 else "")


def comparison(table: Table, content: Content, caption: str) -> str:
    """The arms side by side; a rule parts the baselines from what was trained."""
    best = [table.best(index) for index in range(len(table.columns))]
    trained = {arm.name for arm in content.arms if arm.runs[0].recipe}
    rows, before = [], ""
    for row in table.rows:
        cells = [
            _figure_cell(cell, column, row.name in best[index], table.reference)
            for index, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True))
        ]
        begins = bool(before) and row.name in trained and before not in trained
        rows.append(_row(_arm_name(row, content), cells, "first" if begins else ""))
        before = row.name
    return _table(caption, ["", *(escape(column.title) for column in table.columns)], rows)


def _results(content: Content) -> str:
    parts = []
    for name, table in content.tables.items():
        counts = next(run.benchmarks[name]["counts"] for arm in content.arms for run in arm.runs if name in run.benchmarks)
        size = ", ".join(f"{counts[key]:,} {key}" for key in ("queries", "passages", "items") if key in counts)
        caption = f"<b>{escape(name)}.</b> {size}. Bold: the best of a column. For rank distance and Max@R lower is better."
        parts.append(comparison(table, content, caption))
        parts += [f'<p class="note">{escape(note)}</p>' for note in table.notes]
        said = findings(table)
        parts.append("<h3>What the table says</h3>" + _list(said) if said else "")
        others = [comparison(other, content, f"<b>{escape(name)}</b>") for other in content.more[name]]
        parts.append(_details(f"Other measures on {name}", f'<p class="note">{OTHERS}</p>{"".join(others)}' if others else ""))
        parts.append(_micro(content, name))
    return _section("results", "Results in the three settings", parts)


def _micro(content: Content, benchmark: str) -> str:
    rows = []
    for arm in content.arms:
        entries = [run.benchmarks[benchmark].get("micro", {}) for run in arm.runs if benchmark in run.benchmarks]
        found = [[entry.get(setting, {}).get("map") for entry in entries] for setting in ("mono", "cross", "multi")]
        if any(value is not None for values in found for value in values):
            rows.append(_row(escape(arm.name), [f"<td>{np.mean(values):.3f}</td>" if None not in values else NONE for values in found]))
    caption = "Every query counts the same; in the tables above every language, or ordered pair of languages, does."
    head = ["", "Monolingual mAP", "Cross-lingual mAP", "Multilingual mAP"]
    return _details(f"Micro averages on {benchmark}", _table(caption, head, rows)) if rows else ""


_DISTANCE = (
    "how many ranks lie between the first and the last of the parallel answers to a question, in the pool of all languages. "
    "A model to which the language means nothing has them side by side. Thin lines: intervals."
)


def _bias(content: Content) -> str:
    parts = []
    for place, (name, table) in enumerate(content.tables.items()):
        if any(column.measure == "rank_distance" for column in table.columns):
            figure = bias_bars(table, content, f"b{place}")
            parts.append(f"<figure><figcaption>Rank distance on {escape(name)}: {_DISTANCE}</figcaption>{figure}</figure>")
        bias = content.bias.get(name)
        if bias is not None and len(bias.columns) > 2:
            parts.append(comparison(bias, content, f"<b>{escape(name)}</b>: all measures of bias. Bold: the best of a column."))
        figures = bias_figures(content, name, f"f{place}")
        parts += [f"<figure><figcaption>{escape(caption)}</figcaption>{svg}</figure>" for caption, svg in figures]
        if any(column.measure == "rank_distance" for column in table.columns):
            parts.append(_bias_by_language(content, name))
        parts.append(_shares(content, name))
    return _section("bias", "Language bias", parts)


def _shares(content: Content, benchmark: str) -> str:
    """Heat maps of the languages of the top of rankings, one an arm."""
    found = [(arm.name, *mean_shares(arm, benchmark)) for arm in content.arms if benchmark in arm.benchmarks]
    found = [(name, codes, values) for name, codes, values in found if codes]
    if not found:
        return ""
    top = max(float(np.nanmax(values)) for _, _, values in found)
    maps = "\n".join(heat_map(name, codes, np.column_stack([values, np.full(len(codes), np.nan)]), top) for name, codes, values in found)
    told = f"Share of the first {TOP} passages of the pool by the language of the query (rows) and of the passages (columns)."
    return _details(f"Languages of the first {TOP} on {benchmark}", f'<p class="note">{told}</p><div class="maps">{maps}</div>')


def _bias_by_language(content: Content, benchmark: str) -> str:
    found = {
        arm.name: [run.languages(benchmark).get("bias", {}) for run in arm.runs] for arm in content.arms if benchmark in arm.benchmarks
    }
    found = {name: runs for name, runs in found.items() if all(runs)}
    codes = list(dict.fromkeys(code for runs in found.values() for run in runs for code in run))
    rows = []
    for name, runs in found.items():
        cells = [[run[code]["rank_distance"] for run in runs if code in run] for code in codes]
        rows.append(_row(escape(name), [f"<td>{np.mean(cell):,.0f}</td>" if cell else NONE for cell in cells]))
    head = ["", *(f'<abbr title="{escape(language_name(code))}">{escape(code)}</abbr>' for code in codes)]
    caption = f"<b>{escape(benchmark)}</b>: rank distance for questions in each language"
    return _details("Rank distance by query language", _table(caption, head, rows)) if codes else ""


_LOST = (
    "mAP lost to {} by the language of the question (rows) and of the passages (columns), mean over seeds. Framed: both in one language. "
    "<i>pool</i>: the passages of all languages together. Colours have one scale, from 0 to {:.2f}."
)
_ATTACK = {
    "jaccard@10": "shared first ten",
    "rbo@10": "overlap of the first ten (RBO)",
    "changed": "questions changed",
    "drift": "drift (1 - cosine)",
    "calls": "model calls a question",
}


def _robustness(content: Content) -> str:
    parts = []
    for base, tables in content.attacks.items():
        for table in tables:
            parts.append(comparison(table, content, f"<b>{escape(table.benchmark)}</b>: clean less attacked mAP is what was lost."))
            parts += [f'<p class="note">{escape(note)}</p>' for note in table.notes]
            found = [(arm.name, *lost(arm, base, table.benchmark)) for arm in content.arms if table.benchmark in arm.benchmarks]
            found = [one for one in found if len(one[1])]
            if found:
                top = max(float(np.nanmax(values)) for _, _, values in found)
                maps = "\n".join(heat_map(name, codes, values, top) for name, codes, values in found)
                told = _LOST.format(escape(table.benchmark.partition("+")[2]), top)
                parts.append(_details(f"Lost by language, {table.benchmark}", f'<p class="note">{told}</p><div class="maps">{maps}</div>'))
            parts.append(_overlap(content, table.benchmark))
    return _section("robustness", "Robustness", parts)


def _overlap(content: Content, name: str) -> str:
    """How far attacked rankings and vectors are from the clean ones."""
    rows = []
    for arm in content.arms:
        if name in arm.benchmarks:
            entries = [run.benchmarks[name]["robustness"] for run in arm.runs]
            found = [[entry.get(key) for entry in entries] for key in _ATTACK]
            cells = [NONE if None in values else f"<td>{np.mean([v for v in values if v is not None]):.3f}</td>" for values in found]
            rows.append(_row(escape(arm.name), cells))
    return _details(f"Rankings and vectors under {name}", _table("Mean over questions and seeds.", ["", *_ATTACK.values()], rows))


def _maps(content: Content) -> str:
    parts = []
    for benchmark in content.tables:
        classified = any(column.setting in ("classification", "generalised") for column in content.tables[benchmark].columns)
        measure = "accuracy" if classified else "map"
        found = [(arm.name, *matrix(arm, benchmark, measure)) for arm in content.arms if benchmark in arm.benchmarks]
        found = [(name, codes, values) for name, codes, values in found if len(codes) and not np.isnan(values).all()]
        if not found:
            continue
        top = max(float(np.nanmax(values)) for _, _, values in found)
        maps = "\n".join(heat_map(name, codes, values, top) for name, codes, values in found)
        shown = "mAP on {} by the language of the query (rows) and of the passages (columns). "
        pool = "<i>pool</i>: the passages of all languages together. "
        if classified:
            shown, pool = "Accuracy on {} by the language of the first text (rows: premise, question) and of the second (columns). ", ""
        parts.append(
            f"<p>{shown.format(escape(benchmark))}Framed: both in one language. {pool}Colours have one scale, from 0 to {top:.2f}.</p>"
        )
        parts.append(f'<div class="maps">{maps}</div>')
    return _section("languages", "Language by language", parts)


def _training(content: Content) -> str:
    figures = training_curves(content)
    return _section(
        "training", "Training", [f"<figure><figcaption>{escape(caption)}</figcaption>{svg}</figure>" for caption, svg in figures]
    )


def _amount(value: float) -> str:
    return f"<td>{value:,.0f}</td>" if value >= 100 or value == int(value) else f"<td>{value:.1f}</td>"


def _seen(content: Content) -> str:
    keys = [key for key in FIGURES if any(key in seen.figures for seen in content.seen)]
    rows = []
    for seen in content.seen:
        cells = [
            f'<td class="left">{escape(seen.stage)}</td>',
            *(_amount(seen.figures[key]) if key in seen.figures else NONE for key in keys),
        ]
        share = NONE if seen.same_language is None else f"<td>{seen.same_language:.1%}</td>"
        rows.append(_row(escape(seen.arm), [*cells, share]))
    caption = "Means over seeds. <i>Same language</i>: share of training pairs whose two texts are in one language."
    head = ["", _th("stage", kind="left"), *(FIGURES[key] for key in keys), "same language"]
    parts = [_table(caption, head, rows)] if rows else []
    return _section("seen", "What each arm saw", [*parts, *(_pairs(seen) for seen in content.seen if seen.pairs)])


def _pairs(seen: Seen) -> str:
    """Pairs by source and languages, one matrix a source."""
    tables = []
    for source in dict.fromkeys(key[0] for key in seen.pairs):
        own = {key[1:]: count for key, count in seen.pairs.items() if key[0] == source}
        passages = sorted({passage for _, passage in own})
        rows = [
            _row(escape(query), [f"<td>{own.get((query, passage), 0):,.0f}</td>" for passage in passages])
            for query in sorted({query for query, _ in own})
        ]
        caption = f"<b>{escape(source)}</b>: pairs by language of the query (rows) and of the passage (columns)"
        tables.append(_table(caption, ["", *map(escape, passages)], rows))
    return _details(f"Pairs by language: {seen.arm}, {seen.stage}", "".join(tables))


def _settings(content: Content) -> str:
    recipes = {arm.name: arm.runs[0].recipe for arm in content.arms if arm.runs[0].recipe}
    parts = []
    if content.differences:
        rows = [
            _row(f"<code>{escape(key)}</code>", [f"<td>{escape(values[name])}</td>" for name in recipes])
            for key, values in content.differences.items()
        ]
        parts.append(
            _table("The arms differ in these settings and in no other (the seed aside).", ["setting", *map(escape, recipes)], rows)
        )
    parts += [_details(f"All settings of {name}", f"<pre><code>{escape(text)}</code></pre>") for name, text in recipes.items()]
    return _section("settings", "Settings", parts)


def _sources(content: Content) -> str:
    def pairs(title: str, found: Iterable[tuple[str, str]]) -> str:
        inside = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in found)
        return f"<h3>{title}</h3><dl>{inside}</dl>" if inside else ""

    warnings = "".join(f'<p class="warn">{escape(text)}</p>' for text in content.warnings)
    parts = [f"<h3>Warnings of the runs</h3>{warnings}" if warnings else ""]
    parts += [pairs("Licences of the data", content.licences.items()), pairs("Versions", content.versions.items())]
    return _section("sources", "Data, licences and versions", parts)


def _facts(content: Content) -> str:
    seeds = max((len(arm.runs) for arm in content.arms if arm.runs[0].recipe), default=0)
    listed = ", ".join(arm.name for arm in content.arms)
    return f"{len(content.arms)} arms: {listed}." + (f" {seeds} {'seeds' if seeds > 1 else 'seed'} an arm." if seeds else "")


def to_html(content: Content) -> str:
    """The whole page."""
    style = resources.files("triglot.report").joinpath("style.css").read_text(encoding="utf-8")
    sections = {
        ("results", "Results"): _results(content),
        ("bias", "Language bias"): _bias(content),
        ("robustness", "Robustness"): _robustness(content),
        ("languages", "Language by language"): _maps(content),
        ("training", "Training"): _training(content),
        ("seen", "What each arm saw"): _seen(content),
        ("settings", "Settings"): _settings(content),
        ("sources", "Data and versions"): _sources(content),
    }
    links = "".join(f'<li><a href="#{identifier}">{title}</a></li>' for (identifier, title), text in sections.items() if text)
    command = f'<p class="command"><code>{escape(content.command)}</code></p>' if content.command else ""
    body = "\n".join(text for text in sections.values() if text)
    version = escape(content.versions.get("triglot", ""))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Triglot">
<title>{escape(content.title)} · Triglot</title>
<style>
{style}</style>
</head>
<body>
<header class="page">
<p class="kicker">Triglot report</p>
<h1>{escape(content.title)}</h1>
<p class="facts">{escape(_facts(content))}</p>
{command}
<nav aria-label="Contents"><ul>{links}</ul></nav>
</header>
<main>
{body}
</main>
<footer><p>Made by Triglot {version} from the run folders beside this file. Per-query results are in their Parquet files.</p></footer>
</body>
</html>
"""
