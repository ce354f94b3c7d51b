from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report.synthetic import LANGUAGES, write_run
from triglot.files import read_json
from triglot.report import find_arms, write_report
from triglot.report.content import findings, gather
from triglot.report.heatmap import heat_map, matrix
from triglot.report.html import to_html
from triglot.report.tables import Cell, Column, Row, Table

VOID = {"meta", "link", "br", "hr", "img", "input", "path", "use", "rect", "line", "circle"}


class _Page(HTMLParser):
    """Checks that tags are balanced and collects what the tests ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "xlink:href"):
                self.links.append(value or "")
            if name in ("src", "href", "action", "data", "srcset") and value and not value.startswith("#"):
                self.outside.append(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def parse(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def page(study: Path) -> str:
    return to_html(
        gather(find_arms([study]), title="A <study> & more", command="triglot study x --out 'a b'", resamples=50)
    )


@pytest.mark.slow
def test_the_page_needs_nothing_else(page: str) -> None:
    found = parse(page)
    assert found.outside == []
    assert not {"iframe", "object", "embed", "img", "link"} & set(found.tags)
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) == found.tags.count("script") == 1  # its own, which has no source
    assert not re.search(
        r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import|eval|innerHTML)\b", script[0]
    )
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    found = parse(page)
    assert len(found.ids) == len(set(found.ids))
    assert {link[1:] for link in found.links} <= set(found.ids)


def test_every_section_is_there(page: str) -> None:
    for name in ("results", "bias", "languages", "training", "seen", "settings", "sources"):
        assert f'<section id="{name}">' in page


def test_text_is_escaped(page: str) -> None:
    assert "A &lt;study&gt; &amp; more" in page
    assert "<b>not bold</b>" not in page
    assert "&lt;b&gt;not bold&lt;/b&gt; &amp; careful" in page
    assert "CC0 &amp; more" in page


@pytest.mark.slow
def test_arm_names_are_escaped_everywhere(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study / "arms" / "hybrid", tmp_path / "<i>&")
    shutil.copytree(study / "arms" / "x-x", tmp_path / "plain")
    content = gather(find_arms([tmp_path / "plain", tmp_path / "<i>&"]), title="t", resamples=20)
    text = to_html(content)
    parse(text)
    assert "<i>&" not in text


def test_the_settings_that_differ_are_named(page: str) -> None:
    assert "<code>batches.kind</code>" in page
    assert "<code>train.steps</code>" not in page


def test_tables_have_headers_and_captions(page: str) -> None:
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        assert "<caption>" in table
        assert 'scope="col"' in table
        assert 'scope="row"' in table


def test_figures_have_labels_and_take_the_colours_of_the_page(page: str) -> None:
    figures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(figures) >= 3
    for figure in figures:
        assert 'role="img"' in figure
        assert re.search(r'aria-label="[^"]+"', figure)
        assert not re.search(r"#0[12]0[12]0[12]", figure)
        assert "hybrid" in figure  # a name beside each line, not only a colour


@pytest.mark.slow
def test_the_same_runs_make_the_same_page(study: Path, page: str) -> None:
    again = to_html(
        gather(find_arms([study]), title="A <study> & more", command="triglot study x --out 'a b'", resamples=50)
    )
    assert again == page


def test_heat_map_has_each_value_and_the_frame_on_the_diagonal(study: Path) -> None:
    arm = next(arm for arm in find_arms([study]) if arm.name == "hybrid")
    codes, values = matrix(arm, "toy")
    assert codes == LANGUAGES
    entry = [read_json(run.folder / "toy.languages.json") for run in arm.runs]
    assert values[0, 0] == pytest.approx(sum(e["mono"]["en"]["map"] for e in entry) / 3)
    assert values[0, 2] == pytest.approx(sum(e["cross"]["en"]["th"]["map"] for e in entry) / 3)
    assert values[2, 3] == pytest.approx(sum(e["multi"]["th"]["map"] for e in entry) / 3)
    text = heat_map("hybrid", codes, values, 1.0)
    parse(text)
    assert text.count('class="own') == len(codes)
    assert text.count("<td") == len(codes) * (len(codes) + 1) + 1
    assert f"{values[1, 2]:.2f}".removeprefix("0") in text
    assert '<abbr title="Thai">th</abbr>' in text


def test_a_baseline_without_cross_lingual_figures_has_empty_cells(study: Path) -> None:
    arm = next(arm for arm in find_arms([study]) if arm.name == "bm25")
    codes, values = matrix(arm, "toy")
    text = heat_map("bm25", codes, values, 1.0)
    assert text.count('class="empty ') == len(codes) * (len(codes) - 1)
    assert "pool" not in text


def test_findings_say_what_the_table_says() -> None:
    columns = (
        Column("mono", "map", "Monolingual mAP"),
        Column("bias", "rank_distance", "Rank distance", lower_is_better=True, ranks=True),
    )
    rows = (
        Row("x-x", 2, (Cell(0.6, 0.5, 0.7), Cell(500.0, 400, 600))),
        Row("x-y", 2, (Cell(0.5, 0.4, 0.6, -1), Cell(300.0, 200, 400, 1))),
    )
    assert findings(Table("toy", columns, rows, "x-x")) == [
        "Highest mAP: x-x (monolingual, 0.600).",
        "Lowest: x-y (rank distance, 300).",
        "x-y against x-x: better (rank distance); worse (monolingual).",
    ]


def test_what_was_seen_counts_pairs_and_negatives(study: Path) -> None:
    seen = {one.arm: one for one in gather(find_arms([study]), title="t", resamples=0).seen}
    assert seen["x-x"].same_language == 1.0
    assert seen["x-y"].same_language == 0.0
    assert seen["hybrid"].same_language == pytest.approx(1 / 3)
    assert seen["x-x"].figures["effective_negatives"] == 255


@pytest.mark.slow
def test_report_files(study: Path, tmp_path: Path) -> None:
    path = write_report(find_arms([study]), tmp_path / "out", title="A study", command="triglot study x").path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    plain = read_json(tmp_path / "out" / "report.json")
    table = plain["benchmarks"]["toy"]
    assert [row["arm"] for row in table["rows"]] == ["bm25", "alignment", "x-x", "x-y", "hybrid"]
    assert table["rows"][2]["mono"]["map"]["value"] == pytest.approx(
        sum(read_json(study / f"arms/x-x/seed-{n}/results.json")["benchmarks"]["toy"]["mono"]["map"] for n in (1, 2, 3))
        / 3
    )
    markdown = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "## What each arm saw" in markdown
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["report.html", "report.json", "report.md"]


def test_one_run_alone_makes_a_page(tmp_path: Path) -> None:
    write_run(tmp_path / "bm25", "bm25", trained=False, settings=("mono",), groups=4)
    text = to_html(gather(find_arms([tmp_path / "bm25"]), title="one", resamples=20))
    parse(text)
    assert '<section id="training">' not in text
    assert '<section id="bias">' not in text
