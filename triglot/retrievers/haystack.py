"""A retriever for Haystack, as a component of its pipelines (extra `haystack`)."""

# Where Haystack is not installed, pyright takes this very file for it.
# pyright: reportMissingImports=false, reportCallIssue=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false
from __future__ import annotations

from dataclasses import replace
from typing import Any

from triglot.extras import named
from triglot.retrievers.asked import asked, metadata_of, score_of, searcher_of
from triglot.search.searcher import Searcher, SearchSettings

with named():
    from haystack import Document, component, default_from_dict, default_to_dict


@component
class HaystackRetriever:
    """Documents for a pipeline, which can be saved with it: it is known by the place of its index.

    pipeline.add_component("search", HaystackRetriever("help", settings={"mode": "fair", "k": 5}))
    """

    def __init__(self, place: str, *, model: str = "", lang: str = "", settings: dict[str, Any] | None = None) -> None:
        """
        Args:
            place: of the index: a folder, or an address of a vector database.
            model: where its model is, if not where the index was made.
            lang: of the questions, "" to tell it by each.
            settings: of `triglot.search.SearchSettings`.

        Raises:
            InputError: a setting is not understood.
        """
        self.place, self.model, self.lang = place, model, lang
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in (settings or {}).items()
        }
        self.settings = SearchSettings(**plain)
        self._given = {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}
        self._searcher: Searcher | None = None

    @classmethod
    def over(cls, searcher: Searcher, **options: Any) -> HaystackRetriever:
        """One over a searcher that is open; a pipeline that is saved with it opens its index by its place."""
        made = cls(str(getattr(searcher.index, "place", "")), **options)
        made._searcher = searcher
        return made

    def warm_up(self) -> None:
        """Open index and model. Raises InputError where they are not there, or do not belong together."""
        if self._searcher is None:
            self._searcher = searcher_of(self.place, self.model)

    @component.output_types(documents=list[Document])
    def run(self, query: str, top_k: int | None = None, lang: str | None = None) -> dict[str, list[Document]]:
        """The documents for a question.

        Args:
            query: the question.
            top_k: hits; None for those of the settings.
            lang: of the question; None for that of the component.
        """
        self.warm_up()
        assert self._searcher is not None
        settings = self.settings if top_k is None else replace(self.settings, k=top_k)
        answer = asked(self._searcher, query, settings, self.lang if lang is None else lang)
        return {
            "documents": [
                Document(id=hit.id, content=hit.text, meta=metadata_of(hit), score=score_of(hit, settings.mode))
                for hit in answer.hits
            ]
        }

    def to_dict(self) -> dict[str, Any]:
        """For a pipeline that is saved."""
        return default_to_dict(self, place=self.place, model=self.model, lang=self.lang, settings=self._given)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> HaystackRetriever:
        """From a pipeline that was saved."""
        return default_from_dict(cls, data)
