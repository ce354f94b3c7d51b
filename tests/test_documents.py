"""The examples of the documents run as they stand."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

import triglot
from tests import help_centre
from tests.command import triglot as command_line
from tools import pictures
from triglot.batches import KINDS
from triglot.document import parse_yaml
from triglot.encoder import EncoderSettings, init_encoder
from triglot.recipe import recipe_of

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
def test_the_examples_of_the_python_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / "docs/api.md"
    code = python_blocks(page)
    assert code.count("triglot.") > 10
    monkeypatch.chdir(tmp_path)
    try:
        exec(compile(code, str(page), "exec"), {"__name__": "examples"})
    finally:
        if "to-english" in KINDS.names():  # the row that the page adds is of no other test
            KINDS.remove("to-english")
    said = capsys.readouterr().out
    assert "rows in ('de', 'en', 'th')" in said
    assert "did you mean 'kind'?" in said
    assert re.search(r"\| *again", said)
    assert (tmp_path / "runs/report/report.html").is_file()


BLOCK = r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```'


def blocks(path: Path) -> list[tuple[str, str, str]]:
    """(language, title, text) of every block of a document, in order."""
    return re.findall(BLOCK, path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_tutorial_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = {}
    for language, title, text in blocks(ROOT / "docs/tutorial.md"):
        if title:
            Path(title).write_text(text, encoding="utf-8")
        elif language == "python":
            exec(compile(text, "tutorial", "exec"), {"__name__": "tutorial"})
        else:
            assert language == "sh"
            for line in text.splitlines():
                _, command, *words = shlex.split(line)
                done = command_line(command, *words)
                assert done.code == 0, (line, done.err)
                said[command] = done.out
    assert "12" in said["data"] or "8" in said["data"]
    assert "hybrid" in said["compare"]
    assert "Multilingual" in said["compare"]
    assert "Jede Rechnung" in said["search"]


def section(path: Path, heading: str) -> list[tuple[str, str, str]]:
    """The blocks of one section of a document; of all of it without a heading."""
    text = path.read_text("utf-8")
    part = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0] if heading else text
    return [tuple(found) for found in re.findall(BLOCK, part, re.MULTILINE | re.DOTALL)]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "heading"), [("docs/own-data.md", ""), ("README.md", "Your own data")])
def test_the_way_of_a_team_runs_from_end_to_end(
    page: str, heading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of the page on a help centre, with a small model in the place of MODEL."""
    monkeypatch.chdir(help_centre.write(tmp_path / "here"))
    known = {
        code: dict.fromkeys([*help_centre.ACTIONS[code], *help_centre.THINGS[code]], 5)
        for code in help_centre.LANGUAGES
    }
    init_encoder(EncoderSettings(kind="static", dim=32, vocab=400), known, seed=1).save(Path("start"))
    said = {}
    for language, _, text in section(ROOT / page, heading):
        for line in text.splitlines() if language == "sh" else []:
            line, _, target = line.partition("  #")[0].rstrip().partition(" > ")
            more = ["train.steps=60", "-q"] if line.endswith("--out runs/after") and " train " in line else []
            _, *words = shlex.split(line.replace("MODEL", "start"))
            done = command_line(*words, *more)
            assert done.code == 0, (line, done.err)
            if target:
                Path(target).write_text(done.out, "utf-8")
            said[words[0], words[1]] = done.out
    assert "leakage: none of the benchmark's" in said["data", "prepare"]
    first = said["compare", "runs/before"].splitlines()
    assert "searchers find the article in the first ten in" in " ".join(first[1:4])
    assert "change your password" in said["search", "runs/after"] or "password" in said["search", "runs/after"]


@pytest.mark.slow
def test_a_smaller_model_is_made_as_its_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the page on a tiny transformer in the place of MODEL; every block of a recipe is understood."""
    monkeypatch.chdir(tmp_path)
    known = {code: dict.fromkeys(help_centre.ACTIONS[code], 5) for code in help_centre.LANGUAGES}
    settings = EncoderSettings(kind="transformer", dim=16, vocab=300, layers=12, heads=2)
    init_encoder(settings, known, seed=1).save(Path("start"))
    Path("translations").mkdir()
    for code in help_centre.LANGUAGES:
        lines = [f"{action} {number}" for number in range(4) for action in help_centre.ACTIONS[code]]
        Path("translations", f"{code}.txt").write_text("\n".join(lines) + "\n", "utf-8")
    Path("articles.csv").write_text("id,text\n1,The invoice\n2,A password\n", "utf-8")
    Path("questions.txt").write_text("Where is the invoice?\n", "utf-8")
    commands, recipes = 0, 0
    for language, _, text in blocks(ROOT / "docs/smaller.md"):
        for line in text.splitlines() if language == "sh" else []:
            more = ["--steps", "2", "--held-out", "5", "-q"] if "--parallel" in line else ["-q"]
            done = command_line(*shlex.split(line.replace("MODEL", "start"))[1:], *more)
            assert done.code == 0, (line, done.err)
            assert "mean cosine to the vectors of start" in done.out
            commands += 1
        if language == "yaml":
            encoder = recipe_of(parse_yaml(text, "docs/smaller.md")).encoder
            assert encoder.keep_layers == 6 or encoder.lora.modules == ("query", "value")
            recipes += 1
    assert (commands, recipes) == (2, 2)


@pytest.mark.slow
def test_the_page_of_search_runs_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command and the example in Python, on the articles of a help centre."""
    here = help_centre.write(tmp_path / "here")
    monkeypatch.chdir(here)
    known = {
        code: dict.fromkeys([*help_centre.ACTIONS[code], *help_centre.THINGS[code]], 5)
        for code in help_centre.LANGUAGES
    }
    init_encoder(EncoderSettings(kind="static", dim=32, vocab=400), known, seed=1).save(Path("start"))
    rows, _ = help_centre.rows()
    rows = [{**row, "lang": row["locale"]} for row in rows]
    for name, some in (
        ("articles.csv", [*rows, *({**row, "id": f"x{row['id']}"} for row in rows)]),
        ("news.csv", rows[:3]),
    ):
        with open(name, "w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(some)
    Path("gone.txt").write_text(f"{rows[5]['id']}\nnot there\n", "utf-8")
    Path("questions.txt").write_text("how do I change my password\nwo finde ich die Rechnung\n", "utf-8")
    said = []
    for language, _, text in blocks(ROOT / "docs/search.md"):
        for line in text.splitlines() if language == "sh" else []:
            _, *words = shlex.split(line.replace("MODEL", "start"))
            done = command_line(*words)
            assert done.code == 0, (line, done.err)
            said.append(done.out)
        if language == "python":
            exec(compile(text, "search.md", "exec"), {})
    assert "debiased by lsar at strength 1" in said[0]
    assert "[en" in said[1]
    hits = [json.loads(line) for line in said[4].splitlines()]
    assert {hit["lang"] for hit in hits} <= {"de", "en"}
    assert len(hits) == 3
    assert "1 of 2 passages deleted" in said[6]
    assert "help (fair) (2 questions" in said[-1]
    assert "help (any) (2 questions" in said[-1]


def test_the_pages_stand_in_the_four_groups() -> None:
    """Tutorial, how-to, reference, explanation (diataxis.fr); every page is in one of them."""
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    groups = {name: pages for entry in nav for name, pages in entry.items() if isinstance(pages, list)}
    assert list(groups) == ["Tutorial", "How-to", "Reference", "Explanation"]
    pages = [page for group in groups.values() for entry in group for page in entry.values()]
    assert sorted([*pages, "index.md"]) == sorted(
        str(path.relative_to(ROOT / "docs")) for path in ROOT.glob("docs/**/*.md")
    )


def test_the_python_page_describes_every_public_name() -> None:
    described = re.findall(r"^::: triglot\.(\w+)$", (ROOT / "docs/api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(described) == sorted(set(triglot.__all__) - {"__version__"})


def test_every_how_to_has_a_picture_and_pictures_are_those_of_the_pages() -> None:
    nav = yaml.safe_load(
        (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2].partition("\nvalidation:")[0]
    )
    pages = next(part["How-to"] for part in nav if "How-to" in part)
    assert len(pages) >= 6
    for name in (name for page in pages for name in page.values()):
        text = (ROOT / "docs" / name).read_text("utf-8")
        found = re.findall(r"!\[([^\]]+)\]\(([\w-]+\.svg)\)", text)
        assert found, f"{name} has no picture"
        assert all(len(told) > 30 and (ROOT / "docs" / picture).is_file() for told, picture in found), name
    for name, draw in pictures.PICTURES.items():
        kept = (ROOT / "docs" / name).read_text("utf-8")
        assert kept == draw(), f"{name}: python -m tools.pictures --write"
        assert ElementTree.fromstring(kept).attrib["aria-label"]
