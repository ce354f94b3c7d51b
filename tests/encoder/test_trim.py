"""Trimmed vocabularies: the same tokens and vectors for the texts, in each kind of tokenizer, saved and put back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from tests.encoder.conftest import TEXTS
from tests.encoder.test_transformer import labse, xlm_r
from triglot.encoder import load_encoder
from triglot.encoder.trim import restored, trimmed
from triglot.files import InputError

SOME = [*TEXTS["de"], *TEXTS["th"], "unseen ѯѱѡ letters 🜚", "", "Brücke"]
OTHER = [text for lang in ("en", "el", "zh", "ar") for text in TEXTS[lang]]


def bpe(folder: Path) -> Path:
    """A bare Hugging Face folder with byte-level BPE, as of RoBERTa."""
    from tokenizers.trainers import BpeTrainer

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    texts = [text for column in TEXTS.values() for text in column]
    special = ["<s>", "<pad>", "</s>"]
    made.train_from_iterator(texts, BpeTrainer(vocab_size=900, special_tokens=special, initial_alphabet=alphabet))
    made.normalizer = normalizers.NFC()
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=made.get_vocab_size(),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=200,
        pad_token_id=1,
    )
    BertModel(config).eval().save_pretrained(folder)
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=200, **names).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["unigram", "wordpiece", "bpe"])
def folder(request, tmp_path_factory, tokenizer) -> Path:
    place = tmp_path_factory.mktemp("whole") / request.param
    if request.param == "unigram":
        return xlm_r(place, tokenizer)
    return labse(place) if request.param == "wordpiece" else bpe(place)


def vectors(encoder, texts=SOME) -> list[np.ndarray]:
    return [encoder.encode(texts, side=side) for side in ("query", "passage")]


def test_vectors_of_its_texts_are_equal_saved_and_in_sentence_transformers(folder: Path, tmp_path: Path) -> None:
    whole = load_encoder(folder)
    rows, expected = whole.input_embeddings.num_embeddings, vectors(whole)
    made = trimmed(whole, SOME)
    assert len(made.kept) < 0.8 * rows == 0.8 * made.whole
    for a, b in zip(vectors(made.encoder), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    made.encoder.save(tmp_path / "trimmed")
    again = load_encoder(tmp_path / "trimmed")
    assert again.input_embeddings.num_embeddings == len(made.kept)
    for a, b in zip(vectors(again), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    theirs = SentenceTransformer(str(tmp_path / "trimmed"), device="cpu", local_files_only=True)
    np.testing.assert_allclose(theirs.encode_query(SOME), expected[0], atol=2e-6)


def test_put_back_it_knows_all_tokens_and_what_was_learned(folder: Path) -> None:
    untouched = vectors(load_encoder(folder), OTHER)
    made = trimmed(load_encoder(folder), SOME)
    learned = load_encoder(folder)
    torch.manual_seed(3)
    with torch.no_grad():
        for encoder in (made.encoder, learned):
            table = encoder.input_embeddings.weight
            kept = torch.from_numpy(made.kept) if encoder is learned else slice(None)
            table[kept] = table[kept] * 1.5
            next(p for n, p in encoder.model.named_parameters() if n.endswith("LayerNorm.weight")).mul_(0.5)
    back = restored(made, load_encoder(folder))
    for texts in (SOME, OTHER):
        for a, b in zip(vectors(back, texts), vectors(learned, texts), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
    assert not np.allclose(vectors(back, OTHER)[0], untouched[0], atol=1e-3)


def test_the_wrong_start_is_refused(folder: Path) -> None:
    made = trimmed(load_encoder(folder), SOME)
    with pytest.raises(InputError, match="not the model that was trimmed"):
        restored(made, made.encoder)


def test_other_kinds_of_tokenizers_are_refused(tmp_path: Path) -> None:
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "river", "bridge"])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    BertModel(
        BertConfig(vocab_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    ).save_pretrained(tmp_path)
    PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(tmp_path)
    with pytest.raises(InputError, match="WordLevel; Unigram, WordPiece, BPE can be trimmed"):
        trimmed(load_encoder(tmp_path), ["river"])


@pytest.mark.slow
def test_multilingual_e5_small_is_trimmed_to_a_hundredth(e5_small: Path) -> None:
    whole = load_encoder(e5_small)
    expected = vectors(whole)
    made = trimmed(whole, SOME)
    assert len(made.kept) < 2500
    for a, b in zip(vectors(made.encoder), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
