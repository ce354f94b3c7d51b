"""The static encoder against a naive mean and against sentence-transformers; its files; no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from tests.encoder.conftest import MIXED, TEXTS
from triglot.encoder.card import Card, card_text
from triglot.encoder.static import Affine, StaticEncoder, bag_means, is_static, load_static
from triglot.files import InputError

ALL = [text for column in TEXTS.values() for text in column] + MIXED


def rows(tokenizer: Tokenizer, dim: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((tokenizer.get_vocab_size(), dim)).astype(np.float32)


def affine(dim_in: int, dim_out: int) -> Affine:
    rng = np.random.default_rng(7)
    return Affine(
        rng.standard_normal((dim_out, dim_in)).astype(np.float32), rng.standard_normal(dim_out).astype(np.float32)
    )


@pytest.fixture
def encoder(tokenizer) -> StaticEncoder:
    return StaticEncoder(tokenizer, rows(tokenizer))


def by_sentence_transformers(path: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return np.asarray(SentenceTransformer(str(path), device="cpu", local_files_only=True).encode(texts))


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=8))
def test_bag_means(bags):
    table = np.random.default_rng(1).standard_normal((10, 3)).astype(np.float32)
    offsets = np.cumsum([0] + [len(bag) for bag in bags])
    means = bag_means(table, np.array([i for bag in bags for i in bag], np.int32), offsets)
    expected = np.array([table[bag].mean(0) if bag else np.zeros(3) for bag in bags]).reshape(-1, 3)
    assert means.dtype == np.float32
    np.testing.assert_allclose(means, expected, atol=1e-6)


def test_vectors_are_normalised_means(encoder):
    vectors = encoder.encode(ALL, side="query")
    for text, vector in zip(ALL, vectors, strict=True):
        ids = encoder.tokenizer.encode(text).ids
        mean = encoder.embeddings[ids].astype(np.float64).mean(0) if ids else np.zeros(encoder.dim)
        # Float32 sums of 900 rows.
        np.testing.assert_allclose(vector, mean / max(np.linalg.norm(mean), 1e-12), atol=1e-5)
    assert np.array_equal(vectors, encoder.encode(ALL, side="passage", progress=True))
    assert not vectors[ALL.index("")].any()


def test_many_texts_are_encoded_in_blocks(encoder):
    texts = [f"the bridge {i}" for i in range(9000)]
    vectors = encoder.encode(texts, side="passage")
    some = [0, 8191, 8192, 8999]
    assert np.array_equal(vectors[some], encoder.encode([texts[i] for i in some], side="passage"))
    assert encoder.encode([], side="query").shape == (0, encoder.dim)


def test_sentence_transformers_gives_the_same_vectors(encoder, tmp_path):
    encoder.save(tmp_path / "model")
    np.testing.assert_allclose(
        by_sentence_transformers(tmp_path / "model", ALL), encoder.encode(ALL, side="query"), atol=1e-6
    )


def test_truncation_travels_with_the_model(tokenizer, tmp_path):
    short = Tokenizer.from_str(tokenizer.to_str())
    short.enable_truncation(7)
    encoder = StaticEncoder(short, rows(tokenizer))
    assert np.diff(encoder.tokenize(ALL)[1]).max() == 7
    encoder.save(tmp_path / "model")
    again = load_static(tmp_path / "model")
    vectors = again.encode(ALL, side="query")
    assert np.array_equal(vectors, encoder.encode(ALL, side="query"))
    np.testing.assert_allclose(by_sentence_transformers(tmp_path / "model", ALL), vectors, atol=1e-6)


def test_affine_maps_are_dense_modules(tokenizer, tmp_path):
    encoder = StaticEncoder(tokenizer, rows(tokenizer), after=[affine(24, 24), affine(24, 10)])
    assert encoder.dim == 10
    encoder.save(tmp_path / "model")
    vectors = encoder.encode(ALL, side="query")
    assert np.array_equal(load_static(tmp_path / "model").encode(ALL, side="query"), vectors)
    np.testing.assert_allclose(by_sentence_transformers(tmp_path / "model", ALL), vectors, atol=2e-6)


def test_what_sentence_transformers_saves_can_be_read(tokenizer, tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    model = SentenceTransformer(
        modules=[StaticEmbedding(Tokenizer.from_str(tokenizer.to_str()), embedding_weights=rows(tokenizer))],
        device="cpu",
    )
    model.save(str(tmp_path / "model"))
    encoder = load_static(tmp_path / "model")
    np.testing.assert_allclose(
        encoder.encode(ALL, side="query"), model.encode(ALL, normalize_embeddings=True), atol=1e-6
    )


def test_saving_again_replaces_and_loses_nothing(encoder, tmp_path):
    encoder.save(tmp_path / "model", card=Card(title="First"))
    (tmp_path / "model" / "stale.txt").write_text("old")
    encoder.with_rows(encoder.embeddings * 2, name="second").save(tmp_path / "model")
    assert not (tmp_path / "model" / "stale.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert np.array_equal(load_static(tmp_path / "model").embeddings, encoder.embeddings * 2)
    assert not (tmp_path / "model" / "model.safetensors").stat().st_mode & 0o044 ^ 0o044


def test_other_rows(encoder):
    other = encoder.with_rows(encoder.embeddings[::-1])
    assert other.name == encoder.name
    assert not np.array_equal(other.encode(ALL[:3], side="query"), encoder.encode(ALL[:3], side="query"))
    with pytest.raises(InputError, match="rows of shape"):
        encoder.with_rows(encoder.embeddings[:, 1:])


def test_encoding_needs_no_torch(encoder, tmp_path):
    encoder.save(tmp_path / "model")
    program = (
        "import sys; from triglot.encoder import load_encoder; encoder = load_encoder(sys.argv[1]);"
        "assert encoder.encode(['the bridge', '桥'], side='query').shape == (2, encoder.dim);"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'scipy', 'pyarrow', 'matplotlib', "
        "'sentencepiece'} & set(sys.modules);"
        "sys.exit(f'{heavy} imported' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "model")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.encode(["a"], side="qurey"), "'qurey'; did you mean 'query'"),
        (lambda e: e.encode("one text", side="query"), "a list of texts"),
        (lambda e: e.encode(["a", 3], side="query"), "text 1 is int"),
        (lambda e: e.encode([None], side="query"), "text 0 is NoneType"),
        (lambda e: e.encode(["\ud800"], side="query"), "surrogate"),
        (lambda e: StaticEncoder(e.tokenizer, e.embeddings[:-1]), "need as many rows"),
        (lambda e: StaticEncoder(e.tokenizer, e.embeddings[0]), "need as many rows"),
        (lambda e: StaticEncoder(e.tokenizer, e.embeddings, after=[affine(5, 5)]), "does not take 24"),
    ],
)
def test_what_cannot_be_encoded(encoder, call, message):
    with pytest.raises(InputError, match=message):
        call(encoder)


def spoil(folder: Path, how: str) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    if how == "no tokenizer":
        (folder / "tokenizer.json").unlink()
    elif how == "broken tokenizer":
        (folder / "tokenizer.json").write_text('{"model": 3}')
    elif how == "no weights":
        (folder / "model.safetensors").unlink()
    elif how == "truncated weights":
        (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    elif how == "other weights":
        save_file(
            {"embeding.weight": load_file(folder / "model.safetensors")["embedding.weight"]},
            folder / "model.safetensors",
        )
    elif how == "strange module":
        modules[1]["type"] = "sentence_transformers.models.Normalise"
    elif how == "no type":
        del modules[1]["type"]
    elif how == "not static":
        modules[0]["type"] = "sentence_transformers.models.Transformer"
    elif how == "tanh":
        config = json.loads((folder / "2_Dense" / "config.json").read_text())
        (folder / "2_Dense" / "config.json").write_text(
            json.dumps({**config, "activation_function": "torch.nn.modules.activation.Tanh"})
        )
    elif how == "early dense":
        modules.pop(1)
    (folder / "modules.json").write_text("[" if how == "broken modules" else json.dumps(modules))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no tokenizer", r"tokenizer\.json: no such file"),
        ("broken tokenizer", r"tokenizer\.json: not a tokenizer"),
        ("no weights", r"model\.safetensors: no such file"),
        ("truncated weights", r"model\.safetensors: cannot be read"),
        ("other weights", r"no tensor 'embedding\.weight'; did you mean 'embeding"),
        ("strange module", r"'Normalise'; did you mean 'Normalize'"),
        ("no type", r"modules\.json: not a list of modules"),
        ("not static", r"first module is Transformer"),
        ("tanh", r"2_Dense.*Identity"),
        ("early dense", r"after a Normalize"),
        ("broken modules", r"modules\.json:1: not JSON"),
    ],
)
def test_damaged_models(tokenizer, tmp_path, how, message):
    StaticEncoder(tokenizer, rows(tokenizer), after=[affine(24, 24)]).save(tmp_path / "model")
    spoil(tmp_path / "model", how)
    with pytest.raises(InputError, match=message):
        load_static(tmp_path / "model")


def test_where_nothing_can_be_written(encoder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        encoder.save(tmp_path / "file" / "model")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_is_static(encoder, tmp_path):
    encoder.save(tmp_path / "model")
    assert is_static(tmp_path / "model")
    assert not is_static(tmp_path)


def test_the_model_card():
    card = Card(
        title="A model",
        languages=["en", "no"],
        licence="apache-2.0",
        sources={"bitext": "CC BY 4.0", "own": ""},
        training=["3,000 steps"],
        results="| a |",
    )
    text = card_text(card, kind="static", dim=8, query_prefix="query: ")
    head = yaml.safe_load(text.split("---")[1])
    assert head["language"] == ["en", "no"]
    assert head["license"] == "apache-2.0"
    assert head["library_name"] == "sentence-transformers"
    for part in ("# A model", "| bitext | CC BY 4.0 |", "| own | not stated |", "- 3,000 steps", "| a |", "'query: '"):
        assert part in text
    assert "license" not in yaml.safe_load(card_text(Card(), kind="static", dim=8).split("---")[1])
