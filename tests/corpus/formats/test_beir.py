"""The BEIR layout."""

from __future__ import annotations

import gzip
import json

import pytest

from triglot.corpus.formats import beir
from triglot.files import InputError


def put(path, *records):
    path.parent.mkdir(exist_ok=True)
    text = "".join((json.dumps(one) if isinstance(one, dict) else one) + "\n" for one in records).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


@pytest.fixture
def folder(tmp_path):
    put(
        tmp_path / "corpus.jsonl.gz",
        {"_id": "d1", "title": "Lakes", "text": "deep water"},
        {"_id": "d2", "title": "", "text": "dry land"},
        {"_id": "d3", "text": "thin air"},
    )
    put(
        tmp_path / "queries.jsonl",
        {"_id": "1", "text": "how deep?"},
        {"_id": "2", "text": "how dry?"},
        {"_id": "3", "text": "unjudged"},
    )
    put(tmp_path / "queries.de.jsonl", {"_id": "1", "text": "wie tief?"})
    put(tmp_path / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore", "1\td1\t2", "1\td2\t0", "2\td2\t1")
    put(tmp_path / "qrels" / "train.tsv", "query-id\tcorpus-id\tscore", "3\td3\t1", "3\td1\t0")
    return tmp_path


def test_translated_queries_share_the_judgements(folder):
    found = beir.read_retrieval(folder, name="x", strict=True)
    assert found.languages == ("de", "en")
    assert found.passages.texts == ["Lakes deep water", "dry land", "thin air"]
    assert found.passages.ids == ["d1", "d2", "d3"]
    judged = {(found.queries.texts[q], found.passages.ids[p], int(grade)) for q, p, grade in found.judgements}
    assert judged == {
        ("how deep?", "d1", 2),
        ("how deep?", "d2", 0),
        ("wie tief?", "d1", 2),
        ("wie tief?", "d2", 0),
        ("how dry?", "d2", 1),
    }
    assert [tuple(row) for row in found.judgements] == sorted(tuple(row) for row in found.judgements)
    group = dict(zip(found.queries.texts, found.queries.group.tolist(), strict=True))
    assert group["how deep?"] == group["wie tief?"] != group["how dry?"]
    # relevant passages tie queries
    assert found.queries.cluster.tolist() == [0, 0, 1]  # a judged miss ties nothing
    assert found.passages.group[2] == -1
    assert not found.parallel
    assert found.notes == ("1 queries have no relevant document in test",)


def test_a_parallel_corpus(folder):
    put(folder / "corpus.de.jsonl", {"_id": "d1", "title": "Seen", "text": "tiefes Wasser"})
    found = beir.read_retrieval(folder, name="x", strict=True)
    assert found.parallel
    assert set(found.passages.ids) == {"de-d1", "en-d1", "en-d2", "en-d3"}
    relevant = {
        found.passages.ids[p] for q, p, grade in found.judgements if grade > 0 and found.queries.ids[q] == "en-1"
    }
    assert relevant == {"en-d1", "de-d1"}
    assert beir.read_retrieval(folder, name="x", languages=["en"], strict=True).languages == ("en",)


@pytest.mark.slow
def test_training_takes_positive_judgements_of_a_split(folder):
    corpus, tally = beir.read_training(folder, strict=True)
    assert len(corpus) == 1
    assert corpus.texts.to_pylist() == ["unjudged", "thin air"]
    assert tally.read["judgements of grade 0 (no row)"] == 1
    corpus, _ = beir.read_training(folder, split="test", titles=False)
    assert len(corpus) == 2
    assert "deep water" in corpus.texts.to_pylist()
    assert "Lakes" in corpus.group_titles.to_pylist()


def test_trec_columns_are_read_too(folder):
    put(folder / "qrels" / "test.tsv", "1 0 d1 2", "2 0 d2 1")
    assert beir.read_retrieval(folder, name="x", languages=["en"]).judgements.tolist() == [[0, 0, 2], [1, 1, 1]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1\tnone\t1", "judgement that names an unknown document"),
        ("9\td1\t1", "judgement that names an unknown query"),
        ("1\td1\t1", "judgement that contradicts an earlier one"),
        ("1\td1", "judgement that is not query-id, corpus-id and a whole number"),
        ("1\td1\tyes", "judgement that is not query-id, corpus-id and a whole number"),
    ],
)
def test_a_broken_judgement_is_counted_and_fatal_when_strict(folder, line, reason):
    put(folder / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore", "1\td1\t2", line)
    found = beir.read_retrieval(folder, name="x")
    assert len(found.judgements) == 2
    assert any(reason in note and "test.tsv:3" in note for note in found.notes)
    with pytest.raises(InputError, match=rf"test\.tsv:3: {reason}"):
        beir.read_retrieval(folder, name="x", strict=True)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"text": "x"}, "record without an _id"),
        ({"_id": "d9", "text": " "}, "record with an empty text"),
        ({"_id": "d9"}, "record with an empty text"),
        ({"_id": "d1", "text": "again"}, "record whose _id occurred before in its language"),
        ("[1]", "record without an _id"),
    ],
)
def test_a_broken_record_is_counted_and_fatal_when_strict(folder, record, reason):
    (folder / "corpus.jsonl.gz").unlink()
    put(folder / "corpus.jsonl", {"_id": "d1", "text": "deep water"}, record)
    put(folder / "qrels" / "test.tsv", "1\td1\t2")
    found = beir.read_retrieval(folder, name="x")
    assert len(found.passages) == 1
    assert any(reason in note and "corpus.jsonl:2" in note for note in found.notes)
    with pytest.raises(InputError, match=rf"corpus\.jsonl:2: {reason}"):
        beir.read_retrieval(folder, name="x", strict=True)


def test_missing_parts_are_named(folder, tmp_path):
    with pytest.raises(InputError, match="no split 'tset'; did you mean 'test'"):
        beir.read_retrieval(folder, name="x", split="tset")
    with pytest.raises(InputError, match="a folder with corpus"):
        beir.read_retrieval(folder / "queries.jsonl", name="x")
    (folder / "queries.jsonl").rename(folder / "querys.jsonl")
    (folder / "queries.de.jsonl").unlink()
    with pytest.raises(InputError, match=r"no queries\.jsonl; did you mean 'querys\.jsonl'"):
        beir.read_retrieval(folder, name="x")
    (folder / "querys.jsonl").rename(folder / "queries.jsonl")
    put(folder / "qrels" / "test.tsv", "1\tnone\t1")
    with pytest.raises(InputError, match=r"no query has a relevant document in test; .*unknown document"):
        beir.read_retrieval(folder, name="x")
    with pytest.raises(InputError, match="no judgement can be used"):
        beir.read_training(folder, split="test")
    for file in (folder / "qrels").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"no file such as test\.tsv"):
        beir.read_retrieval(folder, name="x")


def test_a_broken_corpus_file(folder):
    (folder / "corpus.jsonl.gz").write_bytes((folder / "corpus.jsonl.gz").read_bytes()[:-10])
    with pytest.raises(InputError, match="truncated"):
        beir.read_retrieval(folder, name="x")


@pytest.mark.data
def test_scifact(data):
    found = beir.read_retrieval(data / "scifact", name="scifact", strict=True)
    assert (len(found.passages), len(found.queries), len(found.judgements)) == (5_183, 300, 339)
    assert found.languages == ("en",)
    assert not found.parallel


def test_judged_documents_that_the_corpus_lacks_are_kept_as_absent(folder):
    put(folder / "qrels" / "test.tsv", "1\td1\t2", "1\tgone\t1", "2\td2\t1", "2\tempty\t0", "3\tgone\t3", "9\tgone\t1")
    found = beir.read_retrieval(folder, name="x")
    assert found.queries.ids == ["de-1", "en-1", "en-2", "en-3"]  # the third has nothing else
    absent = found.absent
    rows = zip(
        [found.queries.ids[q] for q in absent.query],
        absent.lang.tolist(),
        absent.grade.tolist(),
        absent.ids,
        strict=True,
    )
    assert list(rows) == [
        ("de-1", 1, 1, "gone"),
        ("en-1", 1, 1, "gone"),
        ("en-2", 1, 0, "empty"),
        ("en-3", 1, 3, "gone"),
    ]
    assert "counted as not found: 2 x judgement that names an unknown document" in found.notes[0]
    assert "left out: 1 x judgement that names an unknown query" in found.notes[1]
    with pytest.raises(InputError, match=r"test\.tsv:2: judgement that names an unknown document"):
        beir.read_retrieval(folder, name="x", strict=True)
    corpus, tally = beir.read_training(folder, split="test")
    assert len(corpus) == 2
    assert "left out: 3 x judgement that names an unknown document" in " ".join(tally.notes())


def test_an_absent_document_of_a_translated_corpus_is_absent_in_each_language(folder):
    put(folder / "corpus.de.jsonl", {"_id": "d1", "text": "tiefes Wasser"})
    put(folder / "qrels" / "test.tsv", "1\td1\t2", "2\tgone\t1")
    absent = beir.read_retrieval(folder, name="x").absent
    assert (absent.ids, absent.lang.tolist()) == (["de-gone", "en-gone"], [0, 1])
    # asked for in one language, documents of the other are no strangers
    english = beir.read_retrieval(folder, name="x", languages=["en"])
    assert english.absent.ids == ["gone"]
    put(folder / "qrels" / "test.tsv", "1\td1\t2")
    put(folder / "corpus.jsonl.gz", {"_id": "d9", "text": "dry land"})
    with pytest.raises(InputError, match="judgements of texts in other languages"):
        beir.read_retrieval(folder, name="x", languages=["en"], strict=True)


def test_a_document_that_is_the_query_itself_is_told_by_its_text_without_title(folder):
    put(
        folder / "queries.jsonl",
        {"_id": "d1", "text": "deep water "},
        {"_id": "d2", "text": "other"},
        {"_id": "d3", "text": "thin air"},
    )
    put(folder / "queries.de.jsonl", {"_id": "d1", "text": "tiefes Wasser"})
    put(folder / "qrels" / "test.tsv", "d1\td2\t1", "d2\td1\t1", "d3\td3\t1")
    found = beir.read_retrieval(folder, name="x")
    # d3 answers itself
    assert [(found.queries.ids[q], found.passages.ids[p]) for q, p in found.itself] == [
        ("de-d1", "d1"),
        ("en-d1", "d1"),
    ]


def test_a_title_without_a_text_is_a_text_where_titles_are_wanted(folder):
    put(folder / "corpus.jsonl.gz", {"_id": "d1", "title": "Lakes", "text": ""}, {"_id": "d2", "text": "dry land"})
    assert beir.read_retrieval(folder, name="x").passages.texts == ["Lakes", "dry land"]
    assert beir.read_retrieval(folder, name="x", titles=False).passages.texts == ["dry land"]


@pytest.mark.parametrize("lang", [["a"], 5, "../../evil", "a/b", {"a": 1}, True])
def test_a_language_that_is_no_name_is_an_error_with_file_and_line(folder, lang):
    put(folder / "queries.jsonl", {"_id": "1", "text": "how deep?"}, {"_id": "2", "text": "how dry?", "lang": lang})
    with pytest.raises(InputError, match=r"queries\.jsonl:2: .* cannot be the name of a language"):
        beir.read_retrieval(folder, name="x")
