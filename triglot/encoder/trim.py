"""A pretrained model with the tokens of some texts alone: a vocabulary of 250,000 tokens is most of a multilingual
model, and the texts at hand use a part of it.

For the texts that it was trimmed to, the smaller model has the same tokens and the same vectors; that is checked, text
by text. What has to stay for it, beside the tokens of the texts and all added ones:

- Unigram: the tokens of single characters that the texts have (an unknown character is an unknown one in both), and a
  token with the lowest score, from which the score of an unknown character is made. The best path through a text is
  then the best among fewer.
- WordPiece: of words that have no pieces, the beginnings that were found; the longest match stays the longest.
- BPE: all tokens that a token is merged from, in every way; no merge is ever undone, so those are all that happen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from sentence_transformers.base.modules import Transformer
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedTokenizerFast

from triglot.encoder.static import SIDES
from triglot.encoder.transformer import TransformerEncoder
from triglot.files import InputError

_IDS = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "mask_token_id")
_NAMES = ("unk_token", "pad_token", "bos_token", "eos_token", "cls_token", "sep_token", "mask_token")
_AT_ONCE = 4096  # texts


@dataclass(frozen=True)
class Trimmed:
    """A trimmed model.

    Attributes:
        encoder: with the smaller vocabulary.
        kept: (tokens,) its tokens in the vocabulary of the whole one.
        whole: tokens of that.
    """

    encoder: TransformerEncoder
    kept: np.ndarray
    whole: int


def trimmed(encoder: TransformerEncoder, texts: Sequence[str]) -> Trimmed:
    """An encoder trimmed to texts, whichever side they stand on.

    Args:
        encoder: its weights are shared, but for the table of token embeddings; not to be used afterwards.
        texts: any.

    Raises:
        InputError: a tokenizer or a table of another kind, or one of which the same tokens do not come out.
    """
    state = json.loads(encoder.tokenizer.to_str())
    model = state["model"]
    kind = model.get("type", "")
    if kind not in _NEEDED:
        raise InputError(
            f"encoder.trim: {encoder.name} has a tokenizer of the kind {kind or 'unknown'}; {', '.join(_NEEDED)} can "
            "be trimmed"
        )
    table = encoder.input_embeddings
    if type(table) is not nn.Embedding:
        raise InputError(f"encoder.trim: {encoder.name} has a table of token embeddings of its own kind")
    used = np.unique(np.concatenate([ids for ids, _ in _tokens(encoder, texts, cut=False)]))
    tokens = {state_id: token for token, state_id in encoder.tokenizer.get_vocab(with_added_tokens=True).items()}
    added = {entry["id"] for entry in state["added_tokens"]}
    wanted = {tokens[i] for i in {*used.tolist(), *added, encoder.pad}} | _NEEDED[kind](encoder, model, used, texts)
    ids = encoder.tokenizer.get_vocab(with_added_tokens=True)
    kept = np.array(sorted({ids[token] for token in wanted if token in ids}), np.int64)
    place = {int(old): new for new, old in enumerate(kept)}
    small = Tokenizer.from_str(json.dumps(_smaller(state, place, {tokens[int(i)] for i in kept})))
    made = _with_vocabulary(encoder, small, table.weight.detach()[torch.from_numpy(kept)], place)
    _check(encoder, made, kept, texts)
    return Trimmed(made, kept, table.num_embeddings)


def restored(made: Trimmed, start: TransformerEncoder) -> TransformerEncoder:
    """The whole vocabulary with the weights of a trimmed model; rows of other tokens are those of the start.

    Args:
        made: trained.
        start: the model that it was trimmed from; changed in place.

    Raises:
        InputError: the start is another model.
    """
    name = next(n for n, p in start.model.named_parameters() if p is cast(Any, start.input_embeddings).weight)
    state, target = made.encoder.model.state_dict(), start.model.state_dict()
    if state.keys() != target.keys() or len(target[name]) != made.whole:
        raise InputError(f"{start.name} is not the model that was trimmed")
    with torch.no_grad():
        for key, value in target.items():
            if key == name:
                value[torch.from_numpy(made.kept).to(value.device)] = state[key].to(value.device)
            else:
                value.copy_(state[key])
    return start


def _tokens(
    encoder: TransformerEncoder, texts: Sequence[str], *, cut: bool = True
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Token ids of texts as either side. A word is known by all of its pieces, also where a text is cut within it: what
    is kept is seen with the texts whole."""
    for side in SIDES:
        yield encoder.tokenize([""], side=side, cut=cut)
        for first in range(0, len(texts), _AT_ONCE):
            yield encoder.tokenize(texts[first : first + _AT_ONCE], side=side, cut=cut)


def _check(encoder: TransformerEncoder, made: TransformerEncoder, kept: np.ndarray, texts: Sequence[str]) -> None:
    for (ids, offsets), (now, ends) in zip(_tokens(encoder, texts), _tokens(made, texts), strict=True):
        if not (np.array_equal(offsets, ends) and np.array_equal(ids, kept[now])):
            raise InputError(
                f"encoder.trim: {encoder.name} has other tokens for some texts with a smaller vocabulary; train it "
                "with encoder.trim=false"
            )


def _unigram(encoder: TransformerEncoder, model: dict[str, Any], used: np.ndarray, texts: Sequence[str]) -> set[str]:
    vocab = [token for token, _ in model["vocab"]]
    normalizer, splitter = encoder.tokenizer.normalizer, encoder.tokenizer.pre_tokenizer
    characters: set[str] = set()
    for text in {*texts, *encoder.prefixes.values()}:
        shown = normalizer.normalize_str(text) if normalizer else text
        characters.update(shown)
    for piece, _ in splitter.pre_tokenize_str(" a ") if splitter else []:
        characters.update(piece)
    lowest = min(range(len(vocab)), key=lambda i: model["vocab"][i][1])
    unknown = [] if model.get("unk_id") is None else [vocab[model["unk_id"]]]
    single = {token for token in vocab if len(token) == 1 and token in characters}
    return {*single, *unknown, vocab[lowest], *_bytes(vocab)}


def _bytes(vocab: Iterable[str]) -> set[str]:
    return {token for token in vocab if len(token) == 6 and token.startswith("<0x") and token.endswith(">")}


def _wordpiece(encoder: TransformerEncoder, model: dict[str, Any], used: np.ndarray, texts: Sequence[str]) -> set[str]:
    vocab, unknown, prefix = model["vocab"], model["unk_token"], model["continuing_subword_prefix"]
    kept = {unknown}
    if vocab.get(unknown) not in used:
        return kept
    normalizer, splitter = encoder.tokenizer.normalizer, encoder.tokenizer.pre_tokenizer
    words: set[str] = set()
    for text in {*texts, *encoder.prefixes.values()}:
        shown = normalizer.normalize_str(text) if normalizer else text
        words.update(word for word, _ in splitter.pre_tokenize_str(shown)) if splitter else words.add(shown)
    for word in words:
        start, matched = 0, set()
        while start < len(word):
            lead = prefix if start else ""
            end = next((e for e in range(len(word), start, -1) if lead + word[start:e] in vocab), None)
            if end is None:
                kept |= matched
                break
            matched.add(lead + word[start:end])
            start = end
    return kept


def _bpe(encoder: TransformerEncoder, model: dict[str, Any], used: np.ndarray, texts: Sequence[str]) -> set[str]:
    lead, tail = model.get("continuing_subword_prefix") or "", model.get("end_of_word_suffix") or ""
    if lead or tail:
        raise InputError(f"encoder.trim: {encoder.name} marks parts of words (BPE with prefix or suffix)")
    made_of: dict[str, list[tuple[str, str]]] = {}
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        made_of.setdefault(left + right, []).append((left, right))
    tokens = {i: token for token, i in model["vocab"].items()}
    todo = [tokens[i] for i in used.tolist() if i in tokens]
    single = {token for token in model["vocab"] if len(token) == 1} | _bytes(model["vocab"])
    single |= {model["unk_token"]} if model.get("unk_token") else set()
    seen: set[str] = set()
    while todo:
        token = todo.pop()
        if token not in seen:
            seen.add(token)
            todo += [part for pair in made_of.get(token, ()) for part in pair]
    return single | seen


_NEEDED = {"Unigram": _unigram, "WordPiece": _wordpiece, "BPE": _bpe}


def _smaller(state: dict[str, Any], place: dict[int, int], tokens: set[str]) -> dict[str, Any]:
    """The state of a tokenizer with the kept tokens in their new places."""
    model = dict(state["model"])
    if model["type"] == "Unigram":
        size = len(model["vocab"])
        model["vocab"] = [model["vocab"][old] for old in place if old < size]
        model["unk_id"] = None if model.get("unk_id") is None else place[model["unk_id"]]
    else:
        model["vocab"] = {token: place[i] for token, i in model["vocab"].items() if i in place}
    if model["type"] == "BPE":
        pairs = [(m.split(" ") if isinstance(m, str) else m, m) for m in model["merges"]]
        model["merges"] = [m for (a, b), m in pairs if {a, b, a + b} <= tokens]
    added = [{**entry, "id": place[entry["id"]]} for entry in state["added_tokens"]]
    return {**state, "model": model, "added_tokens": added, "post_processor": _placed(state["post_processor"], place)}


def _placed(value: Any, place: dict[int, int]) -> Any:
    """A post-processor with new ids: of templates (`ids`), and of BERT's and RoBERTa's (`sep`, `cls`)."""
    if isinstance(value, list):
        return [_placed(item, place) for item in value]
    if not isinstance(value, dict):
        return value
    placed = {}
    for key, item in value.items():
        if key == "ids" and isinstance(item, list):
            placed[key] = [place[i] for i in item]
        elif key in ("sep", "cls") and isinstance(item, list) and len(item) == 2:
            placed[key] = [item[0], place[item[1]]]
        else:
            placed[key] = _placed(item, place)
    return placed


def _with_vocabulary(
    encoder: TransformerEncoder, tokenizer: Tokenizer, rows: torch.Tensor, place: dict[int, int]
) -> TransformerEncoder:
    """The encoder with another tokenizer and table, in place of its own."""
    first = cast(Transformer, encoder.model[0])
    transformer, old = first.auto_model, cast(Any, first.tokenizer)
    table = cast(nn.Embedding, encoder.input_embeddings)
    padding = table.padding_idx
    small = nn.Embedding(*rows.shape, padding_idx=None if padding is None else place.get(padding))
    small.weight = nn.Parameter(rows.clone(), requires_grad=table.weight.requires_grad)
    names = {name: str(token) for name in _NAMES if (token := getattr(old, name, None)) is not None}
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=old.model_max_length,
        padding_side=old.padding_side,
        truncation_side=old.truncation_side,
        **names,
    )
    transformer.set_input_embeddings(small)
    for key in _IDS:
        value = getattr(transformer.config, key, None)
        if isinstance(value, int):
            setattr(transformer.config, key, place.get(value))
    transformer.config.vocab_size = len(rows)
    first.processor = made
    return encoder.with_model(encoder.model)
