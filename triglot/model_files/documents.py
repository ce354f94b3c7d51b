"""Shapes of the JSON documents in a model's folder, for `triglot.shapes.shaped`.

Keys that are not named here are not passed on.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from triglot.shapes import strict

_Token = str | dict[str, Any] | None


@strict
class Module(TypedDict):
    type: str
    path: str
    name: NotRequired[str]


@strict
class Model(TypedDict, total=False):
    model_type: str
    prompts: dict[str, str | None] | None
    default_prompt_name: str | None
    similarity_fn_name: str | None


@strict
class Transformer(TypedDict, total=False):
    max_seq_length: int | None
    do_lower_case: bool
    query_length: int | None
    document_length: int | None
    transformer_task: Literal["feature-extraction"]
    module_output_name: Literal["token_embeddings"]
    modality_config: dict[str, dict[str, Any]]


@strict
class Pooling(TypedDict, total=False):
    embedding_dimension: int
    word_embedding_dimension: int
    pooling_mode: str | list[str]
    pooling_mode_cls_token: bool
    pooling_mode_mean_tokens: bool
    pooling_mode_max_tokens: bool
    pooling_mode_mean_sqrt_len_tokens: bool
    pooling_mode_weightedmean_tokens: bool
    pooling_mode_lasttoken: bool
    include_prompt: bool


_Feature = Literal["sentence_embedding", "token_embeddings"]


@strict
class Dense(TypedDict):
    in_features: int
    out_features: int
    bias: NotRequired[bool]
    activation_function: NotRequired[str]
    use_residual: NotRequired[bool]
    module_input_name: NotRequired[_Feature]
    module_output_name: NotRequired[_Feature | None]


@strict
class Normalize(TypedDict, total=False):
    module_input_name: _Feature
    module_output_name: _Feature | None


@strict
class Layers(TypedDict):
    num_hidden_layers: int
    layer_start: NotRequired[int]
    embedding_dimension: NotRequired[int]
    word_embedding_dimension: NotRequired[int]


@strict
class Convolution(TypedDict):
    out_channels: int
    kernel_sizes: list[int]
    stride_sizes: NotRequired[list[int] | None]
    in_embedding_dimension: NotRequired[int]
    in_word_embedding_dimension: NotRequired[int]


@strict
class Lstm(TypedDict):
    hidden_dim: int
    num_layers: NotRequired[int]
    dropout: NotRequired[float]
    bidirectional: NotRequired[bool]
    embedding_dimension: NotRequired[int]
    word_embedding_dimension: NotRequired[int]


@strict
class Dropout(TypedDict, total=False):
    dropout: float


@strict
class LayerNorm(TypedDict):
    dimension: int


@strict
class Tokenizer(TypedDict, total=False):
    model_max_length: float | None
    padding_side: Literal["left", "right"]
    truncation_side: Literal["left", "right"]
    tokenizer_class: str | None
    added_tokens_decoder: dict[str, dict[str, Any]]
    additional_special_tokens: list[str | dict[str, Any]] | None
    bos_token: _Token
    eos_token: _Token
    unk_token: _Token
    sep_token: _Token
    pad_token: _Token
    cls_token: _Token
    mask_token: _Token


@strict
class Index(TypedDict):
    metadata: NotRequired[dict[str, Any]]
    weight_map: dict[str, str]
