"""What a fresh encoder is made of, as settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from triglot.files import InputError


@dataclass(frozen=True)
class EncoderSettings:
    """What an encoder is made of.

    Attributes:
        kind: `static` (bag of subwords) and `transformer` (small, BERT-like) start fresh; `pretrained` starts from `model`.
        dim: of the vectors of a fresh encoder.
        vocab: tokens of a fresh encoder.
        model: folder or hub name to start from; only for `pretrained`.
        pooling: of a transformer, also where the model says another. Empty: what the model says, mean where it says nothing.
        query_prefix, passage_prefix: put before every text of a transformer; None keeps the model's own prompts.
        query_length, passage_length: tokens kept of a text, special ones included (a static encoder keeps all).
        layers, heads: of a fresh transformer.
        dropout: of a fresh transformer. 0 is the default: random numbers alone are a quarter of a step on a CPU.
        balance: how much a language's size counts for the tokenizer, 0 (not at all) to 1 (as it is).
        character_coverage: share of the characters that get a token of their own.
        frequency: fresh static rows are scaled by frequency / (frequency + share of the token), as in Arora et al. 2017; 0 for no scaling.
    """

    kind: Literal["static", "transformer", "pretrained"] = "static"
    dim: int = 512
    vocab: int = 65536
    model: str = ""
    pooling: Literal["", "mean", "cls"] = ""
    query_prefix: str | None = None
    passage_prefix: str | None = None
    query_length: int = 64
    passage_length: int = 256
    layers: int = 4
    heads: int = 4
    dropout: float = 0.0
    balance: float = 0.3
    character_coverage: float = 0.9998
    frequency: float = 1e-3

    def __post_init__(self) -> None:
        for key in ("dim", "vocab", "query_length", "passage_length", "layers", "heads"):
            if getattr(self, key) < 1:
                raise InputError(f"encoder.{key}: {getattr(self, key)}, at least 1 is needed")
        if not 0 <= self.balance <= 1:
            raise InputError(f"encoder.balance: {self.balance}, between 0 and 1")
        if not 0 <= self.dropout < 1:
            raise InputError(f"encoder.dropout: {self.dropout}, from 0 to below 1")
        if not 0 < self.character_coverage <= 1:
            raise InputError(f"encoder.character_coverage: {self.character_coverage}, above 0 and at most 1")
        if self.frequency < 0:
            raise InputError(f"encoder.frequency: {self.frequency}, at least 0")
        if self.kind == "pretrained" and not self.model:
            raise InputError("encoder.model: a pretrained encoder needs a folder or a hub name")
        if self.kind != "pretrained" and self.model:
            raise InputError(
                f"encoder.model: {self.model!r} is given, but encoder.kind is {self.kind}, which starts fresh (pretrained would use it)"
            )
        if self.kind == "static" and (self.query_prefix or self.passage_prefix):
            raise InputError("encoder.query_prefix and passage_prefix must be empty for a static encoder: a prefix would shift every bag")
        if self.kind == "transformer" and self.dim % self.heads:
            raise InputError(f"encoder.heads: {self.heads} heads do not divide {self.dim} dimensions")
