"""Further translations of a batch's rows: in which languages, where they stand, and that they disturb nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.conftest import LISTS
from tests.train.test_loop import start
from triglot.augment.apply import Augmenter
from triglot.augment.settings import AugmentSettings, Part
from triglot.files import InputError
from triglot.losses.terms import Translation
from triglot.train import Feed, Switching
from triglot.train.further import check_languages

QUERY, PASSAGE, EN = Translation("query"), Translation("passage"), Translation("passage", "en")
WANTED = (QUERY, PASSAGE, EN)


@pytest.fixture
def made(make_transformer, corpus):
    """(feed of strings, plan)."""
    _, feed, plan = start(make_transformer(), corpus, positives=2, size=12)
    return feed, plan


def test_each_row_has_its_texts_in_another_language(made) -> None:
    feed, plan = made
    for step in (plan[k] for k in range(4)):
        batch = feed.batch(step, translations=WANTED)
        assert len(batch) == len(batch.strings) == len(batch.group) == len(batch.lang) == len(batch.sides)
        for need, places in batch.translations.items():
            corpus, passage = feed.corpus, need.side == "passage"
            groups = (corpus.passage if passage else corpus.query)[step.rows]
            for row, place in enumerate(places.tolist()):
                assert place >= 0  # every row can be shown in three languages
                assert batch.group[place] == groups[row]
                assert batch.sides[place] == passage
                shown = step.passage_lang[row] if passage else [step.query_lang[row]]
                if need.language:
                    assert corpus.languages[batch.lang[place]] == need.language
                else:
                    assert batch.lang[place] not in shown
                text = corpus.text_of[groups[row], batch.lang[place]]
                if text >= 0:
                    assert batch.strings[place] == corpus.texts[int(text)].as_py()


def test_a_text_that_is_shown_already_is_not_shown_again(made) -> None:
    feed, plan = made
    step, en = plan[0], feed.corpus.languages.index("en")
    batch = feed.batch(step, translations=(EN,))
    shown = (step.passage_lang == en).any(axis=1)
    assert 0 < shown.sum() < len(shown)
    plain = len(feed.batch(step))
    assert (batch.translations[EN] < plain).tolist() == shown.tolist()
    assert len(batch) == plain + int((~shown).sum())


def test_what_was_there_before_is_as_it_was(made) -> None:
    feed, plan = made
    for step in (plan[0], plan[1]):
        plain, more = feed.batch(step), feed.batch(step, translations=WANTED)
        assert more.strings[: len(plain)] == plain.strings
        assert (more.sides[: len(plain)] == plain.sides).all()
        assert (more.query_row == plain.query_row).all()


def test_tokens_and_strings_are_the_same_texts(make_static, corpus) -> None:
    model, feed, plan = start(make_static(), corpus, size=12)
    strings = Feed(corpus, switching={"english": Switching("en", LISTS)}, tokenize=None, seed=5)
    for step in (plan[0], plan[1]):  # the second source has all but English by code-switching
        tokens, texts = feed.batch(step, translations=WANTED), strings.batch(step, translations=WANTED)
        ids, offsets = model.tokenize(texts.strings)
        assert (tokens.texts.lengths == np.diff(offsets)).all()
        assert (tokens.texts.flat == ids).all()


def test_noise_leaves_them_alone_and_views_stand_before_them(made) -> None:
    feed, plan = made
    noise = AugmentSettings(parts=(Part(kinds=("swap",), share=1.0, rate=1.0),), mode="view")
    noisy = feed.with_augmenter(Augmenter(noise, seed=1))
    batch = noisy.batch(plan[0], translations=(QUERY,))
    assert len(batch.views)
    rows = len(batch.query_row)
    views = slice(rows + len(batch.passage_row), rows + len(batch.passage_row) + len(batch.views))
    assert (batch.group[views] == batch.group[batch.views]).all()
    assert (batch.translations[QUERY] >= views.stop).all()
    clean = feed.batch(plan[0], translations=(QUERY,))
    assert [batch.strings[i] for i in batch.translations[QUERY]] == [
        clean.strings[i] for i in clean.translations[QUERY]
    ]


def test_a_row_s_languages_depend_on_the_epoch_and_not_on_the_batch(made) -> None:
    feed, plan = made
    step = plan[0]
    part = type(step)(step.rows[3:7], step.query_lang[3:7], step.passage_lang[3:7], step.kind, step.source, step.epoch)
    whole, some = (feed.batch(one, translations=(QUERY, PASSAGE)) for one in (step, part))
    for need in (QUERY, PASSAGE):
        assert (whole.lang[whole.translations[need]][3:7] == some.lang[some.translations[need]]).all()
    drawn = {
        tuple(batch.lang[batch.translations[QUERY]])
        for batch in (feed.batch(type(step)(**{**vars(step), "epoch": e}), translations=(QUERY,)) for e in range(6))
    }
    assert len(drawn) > 1


def test_rows_in_one_language_have_none(corpus) -> None:
    feed = Feed(corpus, tokenize=None, seed=1)  # without code-switching the second source is English alone
    english = np.flatnonzero(corpus.source == 1)[:4]
    en = corpus.languages.index("en")
    step = start_step(english, en)
    batch = feed.batch(step, translations=WANTED)
    assert (batch.translations[QUERY] == -1).all()
    assert (batch.translations[EN] == 4 + np.arange(4)).all()
    assert len(batch) == 8


def start_step(rows: np.ndarray, lang: int):
    from triglot.batches import Step

    same = np.full(len(rows), lang, np.int16)
    return Step(rows, same, same[:, None], "xx", 1, 0)


def test_a_language_that_nobody_speaks_is_named(corpus) -> None:
    with pytest.raises(InputError, match=r"loss\.terms: no text in 'fr'"):
        check_languages(corpus, (Translation("passage", "fr"),))
