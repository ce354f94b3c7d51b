"""Vectors of a real pretrained encoder, as sentence-transformers has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from tests.encoder.conftest import MIXED
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.files import InputError

TEXTS = [
    "How long does it take to get a refund?",
    "Wie lange dauert es, bis ich mein Geld zurückbekomme?",
    "返金にはどのくらい時間がかかりますか。",
    "كم من الوقت يستغرق استرداد الأموال؟",
    "धन वापसी में कितना समय लगता है?",
    "",
    "a",
    "The parcel left the warehouse on Monday and was handed over at the door on Thursday. "
    * 60,  # longer than it reads
]


@pytest.mark.slow
def test_vectors_equal_those_of_sentence_transformers(e5_small: Path) -> None:
    ours, theirs = load_encoder(e5_small), SentenceTransformer(str(e5_small), device="cpu", local_files_only=True)
    queries = ours.encode(TEXTS, side="query")
    np.testing.assert_allclose(queries, theirs.encode_query(TEXTS), atol=1e-5)
    np.testing.assert_allclose(ours.encode(TEXTS, side="passage"), theirs.encode_document(TEXTS), atol=1e-5)
    # Translations of a question are nearer to it than anything else.
    other = ours.encode(["The cat sleeps on the sofa."], side="query")[0]
    assert (queries[1:5] @ queries[0] > queries[1:5] @ other).all()


SMALL = EncoderSettings(kind="transformer", dim=16, vocab=500, layers=1, heads=2, query_length=24, passage_length=24)


@pytest.fixture(scope="module")
def saved(words, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "model"
    init_encoder(SMALL, words, seed=1).save(folder)
    return folder


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def edit(file: Path, **changes: object) -> None:
    told = json.loads(file.read_text())
    file.write_text(json.dumps({key: value for key, value in {**told, **changes}.items() if value is not None}))


def test_code_beside_a_model_never_runs(model: Path) -> None:
    evil = model / "modeling_evil.py"
    evil.write_text("raise SystemExit('this ran')")
    edit(model / "config.json", auto_map={"AutoModel": "modeling_evil.EvilModel"})
    known = load_encoder(model).encode(MIXED, side="query")
    assert np.isfinite(known).all()  # a known architecture needs none of the code
    edit(model / "config.json", model_type="evil")
    with pytest.raises(InputError, match=r"model: cannot be loaded"):
        load_encoder(model)


def test_another_kind_of_tokenizer_is_named(model: Path) -> None:
    (model / "tokenizer.json").unlink()
    (model / "spiece.model").write_bytes(b"no such thing")
    with pytest.raises(InputError, match="tokenizer"):
        load_encoder(model)


def test_a_tokenizer_without_a_padding_token_gives_the_same_vectors(model: Path, saved: Path) -> None:
    """What pads is masked, so whichever token does makes no difference."""
    expected = load_encoder(saved).encode(MIXED, side="query")
    edit(model / "tokenizer_config.json", pad_token=None)
    special = model / "special_tokens_map.json"
    if special.exists():
        edit(special, pad_token=None)
    np.testing.assert_allclose(load_encoder(model).encode(MIXED, side="query"), expected, atol=2e-6)


def test_a_context_that_the_prefix_fills_is_refused(saved: Path) -> None:
    prefix = "Represent this question for finding passages that answer it, in any language whatever: "
    told = EncoderSettings(kind="pretrained", model=str(saved), query_prefix=prefix, query_length=24)
    with pytest.raises(
        InputError, match=r"24 tokens are read of a query, and the prefix 'Represent.* takes \d+ of the 22"
    ):
        init_encoder(told)
    edit_length = EncoderSettings(kind="pretrained", model=str(saved), passage_length=2)
    with pytest.raises(InputError, match="2 tokens are read of a passage"):
        init_encoder(edit_length)
