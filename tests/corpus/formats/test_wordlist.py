"""Word lists in MUSE's shape."""

from __future__ import annotations

import gzip
from collections import Counter

import pytest

from triglot.corpus.formats import wordlist
from triglot.files import InputError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "en-de.txt").write_text("bank\tBank\nbank\tUfer\nbench\tBank\ndog Hund\n", encoding="utf-8")
    (tmp_path / "de-en.txt.gz").write_bytes(gzip.compress(b"Hund\tdog\nUfer\tshore\n"))
    (tmp_path / "en-th.tsv").write_text("dog\tสุนัข\n", encoding="utf-8")
    return tmp_path


def pairs(corpus):
    table = corpus.text_of[corpus.query]
    return [tuple(corpus.texts[int(i)].as_py() for i in row if i >= 0) for row in table]


def test_lists_by_direction(folder):
    lists, tally = wordlist.read_lists(folder)
    assert lists[("en", "de")] == (["bank", "bank", "bench", "dog"], ["Bank", "Ufer", "Bank", "Hund"])
    assert lists[("de", "en")] == (["Hund", "Ufer"], ["dog", "shore"])
    assert ("th", "en") not in lists
    assert dict(tally.read) == {"files": 3, "entries": 7}
    both, _ = wordlist.read_lists(folder, both=True)
    assert both[("th", "en")] == (["สุนัข"], ["dog"])
    assert both[("de", "en")] == lists[("de", "en")]  # a list that exists is not replaced
    assert set(wordlist.read_lists(folder, languages=["en", "th"])[0]) == {("en", "th")}


def test_training_takes_a_word_once_a_list(folder):
    corpus, tally = wordlist.read_training(folder)
    assert pairs(corpus) == [("Hund", "dog"), ("Ufer", "shore"), ("Bank", "bank"), ("dog", "สุนัข")]
    assert (corpus.query == corpus.passage).all()
    assert tally.read["repeated entries (read as one)"] == 1
    assert tally.read["entries passed over, a word of theirs has an earlier one (`every` keeps them)"] == 2
    every, _ = wordlist.read_training(folder, every=True)
    assert sorted(pairs(every)) == sorted([*pairs(corpus), ("Ufer", "bank"), ("Bank", "bench")])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("three words here", "line that has not two words with a tab or a space between them"),
        ("one", "line that has not two words with a tab or a space between them"),
        ("", "line that has not two words with a tab or a space between them"),
        ("one\t", "line with an empty word"),
    ],
)
def test_a_broken_line_is_counted_with_its_number(folder, line, reason):
    (folder / "en-th.tsv").write_text(f"dog\tสุนัข\n{line}\n", encoding="utf-8")
    lists, tally = wordlist.read_lists(folder)
    assert len(lists[("en", "th")][0]) == 1
    assert tally.left_out[reason].first == f"{folder / 'en-th.tsv'}:2"
    with pytest.raises(InputError, match=rf"en-th\.tsv:2: {reason}"):
        wordlist.read_lists(folder, strict=True)


def test_nothing_to_read(tmp_path):
    with pytest.raises(InputError, match=r"no file such as `xx-yy\.txt`"):
        wordlist.read_lists(tmp_path)
    (tmp_path / "en-de.txt").write_text("")
    with pytest.raises(InputError, match="no entry in it can be read"):
        wordlist.read_lists(tmp_path)
    with pytest.raises(InputError, match=r"both sides in \['en', 'fr'\]"):
        wordlist.read_lists(tmp_path, languages=["en", "fr"])


@pytest.mark.data
def test_real_lists(data):
    lists, tally = wordlist.read_lists(data / "muse", languages=["en", "th", "zh"], strict=True)
    assert set(lists) == {("en", "th"), ("en", "zh"), ("th", "en"), ("zh", "en")}
    assert tally.read["entries"] == 24_658 + 39_334 + 25_332 + 21_597
    corpus, _ = wordlist.read_training(data / "muse", languages=["en", "th", "zh"])
    assert len(corpus) > 40_000
    # no giant family: a word stands in few rows
    assert max(Counter(corpus.family.tolist()).values()) <= 4
