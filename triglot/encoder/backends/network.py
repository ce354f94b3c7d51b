"""The layers of a transformer as a backend computes them: converted, measured, kept, and put into an encoder."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from sentence_transformers.sentence_transformer.modules import WeightedLayerPooling
from torch import Tensor, nn

from triglot.encoder.computing import Computing
from triglot.encoder.vector_cache import content_of, place
from triglot.extras import MissingExtra, named
from triglot.files import InputError, atomic_folder
from triglot.sealed import check_files, checksum, checksums, read_sealed, write_sealed

if TYPE_CHECKING:
    from triglot.encoder.transformer import TransformerEncoder

log = logging.getLogger("triglot")
Network = Callable[[Tensor, Tensor], Tensor]
"""(texts, tokens, dim) float32 embeddings and (texts, tokens) int64 mask -> (texts, tokens, dim) float32."""
Sample = tuple[Tensor, Tensor]
INPUTS = ("inputs_embeds", "attention_mask")
_FORMAT = 1
_ABOUT = "about.json"
_TEXTS = 128
EXACT = 0.9999
"""Cosine to torch's vectors below which a conversion without rounding has gone wrong."""
_POOR = 0.98


class Layers(nn.Module):
    """A transformer from the embeddings of tokens on."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor) -> Tensor:
        """See `Network`."""
        return self.model(inputs_embeds=inputs_embeds, attention_mask=attention_mask, return_dict=False)[0]


def embed_by(network: Network, model: nn.Sequential, input_ids: Tensor, mask: Tensor, *, hidden: int = 0) -> Tensor:
    """As `triglot.encoder.transformer.embed`, with a network in place of the first module's layers."""
    first: Any = model[0]
    table = first.auto_model.get_input_embeddings()
    features: dict[str, Any] = {"input_ids": input_ids, "attention_mask": mask}
    features["token_embeddings"] = network(table(input_ids), mask)
    if hidden:
        features["prompt_length"] = hidden
    for module in list(model)[1:]:
        features = module(features)
    return features["sentence_embedding"]


def with_network(encoder: TransformerEncoder, computing: Computing) -> TransformerEncoder:
    """The encoder with its layers computed by a backend.

    They are converted where the user's cache does not have them (`triglot.encoder.vector_cache.place`), and measured
    then: the vectors of texts in several languages against torch's.

    Args:
        encoder: on the CPU and computed by torch; it is changed.
        computing: the backend and its precision.

    Raises:
        MissingExtra: the backend's packages are not installed.
        InputError: a model that the backend cannot compute.
    """
    if any(isinstance(module, WeightedLayerPooling) for module in encoder.model):
        raise InputError(f"{encoder.name}: mixes its layers, and {computing.backend} gives the last one alone")
    computing = computing.settled(encoder.device)
    backend = import_module(f"triglot.encoder.backends.{computing.backend}")
    with named():
        versions = {package: metadata.version(package) for package in (*backend.PACKAGES, "torch", "transformers")}
    how = {"format": _FORMAT, "model": content_of(encoder), "versions": versions}
    how |= {"backend": computing.backend, "precision": computing.precision}
    root = place(kind="models")
    if root is None:
        with tempfile.TemporaryDirectory(prefix="triglot-") as folder:
            network, loss = _converted(encoder, backend, computing, Path(folder))
    elif (kept := _kept(root / checksum(how))) is not None:
        network, loss = _load(backend, root / checksum(how), computing), kept["loss"]
    else:
        with atomic_folder(root / checksum(how)) as folder:
            network, loss = _converted(encoder, backend, computing, folder)
            write_sealed(folder / _ABOUT, how | {"name": encoder.name, "loss": loss, "files": checksums(folder)})
    encoder.network, encoder.computing = network, computing
    _tell(encoder, loss)
    return encoder


def _converted(
    encoder: TransformerEncoder, backend: Any, computing: Computing, folder: Path
) -> tuple[Network, dict[str, Any]]:
    """What a backend makes of the layers, written to a folder; and how near its vectors are to torch's."""
    log.info("%s: converted for %s in %s, once", encoder.name, computing.backend, computing.precision)
    samples, texts, languages = texts_in_languages()
    layers = Layers(cast(Any, encoder.model[0]).auto_model).eval()
    try:
        with torch.no_grad(), silent():
            backend.convert(layers, folder, list(_inputs(encoder, samples)), precision=computing.precision)
        network = _load(backend, folder, computing)
        exact = encoder.encode(texts, side="passage")
        encoder.network = network
        near = encoder.encode(texts, side="passage")
    except (InputError, MissingExtra, KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:
        # Each architecture that cannot be converted ends in another error of another library.
        message = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{encoder.name}: {computing.backend} cannot compute it ({message[0]:.200})") from error
    finally:
        encoder.network = None
    alike = cosines(exact, near)
    loss = {"mean": float(alike.mean()), "least": float(alike.min()), "texts": len(texts), "languages": languages}
    if computing.precision == "fp32" and loss["mean"] < EXACT:
        raise InputError(
            f"{encoder.name}: {computing.backend} computes other vectors than torch ({loss['mean']:.5f} in cosine)"
        )
    return network, loss


def cosines(exact: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(rows,) how near vectors are to others."""
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(near, axis=1)
    return (exact * near).sum(axis=1) / np.maximum(lengths, 1e-12)


def _tell(encoder: TransformerEncoder, loss: Mapping[str, Any]) -> None:
    """How near vectors are to torch's, in a line; a warning where that is far."""
    how = f"{encoder.computing.backend} in {encoder.computing.precision}"
    log.log(
        logging.INFO if loss["mean"] >= _POOR else logging.WARNING,
        "%s: %s: vectors at %.4f on average, %.4f at least, in cosine to torch's in fp32 (%d texts in %d languages)",
        *(encoder.name, how, loss["mean"], loss["least"], loss["texts"], loss["languages"]),
    )


def _load(backend: Any, folder: Path, computing: Computing) -> Network:
    return backend.load(folder, precision=computing.precision, threads=torch.get_num_threads())


def _kept(folder: Path) -> dict[str, Any] | None:
    """What is said of layers that were converted before; None where there are none, or damaged ones."""
    if not folder.is_dir():
        return None
    try:
        about = read_sealed(folder / _ABOUT)
        check_files(folder, about["files"])
    except InputError as error:
        log.warning("%s; converted again", error)
        return None
    return about


def texts_in_languages() -> tuple[list[str], list[str], int]:
    """Texts of the built-in corpus, short and long, as many of each language: to find ranges with, others to measure
    with, and the number of languages."""
    from triglot.corpus.formats.registry import read_retrieval

    passages = read_retrieval("atlas", format="atlas", name="atlas").passages
    columns = [[passages.texts[row] for row in np.flatnonzero(passages.lang == n)] for n in np.unique(passages.lang)]
    sample: list[str] = []
    for number in range(2 * _TEXTS):
        texts = columns[number % len(columns)]
        at = number * 37 % len(texts)
        # One in four is a paragraph.
        sample.append(" ".join(texts[at : at + 8]) if number % 4 == 3 else texts[at])
    return sample[:_TEXTS], sample[_TEXTS:], len(columns)


def _inputs(encoder: TransformerEncoder, texts: Sequence[str]) -> Iterator[Sample]:
    """What the layers are given for pairs of texts."""
    for given in padded_pairs(encoder, texts):
        input_ids, mask = encoder.batch(*given)
        yield encoder.input_embeddings(input_ids).detach(), mask


def padded_pairs(
    encoder: TransformerEncoder, texts: Sequence[str]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """What `encoder.batch` takes for pairs of texts; the first pair has padding."""
    ids, offsets = encoder.tokenize(texts, side="passage")
    order = np.argsort(np.diff(offsets), kind="stable")
    for pair in (order[[0, -1]], *order[1:-1].reshape(-1, 2)):
        yield ids, offsets, pair


@contextmanager
def silent() -> Iterator[None]:
    """No warnings and reports of converters within a block; what they would tell is measured."""
    from triglot.encoder.transformer import quiet

    root, nothing = logging.getLogger(), logging.NullHandler()
    before = root.level
    # Without a handler logging.warning would give the root one, for good.
    root.addHandler(nothing)
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(before)
        root.removeHandler(nothing)
