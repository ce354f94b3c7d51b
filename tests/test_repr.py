"""What a public object shows of itself fits a screen of 80 columns and 24 lines, however large it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import triglot
from tools.examples import FOLDER
from triglot.batches import BatchSettings, plan_run
from triglot.encoder import EncoderSettings, init_encoder
from triglot.measures import known

LANGUAGES = ("en", "de")


def lines_of(value: Any) -> int:
    """Lines of a terminal of 80 columns."""
    return sum(max(1, math.ceil(len(line) / 80)) for line in repr(value).splitlines())


def many() -> triglot.RetrievalSet:
    """A benchmark of thousands of long texts."""
    texts = {f"{code}-{number}": f"a text {number} " * 20 for number in range(2000) for code in LANGUAGES}
    return triglot.RetrievalSet.from_dicts(
        texts, texts, {one: {one: 1} for one in texts}, name="many", languages={one: one[:2] for one in texts}
    )


@pytest.fixture(scope="module")
def encoder() -> Any:
    words = {"en": dict.fromkeys(["when", "does", "the", "lake", "freeze"], 5)}
    return init_encoder(EncoderSettings(kind="static", dim=8, vocab=200), words, seed=1)


@pytest.fixture(scope="module")
def shown(encoder: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Public name -> what it is or gives."""
    out: Path = tmp_path_factory.mktemp("repr")
    corpus = triglot.read_training(FOLDER / "squad")[0]
    batches = BatchSettings(size=2, kind="xy")
    small = triglot.read_retrieval(FOLDER / "squad", name="x")
    evaluation = triglot.evaluate_encoder(encoder, small)
    for name in ("a", "b"):
        triglot.write_results(out / name, {"x": evaluation}, model="m")
    arms = triglot.find_arms([out / "a", out / "b"])
    table = triglot.compare(arms, "x")
    return {
        "BatchSettings": batches,
        "Computing": triglot.Computing(),
        "Encoder": encoder,
        "Evaluation": evaluation,
        "InputError": triglot.InputError("a file: is wrong"),
        "Measure": next(iter(known())),
        "ParallelCorpus": corpus,
        "RetrievalSet": many(),
        "__version__": triglot.__version__,
        "compare": table,
        "evaluate_encoder": evaluation,
        "find_arms": arms,
        "load_encoder": encoder,
        "load_recipe": [triglot.load_recipe(name) for name in ("demo", "xquad-r-cpu")],
        "open_benchmark": [triglot.open_benchmark(FOLDER / name) for name in ("squad", "stance", "trec", "nli")],
        "plan_epoch": triglot.plan_epoch(triglot.rows_of(corpus), batches, seed=1, epoch=0, languages=corpus.languages),
        "prepare_data": triglot.prepare_data([FOLDER / "described" / "data.yaml"], out / "prepared"),
        "read_retrieval": small,
        "read_task": triglot.read_task(FOLDER / "nli", format="nli", name="x"),
        "read_training": triglot.read_training(FOLDER / "mlqa"),
        "rows_of": triglot.rows_of(corpus),
    }


@pytest.mark.parametrize("name", triglot.__all__)
def test_a_public_name_and_what_it_gives_fit_a_screen(name: str, shown: dict[str, Any]) -> None:
    assert lines_of(getattr(triglot, name)) <= 2
    if name in shown:
        assert 1 <= lines_of(shown[name]) <= 24, repr(shown[name])[:2000]
    else:  # what gives text, a dictionary, nothing, or an object of another package
        assert callable(getattr(triglot, name))


def test_what_is_large_is_counted() -> None:
    assert repr(many()) == "RetrievalSet('many': 4,000 queries, 4,000 passages, 4,000 judgements in de, en)"
    assert repr(many().queries) == "Texts(4,000)"
    assert lines_of(known()) <= 24


def test_plans_say_how_many_batches_they_have() -> None:
    corpus = triglot.read_training(FOLDER / "squad")[0]
    plan = plan_run(
        triglot.rows_of(corpus), BatchSettings(size=2, kind="xy"), steps=30, seed=1, languages=corpus.languages
    )
    assert repr(plan) == "RunPlan(30 xy batches of 2 rows)"


def test_a_loss_shows_its_settings_and_not_its_model() -> None:
    torch = pytest.importorskip("torch")
    model: Callable[..., Any] = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(100)))
    assert repr(triglot.GroupMaskedRankingLoss(model)) == "GroupMaskedRankingLoss(scale=20, symmetric=0, score=cosine)"


def test_an_encoder_says_its_name_and_size(encoder: Any) -> None:
    assert repr(encoder) == "StaticEncoder('static', 8 dimensions)"
    assert np.shape(encoder.encode(["the lake"], side="query")) == (1, 8)
