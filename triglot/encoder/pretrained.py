"""Transformers from a folder, and small fresh ones: each weight came out of the files, or the load is refused."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer, processors
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from triglot import seeds
from triglot.encoder.backends.network import with_network
from triglot.encoder.computing import USUAL, Computing, asked_device
from triglot.encoder.tokenizer import CLS, SEP, SPECIAL
from triglot.encoder.transformer import TransformerEncoder, quiet
from triglot.files import InputError
from triglot.model_files.folder import Stage, staged
from triglot.model_files.weights import check_finite, check_loaded, reports

if TYPE_CHECKING:
    from triglot.encoder.settings import EncoderSettings

log = logging.getLogger("triglot")


def fresh_transformer(settings: EncoderSettings, tokenizer: Tokenizer, *, seed: int) -> TransformerEncoder:
    """A small BERT-like encoder with random weights; the same arguments give the same weights."""
    longest = max(settings.query_length, settings.passage_length)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=settings.dim,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=4 * settings.dim,
        max_position_embeddings=longest,
        hidden_dropout_prob=settings.dropout or 0.0,
        attention_probs_dropout_prob=settings.dropout or 0.0,
        pad_token_id=0,
    )
    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    with _seeded(int(seeds.bits(seed, "encoder.transformer")) >> 1), tempfile.TemporaryDirectory() as folder:
        with quiet():
            BertModel(config).save_pretrained(folder)
            PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=longest, **names).save_pretrained(
                folder
            )
        return load_transformer(Path(folder), settings=settings, name="transformer")


def load_transformer(
    folder: Path,
    *,
    settings: EncoderSettings | None = None,
    name: str,
    computing: Computing = USUAL,
) -> TransformerEncoder:
    """A sentence-transformers directory with all its modules, or a bare Hugging Face model with mean pooling.

    Args:
        folder: with `modules.json` or `config.json`.
        settings: pooling (if it names one), prefixes (if not None) and lengths; None keeps what the model says.
        name: shown in tables.
        computing: how it computes; a precision that it leaves open is that of the settings.

    Raises:
        InputError: no such device, no model there, code of its own, weights that are not safetensors, do not fit
            `config.json` or are not finite, or no fast tokenizer.
    """
    device = asked_device(computing.device if computing.backend == "torch" else "cpu")
    if settings is not None and not computing.precision:
        computing = replace(computing, precision=settings.precision)
    with staged(folder) as stage:
        model = _loaded(stage, folder, device or None)
    first = model[0]
    if not isinstance(first, Transformer) or first.tokenizer is None:
        raise InputError(
            f"{folder}: the first module is {type(first).__name__}, a Transformer with a tokenizer was expected"
        )
    pooling = [module for module in model if isinstance(module, Pooling)]
    if settings is not None and settings.pooling:
        pooling[0].pooling_mode = settings.pooling
    longest = _longest(first)
    prefixes = stage.told.prefixes
    lengths = {
        "query": min(first.query_length or longest, longest),
        "passage": min(first.document_length or longest, longest),
    }
    if settings is not None:
        given = {"query": settings.query_prefix, "passage": settings.passage_prefix}
        prefixes = prefixes | {side: prefix for side, prefix in given.items() if prefix is not None}
        lengths = {"query": min(settings.query_length, longest), "passage": min(settings.passage_length, longest)}
    with explained(folder):
        encoder = TransformerEncoder(
            model,
            name=name,
            prefixes=prefixes,
            lengths=lengths,
            similarity=stage.told.similarity,
            computing=computing,
        )
        encoder.try_out()
    return encoder if computing.backend == "torch" else with_network(encoder, computing)


@contextmanager
def explained(folder: Path, staged: Path | None = None) -> Iterator[None]:
    """Whatever goes wrong in other libraries with a model of this folder as an InputError, which does not name the
    staged one."""
    try:
        yield
    except (InputError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        # Each broken file ends in an error of another library; that of Rust's panics is no Exception.
        message = str(error).replace(str(staged), str(folder)).strip().splitlines()
        reason = message[0] if message else repr(error)
        raise InputError(f"{folder}: cannot be loaded as a transformer ({reason})") from error


def _loaded(stage: Stage, folder: Path, device: str | None) -> SentenceTransformer:
    """The model of a staged folder, each of whose weights came out of its files."""
    # Seeded, since a pooler that the file lacks is drawn at random; it is never read.
    with explained(folder, stage.path), _seeded(0), quiet(), reports() as loads:
        model = SentenceTransformer(
            str(stage.path),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )
    for loaded, report in loads:
        if foreign := check_loaded(report, loaded, str(folder)):
            log.info("%s: %d weights of a head are left out: %s", folder, len(foreign), ", ".join(foreign[:3]))
    check_finite(model.state_dict().items(), str(folder))
    return model


def _longest(first: Transformer) -> int:
    """The tokens that a model can read: what its tokenizer says, and never more than it has positions."""
    said = int(min(first.max_seq_length or 512, 1_000_000))
    positions = getattr(first.config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 1:
        return said
    table = getattr(getattr(first.auto_model, "embeddings", None), "position_embeddings", None)
    # RoBERTa and its kin count positions from padding_idx + 1, so 514 rows hold 512 tokens; BERT's table has none.
    pad = table.padding_idx if isinstance(table, nn.Embedding) else None
    return min(said, positions - (0 if pad is None else pad + 1))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's global generator set for a block, and as it was after it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
