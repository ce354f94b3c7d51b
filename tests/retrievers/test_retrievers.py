"""Retrievers for others' frameworks, held against their own base classes."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.search.small import Words, small
from triglot.search.searcher import Searcher, SearchSettings

pytestmark = pytest.mark.peers
QUESTION = "de-river de-bread"


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return Searcher(Words(), small(tmp_path_factory.mktemp("index") / "i"))


def package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip without the package; nothing that it says while it is imported is ours."""
    monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(name, reason=f"no {name}")


def wanted(searcher: Searcher, settings: SearchSettings) -> list[tuple[str, str, str]]:
    return [(hit.id, hit.text, hit.lang) for hit in searcher.search(QUESTION, settings, lang="de").hits]


@pytest.mark.filterwarnings("ignore")
def test_langchain(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    package("langchain_core", monkeypatch)
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import RunnableLambda

    from triglot.retrievers import LangChainRetriever

    settings = SearchSettings(k=4, mode="fold", where=("number<30",))
    retriever = LangChainRetriever(searcher=searcher, settings=settings, lang="de")
    assert isinstance(retriever, BaseRetriever)
    found = retriever.invoke(QUESTION)
    assert [(one.id, one.page_content, one.metadata["triglot_lang"]) for one in found] == wanted(searcher, settings)
    assert found[0].metadata["number"] < 30
    assert found[0].metadata["triglot_also"] or found[0].metadata["triglot_group"]
    assert [one.id for one in asyncio.run(retriever.ainvoke(QUESTION))] == [one.id for one in found]
    chain = retriever | RunnableLambda(len)
    assert chain.batch([QUESTION, "en-king"]) == [4, 4]


@pytest.mark.filterwarnings("ignore")
def test_llama_index(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    package("llama_index.core", monkeypatch)
    from llama_index.core.base.base_retriever import BaseRetriever

    from triglot.retrievers import LlamaIndexRetriever

    for mode in ("any", "fair"):
        settings = SearchSettings(k=5, mode=mode)
        retriever = LlamaIndexRetriever(searcher, settings, lang="de")
        assert isinstance(retriever, BaseRetriever)
        found = retriever.retrieve(QUESTION)
        told = [(one.node.node_id, one.node.text, one.node.metadata["triglot_lang"]) for one in found]
        assert told == wanted(searcher, settings)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        assert asyncio.run(retriever.aretrieve(QUESTION)) == found


@pytest.mark.filterwarnings("ignore")
def test_haystack(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    package("haystack", monkeypatch)
    from haystack import Pipeline

    from triglot.retrievers import HaystackRetriever
    from triglot.retrievers import haystack as module

    pipeline = Pipeline()
    given: dict[str, Any] = {"k": 5, "mode": "fair", "quotas": ["de=2"]}
    pipeline.add_component("search", HaystackRetriever.over(searcher, lang="de", settings=given))
    found = pipeline.run({"search": {"query": QUESTION}})["search"]["documents"]
    settings = SearchSettings(k=5, mode="fair", quotas=("de=2",))
    assert [(one.id, one.content, one.meta["triglot_lang"]) for one in found] == wanted(searcher, settings)
    assert [one.score for one in found] == [
        hit.calibrated for hit in searcher.search(QUESTION, settings, lang="de").hits
    ]
    opened = []
    monkeypatch.setattr(module, "searcher_of", lambda place, model: opened.append(place) or searcher)
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["triglot.retrievers.haystack"])
    assert again.run({"search": {"query": QUESTION, "top_k": 2}})["search"]["documents"] == found[:2]
    assert [Path(place) for place in opened] == [searcher.index.place]  # type: ignore[attr-defined]
