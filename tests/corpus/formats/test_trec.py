"""TREC topics and judgements, streamed corpora, the MIRACL layout."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import numpy as np
import pytest

from triglot.corpus import collection
from triglot.corpus.formats import trec
from triglot.corpus.tally import Tally
from triglot.files import InputError


def put(path, *lines):
    path.parent.mkdir(exist_ok=True, parents=True)
    text = "".join((json.dumps(one) if isinstance(one, dict) else one) + "\n" for one in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def passages(*ids, title="T"):
    return [{"docid": one, "title": title, "text": f"about {one}"} for one in ids]


@pytest.fixture
def folder(tmp_path):
    """MIRACL as published: a folder a language for topics and qrels, and one for the parts of its corpus."""
    root = tmp_path / "data"
    for lang, query in (("sw", "nini?"), ("bn", "কী?")):
        own = root / f"miracl-v1.0-{lang}"
        put(own / "topics" / f"topics.miracl-v1.0-{lang}-dev.tsv", f"1\t{query}", "2\tmore?", "3\tunjudged?")
        put(own / "topics" / f"topics.miracl-v1.0-{lang}-testA.tsv", "9\tsecret?")
        put(own / "qrels" / f"qrels.miracl-v1.0-{lang}-dev.tsv", "1\tQ0\ta#0\t1", "1\tQ0\tb#0\t0", "2\tQ0\tc#1\t2")
        put(root / f"miracl-corpus-v1.0-{lang}" / "docs-10.jsonl.gz", *passages("c#1"))
        put(root / f"miracl-corpus-v1.0-{lang}" / "docs-2.jsonl.gz", *passages("a#0", "b#0"))
    return root


def test_the_layout_of_miracl(folder):
    found = collection.read_retrieval(folder, name="x", strict=True, licence="CC0")
    assert (found.languages, found.parallel, found.licence) == (("bn", "sw"), False, "CC0")
    assert found.queries.ids == ["bn-1", "bn-2", "sw-1", "sw-2"]
    assert found.passages.ids == ["bn-a#0", "bn-b#0", "bn-c#1", "sw-a#0", "sw-b#0", "sw-c#1"]  # part 2 before part 10
    assert found.passages.texts[0] == "T about a#0"
    assert found.judgements.tolist() == [[0, 0, 1], [0, 1, 0], [1, 2, 2], [2, 3, 1], [2, 4, 0], [3, 5, 2]]
    assert found.queries.cluster.tolist() == found.passages.cluster[[0, 2, 3, 5]].tolist()
    assert found.passages.group.tolist() == [0, -1, 1, 2, -1, 3]
    assert found.notes == ("2 queries have no relevant passage in dev",)


def test_files_of_no_known_kind_are_counted(folder):
    put(folder / "README.md", "of the data")
    assert collection.read_retrieval(folder, name="x").notes == ("2 queries have no relevant passage in dev",)
    put(folder / "docs.tsv", "a#0\tmeant as passages")
    put(folder / "topics.csv", "1,nini?")
    (told,) = [one for one in collection.read_retrieval(folder, name="x", strict=True).notes if "neither" in one]
    assert "left out: 2 x file that is by its name neither topics, judgements nor passages" in told
    assert "docs.tsv" in told


def test_one_language_and_no_titles(folder):
    found = collection.read_retrieval(folder, name="x", languages=["sw", "th"], titles=False, strict=True)
    assert (found.languages, found.queries.ids) == (("sw",), ["1", "2"])
    assert found.passages.texts == ["about a#0", "about b#0", "about c#1"]
    elsewhere = collection.read_retrieval(
        folder / "miracl-v1.0-sw", name="x", corpus=folder / "miracl-corpus-v1.0-sw", strict=True
    )
    assert elsewhere.judgements.tolist() == found.judgements.tolist()


def test_names_that_tell_no_language_need_it_given(tmp_path):
    put(tmp_path / "topic.dev.tsv", "1\tnini?")
    put(tmp_path / "qrels.dev.txt", "1 0 a 1")
    put(tmp_path / "collection" / "docs.jsonl", *passages("a"))
    with pytest.raises(InputError, match=r"tells no language .* give `language: xx`"):
        collection.read_retrieval(tmp_path, name="x")
    found = collection.read_retrieval(tmp_path, name="x", language="sw")
    assert (found.languages, found.judgements.tolist()) == (("sw",), [[0, 0, 1]])


def test_what_is_missing_is_named(folder):
    with pytest.raises(InputError, match="no split 'testB'; did you mean 'testA'"):
        collection.read_retrieval(folder, name="x", split="testB")
    with pytest.raises(InputError, match="no qrels file for bn in testA"):
        collection.read_retrieval(folder, name="x", split="testA")
    with pytest.raises(InputError, match=r"none of the languages \['th'\]; the folder has bn, sw"):
        collection.read_retrieval(folder, name="x", languages=["th"])
    with pytest.raises(InputError, match="no passages for bn"):
        collection.read_retrieval(folder, name="x", corpus=folder / "miracl-corpus-v1.0-sw")
    with pytest.raises(InputError, match="no passages in it"):
        collection.read_retrieval(folder / "miracl-v1.0-sw", name="x")
    with pytest.raises(InputError, match=r"a folder with topics"):
        collection.read_retrieval(folder / "none", name="x")
    with pytest.raises(InputError, match=r"no files such as topics"):
        collection.read_retrieval(folder / "miracl-corpus-v1.0-sw", name="x")
    loose = put(folder / "loose.jsonl", *passages("z"))
    with pytest.raises(InputError, match=r"loose\.jsonl: neither its name nor its folder tells"):
        collection.read_retrieval(folder, name="x")
    loose.unlink()
    put(folder / "again" / "topics.miracl-v1.0-sw-dev.tsv", "1\tx")
    with pytest.raises(InputError, match="a second file of topics for sw in dev"):
        collection.read_retrieval(folder, name="x")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1\tQ0\tnone\t1", "judgement that names an unknown passage"),
        ("7\tQ0\ta#0\t1", "judgement that names an unknown topic"),
        ("1\tQ0\ta#0\t0", "judgement that contradicts an earlier one"),
        ("1\tQ0\ta#0", "judgement that is not query, iteration, document and a whole number"),
        ("1\tQ0\ta#0\tyes", "judgement that is not query, iteration, document and a whole number"),
    ],
)
def test_a_broken_judgement_is_counted_and_fatal_when_strict(folder, line, reason):
    put(folder / "miracl-v1.0-sw" / "qrels" / "qrels.miracl-v1.0-sw-dev.tsv", "1 Q0 a#0 1", line)
    found = collection.read_retrieval(folder, name="x", languages=["sw"])
    assert found.judgements.tolist() == [[0, 0, 1]]
    assert any(f"1 x {reason}" in note and "dev.tsv:2" in note for note in found.notes)
    with pytest.raises(InputError, match=rf"dev\.tsv:2: {reason}"):
        collection.read_retrieval(folder, name="x", languages=["sw"], strict=True)


def test_judgements_of_grade_0_alone_leave_nothing_to_ask(folder):
    put(folder / "miracl-v1.0-sw" / "qrels" / "qrels.miracl-v1.0-sw-dev.tsv", "1 Q0 a#0 0")
    with pytest.raises(InputError, match="no topic has a relevant passage in dev"):
        collection.read_retrieval(folder, name="x", languages=["sw"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2 spaces", "topic that is not an id, a tab and a text"),
        ("2\ta\tb", "topic that is not an id, a tab and a text"),
        ("\ttext", "topic that is not an id, a tab and a text"),
        ("2\t ", "topic with an empty text"),
        ("1\tother", "topic whose id belongs to an earlier one"),
    ],
)
def test_a_broken_topic_is_counted_and_fatal_when_strict(tmp_path, line, reason):
    path = put(tmp_path / "t.tsv", "1\tone", line)
    tally = Tally()
    assert trec.read_topics(path, tally) == {"1": "one"}
    assert (tally.left_out[reason].count, tally.left_out[reason].first) == (1, f"{path}:2")
    with pytest.raises(InputError, match=rf"t\.tsv:2: {reason}"):
        trec.read_topics(path, Tally(strict=True))
    put(path, line) if "earlier" not in reason else put(path)
    with pytest.raises(InputError, match="no topic in it can be read"):
        trec.read_topics(path, Tally())


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_topics_and_qrels_there_and_back(tmp_path, suffix):
    topics = {"1": "nini?", "é2": "  spaces stay "}
    trec.write_topics(tmp_path / f"t.tsv{suffix}", topics)
    assert trec.read_topics(tmp_path / f"t.tsv{suffix}", Tally(strict=True)) == topics
    qrels = trec.Qrels(["1", "1", "é2"], ["a#0", "b", "a#0"], np.array([2, 0, -1]))
    trec.write_qrels(tmp_path / f"q{suffix}", qrels)
    back = trec.read_qrels(tmp_path / f"q{suffix}", Tally(strict=True))
    assert (back.queries, back.documents, back.grades.tolist(), len(back)) == (
        qrels.queries,
        qrels.documents,
        [2, 0, -1],
        3,
    )
    assert (tmp_path / f"q{suffix}").read_bytes()[:2] == (b"\x1f\x8b" if suffix else b"1 ")
    before = (tmp_path / f"q{suffix}").read_bytes()
    trec.write_qrels(tmp_path / f"q{suffix}", back)
    assert (tmp_path / f"q{suffix}").read_bytes() == before


def test_what_a_line_cannot_hold_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"'a b': a document id .* white space"):
        trec.write_qrels(tmp_path / "q", trec.Qrels(["1"], ["a b"], np.array([1])))
    with pytest.raises(InputError, match="'': a query id"):
        trec.write_topics(tmp_path / "t", {"": "text"})
    with pytest.raises(InputError, match="topic '1': its text is empty or has a tab or a line break"):
        trec.write_topics(tmp_path / "t", {"1": "two\nlines"})
    assert list(tmp_path.iterdir()) == []


def test_repeats_are_read_as_one(tmp_path):
    tally = Tally(strict=True)
    assert len(trec.read_qrels(put(tmp_path / "q", "1 0 a 1", "1\t0\ta\t1"), tally)) == 1
    assert tally.read["repeated judgements (read as one)"] == 1
    assert trec.read_topics(put(tmp_path / "t", "1\ta", "1\ta"), tally) == {"1": "a"}
    assert tally.read["repeated topics (read as one)"] == 1
    with pytest.raises(InputError, match="no judgement in it can be read"):
        trec.read_qrels(put(tmp_path / "q"), tally)


# --- the corpus as a stream


def test_blocks_cover_the_corpus_in_order(tmp_path):
    for part in range(12):
        put(
            tmp_path / f"docs-{part}.jsonl{'.gz' if part % 2 else ''}",
            *passages(*[f"{part}#{i}" for i in range(5)], title=""),
        )
    tally = Tally(strict=True)
    blocks = list(trec.read_corpus(tmp_path, tally, block=7))
    assert [len(block) for block in blocks] == [7] * 8 + [4]
    assert [one for block in blocks for one in block.ids] == [f"{part}#{i}" for part in range(12) for i in range(5)]
    assert blocks[0].texts[0] == "about 0#0"
    assert tally.read == {"passages": 60}
    two = [tmp_path / "docs-3.jsonl.gz", tmp_path / "docs-0.jsonl"]
    assert next(trec.read_corpus(two, tally)).ids == [f"{part}#{i}" for part in (3, 0) for i in range(5)]
    assert len(next(trec.read_corpus(two[0], tally))) == 5


def test_a_stream_holds_one_block_whatever_the_size(tmp_path):
    def peak(passages: int) -> int:
        with (path := tmp_path / f"{passages}.jsonl").open("w") as handle:
            handle.writelines(
                json.dumps({"docid": f"d{i}", "title": "", "text": f"{i} " * 40}) + "\n" for i in range(passages)
            )
        tracemalloc.start()
        try:
            assert sum(len(block) for block in trec.read_corpus(path, Tally(strict=True), block=256)) == passages
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(8_192) < 1.25 * peak(1_024)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"text": "x"}, "passage without a docid"),
        ({"docid": " ", "text": "x"}, "passage without a docid"),
        ({"docid": True, "text": "x"}, "passage without a docid"),
        ("[1]", "passage without a docid"),
        ({"docid": "b", "text": " "}, "passage with an empty text"),
        ({"docid": "b", "title": "T"}, "passage with an empty text"),
        ({"docid": "b", "title": 3, "text": "x"}, "passage with an empty text"),
        ({"docid": "a", "text": "again"}, "passage whose docid occurred before"),
    ],
)
def test_a_broken_passage_is_counted_and_fatal_when_strict(tmp_path, record, reason):
    path = put(tmp_path / "docs.jsonl", *passages("a"), record)
    tally = Tally()
    assert [block.ids for block in trec.read_corpus(path, tally)] == [["a"]]
    assert tally.left_out[reason].first == f"{path}:2"
    with pytest.raises(InputError, match=rf"docs\.jsonl:2: {reason}"):
        list(trec.read_corpus(path, Tally(strict=True)))


def test_a_docid_in_two_parts_is_counted_by_the_set(folder):
    put(
        folder / "miracl-corpus-v1.0-sw" / "docs-3.jsonl",
        *[{"docid": f"x{i}", "text": "x"} for i in range(16_384)],
        *passages("a#0"),
    )
    found = collection.read_retrieval(folder, name="x", languages=["sw"])
    assert len(found.passages) == 3 + 16_384
    assert any("1 x passage whose docid occurred before" in note and "a#0" in note for note in found.notes)


def test_a_corpus_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"no such file"):
        list(trec.read_corpus(tmp_path / "none.jsonl", Tally()))
    with pytest.raises(InputError, match="no passages in it"):
        trec.read_corpus(tmp_path, Tally())
    with pytest.raises(InputError, match="block is 0"):
        trec.read_corpus(tmp_path, Tally(), block=0)
    with pytest.raises(InputError, match="no passage can be read"):
        list(trec.read_corpus(put(tmp_path / "a.jsonl"), Tally()))
    path = put(tmp_path / "b.jsonl.gz", *passages("a", "b"))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="truncated"):
        list(trec.read_corpus(path, Tally()))


@pytest.mark.data
@pytest.mark.parametrize(
    ("lang", "topics", "judgements", "relevant"), [("sw", 482, 5_092, 910), ("bn", 411, 4_206, 863)]
)
def test_miracl(data, lang, topics, judgements, relevant):
    tally = Tally(strict=True)
    asked = trec.read_topics(data / "miracl" / f"topics.miracl-v1.0-{lang}-dev.tsv", tally)
    qrels = trec.read_qrels(data / "miracl" / f"qrels.miracl-v1.0-{lang}-dev.tsv", tally)
    assert (len(asked), len(qrels), int((qrels.grades > 0).sum())) == (topics, judgements, relevant)
    assert set(qrels.queries) == set(asked)
    assert tally.read == {"topics": topics, "judgements": judgements}


@pytest.mark.data
def test_miracl_with_a_corpus_made_for_its_judgements(data, tmp_path):
    """The passages are not at hand, so every judged docid gets a synthetic one."""
    total = 0
    for lang in ("sw", "bn"):
        qrels = trec.read_qrels(data / "miracl" / f"qrels.miracl-v1.0-{lang}-dev.tsv", Tally(strict=True))
        ids = list(dict.fromkeys(qrels.documents))
        total += len(ids)
        put(tmp_path / lang / "docs-0.jsonl.gz", *passages(*ids[::2]))
        put(tmp_path / lang / "docs-1.jsonl.gz", *passages(*ids[1::2]))
    found = collection.read_retrieval(data / "miracl", name="miracl", corpus=tmp_path, strict=True)
    assert (len(found.queries), len(found.passages), len(found.judgements)) == (482 + 411, total, 5_092 + 4_206)
    assert (found.languages, found.notes) == (("bn", "sw"), ())
    assert (found.queries.lang[found.judgements[:, 0]] == found.passages.lang[found.judgements[:, 1]]).all()


def test_judged_passages_that_the_corpus_lacks_and_the_topic_itself(folder):
    put(
        folder / "miracl-v1.0-sw" / "topics" / "topics.miracl-v1.0-sw-dev.tsv",
        "a#0\tabout a#0 ",
        "2\tmore?",
        "3\tnone?",
    )
    put(
        folder / "miracl-v1.0-sw" / "qrels" / "qrels.miracl-v1.0-sw-dev.tsv",
        "a#0 0 b#0 1",
        "a#0 0 x 1.0",
        "2 0 x 2",
        "3 0 y 0",
    )
    found = collection.read_retrieval(folder, name="x", languages=["sw"])
    assert (found.queries.ids, found.passages.texts[0], found.itself.tolist()) == (
        ["a#0", "2"],
        "T about a#0",
        [[0, 0]],
    )
    assert (found.absent.query.tolist(), found.absent.grade.tolist(), found.absent.ids) == ([0, 1], [1, 2], ["x", "x"])
    assert found.notes[1].startswith("counted as not found: 2 x judgement that names an unknown passage")


def test_a_title_without_a_text_is_a_text_where_titles_are_wanted(tmp_path):
    path = put(tmp_path / "docs.jsonl", {"docid": "a", "title": "T", "text": ""}, *passages("b"))
    assert [block.texts for block in trec.read_corpus(path, Tally())] == [["T", "T about b"]]
    assert [block.texts for block in trec.read_corpus(path, Tally(), titles=False)] == [["about b"]]
