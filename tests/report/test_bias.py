"""Figures of bias: every language and arm is named, and intervals are those of the queries of one language."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pyarrow as pa
import pytest

from triglot.report.bias import composition, language_bars, rank_distributions
from triglot.report.resampling import PerQuery, by_language

CODES = ["ar", "de", "el", "en", "th"]


def texts_of(svg: str) -> list[str]:
    return [
        "".join(node.itertext()).strip()
        for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]


def runs(seeds: int = 3, queries: int = 40) -> list[dict[str, PerQuery]]:
    rng = np.random.default_rng(0)
    lang = [CODES[i % 5] for i in range(queries)]
    made = []
    for _ in range(seeds):
        values = rng.normal([100 * (1 + CODES.index(code)) for code in lang], 5)
        rows = PerQuery(
            pa.array([f"q{i}" for i in range(queries)]),
            pa.array([f"{c}/" for c in lang]),
            pa.array([str(i // 5) for i in range(queries)]),
            {"rank_distance": values},
        )
        made.append({"multi": rows})
    return made


def test_intervals_by_language_are_around_the_mean_of_its_queries() -> None:
    found = by_language(runs(), "rank_distance")
    assert list(found) == CODES
    for number, (code, one) in enumerate(found.items()):
        values = [run["multi"].values["rank_distance"][number::5].mean() for run in runs()]
        assert one.value == pytest.approx(np.mean(values))
        assert one.low < one.value < one.high, code
        assert one.high - one.low < 30
    assert by_language(runs(), "entropy@10") == {}


def test_bars_name_every_language_and_arm() -> None:
    arms = ["x-x", "x-y", "hybrid"]
    found = {arm: by_language(runs(), "rank_distance") for arm in arms[:2]}
    svg = language_bars(found, arms, label="Rank distance <by> language", prefix="a", x_label="rank distance")
    texts = texts_of(svg)
    assert set(CODES) <= set(texts)
    assert {"x-x", "x-y", "rank distance"} <= set(texts)
    assert "hybrid" not in texts
    assert language_bars({}, arms, label="", prefix="b", x_label="") == ""


def test_composition_writes_the_code_into_every_part_that_has_room() -> None:
    shares = dict.fromkeys(CODES, 0.2)
    small = {"ar": 0.01, "de": 0.24, "el": 0.25, "en": 0.25, "th": 0.25}
    texts = texts_of(composition({"the pool": shares, "x-x": small}, label="Shares", prefix="c"))
    assert texts.count("ar") == 1
    assert all(texts.count(code) == 2 for code in CODES[1:])
    assert {"the pool", "x-x"} <= set(texts)
    assert composition({}, label="", prefix="d") == ""


def test_ranks_have_a_panel_an_arm() -> None:
    ranks = {code: {"same": [1, 1, 2, 5, 50], "other": [1, 5, 20, 90, 900]} for code in CODES}
    texts = texts_of(rank_distributions({"x-x": ranks, "x-y": ranks, "old": {}}, label="Ranks", prefix="e"))
    assert all(texts.count(code) == 2 for code in CODES)
    assert {"x-x", "x-y"} <= set(texts)
    assert "old" not in texts
    assert rank_distributions({"old": {}}, label="", prefix="f") == ""
