"""What every command may replace, and what never, from outside; the mechanism itself is tested in `test_outputs.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.command import triglot
from tests.writing import commands, inputs

NAMES = tuple(commands(Path()))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inputs(tmp_path_factory.mktemp("inputs"))


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_user_has_there_stays(root: Path, tmp_path: Path, name: str) -> None:
    _, words, target = commands(root)[name]
    out = tmp_path / target
    words = [word for word in words if word != "--force"]
    if name.startswith("+"):
        beside = {
            "+augment": "out.json",
            "+translate": "out.json",
            "+mine": "out.jsonl.report.json",
            "+encode": "out.ids.txt",
        }[name]
        for foreign in (target, beside):
            (tmp_path / foreign).write_text("precious\n")
            for more in ([], ["--force"]):
                done = triglot(*words, "--out", out, *more)
                assert (done.code, "did not write" in done.err) == (2, True), done.err
            assert held(tmp_path) == {foreign: b"precious\n"}
            (tmp_path / foreign).unlink()
    else:
        (out / "b.head").mkdir(parents=True)
        (out / "b.head" / "notes.txt").write_text("precious\n")
        for more in ([], ["--force"]):
            done = triglot(*words, "--out", out, *more)
            assert (done.code, "holds b.head/notes.txt, which" in done.err) == (2, True), done.err
        assert held(tmp_path) == {"out/b.head/notes.txt": b"precious\n"}
        (tmp_path / "file").write_text("precious\n")
        if name not in ("augment", "translate"):
            assert "is a file, a folder was expected" in triglot(*words, "--out", tmp_path / "file").err
    os.mkfifo(tmp_path / f"pipe{out.suffix}")
    done = triglot(*words, "--out", tmp_path / f"pipe{out.suffix}", "--force")
    assert (done.code, "is a pipe" in done.err) == (2, True), done.err


@pytest.mark.parametrize("name", NAMES)
def test_the_second_call_replaces_the_first(root: Path, tmp_path: Path, name: str) -> None:
    older, words, target = commands(root)[name]
    done = triglot(*older, "--out", tmp_path / target)
    assert done.code == 0, done.err
    old = held(tmp_path)
    if "--force" in words:  # another model's
        done = triglot(*(word for word in words if word != "--force"), "--out", tmp_path / target)
        assert (done.code, f"`triglot {words[0]}` for {root / 'second'}; --force replaces it" in done.err) == (
            2,
            True,
        ), done.err
        assert held(tmp_path) == old
    assert triglot(*words, "--out", tmp_path / target).code == 0
    new = held(tmp_path)
    assert new != old
    assert triglot(*words, "--out", tmp_path / target).code == 0
    assert held(tmp_path) == new
    assert triglot(*words, "--out", tmp_path / "again" / target).code == 0
    assert set(held(tmp_path / "again")) == set(new)


@pytest.mark.parametrize(
    ("words", "out", "source"),
    [
        (["augment", "squad={root}/squad/en.json", "--kind", "swap"], "squad/en.jsonl", "squad/en.json"),
        (["augment", "{root}/pairs.jsonl", "--kind", "swap"], "pairs.jsonl", "pairs.jsonl"),
        (["mine", "pairs={root}/pairs.jsonl", "--model", "bm25"], "pairs.jsonl", "pairs.jsonl"),
        (["encode", "{root}/model", "{root}/x.ids.txt"], "x.npy", "x.ids.txt"),
        (["evaluate", "{root}/model", "--on", "b={root}/squad"], "squad", "squad/en.json"),
        (["evaluate", "{root}/model", "--on", "b={root}/squad"], "model", "model/modules.json"),
        (["attack", "{root}/model", "--on", "b={root}/squad"], "squad", "squad/en.json"),
        (["debias", "{root}/model", "{root}/pairs.jsonl"], "model", "model/model.safetensors"),
        (["index", "{root}/model", "{root}/texts.tsv"], "model", "model/model.safetensors"),
        (["init", "squad={root}/squad"], "squad", "squad/de.json"),
        (["lists", "squad={root}/squad"], "squad", "squad/de.json"),
        (["compare", "{root}/results", "--report", "{root}/results"], "", "results/results.json"),
    ],
    ids=lambda part: part[0] if isinstance(part, list) else part,
)
@pytest.mark.parametrize("more", [[], ["--force"]], ids=["plain", "force"])
def test_no_output_is_an_input(tmp_path: Path, words: list[str], out: str, source: str, more: list[str]) -> None:
    root = inputs(tmp_path)
    (root / "x.ids.txt").write_text("one\ntwo\n")
    (root / "results").mkdir()
    (root / "results" / "results.json").write_text('{"schema": 1, "model": "m", "benchmarks": {}}')
    before = held(root)
    done = triglot(*(word.format(root=root) for word in words), *(["--out", root / out] if out else []), *more)
    assert done.code == 2, done.err
    assert source.split("/")[0] in done.err
    assert held(root) == before


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "..", ".x", "a\nb"])
@pytest.mark.parametrize("command", ["evaluate", "attack"])
def test_names_do_not_leave_the_folder(root: Path, tmp_path: Path, name: str, command: str) -> None:
    more = ["--save-run"] if command == "evaluate" else []
    done = triglot(
        command, root / "model", "--on", f"{name}={root / 'squad'}", "--out", tmp_path / "deep" / "out", *more
    )
    assert (done.code, "cannot be the name of a benchmark" in done.err) == (2, True), done.err
    assert not held(tmp_path)
    assert not (tmp_path / "deep").exists()


def test_languages_do_not_leave_the_folder(root: Path, tmp_path: Path) -> None:
    text = (root / "pairs.jsonl").read_text("utf-8")
    for code in ("../../evil", str(tmp_path / "evil")):
        (tmp_path / "pairs.jsonl").write_text(text.replace('"de"', f'"{code}"'), encoding="utf-8")
        done = triglot("lists", tmp_path / "pairs.jsonl", "--out", tmp_path / "deep" / "out")
        assert (done.code, "evil" in done.err) == (2, True), done.err
        assert set(held(tmp_path)) == {"pairs.jsonl"}


def test_a_run_keeps_its_own_results(root: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("recipe.yaml", "results.json", "summary.json"):
        (run / name).write_text("{}")
    before = held(run)
    for more in ([], ["--force"]):
        done = triglot("evaluate", root / "model", "--on", f"b={root / 'squad'}", "--out", run, *more)
        assert (done.code, "holds recipe.yaml, which `triglot evaluate` did not write" in done.err) == (2, True), (
            done.err
        )
        assert held(run) == before


def test_a_report_and_the_files_of_mteb(root: Path, tmp_path: Path) -> None:
    for model in ("model", "second"):
        on = ["--on", f"b={root / 'squad'}", "--candidate-text", "sentence", "-q"]
        assert triglot("evaluate", root / model, *on, "--out", tmp_path / "results" / model).code == 0
    words = ["compare", tmp_path / "results" / "model", "--report", tmp_path / "report", "--mteb", tmp_path / "mteb"]
    for _ in range(2):
        assert triglot(*words).code == 0
    assert {"report.html", "report.md", "report.json"} < {path.name for path in (tmp_path / "report").iterdir()}
    (place,) = (tmp_path / "mteb" / "results").glob("*/*")
    (place / "mine.json").write_text("precious")
    (tmp_path / "report" / "notes.md").write_text("precious")
    before = held(tmp_path)
    for part in (words[:4], words[:2] + words[4:]):
        done = triglot(*part, "--force")
        assert (done.code, "`triglot compare` did not write" in done.err) == (2, True), done.err
    assert held(tmp_path) == before


def test_home_is_where_a_path_says_so(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.chdir(tmp_path)
    done = triglot("evaluate", "~/model", "--on", "b=~/squad", "--candidate-text", "sentence", "--out", "~/home", "-q")
    assert done.code == 0, done.err
    assert triglot("mine", "pairs=~/pairs.jsonl", "--model", "bm25", "--out", "~/home.jsonl", "-q").code == 0
    assert triglot("compare", "~/home", "--report", "~/home-report").code == 0
    assert triglot("encode", "~/model", "~/texts.tsv", "--out", "~/home.npy", "-q").code == 0
    assert triglot("data", "inspect", "~/pairs.jsonl", "--on", "~/squad").code == 0
    assert triglot("recipes", "cp", "demo", "~/home.yaml").code == 0
    assert all((root / name).exists() for name in ("home", "home.jsonl", "home-report", "home.npy", "home.yaml"))
    assert not list(tmp_path.iterdir())


def test_a_recipe_is_copied_to_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("precious")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "far.yaml")
    os.mkfifo(tmp_path / "pipe")
    for name, message in (
        ("mine.yaml", "is already there"),
        ("pipe", "is a pipe"),
        ("/dev/null", "is a place of the system's"),
    ):
        done = triglot("recipes", "cp", "demo", tmp_path / name)
        assert (done.code, message in done.err) == (2, True), done.err
    assert triglot("recipes", "cp", "demo", tmp_path / "link.yaml").code == 0
    assert (tmp_path / "link.yaml").is_symlink()
    assert (tmp_path / "far.yaml").read_text("utf-8").startswith("#")
    assert (tmp_path / "mine.yaml").read_text() == "precious"
