"""The report in a real browser: it draws, nothing is wider than the window, and no request leaves the page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib.image
import pytest

from triglot.report import find_arms, write_report

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
FLAGS += ["--disable-component-update", "--disable-sync", "--hide-scrollbars"]
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
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no chromium (Debian: apt-get install chromium)")
    return found


def drawn(chromium: str, tmp_path: Path, page: Path, *options: str) -> str:
    command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *options, page.as_uri()]
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
