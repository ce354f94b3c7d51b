"""Multi-EuP's table: a few made-up speeches and debates, read as a benchmark."""

from __future__ import annotations

import csv

import pytest

from tests.opening import retrieval_of
from triglot.corpus.formats import multieup
from triglot.corpus.formats.registry import detect
from triglot.files import InputError

COLUMNS = ["did", "TEXT", "LANGUAGE", "NAME", "title_EN", "title_DE", "title_GA", "qid_EN", "qid_DE", "qid_GA"]


def speech(did, text, code, debate, irish=True, **changes):
    row = {"did": did, "TEXT": text, "LANGUAGE": code, "NAME": "someone"}
    row |= {f"title_{spoken}": f"{debate} in {spoken}" for spoken in ("EN", "DE", "GA")}
    row |= {f"qid_{spoken}": f"{debate}#{spoken}" for spoken in ("EN", "DE", "GA")}
    return row | ({} if irish else {"title_GA": "", "qid_GA": ""}) | changes


def write(path, rows, columns=COLUMNS):
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


SPEECHES = [
    speech("s1", "first,\nwith a line break", "EN", "d1"),
    speech("s2", "zweite", "DE", "d1"),
    speech("s3", "dritte", "DE", "d2", irish=False),
]


def test_titles_find_the_speeches_of_their_debate(tmp_path):
    write(tmp_path / "clean_all_with_did_qid.MEP.csv", SPEECHES)
    assert detect(tmp_path) == "multieup"
    found = retrieval_of(tmp_path, name="m")
    assert (found.languages, found.parallel, found.licence) == (("de", "en", "ga"), False, "CC BY 4.0")
    assert sorted(found.queries.ids) == ["de-d1", "de-d2", "en-d1", "en-d2", "ga-d1"]
    assert found.passages.texts[0] == "first,\nwith a line break"
    answers = {(found.queries.ids[q], found.passages.ids[p]) for q, p, _ in found.judgements.tolist()}
    first = {(f"{code}-d1", did) for code in ("de", "en", "ga") for did in ("s1", "s2")}
    assert answers == first | {("de-d2", "s3"), ("en-d2", "s3")}
    group = dict(zip(found.queries.ids, found.queries.group.tolist()))
    assert group["de-d1"] == group["ga-d1"] != group["de-d2"]


def test_a_part_of_the_languages(tmp_path):
    file = write(tmp_path / "m.csv", SPEECHES)
    found = retrieval_of(file, name="m", languages=["de"])
    assert (found.queries.ids, found.passages.ids) == (["de-d1", "de-d2"], ["s2", "s3"])
    with pytest.raises(InputError, match="no speech of a debate in th"):
        multieup.read_retrieval(file, name="m", languages=["th"])


def test_what_cannot_be_used_is_counted_and_other_tables_are_no_benchmark(tmp_path):
    nameless = dict.fromkeys(COLUMNS[4:], "")
    rows = [*SPEECHES, SPEECHES[0], speech("", "x", "EN", "d1"), speech("s9", "x", "EN", "d1", **nameless)]
    note = " ".join(multieup.read_retrieval(write(tmp_path / "m.csv", rows), name="m").notes)
    for reason in ("speech whose did occurred before", "row without did", "speech of a debate without title"):
        assert f"1 x {reason}" in note
    with pytest.raises(InputError, match=r"m\.csv:\d+: speech whose did occurred before"):
        multieup.read_retrieval(tmp_path / "m.csv", name="m", strict=True)
    other = tmp_path / "other"
    other.mkdir()
    write(other / "texts.csv", [{"did": "1", "TEXT": "x"}], ["did", "TEXT"])
    assert not multieup.is_layout(other)
    with pytest.raises(InputError, match="no CSV file with the columns did, TEXT, LANGUAGE and qid_XX"):
        multieup.read_retrieval(other, name="m")
