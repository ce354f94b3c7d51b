"""Run and study folders: taken over, locked, swept, checked; what damages them is found and said."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import triglot
from tests.study.small import small_recipe
from triglot.files import InputError, locked
from triglot.recipe import load_recipe, to_yaml
from triglot.sealed import read_sealed, write_sealed
from triglot.study.arms import baseline, record, study
from triglot.study.data import Data
from triglot.study.folder import is_whole, seal_start, trained, writing
from triglot.study.run import make_encoder, run

ARMS = "\n  x-x: {batches.kind: xx}\n"


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run; tests change what they copy."""
    place = tmp_path_factory.mktemp("finished")
    run(small_recipe(place, ARMS), place / "run")
    return place / "run"


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def test_an_arm_made_of_others_is_no_run_by_itself(tmp_path) -> None:
    with pytest.raises(InputError, match=r"of: belongs to an arm \(arms\.NAME\.of\)"):
        run(replace(small_recipe(tmp_path, ARMS), of=("x",)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_failed_start_does_not_block_the_next_try(tmp_path) -> None:
    wrong = tmp_path / "wrong.yaml"
    out = tmp_path / "run"
    wrong.write_text(
        "languages: [de, en]\nencoder: {dim: 16, vocab: 100}\nsources: [{format: squad, path: nosuch}]\ntrain: "
        "{steps: 2}\n",
        encoding="utf-8",
    )
    done = triglot("train", wrong, f"data={tmp_path}", "--out", out)
    assert done.code == 2
    assert "source 'nosuch'" in done.err
    assert not out.exists()
    (out / "init").mkdir(parents=True)
    (out / "recipe.yaml").write_text(wrong.read_text())
    (out / ".recipe.yaml.abcd1234.part").write_text("half")
    (out / "metrics.jsonl").write_text('{"half')
    assert run(small_recipe(tmp_path, ARMS), out)["benchmarks"]
    assert not [path for path in out.rglob("*") if path.name.endswith(".part")]


@pytest.mark.slow
def test_a_folder_with_something_trained_keeps_its_settings(copy, tmp_path) -> None:
    (copy / "results.json").unlink()
    recipe = small_recipe(tmp_path, ARMS)
    with pytest.raises(InputError, match=r"made with train\.lr=0\.05, now train\.lr=0\.1"):
        run(replace(recipe, train=replace(recipe.train, lr=0.1)), copy)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Parallel texts and a recipe that trains on them."""
    (tmp_path / "texts").mkdir()
    for lang, word in (("de", "Fluss"), ("en", "river")):
        (tmp_path / "texts" / f"{lang}.txt").write_text("".join(f"{word} {number}\n" for number in range(16)))
    (tmp_path / "recipe.yaml").write_text(
        f"data: {tmp_path}\nlanguages: [de, en]\nencoder: {{dim: 8, vocab: 60}}\n"
        "sources: [{format: bitext, path: texts}]\nbatches: {kind: xy, size: 8, comparable: false}\n"
        "train: {steps: 2, lr: 0.01}\nevaluate: [{name: test, format: bitext, path: texts}]\n"
    )
    return tmp_path


@pytest.mark.slow
def test_a_run_with_changed_data_is_refused(texts: Path, caplog) -> None:
    recipe, out = load_recipe(str(texts / "recipe.yaml")), texts / "run"
    changed = r"run: begun with other data: source 'texts' has changed since .* begin anew with --force"
    out.mkdir()
    (out / "recipe.yaml").write_text(to_yaml(recipe))
    write_sealed(out / "data.json", {"source 'texts' (texts)": "0" * 24})  # of a start that trained nothing
    run(recipe, out)
    run(recipe, out)
    _change(texts / "texts" / "de.txt", "Fluss", "Strom")
    with pytest.raises(InputError, match=changed):
        run(recipe, out)
    (out / "data.json").unlink()
    with caplog.at_level(logging.INFO, "triglot"):
        run(recipe, out)
    assert "run: was begun before data were noted; whether they have changed since is unknown" in caplog.text
    assert not (out / "data.json").exists()
    run(recipe, out, force=True)
    assert (out / "data.json").exists()


def test_a_start_knows_its_texts(texts: Path, caplog) -> None:
    recipe, folder = load_recipe(str(texts / "recipe.yaml")), texts / "init"

    def words() -> str:
        return (make_encoder(recipe, folder, Data(texts)) / "tokenizer.json").read_text("utf-8")

    before = words()
    _change(texts / "texts" / "de.txt", "Fluss 0", "Strom Strom Strom")
    after = words()
    assert after != before
    seal = read_sealed(folder / "checksums.json")
    del seal["made"]["texts"]  # as versions before wrote it
    write_sealed(folder / "checksums.json", seal)
    _change(texts / "texts" / "de.txt", "Strom Strom Strom", "Fluss 0")
    with caplog.at_level(logging.INFO, "triglot"):
        assert words() == after
    assert "made before checksums of texts were kept" in caplog.text


@pytest.mark.parametrize("name", ["notes.txt", "model/mine.bin", ".hidden"])
def test_a_foreign_folder_is_refused_and_left_alone(tmp_path, name) -> None:
    out = tmp_path / "run"
    foreign, part = out / name, out / ".theirs.abcd1234.part"
    foreign.parent.mkdir(parents=True, exist_ok=True)
    for path in (foreign, part):
        path.write_text("mine")
    for start, kind in ((run, "run"), (study, "study")):
        with pytest.raises(InputError, match=f"holds something else than a {kind}"):
            start(small_recipe(tmp_path, ARMS), out)
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {name, part.name}


@pytest.mark.slow
def test_one_process_writes(tmp_path, finished) -> None:
    recipe = small_recipe(tmp_path, ARMS)
    for start in (run, study):
        with locked(tmp_path / "out"), pytest.raises(InputError, match="another process is writing there"):
            start(recipe, tmp_path / "out")
    whole = tmp_path / "study"
    (whole / "arms").mkdir(parents=True)
    (whole / "study.json").write_text("{}")
    with writing(whole), pytest.raises(InputError, match="study: another process is writing there"):
        run(recipe, whole / "arms" / "x-x" / "seed-1")


@pytest.mark.parametrize("kind", ["file", "name", "link"])
def test_where_nothing_can_be_written_is_found_before_the_work(tmp_path, kind) -> None:
    out = {"file": tmp_path / "file", "name": tmp_path / ("n" * 300), "link": tmp_path / "link"}[kind]
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "link")
    for start in (run, study):
        with pytest.raises(InputError, match=r"a folder was expected|cannot be written|leads to itself|too long"):
            start(small_recipe(tmp_path, ARMS), out)
    assert (tmp_path / "file").read_text() == "mine"


def test_every_path_is_checked_before_the_first_baseline(tmp_path) -> None:
    more = "\nbaselines: [bm25]\nvalidation: [{name: valid, format: squad, path: nosuch}]\n"
    with pytest.raises(InputError, match=r"benchmark 'valid': .*nosuch: no such file or folder"):
        study(small_recipe(tmp_path, ARMS, more), tmp_path / "study")
    arms = "\n  x-x: {batches.kind: xx}\n  other: {sources: [{format: squad, path: gone}]}\n"
    with pytest.raises(InputError, match=r"source 'gone': .*gone: no such file or folder"):
        study(small_recipe(tmp_path, arms, "\nbaselines: [bm25]\n"), tmp_path / "study")
    assert not (tmp_path / "study" / "baselines").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("summary.json", '"parameters": ', '"parameters": 1'),
        ("summary.json", '"checksum"', '"checksun"'),
        ("summary.json", '"files"', '"filet"'),
        ("model/tokenizer.json", "{", "{ "),
        ("model/modules.json", "[", "[ "),
    ],
)
def test_a_changed_model_or_summary_is_not_evaluated(copy, tmp_path, name, old, new) -> None:
    (copy / "results.json").unlink()
    _change(copy / name, old, new)
    with pytest.raises(InputError, match=r"(damaged or changed|no checksum).*; to train again, remove"):
        run(small_recipe(tmp_path, ARMS), copy)


@pytest.mark.slow
def test_the_card_of_a_model_may_be_edited(copy) -> None:
    (copy / "model" / "README.md").write_text("mine")
    assert trained(copy) == copy / "model"


def test_a_damaged_start_is_made_again_and_a_foreign_one_refused(tmp_path, caplog) -> None:
    folder, made = tmp_path / "init", {"seed": 1}
    folder.mkdir()
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="holds something that no run has written"):
        is_whole(folder, made)
    seal_start(folder, made)
    assert is_whole(folder, made)
    assert not is_whole(folder, {"seed": 2})
    (folder / "tokenizer.json").write_text("{} ")
    with caplog.at_level(logging.WARNING, "triglot"):
        assert not is_whole(folder, made)
    assert "tokenizer.json: damaged or changed" in caplog.text
    assert "made again" in caplog.text


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-30],
        lambda text: text + '{"time": "20',
        lambda text: text.replace('"seed": 1', '"seed": "1"'),
        lambda text: "[]\n" + text,
        lambda text: "\xff" + text,
        lambda text: "[" * 100_000 + "\n" + text,
    ],
)
def test_damaged_lines_of_the_evaluations_stop_no_study(tmp_path, caplog, damage) -> None:
    recipe, results, path = small_recipe(tmp_path, ARMS), tmp_path / "results.json", tmp_path / "evaluations.jsonl"
    results.write_text('{"benchmarks": {"b": {"mono": {"map": 0.5}}}}')

    def recorded() -> list[tuple[str, int | None]]:
        for arm, seed in (("bm25", None), ("x-x", 1)):
            record(tmp_path, recipe, arm, seed, results)
        return sorted((line["arm"], line["seed"]) for line in map(json.loads, path.read_text().splitlines()))

    assert recorded() == recorded() == [("bm25", None), ("x-x", 1)]
    path.write_text(damage(path.read_text()), encoding="latin-1")
    with caplog.at_level(logging.WARNING, "triglot"):
        assert recorded() == [("bm25", None), ("x-x", 1)]
    assert "is cut or damaged, and left out" in caplog.text


@pytest.mark.slow
def test_a_baseline_is_evaluated_again_on_other_benchmarks(tmp_path) -> None:
    recipe, data = small_recipe(tmp_path, ARMS), Data(tmp_path)
    baseline(recipe, "bm25", tmp_path, data)
    folder = tmp_path / "baselines" / "bm25"
    (folder / "results.json").write_text('{"benchmarks": {}}')
    baseline(recipe, "bm25", tmp_path, data)
    assert (folder / "results.json").read_text() == '{"benchmarks": {}}'
    for old, new in (("atlas", "other"), ('"checksum"', '"checksun"')):
        (folder / "results.json").write_text('{"benchmarks": {}}')
        _change(folder / "baseline.json", old, new)
        baseline(recipe, "bm25", tmp_path, data)
        assert "atlas" in json.loads((folder / "results.json").read_text())["benchmarks"]
