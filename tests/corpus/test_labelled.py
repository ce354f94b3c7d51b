"""Labelled pairs: where the texts are, and which languages training pairs have."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot.corpus.formats import nli, stance
from triglot.corpus.labelled import Labelled
from triglot.files import InputError

CODES = ("de", "en", "fr", "it")


@st.composite
def labelled(draw: st.DrawFn) -> Labelled:
    """Items with texts in any languages."""
    items = draw(st.integers(1, 12))
    flags = st.lists(st.lists(st.booleans(), min_size=items, max_size=items), min_size=4, max_size=4)
    first, second = (np.where(np.array(draw(flags)), np.arange(4 * items).reshape(4, items), -1) for _ in range(2))
    texts = [f"t{n}" for n in range(4 * items)]
    ids = [str(n) for n in range(items)]
    return Labelled(
        CODES,
        ("a", "b"),
        texts,
        texts,
        first,
        second,
        np.zeros(items, np.int8),
        np.arange(items),
        ids,
        np.arange(items),
    )


@settings(deadline=None, max_examples=60)
@given(labelled(), st.sampled_from(["xx", "xy", "hybrid"]), st.integers(0, 3), st.integers(2, 4))
def test_pairs_exist_and_have_the_languages_of_their_kind(found: Labelled, kind: str, seed: int, number: int) -> None:
    codes = CODES[:number]
    try:
        items, pairs = found.draw(kind, codes, seed=seed)
    except InputError:
        for item in range(len(found)):
            first, second = (set(np.flatnonzero(at[:number, item] >= 0)) for at in (found.first_at, found.second_at))
            assert (
                not (first & second if kind == "xx" else any(a != b for a in first for b in second)) or kind == "hybrid"
            )
        return
    assert (found.rows(items, pairs) >= 0).all()
    assert set(pairs.ravel()) <= set(range(number))
    same = pairs[:, 0] == pairs[:, 1]
    assert same.all() or kind != "xx"
    assert not same.any() or kind != "xy"
    # An item is used once a language of its second text, wherever its first text has a language that the kind allows.
    expected = set()
    of_item = {item: bool(same[items == item].all()) for item in set(items.tolist())}
    for item in of_item:
        first, second = (set(np.flatnonzero(at[:number, item] >= 0)) for at in (found.first_at, found.second_at))
        own = kind == "xx" or (kind == "hybrid" and of_item[item])
        expected |= {(item, b) for b in second if (b in first if own else first - {b})}
    got = list(zip(items.tolist(), pairs[:, 1].tolist(), strict=True))
    assert len(got) == len(set(got))
    assert set(got) == expected


def parallel(items: int = 400) -> Labelled:
    at = np.arange(4 * items).reshape(4, items)
    texts = [f"t{n}" for n in range(4 * items)]
    ids = [str(n) for n in range(items)]
    return Labelled(
        CODES, ("a", "b"), texts, texts, at, at, np.zeros(items, np.int8), np.arange(items), ids, np.arange(items)
    )


def test_parallel_items_have_every_language_once_on_both_sides() -> None:
    found = parallel()
    for kind in ("xx", "xy", "hybrid"):
        items, pairs = found.draw(kind)
        assert len(items) == 4 * len(found)
        for item in range(0, len(found), 50):
            assert sorted(pairs[items == item, 0]) == sorted(pairs[items == item, 1]) == [0, 1, 2, 3]
    _, crossed = found.draw("xy")
    counts = Counter(map(tuple, crossed.tolist()))
    assert len(counts) == 12
    assert max(counts.values()) < 1.35 * 4 * len(found) / 12
    _, mixed = found.draw("hybrid", alpha=0.25)
    assert (mixed[:, 0] == mixed[:, 1]).mean() == 0.25
    assert all((a == b).all() for a, b in zip(found.draw("xy", seed=2), found.draw("xy", seed=2), strict=True))
    assert not (found.draw("xy", seed=2)[1] == crossed).all()


def test_pairs_that_cannot_be_drawn() -> None:
    found = parallel(3)
    with pytest.raises(InputError, match="no pairs 'hybird'; did you mean 'hybrid'"):
        found.draw("hybird")
    with pytest.raises(InputError, match="no language 'dee'; did you mean 'de'"):
        found.draw("xx", ["dee"])
    with pytest.raises(InputError, match="no language to draw pairs in"):
        found.draw("xx", [])
    with pytest.raises(InputError, match="pairs xy need two languages, and there is en alone"):
        found.draw("xy", ["en"])
    empty = Labelled(
        CODES,
        ("a",),
        [],
        ["t"],
        np.full((4, 1), -1),
        np.zeros((4, 1), int),
        np.zeros(1, np.int8),
        np.zeros(1, int),
        ["0"],
        np.zeros(1),
    )
    with pytest.raises(InputError, match="no item has both texts in de, en, fr, it"):
        empty.draw("xx")


def test_real_inference(data: Path) -> None:
    found, _ = nli.read(data / "xnli", languages=["de", "en", "th"])
    pairs = nli.labelled(found)
    assert (pairs.languages, len(pairs)) == (("de", "en", "th"), 2490)
    for code, item in (("de", 0), ("th", 2489), ("en", 1000)):
        row = pairs.rows(np.array([item]), pairs.indices([code, "en"])[None])[0]
        assert pairs.first[row[0]] == found.premises[code][item]
        assert pairs.second[row[1]] == found.hypotheses["en"][item]
    assert len(pairs.first) < 3 * 840


def test_real_stances(data: Path) -> None:
    found, _ = stance.read(data / "xstance")
    pairs = stance.labelled(found)
    assert pairs.languages == ("de", "en", "fr", "it")
    assert ((pairs.second_at >= 0).sum(0) == 1).all()  # a comment has one language
    items, languages = pairs.draw("xx")
    asked = found.asked_in()
    rows = pairs.rows(items, languages)
    assert len(items) == len(found)
    for n in range(0, len(items), 500):
        assert pairs.first[rows[n, 0]] == asked[items[n]]
        assert pairs.second[rows[n, 1]] == found.comments[items[n]]
