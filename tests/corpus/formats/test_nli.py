"""XNLI's line-aligned files."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from triglot.corpus.formats import nli
from triglot.files import InputError

EN = ["p1\ta\tneutral", "p1\tb\tcontradiction", "p1\tc\tentailment", "p2\td\tneutral", "p3\te\tentailment"]
DE = ["P1\tA\tneutral", "P1\tB\tcontradiction", "P1\tC\tentailment", "P2\tD\tneutral", "P2\tE\tentailment"]


def put(path, lines):
    text = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.fixture
def folder(tmp_path):
    put(tmp_path / "dev-en.tsv", EN)
    put(tmp_path / "dev-de.tsv.gz", DE)
    return tmp_path


def test_items_are_parallel_and_grouped_by_premise(folder):
    found, tally = nli.read(folder, strict=True)
    assert (found.languages, len(found)) == (("de", "en"), 5)
    assert found.premises == {"de": ["P1", "P1", "P1", "P2", "P2"], "en": ["p1", "p1", "p1", "p2", "p3"]}
    assert (found.hypotheses["de"][3], found.hypotheses["en"][3]) == ("D", "d")
    assert [nli.LABELS[label] for label in found.labels] == [
        "neutral",
        "contradiction",
        "entailment",
        "neutral",
        "entailment",
    ]
    assert found.group.tolist() == [0, 0, 0, 1, 1]  # p2 and p3 have one German premise
    assert tally.read == {"languages": 2, "items": 5, "premises": 2}
    english, _ = nli.read(folder, languages=["en"], strict=True)
    assert (english.languages, english.group.tolist()) == (("en",), [0, 0, 0, 1, 2])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("P1\tB", "line that has not three columns with tabs between them"),
        ("P1\tB\tneutral\tx", "line that has not three columns with tabs between them"),
        (" \tB\tcontradiction", "line with an empty premise or hypothesis"),
        ("P1\t\tcontradiction", "line with an empty premise or hypothesis"),
        ("P1\tB\t-", "line whose label is not one of entailment, neutral, contradiction"),
    ],
)
def test_a_line_broken_in_one_language_is_left_out_in_all(folder, line, reason):
    put(folder / "dev-de.tsv.gz", [DE[0], line, *DE[2:]])
    found, tally = nli.read(folder)
    assert (found.hypotheses["en"], found.hypotheses["de"]) == (["a", "c", "d", "e"], ["A", "C", "D", "E"])
    assert found.line.tolist() == [1, 3, 4, 5]
    one = tally.left_out[f"{reason} (left out in every language)"]
    assert (one.count, one.first) == (1, f"{folder}/dev-de.tsv.gz:2")
    with pytest.raises(InputError, match=rf"dev-de\.tsv\.gz:2: {reason}"):
        nli.read(folder, strict=True)


def test_files_that_are_not_aligned(folder):
    put(folder / "dev-en.tsv", EN[:-1])
    with pytest.raises(InputError, match=r"dev-en\.tsv: 4 lines, but dev-de\.tsv\.gz has 5; they are not aligned"):
        nli.read(folder)
    put(folder / "dev-en.tsv", [EN[1], EN[0], *EN[2:]])
    with pytest.raises(InputError, match=r"dev-en\.tsv:1: label 'contradiction', but dev-de\.tsv\.gz has 'neutral'"):
        nli.read(folder)


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(InputError, match="no split 'devv'; did you mean 'dev'"):
        nli.read(folder, split="devv")
    with pytest.raises(InputError, match="no dev file in 'eng'; did you mean 'en'"):
        nli.read(folder, languages=["eng"])
    with pytest.raises(InputError, match="no language was asked for"):
        nli.read(folder, languages=[])
    with pytest.raises(InputError, match=r"a folder with files such as dev-xx\.tsv"):
        nli.read(folder / "dev-en.tsv")
    for file in folder.iterdir():
        put(file, ["broken"])
    with pytest.raises(InputError, match=r"no line can be used; .*1 x line that has not three columns"):
        nli.read(folder)
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"no file such as dev-xx\.tsv"):
        nli.read(folder)


def test_a_share_that_makes_no_two_parts(folder):
    found, _ = nli.read(folder)
    for share in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="must lie between 0 and 1"):
            found.split(share, seed=1)
    with pytest.raises(InputError, match="leaves one part empty"):
        found.split(1e-9, seed=1)


@pytest.mark.data
def test_xnli(data):
    found, tally = nli.read(data / "xnli", strict=True)
    assert (len(found.languages), len(found)) == (15, 2_490)
    assert np.bincount(found.labels).tolist() == [830, 830, 830]
    assert tally.read["premises"] == 829  # two of the 830 have one Urdu translation
    english, _ = nli.read(data / "xnli", languages=["en"], strict=True)
    assert np.bincount(english.group).tolist() == [3] * 830

    train, held = found.split(0.8, seed=1)
    assert len(train) + len(held) == 2_490
    assert abs(len(train) / 2_490 - 0.8) < 0.04
    for code in found.languages:
        assert not set(train.premises[code]) & set(held.premises[code])
    assert found.split(0.8, seed=1)[0].line.tolist() == train.line.tolist()
    assert found.split(0.8, seed=2)[0].line.tolist() != train.line.tolist()
    # to read fewer languages moves at most the Urdu pair
    assert len(set(english.split(0.8, seed=1)[0].line.tolist()) ^ set(train.line.tolist())) <= 3
