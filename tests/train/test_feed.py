"""The feed: every text is the one that its row and language call for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tests.train.conftest import LISTS, make_corpus
from triglot.batches import BatchSettings, plan_run
from triglot.files import InputError
from triglot.train import Feed, Switching

SWITCHING = {"english": Switching("en", LISTS)}


def test_tokens_of_a_batch_are_the_tokens_of_its_strings(corpus, make_static) -> None:
    encoder = make_static()
    ids, strings = (Feed(corpus, switching=SWITCHING, tokenize=t, seed=2) for t in (encoder.tokenize, None))
    plan = plan_run(ids.rows(), BatchSettings(kind="independent", size=20), steps=12, seed=1)
    for step in plan:
        tokens, texts = ids.batch(step).texts, strings.batch(step).strings
        expected, offsets = encoder.tokenize(texts)
        for i in range(len(texts)):
            assert sorted(tokens[i]) == sorted(expected[offsets[i] : offsets[i + 1]]), texts[i]


def test_natural_text_where_there_is_one_and_switched_text_where_not(corpus) -> None:
    feed = Feed(corpus, switching=SWITCHING, tokenize=None, seed=2)
    plan = plan_run(feed.rows(), BatchSettings(kind="xy", size=15), steps=16, seed=1)
    english = corpus.sources.index("english")
    for step in plan:
        batch = feed.batch(step)
        n = len(step)
        groups = np.concatenate([corpus.query[step.rows], corpus.passage[step.rows]])
        langs = np.concatenate([step.query_lang, step.passage_lang[:, 0]])
        for group, lang, text in zip(groups, langs, batch.strings, strict=True):
            own = corpus.text_of[group, lang]
            if own >= 0:
                assert text == corpus.texts[int(own)].as_py()
            else:
                assert step.source == english
                pivot = corpus.texts[int(corpus.text_of[group, corpus.languages.index("en")])].as_py()
                for source, target in LISTS[corpus.languages[lang]]:
                    assert (source in pivot.split()) <= (target in text.split() or f"{target}." in text)
        assert (batch.sides == (np.arange(2 * n) >= n)).all()
        assert (batch.query_family == corpus.family[corpus.passage[step.rows]]).all()


def test_the_same_words_are_replaced_whatever_the_kind(corpus) -> None:
    lists = {"de": [("river", "Fluss"), ("river", "Strom"), ("city", "Stadt"), ("city", "Ort")]}
    feed = Feed(corpus, switching={"english": Switching("en", lists, p=0.5)}, tokenize=None, seed=2)
    shown: dict[tuple[int, int], set[str]] = {}
    for kind in ("xx", "xy"):
        for step in plan_run(feed.rows(), BatchSettings(kind=kind, size=15), steps=16, seed=1):
            batch = feed.batch(step)
            for row, lang, text in zip(step.rows, step.query_lang, batch.strings, strict=False):
                shown.setdefault((int(row), int(lang), step.epoch), set()).add(text)
    assert all(len(texts) == 1 for texts in shown.values())


def test_hard_negatives_of_the_row_in_the_language_of_its_passage() -> None:
    corpus = make_corpus(negatives=True)
    feed = Feed(corpus, switching=SWITCHING, tokenize=None, seed=2)
    step = plan_run(feed.rows(), BatchSettings(kind="xx", size=10), steps=1, seed=1)[0]
    batch = feed.batch(step, negatives=2)
    assert (batch.passage_row >= 0).sum() == len(step)
    extra = batch.strings[2 * len(step) :]
    assert len(extra) == 2 * len(step)
    first = corpus.negatives[int(step.rows[0])].as_py()
    text = corpus.text_of[first[0], step.passage_lang[0, 0]]
    assert text < 0 or extra[0] == corpus.texts.take(pa.array([text]))[0].as_py()
    assert (batch.passage_family[len(step) :][:2] == corpus.family[first]).all()


@pytest.mark.parametrize(
    ("switching", "message"),
    [
        ({"englsh": Switching("en", LISTS)}, "did you mean 'english'"),
        ({"english": Switching("fr", LISTS)}, "no text in 'fr'"),
        ({"english": Switching("en", LISTS, languages=("it",))}, "no word list from en to 'it'"),
    ],
)
def test_bad_settings_are_named(corpus, switching, message) -> None:
    with pytest.raises(InputError, match=message):
        Feed(corpus, switching=switching, tokenize=None, seed=1)
