"""The shape of documents that were read from JSON."""

from __future__ import annotations

import json
from typing import NotRequired

import pytest
from typing_extensions import TypedDict

from triglot.files import InputError
from triglot.shapes import shaped, strict


@strict
class State(TypedDict):
    step: int
    losses: NotRequired[dict[str, float]]


def test_a_fitting_document_comes_back_whole() -> None:
    value = {"step": 3, "losses": {"loss": 1}, "more": [1]}
    assert shaped(value, State, "state.json")["step"] == 3


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "step: is missing"),
        ({"step": True}, "step: True"),
        ({"step": 1.5}, "step: 1.5"),
        ({"step": "1"}, "step: '1'"),
        ({"step": 1, "losses": {"a": float("nan")}}, r"losses\.a: nan"),
        ([], r"\[\]"),
        (None, "None"),
    ],
)
def test_the_first_wrong_key_is_named_with_the_file(value: object, said: str) -> None:
    with pytest.raises(InputError, match=f"^state.json: {said}"):
        shaped(value, State, "state.json")
    with pytest.raises(InputError, match=r"^x: a: 'b'"):
        shaped(json.loads('{"a": "b"}'), dict[str, float], "x")
