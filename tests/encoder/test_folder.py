"""What is read of a model's folder: named files alone, checked, as safetensors; and what of it is refused."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from tokenizers import Tokenizer

from tests.encoder.conftest import MIXED, TEXTS
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.static import StaticEncoder
from triglot.files import InputError

TEN = [*TEXTS["en"], *TEXTS["th"][:2], *MIXED[:3]]
SMALL = EncoderSettings(kind="transformer", dim=16, vocab=500, layers=2, heads=2, query_length=40, passage_length=40)


@pytest.fixture(scope="module")
def original(words, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("folder") / "model"
    init_encoder(SMALL, words, seed=1).save(folder)
    return folder


@pytest.fixture
def model(original, tmp_path) -> Path:
    """A folder of a transformer to spoil; its weights are ten times as large as fresh ones, so that differences
    show."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in original.rglob("*"):
        if file.is_file():
            target = folder / file.relative_to(original)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(file.read_bytes())
    weights = {
        key: value * 10 if "embeddings.weight" in key else value
        for key, value in load_file(folder / "model.safetensors").items()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def change(file: Path, **values: Any) -> None:
    """Set keys of a JSON object in a file."""
    told = json.loads(file.read_text()) if file.is_file() else {}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({**told, **values}))


def rewrite(file: Path, make: Any) -> None:
    """Other tensors in a file."""
    save_file(make(load_file(file)), file, metadata={"format": "pt"})


class Payload:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> Any:
        return (Path.touch, (self.mark,))


# ---- weights


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda w: {f"module.{k}": v for k, v in w.items()}, r"lack embeddings\..*; it holds module\."),
        (lambda w: {f"0.auto_model.{k}": v for k, v in w.items()}, r"lack embeddings\..*; it holds 0\.auto_model\."),
        (
            lambda w: {k: v for k, v in w.items() if ".layer.1." not in k},
            r"lack encoder\.layer\.1\.attention.* and 13 more",
        ),
        (
            lambda w: w | {"encoder.layer.2.attention.output.dense.bias": torch.ones(16)},
            r"hold encoder\.layer\.2\.attention",
        ),
        (
            lambda w: w | {"embeddings.position_embeddings.weight": torch.ones(41, 16)},
            r"_embeddings\.weight has the shape 41 x 16.*40",
        ),
        (
            lambda w: w | {"encoder.layer.0.output.dense.bias": torch.full((16,), torch.nan)},
            r"layer\.0\.output\.dense\.bias: holds",
        ),
        (
            lambda w: w | {"embeddings.word_embeddings.weight": w["embeddings.word_embeddings.weight"] * torch.inf},
            r"not finite",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(model, make, message):
    rewrite(model / "model.safetensors", make)
    with pytest.raises(InputError, match=message):
        load_encoder(model)


@pytest.mark.parametrize(
    "make",
    [
        lambda w: {k: v for k, v in w.items() if "pooler" not in k},
        lambda w: w | {"classifier.weight": torch.ones(2, 16)},
        lambda w: {f"bert.{k}": v for k, v in w.items()} | {"cls.predictions.bias": torch.ones(9)},
        lambda w: w | {"embeddings.position_ids": torch.arange(40)[None]},
    ],
)
def test_what_no_vector_depends_on_may_be_missing_or_there(model, make):
    before = load_encoder(model).encode(TEN, side="query")
    rewrite(model / "model.safetensors", make)
    np.testing.assert_array_equal(load_encoder(model).encode(TEN, side="query"), before)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vocab_size", 2**31),
        ("hidden_size", 2**31),
        ("num_hidden_layers", 2**31),
        ("num_attention_heads", -3),
        ("intermediate_size", 10**30),
    ],
)
def test_a_wish_for_more_than_the_weights_have_is_refused_before_it_is_built(model, key, value, monkeypatch):
    monkeypatch.setattr("transformers.BertModel.__init__", lambda *_, **__: pytest.fail("was built"))
    change(model / "config.json", **{key: value})
    with pytest.raises(InputError, match=rf"config\.json: {key}: {value} is"):
        load_encoder(model)


def test_a_model_that_memory_cannot_hold_is_not_allocated(model, monkeypatch):
    monkeypatch.setattr("triglot.memory.available", lambda: 5_000_000)
    change(model / "config.json", vocab_size=100_000, intermediate_size=1000)
    rewrite(model / "model.safetensors", lambda w: w | {"cls.big": torch.ones(100_000)})
    with pytest.raises(InputError, match=r"a bert model of 1,\d+,\d+ numbers.*of memory are needed"):
        load_encoder(model, settings=EncoderSettings(kind="transformer"))


# ---- only named files


def test_no_file_but_the_named_ones_is_opened(model, words, tmp_path):
    dense = SentenceTransformer(
        modules=[*list(SentenceTransformer(str(model), device="cpu"))[:2], Dense(16, 8), Normalize()]
    )
    dense.save(str(tmp_path / "dense"), create_model_card=False)
    mark = tmp_path / "ran"
    for folder in (tmp_path / "dense", tmp_path / "dense" / "2_Dense", tmp_path / "dense" / "1_Pooling"):
        for name in (
            "pytorch_model.bin",
            "optimizer.pt",
            "training_args.bin",
            "model.pkl",
            "pytorch_model.bin.index.json",
        ):
            (folder / name).write_bytes(pickle.dumps(Payload(mark)))
        (folder / "modeling.py").write_text("raise SystemExit")
    opened: set[str] = set()
    watching = True

    def hook(event: str, arguments: tuple) -> None:
        if watching and event == "open" and isinstance(arguments[0], str):
            opened.add(os.path.realpath(arguments[0]))

    sys.addaudithook(hook)
    encoder = load_encoder(tmp_path / "dense")
    watching = False
    inside = {
        os.path.relpath(path, tmp_path / "dense") for path in opened if path.startswith(f"{tmp_path}/dense{os.sep}")
    }
    assert inside <= {
        *(
            "modules.json",
            "config.json",
            "config_sentence_transformers.json",
            "sentence_bert_config.json",
            "model.safetensors",
        ),
        *(
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "1_Pooling/config.json",
            "2_Dense/config.json",
        ),
        *("2_Dense/model.safetensors", "3_Normalize/config.json"),
    }
    assert "config.json" in inside
    assert not mark.exists()
    assert encoder.dim == 8


def test_pickles_are_not_read_whatever_stands_beside_them(model, tmp_path):
    mark = tmp_path / "ran"
    modules = [*list(SentenceTransformer(str(model), device="cpu"))[:2], Dense(16, 8)]
    SentenceTransformer(modules=modules).save(str(tmp_path / "dense"), create_model_card=False)
    dense = tmp_path / "dense" / "2_Dense"
    (dense / "model.safetensors").rename(dense / "other.safetensors")
    (dense / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(InputError, match=r"2_Dense: weights only as pytorch_model\.bin, which is a pickle"):
        load_encoder(tmp_path / "dense")
    (model / "model.safetensors").rename(model / "whole.safetensors")
    (model / "evil.bin").write_bytes(pickle.dumps(Payload(mark)))
    index = model / "model.safetensors.index.json"
    for name in (
        "evil.bin",
        "../whole.safetensors",
        "sub/whole.safetensors",
        str(model / "whole.safetensors"),
        "gone.safetensors",
        3,
    ):
        index.write_text(json.dumps({"metadata": {}, "weight_map": {"embeddings.word_embeddings.weight": name}}))
        with pytest.raises(InputError, match=r"model\.safetensors\.index\.json|gone\.safetensors: no such file"):
            load_encoder(model)
    names = dict.fromkeys(load_file(model / "whole.safetensors"), "whole.safetensors")
    index.write_text(json.dumps({"metadata": {}, "weight_map": names}))
    assert load_encoder(model).dim == 16
    change(model / "config.json", transformers_weights="evil.bin")
    assert load_encoder(model).dim == 16
    assert not mark.exists()


@pytest.mark.parametrize("path", ["..", "../model/1_Pooling", "/tmp", "1_Pooling/../../x", "..\\x", "link"])
def test_paths_stay_inside(model, path):
    (model / "link").symlink_to(model.parent)
    modules = json.loads((model / "modules.json").read_text())
    modules[1]["path"] = path
    (model / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(InputError, match=r"modules\.json: .*leads out of the model's folder"):
        load_encoder(model)


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (0, "sentence_transformers.base.modules.Router", r"cannot begin with 'Router'"),
        (0, "sentence_transformers.models.CLIPModel", r"cannot begin with 'CLIPModel'"),
        (1, "sentence_transformers.models.WordWeights", r"no support for a module 'WordWeights'"),
        (1, "os.path.join", r"os\.path\.join would run code of the model's own"),
        (1, "Pooling", r"would run code"),
        (1, "", r"would run code"),
    ],
)
def test_modules_are_of_a_known_list(model, number, kind, message):
    modules = json.loads((model / "modules.json").read_text())
    modules[number]["type"] = kind
    (model / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(InputError, match=message):
        load_encoder(model)


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        (
            "1_Pooling/config.json",
            {"pooling_mode": "median"},
            r"1_Pooling/config\.json: pooling_mode: 'median' is unknown",
        ),
        ("1_Pooling/config.json", {"embedding_dimension": "x"}, r"1_Pooling/config\.json: embedding_dimension: 'x'"),
        (
            "1_Pooling/config.json",
            {"embedding_dimension": 2**31},
            r"of 16 dimensions, though its modules say 2147483648",
        ),
        ("1_Pooling/config.json", {"embedding_dimension": 0}, r"embedding_dimension: 0 is below 1"),
        ("config_sentence_transformers.json", {"prompts": {"query": 3}}, r"prompts\.query: 3"),
        ("config_sentence_transformers.json", {"model_type": "CrossEncoder"}, r"holds a 'CrossEncoder'"),
        (
            "config_sentence_transformers.json",
            {"similarity_fn_name": "manhattan"},
            r"similarity_fn_name: manhattan is not supported",
        ),
        (
            "config_sentence_transformers.json",
            {"similarity_fn_name": "cosin"},
            r"'cosin' is unknown; did you mean 'cosine'",
        ),
        (
            "sentence_bert_config.json",
            {"max_seq_length": -5},
            r"sentence_bert_config\.json: max_seq_length: -5 is below 1",
        ),
        ("sentence_bert_config.json", {"model_args": {"gguf_file": "../x"}}, r"model_args: is not supported"),
        (
            "config.json",
            {"quantization_config": {"quant_method": "bitsandbytes"}},
            r"quantised weights are not supported",
        ),
        ("config.json", {"layer_norm_eps": 1e308}, r"layer_norm_eps: 1e\+308 is out of range"),
        ("config.json", {"hidden_act": "none such"}, r"cannot be loaded as a transformer"),
        ("config.json", {"model_type": 7}, r"model_type: is missing"),
        ("adapter_config.json", {"peft_type": "LORA"}, r"holds an adapter"),
    ],
)
def test_settings_of_a_folder_that_make_no_sense(model, file, values, message):
    change(model / file, **values)
    with pytest.raises(InputError, match=message):
        load_encoder(model)


def test_no_pooling_and_no_modules(model):
    modules = json.loads((model / "modules.json").read_text())
    for table, message in (
        (modules[:1], "has no Pooling module"),
        ([], "names no modules"),
        (modules[1:], "cannot begin with 'Pooling'"),
    ):
        (model / "modules.json").write_text(json.dumps(table))
        with pytest.raises(InputError, match=message):
            load_encoder(model)


def test_a_pipe_is_no_file(model):
    (model / "1_Pooling" / "config.json").unlink()
    os.mkfifo(model / "1_Pooling" / "config.json")
    with pytest.raises(InputError, match=r"1_Pooling/config\.json: no such file"):
        load_encoder(model)


# ---- what a model says of itself


def test_pooling_that_leaves_the_prompt_out(model, tmp_path):
    prompts = {"query": "Represent this question: ", "document": "Represent this passage: "}
    modules = [Transformer(str(model)), Pooling(16, "mean", include_prompt=False)]
    SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save(
        str(tmp_path / "instructor"), create_model_card=False
    )
    encoder = load_encoder(tmp_path / "instructor")
    encoder.save(tmp_path / "again")
    for folder in (tmp_path / "instructor", tmp_path / "again"):
        theirs = SentenceTransformer(str(folder), device="cpu")
        options = {"normalize_embeddings": True}
        np.testing.assert_allclose(encoder.encode(TEN, side="query"), theirs.encode_query(TEN, **options), atol=2e-7)
        np.testing.assert_allclose(
            encoder.encode(TEN, side="passage"), theirs.encode_document(TEN, **options), atol=2e-7
        )
    theirs[1].include_prompt = True
    assert np.abs(encoder.encode(TEN, side="query") - theirs.encode_query(TEN)).max() > 1e-3
    with pytest.raises(InputError, match="include_prompt: false"):
        init_encoder(EncoderSettings(kind="pretrained", model=str(tmp_path / "instructor")))


def test_a_model_compared_by_dot_product_keeps_the_lengths_of_its_vectors(model, tmp_path, caplog):
    modules = [Transformer(str(model)), Pooling(16, "mean")]
    theirs = SentenceTransformer(modules=modules, similarity_fn_name="dot", device="cpu")
    with torch.no_grad():  # so that texts have vectors of different lengths
        theirs[0].auto_model.encoder.layer[-1].output.LayerNorm.weight.mul_(torch.linspace(0, 3, 16))
    theirs.save(str(tmp_path / "dot"), create_model_card=False)
    encoder = load_encoder(tmp_path / "dot")
    vectors = encoder.encode(TEN, side="query")
    np.testing.assert_allclose(vectors, theirs.encode_query(TEN), atol=1e-6)
    assert np.ptp(np.linalg.norm(vectors, axis=1)) > 0.1
    encoder.save(tmp_path / "again")
    again = load_encoder(tmp_path / "again")
    np.testing.assert_allclose(again.encode(TEN, side="query"), vectors, atol=1e-6)
    assert SentenceTransformer(str(tmp_path / "again"), device="cpu").similarity_fn_name == "dot"
    trained = init_encoder(
        EncoderSettings(kind="pretrained", model=str(tmp_path / "dot"), query_length=40, passage_length=40)
    )
    assert "compares by dot; trained, it compares by cosine" in caplog.text
    np.testing.assert_allclose(
        trained.encode(TEN, side="query"), vectors / np.linalg.norm(vectors, axis=1, keepdims=True), atol=1e-6
    )


# ---- static models


def static(folder: Path, tokenizer: Tokenizer, tensors: dict[str, torch.Tensor], modules: list[str]) -> Path:
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    if modules:
        paths = [".", "1_Normalize"]
        table = [
            {"idx": i, "name": str(i), "path": paths[i], "type": f"sentence_transformers.models.{k}"}
            for i, k in enumerate(modules)
        ]
        (folder / "modules.json").write_text(json.dumps(table))
    return folder


def test_folders_of_model2vec(tokenizer, tmp_path):
    size = tokenizer.get_vocab_size()
    rows = torch.randn(size, 8, generator=torch.Generator().manual_seed(0))
    mapping, weights = torch.arange(size) % 50, torch.linspace(0.1, 2, size)
    both = ["StaticEmbedding", "Normalize"]
    cases = {
        "plain": ({"embeddings": rows}, both),
        "quantised": ({"embeddings": rows[:50].clone(), "mapping": mapping, "weights": weights}, both),
        "no normalize": ({"embeddings": rows}, both[:1]),
        "bf16": ({"embedding.weight": rows.bfloat16()}, both),
    }
    for name, (tensors, modules) in cases.items():
        folder = static(tmp_path / name, tokenizer, tensors, modules)
        encoder = load_encoder(folder)
        assert isinstance(encoder, StaticEncoder)
        theirs = SentenceTransformer(str(folder), device="cpu").encode_query(TEN, normalize_embeddings=True)
        np.testing.assert_allclose(encoder.encode(TEN, side="query"), theirs, atol=1e-2 if name == "bf16" else 2e-7)
    bare = static(tmp_path / "bare", tokenizer, {"embeddings": rows}, [])
    np.testing.assert_array_equal(
        load_encoder(bare).encode(TEN, side="query"), load_encoder(tmp_path / "plain").encode(TEN, side="query")
    )
    for name, tensors, message in (
        ("int8", {"embeddings": (rows * 30).to(torch.int8)}, "embeddings: is of type I8"),
        ("far", {"embeddings": rows[:50].clone(), "mapping": mapping + 1}, "mapping: integers below 50"),
        ("nan", {"embeddings": rows * torch.nan}, "embeddings: holds numbers that are not finite"),
        ("short", {"embeddings": rows[:-1].clone()}, "tokens need as many rows"),
        ("flat", {"embeddings": rows[:, :0].clone()}, "embeddings: has no numbers in it"),
    ):
        with pytest.raises(InputError, match=message):
            load_encoder(static(tmp_path / name, tokenizer, tensors, both))


def test_prompts_and_similarity_of_a_static_model(tokenizer, tmp_path, caplog):
    rows = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 8)).astype(np.float32)
    prompts = {"query": "question: ", "document": "text: "}
    theirs = SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=rows)], prompts=prompts, similarity_fn_name="dot"
    )
    theirs.save(str(tmp_path / "static"), create_model_card=False)
    encoder = load_encoder(tmp_path / "static")
    for round_ in ("as it came", "saved again"):
        np.testing.assert_allclose(
            encoder.encode(TEN, side="query"), theirs.encode_query(TEN), atol=1e-6, err_msg=round_
        )
        np.testing.assert_allclose(encoder.encode(TEN, side="passage"), theirs.encode_document(TEN), atol=1e-6)
        encoder.save(tmp_path / "again")
        encoder = load_encoder(tmp_path / "again")
    trained = init_encoder(EncoderSettings(kind="pretrained", model=str(tmp_path / "static")))
    assert "its prompts are left out in training" in caplog.text
    vectors = trained.encode(TEN, side="query")
    np.testing.assert_array_equal(vectors, trained.encode(TEN, side="passage"))
    assert set(np.linalg.norm(vectors, axis=1).round(5).tolist()) <= {0.0, 1.0}
