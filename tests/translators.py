"""Tiny translation models of every family, with random weights."""

from __future__ import annotations

import io
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
    NllbTokenizer,
)

TEXTS = [
    "Which river flows through the old town?",
    "The bridge across the river was built in 1905 and repaired in 1987. Bread is baked in the village every morning.",
    "Who wrote the letter that was found under the bridge?",
    "Rain fell on the mountain for three days; the road to the valley was closed. The mill stands beside the water.",
    "Welcher Fluss fließt durch die alte Stadt?",
    "Wer schrieb den Brief?",
]


def pieces(folder: Path, name: str) -> list[str]:
    """A sentencepiece model of the texts as `name`; returns its pieces."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(TEXTS * 4),
        model_writer=out,
        vocab_size=120,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(out.getvalue())
    model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    return [model.id_to_piece(i) for i in range(3, model.get_piece_size())]


SMALL: dict[str, Any] = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 64,
    "init_std": 0.7,  # so that random weights say different things
}


def marian(folder: Path, source: str = "en", target: str = "de", codes: tuple[str, ...] = (), **shape: Any) -> Path:
    """One direction, or several targets named before the text; `shape` replaces what is in SMALL."""
    found = pieces(folder, "source.spm")
    shutil.copy(folder / "source.spm", folder / "target.spm")
    vocab = {piece: n for n, piece in enumerate(["</s>", "<unk>", *codes, *found, "<pad>"])}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tokenizer = MarianTokenizer(
            str(folder / "source.spm"),
            str(folder / "target.spm"),
            str(folder / "vocab.json"),
            source_lang=source,
            target_lang=target,
        )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    pad = vocab["<pad>"]
    config = MarianConfig(
        vocab_size=len(vocab),
        pad_token_id=pad,
        eos_token_id=0,
        decoder_start_token_id=pad,
        forced_eos_token_id=0,
        **(SMALL | shape),
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


def m2m100(folder: Path) -> Path:
    found = pieces(folder, "sentencepiece.bpe.model")
    vocab = {piece: n for n, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *found])}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    tokenizer = M2M100Tokenizer(
        str(folder / "vocab.json"), str(folder / "sentencepiece.bpe.model"), src_lang="en", tgt_lang="de"
    )
    tokenizer.save_pretrained(folder)
    return seq2seq(folder, max(tokenizer.lang_code_to_id.values()) + 9)


def nllb(folder: Path) -> Path:
    found = pieces(folder, "unused.model")
    vocab = {
        piece: n
        for n, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *dict.fromkeys(c for p in found for c in p)])
    }
    tokenizer = NllbTokenizer(vocab=vocab, merges=[], src_lang="eng_Latn", tgt_lang="deu_Latn")
    (folder / "unused.model").unlink()
    tokenizer.save_pretrained(folder)
    return seq2seq(folder, len(tokenizer))


def seq2seq(folder: Path, size: int) -> Path:
    torch.manual_seed(1)
    config = M2M100Config(
        vocab_size=size, pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2, **SMALL
    )
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    return folder
