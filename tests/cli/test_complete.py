"""Completion, asked as a shell asks: by the words typed so far, in the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import triglot
from triglot.cli import complete


def completed(monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """What bash is given for the last of the words."""
    monkeypatch.setenv("_TRIGLOT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(["triglot", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    return triglot().out.split()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["tra"], ["train"]),
        (["recipes", "show", "xq"], ["xquad-r-cpu"]),
        (["train", "xq"], ["xquad-r-cpu"]),
        (["train", "demo", "train.lr"], ["train.lr="]),
        (["evaluate", "m", "--format", "mlq"], ["mlqa"]),
        (["evaluate", "m", "--on", "mlq"], ["mlqa:"]),
        (["compare", "r", "--measure", "mrr@"], ["mrr@10", "mrr@100"]),
        (["compare", "r", "--output-format", "mark"], ["markdown"]),
        (["check", "m", "--limit", "probe_"], ["probe_chance="]),
        (["debias", "m", "d", "--method", "ls"], ["lsar"]),
        (["study", "demo", "--arms", "hy"], ["hybrid"]),
        (["study", "demo", "--arms", "x-x,hy"], ["x-x,hybrid"]),
        (["study", "no-such-recipe", "--arms", "hy"], []),
    ],
)
def test_bash_is_given_what_may_follow(monkeypatch: pytest.MonkeyPatch, words: list[str], wanted: list[str]) -> None:
    assert completed(monkeypatch, *words) == wanted


def test_the_script_for_bash_is_shown_and_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    done = triglot("--show-completion", "bash")
    assert done.code == 0
    assert "complete -o default -F _triglot_completion triglot" in done.out
    assert triglot("--install-completion", "bash").code == 0
    script = next(path for path in tmp_path.rglob("*") if path.is_file() and "triglot.sh" in path.name)
    assert "_TRIGLOT_COMPLETE=complete_bash" in script.read_text("utf-8")
    assert script.name in (tmp_path / ".bashrc").read_text("utf-8")


def test_data_are_completed_behind_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "squares").mkdir()
    (tmp_path / "squares" / "own.yaml").write_text("", "utf-8")
    assert complete.data("x=squ") == ["x=squad:", "x=squares/"]
    assert complete.data("squares/") == ["squares/own.yaml"]
    assert complete.recipes("squares/") == ["squares/own.yaml"]
