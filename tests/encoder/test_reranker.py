"""Cross-encoders: the scores of sentence-transformers, from checked files alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from triglot.encoder import EncoderSettings, init_encoder
from triglot.files import InputError

pytestmark = pytest.mark.slow
PASSAGES = ["the river", "bread and bread", "a mountain, a river and a longer text about bread", "river"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny cross-encoder with a head that tells passages apart."""
    import torch
    from sentence_transformers import CrossEncoder

    from triglot.encoder.transformer import quiet

    place = tmp_path_factory.mktemp("model")
    known = {"en": {"river": 5, "bread": 4, "mountain": 3, "longer": 2, "text": 2}}
    init_encoder(EncoderSettings(kind="transformer", dim=16, vocab=300, layers=1, heads=2), known, seed=1).save(
        place / "start"
    )
    with quiet():
        model = CrossEncoder(str(place / "start"), num_labels=1, device="cpu", local_files_only=True)
        with torch.no_grad():
            head = model.model.classifier.weight  # type: ignore[union-attr]
            head.copy_(torch.linspace(-4, 4, head.numel()).reshape(head.shape))
        model.save_pretrained(str(place / "cross"))
    return place


def test_the_scores_are_those_of_sentence_transformers(folder: Path) -> None:
    from sentence_transformers import CrossEncoder

    from triglot.encoder.reranker import load_reranker
    from triglot.encoder.transformer import quiet

    with quiet():
        other = CrossEncoder(str(folder / "cross"), device="cpu", local_files_only=True)
    wanted = other.predict([("river", one) for one in PASSAGES], show_progress_bar=False)
    reranker = load_reranker(folder / "cross")
    assert reranker("river", PASSAGES) == pytest.approx(wanted, abs=1e-7)
    assert len(set(np.round(wanted, 6))) == len(PASSAGES)
    assert reranker("river", []).shape == (0,)


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("config.json", {"id2label": {"0": "a", "1": "b"}}, "has 2 labels"),
        ("config_sentence_transformers.json", {"activation_fn": "os.system"}, "neither torch.nn.Sigmoid"),
        ("config_sentence_transformers.json", {"model_type": "SentenceTransformer"}, "model_type"),
        ("config_sentence_transformers.json", {"prompts": {"query": "x"}}, "has prompts"),
        ("modules.json", [{"idx": 0, "name": "0", "path": "", "type": "evil.Code"}], "code of the model's own"),
    ],
)
def test_what_is_no_cross_encoder_is_refused(
    folder: Path, tmp_path: Path, name: str, change: object, match: str
) -> None:
    from triglot.encoder.reranker import load_reranker

    shutil.copytree(folder / "cross", tmp_path / "m")
    file = tmp_path / "m" / name
    value = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**value, **change} if isinstance(change, dict) else change), "utf-8")
    with pytest.raises(InputError, match=match):
        load_reranker(tmp_path / "m")
    with pytest.raises(InputError, match="is no cross-encoder"):
        load_reranker(folder / "start")


def test_weights_that_are_a_pickle_or_lack_the_head_are_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    from triglot.encoder.reranker import load_reranker

    shutil.copytree(folder / "cross", tmp_path / "m")
    weights = load_file(tmp_path / "m" / "model.safetensors")
    save_file({key: one for key, one in weights.items() if "classifier" not in key}, tmp_path / "m/model.safetensors")
    with pytest.raises(InputError, match="lack classifier"):
        load_reranker(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").rename(tmp_path / "m" / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickle"):
        load_reranker(tmp_path / "m")
