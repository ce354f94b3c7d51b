"""A bag of subwords: the unit-length mean of a row a token. NumPy, tokenizers and safetensors alone; torch is never imported.

The mean is plain, as in sentence-transformers' `StaticEmbedding`. Learned token weights belong into the rows
(`rows * weights[:, None]`): the sum then weighs them, and the division by the number of tokens vanishes in the normalisation.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from triglot.encoder.card import Card, card_text
from triglot.encoder.tokenizer import WordTokenizer
from triglot.files import InputError, atomic_folder, nearest, read_json
from triglot.progress import Bar

SIDES = ("query", "passage")
_BLOCK = 8192  # texts between two steps of the progress bar
_NORMALIZE = {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"}


@dataclass(frozen=True)
class Affine:
    """x -> weight @ x + bias, between two normalisations: what post-hoc debiasing adds (a `Dense` in the saved model).

    Attributes:
        weight: (out, in) float32.
        bias: (out,) float32.
    """

    weight: np.ndarray
    bias: np.ndarray


class StaticEncoder:
    """Encodes a text as the L2-normalised mean of the rows of its tokens.

    A text without tokens (empty, or white space alone) has the zero vector, so its score with anything is 0; affine maps, if there are
    any, see that zero vector like any other, as they do in sentence-transformers.

    Attributes:
        tokenizer: its truncation, if any, is the longest text that is read; no special tokens are added.
        embeddings: (vocab, dim) float32, one row a token.
        after: affine maps of the unit vector, each followed by another normalisation.
        name: shown in tables.
    """

    kind = "static"

    def __init__(self, tokenizer: Tokenizer, embeddings: np.ndarray, *, after: Sequence[Affine] = (), name: str = "static"):
        """
        Args:
            tokenizer: a copy is kept.
            embeddings: (vocab, dim), converted to float32.
            after: see the class.
            name: see the class.

        Raises:
            InputError: the shapes do not fit one another.
        """
        embeddings = np.ascontiguousarray(embeddings, np.float32)
        if embeddings.ndim != 2 or len(embeddings) < tokenizer.get_vocab_size():
            raise InputError(f"{tokenizer.get_vocab_size()} tokens need as many rows; the embeddings have the shape {embeddings.shape}")
        self.tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self.tokenizer.no_padding()
        self._words = WordTokenizer(self.tokenizer)
        self.embeddings = embeddings
        self.after = tuple(after)
        self.name = name
        width = embeddings.shape[1]
        for step in self.after:
            if step.weight.ndim != 2 or step.weight.shape[1] != width or step.bias.shape != step.weight.shape[:1]:
                raise InputError(f"an affine map of shape {step.weight.shape} and {step.bias.shape} does not take {width} dimensions")
            width = len(step.weight)
        self.dim = int(width)

    @property
    def parameters(self) -> int:
        """Numbers learned."""
        return int(self.embeddings.size + sum(step.weight.size + step.bias.size for step in self.after))

    @property
    def pieces(self) -> list[str]:
        """The token of each id."""
        vocabulary = self.tokenizer.get_vocab()
        return sorted(vocabulary, key=vocabulary.__getitem__)

    def with_rows(self, embeddings: np.ndarray, *, name: str | None = None) -> StaticEncoder:
        """The same encoder with other rows; the tokenizer and what it remembers are shared, so this costs nothing.

        Args:
            embeddings: of the shape of `embeddings`.
            name: None keeps the name.

        Raises:
            InputError: another shape.
        """
        embeddings = np.ascontiguousarray(embeddings, np.float32)
        if embeddings.shape != self.embeddings.shape:
            raise InputError(f"rows of shape {self.embeddings.shape} were expected, not {embeddings.shape}")
        other = copy.copy(self)
        other.embeddings = embeddings
        other.name = name or self.name
        return other

    def tokenize(self, texts: Sequence[str], *, side: str = "query") -> tuple[np.ndarray, np.ndarray]:
        """(tokens,) int32 ids and (texts + 1,) int64 offsets, truncated as the tokenizer says; the same for either side."""
        check_side(side)
        return self._words(texts)

    def encode(self, texts: Sequence[str], *, side: str, progress: bool = False) -> np.ndarray:
        """Unit vectors of texts.

        Args:
            texts: any sequence of str.
            side: "query" or "passage". Both are encoded alike: a prefix would shift every bag.
            progress: a bar on stderr.

        Returns:
            (texts, dim) float32.

        Raises:
            InputError: an unknown side, or a text that is not Unicode text.
        """
        check_side(side)
        texts = checked_texts(texts)
        out = np.empty((len(texts), self.dim), np.float32)
        for start in _steps(len(texts), _BLOCK, f"encoding {side}", progress):
            ids, offsets = self._words(texts[start : start + _BLOCK])
            out[start : start + _BLOCK] = self.encode_ids(ids, offsets)
        return out

    def encode_ids(self, ids: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """As `encode`, for ids that were tokenised before: (tokens,) ids, (texts + 1,) offsets -> (texts, dim) float32."""
        vectors = bag_means(self.embeddings, ids, offsets)
        for step in self.after:
            _normalize(vectors)
            vectors = vectors @ step.weight.T.astype(np.float32) + step.bias.astype(np.float32)
        return _normalize(vectors)

    def save(self, path: str | os.PathLike[str], *, card: Card | None = None) -> None:
        """Write a sentence-transformers directory, whole or not at all; `SentenceTransformer(path)` gives the same vectors.

        Args:
            path: the folder; an older one is replaced.
            card: what the model card says.

        Raises:
            InputError: the folder cannot be written.
        """
        modules = [("", "StaticEmbedding"), ("1_Normalize", "Normalize")]
        for _ in self.after:
            modules += [(f"{len(modules)}_Dense", "Dense"), (f"{len(modules) + 1}_Normalize", "Normalize")]
        with atomic_folder(path) as folder:
            # The module paths of before 6.0: newer versions of sentence-transformers read them as well.
            table = [{"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{t}"} for i, (p, t) in enumerate(modules)]
            _write_json(folder / "modules.json", table)
            settings = {"prompts": {"query": "", "document": ""}, "default_prompt_name": None, "similarity_fn_name": "cosine"}
            _write_json(folder / "config_sentence_transformers.json", {"model_type": "SentenceTransformer", **settings})
            (folder / "tokenizer.json").write_text(self.tokenizer.to_str(), encoding="utf-8", newline="\n")
            save_file({"embedding.weight": self.embeddings}, folder / "model.safetensors")
            steps = iter(self.after)
            for name, kind in modules[1:]:
                (folder / name).mkdir()
                if kind == "Normalize":
                    _write_json(folder / name / "config.json", _NORMALIZE)
                    continue
                step = next(steps)
                shape = {"in_features": step.weight.shape[1], "out_features": step.weight.shape[0], "bias": True}
                _write_json(folder / name / "config.json", {**shape, "activation_function": "torch.nn.modules.linear.Identity"})
                arrays = {"linear.weight": step.weight, "linear.bias": step.bias}
                save_file({k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()}, folder / name / "model.safetensors")
            text = card_text(card or Card(), kind="mean of static token vectors", dim=self.dim)
            (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")
            readable_by_all(folder)


def bag_means(embeddings: np.ndarray, ids: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Mean of the rows of each bag; zeros for an empty one.

    Args:
        embeddings: (vocab, dim) float32.
        ids: (tokens,) integers.
        offsets: (bags + 1,) ascending; bag i is ids[offsets[i]:offsets[i + 1]].

    Returns:
        (bags, dim) float32.
    """
    out = np.zeros((len(offsets) - 1, embeddings.shape[1]), np.float32)
    bounds = offsets.tolist()
    # One gather and one sum a bag stays in the cache: as fast as a sparse product, several times faster than reduceat over many bags.
    for row, (start, end) in enumerate(itertools.pairwise(bounds)):
        if end > start:
            np.add.reduce(embeddings[ids[start:end]], axis=0, out=out[row])
    lengths = np.maximum(np.diff(offsets), 1).astype(np.float32)
    out /= lengths[:, None]
    return out


def is_static(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a sentence-transformers model whose first module is a `StaticEmbedding`."""
    modules = Path(path) / "modules.json"
    return modules.is_file() and any(kind == "StaticEmbedding" for kind, _ in _modules(Path(path))[:1])


def load_static(path: str | os.PathLike[str], *, name: str | None = None) -> StaticEncoder:
    """Read a static encoder: ours, or any sentence-transformers directory of StaticEmbedding, Normalize and linear Dense modules.

    Args:
        path: the folder.
        name: shown in tables; None: the folder's name.

    Raises:
        InputError: a file is missing, broken or of another kind; the message names it.
    """
    folder = Path(path)
    modules = _modules(folder)
    if not modules or modules[0][0] != "StaticEmbedding":
        raise InputError(f"{folder / 'modules.json'}: not a static encoder (its first module is {modules[0][0] if modules else 'missing'})")
    root = folder / modules[0][1]
    tokenizer_file = root / "tokenizer.json"
    if not tokenizer_file.is_file():
        raise InputError(f"{tokenizer_file}: no such file")
    try:
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
    except Exception as error:  # tokenizers raises plain Exception
        raise InputError(f"{tokenizer_file}: not a tokenizer ({error})") from None
    rows = _tensor(root / "model.safetensors", "embedding.weight")
    after: list[Affine] = []
    previous = "StaticEmbedding"
    for kind, subfolder in modules[1:]:
        if kind == "Dense":
            if previous != "Normalize":
                raise InputError(f"{folder / 'modules.json'}: a Dense module of a static encoder must stand after a Normalize module")
            after.append(_affine(folder / subfolder))
        elif kind != "Normalize":
            raise InputError(
                f"{folder / 'modules.json'}: a static encoder cannot have a module {kind!r}{nearest(kind, ('Dense', 'Normalize'))}"
            )
        previous = kind
    return StaticEncoder(tokenizer, rows, after=after, name=name or folder.resolve().name)


def _modules(folder: Path) -> list[tuple[str, str]]:
    """(class name, subfolder) of each module."""
    file = folder / "modules.json"
    table = read_json(file)
    try:
        return [(str(module["type"]).rsplit(".", 1)[-1], str(module["path"])) for module in sorted(table, key=lambda m: m["idx"])]
    except (TypeError, KeyError) as error:
        raise InputError(f"{file}: not a list of modules with idx, path and type ({error})") from None


def _tensor(file: Path, key: str) -> np.ndarray:
    if not file.is_file():
        raise InputError(f"{file}: no such file (weights are read from safetensors only)")
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file}: cannot be read as safetensors ({error})") from None
    if key not in tensors:
        raise InputError(f"{file}: no tensor {key!r}{nearest(key, tensors)}")
    return tensors[key].astype(np.float32, copy=False)


def _affine(folder: Path) -> Affine:
    config = read_json(folder / "config.json")
    if not str(config.get("activation_function", "")).endswith("Identity"):
        raise InputError(f"{folder / 'config.json'}: activation_function must be Identity in a static encoder")
    weight = _tensor(folder / "model.safetensors", "linear.weight")
    bias = _tensor(folder / "model.safetensors", "linear.bias") if config.get("bias", True) else np.zeros(len(weight), np.float32)
    return Affine(weight, bias)


def _normalize(vectors: np.ndarray) -> np.ndarray:
    """Divide rows by their length, in place; as torch's F.normalize, lengths under 1e-12 count as 1e-12."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    vectors /= np.maximum(lengths, 1e-12)[:, None]
    return vectors


def readable_by_all(folder: Path) -> None:
    """Safetensors makes files that only their owner may read; a model is to be shared like the files beside it."""
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)


def check_side(side: str) -> None:
    """Raise InputError unless `side` is "query" or "passage"."""
    if side not in SIDES:
        raise InputError(f"no side {side!r}{nearest(side, SIDES)}")


def checked_texts(texts: Sequence[str]) -> list[str]:
    """The texts as a list; InputError names the first that is no str."""
    if isinstance(texts, str | bytes):
        raise InputError("a list of texts was expected, not one text")
    result = list(texts)
    for i, text in enumerate(result):
        if not isinstance(text, str):
            raise InputError(f"text {i} is {type(text).__name__}, a str was expected")
    return result


def _steps(total: int, size: int, what: str, progress: bool) -> Iterator[int]:
    with Bar(what, progress, total) as bar:
        for start in range(0, total, size):
            yield start
            bar.advance(min(size, total - start))


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
