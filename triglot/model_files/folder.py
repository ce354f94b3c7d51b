"""What is read of a model's folder: the files that are named here, once they have been checked, and nothing beside
them.

A model's folder comes from anywhere. Its JSON documents must have the shapes below; its modules are of a known list, by
their last name; weights are safetensors; every path stays inside the folder. Other libraries get to see a folder of
links to these files alone (`staged`), so that no pickle, no code and no setting that was not looked at is within their
reach.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from triglot.files import InputError, check_choice, nearest, read_json
from triglot.model_files import documents
from triglot.model_files.weights import Shapes, check_config, check_numbers, shapes_of
from triglot.shapes import shaped

log = logging.getLogger("triglot")

SIMILARITIES = ("cosine", "dot")
_OTHER_SIMILARITIES = ("euclidean", "manhattan")
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".pickle")
_OF_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "target_vocab.json",
    "merges.txt",
    "spiece.model",
    "source.spm",
    "target.spm",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
_OF_TRANSFORMER = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_Kind = tuple[str, Any, bool]  # the file of its settings, their shape, whether it has weights
KINDS: dict[str, _Kind] = {
    "Pooling": ("config.json", documents.Pooling, False),
    "Dense": ("config.json", documents.Dense, True),
    "Normalize": ("config.json", documents.Normalize, False),
    "LayerNorm": ("config.json", documents.LayerNorm, True),
    "Dropout": ("config.json", documents.Dropout, False),
    "WeightedLayerPooling": ("config.json", documents.Layers, True),
    "CNN": ("cnn_config.json", documents.Convolution, True),
    "LSTM": ("lstm_config.json", documents.Lstm, True),
}
"""Modules that may stand after the first."""
FIRST = ("Transformer", "StaticEmbedding")
ACTIVATIONS = (
    "Identity",
    "Tanh",
    "ReLU",
    "GELU",
    "SiLU",
    "Sigmoid",
    "LeakyReLU",
    "ELU",
    "SELU",
    "Mish",
    "Softplus",
    "Softsign",
    "Hardswish",
)


@dataclass(frozen=True)
class Part:
    """A module of a model: its class's last name, and the folder of its files."""

    kind: str
    folder: Path


@dataclass(frozen=True)
class Told:
    """What `config_sentence_transformers.json` says.

    Attributes:
        prefixes: side (query, passage) -> what is put before each text.
        similarity: `cosine` or `dot`: how vectors are compared.
    """

    prefixes: dict[str, str]
    similarity: str


def inside(folder: Path, relative: str, where: str) -> Path:
    """A path of a model's folder that a document names.

    Links of files are followed, since the hub's cache keeps files as links; folders must lie inside in truth.

    Raises:
        InputError: it is absolute, goes up, or leads out of the folder.
    """
    pure = PurePosixPath(relative.replace("\\", "/"))
    place = folder / pure
    try:
        out = pure.is_absolute() or ".." in pure.parts or ":" in relative or "\0" in relative
        real, root = Path(os.path.realpath(place)), Path(os.path.realpath(folder))
        out = out or (place.is_dir() and real != root and root not in real.parents)
    except (OSError, ValueError):
        out = True
    if out:
        raise InputError(f"{where}: {relative!r:.80} leads out of the model's folder")
    return place


def present(file: Path) -> bool:
    """Whether a file is there to be read: an ordinary one, or a link to one; a pipe or device is none."""
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except (OSError, ValueError):
        return False


def read_parts(folder: Path) -> list[Part]:
    """The modules of a folder, in order; a bare Hugging Face model is a `Transformer` with mean pooling, one of
    model2vec static.

    Raises:
        InputError: no model is there, or one of another kind, or of code of its own.
    """
    file = folder / "modules.json"
    if not present(file):
        if present(config := folder / "config.json"):
            settings = shaped(read_json(config), dict[str, Any], str(config))
            return [Part("StaticEmbedding" if settings.get("model_type") == "model2vec" else "Transformer", folder)]
        raise InputError(f"{folder}: no model (neither modules.json nor config.json)")
    modules = shaped(read_json(file), list[documents.Module], f"{file}: not a list of modules with type and path")
    if not modules:
        raise InputError(f"{file}: names no modules")
    parts = []
    for number, module in enumerate(modules):
        origin, _, kind = module["type"].rpartition(".")
        if not origin.startswith("sentence_transformers"):
            raise InputError(
                f"{file}: {repr(module['type'])[1:-1]:.80} would run code of the model's own, which is never done"
            )
        known = KINDS if number else FIRST
        if kind not in known:
            what = "there is no support for a module" if number else "a model cannot begin with"
            raise InputError(f"{file}: {what} {kind!r:.80}{nearest(kind, known)}")
        place = inside(folder, module["path"], str(file))
        parts.append(Part(kind, place))
    return parts


def read_told(folder: Path) -> Told:
    """What the model says of prompts and similarity. Raises InputError for a similarity that is not used here."""
    file = folder / "config_sentence_transformers.json"
    settings: documents.Model = shaped(read_json(file), documents.Model, str(file)) if present(file) else {}
    if (kind := settings.get("model_type", "SentenceTransformer")) != "SentenceTransformer":
        raise InputError(f"{file}: holds a {kind!r:.80}; a SentenceTransformer is needed")
    similarity = settings.get("similarity_fn_name") or "cosine"
    if similarity in _OTHER_SIMILARITIES:
        raise InputError(
            f"{file}: similarity_fn_name: {similarity} is not supported (cosine and dot are); "
            "triglot.evaluate.for_sentence_transformers judges such a model"
        )
    check_choice(f"{file}: similarity_fn_name", similarity, SIMILARITIES)
    prompts = settings.get("prompts") or {}
    # As E5 names its prompts; sentence-transformers would find the empty default of "document" first.
    passage = prompts.get("document") or prompts.get("passage") or ""
    if passage and prompts.get("document") == "":
        log.warning(
            "%s: passages get the prompt %r, which encode_document of sentence-transformers leaves out", file, passage
        )
    return Told({"query": prompts.get("query") or "", "passage": passage}, similarity)


@dataclass
class Stage:
    """A folder of links to checked files.

    Attributes:
        path: the folder, for other libraries to load.
        parts: its modules.
        told: what the model says.
        shapes: name of the weights of the first module -> their shapes.
    """

    path: Path
    parts: list[Part]
    told: Told
    shapes: Shapes


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A sentence-transformers or bare Hugging Face folder, checked, as a folder of links that lives as long as the
    block.

    Raises:
        InputError: see the module.
    """
    parts, told = read_parts(folder), read_told(folder)
    if present(folder / "modules.json") and all(part.kind != "Pooling" for part in parts):
        raise InputError(
            f"{folder / 'modules.json'}: has no Pooling module, so nothing makes one vector of a text's tokens"
        )
    with tempfile.TemporaryDirectory(prefix="triglot-model-") as place:
        root = Path(place)
        shapes = stage_transformer(parts[0].folder, root)
        first = root / "sentence_bert_config.json"
        if (settings := _transformer_settings(parts[0].folder)) is not None:
            _put(first, settings)
        if present(folder / "modules.json"):
            for number, part in enumerate(parts[1:], 1):
                _stage_part(part, root / f"{number}_{part.kind}")
            names = ["", *(f"{number}_{part.kind}" for number, part in enumerate(parts[1:], 1))]
            table = [
                {"idx": i, "name": str(i), "path": name, "type": f"sentence_transformers.models.{part.kind}"}
                for i, (name, part) in enumerate(zip(names, parts, strict=True))
            ]
            _put(root / "modules.json", table)
        prompts = {"query": told.prefixes["query"], "document": told.prefixes["passage"]}
        model = {"model_type": "SentenceTransformer", "prompts": prompts, "similarity_fn_name": told.similarity}
        _put(root / "config_sentence_transformers.json", model)
        yield Stage(root, parts, told, shapes)


def stage_transformer(folder: Path, root: Path) -> Shapes:
    """Link the files of a Hugging Face model, its settings checked, into a folder; returns the shapes of its
    weights."""
    if present(folder / "adapter_config.json"):
        raise InputError(
            f"{folder}: holds an adapter (adapter_config.json); merge it into its base model and save that"
        )
    files = weight_files(folder)
    try:
        shapes = shapes_of(files)
    except InputError as error:
        raise InputError(f"{folder}: cannot be loaded ({error})") from None
    if present(folder / "model.safetensors"):
        _link(files[0], root / "model.safetensors")
    else:
        for file in files:
            _link(file, root / file.name)
        _put(root / "model.safetensors.index.json", _index(folder))
    config = folder / "config.json"
    if not present(config):
        raise InputError(f"{config}: no such file")
    _put(root / "config.json", check_config(read_json(config), shapes, str(config)))
    for name in _OF_TOKENIZER:
        if present(file := folder / name):
            if name == "tokenizer_config.json":
                _put(root / name, _tokenizer_settings(file))
            else:
                _link(file, root / name)
    return shapes


def read_plain(file: Path, shapes: Shapes) -> dict[str, Any]:
    """An object whose numbers can belong to weights of these shapes."""
    settings = shaped(read_json(file), dict[str, Any], str(file))
    check_numbers(settings, shapes, str(file))
    return settings


def weight_files(folder: Path) -> list[Path]:
    """`model.safetensors`, or the files that its index names.

    Raises InputError where they are missing or not safetensors.
    """
    if present(folder / "model.safetensors"):
        return [folder / "model.safetensors"]
    if present(folder / "model.safetensors.index.json"):
        return [folder / name for name in sorted(set(_index(folder)["weight_map"].values()))]
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    pickles = [name for name in names if name.endswith(_PICKLES)]
    if pickles:
        raise InputError(f"{folder}: weights only as {pickles[0]}, which is a pickle; save them as safetensors first")
    raise InputError(f"{folder / 'model.safetensors'}: no such file (weights are read from safetensors only)")


def _index(folder: Path) -> documents.Index:
    file = folder / "model.safetensors.index.json"
    index = shaped(read_json(file), documents.Index, str(file))
    for name in index["weight_map"].values():
        if not name.endswith(".safetensors") or Path(name).name != name:
            raise InputError(f"{file}: names {name!r:.80}; weights are read from safetensors in this folder only")
        if not present(folder / name):
            raise InputError(f"{folder / name}: no such file, though {file.name} names it")
    if not index["weight_map"]:
        raise InputError(f"{file}: names no weights")
    return {"metadata": {}, "weight_map": index["weight_map"]}


def read_settings(part: Part) -> dict[str, Any]:
    """The settings of a module after the first, of the expected shape. Raises InputError that names the key."""
    name, shape, needed = KINDS[part.kind]
    file = part.folder / name
    if not present(file):
        if needed or part.kind == "Pooling":
            raise InputError(f"{file}: no such file")
        return {}
    settings = read_json(file)
    shaped(settings, shape, str(file))
    known = {key: value for key, value in settings.items() if key in shape.__annotations__}
    if part.kind == "Pooling":
        _check_pooling(known, file)
    if part.kind == "Dense":
        check_activation(known, file)
    if not 0 <= known.get("dropout", 0) <= 1:
        raise InputError(f"{file}: dropout: {known['dropout']}, between 0 and 1")
    return known


def _check_pooling(settings: dict[str, Any], file: Path) -> None:
    modes = settings.get("pooling_mode", "mean")
    modes = [modes] if isinstance(modes, str) else modes
    if not modes:
        raise InputError(f"{file}: pooling_mode: is empty")
    for mode in modes:
        check_choice(
            f"{file}: pooling_mode", mode, ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
        )
    if len(set(modes)) < len(modes):
        raise InputError(f"{file}: pooling_mode: names a mode twice")
    dim = settings.get("embedding_dimension", settings.get("word_embedding_dimension"))
    if dim is None:
        raise InputError(f"{file}: embedding_dimension: is missing")
    if dim < 1:
        raise InputError(f"{file}: embedding_dimension: {dim} is below 1")


def check_activation(settings: Mapping[str, Any], file: Path) -> str:
    """The last name of a Dense module's activation function.

    Raises InputError for one that is not of torch's own plain ones.
    """
    origin, _, name = settings.get("activation_function", "torch.nn.modules.activation.Tanh").rpartition(".")
    if origin not in ("torch.nn", "torch.nn.modules.activation", "torch.nn.modules.linear"):
        raise InputError(
            f"{file}: activation_function: {origin}.{name} is not one of torch.nn, and code of a model is never run"
        )
    check_choice(f"{file}: activation_function", name, ACTIVATIONS)
    return name


def _stage_part(part: Part, place: Path) -> None:
    name, _, weights = KINDS[part.kind]
    place.mkdir()
    settings = read_settings(part)
    if settings or present(part.folder / name):
        _put(place / name, settings)
    if not weights:
        return
    (file,) = weight_files(part.folder)[:1]
    if file.name != "model.safetensors":
        raise InputError(f"{part.folder / 'model.safetensors'}: no such file")
    shapes = shapes_of([file])
    check_numbers(settings, shapes, str(part.folder / name))
    if part.kind == "Dense" and shapes.get("linear.weight") not in (
        None,
        (settings["out_features"], settings["in_features"]),
    ):
        raise InputError(
            f"{part.folder / name}: {settings['out_features']} x {settings['in_features']} weights, but "
            f"{file.name} holds "
            f"{' x '.join(map(str, shapes['linear.weight']))}"
        )
    _link(file, place / file.name)


def _transformer_settings(folder: Path) -> dict[str, Any] | None:
    """Lengths and lower-casing; a model that wants more than that of sentence-transformers' `Transformer` is refused by
    name."""
    file = next((folder / name for name in _OF_TRANSFORMER if present(folder / name)), None)
    if file is None:
        return None
    given = read_json(file)
    shaped(given, documents.Transformer, str(file))
    for key in ("max_seq_length", "query_length", "document_length"):
        if (value := given.get(key)) is not None and value < 1:
            raise InputError(f"{file}: {key}: {value} is below 1")
    text = given.get("modality_config", {}).get("text")
    if "modality_config" in given and text != {"method": "forward", "method_output_name": "last_hidden_state"}:
        raise InputError(f"{file}: modality_config: only texts by the model's last_hidden_state are supported")
    # unpad_inputs is for flash attention; whatever else is empty says nothing
    unknown = [
        key
        for key, value in given.items()
        if key not in documents.Transformer.__annotations__ and key != "unpad_inputs" and value
    ]
    if unknown:
        raise InputError(
            f"{file}: {unknown[0]}: is not supported{nearest(unknown[0], documents.Transformer.__annotations__)}"
        )
    return {
        key: given[key]
        for key in ("max_seq_length", "do_lower_case", "query_length", "document_length")
        if given.get(key) is not None
    }


def _tokenizer_settings(file: Path) -> dict[str, Any]:
    """A tokenizer's settings without what names code or other files."""
    settings = read_json(file)
    shaped(settings, documents.Tokenizer, str(file))
    if (longest := settings.get("model_max_length")) is not None and longest < 1:
        raise InputError(f"{file}: model_max_length: {longest} is below 1")
    left_out = ("auto_map", "chat_template", "processor_class", "name_or_path", "is_local", "local_files_only")
    return {
        key: value for key, value in settings.items() if key not in left_out and not key.endswith(("_file", "_files"))
    }


def _put(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _link(source: Path, path: Path) -> None:
    try:
        os.symlink(os.path.realpath(source), path)
    except OSError:  # a system or file system without links
        shutil.copyfile(source, path)
