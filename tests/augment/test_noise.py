"""Noise: what each kind may do to a word, how much of a text it touches, and that draws are a pure function."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot.augment.codeswitch import restore, split_text
from triglot.augment.keyboards import HOMOGLYPHS, neighbours, script_letters
from triglot.augment.noise import KINDS, perturb, word_spans
from triglot.corpus.formats.wordlist import half_of
from triglot.files import InputError

TEXTS = [
    "Wie viele Einwohner hat die größte Stadt?",
    "Сколько жителей в самом большом городе?",
    "哪个国家人口最多？",
    "ประเทศใดมีประชากรมากที่สุด",
    "कितने लोग यहाँ रहते हैं?",
    "كم عدد سكان المدينة؟",
    "Πόσοι κάτοικοι υπάρχουν;",
    "Thành phố nào đông dân nhất?",
    "İstanbul'da kaç kişi yaşıyor?",
]
TYPOS = [name for name, kind in KINDS.items() if kind.typo]


def distance(a: str, b: str) -> int:
    """Damerau-Levenshtein (restricted)."""
    row = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row.append([i] + [0] * len(b))
        for j, y in enumerate(b, 1):
            row[i][j] = min(row[i - 1][j] + 1, row[i][j - 1] + 1, row[i - 1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[i][j] = min(row[i][j], row[i - 2][j - 2] + 1)
    return row[-1][-1]


@pytest.mark.parametrize("kind", TYPOS)
def test_a_typo_is_one_edit_in_each_chosen_word(kind: str) -> None:
    for number, text in enumerate(TEXTS):
        [changed] = perturb([text], ["xx"], kind, rate=0.3, seed=1, numbers=[number])
        words = len(word_spans(text, typo=True))
        marks = 2 if kind in ("delete", "substitute") else 1  # a letter goes with its vowel sign
        assert distance(text, changed) <= marks * (int(0.3 * words) + 1)
        assert changed != text or kind in ("keyboard", "swap", "substitute")


@pytest.mark.parametrize("kind", KINDS)
def test_noise_depends_on_seed_purpose_and_number_alone(kind: str) -> None:
    whole = perturb(TEXTS, ["xx"] * len(TEXTS), kind, rate=0.6, seed=3)
    for number, text in enumerate(TEXTS):
        assert perturb([text], ["xx"], kind, rate=0.6, seed=3, numbers=[number]) == [whole[number]]
    assert perturb(TEXTS, ["xx"] * len(TEXTS), kind, rate=0.0, seed=3) == TEXTS
    if kind not in ("diacritics", "casing", "romanise", "punctuation", "homoglyph"):
        assert perturb(TEXTS, ["xx"] * len(TEXTS), kind, rate=0.6, seed=4) != whole
        assert perturb(TEXTS, ["xx"] * len(TEXTS), kind, rate=0.6, seed=3, purpose="other") != whole


def test_more_noise_contains_less() -> None:
    """The words that a low rate changes are changed by a higher one too, into the same."""
    text = " ".join(["understand"] * 40)
    few, many = (perturb([text], ["en"], "substitute", rate=rate, seed=5)[0].split() for rate in (0.2, 0.6))
    assert all(b == a for a, b in zip(few, many, strict=True) if a != "understand")
    assert sum(a != "understand" for a in few) == 8
    assert sum(a != "understand" for a in many) == 24


def test_words_of_one_and_two_letters_and_numbers_have_no_typos() -> None:
    text = "a be 1999 12 is of"
    for kind in TYPOS:
        assert perturb([text], ["en"], kind, rate=1.0, seed=1) == [text]


def test_new_letters_are_of_the_word_s_script() -> None:
    for text in TEXTS:
        for kind in ("insert", "substitute", "keyboard"):
            [changed] = perturb([text], ["xx"], kind, rate=1.0, seed=2)
            scripts = {unicodedata.name(c).split()[0] for c in text if c.isalpha()}
            assert {unicodedata.name(c).split()[0] for c in changed if c.isalpha()} <= scripts


def test_diacritics_go_and_vowel_signs_stay() -> None:
    found = perturb(TEXTS, ["xx"] * len(TEXTS), "diacritics", rate=1.0, seed=1)
    assert found[7] == "Thanh pho nao dong dan nhat?"
    assert found[0] == "Wie viele Einwohner hat die großte Stadt?"
    assert found[6] == "Ποσοι κατοικοι υπαρχουν;"
    assert found[8] == "Istanbul'da kac kisi yasiyor?"
    assert found[2:5] == TEXTS[2:5]


def test_romanised_words_are_ascii_and_case_turns() -> None:
    assert all(part.isascii() for part in perturb(TEXTS[1:2], ["ru"], "romanise", rate=1.0, seed=1)[0])
    assert perturb(["Paris in spring"], ["en"], "casing", rate=1.0, seed=1) == ["paris IN SPRING"]
    assert perturb(["Who, then?"], ["en"], "punctuation", rate=1.0, seed=1) == ["Who then"]


def test_look_alikes_change_the_script_and_neighbours_are_mutual() -> None:
    for letter, twin in HOMOGLYPHS.items():
        assert letter != twin
        assert unicodedata.name(letter).split()[0] != unicodedata.name(twin).split()[0]
    for letter in "qwertyйцукωερشसกด":
        for near in neighbours(letter):
            assert letter in neighbours(near)
    assert neighbours("好") == ""
    assert script_letters("好人") == "好人"


@pytest.mark.slow
@given(st.text(max_size=60))
def test_no_text_breaks_noise_and_units_put_together_give_the_text(text: str) -> None:
    for kind in KINDS:
        assert isinstance(perturb([text], ["xx"], kind, rate=0.7, seed=1)[0], str)
    assert restore(*split_text(text)) == text


def test_halves_part_the_lists() -> None:
    halves = [half_of(f"word{i}") for i in range(2000)]
    assert set(halves) == {0, 1}
    assert 900 < sum(halves) < 1100
    assert half_of("Word1") == half_of("word1")


def test_bad_noise() -> None:
    with pytest.raises(InputError, match="'substitut' is unknown"):
        perturb(["a"], ["en"], "substitut", rate=0.5, seed=1)
    with pytest.raises(InputError, match=r"rate: 1\.2"):
        perturb(["a"], ["en"], "swap", rate=1.2, seed=1)
    with pytest.raises(InputError, match="1 texts and 2 languages"):
        perturb(["a"], ["en", "de"], "swap", rate=0.2, seed=1)
