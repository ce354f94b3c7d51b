"""Noise in the feed: the same texts in every arm, clean ones untouched, views beside them, and what is left of the rest
of a batch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.conftest import LISTS
from triglot.augment.apply import Augmenter
from triglot.augment.lexicon import Lexicon
from triglot.augment.settings import AugmentSettings, Part
from triglot.batches import BatchSettings, plan_run
from triglot.files import InputError
from triglot.train import Feed, Switching

LEXICON = Lexicon({("en", lang): tuple(zip(*pairs, strict=True)) for lang, pairs in LISTS.items()})


def feeds(corpus, encoder, settings: AugmentSettings, *, seed: int = 5):
    """(clean, noisy) feeds of token ids and (clean, noisy) feeds of strings."""
    noise = Augmenter(settings, seed=seed, lexicon=LEXICON)
    made = []
    for tokenize in (encoder.tokenize, None):
        clean = Feed(corpus, switching={"english": Switching("en", LISTS)}, tokenize=tokenize, seed=seed)
        made += [clean, clean.with_augmenter(noise)]
    return made


def plan_of(feed: Feed, corpus, kind: str = "hybrid"):
    return plan_run(feed.rows(), BatchSettings(kind=kind, size=16), steps=6, seed=5, languages=corpus.languages)


def rows(texts) -> list[list[int]]:
    return [texts[i].tolist() for i in range(len(texts))]


@pytest.mark.parametrize("side", ["query", "passage", "both"])
def test_a_share_of_one_side_is_changed_and_the_rest_is_as_it_was(corpus, make_static, side: str) -> None:
    encoder = make_static()
    settings = AugmentSettings((Part(("delete", "swap"), share=0.5, rate=0.5),), side=side)
    clean, noisy, clean_strings, noisy_strings = feeds(corpus, encoder, settings)
    changed = {False: [], True: []}
    for step in range(6):
        plan = plan_of(clean, corpus)[step]
        before, after = clean_strings.batch(plan), noisy_strings.batch(plan)
        for a, b, passage in zip(before.strings, after.strings, before.sides.tolist(), strict=True):
            changed[passage].append(a != b)
        tokens = noisy.batch(plan)
        for key in ("sides", "query_row", "query_family", "passage_row", "passage_family"):
            assert (getattr(tokens, key) == getattr(before, key)).all()
        expected = rows(clean.batch(plan).texts)
        for row, (a, b) in enumerate(zip(before.strings, after.strings, strict=True)):
            expected[row] = expected[row] if a == b else encoder.tokenize([b])[0].tolist()
        assert rows(tokens.texts) == expected
    for passage, name in ((False, "query"), (True, "passage")):
        share = np.mean(changed[passage])
        assert (0.3 < share < 0.7) if side in (name, "both") else share == 0


def test_views_stand_at_the_end_beside_their_queries(corpus, make_static) -> None:
    encoder = make_static()
    clean, noisy, clean_strings, noisy_strings = feeds(
        corpus, encoder, AugmentSettings((Part(("swap",), share=0.5, rate=1.0),), mode="view")
    )
    plan = plan_of(clean, corpus)[0]
    before, after, tokens = clean_strings.batch(plan), noisy_strings.batch(plan), noisy.batch(plan)
    size = len(before)
    assert 0 < len(after.views) < len(before.query_row)
    assert after.strings[:size] == before.strings
    assert (after.views == tokens.views).all()
    assert len(after) == len(tokens) == size + len(after.views) == len(tokens.texts)
    assert not after.sides[size:].any()
    for place, text in zip(after.views, after.strings[size:], strict=True):
        assert text != before.strings[place]
        assert sorted(text) == sorted(before.strings[place])  # exchanged letters
    assert rows(tokens.texts)[size:] == [encoder.tokenize([text])[0].tolist() for text in after.strings[size:]]


def test_arms_change_the_texts_that_they_share_in_the_same_way(corpus, make_static) -> None:
    settings = AugmentSettings((Part(("delete",), share=0.7, rate=0.5),))
    *_, noisy = feeds(corpus, make_static(), settings)
    seen: dict[tuple, set[str]] = {}
    for kind in ("xx", "xy"):
        for step in range(6):
            plan = plan_of(noisy, corpus, kind)[step]
            for group, lang, text in zip(
                corpus.query[plan.rows], plan.query_lang, noisy.batch(plan).strings, strict=False
            ):
                seen.setdefault((int(group), int(lang), plan.epoch), set()).add(text)
    assert len(seen) > 50
    assert all(len(texts) == 1 for texts in seen.values())


def test_words_are_switched_between_any_two_languages(corpus, make_static) -> None:
    settings = AugmentSettings((Part(("codeswitch",), share=1.0, rate=1.0),), lists="lists")
    _, _, clean, noisy = feeds(corpus, make_static(), settings)
    plan = plan_of(clean, corpus)[0]
    for before, after, lang in zip(clean.batch(plan).strings, noisy.batch(plan).strings, plan.query_lang, strict=False):
        words = [[a, b] for a, b in zip(before.split(), after.split(), strict=True) if a[0].isalpha()]
        for a, b in words:
            options = [one for into in LEXICON.languages for one in LEXICON.candidates(a, corpus.languages[lang], into)]
            assert b in options or a == b


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Part(("typo",)), "kinds: 'typo' is unknown"),
        (lambda: Part(()), "kinds: is empty"),
        (lambda: Part(("swap",), share=1.2), r"share: 1\.2 is not between 0 and 1"),
        (lambda: Part(("swap",), mode="bilingal"), "mode: 'bilingal' is unknown"),
        (lambda: AugmentSettings((Part(("swap",), share=0.6), Part(("delete",), share=0.6))), r"add up to 1\.2"),
        (lambda: AugmentSettings(side="passages"), "^side: 'passages' is unknown"),
        (lambda: AugmentSettings(mode="view", side="both"), "views are of queries"),
        (lambda: AugmentSettings((Part(("codeswitch",)),)), "^lists: is missing"),
        (lambda: AugmentSettings(half=3), "^half: 3"),
        (
            lambda: Augmenter(AugmentSettings((Part(("codeswitch",)),), lists="x"), seed=1),
            "codeswitch, synonym, neighbour need word lists",
        ),
        (
            lambda: Augmenter(
                AugmentSettings((Part(("codeswitch",), into=("fr",)),), lists="x"), seed=1, lexicon=LEXICON
            ),
            "no word list for 'fr'",
        ),
    ],
)
def test_bad_settings(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
