"""A bag of subwords: the unit-length mean of a row a token.

NumPy, tokenizers and safetensors alone; torch is never imported.

The mean is plain, as in sentence-transformers' `StaticEmbedding`. Learned token weights belong into the rows
(`rows * weights[:, None]`): the sum then weighs them, and the division by the number of tokens vanishes in the
normalisation.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from triglot.encoder.card import Card, card_text
from triglot.encoder.tokenizer import WordTokenizer
from triglot.files import InputError, atomic_folder, nearest, read_json
from triglot.model_files.folder import Part, check_activation, present, read_parts, read_settings, read_told
from triglot.model_files.weights import check_numbers, read_array, read_places, shapes_of
from triglot.progress import Bar

SIDES = ("query", "passage")
_BLOCK = 8192  # texts between two steps of the progress bar
_ROWS = 65536  # of a bag that are gathered at once
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
    """Encodes a text as the mean of the rows of its tokens, L2-normalised unless its similarity is the dot product.

    A text without tokens (empty, or white space alone) has the zero vector, so its score with anything is 0; affine
    maps, if there are any, see that zero vector like any other, as they do in sentence-transformers.

    Attributes:
        tokenizer: its truncation, if any, is the longest text that is read; no special tokens are added.
        embeddings: (vocab, dim) float32, one row a token.
        after: affine maps of the unit vector, each followed by another normalisation.
        name: shown in tables.
        prefixes: side -> what is put before each text. Fresh encoders have none, since it shifts every bag.
        similarity: `cosine`, or `dot` for vectors whose length counts (there are no maps then, and no normalisation).
    """

    kind = "static"

    def __repr__(self) -> str:
        return f"StaticEncoder({self.name!r}, {self.dim} dimensions)"

    def __init__(
        self,
        tokenizer: Tokenizer,
        embeddings: np.ndarray,
        *,
        after: Sequence[Affine] = (),
        name: str = "static",
        prefixes: Mapping[str, str] | None = None,
        similarity: str = "cosine",
    ):
        """
        Args:
            tokenizer: a copy is kept.
            embeddings: (vocab, dim), converted to float32.
            after: see the class.
            name: see the class.
            prefixes: see the class.
            similarity: see the class.

        Raises:
            InputError: the shapes do not fit one another.
        """
        embeddings = np.ascontiguousarray(embeddings, np.float32)
        tokens = max(tokenizer.get_vocab().values(), default=-1) + 1
        if embeddings.ndim != 2 or len(embeddings) < tokens or not embeddings.shape[1]:
            raise InputError(f"{tokens} tokens need as many rows; the embeddings have the shape {embeddings.shape}")
        if similarity == "dot" and after:
            raise InputError("affine maps of unit vectors, and vectors whose length counts, do not go together")
        self.prefixes = {"query": "", "passage": ""} | dict(prefixes or {})
        self.similarity = similarity
        self.tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self.tokenizer.no_padding()
        self._words = WordTokenizer(self.tokenizer)
        self.embeddings = embeddings
        self.after = tuple(after)
        self.name = name
        width = embeddings.shape[1]
        for step in self.after:
            if step.weight.ndim != 2 or step.weight.shape[1] != width or step.bias.shape != step.weight.shape[:1]:
                raise InputError(
                    f"an affine map of shape {step.weight.shape} and {step.bias.shape} does not take {width} dimensions"
                )
            width = len(step.weight)
        self.dim = int(width)

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
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

    def by_cosine(self) -> StaticEncoder:
        """The same encoder with vectors of unit length; the rows are shared."""
        other = copy.copy(self)
        other.similarity = "cosine"
        return other

    def without_prefixes(self) -> StaticEncoder:
        """The same encoder for texts as they are; the rows are shared."""
        other = copy.copy(self)
        other.prefixes = dict.fromkeys(SIDES, "")
        return other

    def tokenize(self, texts: Sequence[str], *, side: str = "query") -> tuple[np.ndarray, np.ndarray]:
        """(tokens,) int32 ids and (texts + 1,) int64 offsets, after the side's prefix, truncated as the tokenizer
        says."""
        check_side(side)
        return self._words(self._prefixed(checked_texts(texts), side))

    def _prefixed(self, texts: list[str], side: str) -> list[str]:
        prefix = self.prefixes[side]
        return [prefix + text for text in texts] if prefix else texts

    def encode(
        self, texts: Sequence[str], *, side: str, langs: Sequence[str] | None = None, progress: bool = False
    ) -> np.ndarray:
        """Unit vectors of texts.

        Args:
            texts: any sequence of str.
            side: "query" or "passage". Both are encoded alike, unless a model brings prompts along.
            langs: make no difference.
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
            ids, offsets = self._words(self._prefixed(texts[start : start + _BLOCK], side))
            out[start : start + _BLOCK] = self.encode_ids(ids, offsets)
        return out

    def encode_ids(self, ids: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """As `encode`, for ids that were tokenised before: (tokens,) ids, (texts + 1,) offsets -> (texts, dim)
        float32."""
        vectors = bag_means(self.embeddings, ids, offsets)
        for step in self.after:
            _normalize(vectors)
            vectors = vectors @ step.weight.T.astype(np.float32) + step.bias.astype(np.float32)
        return vectors if self.similarity == "dot" else _normalize(vectors)

    def save(self, path: str | os.PathLike[str], *, card: Card | None = None) -> None:
        """Write a sentence-transformers directory, whole or not at all; `SentenceTransformer(path)` gives the same
        vectors.

        Args:
            path: the folder; an older one is replaced.
            card: what the model card says.

        Raises:
            InputError: the folder cannot be written.
        """
        modules = [("", "StaticEmbedding")] + ([] if self.similarity == "dot" else [("1_Normalize", "Normalize")])
        for _ in self.after:
            modules += [(f"{len(modules)}_Dense", "Dense"), (f"{len(modules) + 1}_Normalize", "Normalize")]
        with atomic_folder(path) as folder:
            # The module paths of before 6.0: newer versions of sentence-transformers read them as well.
            table = [
                {"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{t}"}
                for i, (p, t) in enumerate(modules)
            ]
            _write_json(folder / "modules.json", table)
            prompts = {"query": self.prefixes["query"], "document": self.prefixes["passage"]}
            settings = {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": self.similarity}
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
                _write_json(
                    folder / name / "config.json", {**shape, "activation_function": "torch.nn.modules.linear.Identity"}
                )
                arrays = {"linear.weight": step.weight, "linear.bias": step.bias}
                save_file(
                    {k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()},
                    folder / name / "model.safetensors",
                )
            prefixes = {f"{side}_prefix": prefix for side, prefix in self.prefixes.items()}
            text = card_text(
                card or Card(),
                kind="mean of static token vectors",
                dim=self.dim,
                similarity=self.similarity,
                **prefixes,
            )
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
    # One gather and one sum a bag stays in the cache: as fast as a sparse product, several times faster than reduceat
    # over many bags.
    for row, (start, end) in enumerate(itertools.pairwise(bounds)):
        if end - start > _ROWS:
            # In parts, the sum so far first: the same sum, row by row, without a copy of every row at once.
            for at in range(start, end, _ROWS):
                np.add.reduce(
                    np.concatenate([out[row : row + 1], embeddings[ids[at : min(at + _ROWS, end)]]]),
                    axis=0,
                    out=out[row],
                )
        elif end > start:
            np.add.reduce(embeddings[ids[start:end]], axis=0, out=out[row])
    lengths = np.maximum(np.diff(offsets), 1).astype(np.float32)
    out /= lengths[:, None]
    return out


def is_static(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a sentence-transformers model whose first module is a `StaticEmbedding`, or one of
    model2vec."""
    folder = Path(path)
    known = any(present(folder / name) for name in ("modules.json", "config.json"))
    return known and read_parts(folder)[0].kind == "StaticEmbedding"


def load_static(path: str | os.PathLike[str], *, name: str | None = None) -> StaticEncoder:
    """Read a static encoder: ours, or any sentence-transformers directory of StaticEmbedding, Normalize and linear
    Dense modules.

    model2vec's tensors are read as well: `embeddings`, with `mapping` (token -> row) and `weights` (of each token)
    where there are any.

    Args:
        path: the folder.
        name: shown in tables; None: the folder's name.

    Raises:
        InputError: a file is missing, broken or of another kind; the message names it.
    """
    folder = Path(path)
    first, *others = read_parts(folder)
    if first.kind != "StaticEmbedding":
        raise InputError(f"{folder / 'modules.json'}: not a static encoder (its first module is {first.kind})")
    settings = read_told(folder)
    tokenizer = read_tokenizer(first.folder / "tokenizer.json")
    weights = first.folder / "model.safetensors"
    rows = _rows(weights)
    after: list[Affine] = []
    previous = first.kind
    for part in others:
        if part.kind == "Dense":
            if previous != "Normalize":
                raise InputError(
                    f"{folder / 'modules.json'}: a Dense module of a static encoder must stand after a Normalize module"
                )
            after.append(_affine(part))
        elif part.kind != "Normalize":
            known = ("Dense", "Normalize")
            raise InputError(
                f"{folder / 'modules.json'}: a static encoder cannot have a module "
                f"{part.kind!r}{nearest(part.kind, known)}"
            )
        elif set(read_settings(part).values()) - {"sentence_embedding", None}:
            raise InputError(f"{part.folder / 'config.json'}: a static encoder has a sentence_embedding only")
        previous = part.kind
    # The dot product of unit vectors is their cosine; so it is with a Normalize module at the end.
    similarity = "cosine" if others and others[-1].kind == "Normalize" else settings.similarity
    if similarity == "dot" and after:
        raise InputError(
            f"{folder / 'modules.json'}: a static encoder compared by dot product cannot end in a Dense module"
        )
    name = name or folder.resolve().name
    try:
        return StaticEncoder(tokenizer, rows, after=after, name=name, prefixes=settings.prefixes, similarity=similarity)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from None


def read_tokenizer(file: Path) -> Tokenizer:
    """A `tokenizer.json`. Raises InputError where it is missing or broken."""
    if not present(file):
        raise InputError(f"{file}: no such file")
    read_json(file)
    try:
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.encode("a b", add_special_tokens=False)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # tokenizers raises plain Exception, and panics of Rust are none of those.
        raise InputError(f"{file}: not a tokenizer ({str(error) or type(error).__name__})") from None
    return tokenizer


def _rows(file: Path) -> np.ndarray:
    """(tokens, dim) float32, of sentence-transformers or model2vec."""
    shapes = _shapes(file)
    if "embedding.weight" in shapes:
        return read_array(file, "embedding.weight")
    if "embeddings" not in shapes:
        raise InputError(f"{file}: no tensor 'embedding.weight'{nearest('embedding.weight', shapes)}")
    rows = read_array(file, "embeddings")
    if "mapping" in shapes:
        rows = rows[read_places(file, "mapping", len(rows))]
    if "weights" in shapes:
        weights = read_array(file, "weights")
        if weights.shape != rows.shape[:1]:
            raise InputError(f"{file}: weights: {weights.shape} do not fit {len(rows)} rows")
        rows = rows * weights[:, None]
    return rows


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    if not present(file):
        raise InputError(f"{file}: no such file (weights are read from safetensors only)")
    return shapes_of([file])


def _affine(part: Part) -> Affine:
    config, place, file = read_settings(part), part.folder / "config.json", part.folder / "model.safetensors"
    if check_activation(config, place) != "Identity" or config.get("use_residual"):
        raise InputError(f"{place}: activation_function must be Identity in a static encoder, and use_residual not set")
    if {config.get("module_input_name"), config.get("module_output_name")} - {"sentence_embedding", None}:
        raise InputError(f"{place}: a static encoder has a sentence_embedding only")
    shapes = _shapes(file)
    check_numbers(config, shapes, str(place))
    wanted: dict[str, tuple[int, ...]] = {"linear.weight": (config["out_features"], config["in_features"])}
    if config.get("bias", True):
        wanted["linear.bias"] = (config["out_features"],)
    for key, shape in wanted.items():
        if shapes.get(key) != shape:
            raise InputError(
                f"{file}: {key} of shape {shape} was expected, as config.json says; there is {shapes.get(key, 'none')}"
            )
    if strange := sorted(set(shapes) - set(wanted)):
        raise InputError(f"{file}: holds {strange[0]}, which a Dense module by config.json does not have")
    weight = read_array(file, "linear.weight")
    return Affine(
        weight, read_array(file, "linear.bias") if "linear.bias" in wanted else np.zeros(len(weight), np.float32)
    )


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
