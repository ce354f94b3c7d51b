"""Recipes with terms: parallel lines beside question-passage pairs, a teacher, what is told, and what is left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.words import WORDS
from triglot.corpus.formats.registry import read_training
from triglot.encoder import load_encoder
from triglot.files import InputError, read_json
from triglot.recipe import load_recipe
from triglot.study.arms import study
from triglot.study.run import run
from triglot.study.stage import FINE_TUNING

RECIPE = """data: {data}
languages: [de, en, es]
encoder: {{kind: transformer, dim: 16, vocab: 400, layers: 1, heads: 2}}
sources:
  - {{format: bitext, path: lines, weight: 1}}
  - {{format: atlas, weight: 1}}
batches: {{kind: hybrid, size: 12, bitext: xy}}
loss:
  weight: 0.2
  terms: [{{name: distillation, weight: 8, reference: en}}, {{name: keep, weight: 1, side: query}}]
train: {{steps: 8, log_every: 1, lr: 0.001, checkpoint_every: 2}}
"""


def lines(folder: Path, count: int = 60, without: int = 0) -> None:
    """A line-aligned folder; the first `without` lines have no English."""
    rng = np.random.default_rng(0)
    picks = [rng.choice(len(WORDS["en"]), 5, replace=False) for _ in range(count)]
    folder.mkdir(parents=True)
    for code in ("de", "en", "es"):
        texts = [" ".join(WORDS[code][i] for i in pick) + f" {n}" for n, pick in enumerate(picks)]
        texts = ["" if code == "en" and n < without else text for n, text in enumerate(texts)]
        (folder / f"{code}.txt").write_text("\n".join(texts) + "\n", "utf-8")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    lines(tmp_path / "data" / "lines", without=5)
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(data=tmp_path / "data"), "utf-8")
    return path


@pytest.mark.slow
def test_parallel_lines_and_questions_in_one_run(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(load_recipe(str(recipe)), out)
    summary = read_json(out / "summary.json")
    stage = summary["stages"][FINE_TUNING]
    by_source = {name: [(q, p) for s, q, p, _ in stage["counts"] if s == name] for name in ("lines", "atlas")}
    assert all(q != p for q, p in by_source["lines"])  # a line and its translation
    assert any(q == p for q, p in by_source["atlas"])
    assert any(q != p for q, p in by_source["atlas"])
    shares = {name: sum(count[-1] for count in stage["counts"] if count[0] == name) for name in by_source}
    assert shares["lines"] == pytest.approx(shares["atlas"], rel=0.2)
    rows = len(read_training(tmp_path / "data" / "lines", format="bitext", languages=["de", "en", "es"])[0])
    told = [line for line in summary["warnings"] if "distillation" in line]
    assert [line.partition(": ")[2].partition(" of ")[0] for line in told] == ["5", "5"]
    assert rows == 60
    logged = [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert all({"info_nce", "distillation", "keep"} <= set(line) for line in logged if "loss" in line)
    card = (out / "model" / "README.md").read_text("utf-8")
    assert "0.2 x InfoNCE with temperature 0.05 + 8 x distillation + 1 x keep" in card
    assert not (out / "teachers").exists()


@pytest.mark.slow
def test_prefixes_go_by_side_and_not_by_source(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from triglot.encoder.transformer import TransformerEncoder

    seen: set[tuple[str, bool]] = set()
    tokenize = TransformerEncoder.tokenize

    def watched(self, texts, *, side):
        seen.update((side, any(word in text for word in WORDS["de"])) for text in texts)
        return tokenize(self, texts, side=side)

    monkeypatch.setattr(TransformerEncoder, "tokenize", watched)
    options = ["encoder.query_prefix='Q: '", "encoder.passage_prefix='P: '", "train.steps=2"]
    run(load_recipe(str(recipe), options), tmp_path / "run")
    assert {("query", True), ("passage", True)} <= seen


@pytest.mark.slow
def test_arms_of_a_study_differ_in_one_term(recipe: Path, tmp_path: Path) -> None:
    arms = "arms:\n  weak: {loss.terms.0.weight: 0.5}\n  plain: {loss.terms: [], loss.weight: 1}\n"
    recipe.write_text(recipe.read_text("utf-8") + arms, "utf-8")
    study(load_recipe(str(recipe), ["train.steps=3"]), tmp_path / "study")
    for arm, names in (("weak", {"info_nce", "distillation", "keep"}), ("plain", set())):
        folder = tmp_path / "study" / "arms" / arm / "seed-1"
        logged = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
        assert {"info_nce", "distillation", "keep"} & set(logged[0]) == names
    counts = [
        read_json(tmp_path / "study" / "arms" / arm / "seed-1" / "summary.json")["stages"][FINE_TUNING]
        for arm in ("weak", "plain")
    ]
    assert counts[0]["counts"] == counts[1]["counts"]
    assert counts[0]["texts"] == counts[1]["texts"]


@pytest.mark.slow
def test_an_arm_between_the_start_and_a_fine_tune(recipe: Path, tmp_path: Path) -> None:
    arms = """arms:
  start: {train.steps: 0}
  tuned: {}
  between: {of: [start, tuned], of_weights: [1, 3]}
  middle: {of: [start, tuned]}
"""
    recipe.write_text(recipe.read_text("utf-8") + arms, "utf-8")
    study(load_recipe(str(recipe), ["train.steps=2", "train.lr=0.05"]), tmp_path / "study")
    place = tmp_path / "study" / "arms"
    start, tuned, between, middle, init = (
        load_file(folder / "model.safetensors")
        for folder in (
            *(place / arm / "seed-1" / "model" for arm in ("start", "tuned", "between", "middle")),
            tmp_path / "study" / "init" / "seed-1",
        )
    )
    moved = 0.0
    for key, value in init.items():
        assert torch.equal(start[key], value)
        torch.testing.assert_close(between[key], 0.25 * value + 0.75 * tuned[key])
        torch.testing.assert_close(middle[key], (value + tuned[key]) / 2)
        moved = max(moved, float((tuned[key] - value).abs().max()))
    assert moved > 0.01
    said = (place / "between" / "seed-1" / "model" / "README.md").read_text("utf-8")
    assert "mean of 1 x start, 3 x tuned" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("of: [start], of_weights: [1, 2]", r"arms\.mean: of_weights: one for each of 1 arms"),
        ("of: [start, tuned], of_weights: [0, 0]", r"of_weights: one for each of 2 arms, at least one above 0"),
        ("of: [start, tuned], train.steps: 3", r"takes of, of_weights, debias, encoding alone"),
    ],
)
def test_weights_that_do_not_fit_the_arms(recipe: Path, line: str, said: str) -> None:
    arms = f"arms:\n  start: {{train.steps: 0}}\n  tuned: {{}}\n  mean: {{{line}}}\n"
    recipe.write_text(recipe.read_text("utf-8") + arms, "utf-8")
    with pytest.raises(InputError, match=said):
        load_recipe(str(recipe))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("loss.terms.0.teacher=nowhere/at/all", r"loss\.terms: teacher: nowhere/at/all: "),
        ("loss.terms.0.reference=fr", r"loss\.terms: reference: no text in 'fr'"),
        ("batches.bitext=kind", r"source 'lines': .*batches\.bitext: xy shows them in two languages"),
        ("loss.terms.0.name=distil", r"command line: loss\.terms\.0\.name: 'distil' is unknown"),
    ],
)
def test_what_cannot_be_had_is_said(recipe: Path, tmp_path: Path, setting: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        run(load_recipe(str(recipe), [setting]), tmp_path / "run")


@pytest.mark.slow
def test_a_second_model_teaches_through_a_map(recipe: Path, tmp_path: Path) -> None:
    wide = ["encoder.dim=24", "loss.terms=[]", "loss.weight=1", "train.steps=1"]
    run(load_recipe(str(recipe), wide), tmp_path / "wide")
    taught = [f"loss.terms.0.teacher={tmp_path / 'wide' / 'model'}", "train.steps=4"]
    run(load_recipe(str(recipe), taught), tmp_path / "run")
    told = read_json(tmp_path / "run" / "model" / "config.json")
    assert told["hidden_size"] == 16
    assert not (tmp_path / "run" / "teachers").exists()


@pytest.mark.slow
def test_a_real_encoder_is_drawn_to_its_own_english(e5_small: Path, data: Path, tmp_path: Path) -> None:
    """A few steps on a few lines of NTREX: texts of other languages come nearer to the start's English."""
    path = tmp_path / "recipe.yaml"
    path.write_text(
        f"""data: {data}
languages: [de, en, th]
encoder: {{kind: pretrained, model: {e5_small}}}
sources: [{{format: bitext, path: ntrex, options: {{limit: 24}}}}]
batches: {{kind: xy, size: 12, comparable: false}}
loss: {{weight: 0, terms: [{{name: distillation}}]}}
train: {{steps: 4, lr: 2.0e-5, schedule: constant, log_every: 1, checkpoint_every: 0}}
""",
        "utf-8",
    )
    run(load_recipe(str(path)), tmp_path / "run")
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    values = [line["distillation"] for line in logged]
    assert 0.01 < values[0] < 0.5
    assert min(values[2:]) < 0.8 * values[0]
    encoder, start = load_encoder(tmp_path / "run" / "model"), load_encoder(e5_small)
    assert encoder.encode(["a"], side="query").shape == start.encode(["a"], side="query").shape


@pytest.mark.slow
def test_align_by_distillation_then_tune(recipe: Path, tmp_path: Path) -> None:
    """MIMO's two stages: the teacher of each is what that stage starts from."""
    first = "{sources: [{format: bitext, path: lines}], batches: {kind: xy, size: 12, comparable: false}, "
    first += "loss: {weight: 0, terms: [{name: distillation}]}, train: {steps: 3, log_every: 1}}"
    run(load_recipe(str(recipe), [f"alignment={first}", "train.steps=3"]), tmp_path / "run")
    parts = []
    for folder in (tmp_path / "run" / "alignment", tmp_path / "run"):
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
        parts.append({"info_nce", "distillation", "keep"} & set(lines[-1]))
        assert not (folder / "teachers").exists()
    assert parts == [{"distillation"}, {"info_nce", "distillation", "keep"}]


@pytest.mark.slow
def test_a_killed_run_asks_its_teacher_once(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from triglot.study import stage
    from triglot.train import teacher

    class Killed(BaseException):
        pass

    written: list[Path] = []
    write, go_on = teacher._write, stage.train_loop

    def counted(place: Path, *rest):
        written.append(place)
        return write(place, *rest)

    def killed(*args, **options):
        raise Killed

    monkeypatch.setattr(teacher, "_write", counted)
    monkeypatch.setattr(stage, "train_loop", killed)
    short = load_recipe(str(recipe), ["train.steps=3"])
    with pytest.raises(Killed):
        run(short, tmp_path / "run")
    monkeypatch.setattr(stage, "train_loop", go_on)
    run(short, tmp_path / "run")
    assert len(written) == 1
    run(short, tmp_path / "whole")
    a, b = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("run", "whole"))
    assert all(torch.equal(a[key], value) for key, value in b.items())


@pytest.mark.slow
def test_nothing_trained_yet_may_be_taken_over(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from triglot.study import stage

    class Killed(BaseException):
        pass

    def killed(*args, **options):
        raise Killed

    go_on = stage.train_loop
    monkeypatch.setattr(stage, "train_loop", killed)
    with pytest.raises(Killed):
        run(load_recipe(str(recipe), ["train.steps=3"]), tmp_path / "run")
    monkeypatch.setattr(stage, "train_loop", go_on)
    run(load_recipe(str(recipe), ["train.steps=2", "loss.terms.0.reference=de"]), tmp_path / "run")
    assert not (tmp_path / "run" / "teachers").exists()
