"""The report in a real browser: it draws, nothing is wider than the window, and no request leaves the page."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest

from tests.browser import FLAGS, find
from triglot.commands.claims import index_page
from triglot.report import Report, find_arms, write_report

PROBE = """<script>
addEventListener("load", () => {
  const tables = [...document.querySelectorAll("table")].filter(t => t.getBoundingClientRect().height > 20);
  document.title = JSON.stringify({
    requests: performance.getEntriesByType("resource").map(e => e.name),
    wide: document.documentElement.scrollWidth - innerWidth,
    tables: tables.length,
    figures: [...document.querySelectorAll("svg")].filter(s => s.getBoundingClientRect().width > 100).length,
  });
});
</script>"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> str:
    return find()


def drawn(chromium: str, tmp_path: Path, page: Path, *options: str) -> str:
    command = [
        chromium,
        "--headless",
        "--hide-scrollbars",
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        *options,
        page.as_uri(),
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 500])
def test_the_report_draws_itself_without_the_network(chromium: str, study: Path, tmp_path: Path, width: int) -> None:
    page = write_report(find_arms([study]), tmp_path / "report", title="Report", command="triglot study").path
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text(encoding="utf-8").replace("</body>", PROBE + "</body>"), encoding="utf-8")
    dom = drawn(chromium, tmp_path, probed, "--dump-dom", f"--window-size={width},900")
    seen = json.loads(re.search(r"<title>(.*?)</title>", dom)[1])  # type: ignore[index]
    assert seen["requests"] == []
    assert seen["wide"] <= 0
    assert seen["tables"] >= 3
    assert seen["figures"] >= 1


@pytest.mark.slow
def test_the_report_is_not_a_blank_picture(chromium: str, study: Path, tmp_path: Path) -> None:
    page = write_report(find_arms([study]), tmp_path / "report", title="Report", command="triglot study").path
    picture = tmp_path / "report.png"
    drawn(chromium, tmp_path, page, f"--screenshot={picture}", "--window-size=1000,1400")
    pixels = matplotlib.image.imread(picture)[..., :3]
    assert pixels.shape[:2] == (1400, 1000)
    dark = (pixels.mean(2) < 0.5).mean()
    assert 0.005 < dark < 0.5
    assert pixels.reshape(-1, 3).std(0).max() > 0.05


HANDS = """<script>
addEventListener("load", () => {
  const saved = [], name = (row) => row.cells[0].querySelector("a").textContent;
  const names = (table) => [...table.tBodies[0].rows].map(name);
  window.Blob = class { constructor(parts) { saved.push(parts.join("")); } };
  URL.createObjectURL = () => "#";
  URL.revokeObjectURL = () => 0;
  HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
  const table = document.querySelector("#results table.book"), heads = [...table.tHead.rows[0].cells];
  const orders = [names(table)], sorts = heads.map(head => head.querySelector("button"));
  for (const turn of [1, 2, 3]) {
    sorts[3].click();
    orders.push([heads[3].getAttribute("aria-sort"), ...names(table)]);
  }
  sorts[4].click();
  orders.push([heads[4].getAttribute("aria-sort"), ...names(table)]);
  table.caption.querySelector("button").click();
  document.querySelector("#bias figcaption button").click();
  document.title = JSON.stringify({
    orders, saved,
    reached: sorts.every(button => button.type === "button" && button.tabIndex === 0 && button.ariaLabel),
  });
});
</script>"""
PHONE = """<script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentWindow, inside = page.document;
  const seen = (node) => node.getBoundingClientRect().width > 0;
  const style = page.getComputedStyle(inside.body);
  const cut = [...inside.querySelectorAll("h1, h2, h3, p, li, caption > span, figcaption, dd, svg")].filter(seen);
  document.title = JSON.stringify({
    wide: inside.documentElement.scrollWidth - 390,
    beyond: cut.filter(node => node.getBoundingClientRect().right > 390.5).length,
    figures: [...inside.querySelectorAll("figure svg")].filter(seen).map(node => Boolean(node.closest(".narrow"))),
    unreachable: [...inside.querySelectorAll(".scroll")].filter(
      box => box.scrollWidth > box.clientWidth + 1 && box.tabIndex !== 0).length,
    ink: style.color, paper: style.backgroundColor,
  });
});
</script>"""


@pytest.fixture
def report(study: Path, tmp_path: Path) -> Report:
    return write_report(find_arms([study]), tmp_path / "report", title="Report", command="triglot study")


def told(dom: str) -> Any:
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1]))  # type: ignore[index]


@pytest.mark.slow
def test_tables_sort_and_are_saved_and_so_are_figures(chromium: str, report: Report, tmp_path: Path) -> None:
    probed = tmp_path / "probed.html"
    probed.write_text(report.path.read_text(encoding="utf-8").replace("</body>", HANDS + "</body>"), encoding="utf-8")
    seen = told(drawn(chromium, tmp_path, probed, "--dump-dom"))
    table = report.tables[0]
    order = [row.name for row in table.rows]
    values = {row.name: row.cells[2].value for row in table.rows if row.cells[2] is not None}
    rising = sorted(values, key=values.__getitem__)
    assert seen["reached"]
    assert seen["orders"][:4] == [
        order,
        ["descending", *rising[::-1], "bm25"],  # what has no figure is last
        ["ascending", *rising, "bm25"],
        [None, *order],
    ]
    distances = {row.name: row.cells[3].value for row in table.rows if row.cells[3] is not None}
    assert seen["orders"][4] == ["ascending", *sorted(distances, key=distances.__getitem__), "bm25"]  # lower is better
    text, name, drawing, name_of_drawing = seen["saved"]
    assert (name, name_of_drawing[-4:]) == ("results-toy-monolingual-map.csv", ".svg")
    head, *lines = csv.reader(io.StringIO(text))
    assert head[:4] == ["arm", "Monolingual mAP", "Monolingual mAP, low", "Monolingual mAP, high"]
    assert [line[0] for line in lines] == order
    for line, row in zip(lines, table.rows, strict=True):
        cells = [(cell.value, cell.low, cell.high) if cell else (None, None, None) for cell in row.cells]
        assert [float(text) if text else None for text in line[1:]] == [figure for cell in cells for figure in cell]
    root = ElementTree.fromstring(drawing)
    assert {"width", "height", "viewBox"} <= root.attrib.keys()
    assert "--arm-0: #" in drawing
    assert "prefers-color-scheme: dark" in drawing


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "light"), [(1, True), (0, False)])
def test_on_a_phone_in_light_and_dark(chromium: str, report: Report, tmp_path: Path, scheme: int, light: bool) -> None:
    frame = f'<!doctype html><iframe src="{report.path.as_uri()}" style="border:0;width:390px;height:800px"></iframe>'
    (tmp_path / "phone.html").write_text(f"<title></title>{frame}{PHONE}", encoding="utf-8")
    options = ("--allow-file-access-from-files", f"--blink-settings=preferredColorScheme={scheme}", "--dump-dom")
    seen = told(drawn(chromium, tmp_path, tmp_path / "phone.html", *options))
    assert seen["wide"] <= 0
    assert seen["beyond"] == 0
    assert seen["unreachable"] == 0
    assert seen["figures"]
    assert all(seen["figures"])
    brightness = {key: sum(map(int, re.findall(r"\d+", seen[key])[:3])) / 765 for key in ("ink", "paper")}
    assert (brightness["paper"] > brightness["ink"]) == light
    assert abs(brightness["paper"] - brightness["ink"]) > 0.7


SIDEWAYS = """<script>
addEventListener("load", () => {
  const tables = [...document.querySelectorAll(".scroll")].filter(box => box.querySelector("th.statement"));
  document.title = JSON.stringify(tables.map(box => box.scrollWidth - box.clientWidth));
});
</script>"""


@pytest.mark.slow
def test_verdicts_are_seen_without_scrolling_sideways(chromium: str, tmp_path: Path) -> None:
    """With the long statements and intervals of a real study."""
    (tmp_path / "study").mkdir()
    shutil.copy(Path(__file__).parents[2] / "docs/reports/hybrid-ratio-cpu.json", tmp_path / "study" / "report.json")
    index_page([tmp_path / "study"], tmp_path / "index")
    probed = tmp_path / "probed.html"
    text = (tmp_path / "index" / "index.html").read_text(encoding="utf-8")
    probed.write_text(text.replace("</body>", SIDEWAYS + "</body>"), encoding="utf-8")
    dom = drawn(chromium, tmp_path, probed, "--dump-dom", "--window-size=1200,900")
    assert json.loads(re.search(r"<title>(.*?)</title>", dom)[1]) == [0]  # type: ignore[index]
