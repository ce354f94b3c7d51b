"""A search as others' frameworks have it: retrievers for LangChain, LlamaIndex and Haystack over one `Searcher`."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.retrievers.haystack import HaystackRetriever
    from triglot.retrievers.langchain import LangChainRetriever
    from triglot.retrievers.llama_index import LlamaIndexRetriever

__all__ = ["HaystackRetriever", "LangChainRetriever", "LlamaIndexRetriever"]
__getattr__ = face(
    __name__,
    {
        "haystack": ("HaystackRetriever",),
        "langchain": ("LangChainRetriever",),
        "llama_index": ("LlamaIndexRetriever",),
    },
)
