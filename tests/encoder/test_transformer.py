"""Transformers against `SentenceTransformer.encode`: fresh ones, and the architectures of XLM-R, LaBSE and E5 with
random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    CamembertConfig,
    CamembertModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from tests.encoder.conftest import MIXED, TEXTS
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.computing import Computing
from triglot.encoder.static import SIDES
from triglot.encoder.transformer import TransformerEncoder, token_batches
from triglot.files import InputError, SettingError

ALL = [text for column in TEXTS.values() for text in column] + MIXED
SMALL = EncoderSettings(kind="transformer", dim=32, vocab=700, layers=2, heads=2, query_length=12, passage_length=40)


def close(encoder: TransformerEncoder, path: Path, texts: list[str] = ALL) -> None:
    """Both sides of an encoder equal what sentence-transformers makes of the saved folder."""
    model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    np.testing.assert_allclose(encoder.encode(texts, side="query"), model.encode_query(texts), atol=2e-6)
    np.testing.assert_allclose(encoder.encode(texts, side="passage"), model.encode_document(texts), atol=2e-6)


@pytest.fixture(scope="module")
def fresh(words) -> TransformerEncoder:
    encoder = init_encoder(SMALL, words, seed=3)
    assert isinstance(encoder, TransformerEncoder)
    return encoder


def xlm_r(folder: Path, tokenizer: Tokenizer, kind: Any = (XLMRobertaConfig, XLMRobertaModel)) -> Path:
    """A bare Hugging Face folder as of XLM-RoBERTa: `<s> a </s>`, padding index 1, two position rows more than
    tokens."""
    pieces = json.loads(tokenizer.to_str())["model"]["vocab"][5:]
    made = Tokenizer(
        models.Unigram(
            [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *map(tuple, pieces), ("<mask>", 0.0)],
            unk_id=3,
        )
    )
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    torch.manual_seed(0)
    config = kind[0](
        vocab_size=made.get_vocab_size(),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=66,
    )
    kind[1](config).eval().save_pretrained(folder)
    names = {
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
    }
    PreTrainedTokenizerFast(tokenizer_object=made, mask_token="<mask>", **names).save_pretrained(folder)
    return folder


def labse(folder: Path) -> Path:
    """A sentence-transformers folder as of LaBSE: BERT, the first token, a Dense with tanh, Normalize."""
    letters = sorted({letter for text in ALL for letter in text.lower() if not letter.isspace()})
    vocabulary = {
        token: i
        for i, token in enumerate(
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
        )
    }
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=50,
    )
    bare = folder.with_name("bare")
    BertModel(config).eval().save_pretrained(bare)
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=50,
    ).save_pretrained(bare)
    modules = [Transformer(str(bare)), Pooling(24, "cls"), Dense(24, 16), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    return folder


def test_fresh_weights_come_from_the_seed_alone(words, fresh):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    again = init_encoder(SMALL, words, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    other = init_encoder(SMALL, words, seed=4)
    assert all(
        torch.equal(a, b)
        for a, b in zip(fresh.model.state_dict().values(), again.model.state_dict().values(), strict=True)
    )
    assert not torch.equal(fresh.input_embeddings.weight, other.input_embeddings.weight)


def test_fresh(fresh, tmp_path):
    assert fresh.dim == 32
    assert fresh.lengths == {"query": 12, "passage": 40}
    fresh.save(tmp_path / "model")
    close(fresh, tmp_path / "model")
    again = load_encoder(tmp_path / "model")
    for side in SIDES:
        assert np.array_equal(again.encode(ALL, side=side), fresh.encode(ALL, side=side))
    assert (again.name, again.lengths, again.prefixes) == ("model", fresh.lengths, fresh.prefixes)
    files = [p.name for p in (tmp_path / "model").rglob("*") if p.is_file()]
    assert not [name for name in files if name.endswith((".bin", ".pt", ".py", ".pkl"))]
    assert str(tmp_path) not in "".join(p.read_text() for p in (tmp_path / "model").rglob("*.json"))


def test_vectors_have_unit_length_and_no_neighbours(fresh):
    vectors = fresh.encode(ALL, side="passage")
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(ALL))
    shuffled = fresh.encode([ALL[i] for i in order], side="passage", tokens_per_batch=64, progress=True)
    np.testing.assert_allclose(shuffled, vectors[order], atol=2e-6)
    assert fresh.encode([], side="query").shape == (0, 32)


def test_windows(fresh, monkeypatch):
    whole = fresh.encode(ALL, side="query")
    monkeypatch.setattr("triglot.encoder.transformer._WINDOW", 4)
    np.testing.assert_allclose(fresh.encode(ALL, side="query"), whole, atol=2e-6)
    with pytest.raises(InputError, match="surrogate"):
        fresh.encode([*ALL, "\ud800"], side="query")


def test_an_encoder_keeps_its_precision(fresh, tmp_path):
    fresh.save(tmp_path / "model")
    in_bf16 = Computing(precision="bf16")
    plain, rough = load_encoder(tmp_path / "model"), load_encoder(tmp_path / "model", computing=in_bf16)
    assert (plain.computing.precision, rough.computing.precision) == ("fp32", "bf16")
    exact, near = plain.encode(ALL, side="query"), rough.encode(ALL, side="query")
    assert near.dtype == np.float32
    assert (exact * near).sum(1).min() > 0.999
    assert not np.array_equal(exact, near)
    assert next(rough.model.parameters()).dtype == torch.float32
    np.testing.assert_array_equal(near, rough.by_cosine().encode(ALL, side="query"))
    of_recipe = replace(SMALL, precision="bf16")
    assert load_encoder(tmp_path / "model", settings=of_recipe).computing.precision == "bf16"
    asked = load_encoder(tmp_path / "model", settings=of_recipe, computing=Computing(precision="fp32"))
    assert asked.computing.precision == "fp32"
    with pytest.raises(SettingError, match="static"):
        EncoderSettings(precision="bf16")


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_batches_of_a_number_of_texts(fresh, tmp_path, monkeypatch, size):
    fresh.save(tmp_path / "model")
    encoder = load_encoder(tmp_path / "model", computing=Computing(batch_size=size))
    seen = []
    batch = encoder.batch
    monkeypatch.setattr(
        encoder, "batch", lambda ids, offsets, rows: seen.append(len(rows)) or batch(ids, offsets, rows)
    )
    np.testing.assert_allclose(encoder.encode(ALL, side="passage"), fresh.encode(ALL, side="passage"), atol=2e-6)
    assert seen == [size] * (len(ALL) // size) + [len(ALL) % size] * (len(ALL) % size > 0)


def test_features_are_what_encode_sees(fresh):
    texts, sides = ALL[:9], np.array([1, 0, 0, 1, 1, 0, 1, 0, 1])
    batch = fresh.features(texts, sides)
    fresh.model.eval()
    with torch.no_grad():
        vectors = fresh(**batch).numpy()
    for i, (text, side) in enumerate(zip(texts, sides, strict=True)):
        ids, _ = fresh.tokenize([text], side=SIDES[side])
        assert batch["input_ids"][i][batch["attention_mask"][i].bool()].tolist() == ids.tolist()
        np.testing.assert_allclose(vectors[i], fresh.encode([text], side=SIDES[side])[0], atol=2e-6)
    assert fresh.features([], np.array([], int))["input_ids"].shape[0] == 0


def test_gradients_reach_all_that_is_trained(words):
    encoder = init_encoder(SMALL, words)
    assert isinstance(encoder, TransformerEncoder)
    encoder.model.train()
    encoder(**encoder.features(ALL[:4], [0, 0, 1, 1]))[:2].sum().backward()
    trained = [p for p in encoder.model.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained)
    assert encoder.parameters == sum(p.numel() for p in trained)
    assert encoder.encode(ALL[:2], side="query").shape == (2, 32)
    assert encoder.model.training


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 120))
def test_token_batches(lengths, budget):
    batches = list(token_batches(np.array(lengths, np.int64), budget))
    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(1, max(lengths[row] for row in batch)) <= budget


@pytest.mark.parametrize("kind", [(CamembertConfig, CamembertModel), (MPNetConfig, MPNetModel)])
def test_all_kin_of_roberta_reserve_positions(tokenizer: Tokenizer, tmp_path: Path, kind: Any) -> None:
    encoder = init_encoder(EncoderSettings(kind="pretrained", model=str(xlm_r(tmp_path / "bare", tokenizer, kind))))
    assert isinstance(encoder, TransformerEncoder)
    assert encoder.lengths["passage"] == 64
    assert np.isfinite(encoder.encode([" ".join(ALL)], side="passage")).all()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_xlm_r(tokenizer, tmp_path, pooling):
    wanted = EncoderSettings(
        kind="pretrained",
        model=str(xlm_r(tmp_path / "bare", tokenizer)),
        pooling=pooling,
        query_prefix="Query: ",
        passage_prefix="Passage: ",
        query_length=20,
        passage_length=512,
    )
    encoder = init_encoder(wanted)
    assert isinstance(encoder, TransformerEncoder)
    assert encoder.lengths == {"query": 20, "passage": 64}  # 66 positions, of which two are reserved
    encoder.save(tmp_path / "model")
    close(encoder, tmp_path / "model")
    assert SentenceTransformer(str(tmp_path / "model"), device="cpu")[1].pooling_mode == pooling
    queries, passages = encoder.encode(ALL, side="query"), encoder.encode(ALL, side="passage")
    assert np.abs(queries - passages).max() > 1e-3
    plain = SentenceTransformer(str(tmp_path / "bare"), device="cpu")
    plain[1].pooling_mode = pooling
    plain.max_seq_length = 20
    expected = plain.encode([f"Query: {text}" for text in ALL[:5]], normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode(ALL[:5], side="query"), expected, atol=2e-6)


def test_saving_changes_nothing_in_the_model(fresh, tmp_path):
    model = fresh.model
    fresh.tokenizer.enable_truncation(9)
    fresh.tokenizer.enable_padding(length=5, pad_id=fresh.pad)
    try:
        before = (fresh.tokenizer.to_str(), dict(model.prompts), model[0].max_seq_length, model[0].query_length)
        fresh.save(tmp_path / "model")
        assert (fresh.tokenizer.to_str(), model.prompts, model[0].max_seq_length, model[0].query_length) == before
    finally:
        fresh.tokenizer.no_truncation()
        fresh.tokenizer.no_padding()
    saved = json.loads((tmp_path / "model" / "tokenizer.json").read_text())
    assert saved["truncation"] is None
    assert saved["padding"] is None
    assert model[0].max_seq_length == 40
    assert model.prompts == {"query": fresh.prefixes["query"], "document": fresh.prefixes["passage"]}


def test_labse_keeps_its_dense(tmp_path):
    folder = labse(tmp_path / "labse")
    encoder = load_encoder(folder)
    assert isinstance(encoder, TransformerEncoder)
    assert encoder.dim == 16
    assert encoder.lengths == {"query": 50, "passage": 50}
    close(encoder, folder)
    encoder.save(tmp_path / "saved")
    close(encoder, tmp_path / "saved")
    kinds = [
        module["type"].rsplit(".", 1)[-1] for module in json.loads((tmp_path / "saved" / "modules.json").read_text())
    ]
    assert kinds == ["Transformer", "Pooling", "Dense", "Normalize"]


def test_prompts_of_the_model_are_kept_unless_told_otherwise(fresh, tmp_path, caplog):
    fresh.save(tmp_path / "e5")
    file = tmp_path / "e5" / "config_sentence_transformers.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "prompts": {"query": "query: ", "passage": "passage: "}}))
    encoder = load_encoder(tmp_path / "e5")
    assert encoder.prefixes == {"query": "query: ", "passage": "passage: "}
    assert not caplog.messages
    file.write_text(json.dumps({**config, "prompts": {"query": "query: ", "document": "", "passage": "passage: "}}))
    assert load_encoder(tmp_path / "e5").prefixes == encoder.prefixes
    assert "'passage: ', which encode_document of sentence-transformers leaves out" in caplog.text
    # encode_document of sentence-transformers looks at "document" alone here, and finds its own empty default.
    e5 = SentenceTransformer(str(tmp_path / "e5"), device="cpu", local_files_only=True)
    np.testing.assert_allclose(encoder.encode(ALL, side="passage"), e5.encode(ALL, prompt_name="passage"), atol=2e-6)
    encoder.save(tmp_path / "again")
    close(encoder, tmp_path / "again")
    told = EncoderSettings(kind="pretrained", model=str(tmp_path / "e5"), query_prefix="", passage_length=9)
    told_encoder = init_encoder(told)
    assert told_encoder.prefixes == {"query": "", "passage": "passage: "}
    assert told_encoder.lengths == {"query": 40, "passage": 9}
    told_encoder.save(tmp_path / "told")
    assert load_encoder(tmp_path / "told").prefixes == told_encoder.prefixes


def test_a_folder_is_loaded_without_the_network(fresh, tokenizer, tmp_path, monkeypatch):
    fresh.save(tmp_path / "model")
    xlm_r(tmp_path / "bare", tokenizer)
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("went to the network"))
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("went to the network"))
    for name in ("model", "bare"):
        load_encoder(tmp_path / name).save(tmp_path / "copy")


def test_no_code_and_no_pickle(fresh, tmp_path):
    fresh.save(tmp_path / "code")
    modules = json.loads((tmp_path / "code" / "modules.json").read_text())
    modules[1]["type"] = "evil.Pooling"
    (tmp_path / "code" / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "code" / "evil.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(InputError, match=r"evil\.Pooling would run code"):
        load_encoder(tmp_path / "code")
    fresh.save(tmp_path / "pickle")
    (tmp_path / "pickle" / "model.safetensors").unlink()
    torch.save({}, tmp_path / "pickle" / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin, which is a pickle"):
        load_encoder(tmp_path / "pickle")


def test_damaged_models(fresh, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no model"):
        load_encoder(tmp_path / "empty")
    fresh.save(tmp_path / "short")
    weights = tmp_path / "short" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(InputError, match="short: cannot be loaded"):
        load_encoder(tmp_path / "short")
    fresh.save(tmp_path / "odd")
    (tmp_path / "odd" / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(InputError, match="odd: cannot be loaded"):
        load_encoder(tmp_path / "odd")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.encode(["a"], side="document"), "no side 'document'"),
        (lambda e: e.encode("a", side="query"), "a list of texts"),
        (lambda e: e.encode([1.5], side="query"), "text 0 is float"),
    ],
)
def test_what_cannot_be_encoded(fresh, call, message):
    with pytest.raises(InputError, match=message):
        call(fresh)
