"""Conditions in words: what they mean, and what is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from triglot.files import InputError
from triglot.index.documents import Documents, table_of
from triglot.index.filters import mask, parse_conditions

FIELDS = {"number": "int", "price": "float", "place": "string", "open": "bool"}


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("place=Paris, France", ("Paris", "France")),
        ('place="Paris, France"', ("Paris, France",)),
        ('place!="Paris, France", Berlin', ("Paris, France", "Berlin")),
        ('place=say ""hi""', ('say ""hi""',)),
        ('place="say ""hi"""', ('say "hi"',)),
        ('place>="a, b"', ("a, b",)),
        ("place=", ("",)),
        ("number=-9223372036854775808,7", (-(2**63), 7)),
        ("price<1e300", (1e300,)),
        ("open=TRUE,false", (True, False)),
    ],
)
def test_values_are_read_as_csv_has_them(word: str, values: tuple[Any, ...]) -> None:
    (condition,) = parse_conditions([word], FIELDS)
    assert condition.values == values


@pytest.mark.parametrize(
    ("word", "match"),
    [
        ("number>=99999999999999999999", "is no int, which this field holds"),
        ("number=9223372036854775808", "is no int, which this field holds"),
        (f"number={'9' * 5000}", "is no int, which this field holds"),
        ("price<1e999", "'1e999' is no float"),
        ("price=nan", "'nan' is no float"),
        ("place=\udcff", "is no string, which this field holds"),
        ("open=perhaps", "is no bool"),
        ("place>=a,b", ">= takes one value"),
        ('place="Paris, France', "no values as CSV writes them"),
        ('place="Paris" and more', "no values as CSV writes them"),
    ],
)
def test_what_is_no_value_is_named(word: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        parse_conditions([word], FIELDS)


def test_a_value_with_a_comma_is_found_and_no_other() -> None:
    documents = Documents(
        ["a", "b", "c"], ["x", "y", "z"], ["fr"] * 3, (), {"place": ["Paris", "Paris, France", "France"]}
    )
    table = table_of(documents, {"place": "string"})
    for word, wanted in {'place="Paris, France"': [0, 1, 0], "place=Paris, France": [1, 0, 1]}.items():
        found = mask(table, parse_conditions([word], FIELDS), {"place": "string"})
        assert found is not None
        assert found.tolist() == np.array(wanted, bool).tolist()
