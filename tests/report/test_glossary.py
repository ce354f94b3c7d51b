"""What names mean: from the registries, each once, and reached from wherever the name stands."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from triglot.batches.kinds import KINDS
from triglot.debias.methods import METHODS
from triglot.measures import find
from triglot.report import compare, find_arms
from triglot.report.content import gather
from triglot.report.glossary import Word, glossary, of_arm, of_measure, parts_of
from triglot.report.html import to_html
from triglot.report.tables import Column
from triglot.report.templates import coded


@pytest.fixture(scope="module")
def page(study: Path) -> str:
    return to_html(gather(find_arms([study]), title="t", resamples=20))


def arm(name: str, **settings: Any) -> Any:
    return SimpleNamespace(name=name, runs=(SimpleNamespace(settings=settings),))


def words(found: dict[str, list[Word]]) -> dict[str, Word]:
    return {one.key: one for entries in found.values() for one in entries}


def test_every_heading_and_every_arm_leads_to_its_sentence(page: str, study: Path) -> None:
    ids = set(re.findall(r'<dt id="(word-[^"]+)">', page))
    linked = re.findall(r'<a class="word" href="#(word-[^"]+)" title="[^"]+">([^<]+)</a>', page)
    assert {key for key, _ in linked} <= ids
    titles = {title for _, title in linked}
    assert {"Monolingual", "mAP", "Rank distance", "Max@R", "Removal test, (c) - (b)", "PEER@10"} <= titles
    assert {one.name for one in find_arms([study])} <= titles
    assert re.search(r"<dt[^>]*>X-X</dt><dd>query and passage in one language", page)
    for head in re.findall(r"<thead>.*?</thead>", page, re.DOTALL)[:1]:
        assert head.count('class="word"') == 2 * 3 + 2  # settings and measure; rank distance, Max@R


def test_sentences_are_those_of_the_tables_of_measures_and_kinds(study: Path) -> None:
    arms = find_arms([study])
    columns = compare(arms, "toy", resamples=0).columns
    told = glossary(arms, columns, decided=True, attacks=False, micro=False)
    assert all(len({one.term for one in entries}) == len(entries) for entries in told.values())
    found = words(told)
    assert found["measure-map"].text == find("map").help
    assert found["measure-max_rank"].text == f"{find('max_rank').help}; lower is better"
    assert found["batches-xx"].text == KINDS["xx"].help
    assert found["measure-pool_share"].text == find("pool_share").help
    assert "micro" not in found
    assert "attack-greedy" not in found
    assert "micro" in words(glossary(arms, columns, decided=False, attacks=True, micro=True))


def test_an_arm_is_told_from_its_recipe() -> None:
    assert "hybrid batches: X-X with probability alpha" in of_arm(arm("mine", batches={"kind": "hybrid"}), 3).text
    assert of_arm(arm("mine", batches={"kind": "hybrid"}), 3).key == "arm-3"
    made = of_arm(arm("without", of=["mine"], debias={"method": "lsar"}), 0).text
    assert made == f"made of mine without training; LSAR: {METHODS['lsar'].help}"
    robust = of_arm(arm("r", batches={"kind": "xy"}, robust={"method": "fgm"}), 0).text
    assert "; FGM: " in robust
    assert of_arm(arm("x", batches={"kind": "of another package"}), 0).text == "trained in this study"
    assert "nothing is trained" in of_arm(arm("bm25"), 0).text
    assert of_arm(arm("e5-small"), 0).text == "a model as it is, not trained in this study"


def test_code_in_a_sentence_is_code_and_the_rest_is_text() -> None:
    assert coded("a <b> (or `by` & `of`)") == "a &lt;b&gt; (or <code>by</code> &amp; <code>of</code>)"


def test_a_heading_without_a_sentence_is_plain() -> None:
    assert parts_of(Column("mono", "map", "Monolingual mAP")) == [
        ("Monolingual", "setting-mono"),
        ("mAP", "measure-map"),
    ]
    assert parts_of(Column("ranked", "map", "mAP of the run")) == [("mAP of the run", "measure-map")]
    assert parts_of(Column("mono", "of another package", "Mine")) == [("Mine", "")]
    assert of_measure("of another package") is None
    assert of_measure("r@50") is not None
