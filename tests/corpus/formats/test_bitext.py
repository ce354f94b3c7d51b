"""Bitext: TSV pairs and line-aligned folders."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from triglot.corpus.formats import bitext
from triglot.files import InputError


def put(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def folder(tmp_path):
    put(tmp_path / "de-en.tsv", "Hund\tdog\nKatze\tcat\n")
    put(tmp_path / "en-th.tsv.gz", "dog\tสุนัข\n")
    (tmp_path / "README.md").write_text("not data")
    return tmp_path


def groups(corpus):
    table = corpus.text_of
    return [
        {corpus.languages[lang]: corpus.texts[int(i)].as_py() for lang, i in enumerate(row) if i >= 0}
        for row in table[corpus.query]
    ]


def test_one_group_a_line_and_no_guess_at_meaning(folder):
    corpus, tally = bitext.read_training(folder)
    assert groups(corpus) == [{"de": "Hund", "en": "dog"}, {"de": "Katze", "en": "cat"}, {"en": "dog", "th": "สุนัข"}]
    assert (corpus.query == corpus.passage).all()
    assert corpus.group_ids.to_pylist() == ["de-en/1", "de-en/2", "en-th/1"]
    # "dog" twice: two groups of one family
    family = corpus.family
    assert family[0] == family[2] != family[1]
    assert dict(tally.read) == {"files": 2, "pairs": 3, "rows": 3}


def test_languages_choose_files(folder):
    corpus, _ = bitext.read_training(folder, languages=["de", "en", "ru"])
    assert corpus.languages == ("de", "en")
    with pytest.raises(InputError, match=r"both sides in \['de', 'th'\]"):
        bitext.read_training(folder, languages=["de", "th"])
    assert len(bitext.read_training(folder, limit=1)[0]) == 2


def test_pairs_that_are_passed_over(folder):
    assert groups(bitext.read_training(folder / "de-en.tsv", skip=1)[0]) == [{"de": "Katze", "en": "cat"}]
    with pytest.raises(InputError, match="no pair in it can be read"):
        bitext.read_training(folder, skip=1)


def test_lines_that_are_passed_over_and_those_before_are_all_lines(aligned):
    whole, first, rest = (bitext.read_training(aligned, **given)[0] for given in ({}, {"limit": 1}, {"skip": 1}))
    assert groups(first) + groups(rest) == groups(whole)
    assert first.group_ids.to_pylist() + rest.group_ids.to_pylist() == whole.group_ids.to_pylist()
    assert groups(bitext.read_training(aligned, skip=1, limit=1)[0]) == groups(rest)[:1]
    with pytest.raises(InputError, match=r"skip: 9 lines are passed over, and the files of .* have \d"):
        bitext.read_training(aligned, skip=9)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("one column", "line that has not two columns with a tab between them"),
        ("a\tb\tc", "line that has not two columns with a tab between them"),
        ("", "line that has not two columns with a tab between them"),
        ("a\t ", "line with an empty side"),
        ("\tb", "line with an empty side"),
        ("Hund\tdog", "line that repeats an earlier one of its file"),
    ],
)
def test_a_broken_line_is_counted_with_its_number_and_fatal_when_strict(tmp_path, line, reason):
    put(tmp_path / "de-en.tsv", f"Hund\tdog\n{line}\nKatze\tcat\n")
    corpus, tally = bitext.read_training(tmp_path)
    assert len(corpus) == 2
    assert tally.left_out[reason].first == f"{tmp_path / 'de-en.tsv'}:2"
    with pytest.raises(InputError, match=rf"de-en\.tsv:2: {reason}"):
        bitext.read_training(tmp_path, strict=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Hund\tdog\nBär\tbear\n".encode("latin-1"), "not UTF-8"),
        (gzip.compress(b"Hund\tdog\n" * 9, mtime=0)[:-12], "truncated"),
        (b"", "no pair in it can be read"),
        (b"x\ny\n", r"no pair in it can be read; .*left out: 2 x line that has not two columns"),
    ],
)
def test_a_broken_file(tmp_path, content, message):
    (tmp_path / "de-en.tsv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        bitext.read_training(tmp_path)


def test_a_folder_without_pairs(tmp_path):
    with pytest.raises(InputError, match=r"no file such as `xx-yy\.tsv`"):
        bitext.read_training(tmp_path)


@pytest.fixture
def aligned(tmp_path):
    put(tmp_path / "de.txt", "eins\nzwei\ndrei\n")
    put(tmp_path / "en.txt", "one\ntwo\n\n")
    put(tmp_path / "th.txt.gz", "หนึ่ง\r\nสอง\r\nสาม\r\n")
    return tmp_path


def test_aligned_lines_are_groups_in_every_language(aligned):
    corpus, tally = bitext.read_training(aligned)
    assert groups(corpus) == [
        {"de": "eins", "en": "one", "th": "หนึ่ง"},
        {"de": "zwei", "en": "two", "th": "สอง"},
        {"de": "drei", "th": "สาม"},
    ]
    assert tally.left_out["empty line"].first == f"{aligned / 'en.txt'}:3"
    with pytest.raises(InputError, match=r"en\.txt:3: empty line"):
        bitext.read_training(aligned, strict=True)


def test_a_group_with_one_language_gives_no_row(aligned):
    corpus, tally = bitext.read_training(aligned, languages=["de", "en"])
    assert groups(corpus) == [{"de": "eins", "en": "one"}, {"de": "zwei", "en": "two"}]
    assert tally.left_out["line with a text in fewer than two languages"].first == "line/3"


def test_files_of_different_length_are_not_aligned(aligned):
    put(aligned / "el.txt", "ένα\n")
    with pytest.raises(InputError, match=r"el\.txt: 1 lines, but de\.txt has 3"):
        bitext.read_training(aligned)
    with pytest.raises(InputError, match="fewer than two files"):
        bitext.read_training(aligned, languages=["de"])


def test_retrieval_judges_the_other_languages_only(aligned):
    found = bitext.read_retrieval(aligned, name="numbers")
    assert found.parallel
    assert len(found.passages) == 8
    pairs = sorted((found.queries.texts[q], found.passages.texts[p]) for q, p, _ in found.judgements)
    expected = [
        (a, b)
        for group in (("eins", "one", "หนึ่ง"), ("zwei", "two", "สอง"), ("drei", "สาม"))
        for a in group
        for b in group
        if a != b
    ]
    assert pairs == sorted(expected)
    assert (found.queries.lang[found.judgements[:, 0]] != found.passages.lang[found.judgements[:, 1]]).all()
    assert "no monolingual setting" in found.notes[0]
    assert len(set(found.passages.ids)) == 8


def test_retrieval_drops_a_query_without_a_translation(aligned):
    found = bitext.read_retrieval(aligned, name="numbers", languages=["de", "en"])
    assert found.queries.texts == ["eins", "zwei", "one", "two"]
    assert found.passages.texts == ["eins", "zwei", "drei", "one", "two"]
    assert found.judgements.tolist() == [[0, 3, 1], [1, 4, 1], [2, 0, 1], [3, 1, 1]]
    assert any("fewer than two languages" in note for note in found.notes)


def test_retrieval_of_pairs(folder):
    found = bitext.read_retrieval(folder, name="pairs", limit=1)
    assert found.queries.ids == ["de-de-en/1", "en-de-en/1", "en-en-th/1", "th-en-th/1"]
    assert found.judgements.tolist() == [[0, 1, 1], [1, 0, 1], [2, 3, 1], [3, 2, 1]]


def test_retrieval_with_nothing_to_find(tmp_path):
    put(tmp_path / "de.txt", "eins\n\n")
    put(tmp_path / "en.txt", "\ntwo\n")
    with pytest.raises(InputError, match="no line has a text in two languages"):
        bitext.read_retrieval(tmp_path, name="x")


@pytest.mark.slow
@pytest.mark.data
def test_real_bitext(data):
    corpus, tally = bitext.read_training(data / "bitext")
    assert dict(tally.read) == {"files": 34, "pairs": 332_142, "rows": 332_142}
    assert len(corpus.languages) == 11
    assert set(np.bitwise_count(corpus.group_languages).tolist()) == {2}


@pytest.mark.data
def test_real_ntrex(data):
    found = bitext.read_retrieval(data / "ntrex", name="ntrex", strict=True)
    assert len(found.queries) == len(found.passages) == 1_997 * 11
    assert found.judgements.shape == (1_997 * 11 * 10, 3)
    corpus, _ = bitext.read_training(data / "ntrex", strict=True)
    assert len(corpus) == 1_997
    assert set(np.bitwise_count(corpus.group_languages).tolist()) == {11}
