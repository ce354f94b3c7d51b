"""The examples of the documents run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import triglot

ROOT = Path(__file__).resolve().parents[1]


def python_blocks(path: Path) -> str:
    """The Python examples of a document, one after another, on the lines where they stand."""
    lines, inside, code = path.read_text("utf-8").splitlines(), False, []
    for line in lines:
        code.append(line if inside and not line.startswith("```") else "")
        inside = line == "```python" if not inside else not line.startswith("```")
    return "\n".join(code)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set")  # of torch, where there is no GPU
def test_the_examples_of_the_python_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = ROOT / "docs/api.md"
    code = python_blocks(page)
    assert code.count("triglot.") > 10
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(page), "exec"), {"__name__": "examples"})
    said = capsys.readouterr().out
    assert "rows in ('de', 'en', 'th')" in said
    assert "did you mean 'kind'?" in said
    assert re.search(r"\| *again", said)
    assert (tmp_path / "runs/report/report.html").is_file()


def test_the_python_page_describes_every_public_name() -> None:
    described = re.findall(r"^::: triglot\.(\w+)$", (ROOT / "docs/api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(described) == sorted(set(triglot.__all__) - {"__version__"})
