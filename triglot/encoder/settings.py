"""What a fresh encoder is made of, as settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from triglot.encoder.mixtures import MIXTURES
from triglot.files import SettingError
from triglot.ranges import Dim, Heads, Layers, OneOf, Range, Share, Vocab, check_ranges


@dataclass(frozen=True)
class LoraSettings:
    """Adapters of low rank in place of trained weights (LoRA, arXiv 2106.09685), through peft.

    Attributes:
        rank: of the adapters; 0 for none, so that the weights themselves are trained.
        alpha: what an adapter says is multiplied by alpha / rank; None for twice the rank.
        modules: which linear layers have one, by the ends of their names (`query`, `output.dense`); empty for all of
            the layers that are not frozen.
    """

    rank: Annotated[int, Range(0, 4096)] = 0
    alpha: Annotated[float, Range(0, 10**6, above=True)] | None = None
    modules: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_ranges(self)
        for key, default in (("alpha", None), ("modules", ())):
            if not self.rank and getattr(self, key) != default:
                raise SettingError(key, "goes with a rank, and rank is 0, which is no LoRA")

    @property
    def scale(self) -> float:
        """The alpha that adapters are made with."""
        return 2.0 * self.rank if self.alpha is None else float(self.alpha)


@dataclass(frozen=True)
class MixSettings:
    """A learned mixture of layers in front of the pooling of a transformer (after arXiv 2205.08497).

    Attributes:
        start: with which weights it begins (see `triglot.encoder.mixtures`); empty for no mixture.
        layer: the lowest that has a part; 0 is the output of the embeddings.
        rate: factor on the learning rate for the weights of the layers, which are of size 1.
    """

    start: Annotated[str, OneOf(MIXTURES, none="")] = ""
    layer: Annotated[int, Range(0, 1000)] = 0
    rate: Annotated[float, Range(0, 10**6, above=True)] = 100.0

    def __post_init__(self) -> None:
        check_ranges(self)
        for key, default in (("layer", 0), ("rate", 100.0)):
            if not self.start and getattr(self, key) != default:
                raise SettingError(key, "goes with a mixture; `start` says how it begins")


@dataclass(frozen=True)
class EncoderSettings:
    """What an encoder is made of.

    Attributes:
        kind: `static` (bag of subwords) and `transformer` (small, BERT-like) start fresh; `pretrained` starts from
            `model`.
        dim: of the vectors of a fresh encoder.
        vocab: tokens of a fresh encoder.
        model: folder or hub name to start from; only for `pretrained`.
        pooling: of a transformer, also where the model says another. Empty: what the model says, mean where it says
            nothing.
        query_prefix, passage_prefix: put before every text of a transformer; None keeps the model's own prompts.
        query_length, passage_length: tokens kept of a text, special ones included (a static encoder keeps all).
        keep_layers: of a pretrained transformer: start from some of its layers alone, so many, evenly spread, or these,
            counted from 1. Draw it to its parent before it is used: `triglot init --from`, or a term `keep` of the loss
            with the parent as its teacher.
        trim: of a pretrained transformer in training: the vocabulary holds the tokens of the texts that it is trained
            and validated on, and no others; exact for these. A list of files or folders of texts, inside the data
            folder, keeps theirs as well.
        restore: whether the trained model has the whole vocabulary again (the other tokens as they were), or stays
            trimmed.
        freeze: of a transformer in training: `embeddings` leaves the table of tokens (and what is beside it) as it is,
            a number the lowest layers as well. Empty: all is trained.
        attention: of a transformer in training on a CPU: `sdpa` is torch's, `eager` products and a softmax (for texts
            of up to 256 tokens); `auto` is the faster one, which is timed for some milliseconds in bf16 (in fp32 they
            take the same, so it is torch's). The summary says which it was, and a run that goes on keeps it.
        lora: of a transformer in training: adapters are trained, and made part of the weights when the model is saved.
        precision: of a transformer when it encodes: `fp32`, `bf16` (products of matrices in bfloat16; vectors change by
            about 1e-5 in cosine), or `auto`: bf16 where the processor has units for it. Training has its own.
        layers, heads: of a fresh transformer.
        dropout: of a transformer in training, also where a pretrained model says another; None keeps what it says (a
            fresh one: 0). 0 is the default: random numbers alone are a quarter of a step on a CPU.
        balance: how much a language's size counts for the tokenizer, 0 (not at all) to 1 (as it is).
        character_coverage: share of the characters that get a token of their own.
        frequency: fresh static rows are scaled by frequency / (frequency + share of the token), as in Arora et al.
            2017; 0 for no scaling.
    """

    kind: Literal["static", "transformer", "pretrained"] = "static"
    dim: Dim = 512
    vocab: Vocab = 65536
    model: str = ""
    pooling: Literal["", "mean", "cls"] = ""
    query_prefix: str | None = None
    passage_prefix: str | None = None
    query_length: Annotated[int, Range(1, 2**17)] = 64
    passage_length: Annotated[int, Range(1, 2**17)] = 256
    keep_layers: Layers | tuple[Layers, ...] | None = None
    trim: bool | tuple[str, ...] = False
    restore: bool = True
    freeze: Annotated[int, Range(1, 1000)] | Literal["", "embeddings"] = ""
    attention: Literal["auto", "sdpa", "eager"] = "auto"
    lora: LoraSettings = field(default_factory=LoraSettings)
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    layers: Layers = 4
    heads: Heads = 4
    dropout: Annotated[float, Range(0, 1, below=True)] | None = 0.0
    balance: Share = 0.3
    character_coverage: Annotated[float, Range(0, 1, above=True)] = 0.9998
    frequency: Share = 1e-3

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.kind == "pretrained" and not self.model:
            raise SettingError("model", "a pretrained encoder needs a folder or a hub name")
        if self.kind != "pretrained" and self.model:
            message = (
                f"{self.model!r} is given, but encoder.kind is {self.kind}, which starts fresh (pretrained would use "
                "it)"
            )
            raise SettingError("model", message)
        if self.kind == "static" and (self.query_prefix or self.passage_prefix):
            message = "and passage_prefix must be empty for a static encoder: a prefix would shift every bag"
            raise SettingError("query_prefix", message)
        if self.kind != "pretrained" and self.trim:
            raise SettingError("trim", f"goes with pretrained models; a fresh {self.kind} one is made from the texts")
        if self.kind != "pretrained" and self.keep_layers is not None:
            raise SettingError("keep_layers", f"goes with pretrained models; a fresh {self.kind} one has `layers`")
        if isinstance(self.trim, tuple) and self.trim and self.restore:
            message = "files are for a model that stays trimmed; with restore: true it has the whole vocabulary again"
            raise SettingError("trim", f"{message} (restore: false keeps it small)")
        if self.kind == "static" and self.lora.rank:
            raise SettingError("lora", "goes with transformers; a static encoder is its table")
        if self.kind == "static" and self.freeze:
            raise SettingError("freeze", "goes with transformers; a static encoder is its table")
        if self.kind == "static" and self.precision == "bf16":
            raise SettingError("precision", "bf16 goes with transformers; a static encoder only adds numbers up")
        if self.kind == "transformer" and self.dim % self.heads:
            raise SettingError("heads", f"{self.heads} heads do not divide {self.dim} dimensions")
