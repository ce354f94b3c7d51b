"""A retriever for LlamaIndex, of its own base class (extra `llama-index`)."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

from triglot.extras import named
from triglot.retrievers.asked import asked, metadata_of, score_of, searcher_of
from triglot.search.searcher import Searcher, SearchSettings

with named():
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode


class LlamaIndexRetriever(BaseRetriever):
    """Nodes for a query engine.

    retriever = LlamaIndexRetriever.from_index("help", mode="fair", k=5)
    retriever.retrieve("Passwort ändern")
    """

    def __init__(
        self, searcher: Searcher, settings: SearchSettings | None = None, *, lang: str = "", **options: Any
    ) -> None:
        """
        Args:
            searcher: model and index.
            settings: how questions are answered.
            lang: of the questions, "" to tell it by each.
            options: of the base class.
        """
        self.searcher, self.settings, self.lang = searcher, settings or SearchSettings(), lang
        super().__init__(**options)

    @classmethod
    def from_index(cls, place: str, *, model: str = "", lang: str = "", **settings: Any) -> LlamaIndexRetriever:
        """Over the index at a place; arguments and errors are those of `LangChainRetriever.from_index`."""
        return cls(searcher_of(place, model), SearchSettings(**settings), lang=lang)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        answer = asked(self.searcher, query_bundle.query_str, self.settings, self.lang)
        return [
            NodeWithScore(
                node=TextNode(id_=hit.id, text=hit.text, metadata=metadata_of(hit)),
                score=score_of(hit, self.settings.mode),
            )
            for hit in answer.hits
        ]
