"""The sentence splitter: hand-made cases, properties, and agreement with the breaks that XQuAD-R publishes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot.corpus.sentences import split


def parts(text: str, lang: str = "en") -> list[str]:
    return [text[start:end] for start, end in split(text, lang)]


@pytest.mark.parametrize(
    ("lang", "sentences"),
    [
        ("en", ["Dr. Smith met Mrs. Jones at 3.30 p.m. on Friday.", "It rained."]),
        ("en", ["It costs 3.5 million, i.e. a lot.", "J. R. Brown paid."]),
        ("en", ["She joined the U.S. Army in 1990.", "He stayed in the U.S.", "The war ended."]),
        ("en", ['"Is it far?" he asked.', 'She said "No."', "Then they left (by train).", "Why?", "Nobody knows!"]),
        ("en", ["Room No. 5 is free.", "He said no.", "Nobody came."]),
        ("en", ["The yield was 12%.[4]", "It fell later."]),
        ("en", ["It flourished (c. 1450) for a while... and ended.", "So it goes."]),
        ("de", ["Am 3. Oktober war es so.", "Das kostet z.B. 3,50 Euro.", "Gut."]),
        ("es", ["¿Dónde está?", "¡Aquí!", "El Sr. Pérez lo sabe."]),
        ("el", ["Τι είναι αυτό;", "Ένα βιβλίο."]),
        ("ar", ["هل تعرف؟", "نعم."]),
        ("ur", ["یہ ایک جملہ ہے۔", "یہ دوسرا ہے۔"]),
        ("hi", ["यह पहला है।", "यह दूसरा है।"]),
    ],
)
def test_sentences_with_spaces(lang, sentences):
    assert parts(" ".join(sentences), lang) == sentences


def test_full_width_stops_need_no_space():
    assert parts("我来了。“你呢？”他问！好。", "zh") == ["我来了。", "“你呢？”", "他问！", "好。"]


def test_ordinals_end_a_sentence_where_the_language_has_no_such_ordinals():
    assert len(parts("He was born in week 12. Many followed.", "en")) == 2
    assert len(parts("Er kam am 12. Mai zu uns.", "de")) == 1


def test_a_line_break_ends_a_sentence_before_a_word_only():
    assert parts("A heading\nThe text of O\n2 follows.") == ["A heading", "The text of O\n2 follows."]


def test_a_greek_question_mark_is_a_semicolon_elsewhere():
    assert len(parts("One thing; Another thing.", "en")) == 1


def test_nothing_to_split():
    assert split("") == []
    assert split(" \n ") == []
    assert split("no stop at all") == [(0, 14)]


@given(st.text(alphabet="aB1 .!?;\n\"'()。？।éя\u0e01", max_size=60), st.sampled_from(["en", "de", "el", "zh"]))
def test_spans_cover_everything_but_white_space(text, lang):
    spans = split(text, lang)
    inside = [False] * len(text)
    last = 0
    for start, end in spans:
        assert last <= start < end <= len(text)
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        inside[start:end] = [True] * (end - start)
        last = end
    assert all(seen or character.isspace() for seen, character in zip(inside, text, strict=True))


@pytest.mark.data
@pytest.mark.parametrize(
    ("lang", "least"),
    [("en", 0.98), ("de", 0.97), ("es", 0.95), ("ar", 0.97), ("el", 0.96), ("hi", 0.97), ("ru", 0.97)],
)
def test_f1_against_published_breaks(data, lang, least):
    agreed = published = made = 0
    for article in json.loads((data / "xquad-r" / f"{lang}.json").read_text("utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            ours = {start for start, _ in split(paragraph["context"], lang)}
            theirs = {start for start, _ in paragraph["sentence_breaks"]}
            agreed, published, made = agreed + len(ours & theirs), published + len(theirs), made + len(ours)
    assert 2 * agreed / (published + made) > least
