"""A retriever for LangChain, of its own base class (extra `langchain`)."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

from triglot.extras import named
from triglot.retrievers.asked import asked, metadata_of, searcher_of
from triglot.search.searcher import Searcher, SearchSettings

with named():
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from pydantic import SkipValidation


class LangChainRetriever(BaseRetriever):
    """Passages for a chain.

    retriever = LangChainRetriever.from_index("help", mode="fold", k=5)
    retriever.invoke("Passwort ändern")

    Attributes:
        searcher: model and index.
        settings: how questions are answered.
        lang: of the questions, "" to tell it by each.
    """

    searcher: SkipValidation[Searcher]
    settings: SkipValidation[SearchSettings] = SearchSettings()
    lang: str = ""

    @classmethod
    def from_index(cls, place: str, *, model: str = "", lang: str = "", **settings: Any) -> LangChainRetriever:
        """Over the index at a place.

        Args:
            place: a folder, or an address of a vector database.
            model: where its model is, if not where the index was made.
            lang: of the questions.
            settings: of `triglot.search.SearchSettings`.

        Raises:
            InputError: no index is there, the model is not found or another one, or a setting is not understood.
        """
        return cls(searcher=searcher_of(place, model), settings=SearchSettings(**settings), lang=lang)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        answer = asked(self.searcher, query, self.settings, self.lang)
        return [Document(id=hit.id, page_content=hit.text, metadata=metadata_of(hit)) for hit in answer.hits]
