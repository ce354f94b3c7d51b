"""Transformers as encoders: a small fresh one, or any sentence-transformers or Hugging Face model that needs no code of
its own."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from triglot.ahead import ahead
from triglot.encoder.backends.network import Network, embed_by
from triglot.encoder.card import Card, card_text
from triglot.encoder.computing import USUAL, Computing
from triglot.encoder.products import products
from triglot.encoder.static import SIDES, check_side, checked_texts, readable_by_all
from triglot.encoder.tokenizer import WordTokenizer
from triglot.files import InputError, atomic_folder, read_json
from triglot.model_files.folder import KINDS
from triglot.progress import Bar

_WINDOW = 16384  # texts sorted together; the next window is tokenised meanwhile
_CPU_TOKENS, _GPU_TOKENS = 1024, 65536  # padded tokens of a batch


class TransformerEncoder:
    """Encodes a text as the output of a transformer, its pooling, and whatever modules the model brings along.

    Attributes:
        model: the `SentenceTransformer`; an `nn.Module`, what an optimiser trains. It ends in `Normalize`, if its
            similarity is cosine.
        name: shown in tables.
        prefixes: side -> what is put before each text.
        lengths: side -> tokens kept of a text, prefix and special tokens included.
        similarity: `cosine`, with vectors of unit length, or `dot`, with vectors as they come; either way their dot
            product is the score.
        computing: how texts are encoded, its precision settled by the device; training has its own.
        network: what computes the layers of the first module when texts are encoded, in place of torch.
    """

    kind = "transformer"

    def __repr__(self) -> str:
        return f"TransformerEncoder({self.name!r}, {self.dim} dimensions)"

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        name: str,
        prefixes: dict[str, str],
        lengths: dict[str, int],
        similarity: str = "cosine",
        computing: Computing = USUAL,
        network: Network | None = None,
    ):
        """
        Args:
            model: its first module is a `Transformer` with a fast tokenizer.
            name: see the class.
            prefixes: see the class.
            lengths: see the class.
            similarity: see the class.
            computing: see the class.
            network: see the class.

        Raises:
            InputError: a model that is not of this kind.
        """
        first = model[0]
        if not isinstance(first, Transformer) or not isinstance(first.tokenizer, PreTrainedTokenizerFast):
            raise InputError(f"{name}: a transformer with a fast tokenizer (tokenizer.json) is needed")
        if similarity == "cosine" and not is_normalize(model[-1]):
            model.append(Normalize())
        model.similarity_fn_name = cast(Any, similarity)
        model.prompts = cast(Any, {"query": prefixes["query"], "document": prefixes["passage"]})
        model.default_prompt_name = None
        first.query_length, first.document_length = lengths["query"], lengths["passage"]
        first.max_seq_length = max(lengths.values())
        self.similarity = similarity
        # Nothing reads the pooler; left trainable it would be a parameter without a gradient, which DDP refuses.
        pooler = getattr(first.auto_model, "pooler", None)
        if isinstance(pooler, nn.Module):
            pooler.requires_grad_(False)
        self.model = model
        self.name = name
        self.prefixes = dict(prefixes)
        self.lengths = dict(lengths)
        self.tokenizer = cast(Tokenizer, first.tokenizer.backend_tokenizer)
        self.pad = int(cast(int, first.tokenizer.pad_token_id or 0))
        self.network = network
        self.computing = computing.settled(self.device) if network else computing.by_torch().settled(self.device)
        self.dim = int(model.get_embedding_dimension() or 0)
        bare = Tokenizer.from_str(self.tokenizer.to_str())
        bare.no_truncation()
        bare.no_padding()
        probe = bare.encode("a")
        text = [i for i, special in enumerate(probe.special_tokens_mask) if not special] or [len(probe.ids) // 2]
        self._before = np.array(probe.ids[: text[0]], np.int32)
        self._after = np.array(probe.ids[text[-1] + 1 :], np.int32)
        self._keep_last = first.tokenizer.truncation_side == "left"
        self._words = WordTokenizer(bare)
        self._rows = (
            len(weight) if isinstance(weight := getattr(self.input_embeddings, "weight", None), Tensor) else 1 << 31
        )
        if self.pad >= self._rows:
            raise InputError(f"{name}: the padding token {self.pad} has no row among the {self._rows} token embeddings")
        self._check_room()
        self._hidden = self._prompt_tokens()

    def _check_room(self) -> None:
        """Raise InputError where a prefix alone fills what is read of a text."""
        for side in SIDES:
            if (room := self.room(side)) <= 0:
                left = max(self.lengths[side] - len(self._before) - len(self._after), 0)
                raise InputError(
                    f"{self.name}: {self.lengths[side]} tokens are read of a {side}, and the prefix "
                    f"{self.prefixes[side]!r} takes {left - room} of the {left} that special tokens leave: no text "
                    "would be read"
                )

    def room(self, side: str) -> int:
        """The tokens that are read of a text beside the prefix of its side and special tokens."""
        taken = len(self._words([self.prefixes[side].rstrip()])[0])
        return self.lengths[side] - len(self._before) - len(self._after) - taken

    def _prompt_tokens(self) -> dict[str, int]:
        """Side -> tokens of its prefix that pooling leaves out (`include_prompt: false`, as of INSTRUCTOR)."""
        if all(module.include_prompt for module in self.model if isinstance(module, Pooling)):
            return dict.fromkeys(SIDES, 0)
        tokens = {}
        special = set(cast(Any, cast(Transformer, self.model[0]).tokenizer).all_special_ids)
        for side in SIDES:
            ids = self.tokenize([""], side=side)[0].tolist() if self.prefixes[side] else []
            tokens[side] = len(ids) - (bool(ids) and ids[-1] in special)
        return tokens

    def by_cosine(self) -> TransformerEncoder:
        """A copy with vectors of unit length."""
        return self.with_model(copy.deepcopy(self.model), similarity="cosine", network=self.network)

    def with_model(
        self, model: SentenceTransformer, *, similarity: str = "", network: Network | None = None
    ) -> TransformerEncoder:
        """An encoder that has another model, and the rest of this one; torch computes it where no `network` does."""
        return TransformerEncoder(
            model,
            name=self.name,
            prefixes=self.prefixes,
            lengths=self.lengths,
            similarity=similarity or self.similarity,
            computing=self.computing,
            network=network,
        )

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def module(self) -> nn.Module:
        """What an optimiser trains: `model`, by the name that the training loop uses."""
        return self.model

    @property
    def input_embeddings(self) -> nn.Module:
        """The table of token embeddings, for perturbations."""
        return cast(Transformer, self.model[0]).auto_model.get_input_embeddings()

    def tokenize(self, texts: Sequence[str], *, side: str, cut: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Prefix, tokens and special tokens, cut to the side's length.

        Args:
            texts: any.
            side: "query" or "passage".
            cut: False leaves texts whole.

        Returns:
            ids: (tokens,) int32; offsets: (texts + 1,) int64.
        """
        check_side(side)
        prefix = self.prefixes[side]
        room = max(self.lengths[side] - len(self._before) - len(self._after), 0) if cut else 1 << 31
        ids, offsets = self._words(
            [prefix + text for text in checked_texts(texts)], most=None if self._keep_last or not cut else room
        )
        rows = []
        for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            if end - start > room:
                start, end = (end - room, end) if self._keep_last else (start, start + room)
            rows.append(np.concatenate([self._before, ids[start:end], self._after]))
        lengths = np.array([len(row) for row in rows], np.int64)
        flat = np.concatenate(rows) if rows else np.empty(0, np.int32)
        if len(flat) and (highest := int(flat.max())) >= self._rows:
            token = self.tokenizer.id_to_token(highest)
            raise InputError(
                f"{self.name}: the token {highest} ({token!r}) has no row among the {self._rows} token embeddings"
            )
        return flat, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

    def batch(self, ids: np.ndarray, offsets: np.ndarray, rows: np.ndarray | Sequence[int]) -> tuple[Tensor, Tensor]:
        """Rows of what `tokenize` returns, padded on the right.

        Returns:
            input_ids: (rows, longest) int64; attention_mask: the same shape, 1 on tokens.
        """
        rows = np.asarray(rows, np.int64)
        lengths = offsets[rows + 1] - offsets[rows]
        width = np.arange(int(lengths.max(initial=0)))
        mask = width < lengths[:, None]  # (rows, longest)
        padded = np.full(mask.shape, self.pad, np.int64)
        padded[mask] = ids[(offsets[rows][:, None] + width)[mask]]
        return torch.from_numpy(padded), torch.from_numpy(mask.astype(np.int64))

    def features(self, texts: Sequence[str], sides: Sequence[int] | np.ndarray) -> dict[str, Tensor]:
        """One padded batch of texts of both sides, in their order.

        Args:
            texts: any sequence of str.
            sides: (texts,) 0 for a query, 1 for a passage.

        Returns:
            `input_ids` and `attention_mask`, (texts, longest) int64 each.

        Raises:
            InputError: a model whose pooling leaves prompts out, which works for texts of one side at a time.
        """
        if any(self._hidden.values()):
            raise InputError(
                f"{self.name}: pooling leaves the prompt out (include_prompt: false); texts are encoded so, but "
                "training and gradients "
                "do not know it"
            )
        sides = np.asarray(sides)
        rows = np.empty(len(texts), np.int64)
        parts = []
        for number, side in enumerate(SIDES):
            mine = np.flatnonzero(sides == number)
            rows[mine] = np.arange(len(mine)) + sum(len(offsets) - 1 for _, offsets in parts)
            parts.append(self.tokenize([texts[i] for i in mine.tolist()], side=side))
        (query_ids, query_offsets), (passage_ids, passage_offsets) = parts
        offsets = np.concatenate([query_offsets, query_offsets[-1] + passage_offsets[1:]])
        input_ids, mask = self.batch(np.concatenate([query_ids, passage_ids]), offsets, rows)
        return {"input_ids": input_ids, "attention_mask": mask}

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(batch, length) ids and mask -> (batch, dim) vectors, with gradients."""
        return embed(self.model, input_ids, attention_mask)

    __call__ = forward

    def encode(
        self,
        texts: Sequence[str],
        *,
        side: str,
        langs: Sequence[str] | None = None,
        progress: bool = False,
        tokens_per_batch: int | None = None,
    ) -> np.ndarray:
        """Vectors of texts, of unit length where the similarity is cosine.

        Args:
            texts: any sequence of str.
            side: "query" or "passage": which prefix and length.
            langs: make no difference.
            progress: a bar on stderr.
            tokens_per_batch: tokens of a batch, padding included; None: as `computing` says.

        Returns:
            (texts, dim) float32.

        Raises:
            InputError: an unknown side, a text that is not Unicode text, or a vector that is not finite.
        """
        check_side(side)
        texts, total = checked_texts(texts), len(texts)
        device, precision = self.device, self.computing.precision if self.network is None else "fp32"
        out = np.empty((len(texts), self.dim), np.float32)
        model, training = self.model, self.model.training
        model.eval()
        try:
            with torch.inference_mode(), products(device, precision), Bar(f"encoding {side}", progress, total) as bar:
                for first, ids, offsets in self._windows(texts, side):
                    for rows in self._batches(np.diff(offsets), tokens_per_batch):
                        input_ids, mask = (part.to(device) for part in self.batch(ids, offsets, rows))
                        vectors = embed(model, input_ids, mask, hidden=self._hidden[side], by=self.network)
                        out[first + rows] = rows_made = vectors.float().cpu().numpy()
                        if not np.isfinite(rows_made).all():
                            row = int(first + rows[~np.isfinite(rows_made).all(axis=1)][0])
                            raise InputError(f"{self.name}: the vector of {texts[row]!r:.80} is not finite")
                        bar.advance(len(rows))
        finally:
            model.train(training)
        if precision == "bf16" and is_normalize(self.model[-1]):
            out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        return out

    def _batches(self, lengths: np.ndarray, tokens: int | None) -> Iterator[np.ndarray]:
        """Rows of each batch, for (texts,) lengths: of a number of texts if that was asked for, else of tokens."""
        size = self.computing.batch_size
        if tokens is None and size:
            order = np.argsort(-lengths, kind="stable")
            return (order[at : at + size] for at in range(0, len(order), size))
        return token_batches(lengths, tokens or self.batch_tokens)

    @property
    def batch_tokens(self) -> int:
        """Tokens of a batch, padding included, where `computing` names no number of texts."""
        return _CPU_TOKENS if self.device.type == "cpu" else _GPU_TOKENS

    def try_out(self) -> None:
        """Encode a text, so that what does not fit together is known before the work begins.

        Raises:
            InputError: no dimensions, others than the modules say, or numbers that are not finite.
        """
        if self.dim < 1:
            raise InputError(f"{self.name}: vectors of {self.dim} dimensions")
        input_ids, mask = self.batch(*self.tokenize(["a b"], side="passage"), [0])
        training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                vectors = embed(
                    self.model, input_ids.to(self.device), mask.to(self.device), hidden=self._hidden["passage"]
                )
        finally:
            self.model.train(training)
        if tuple(vectors.shape) != (1, self.dim):
            raise InputError(
                f"{self.name}: makes vectors of {vectors.shape[-1]} dimensions, though its modules say {self.dim}"
            )
        if not bool(vectors.isfinite().all()):
            raise InputError(f"{self.name}: makes vectors that are not finite")

    def _windows(self, texts: list[str], side: str) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (first row, ids, offsets) of windows of texts; a thread tokenises one window ahead."""

        def tokenised(first: int) -> tuple[int, np.ndarray, np.ndarray]:
            return first, *self.tokenize(texts[first : first + _WINDOW], side=side)

        return ahead(tokenised, range(0, len(texts), _WINDOW), depth=1, name="tokenize")

    def save(self, path: str | os.PathLike[str], *, card: Card | None = None) -> None:
        """Write a sentence-transformers directory (safetensors, prompts, lengths), whole or not at all.

        `SentenceTransformer(path)` gives the same vectors with `encode_query` and `encode_document`.

        Args:
            path: the folder; an older one is replaced.
            card: what the model card says.

        Raises:
            InputError: the folder cannot be written.
        """
        with atomic_folder(path) as folder:
            with quiet(), _uncut(self.tokenizer):
                self.model.save(str(folder), create_model_card=False)
            modules = read_json(folder / "modules.json")
            for module in modules:
                # The module paths of before 6.0: newer versions of sentence-transformers read them as well.
                kind = module["type"].rsplit(".", 1)[-1]
                if kind in KINDS or kind == "Transformer":
                    module["type"] = f"sentence_transformers.models.{kind}"
            (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8")
            text = card_text(
                card or Card(),
                kind="transformer",
                dim=self.dim,
                similarity=self.similarity,
                query_prefix=self.prefixes["query"],
                passage_prefix=self.prefixes["passage"],
            )
            (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")
            readable_by_all(folder)


def embed(
    model: nn.Module, input_ids: Tensor, attention_mask: Tensor, *, hidden: int = 0, by: Network | None = None
) -> Tensor:
    """Vectors (batch, dim) out of a `SentenceTransformer`, or of what wraps one for distributed training.

    Args:
        model: see above.
        input_ids: (batch, length).
        attention_mask: likewise.
        hidden: first tokens of each text that pooling leaves out.
        by: what computes the layers of the first module; None for themselves.
    """
    if by is not None:
        return embed_by(by, cast(nn.Sequential, model), input_ids, attention_mask, hidden=hidden)
    features: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
    return model(features | ({"prompt_length": hidden} if hidden else {}))["sentence_embedding"]


def is_normalize(module: nn.Module) -> bool:
    output = getattr(module, "module_output_name", "sentence_embedding")
    return isinstance(module, Normalize) and output == "sentence_embedding"


def with_dense(encoder: TransformerEncoder, weight: np.ndarray) -> TransformerEncoder:
    """A copy with a linear `Dense` and a `Normalize` module at its end.

    Args:
        encoder: stays as it is.
        weight: (out, dim); vectors become `weight @ vector`.
    """
    dense = Dense(weight.shape[1], weight.shape[0], bias=False, activation_function=nn.Identity())
    with torch.no_grad():
        dense.linear.weight.copy_(torch.from_numpy(np.asarray(weight, np.float32)))
    model = copy.deepcopy(encoder.model)
    model.append(dense.to(encoder.device))
    model.append(Normalize())
    return encoder.with_model(model, similarity="cosine", network=encoder.network)


def averaged(encoders: Sequence[TransformerEncoder], shares: Sequence[float]) -> TransformerEncoder:
    """A copy of the first encoder with the mean weights of all, each with its share; the shares sum to 1.

    Raises InputError where their shapes differ.
    """
    states = [encoder.model.state_dict() for encoder in encoders]
    first = encoders[0]
    for encoder, state in zip(encoders, states, strict=True):
        if {key: value.shape for key, value in state.items()} != {key: value.shape for key, value in states[0].items()}:
            raise InputError(f"{first.name} and {encoder.name} cannot be averaged: their weights have different shapes")
    model = copy.deepcopy(first.model)
    with torch.no_grad():
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                value.copy_(sum(share * state[key].double() for share, state in zip(shares, states, strict=True)))
    return first.with_model(model)


def token_batches(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Rows in batches of at most `budget` padded tokens (a single longer row is a batch of its own), longest first.

    Args:
        lengths: (rows,) tokens of each row.
        budget: tokens.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, int(lengths[order[start]])))
        yield order[start : start + size]
        start += size


@contextmanager
def _uncut(tokenizer: Tokenizer) -> Iterator[None]:
    """No truncation or padding within a block: what some earlier call left would be written into tokenizer.json and
    change what others load."""
    truncation, padding = tokenizer.truncation, tokenizer.padding
    tokenizer.no_truncation()
    tokenizer.no_padding()
    try:
        yield
    finally:
        if truncation:
            tokenizer.enable_truncation(**truncation)
        if padding:
            tokenizer.enable_padding(**padding)


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and reports of transformers within a block."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
