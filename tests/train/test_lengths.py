"""Cuts by length against every possible cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot.train.lengths import by_length


def cost(lengths: np.ndarray, parts: list[np.ndarray], overhead: int) -> int:
    return sum(int(lengths[part].max()) * len(part) + overhead for part in parts)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, 60))
def test_no_other_cut_of_the_sorted_texts_costs_less(lengths: list[int], overhead: int) -> None:
    array = np.array(lengths)
    parts = by_length(array, overhead)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    order = np.argsort(-array, kind="stable")
    cuts = [
        np.split(order, places)
        for n in range(len(lengths))
        for places in itertools.combinations(range(1, len(lengths)), n)
    ]
    assert cost(array, parts, overhead) == min(cost(array, cut, overhead) for cut in cuts)


def test_no_texts_have_no_parts() -> None:
    assert by_length(np.zeros(0, np.int64), 64) == []


@pytest.mark.parametrize(("overhead", "parts"), [(1, 2), (10**6, 1)])
def test_questions_and_paragraphs_part_where_padding_costs_more_than_a_part(overhead: int, parts: int) -> None:
    assert len(by_length(np.array([20] * 8 + [140] * 8), overhead)) == parts
