"""Belebele's layout: files of a made-up parallel collection, read as a benchmark."""

from __future__ import annotations

import json

import pytest

from tests.opening import retrieval_of
from triglot.corpus.formats import belebele
from triglot.corpus.formats.registry import detect
from triglot.files import InputError


def record(code, link, number, passage, **changes):
    question = f"question {link} {number} in {code}"
    answers = {f"mc_answer{i}": f"{i}" for i in range(1, 5)}
    row = {"link": link, "question_number": number, "flores_passage": passage, "question": question, "dialect": code}
    return row | answers | {"correct_answer_num": "1", "ds": "2023-05-03"} | changes


def write(folder, code, rows, name=""):
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / f"{name or code}.jsonl").write_text("".join(f"{line}\n" for line in lines))


def collection(folder, codes=("eng_Latn", "zho_Hans", "zho_Hant", "arb_Arab")):
    """Two passages; the first has two questions."""
    for code in codes:
        rows = [record(code, "a", 1, f"A {code}"), record(code, "a", 2, f"A {code}"), record(code, "b", 1, f"B {code}")]
        write(folder, code, rows)
    return folder


def test_questions_find_the_passage_in_every_language(tmp_path):
    assert detect(collection(tmp_path)) == "belebele"
    found = retrieval_of(tmp_path, name="b")
    assert found.languages == ("ar", "en", "zh", "zh-Hant")
    assert (len(found.queries), len(found.passages), found.parallel) == (12, 8, True)
    assert found.licence == "CC BY-SA 4.0"
    for query, passage, grade in found.judgements.tolist():
        asked = found.queries.texts[query].split()[1]
        assert (found.passages.texts[passage][0].lower(), grade) == (asked, 1)
    assert len(found.judgements) == 12 * 4
    group = dict(zip(found.queries.ids, found.queries.group.tolist()))
    assert group["en-q1"] == group["ar-q1"] != group["en-q2"]
    cluster = dict(zip(found.queries.ids, found.queries.cluster.tolist()))
    assert cluster["en-q1"] == cluster["ar-q2"] != cluster["en-q3"]


def test_a_part_of_the_languages_and_one_file(tmp_path):
    collection(tmp_path)
    found = retrieval_of(tmp_path, name="b", languages=["en", "zh_Hant"])
    assert (found.languages, len(found.judgements)) == (("en", "zh-Hant"), 3 * 2 * 2)
    alone = belebele.read_retrieval(tmp_path / "eng_Latn.jsonl", name="b")
    assert (alone.languages, len(alone.judgements)) == (("en",), 3)
    with pytest.raises(InputError, match="no question in th"):
        belebele.read_retrieval(tmp_path, name="b", languages=["th"])


def test_what_cannot_be_used_is_counted(tmp_path):
    rows = [
        record("eng_Latn", "a", 1, "A"),
        record("eng_Latn", "a", 1, "A again"),
        record("eng_Latn", "a", 2, " "),
        record("eng_Latn", None, 2, "B"),
        ["no object"],
    ]
    write(tmp_path, "eng_Latn", rows)
    found = belebele.read_retrieval(tmp_path, name="b")
    assert found.passages.texts == ["A"]
    note = " ".join(found.notes)
    for reason in ("occurred before", "without a passage", "2 x record without link"):
        assert reason in note
    with pytest.raises(InputError, match=r"eng_Latn\.jsonl:2: question that occurred before"):
        belebele.read_retrieval(tmp_path, name="b", strict=True)


def test_other_files_of_such_names_are_pairs(tmp_path):
    write(tmp_path, "deu_Latn", [{"query": "q", "positive": "p"}])
    assert detect(tmp_path) == "pairs"
    with pytest.raises(InputError, match="no file such as eng_Latn"):
        belebele.read_retrieval(tmp_path / "none", name="b")
