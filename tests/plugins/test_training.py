"""A package adds kinds of batch and a loss by entry points: a recipe names them, and training runs with both."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.plugins import install
from tests.study.small import TEXT
from tests.train.conftest import make_corpus
from triglot.batches import KINDS, BatchSettings, Kind, plan_epoch, rows_of
from triglot.files import InputError, read_json
from triglot.losses import LOSSES, LossSettings
from triglot.recipe import load_recipe
from triglot.study.run import run


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "site-packages"
    place.mkdir()
    install("triglot_ring", place, monkeypatch)


@pytest.mark.usefixtures("ring")
def test_a_kind_of_another_package_is_planned() -> None:
    corpus = make_corpus(40).select(np.arange(40))
    plan = plan_epoch(rows_of(corpus), BatchSettings(kind="ring", size=10), seed=1)
    shown = [(step.query_lang, step.passage_lang[:, 0]) for step in plan]
    assert all(((query + 1) % 3 == passage).all() for query, passage in shown)
    assert {step.kind for step in plan} == {"ring"}
    assert set(np.concatenate([query for query, _ in shown]).tolist()) == {0, 1, 2}


@pytest.mark.usefixtures("ring")
def test_a_kind_made_of_three_has_each_in_its_share() -> None:
    corpus = make_corpus(90).select(np.arange(90))
    plan = plan_epoch(rows_of(corpus), BatchSettings(kind="half-ring", size=3, every_row=True), seed=1)
    kinds = [step.kind for step in plan]
    for steps in range(1, len(kinds) + 1):
        counts = Counter(kinds[:steps])
        assert all(abs(counts[kind] - steps / 3) <= 1.5 for kind in ("xx", "ring", "independent"))


@pytest.mark.slow
@pytest.mark.usefixtures("ring")
def test_a_run_with_both(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(TEXT.removesuffix("arms:"), "utf-8")
    run(load_recipe(str(tmp_path / "recipe.yaml"), ["batches.kind=ring", "loss.name=margin"]), tmp_path / "run")
    (stage,) = read_json(tmp_path / "run" / "summary.json")["stages"].values()
    following = {"de": "en", "en": "th", "th": "de"}
    assert stage["counts"]
    assert all(following[query] == passage for _, query, passage, _ in stage["counts"])
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert 0 < min(line["loss"] for line in logged if "loss" in line) < 1  # the default's is some 2.7


@pytest.mark.usefixtures("ring")
def test_all_rows_are_told() -> None:
    assert KINDS.names()[-2:] == ("half-ring", "ring")
    assert LOSSES.names()[0] == "info-nce"
    assert LOSSES.names()[-1] == "margin"
    assert all(row.title and row.help for table in (KINDS, LOSSES) for row in table)


def test_without_the_package_they_are_unknown() -> None:
    with pytest.raises(InputError, match=r"^kind: 'ring' is unknown; known: hybrid, "):
        BatchSettings(kind="ring")
    with pytest.raises(InputError, match=r"^name: 'info_nce' is unknown; did you mean 'info-nce'"):
        LossSettings(name="info_nce")
    with pytest.raises(InputError, match=r"^terms\.0\.name: 'margin' is unknown"):
        LossSettings(terms=({"name": "margin"},))


def test_a_kind_that_is_added_in_python() -> None:
    with pytest.raises(InputError, match="there is a batch kind 'xx' already"):
        KINDS.add(Kind("xx", "", ""))
    KINDS.add(Kind("english", "", "", joint=lambda query, passage, both: np.outer(query, np.arange(64) == 1)))
    try:
        corpus = make_corpus(40).select(np.arange(40))
        plan = plan_epoch(rows_of(corpus), BatchSettings(kind="english", size=10), seed=1)
        assert all((step.passage_lang == 1).all() for step in plan)
    finally:
        KINDS.remove("english")
