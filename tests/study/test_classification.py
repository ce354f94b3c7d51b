"""Classification benchmarks in recipes and on the command line, beside retrieval."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from tests.command import triglot
from triglot.corpus.formats.nli import LABELS
from triglot.files import InputError, read_json, read_jsonl
from triglot.recipe import Benchmark, load_recipe
from triglot.study.arms import study
from triglot.study.data import Data
from triglot.study.run import run

RECIPE = """languages: [de, el, en]
encoder: {dim: 8, vocab: 200}
sources: [{format: bitext, path: bitext}]
batches: {kind: xy, size: 4, comparable: false}
train: {steps: 4, log_every: 2, validate_every: 2}
validation: [{name: guess, format: nli, path: xnli, options: {train_languages: [en], head: {penalties: [1.0]}}}]
evaluate:
  - {name: inference, format: nli, path: xnli, licence: none, options: {pairs: hybrid}}
  - {name: stances, format: stance, path: xstance, options: {head: {hidden: 4}}}
  - {name: labels, format: stance, path: xstance, languages: [de], options: {tasks: classification, new_authors: true}}
baselines: [bm25]
arms:
  x-y: {train.lr: 0.02}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe and its data: bitext, inference in three languages, stances in two with questions in three."""
    path = tmp_path_factory.mktemp("place")
    (path / "bitext").mkdir()
    with gzip.open(path / "bitext" / "de-en.tsv.gz", "wt", encoding="utf-8") as handle:
        handle.writelines(f"Fluss {n} Berg\triver {n} hill\n" for n in range(30))
    (path / "xnli").mkdir()
    for code in ("de", "en", "fr"):
        lines = (f"river {n} {code}\thill {n} {label} {code}\t{label}" for n in range(24) for label in LABELS)
        (path / "xnli" / f"dev-{code}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (path / "xstance").mkdir()
    for code in ("de", "en", "fr"):
        lines = (json.dumps({"id": n, "text": f"Berg {n} {code}?"}) for n in range(6))
        (path / "xstance" / f"questions.{code}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for split, first in (("train", 0), ("valid", 100)):
        lines = []
        for n in range(48):
            comment = {
                "id": first + n,
                "question_id": n % 6,
                "language": ("de", "fr")[n % 2],
                "comment": f"Fluss {first + n}",
            }
            lines.append(
                json.dumps({**comment, "label": ("FAVOR", "AGAINST")[n // 6 % 2], "author": f"a{first + n - n % 40}"})
            )
        (path / "xstance" / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (path / "recipe.yaml").write_text(RECIPE + f"data: {path}\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    run(load_recipe(str(place / "recipe.yaml")), place / "run")
    return place / "run"


def test_a_run_classifies(model: Path) -> None:
    found = read_json(model / "results.json")["benchmarks"]
    assert list(found) == ["inference", "stances", "stances-classification", "labels"]
    assert found["inference"]["licence"] == "none"
    assert found["inference"]["counts"]["items"] > 20
    # The recipe's languages as far as the data have them: no Greek here, no French there.
    assert read_json(model / "inference.languages.json")["languages"] == ["de", "en"]
    assert "multi" in found["stances"]
    assert set(read_json(model / "stances-classification.languages.json")["cross"]["en"]) == {"de"}
    assert set(found["labels"]) >= {"classification", "majority", "majority_by_question"}
    assert "generalised" not in found["labels"]
    assert (model / "inference.head" / "head.safetensors").is_file()
    assert (model / "inference.items.parquet").is_file()
    validated = [line["validation"]["guess"] for _, line in read_jsonl(model / "metrics.jsonl") if "validation" in line]
    assert len(validated) >= 2
    assert all(0 <= one["generalised"]["accuracy"] <= 1 for one in validated)


@pytest.mark.slow
def test_a_study_passes_over_what_bm25_cannot_do(place: Path, tmp_path: Path) -> None:
    page = study(load_recipe(str(place / "recipe.yaml")), tmp_path / "s").path.read_text("utf-8")
    bm25 = read_json(tmp_path / "s" / "baselines" / "bm25" / "results.json")["benchmarks"]
    assert list(bm25) == ["stances"]
    assert "Accuracy on inference by the language" in page
    assert "Not evaluated on inference: bm25" in page


def test_the_command_line(model: Path, place: Path, tmp_path: Path) -> None:
    on = ("--on", f"x={place / 'xnli'}", "--on", f"s={place / 'xstance'}")
    code, out, err = triglot(
        "evaluate",
        model,
        *on,
        "--out",
        tmp_path / "e",
        "--classify",
        "pairs=xy",
        "--classify",
        "head.penalties=[0.1]",
        "-q",
    )
    assert code == 0, err
    assert "Accuracy, two languages" in out
    found = read_json(tmp_path / "e" / "results.json")["benchmarks"]
    assert list(found) == ["s", "x", "s-classification"]
    assert {"pairs": "xy", "penalty": 0.1}.items() <= found["x"]["head"].items()
    # The head of that evaluation, in another.
    trained = ("--classify", f"trained={tmp_path / 'e' / 'x.head'}", "--languages", "de,fr")
    code, _, err = triglot(
        "evaluate", model, "--on", f"x={place / 'xnli'}", "--out", tmp_path / "again", *trained, "-q"
    )
    assert code == 0, err
    first, again = (read_json(tmp_path / name / "x.languages.json")["cross"]["de"]["fr"] for name in ("e", "again"))
    assert first == again
    assert np.isfinite(first["accuracy"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--classify", "pair=xy"], "pair: no such setting; did you mean 'pairs'"),
        (["--classify", "tasks=retrieval"], "tasks: nli has no 'retrieval'"),
        (["--classify", "trained=nowhere"], "nowhere"),
        (["--languages", "de,ru"], "xnli: no language 'ru'; known: de, en, fr"),
        (["--candidate-text", "sentence"], "candidate_text: no such setting"),
    ],
)
def test_bad_words(model: Path, place: Path, tmp_path: Path, words: list[str], said: str) -> None:
    code, _, err = triglot("evaluate", model, "--on", f"x={place / 'xnli'}", "--out", tmp_path / "e", *words, "-q")
    assert (code, said in err) == (2, True), err
    assert not (tmp_path / "e").exists()


def test_models_without_vectors(place: Path, tmp_path: Path) -> None:
    code, _, err = triglot("evaluate", "bm25", "--on", f"x={place / 'xnli'}", "--out", tmp_path / "e")
    assert code == 2
    assert "bm25: has no vectors" in err
    code, out, err = triglot("evaluate", "bm25", "--on", f"s={place / 'xstance'}", "--out", tmp_path / "e")
    assert (code, "Monolingual mAP" in out) == (0, True)
    assert "s-classification: left out, bm25 has no vectors for it" in err
    code, _, err = triglot(
        "evaluate", "bm25", "--on", f"s={place / 'xstance'}", "--out", tmp_path / "e", "--classify", "pairs=xy"
    )
    assert (code, "--classify: nothing is classified" in err) == (2, True)


def test_stances_without_a_training_part_are_retrieved_alone(
    place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "xstance"
    folder.mkdir()
    for path in (place / "xstance").glob("*[!n].jsonl"):
        (folder / path.name).write_bytes(path.read_bytes())
    one = Benchmark("s", "stance", "xstance")
    data = Data(tmp_path)
    assert data.benchmark(one, ()).task is None
    assert data.benchmark(one, ()).retrieval is not None
    with pytest.raises(InputError, match=r"benchmark 's': .*no comments in train\.jsonl"):
        Data(tmp_path).benchmark(Benchmark("s", "stance", "xstance", options={"tasks": ["classification"]}), ())


def test_a_recipe_names_a_wrong_option_before_anything_runs(place: Path) -> None:
    with pytest.raises(InputError, match=r"evaluate\.0\.options.*pairs: 'yx' is not one of xx, xy, hybrid"):
        load_recipe(str(place / "recipe.yaml"), ["evaluate.0.options={pairs: yx}"])
    with pytest.raises(
        InputError, match=r"command line: evaluate.*options.*tasks: stance has no 'clasification'; did you mean"
    ):
        load_recipe(str(place / "recipe.yaml"), ["evaluate.1.options.tasks=clasification"])
