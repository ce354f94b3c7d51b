"""Code-switching: the gathers against a naive loop over strings, and what the draws may depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot import seeds
from triglot.augment.codeswitch import CodeSwitcher, join_units, split_units
from triglot.files import InputError
from triglot.ragged import Ragged

TEXTS = ["The cat sat on the mat.", "A dog's life, isn't it?", "", "42 cats — and THE dog"]
LISTS = {
    "de": [("cat", "Katze"), ("the", "der"), ("the", "die"), ("dog", "Hund")],
    "zh": [("cat", "猫"), ("sat", "坐")],
    "xx": [],
}


def naive(switcher: CodeSwitcher, text: int, lang: str, epoch: int, p: float) -> list[str]:
    table: dict[str, list[str]] = {}
    for word, translation in LISTS[lang]:
        table.setdefault(word, []).append(translation)
    result = []
    first = sum(len(split_units(t)) for t in TEXTS[:text])
    for place, unit in enumerate(split_units(TEXTS[text]), first):
        choices = table.get(unit.lower(), [])
        if choices and seeds.uniform(switcher.seed, "codeswitch-word", epoch, place) < p:
            result.append(choices[int(seeds.uniform(switcher.seed, "codeswitch", epoch, place) * len(choices))])
        else:
            result.append(unit)
    return result


@pytest.mark.parametrize("lang", ["de", "zh", "xx"])
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_switching_is_the_naive_loop(lang: str, p: float) -> None:
    switcher = CodeSwitcher(TEXTS, LISTS, p=p, seed=3)
    for epoch in range(4):
        order = np.array([3, 0, 2, 1, 0])
        switched = switcher.switch(order, lang, epoch)
        shown = [[switcher.surface[u] for u in switched[i]] for i in range(len(order))]
        assert shown == [naive(switcher, int(t), lang, epoch, p) for t in order]


def test_a_text_gets_the_same_draws_in_any_batch_and_others_in_the_next_epoch() -> None:
    switcher = CodeSwitcher(["the " * 40], {"de": LISTS["de"]}, seed=1)
    alone, again = (switcher.switch(np.array(rows), "de", 0) for rows in ([0], [0, 0]))
    assert (again[1] == alone[0]).all()
    assert (switcher.switch(np.array([0]), "de", 1)[0] != alone[0]).any()


def test_coverage_counts_words_and_not_punctuation() -> None:
    switcher = CodeSwitcher(["cat, cat; bird!"], {"zh": LISTS["zh"]})
    assert switcher.coverage("zh") == pytest.approx(2 / 3)


def test_probability_outside_0_and_1_is_an_error() -> None:
    with pytest.raises(InputError, match=r"codeswitch\.p is 1\.5"):
        CodeSwitcher(TEXTS, LISTS, p=1.5)


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (["Hello", ",", "world", "!"], "Hello, world!"),
        (["我", "爱", "cats"], "我爱cats"),
        (["¿", "qué", "?"], "¿qué?"),
        ([], ""),
    ],
)
def test_joined_units_read_like_text(units: list[str], text: str) -> None:
    assert join_units(units) == text


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=6), st.data())
@settings(max_examples=60, deadline=None)
def test_ragged_takes_and_expands_like_lists(lists: list[list[int]], data: st.DataObject) -> None:
    ragged = Ragged.of(lists)
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    taken = ragged.take(np.array(rows, np.int64))
    assert [taken[i].tolist() for i in range(len(taken))] == [lists[r] for r in rows]
    inner = [[value] * (value % 3) for value in range(10)]
    expanded = ragged.expand(Ragged.of(inner))
    assert [expanded[i].tolist() for i in range(len(lists))] == [[x for v in row for x in inner[v]] for row in lists]
