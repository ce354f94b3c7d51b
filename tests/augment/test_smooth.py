"""Copies of texts for randomised smoothing: neighbours as a loop finds them, and uniform draws."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from triglot.augment.apply import Augmenter
from triglot.augment.lexicon import Lexicon
from triglot.augment.settings import AugmentSettings, Part
from triglot.augment.smooth import neighbours, smooth_copies
from triglot.files import InputError

LISTS = {
    ("en", "de"): (["big", "big", "large", "house", "house"], ["groß", "riesig", "groß", "Haus", "Gebäude"]),
    ("en", "es"): (["big", "house", "huge"], ["grande", "casa", "grande"]),
}
LEXICON = Lexicon(LISTS)


def naive(word: str, lang: str, into: tuple[str, ...]) -> set[str]:
    """Words that share a translation, and translations, pair by pair."""
    found = set()
    for (a, b), (left, right) in LISTS.items():
        pairs = list(zip(left, right, strict=True))
        if lang == a:
            found |= {x for x, y in pairs for z, w in pairs if z == word and w == y}
        if lang == b:
            found |= {y for x, y in pairs for z, w in pairs if w == word and z == x}
        if lang == a and b in into:
            found |= {y for x, y in pairs if x == word}
        if lang == b and a in into:
            found |= {x for x, y in pairs if y == word}
    return found - {word}


@pytest.mark.parametrize(
    ("word", "lang", "into"),
    [
        ("big", "en", ()),
        ("big", "en", ("es",)),
        ("house", "en", ("de", "es")),
        ("Haus", "de", ("en",)),
        ("no", "en", ()),
    ],
)
def test_neighbours_are_those_of_a_loop(word: str, lang: str, into: tuple[str, ...]) -> None:
    found = neighbours(word, lang, LEXICON, into)
    assert {one.lower() for one in found} == {one.lower() for one in naive(word, lang, into)}


def test_each_word_is_a_uniform_draw_from_itself_and_them() -> None:
    many = 3000
    texts = smooth_copies(["A big house!"] * many, ["en"] * many, LEXICON, into=("de",), seed=3)
    options = [{word, *naive(word, "en", ("de",))} for word in ("big", "house")]
    assert all(text.startswith("A ") and text.endswith("!") for text in texts)
    for place, allowed in enumerate(options, 1):
        counts = Counter(text[:-1].split()[place] for text in texts)
        assert set(counts) == allowed
        for number in counts.values():
            assert number == pytest.approx(many / len(allowed), abs=4 * np.sqrt(many / len(allowed)))
    pairs = Counter(tuple(text[:-1].split()[1:]) for text in texts)
    assert len(pairs) == len(options[0]) * len(options[1])  # words are drawn independently


def test_the_same_draws_and_none() -> None:
    one, two = (smooth_copies(["big house"] * 20, ["en"] * 20, LEXICON, seed=1) for _ in range(2))
    assert one == two
    assert len(set(one)) > 1
    assert smooth_copies(["big house"], ["en"], LEXICON, rate=0.0, seed=1) == ["big house"]
    assert smooth_copies(["maison énorme"], ["fr"], LEXICON, seed=1) == ["maison énorme"]
    by_number = smooth_copies(["big house"] * 3, ["en"] * 3, LEXICON, seed=1, numbers=[7, 0, 7])
    assert by_number[0] == by_number[2]
    assert by_number[1] == one[0]
    with pytest.raises(InputError, match="no word list for 'fr'"):
        smooth_copies(["big"], ["en"], LEXICON, into=["fr"], seed=1)


def test_as_a_kind_of_augmentation() -> None:
    settings = AugmentSettings(parts=(Part(("neighbour",), share=1.0, rate=1.0, into=("de",), side="both"),), lists="x")
    augmenter = Augmenter(settings, seed=1, lexicon=LEXICON)
    keys = np.arange(40)
    parts = augmenter.choose(keys, np.zeros(40, bool), 0)
    assert (parts == 0).all()
    first, second = (augmenter.change(["big house"] * 40, ["en"] * 40, keys, parts, epoch) for epoch in (0, 1))
    allowed = [{word, *naive(word, "en", ("de",))} for word in ("big", "house")]
    assert first != second  # drawn anew each epoch: as many copies as epochs
    for text in (*first, *second):
        assert all(word in options for word, options in zip(text.split(), allowed, strict=True))
