"""The bodies of requests: what may stand there, and how long it may be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1, max_length=1 << 20)]
Word = Annotated[str, Field(max_length=200)]
Code = Annotated[str, Field(max_length=40)]
Identifier = Annotated[str, Field(min_length=1, max_length=512)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchBody(_Body):
    """A question."""

    query: Annotated[str, Field(min_length=1, max_length=10_000)]
    k: Annotated[int, Field(ge=1, le=1000)] = 10
    lang: Code = ""
    mode: Word = "fair"
    languages: Annotated[str, Field(max_length=1000)] = ""
    quotas: Annotated[list[Word], Field(max_length=64)] = []
    filters: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(max_length=32)] = []
    hybrid: bool = False


class EmbeddingsBody(BaseModel):
    """OpenAI's request; what it has beside these is passed over. `input_type` tells questions from passages."""

    input: Text | Annotated[list[Text], Field(min_length=1, max_length=10_000)]
    model: Word = ""
    encoding_format: Literal["float", "base64"] = "float"
    input_type: Literal["query", "passage"] = "query"


class RerankBody(BaseModel):
    """Cohere's request; what it has beside these is passed over."""

    query: Annotated[str, Field(min_length=1, max_length=10_000)]
    documents: Annotated[list[Text | dict[str, Any]], Field(min_length=1, max_length=10_000)]
    top_n: Annotated[int, Field(ge=1, le=10_000)] | None = None
    return_documents: bool = False
    model: Word = ""


class Document(_Body):
    """A passage."""

    id: Identifier
    text: Text
    lang: Code = ""
    group: Annotated[str, Field(max_length=512)] = ""
    fields: Annotated[dict[Word, str | bool | int | float | None], Field(max_length=64)] = {}


class AddBody(_Body):
    """Passages to add; the same id is replaced."""

    documents: Annotated[list[Document], Field(min_length=1, max_length=100_000)]


class DeleteBody(_Body):
    """Passages to delete."""

    ids: Annotated[list[Identifier], Field(min_length=1, max_length=100_000)]
