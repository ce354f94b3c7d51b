"""What an encoder is: any object with `name`, `dim` and `encode`; languages are told to those that ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_type_hints

import numpy as np
import pytest

from triglot.encoder.languages import ByLanguage
from triglot.encoder.once import encode_once
from triglot.encoder.protocol import Encoder, by_language, in_language, similarity_of
from triglot.encoder.static import StaticEncoder
from triglot.encoder.transformer import TransformerEncoder


class Lengths:
    """An encoder of somebody else: it knows nothing of languages."""

    name, dim = "lengths", 2

    def encode(self, texts: Sequence[str], *, side: str, progress: bool = False) -> np.ndarray:
        return np.array([[len(text), side == "query"] for text in texts], np.float32)


class Spoken(Lengths):
    by_language = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def encode(
        self, texts: Sequence[str], *, side: str, langs: Sequence[str] | None = None, progress: bool = False
    ) -> np.ndarray:
        assert langs is not None
        self.asked += zip(texts, langs, strict=True)
        return np.array([[len(text), len(lang)] for text, lang in zip(texts, langs, strict=True)], np.float32)


def test_languages_are_told_to_those_that_ask_for_them() -> None:
    texts, langs = ["a", "bb", "a", "a"], ["de", "de", "und", "de"]
    assert encode_once(Lengths(), texts, "query", langs=langs).tolist() == [[1, 1], [2, 1], [1, 1], [1, 1]]
    spoken = Spoken()
    assert encode_once(spoken, texts, "query", langs=langs).tolist() == [[1, 2], [2, 2], [1, 3], [1, 2]]
    assert spoken.asked == [("a", "de"), ("bb", "de"), ("a", "und")]


def test_what_an_encoder_does_not_say_has_a_default() -> None:
    plain: Any = Lengths()
    assert (by_language(plain), similarity_of(plain)) == (False, "cosine")
    assert in_language(plain, "de") is plain
    assert by_language(Spoken())


@pytest.mark.parametrize("encoder", [StaticEncoder, TransformerEncoder, ByLanguage])
def test_our_own_encoders_take_what_the_protocol_says(encoder: type) -> None:
    wanted = get_type_hints(Encoder.encode)
    has = get_type_hints(encoder.encode)
    assert {name: has[name] for name in wanted} == wanted
