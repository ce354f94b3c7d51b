"""Names of the hub, against a local cache in the hub's own layout: nothing here asks the network."""

from __future__ import annotations

import sys

import pytest

from tests.corpus.formats.test_belebele import collection
from tests.corpus.formats.test_mlir import pools
from tests.corpus.formats.test_mteb import layout
from tests.corpus.formats.test_multieup import SPEECHES, write
from tests.corpus.test_collection import put
from tests.opening import retrieval_of
from triglot.corpus import hub
from triglot.corpus.tally import Tally
from triglot.extras import MissingExtra
from triglot.files import InputError


def test_names():
    assert hub.parse("hub:mteb/scifact") == hub.Spec("mteb/scifact", "", None)
    assert hub.parse("hub:miracl/miracl:sw@v1.0") == hub.Spec("miracl/miracl", "sw", "v1.0")
    assert hub.parse("hub:a/b:c/d@e") == hub.Spec("a/b", "c/d", "e")
    for wrong in ("hub:a/b:../../x", "hub:scifact", "hub:", "hub:a/b:", "hub:a/b:sw:bn", "hub:../x/y"):
        with pytest.raises(InputError, match="not hub:OWNER/NAME"):
            hub.parse(wrong)


def test_miracl_is_put_together_from_two_data_sets(hub_cache):
    topics, corpus = hub_cache("miracl/miracl"), hub_cache("miracl/miracl-corpus")
    put(topics / "miracl-v1.0-sw" / "topics" / "topics.miracl-v1.0-sw-dev.tsv", "1\tnini?")
    put(topics / "miracl-v1.0-sw" / "qrels" / "qrels.miracl-v1.0-sw-dev.tsv", "1\tQ0\ta#0\t1")
    put(corpus / "miracl-corpus-v1.0-sw" / "docs-0.jsonl.gz", {"docid": "a#0", "title": "T", "text": "x"})
    found = retrieval_of("hub:miracl/miracl:sw", name="miracl-sw")
    assert found.languages == ("sw",)
    assert [block.texts for block in found.documents("sw", Tally())] == [["T x"]]
    assert retrieval_of("hub:miracl/miracl:sw", name="miracl-sw", passages=False).parts["sw"].files == ()
    with pytest.raises(InputError, match=r"has no miracl-v1.0-th, so no 'th'"):
        retrieval_of("hub:miracl/miracl:th", name="x")
    with pytest.raises(InputError, match="name a language: hub:miracl/miracl:sw"):
        retrieval_of("hub:miracl/miracl", name="x")


@pytest.mark.parametrize("part", ["sw", "swahili"])
def test_mr_tydi_by_code_or_by_name(hub_cache, part):
    topics, corpus = hub_cache("castorini/mr-tydi"), hub_cache("castorini/mr-tydi-corpus")
    put(topics / "mrtydi-v1.1-swahili" / "ir-format-data" / "topics.dev.txt", "0\tnini?")
    put(topics / "mrtydi-v1.1-swahili" / "ir-format-data" / "qrels.dev.txt", "0 Q0 5#1 1")
    put(corpus / "mrtydi-v1.1-swahili" / "corpus.jsonl.gz", {"docid": "5#1", "title": "T", "text": "x"})
    found = retrieval_of(f"hub:castorini/mr-tydi:{part}", name="x")
    assert found.languages == ("sw",)
    assert [block.ids for block in found.documents("sw", Tally())] == [["5#1"]]
    with pytest.raises(InputError, match=r"Mr\. TyDi has no language 'tr'"):
        retrieval_of("hub:castorini/mr-tydi:tr", name="x")


def test_beir_and_mteb_layouts(hub_cache):
    layout(hub_cache("mteb/toy"))
    assert retrieval_of("hub:mteb/toy", name="x").queries.ids == ["q1", "q2"]
    layout(layout(hub_cache("mteb/many"), "de-"), "el-")
    assert retrieval_of("hub:mteb/many:el", name="x").languages == ("el",)
    lines = hub_cache("someone/lines")
    for folder in (lines, lines / "fi"):
        put(folder / "corpus.jsonl", {"_id": "d", "text": "x"})
        put(folder / "queries.jsonl", {"_id": "q", "text": "y"})
        put(folder / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore", "q\td\t1")
    assert retrieval_of("hub:someone/lines", name="x").languages == ("en",)
    assert retrieval_of("hub:someone/lines:fi", name="x").languages == ("fi",)


def test_mixed_pools_belebele_and_speeches(hub_cache):
    mixed = hub_cache("yjoonjang/mlir-benchmarks")
    pools(mixed / "MMLIR" / "XQuAD_test")
    assert retrieval_of("hub:yjoonjang/mlir-benchmarks:MMLIR/XQuAD_test", name="x").languages == ("en", "nl", "zh")
    for wrong in ("", ":MMLIR/None"):
        with pytest.raises(InputError, match="name one of its folders, such as hub:yjoonjang"):
            retrieval_of(f"hub:yjoonjang/mlir-benchmarks{wrong}", name="x")
    collection(hub_cache("facebook/belebele") / "data")
    assert len(retrieval_of("hub:facebook/belebele", name="x", languages=["en"]).queries) == 3
    write(hub_cache("unimelb-nlp/MultiEup-v2") / "clean_all_with_did_qid.MEP.csv", SPEECHES)
    assert retrieval_of("hub:unimelb-nlp/MultiEup-v2", name="x").languages == ("de", "en", "ga")


def test_what_cannot_be_fetched_is_said(hub_cache, monkeypatch):
    with pytest.raises(InputError, match=r"hub:no/such: cannot be fetched \("):
        retrieval_of("hub:no/such", name="x")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match=r'huggingface_hub is not installed; pip install "triglot\[hub\]"'):
        retrieval_of("hub:no/such", name="x")
