"""Translations through a pivot, and synonyms through shared translations."""

from __future__ import annotations

import numpy as np

from triglot.augment.apply import Augmenter
from triglot.augment.lexicon import Lexicon, switch
from triglot.augment.settings import AugmentSettings, Part

LISTS = {
    ("en", "de"): (["big", "large", "large", "car"], ["groß", "groß", "weit", "Auto"]),
    ("en", "es"): (["big", "large", "grand"], ["grande", "grande", "grande"]),
}


def test_synonyms_share_a_translation_and_those_that_share_more_come_first() -> None:
    lexicon = Lexicon(LISTS)
    assert lexicon.synonyms("Big", "en") == ["large", "grand"]  # large through both languages
    assert lexicon.synonyms("groß", "de") == ["weit"]
    assert lexicon.synonyms("Auto", "de") == []
    assert lexicon.synonyms("big", "ru") == []
    assert lexicon.candidates("big", "en", "en") == []  # a synonym is no translation


def test_synonyms_stay_in_the_language_of_the_text() -> None:
    lexicon = Lexicon(LISTS)
    given = {"rate": 1.0, "into": (), "mode": "multilingual", "seed": 1}
    assert switch(["A big car!", "weit weg"], ["en", "de"], lexicon, **given)[1] == "groß weg"
    seen = {switch(["A big car!"], ["en"], lexicon, **{**given, "seed": seed})[0] for seed in range(30)}
    assert seen == {"A large car!", "A grand car!"}


def test_a_part_has_a_side_of_its_own() -> None:
    parts = (Part(("swap",), share=0.5, side="passage"), Part(("delete",), share=0.5))
    noise = Augmenter(AugmentSettings(parts, side="query"), seed=1)
    keys, sides = np.arange(400), np.arange(400) % 2 == 1
    chosen = noise.choose(keys, sides, 0)
    assert set(chosen[sides].tolist()) == {-1, 0}
    assert set(chosen[~sides].tolist()) == {-1, 1}
    synonyms = Augmenter(
        AugmentSettings((Part(("synonym",), share=1.0, rate=1.0),), lists="x"), seed=1, lexicon=Lexicon(LISTS)
    )
    assert synonyms.change(["weit"], ["de"], np.array([0]), np.array([0]), 0) == ["groß"]
