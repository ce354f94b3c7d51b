"""Cross-encoders from a folder: a question and a passage read together, as one score."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import CrossEncoder
from torch import nn

from triglot.encoder.computing import USUAL, Computing, check_device
from triglot.encoder.pretrained import explained
from triglot.encoder.static import checked_texts
from triglot.encoder.transformer import quiet
from triglot.files import InputError, check_choice, read_json
from triglot.model_files.folder import present, read_parts, stage_transformer
from triglot.model_files.weights import check_finite, check_loaded, reports
from triglot.shapes import shaped

_ACTIVATIONS = {"Identity": nn.Identity, "Sigmoid": nn.Sigmoid}
_BATCH = 32
_LONGEST = 512  # tokens of a pair, where the model does not say


class Reranker:
    """Scores of passages for a question: `reranker(question, passages)`.

    Args:
        model: with one output.
        name: for messages.
        batch_size: pairs of a batch.
    """

    def __init__(self, model: CrossEncoder, name: str, batch_size: int = _BATCH):
        self.model, self.name, self._batch = model, name, batch_size

    def __call__(self, question: str, passages: Sequence[str]) -> np.ndarray:
        """(passages,) float32, higher for what answers better.

        Raises InputError for what is no text in UTF-8.
        """
        pairs = [(question, passage) for passage in checked_texts([question, *passages])[1:]]
        if not pairs:
            return np.empty(0, np.float32)
        scores = self.model.predict(pairs, batch_size=self._batch, show_progress_bar=False)
        return np.asarray(scores, np.float32).reshape(len(pairs))


def load_reranker(folder: str | Path, *, computing: Computing = USUAL) -> Reranker:
    """A cross-encoder of sentence-transformers, or a Hugging Face model for sequence classification with one label.

    Args:
        folder: with `config.json`, safetensors and a tokenizer.
        computing: device and batch size; precision and backend are those of torch, in fp32.

    Raises:
        InputError: no model there, code of its own, weights that are not safetensors, are not finite or do not fit
            `config.json`, several labels, or a model that is no cross-encoder.
    """
    folder = Path(folder)
    if computing.backend != "torch" or computing.precision not in ("", "fp32"):
        raise InputError(f"{folder}: a cross-encoder computes by torch in fp32; leave out --backend and --precision")
    if computing.device:
        check_device(computing.device)
    parts = read_parts(folder)
    if [part.kind for part in parts] != ["Transformer"]:
        kinds = ", ".join(part.kind for part in parts)
        raise InputError(f"{folder}: is no cross-encoder, but {kinds}; a Transformer alone was expected")
    place, told = parts[0].folder, _document(folder / "config_sentence_transformers.json")
    check_choice(f"{folder}: model_type", told.get("model_type", "CrossEncoder"), ("CrossEncoder",))
    if any((told.get("prompts") or {}).values()):
        raise InputError(f"{folder}: has prompts, which cross-encoders get none of here")
    said = _document(place / "config.json")
    labels = said.get("id2label") or {}
    if len(labels) != 1 and said.get("num_labels", len(labels)) != 1:
        raise InputError(f"{place / 'config.json'}: has {len(labels) or 2} labels; a re-ranker gives one score")
    with tempfile.TemporaryDirectory(prefix="triglot-model-") as root:
        stage_transformer(place, Path(root))
        settings = json.loads((Path(root) / "config.json").read_text("utf-8"))
        settings = {key: value for key, value in settings.items() if key not in _OF_ACTIVATION}
        settings |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        (Path(root) / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        longest = _longest(place, settings)
        with explained(folder, Path(root)), quiet(), reports() as loads:
            model = CrossEncoder(
                root,
                device=computing.device or None,
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
                max_length=longest,
                activation_fn=_activation(folder, told, said),
            )
            for loaded, report in loads:
                check_loaded(report, loaded, str(folder))
                if missing := sorted(map(str, report.get("missing_keys", ()))):
                    raise InputError(f"{folder}: the weights lack {', '.join(missing[:3])}: it is no cross-encoder")
    check_finite(model.state_dict().items(), str(folder))
    model.eval()
    return Reranker(model, folder.resolve().name, computing.batch_size or _BATCH)


def _document(file: Path) -> dict[str, Any]:
    return shaped(read_json(file), dict[str, Any], str(file)) if present(file) else {}


def _longest(place: Path, settings: dict[str, Any]) -> int:
    """Tokens of a pair: what the model's folder says, within its positions."""
    said = _document(place / "sentence_bert_config.json").get("max_seq_length")
    said = said or _document(place / "tokenizer_config.json").get("model_max_length") or _LONGEST
    positions = settings.get("max_position_embeddings") or _LONGEST
    reserved = 2 if "roberta" in settings["model_type"] else 0
    if not isinstance(said, int | float) or not isinstance(positions, int):
        raise InputError(f"{place}: max_seq_length: {said!r:.40} is no number")
    return max(int(min(said, positions - reserved)), 8)


_OF_ACTIVATION = ("sentence_transformers", "sbert_ce_default_activation_function")


def _activation(folder: Path, told: dict[str, Any], said: dict[str, Any]) -> nn.Module:
    """What makes a score of the output: the sigmoid where the folder names nothing."""
    older = said.get("sentence_transformers")
    name = told.get("activation_fn") or (older.get("activation_fn") if isinstance(older, dict) else "")
    name = str(name or said.get("sbert_ce_default_activation_function") or "torch.nn.Sigmoid")
    origin, _, last = name.rpartition(".")
    if not origin.startswith("torch.nn") or last not in _ACTIVATIONS:
        raise InputError(f"{folder}: activation_fn: {name[:80]} is neither torch.nn.Sigmoid nor torch.nn.Identity")
    return _ACTIVATIONS[last]()
