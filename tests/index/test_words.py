"""Words of segments: BM25 as it is of the whole pool."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot import bm25
from triglot.index import words

TOKENS = st.lists(st.sampled_from(["river", "bread", "king", "水の都", "17", "Straße"]), min_size=1, max_size=8)


@given(st.lists(TOKENS, min_size=2, max_size=12), TOKENS, st.integers(1, 11))
def test_segments_score_as_one_index(texts: list[list[str]], question: list[str], cut: int) -> None:
    joined, asked = [" ".join(one) for one in texts], " ".join(question)
    parts = [part for part in (joined[:cut], joined[cut:]) if part]
    counted = [words.count(part, ["de"] * len(part)) for part in parts]
    passages = sum(told["de"][0] for _, told in counted)
    total = sum(told["de"][1] for _, told in counted)
    found = np.concatenate(words.scores([held for held, _ in counted], asked, "de", passages, total))
    whole = bm25.build(joined)
    assert found == pytest.approx(bm25.scores(whole, bm25.bags(whole, [bm25.count_tokens(asked)]))[0], rel=1e-4)


def test_languages_do_not_mix() -> None:
    held, told = words.count(["river king", "river bread"], ["de", "en"])
    found = words.scores([held], "river", "de", *told["de"][:2])[0]
    assert found[0] > 0
    assert found[1] == 0


def test_a_script_that_is_not_read_is_said(caplog: pytest.LogCaptureFixture) -> None:
    javanese = "ꦲꦏ꧀ꦱꦫꦗꦮꦲꦏ꧀ꦱꦫꦗꦮꦲꦏ꧀ꦱꦫꦗꦮꦲꦏ꧀ꦱꦫꦗꦮ"
    _, told = words.count([javanese, javanese, "the river", "河の水"], ["jv", "jv", "en", "ja"])
    assert words.unread(told) == ["jv"]
    with caplog.at_level(logging.WARNING, "triglot"):
        words.warn_unread(told)
    assert "cannot read the script of jv" in caplog.text
