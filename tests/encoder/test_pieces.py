"""Candidates against a naive count; pieces that keep whole words whole."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot.encoder.pieces import learn_pieces, seed_pieces
from triglot.files import InputError


def naive(words: list[str], weights: list[int], seen: list[int], longest: int) -> Counter[str]:
    weight, times = Counter(), Counter()
    for word, w, n in zip(words, weights, seen, strict=True):
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + longest) + 1):
                weight[word[start:end]] += w
                times[word[start:end]] += n
    return Counter({piece: w for piece, w in weight.items() if len(piece) == 1 or times[piece] >= 2})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("abcé▁", min_size=1, max_size=9), min_size=1, max_size=12, unique=True),
    st.integers(1, 6),
    st.data(),
)
def test_candidates_are_those_of_a_naive_count(words, longest, data):
    weights = data.draw(st.lists(st.integers(1, 9), min_size=len(words), max_size=len(words)))
    seen = data.draw(st.lists(st.integers(1, 3), min_size=len(words), max_size=len(words)))
    found = seed_pieces(words, weights, seen, most=10_000, longest=longest)
    assert len({piece for piece, _ in found}) == len(found)
    assert dict(found) == dict(naive(words, weights, seen, longest))
    characters = len(set("".join(words)))
    assert all(len(piece) == 1 for piece, _ in found[:characters])
    value = [weight * len(piece) for piece, weight in found[characters:]]
    assert value == sorted(value, reverse=True)


def test_clauses_without_spaces_give_short_candidates():
    found = dict(
        seed_pieces(
            ["中华人民共和国中央政府所在地", "กรุงเทพมหานครเป็นเมืองหลวง", "internationalisation"],
            [5, 5, 5],
            [5, 5, 5],
            most=10_000,
        )
    )
    assert max(len(piece) for piece in found if "中" <= piece[0] <= "龥") == 6
    assert max(len(piece) for piece in found if "ก" <= piece[0] <= "๛") == 12
    assert "internationalisation" in found


def test_frequent_words_are_whole_pieces():
    """The candidates of sentencepiece itself lack a word that never goes on into a longer one."""
    words = {
        f"▁{stem}{end}": (50, 50)
        for stem in ("worri", "invit", "creat", "plant", "kindl")
        for end in ("ed", "ing", "er")
    }
    words["▁không"] = words["▁được"] = (400, 400)
    pieces = dict(learn_pieces(words, size=200))
    assert {"▁không", "▁được", "▁worried", "▁planting"} <= set(pieces)


def test_the_order_of_the_words_does_not_matter():
    words = {f"▁{a}{b}": (len(a) + 1, 2) for a in ("ab", "cd", "xyz", "q") for b in ("ing", "ed", "s", "ly")}
    assert learn_pieces(words, size=40) == learn_pieces(dict(reversed(words.items())), size=40)


def test_too_few_pieces_for_the_characters():
    with pytest.raises(InputError, match="vocabulary of 3 pieces"):
        learn_pieces({"▁abcdefghij": (9, 9)}, size=3)
