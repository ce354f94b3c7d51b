"""Fresh encoders from word counts, and saved ones from a folder or a hub name."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from triglot.encoder.computing import USUAL, Computing
from triglot.encoder.settings import EncoderSettings
from triglot.extras import named
from triglot.files import InputError, SettingError
from triglot.memory import check_fits

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

    from triglot.encoder.languages import ByLanguage
    from triglot.encoder.static import StaticEncoder
    from triglot.encoder.transformer import TransformerEncoder

log = logging.getLogger("triglot")


def init_encoder(
    settings: EncoderSettings, words: Mapping[str, Mapping[str, int]] | None = None, *, seed: int = 0
) -> StaticEncoder | TransformerEncoder:
    """A fresh encoder, or the pretrained one that the settings name.

    Args:
        settings: of the encoder.
        words: language -> word -> count (`triglot.encoder.tokenizer.word_counts`); a pretrained encoder needs none.
        seed: of the fresh weights. Same settings, words and seed: same weights.

    Raises:
        InputError: no words for a fresh encoder, or a model that cannot be loaded.
    """
    if settings.kind == "pretrained":
        from triglot.encoder.languages import ByLanguage

        encoder = load_encoder(settings.model, settings=settings)
        if isinstance(encoder, ByLanguage):
            raise InputError(
                f"encoder.model: {settings.model} was debiased by language; start from the model that it was made of"
            )
        return _trainable(_cut(encoder, settings))
    if not words:
        raise InputError(f"a fresh {settings.kind} encoder needs texts to make its tokenizer from")
    from triglot.encoder.tokenizer import train_tokenizer

    # The layers are known before the tokenizer is made.
    if settings.kind == "transformer":
        check_fits(
            48 * settings.layers * settings.dim**2,
            f"encoder.layers x encoder.dim: {settings.layers:,} x {settings.dim:,}",
        )
    tokenizer = train_tokenizer(
        words, vocab=settings.vocab, exponent=settings.balance, character_coverage=settings.character_coverage
    )
    tokens = tokenizer.get_vocab_size()
    check_fits(
        8 * tokens * settings.dim, f"encoder.vocab x encoder.dim: {tokens:,} tokens of {settings.dim:,} dimensions"
    )
    if settings.kind == "static":
        from triglot.encoder.static import StaticEncoder

        return StaticEncoder(tokenizer, fresh_rows(tokenizer, words, settings, seed=seed))
    with named():
        from triglot.encoder.pretrained import fresh_transformer

    return fresh_transformer(settings, tokenizer, seed=seed)


def _cut(encoder: StaticEncoder | TransformerEncoder, settings: EncoderSettings) -> StaticEncoder | TransformerEncoder:
    """The encoder with the layers that the settings keep."""
    if settings.keep_layers is None:
        return encoder
    from triglot.encoder.static import StaticEncoder

    if isinstance(encoder, StaticEncoder):
        raise InputError(f"encoder.keep_layers: goes with transformers; {encoder.name} is a static encoder")
    from triglot.encoder.layers import chosen_layers, layer_count, with_layers

    count = layer_count(encoder)
    try:
        kept = chosen_layers(settings.keep_layers, count)
    except SettingError as error:
        raise SettingError(f"encoder.{error.key}", f"{error.what} ({encoder.name})") from None
    log.info("%s: %d of %d layers are kept: %s", encoder.name, len(kept), count, ", ".join(map(str, kept)))
    return with_layers(encoder, kept)


def _trainable(encoder: StaticEncoder | TransformerEncoder) -> StaticEncoder | TransformerEncoder:
    """An encoder as training takes it: compared by cosine, a static one without prompts. What changes is logged."""
    from triglot.encoder.static import StaticEncoder

    if encoder.similarity != "cosine":
        log.warning("%s: compares by %s; trained, it compares by cosine", encoder.name, encoder.similarity)
        encoder = encoder.by_cosine()
    if isinstance(encoder, StaticEncoder):
        if any(encoder.prefixes.values()):
            log.warning("%s: its prompts are left out in training, where a prefix would shift every bag", encoder.name)
            encoder = encoder.without_prefixes()
    else:
        # Raises where training cannot know its pooling.
        encoder.features([], [])
    return encoder


def fresh_rows(
    tokenizer: Tokenizer, words: Mapping[str, Mapping[str, int]], settings: EncoderSettings, *, seed: int
) -> np.ndarray:
    """Rows of a fresh static encoder: normal with variance 1 / dim, times a weight that falls with the token's
    frequency.

    Returns:
        (vocab, dim) float32.
    """
    import numpy as np

    from triglot import seeds
    from triglot.encoder.tokenizer import token_shares

    rows = seeds.generator(seed, "encoder.static").standard_normal(
        (tokenizer.get_vocab_size(), settings.dim), np.float32
    )
    rows /= np.float32(np.sqrt(settings.dim))
    if settings.frequency:
        shares = token_shares(tokenizer, words, exponent=settings.balance)
        rows *= (settings.frequency / (settings.frequency + shares)).astype(np.float32)[:, None]
    return rows


def load_encoder(
    path_or_name: str | os.PathLike[str],
    *,
    settings: EncoderSettings | None = None,
    name: str | None = None,
    computing: Computing = USUAL,
) -> StaticEncoder | TransformerEncoder | ByLanguage:
    """A saved encoder. A static one needs no torch; anything else is loaded through sentence-transformers.

    Args:
        path_or_name: a sentence-transformers or Hugging Face model folder, or a hub name (`owner/model`; only that uses
            the network).
        settings: pooling, prefixes and lengths for a transformer that does not say them itself; None keeps what the
            model says.
        name: shown in tables; None: the folder's or the hub's name.
        computing: on which device it computes, in which precision, and so on.

    Raises:
        InputError: there is no such folder, or it does not hold a model that can be read without running its code or
            unpickling; or it cannot compute so.
    """
    from triglot.encoder.languages import ByLanguage, read_removal
    from triglot.encoder.static import is_static, load_static

    folder = model_folder(path_or_name)
    name = name or (folder.resolve().name if Path(path_or_name).exists() else str(path_or_name))
    if is_static(folder):
        computing.for_static(name)
        if settings is not None:
            # Prefixes are refused here as they are for a fresh one.
            replace(settings, kind="static", model="", keep_layers=None)
        encoder = load_static(folder, name=name)
    else:
        with named():
            from triglot.encoder.pretrained import load_transformer

        encoder = load_transformer(folder, settings=settings, name=name, computing=computing)
    if encoder.similarity != "cosine":
        log.info("%s: scores are by %s, as its similarity_fn_name says", name, encoder.similarity)
    removal = read_removal(folder)
    return ByLanguage(encoder, removal) if removal else encoder


def model_folder(path_or_name: str | os.PathLike[str]) -> Path:
    """The folder of a model; a hub name is downloaded to the hub's cache first (weights as safetensors only, no code).

    Raises:
        InputError: neither a folder nor a hub name, or the hub has no such model or cannot be reached.
    """
    if not str(path_or_name):
        raise InputError("no such model folder (the name is empty)")
    path = Path(path_or_name).expanduser()
    if path.is_dir():
        return path
    text = str(path_or_name)
    owner, _, model = text.partition("/")
    looks_like_a_name = (
        isinstance(path_or_name, str)
        and text.count("/") <= 1
        and not text.startswith((".", "~", "/"))
        and "\\" not in text
    )
    if not looks_like_a_name or path.exists() or not owner or (model == "" and "/" in text):
        raise InputError(
            f"{path_or_name}: {'is a file, a model folder was expected' if path.is_file() else 'no such model folder'}"
        )
    with named():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
        )

    try:
        wanted = ["*.json", "*.safetensors", "*.txt", "*.model", "README.md"]
        return Path(snapshot_download(text, allow_patterns=wanted, ignore_patterns=["onnx/*", "openvino/*"]))
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise InputError(
            f"{text}: neither a folder here nor a model on the hub ({str(error).splitlines()[0]})"
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise InputError(f"{text}: no such folder, and the hub could not be reached ({type(error).__name__})") from None
