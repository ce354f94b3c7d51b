"""The bodies of requests and answers: what may stand there, and how long it may be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1, max_length=1 << 20)]
Word = Annotated[str, Field(max_length=200)]
Code = Annotated[str, Field(max_length=40)]
Identifier = Annotated[str, Field(min_length=1, max_length=512)]
Whole = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


# --- what is asked


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
    dimensions: Annotated[int, Field(ge=1)] | None = None
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
    fields: Annotated[dict[Word, str | bool | Whole | Number | None], Field(max_length=64)] = {}


class AddBody(_Body):
    """Passages to add; the same id is replaced."""

    documents: Annotated[list[Document], Field(min_length=1, max_length=100_000)]


class DeleteBody(_Body):
    """Passages to delete."""

    ids: Annotated[list[Identifier], Field(min_length=1, max_length=100_000)]


# --- what is answered, for the description of the service; answers are made without going through these


class ErrorTold(BaseModel):
    """What was wrong, for people, and of which kind, in OpenAI's words."""

    message: str
    type: str


class ErrorAnswer(BaseModel):
    """A refusal."""

    error: ErrorTold


class HitTold(BaseModel):
    """See `triglot.search.Hit`."""

    rank: int
    id: str
    text: str
    lang: str
    score: float
    calibrated: float
    rank_in_language: int
    group: str
    fields: dict[str, str | bool | int | float]
    also: list[HitTold]


class SearchAnswer(BaseModel):
    """See `triglot.search.Answer`."""

    question: str
    lang: str
    detected: bool
    mode: str
    hits: list[HitTold]
    notes: list[str]
    composition: dict[str, float]
    pool: dict[str, float]
    seconds: float


class EmbeddingTold(BaseModel):
    """The vector of one text."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class UsageTold(BaseModel):
    """Tokens, as the model's tokenizer counts them."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    """OpenAI's answer."""

    object: Literal["list"]
    data: list[EmbeddingTold]
    model: str
    usage: UsageTold


class RerankTold(BaseModel):
    """A document's place in the request and its score."""

    index: int
    relevance_score: float
    document: dict[str, str] | None = None


class RerankAnswer(BaseModel):
    """Cohere's answer; `meta.by` is `cross-encoder` or `vectors`."""

    id: str
    results: list[RerankTold]
    meta: dict[str, Any]


class AddAnswer(BaseModel):
    """How many passages are new, were replaced, and are there."""

    added: int
    replaced: int
    passages: int


class DeleteAnswer(BaseModel):
    """How many of the ids were there."""

    deleted: int


class BiasAnswer(BaseModel):
    """Languages of recent answers, and of the neighbours of passages, against the pool."""

    recent: dict[str, Any]
    probes: dict[str, Any]


class HealthAnswer(BaseModel):
    """Whether the service answers."""

    status: Literal["ok"]
    passages: int
    version: str


class ModeTold(BaseModel):
    """A way of ranking."""

    name: str
    title: str
    help: str


class AboutAnswer(BaseModel):
    """What is served: what a page needs to know before it asks."""

    name: str
    version: str
    model: str
    passages: int
    languages: dict[str, int]
    fields: dict[str, str]
    modes: list[ModeTold]
    debiased: str | None
    words: bool
    reranker: bool
    writable: bool
    limits: dict[str, float]


_TYPES = {401: "authentication_error", 403: "permission_error", 408: "timeout_error", 429: "rate_limit_error"}
_SAID = {
    400: "No JSON, or none in UTF-8",
    408: "The body took too long",
    413: "The body is too large",
    422: "A value is wrong, and which",
    429: "Too many requests",
    503: "Too many requests are waiting",
    504: "No answer in the time that a request has",
}


def error_body(status: int, message: str) -> dict[str, Any]:
    """A refusal as the service says it."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind}}


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for the description: those of every route, and some more."""
    said = _SAID | {code: {401: "A token is needed", 403: "No writes are taken"}[code] for code in more}
    return {code: {"model": ErrorAnswer, "description": text} for code, text in said.items()}
