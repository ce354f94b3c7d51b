"""Layers left out: the vectors of a model that never had them, saved and in sentence-transformers; what cannot be cut
is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from transformers import AlbertConfig, AlbertModel, ModernBertConfig, ModernBertModel

from tests.encoder.conftest import TEXTS
from tests.encoder.test_transformer import SMALL, labse, xlm_r
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.layers import chosen_layers, every_second, layer_count, spread, with_layers
from triglot.files import InputError, SettingError

ALL = [text for column in TEXTS.values() for text in column]


@given(st.integers(1, 60), st.data())
def test_layers_are_evenly_spread(layers: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, layers))
    found = spread(count, layers)
    assert len(found) == count
    assert found[-1] == layers
    assert count == 1 or found[0] == 1
    gaps = np.diff(found)
    assert gaps.min(initial=1) >= 1
    assert gaps.max(initial=1) - gaps.min(initial=gaps.max(initial=1)) <= 1
    assert every_second(layers) == [one for one in range(1, layers + 1) if (layers - one) % 2 == 0]


def test_those_that_are_named() -> None:
    assert spread(6, 12) == [1, 3, 5, 8, 10, 12]
    assert chosen_layers(3, 12) == spread(3, 12)
    assert chosen_layers((2, 4, 12), 12) == [2, 4, 12]
    for asked, said in (
        (13, "13 layers, but the model has 12"),
        ((2, 13), "layer 13, but"),
        ((0, 2), "the layers 1 to 12"),
        ((2, 1), "from the lowest to the highest"),
        ((2, 2), "each layer once"),
        ((), "no layer is named"),
    ):
        with pytest.raises(SettingError, match=said):
            chosen_layers(asked, 12)


def deep(folder: Path, words) -> Path:
    """A transformer of five layers that differ."""
    encoder = init_encoder(
        EncoderSettings(kind="transformer", dim=16, vocab=300, layers=5, heads=2, query_length=20), words, seed=2
    )
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in encoder.model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    encoder.save(folder)
    return folder


def test_vectors_are_those_of_a_model_that_never_had_the_others(tmp_path: Path, words) -> None:
    folder = deep(tmp_path / "deep", words)
    whole = load_encoder(folder)
    expected = init_encoder(
        EncoderSettings(kind="transformer", dim=16, vocab=300, layers=3, heads=2, query_length=20), words, seed=2
    )
    state, numbers = whole.model.state_dict(), {"0": "0", "1": "2", "2": "4"}

    def named(key: str) -> str:
        before, layer, after = key.partition("encoder.layer.")
        return f"{before}{layer}{numbers[after[0]]}{after[1:]}" if layer else key

    expected.model.load_state_dict({key: state[named(key)] for key in expected.model.state_dict()})
    made = init_encoder(EncoderSettings(kind="pretrained", model=str(folder), keep_layers=(1, 3, 5), query_length=20))
    assert layer_count(made) == 3
    for side in ("query", "passage"):
        np.testing.assert_allclose(made.encode(ALL, side=side), expected.encode(ALL, side=side), atol=1e-6)
        assert not np.allclose(made.encode(ALL, side=side), whole.encode(ALL, side=side), atol=1e-2)
    made.save(tmp_path / "cut")
    theirs = SentenceTransformer(str(tmp_path / "cut"), device="cpu", local_files_only=True)
    np.testing.assert_allclose(theirs.encode_query(ALL), made.encode(ALL, side="query"), atol=2e-6)
    again = load_encoder(tmp_path / "cut")
    np.testing.assert_allclose(again.encode(ALL, side="passage"), made.encode(ALL, side="passage"), atol=1e-6)


@pytest.mark.parametrize("kind", ["xlm-r", "labse"])
def test_all_layers_are_the_whole_model(tmp_path: Path, tokenizer, kind: str) -> None:
    folder = xlm_r(tmp_path / kind, tokenizer) if kind == "xlm-r" else labse(tmp_path / kind)
    whole = load_encoder(folder)
    expected = whole.encode(ALL, side="query")
    assert np.array_equal(with_layers(load_encoder(folder), [1, 2]).encode(ALL, side="query"), expected)


def modern(folder: Path, tokenizer) -> Path:
    """A bare folder as of ModernBERT, some of whose layers look at near tokens alone."""
    place = xlm_r(folder, tokenizer)
    torch.manual_seed(0)
    config = ModernBertConfig(
        vocab_size=tokenizer.get_vocab_size() + 2,
        hidden_size=16,
        num_hidden_layers=6,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        local_attention=4,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        cls_token_id=0,
        sep_token_id=2,
        initializer_range=0.5,
    )
    ModernBertModel(config).eval().save_pretrained(place)
    return place


def test_layers_of_several_kinds_keep_theirs_and_one_that_is_first_stays(tmp_path: Path, tokenizer) -> None:
    folder = modern(tmp_path / "modern", tokenizer)
    for kept in ([1, 2, 3, 4, 5, 6], [1, 4], [1, 2, 4]):
        encoder = load_encoder(folder)
        kinds = [encoder.model[0].auto_model.config.layer_types[one - 1] for one in kept]
        made = with_layers(encoder, kept)
        assert made.model[0].auto_model.config.layer_types == kinds
        made.save(tmp_path / "cut")
        again = load_encoder(tmp_path / "cut")
        np.testing.assert_allclose(again.encode(ALL, side="query"), made.encode(ALL, side="query"), atol=1e-5)
    with pytest.raises(InputError, match="layers of a modernbert model cannot be left out"):  # the first has no norm
        with_layers(load_encoder(folder), [2, 3, 5])


def test_layers_that_are_one_are_refused(tmp_path: Path, tokenizer) -> None:
    folder = xlm_r(tmp_path / "albert", tokenizer)
    sizes = {"hidden_size": 16, "embedding_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
    config = AlbertConfig(
        vocab_size=tokenizer.get_vocab_size() + 2, num_hidden_layers=4, max_position_embeddings=64, **sizes
    )
    AlbertModel(config).save_pretrained(folder)
    with pytest.raises(InputError, match="the layers of a albert model are not known"):
        with_layers(load_encoder(folder), [1])


def test_settings_say_which_key_is_wrong(tmp_path: Path, words) -> None:
    init_encoder(SMALL, words, seed=3).save(tmp_path / "two")
    with pytest.raises(InputError, match=r"encoder\.keep_layers: 4 layers, but the model has 2 \(two\)"):
        init_encoder(EncoderSettings(kind="pretrained", model=str(tmp_path / "two"), keep_layers=4))
    init_encoder(EncoderSettings(dim=8, vocab=400), words, seed=3).save(tmp_path / "bag")
    with pytest.raises(InputError, match=r"encoder\.keep_layers: goes with transformers; bag is a static encoder"):
        init_encoder(EncoderSettings(kind="pretrained", model=str(tmp_path / "bag"), keep_layers=1))
    with pytest.raises(SettingError, match="keep_layers: goes with pretrained models"):
        EncoderSettings(kind="transformer", keep_layers=2)
    for wrong in (0, (0, 1), 1.5):
        with pytest.raises(SettingError, match="keep_layers"):
            EncoderSettings(kind="pretrained", model="x", keep_layers=wrong)
