"""Planted passages: who aims gets in, payloads alone do not, and the budget holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.attack.conftest import Letters
from triglot.attack.poison import PoisonSettings, check_poison, plant
from triglot.encoder.once import encode_set
from triglot.files import InputError


def test_a_planted_passage_gets_in_more_often_than_its_payload(encoder: Letters, benchmark) -> None:
    queries, passages = encode_set(encoder, benchmark)
    for method in ("echo", "greedy"):
        found = plant(encoder, benchmark, queries, passages, PoisonSettings(method=method, targets=10, k=3, budget=30))
        assert found["success@3"] > found["payload@3"]
        assert found["same"] > found["other"]
        assert found["calls"] <= 30
        assert set(found["matrix"]) == {"de", "en", "es"}
        assert set(found["matrix"]["de"]) == {"de", "en", "es"}
        assert found == plant(
            encoder, benchmark, queries, passages, PoisonSettings(method=method, targets=10, k=3, budget=30)
        )
        assert all(example["passage"] != example["question"] for example in found["examples"])


def test_the_whole_pool_is_always_reached(encoder: Letters, benchmark) -> None:
    queries, passages = encode_set(encoder, benchmark)
    floor = passages - 2 * queries.mean(0)  # every pool score is low
    floor /= np.linalg.norm(floor, axis=1, keepdims=True)
    assert (
        plant(encoder, benchmark, queries, floor.astype(np.float32), PoisonSettings(targets=4, k=1000))["success@1000"]
        == 1.0
    )


def test_bad_plants(encoder: Letters, benchmark) -> None:
    for values in ({"method": "ecko"}, {"targets": 0}, {"budget": 0}):
        with pytest.raises(InputError, match=f"^{next(iter(values))}: "):
            PoisonSettings(**values)
    one = replace(benchmark, passages=replace(benchmark.passages, cluster=np.zeros(len(benchmark.passages), np.int32)))
    one = replace(one, queries=replace(one.queries, cluster=np.zeros(len(one.queries), np.int32)))
    queries, passages = encode_set(encoder, benchmark)
    with pytest.raises(InputError, match="no passage in de that could be a payload"):
        plant(encoder, one, queries, passages, PoisonSettings(targets=2))
    with pytest.raises(InputError, match="no passage in de that could be a payload"):
        check_poison(one, PoisonSettings(targets=2))


def test_plants_for_questions_in_one_language_have_no_figure_across(encoder: Letters, benchmark) -> None:
    one = benchmark.queries.take(np.flatnonzero(benchmark.queries.lang == 0))
    judged = benchmark.judgements[benchmark.judgements[:, 0] % 3 == 0] // [3, 1, 1]
    alone = replace(benchmark, queries=one, judgements=judged)
    found = plant(encoder, alone, *encode_set(encoder, alone), PoisonSettings(targets=3, k=3))
    assert found["other"] is None
    assert found["same"] == found["success@3"]
