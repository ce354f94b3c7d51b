"""The command line from outside: exit codes, what is written where, and what is left behind when it is stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from tests.command import triglot
from tests.killing import Server
from tests.words import WORDS as IN_ALL
from triglot.cli import app
from triglot.cli.app import RENAMED
from triglot.files import read_json, read_jsonl

WORDS = {code: IN_ALL[code] for code in ("de", "en")}
RECIPE = """# triglot study tiny
# A study of a second.
languages: [de, en]
encoder: {dim: 16, vocab: 300}
alignment:
  sources: [{format: bitext, path: bitext, licence: CC0}]
  batches: {kind: xy, size: 8, comparable: false}
  train: {steps: 5}
sources: [{format: squad, path: train, licence: CC0}]
batches: {size: 8}
train: {steps: 10, log_every: 5, validate_every: 5}
validation: [{name: valid, format: squad, path: test}]
evaluate: [{name: test, format: squad, path: test, candidate_text: sentence}]
baselines: [bm25, bm25-translated]
lists: lists
arms:
  x-x: {batches.kind: xx}
  x-y: {batches.kind: xy, alignment: null}
"""


def _squad(path: Path, lang: str, first: int, count: int) -> None:
    rng = np.random.default_rng(first)
    paragraphs = []
    for number in range(first, first + count):
        a, b, c, d = (WORDS[lang][i] for i in rng.choice(12, 4, replace=False))
        context = f"{a} {b} {number}. {c} {d} {number}."
        question = {
            "id": f"q{number}",
            "question": f"{c} {d} {number}?",
            "answers": [{"text": d, "answer_start": context.rindex(d)}],
        }
        paragraphs.append({"context": context, "qas": [question]})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": "1", "data": [{"title": "t", "paragraphs": paragraphs}]}), encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a tiny parallel corpus, and a recipe."""
    folder = tmp_path_factory.mktemp("place")
    for lang in ("de", "en"):
        _squad(folder / "train" / f"{lang}.json", lang, 0, 40)
        _squad(folder / "test" / f"{lang}.json", lang, 100, 12)
    pairs = [f"{a} {n}\t{b} {n}" for n in range(3) for a, b in zip(WORDS["de"], WORDS["en"], strict=True)]
    (folder / "bitext").mkdir()
    (folder / "bitext" / "de-en.tsv").write_text("\n".join(pairs) + "\n", encoding="utf-8")
    (folder / "lists").mkdir()
    (folder / "lists" / "de-en.tsv").write_text(
        "".join(f"{a}\t{b}\n" for a, b in zip(WORDS["de"], WORDS["en"], strict=True)), encoding="utf-8"
    )
    (folder / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def study(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study; not to be written to."""
    out = tmp_path_factory.mktemp("studies") / "study"
    done = triglot("study", place / "tiny.yaml", f"data={place}", "--out", out, "--seeds", "1,2")
    assert done.code == 0, done.err
    assert "x-y x2" in done.out
    assert "4 of 4: x-y, seed 2" in done.err
    return out


def left_over(folder: Path) -> list[str]:
    """Names of files that are not whole."""
    return [str(path) for path in folder.rglob("*") if path.name.endswith((".part", ".old", ".tmp"))]


# --- what a study leaves


@pytest.mark.slow
def test_a_study_leaves_what_the_contract_says(study: Path) -> None:
    for arm in ("alignment", "x-x", "x-y"):
        for seed in (1, 2):
            folder = study / "arms" / arm / f"seed-{seed}"
            names = {path.name for path in folder.iterdir()}
            wanted = {
                "recipe.yaml",
                "metrics.jsonl",
                "summary.json",
                "model",
                "results.json",
                "test.languages.json",
                "test.queries.parquet",
            }
            assert wanted <= names
            assert "checkpoints" not in names
            assert (folder / "model" / "modules.json").is_file()
            entry = read_json(folder / "results.json")["benchmarks"]["test"]
            assert {"mono", "cross", "multi", "bias", "counts"} <= set(entry)
            assert entry["counts"]["queries"] == 24
    for name in ("bm25", "bm25-translated", "x"):
        assert (study / "baselines" / name / "results.json").is_file() == (name != "x")
    assert {"report.html", "report.md", "report.json", "study.json", "evaluations.jsonl"} <= {
        path.name for path in study.iterdir()
    }
    assert left_over(study) == []


@pytest.mark.slow
def test_arms_differ_in_their_languages_alone(study: Path) -> None:
    stages = {
        arm: read_json(study / f"arms/{arm}/seed-1/summary.json")["stages"]["fine-tuning"] for arm in ("x-x", "x-y")
    }
    assert stages["x-x"]["steps"] == stages["x-y"]["steps"] == 10
    assert stages["x-x"]["texts"] == stages["x-y"]["texts"]
    assert {(q, p) for _, q, p, _ in stages["x-x"]["counts"]} == {("de", "de"), ("en", "en")}
    assert {(q, p) for _, q, p, _ in stages["x-y"]["counts"]} == {("de", "en"), ("en", "de")}
    assert read_json(study / "arms/alignment/seed-1/summary.json")["stages"].keys() == {"alignment"}


@pytest.mark.slow
def test_validation_is_logged_and_kept(study: Path) -> None:
    lines = [line for _, line in read_jsonl(study / "arms/x-x/seed-1/metrics.jsonl") if "validation" in line]
    assert [line["step"] for line in lines] == [5, 10]
    assert set(lines[0]["validation"]["valid"]) == {"mono", "cross", "multi", "bias"}
    assert "valid" in read_json(study / "arms/x-x/seed-1/validation/results.json")["benchmarks"]


@pytest.mark.slow
def test_each_look_at_the_test_data_is_recorded_once(study: Path, place: Path) -> None:
    def lines() -> list[tuple[str, int | None]]:
        return [(line["arm"], line["seed"]) for _, line in read_jsonl(study / "evaluations.jsonl")]

    before = lines()
    assert sorted(before, key=str) == sorted(
        [
            ("bm25", None),
            ("bm25-translated", None),
            *((arm, seed) for arm in ("alignment", "x-x", "x-y") for seed in (1, 2)),
        ],
        key=str,
    )
    model = study / "arms/x-x/seed-1/model/model.safetensors"
    trained = model.stat().st_mtime_ns
    done = triglot("study", place / "tiny.yaml", f"data={place}", "--out", study, "--seeds", "1,2")
    assert done.code == 0
    assert "finished before" in done.err
    assert lines() == before
    assert model.stat().st_mtime_ns == trained


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_killed(study: Path, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    shutil.copytree(study, out)
    whole = read_json(out / "arms/x-y/seed-2/results.json")
    (out / "arms/x-y/seed-2/results.json").unlink()
    shutil.rmtree(out / "arms/x-y/seed-2/model")
    done = triglot("study", place / "tiny.yaml", f"data={place}", "--out", out, "--seeds", "1,2", "-q")
    assert done.code == 0
    assert read_json(out / "arms/x-y/seed-2/results.json")["benchmarks"] == whole["benchmarks"]


@pytest.mark.slow
def test_other_settings_in_the_same_folder_are_refused(study: Path, place: Path) -> None:
    done = triglot("study", place / "tiny.yaml", f"data={place}", "train.lr=0.3", "--out", study, "--seeds", "1")
    assert done.code == 2
    assert "made with train.lr=" in done.err
    assert "now train.lr=0.3" in done.err


# --- the other commands, on what the study left


@pytest.mark.slow
def test_compare(study: Path, tmp_path: Path) -> None:
    done = triglot("compare", study / "arms" / "x-x", study / "arms" / "x-y", "--report", tmp_path / "r")
    assert (done.code, "x-x x2" in done.out) == (0, True)
    assert (tmp_path / "r" / "report.html").is_file()
    done = triglot("compare", study, "--output-format", "markdown", "--measure", "r@1")
    assert done.out.splitlines()[2].startswith("| arm | Monolingual R@1")
    assert triglot("compare", study, "--measure", "r@l").code == 2


@pytest.mark.slow
def test_evaluate_encode_and_search(study: Path, place: Path, tmp_path: Path) -> None:
    run = study / "arms" / "x-x" / "seed-1"
    done = triglot(
        "evaluate",
        run / "model",
        "--on",
        f"test={place / 'test'}",
        "--candidate-text",
        "sentence",
        "--out",
        tmp_path / "e",
        "-q",
    )
    assert done.code == 0, done.err
    again, first = read_json(tmp_path / "e" / "results.json"), read_json(run / "results.json")
    assert again["benchmarks"]["test"]["multi"] == pytest.approx(first["benchmarks"]["test"]["multi"])
    (tmp_path / "p.tsv").write_text("a\tFluss Berg 1.\nb\tking battle 2.\n", encoding="utf-8")
    done = triglot("encode", run, tmp_path / "p.tsv", "--out", tmp_path / "v.npy", "-q")
    assert done.code == 0
    vectors = np.load(tmp_path / "v.npy")
    assert vectors.shape == (2, 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    done = triglot("search", run, tmp_path / "p.tsv", "king battle 2.", "-k", "1", "--json", "-q")
    hit = json.loads(done.out)
    assert (hit["id"], hit["rank"]) == ("b", 1)
    assert hit["score"] == pytest.approx(1, abs=1e-4)
    assert "b\tking battle 2." in triglot("search", run, tmp_path / "p.tsv", "king battle 2.", "-q").out


def test_evaluate_bm25(place: Path, tmp_path: Path) -> None:
    done = triglot("evaluate", "bm25", "--on", f"test={place / 'test'}", "--out", tmp_path / "e", "-q")
    assert done.code == 0, done.err
    assert set(read_json(tmp_path / "e" / "results.json")["benchmarks"]["test"]) >= {"mono", "counts"}


def test_data_inspect_names_leakage(place: Path) -> None:
    done = triglot("data", "inspect", place / "train", "--on", place / "test", "--json")
    assert done.code == 0, done.err
    assert set(json.loads(done.out)) == {"command", "training", "evaluation", "leakage"}
    assert "squad" in triglot("data", "inspect", place / "train").out


def test_init_makes_a_model_that_train_can_start_from(place: Path, tmp_path: Path) -> None:
    done = triglot("init", place / "train", "--dim", "8", "--vocab-size", "200", "--out", tmp_path / "fresh", "-q")
    assert done.code == 0, done.err
    words = ["encoder.kind=pretrained", f"encoder.model={tmp_path / 'fresh'}", "alignment=null", f"data={place}"]
    done = triglot("train", place / "tiny.yaml", *words, "--out", tmp_path / "run", "-q")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == str(tmp_path / "run" / "model")
    assert {"model", "metrics.jsonl", "recipe.yaml", "results.json"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    assert not (tmp_path / "run" / "init").exists()


def test_recipes(tmp_path: Path) -> None:
    listed = triglot("recipes", "ls").out.splitlines()
    assert any(line.startswith("xquad-r-cpu ") for line in listed)
    assert triglot("recipes", "show", "demo").out.startswith("# triglot demo")
    assert "kind: xy" in triglot("recipes", "show", "demo", "batches.kind=xy").out
    assert triglot("recipes", "cp", "demo", tmp_path / "mine.yaml").code == 0
    assert (tmp_path / "mine.yaml").is_file()


# --- bad input


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "No such command 'trian'"),
        (["train", "demo"], "Missing option '--out'"),
        (["train", "dmo", "--out", "x"], "no recipe 'dmo'; did you mean 'demo'?"),
        (
            ["train", "demo", "batches.knid=xx", "--out", "x"],
            "command line: batches.knid: no such setting; did you mean 'kind'?",
        ),
        (["train", "demo", "batches.kind=xz", "--out", "x"], "batches.kind: 'xz'"),
        (
            ["study", "demo", "--arms", "hybird", "--out", "x"],
            "--arms: demo has no arm 'hybird'; did you mean 'hybrid'?",
        ),
        (["study", "demo", "--seeds", "one", "--out", "x"], "--seeds: 'one' is not a whole number"),
        (["evaluate", "bm25", "--on", "test", "--out", "x"], "test: no such file or folder"),
        (["evaluate", "bm25", "--on", "a=nowhere", "--out", "x"], "nowhere: no such file or folder"),
        (["evaluate", "no/such/model", "--on", "a=atlas", "--out", "x"], "no/such/model"),
        (["compare", "nowhere"], "nowhere: no such folder"),
        (["search", "nowhere/at/all", "README.md", "x"], "README.md: no such file"),
        (["search", "nowhere/at/all", "README.md", "x", " "], "QUERY: number 2 is empty"),
        (["search", "nowhere/at/all", "README.md", "x", "-k", "0"], "-k: 0 is below 1"),
        (["data", "inspect", "nowhere"], "nowhere: no such file or folder"),
        (["recipes", "show", "xquad"], "did you mean 'xquad-r-cpu'?"),
    ],
)
def test_bad_words_end_with_2(words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = triglot(*words)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(place: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = triglot("train", place / "tiny.yaml", f"data={place}", "--out", tmp_path / "file" / "run")
    assert done.code == 2
    assert "cannot be written" in done.err
    done = triglot("train", place / "tiny.yaml", f"data={place}", "--out", tmp_path / "file")
    assert (done.code, "is a file, a folder was expected" in done.err) == (2, True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    for command in ("train", "study"):
        done = triglot(command, place / "tiny.yaml", f"data={place}", "--out", tmp_path / "full")
        assert (done.code, "holds something else" in done.err) == (2, True)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(place: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = triglot("train", place / "tiny.yaml", f"data={place}", "--out", tmp_path / "run")
    tmp_path.chmod(0o700)
    assert (done.code, "cannot be written" in done.err) == (2, True)


def test_broken_data_is_named_with_its_source(place: Path, tmp_path: Path) -> None:
    for lang in ("de", "en"):
        _squad(tmp_path / "broken" / f"{lang}.json", lang, 0, 3)
    text = (tmp_path / "broken" / "de.json").read_text(encoding="utf-8")
    (tmp_path / "broken" / "de.json").write_text(text[: len(text) // 2], encoding="utf-8")
    done = triglot(
        "train",
        place / "tiny.yaml",
        f"data={place}",
        f"sources.0.path={tmp_path / 'broken'}",
        "--out",
        tmp_path / "run",
    )
    assert done.code == 2
    assert "source 'broken': " in done.err
    assert "de.json:1: not JSON" in done.err
    assert not (tmp_path / "run" / "model").exists()


def test_the_tests_of_a_misspelt_reader_option(place: Path, tmp_path: Path) -> None:
    done = triglot(
        "train", place / "tiny.yaml", f"data={place}", "sources.0.options.langauge=de", "--out", tmp_path / "run"
    )
    assert (done.code, "did you mean 'language'" in done.err) == (2, True)


def test_a_loss_that_is_no_number_is_said_without_a_traceback(place: Path, tmp_path: Path) -> None:
    words = ["alignment=null", "validation=[]", "encoder={kind: transformer, dim: 16, vocab: 300, layers: 1, heads: 2}"]
    words += ["train.lr=1000", "train.weight_decay=1000"]  # weights grow a millionfold each step
    done = triglot("train", place / "tiny.yaml", f"data={place}", *words, "--out", tmp_path / "run", "-q")
    assert done.code == 1
    assert "the loss is nan" in done.err
    assert not (tmp_path / "run" / "model").exists()


def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(server: Server, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [
        "train",
        place / "tiny.yaml",
        f"data={place}",
        "train.steps=1000000",
        "alignment=null",
        "train.validate_every=0",
    ]
    # Checkpoints are written for some time before it comes.
    interrupt = {"under": [out], "kill_at": 150, "signal": signal.SIGINT}
    done = server.run([*words, "train.checkpoint_every=20", "--out", out], **interrupt)
    assert done.code == 130, done.output
    assert "Traceback" not in done.output
    assert left_over(out) == []
    assert not (out / "model").exists()
    assert not (out / "results.json").exists()
    metrics = out / "metrics.jsonl"
    assert metrics.stat().st_size > 2000
    for _, line in read_jsonl(metrics):
        assert line["stage"] == "fine-tuning"


@pytest.mark.slow
def test_a_full_disk_ends_with_2_and_leaves_nothing_half_written(place: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    out = tmp_path / "run"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # stands for a full disk: no file can grow beyond 4 kB
    try:
        done = triglot("train", place / "tiny.yaml", f"data={place}", "encoder.dim=64", "--out", out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
    assert "cannot be written (File too large)" in done.err
    assert left_over(out) == []
    assert not (out / "model").exists()


@pytest.mark.slow
def test_the_demo_ends_with_table_report_and_searches(tmp_path: Path) -> None:
    smaller = [
        "languages=[ar,de,en,es,ru,tr,zh]",
        "train.steps=30",
        "encoder.dim=32",
        "encoder.vocab=2048",
        "validation=[]",
    ]
    done = triglot("demo", *smaller, "--out", tmp_path / "demo")
    assert done.code == 0, done.err
    assert all(
        any(line.startswith(f"{arm} ") for line in done.out.splitlines()) for arm in ("bm25", "x-x", "x-y", "hybrid")
    )
    assert f"report: {tmp_path / 'demo' / 'report.html'}" in done.out
    searches = done.out.partition("Searches with hybrid")[2]
    assert searches.count("score ") == 3
    assert sum(searches.count(word) for word in (", right\n", ", wrong\n")) == 3


def commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """(words, command) of all commands of a group and of the groups inside it."""
    for name, command in getattr(group, "commands", {}).items():
        inner = list(commands(command, *names, name))
        yield from inner or [(" ".join([*names, name]), command)]


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_the_list_of_commands_cuts_no_sentence() -> None:
    done = triglot("--help")
    assert done.code == 0
    assert "..." not in done.out.partition("Commands:")[2].replace("QUERY...", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_in_whole_phrases(name: str) -> None:
    """A capital at the beginning, a full stop at the end, and more than one word, for the command and for each of its
    options."""
    command = COMMANDS[name]
    texts = {name: command.help} | {parameter.opts[0]: getattr(parameter, "help", None) for parameter in command.params}
    for option, text in texts.items():
        assert text, option
        assert re.fullmatch(r"[A-Z].* .*\.", text, re.DOTALL), (option, text)
        assert not re.match(r"(Of|Only|By|In|From) ", text), (option, text)


@pytest.mark.parametrize(
    ("name", "old", "new"), [(name, *pair) for name, pairs in RENAMED.items() for pair in pairs.items()]
)
def test_an_option_that_was_renamed_is_accepted_with_a_warning(name: str, old: str, new: str) -> None:
    command = next(words for words in COMMANDS if words.split()[-1] == name)
    known = {option for parameter in COMMANDS[command].params for option in parameter.opts}
    assert new in known
    assert old not in known
    for words in ([old, "1"], [f"{old}=1"]):
        done = triglot(*command.split(), *words, "--no-such-option")
        assert f"triglot: {old} is now called {new}\n" in done.err
        assert f"No such option: {old}" not in done.err
