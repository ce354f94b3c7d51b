"""Scripts without spaces, said once in two ways that agree; and when two texts are the same."""

from __future__ import annotations

import re
import sys
import unicodedata
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot.augment.codeswitch import join_units
from triglot.bm25 import tokenise
from triglot.text import HAN_BLOCKS, RUNS, THAI_BLOCKS, UNSPACED, in_one, normalise, ranges, said, titled, within


def test_blocks_hold_the_letters_of_the_scripts_and_little_else() -> None:
    points = np.arange(sys.maxunicode + 1)
    inside = within(points, HAN_BLOCKS) | within(points, THAI_BLOCKS)
    beside = []
    for code in points.tolist():
        character = chr(code)
        category = unicodedata.category(character)
        if UNSPACED.match(character):
            # Signs and radicals are in no word; points may be newer than Python.
            assert inside[code] or category in ("So", "Cn") or 0x2E80 <= code < 0x2FE0, hex(code)
        elif inside[code] and category[0] != "C":
            beside.append(character)
    assert "".join(beside) == "฿〆\u3099\u309a゛゜゠・\uff70\uff9e\uff9f\U00016fe4"


@given(st.text(st.sampled_from("aß1 .中ーคກខမ々〇・"), max_size=20))
def test_ranges_are_a_class_of_characters(text: str) -> None:
    blocks = re.compile(f"[{ranges((*HAN_BLOCKS, *THAI_BLOCKS))}]")
    for character in text:
        inside = bool(within(np.array([ord(character)]), (*HAN_BLOCKS, *THAI_BLOCKS))[0])
        assert bool(blocks.match(character)) == inside == (bool(UNSPACED.match(character)) or character == "・")
    assert "".join(RUNS.findall(text)) == text


def test_every_room_knows_the_same_scripts() -> None:
    for text in ("中文字", "ひらがなー", "ภาษา", "ລາວ", "ខ្មែរ", "မြန်", "𠀀𠀁", "時々"):
        assert UNSPACED.fullmatch(text)
        assert all(len(token) <= 2 for token in tokenise(text))
        assert join_units([text, text, "a"]) == f"{text}{text}a"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  Super_Bowl  _ 50 ", "super bowl 50"),
        ("Straße!", "strasse"),
        ("ＡＢＣ，１２３", "abc 123"),
        ("it’s", "it s"),
        ("soft\u00adhyphen\u200b", "softhyphen"),
        ("पानी।", "पानी"),
        ("สุนัข", "สุนัข"),
        ("…", ""),
    ],
)
def test_normalise(text, normal):
    assert normalise(text) == normal


@given(st.text(max_size=30))
def test_normalise_has_single_spaces_and_no_case(text):
    once = normalise(text)
    assert "  " not in once
    assert once == once.strip()
    assert normalise(f"  {text}!") == once


def test_case_and_white_space_alone_make_no_difference_to_what_is_said() -> None:
    numbers = said(pa.array(["C  is\told", "c is old ", "C++ is old", "C is old!"], pa.large_string()))
    assert numbers[0] == numbers[1]
    assert len(set(numbers.tolist())) == 3


@given(st.lists(st.text(max_size=5), max_size=4))
def test_a_text_of_several_parts_holds_each_of_them(parts: list[str]) -> None:
    assert in_one(parts) == " ".join(part.strip() for part in parts if part.strip())
    for title, text in pairwise(parts):
        assert in_one([title, text]) == titled(title.strip(), text.strip())
