"""X-Stance: comments, stances, and the comments that answer a question."""

from __future__ import annotations

import json

import numpy as np
import pytest

from triglot.corpus.formats import stance
from triglot.files import InputError


def put(path, *records):
    path.write_text("".join((json.dumps(one) if isinstance(one, dict) else one) + "\n" for one in records), "utf-8")
    return path


def comment(identifier, language="de", question=1, label="FAVOR", author="x", **more):
    record = {
        "id": identifier,
        "language": language,
        "question_id": question,
        "comment": f"c{identifier}",
        "label": label,
    }
    return record | {"author": author} | more


@pytest.fixture
def folder(tmp_path):
    put(
        tmp_path / "questions.de.jsonl",
        {"id": 1, "text": "eins?"},
        {"id": 2, "text": "zwei?"},
        {"id": 3, "text": "eins?"},
        {"id": 4, "text": "vier?"},
    )
    put(
        tmp_path / "questions.en.jsonl",
        {"id": 1, "text": "one?"},
        {"id": 2, "text": "two?"},
        {"id": 3, "text": "the first?"},
    )
    put(
        tmp_path / "valid.jsonl",
        comment(10),
        comment(11, "fr", 2, "AGAINST", "y"),
        comment(12, "fr", 3, author="z"),
        comment(13, "de", 2, author="y", translation={"fr": "c"}),
    )
    put(tmp_path / "train.jsonl", comment(20, author="y"))
    return tmp_path


def test_questions_with_one_text_are_one_question(folder):
    found = stance.read_retrieval(folder, name="x", strict=True, licence="NC")
    assert (found.languages, found.parallel, found.licence) == (("de", "en", "fr"), False, "NC")
    judged: dict[str, set[str]] = {}
    for query, passage, grade in found.judgements.tolist():
        assert grade == 1
        judged.setdefault(found.queries.texts[query], set()).add(found.passages.texts[passage])
    assert judged == {
        "eins?": {"c10", "c12"},  # asked once though it has two ids
        "zwei?": {"c11", "c13"},
        "one?": {"c10", "c12"},
        "two?": {"c11", "c13"},
        "the first?": {"c10", "c12"},
    }
    assert sorted(judged) == sorted(found.queries.texts)
    assert found.queries.ids == ["de-1", "de-2", "en-1", "en-2", "en-3"]
    assert found.queries.group.tolist() == [0, 1, 0, 1, 0]
    assert found.passages.cluster.tolist() == [0, 1, 0, 1]
    assert found.judgements.tolist() == sorted(found.judgements.tolist())
    assert found.notes == (
        "1 queries have no comment in valid",
        "1 question ids repeat another's text in some language and are read as one question with it",
    )


def test_some_languages_of_a_set(folder):
    found = stance.read_retrieval(folder, name="x", languages=["en", "fr"], strict=True)
    assert (found.languages, found.passages.texts) == (("en", "fr"), ["c11", "c12"])
    assert found.queries.texts == ["one?", "two?", "the first?"]
    assert [found.languages[lang] for lang in found.passages.lang] == ["fr", "fr"]
    with pytest.raises(InputError, match="no question with comments in fr"):
        stance.read_retrieval(folder, name="x", languages=["fr"])
    with pytest.raises(InputError, match=r"no comment in it can be used; .*4 comments in other languages"):
        stance.read_retrieval(folder, name="x", languages=["it"])


def test_stances_for_classification(folder):
    found, tally = stance.read(folder, strict=True)
    assert (found.languages, found.ids, found.comments) == (
        ("de", "fr"),
        ["10", "11", "12", "13"],
        ["c10", "c11", "c12", "c13"],
    )
    assert [stance.LABELS[label] for label in found.labels] == ["FAVOR", "AGAINST", "FAVOR", "FAVOR"]
    assert found.question == ["1", "2", "3", "2"]
    assert found.asked_in("en") == ["one?", "two?", "the first?", "two?"]
    assert tally.read["comments with a machine translation (not read)"] == 1
    with pytest.raises(InputError, match="question 2 has no text in 'fr'"):
        found.asked_in()
    with pytest.raises(InputError, match="no questions in 'eng'; did you mean 'en'"):
        found.asked_in("eng")
    german, _ = stance.read(folder, languages=["de"], strict=True)
    assert german.asked_in() == ["eins?", "zwei?"]
    others = found.without_authors(["y", ""])
    assert (others.comments, others.authors, others.question) == (["c10", "c12"], ["x", "z"], ["1", "3"])
    assert (others.lang.tolist(), others.labels.tolist()) == ([0, 1], [1, 1])
    assert len(found.without_authors(["x", "y", "z"])) == 0


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"comment": "c"}, "comment without an id"),
        ("[1]", "comment without an id"),
        (comment(11, comment=" "), "comment with an empty text"),
        (comment(11, comment=None), "comment with an empty text"),
        (comment(11, language=""), "comment without a language"),
        (comment(11, question=99), "comment on an unknown question"),
        (comment(11, label="NEUTRAL"), "comment whose label is not AGAINST or FAVOR"),
        (comment(10, question=2), "comment whose id occurred before"),
    ],
)
def test_a_broken_comment_is_counted_and_fatal_when_strict(folder, record, reason):
    path = put(folder / "valid.jsonl", comment(10), record)
    found, tally = stance.read(folder)
    assert found.comments == ["c10"]
    assert (tally.left_out[reason].count, tally.left_out[reason].first) == (1, f"{path}:2")
    assert any(reason in note for note in stance.read_retrieval(folder, name="x").notes)
    with pytest.raises(InputError, match=rf"valid\.jsonl:2: {reason}"):
        stance.read(folder, strict=True)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"text": "x"}, "question without an id"),
        ("3", "question without an id"),
        ({"id": 9, "text": ""}, "question with an empty text"),
        ({"id": 1, "text": "other?"}, "question whose id belongs to an earlier one of its language"),
    ],
)
def test_a_broken_question_is_counted_and_fatal_when_strict(folder, record, reason):
    put(folder / "questions.en.jsonl", {"id": 1, "text": "one?"}, record)
    found, tally = stance.read(folder)
    assert found.questions.texts["en", "1"] == "one?"
    assert tally.left_out[reason].first == f"{folder}/questions.en.jsonl:2"
    with pytest.raises(InputError, match=rf"questions\.en\.jsonl:2: {reason}"):
        stance.read(folder, strict=True)


def test_what_is_missing_is_named(folder):
    put(folder / "questions.en.jsonl", {"id": 1, "text": "one?"}, {"id": 1, "text": "one?"})
    assert stance.read(folder, strict=True)[1].read["repeated questions (read as one)"] == 1
    with pytest.raises(InputError, match=r"no comments in vaild\.jsonl; did you mean 'valid'"):
        stance.read(folder, split="vaild")
    with pytest.raises(InputError, match=r"a folder with questions\.xx\.jsonl"):
        stance.read(folder / "valid.jsonl")
    for file in folder.glob("questions.*"):
        file.unlink()
    with pytest.raises(InputError, match="no question in a file such as"):
        stance.read(folder)


@pytest.mark.data
@pytest.mark.parametrize(
    ("split", "comments", "queries", "judgements", "favour", "codes"),
    [("valid", 3_926, 560, 19_294, 1_959, ("de", "fr")), ("train", 10_506, 691, 46_540, 5_431, ("de", "fr", "it"))],
)
def test_x_stance(data, split, comments, queries, judgements, favour, codes):
    found = stance.read_retrieval(data / "xstance", name="x-stance", split=split, strict=True)
    assert (len(found.passages), len(found.queries), len(found.judgements)) == (comments, queries, judgements)
    assert found.languages == ("de", "en", "fr", "it")
    assert {found.languages[lang] for lang in found.passages.lang} == set(codes)
    keys = list(zip(found.queries.lang.tolist(), found.queries.texts, strict=True))
    assert len(set(keys)) == len(keys)  # no query is asked twice
    stances, tally = stance.read(data / "xstance", split=split, strict=True)
    assert (len(stances), int(stances.labels.sum())) == (comments, favour)
    assert tally.read["questions"] == 4 * 194
    assert len(stances.asked_in()) == comments
    assert np.unique(found.queries.cluster).tolist() == np.unique(found.passages.cluster).tolist()


@pytest.mark.data
def test_authors_of_x_stance_can_be_held_apart(data):
    train, _ = stance.read(data / "xstance", split="train", strict=True)
    valid, _ = stance.read(data / "xstance", split="valid", strict=True)
    assert len(set(train.authors) & set(valid.authors)) == 170
    apart = valid.without_authors(train.authors)
    assert 0 < len(apart) < len(valid)
    assert not set(apart.authors) & set(train.authors)
