"""Topics and judgements over streamed corpora: MIRACL's and Mr. TyDi's layouts, with and without passages."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from tests.opening import retrieval_of
from triglot.corpus import collection
from triglot.corpus.tally import Tally
from triglot.files import InputError


def put(path, *lines):
    path.parent.mkdir(exist_ok=True, parents=True)
    text = "".join((json.dumps(one) if isinstance(one, dict) else one) + "\n" for one in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.fixture
def miracl(tmp_path):
    root = tmp_path / "data"
    for lang in ("sw", "bn"):
        own = root / f"miracl-v1.0-{lang}"
        put(
            own / "topics" / f"topics.miracl-v1.0-{lang}-dev.tsv",
            "1\tone?",
            "2\ttwo?",
            "3\tunjudged?",
            "4\tnothing relevant?",
        )
        judgements = [
            "1\tQ0\ta#0\t1",
            "1\tQ0\tb#0\t0",
            "2\tQ0\tc#1\t2",
            "2\tQ0\ta#0\t1",
            "4\tQ0\ta#0\t0",
            "9\tQ0\ta#0\t1",
        ]
        put(own / "qrels" / f"qrels.miracl-v1.0-{lang}-dev.tsv", *judgements)
        for number, ids in ((10, ["c#1"]), (2, ["a#0", "b#0"])):
            put(
                root / f"miracl-corpus-v1.0-{lang}" / f"docs-{number}.jsonl.gz",
                *[{"docid": one, "title": "T", "text": one} for one in ids],
            )
    return root


def test_the_layout_of_miracl(miracl):
    found = retrieval_of(miracl, name="miracl")
    assert isinstance(found, collection.Collection)
    assert found.languages == ("bn", "sw")
    part = found.parts["sw"]
    assert part.topics == {"1": "one?", "2": "two?"}
    assert (part.qrels.queries, part.qrels.documents, part.qrels.grades.tolist()) == (
        ["1", "1", "2", "2"],
        ["a#0", "b#0", "c#1", "a#0"],
        [1, 0, 2, 1],
    )
    assert [path.name for path in part.files] == ["docs-2.jsonl.gz", "docs-10.jsonl.gz"]
    assert found.notes[0] == "4 queries have no relevant passage in dev"
    assert "2 x judgement that names an unknown topic" in found.notes[1]
    assert collection.clusters(part).tolist() == [0, 0]  # both topics share a#0
    documents = list(found.documents("sw", Tally(), block=2))
    assert [block.ids for block in documents] == [["sw-a#0", "sw-b#0"], ["sw-c#1"]]
    assert documents[0].texts == ["T a#0", "T b#0"]


def test_one_language_has_its_ids_as_they_are(miracl):
    found = retrieval_of(miracl, name="miracl", languages=["sw"], titles=False)
    assert [one for block in found.documents("sw", Tally()) for one in block.ids] == ["a#0", "b#0", "c#1"]
    with pytest.raises(InputError, match=r"none of the languages \['th'\]; the folder has bn, sw"):
        retrieval_of(miracl, name="miracl", languages=["th"])
    with pytest.raises(InputError, match="no language 'sv'; known: bn, sw"):
        collection.check_languages("miracl", ["sw", "sv"], ("bn", "sw"))


def test_the_layout_of_mr_tydi(tmp_path):
    folder = tmp_path / "mrtydi-v1.1-swahili"
    put(folder / "ir-format-data" / "topics.dev.txt", "0\tnini?")
    put(folder / "ir-format-data" / "qrels.dev.txt", "0 Q0 5#1 1")
    put(folder / "corpus.jsonl.gz", {"docid": "5#1", "title": "T", "text": "x"})
    put(folder / "dev.jsonl.gz", {"query_id": "0", "query": "nini?"})
    with pytest.raises(InputError, match="tells no language"):
        retrieval_of(folder, name="x")
    found = retrieval_of(folder, name="x", language="sw")
    assert [one for block in found.documents("sw", Tally(strict=True)) for one in block.ids] == ["5#1"]


def test_passages_are_asked_for_when_they_are_streamed(miracl, tmp_path):
    alone = miracl / "miracl-v1.0-sw"
    found = retrieval_of(alone, name="miracl")
    assert found.parts["sw"].files == ()
    with pytest.raises(InputError, match="no passages for sw: put its corpus"):
        next(found.documents("sw", Tally()))
    beside = retrieval_of(alone, name="miracl", corpus=miracl / "miracl-corpus-v1.0-sw")
    assert len(beside.parts["sw"].files) == 2
    with pytest.raises(InputError, match="no passages in it"):
        retrieval_of(alone, name="miracl", corpus=alone / "topics")
    with pytest.raises(InputError, match="'splitt'; did you mean 'split'"):
        retrieval_of(alone, name="miracl", splitt="dev")


def test_no_topic_with_a_relevant_passage(tmp_path):
    put(tmp_path / "topics.x-sw-dev.tsv", "1\tone?")
    put(tmp_path / "qrels.x-sw-dev.tsv", "1 Q0 a 0")
    with pytest.raises(InputError, match="no topic has a relevant passage in dev"):
        retrieval_of(tmp_path, name="x")


def test_the_real_topics(data):
    found = retrieval_of(data / "miracl", name="miracl")
    assert {code: len(part.topics) for code, part in found.parts.items()} == {"bn": 411, "sw": 482}
    assert found.notes == ()
    assert all(np.bincount(collection.clusters(part)).max() < 12 for part in found.parts.values())
