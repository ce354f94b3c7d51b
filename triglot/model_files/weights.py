"""Weights of a model's folder: what a file of safetensors holds, whether a configuration asks for more, and what a load
left out."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize, safe_open

from triglot.files import InputError
from triglot.memory import check_fits

Shapes = dict[str, tuple[int, ...]]
_MOST = 2**31 - 1  # of any integer in a configuration
_LONGEST = 2**24  # positions of a model that has no table of them
_FEW_LAYERS, _FEW_NUMBERS = 100, 1024  # small wishes, which end in a report of what is missing
_REPEATED = re.compile(r"layer|group|block|stage|expert|depth")
_SIZES = re.compile(
    r"vocab_size|hidden|intermediate|embedding_size|heads|buckets|features|channels|kernel|stride|^dim$|^d_|_dim$|dimension$|inner"
)
_POSITIONS = re.compile(r"positions?$|position_embeddings$")
# Of a classifier's head, of training, of code, of the machine: what a text's vector does not depend on, or must not.
_LEFT_OUT = re.compile(
    r"num_labels|id2label|label2id|problem_type|auto_map|.*_?attn_implementation.*|.*experts_implementation.*|transformers_weights|dtype"
    r"|torch_dtype|task_specific_params|_name_or_path|name_or_path|finetuning_task|custom_pipelines|output_attentions|return_dict"
    r"|torchscript|gradient_checkpointing|transformers_version|.*_plan|distributed_config"
)
_LOCK = threading.Lock()


def shapes_of(files: Sequence[Path]) -> Shapes:
    """Name of each tensor -> its shape, without reading the tensors.

    Raises InputError for a file that is not whole or not safetensors.
    """
    shapes: Shapes = {}
    for file in files:
        try:
            with safe_open(file, framework="numpy") as held:
                shapes_here = {key: tuple(held.get_slice(key).get_shape()) for key in held.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, OverflowError) as error:
            raise InputError(f"{file}: cannot be read as safetensors ({error})") from None
        if not shapes_here:
            raise InputError(f"{file}: holds no weights")
        for key, shape in shapes_here.items():
            if 0 in shape:
                raise InputError(f"{file}: {key}: has no numbers in it, its shape is {' x '.join(map(str, shape))}")
        shapes |= shapes_here
    check_fits(4 * sum(int(np.prod(shape, dtype=float)) for shape in shapes.values()), f"{files[0]}: weights")
    return shapes


def read_array(file: Path, key: str) -> np.ndarray:
    """A tensor as float32. Raises InputError for one of another type, or with a number that is not finite."""
    with safe_open(file, framework="numpy") as held:
        kind = held.get_slice(key).get_dtype()
        if kind == "BF16":
            data = next(tensor for name, tensor in deserialize(file.read_bytes()) if name == key)
            wide = np.frombuffer(data["data"], np.uint16).astype(np.uint32) << 16
            array = wide.view(np.float32).reshape(data["shape"])
        elif kind in ("F16", "F32", "F64"):
            array = held.get_tensor(key).astype(np.float32, copy=False)
        else:
            raise InputError(f"{file}: {key}: is of type {kind}; F16, BF16, F32 and F64 are read")
    if not np.isfinite(array).all():
        raise InputError(f"{file}: {key}: holds numbers that are not finite (NaN or infinite)")
    return array


def read_places(file: Path, key: str, count: int) -> np.ndarray:
    """A tensor of integers below a count. Raises InputError for other numbers."""
    with safe_open(file, framework="numpy") as held:
        kind = held.get_slice(key).get_dtype()
        places = held.get_tensor(key) if kind[0] in "IU" else np.empty((0, 0))
    if places.ndim != 1 or (len(places) and not 0 <= int(places.min()) <= int(places.max()) < count):
        raise InputError(f"{file}: {key}: integers below {count} were expected")
    return places.astype(np.int64)


def check_config(config: Any, shapes: Shapes, where: str) -> dict[str, Any]:
    """A Hugging Face configuration without what vectors do not depend on.

    Args:
        config: as it was read.
        shapes: of the weights beside it.
        where: the file.

    Raises:
        InputError: no model type, quantised weights, or a number that cannot belong to these weights.
    """
    if not isinstance(config, dict):
        raise InputError(f"{where}: is not an object with keys")
    if not isinstance(config.get("model_type"), str) or not config["model_type"]:
        raise InputError(f"{where}: model_type: is missing")
    for key in ("quantization_config", "compression_config"):
        if config.get(key):
            raise InputError(f"{where}: {key}: quantised weights are not supported; save the model in a float type")
    config = {key: value for key, value in config.items() if not _LEFT_OUT.fullmatch(key)}
    check_numbers(config, shapes, where)
    return config


def check_numbers(config: Mapping[str, Any], shapes: Shapes, where: str) -> None:
    """Raise InputError for a number of layers, sizes and the like that no weights of these shapes can have."""
    widest = max((max(shape, default=1) for shape in shapes.values()), default=1)
    for path, key, value in _numbers(config):
        if isinstance(value, float):
            if abs(value) > 1e30:
                raise InputError(f"{where}: {path}: {value} is out of range")
            continue
        low, high, what = -_MOST, _MOST, "out of range"
        if _POSITIONS.search(key):
            low, high = -1, max(widest, _LONGEST)
        elif _REPEATED.search(key):
            sized = widest if re.search("size|dim|expert", key) else 0
            low, high, what = (
                -1,
                max(len(shapes), _FEW_LAYERS, sized),
                f"more than weights of {len(shapes)} tensors can have",
            )
        elif _SIZES.search(key):
            low, high, what = (
                -1,
                max(widest, _FEW_NUMBERS),
                f"more than weights can have none of whose sides is longer than {widest}",
            )
        if not low <= value <= high:
            raise InputError(f"{where}: {path}: {value} is {what if value > high else 'out of range'}")


def _numbers(value: Any, path: str = "", key: str = "", depth: int = 0) -> Iterator[tuple[str, str, int | float]]:
    """(path, last key, number) of all numbers in a document; booleans are none."""
    if depth > 20:
        return
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _numbers(one, f"{path}.{name}" if path else str(name), str(name), depth + 1)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _numbers(one, f"{path}.{number}", key, depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, key, value


@contextmanager
def reports() -> Iterator[list[tuple[Any, dict[str, Any]]]]:
    """(model, what its weights lacked) of every model that transformers loads within the block.

    transformers prints such a report and goes on with weights drawn at random; its own switch for having the report as
    a value is no setting of what calls it for us.
    """
    from transformers import PreTrainedModel

    loads: list[tuple[Any, dict[str, Any]]] = []
    with _LOCK:
        kept = PreTrainedModel.__dict__["from_pretrained"]

        def from_pretrained(cls: Any, *args: Any, **kwargs: Any) -> Any:
            _check_memory(cls, kwargs.get("config"))
            model, report = kept.__func__(
                cls, *args, **{**kwargs, "output_loading_info": True, "ignore_mismatched_sizes": True}
            )
            loads.append((model, report))
            return model

        PreTrainedModel.from_pretrained = classmethod(from_pretrained)  # type: ignore[assignment]
        try:
            yield loads
        finally:
            PreTrainedModel.from_pretrained = kept


def _check_memory(kind: Any, config: Any) -> None:
    """Raise InputError where a model of this configuration would not fit into memory; it is built without its numbers
    first."""
    import copy

    import torch

    if config is None:
        return
    with torch.device("meta"):
        bare = kind(copy.deepcopy(config))
    size = sum(one.numel() for one in (*bare.parameters(), *bare.buffers()))
    check_fits(4 * size, f"a {config.model_type} model of {size:,} numbers, as its config.json says")


def check_loaded(report: Mapping[str, Any], model: Any, where: str) -> list[str]:
    """Names of weights that the model has no place for, where they belong to a head that no vector depends on.

    Args:
        report: what transformers says of a load.
        model: that was loaded.
        where: its folder.

    Raises:
        InputError: weights are missing (a pooler's excepted: nothing reads it), have another shape, or are of parts of
            the model that the configuration does not have.
    """
    wrong = [(str(key), tuple(held), tuple(wanted)) for key, held, wanted in report.get("mismatched_keys", ())]
    if wrong:
        key, held, wanted = sorted(wrong)[0]
        raise InputError(
            f"{where}: {key} has the shape {' x '.join(map(str, held))}, by config.json it is "
            f"{' x '.join(map(str, wanted))}"
            f"{f' (and {len(wrong) - 1} more)' if len(wrong) > 1 else ''}"
        )
    missing = sorted(key for key in report.get("missing_keys", ()) if "pooler" not in key.split("."))
    unexpected = sorted(key for key in report.get("unexpected_keys", ()) if "pooler" not in key.split("."))
    if missing:
        more = f"; it holds {_few(unexpected)} instead" if unexpected else ""
        raise InputError(
            f"{where}: the weights lack {_few(missing)}{more}: they are not those of the model that config.json "
            "describes"
        )
    prefix = model.base_model_prefix
    body = {name for one in (model, getattr(model, prefix or "", model)) for name, _ in one.named_children()}
    # tables of sines, which some checkpoints hold and every model makes for itself
    unexpected = [key for key in unexpected if "embed_positions" not in key.split(".")]
    strange = [key for key in unexpected if (key.removeprefix(f"{prefix}.") if prefix else key).split(".")[0] in body]
    if strange:
        raise InputError(
            f"{where}: the weights hold {_few(strange)}, which the model that config.json describes does not have"
        )
    if errors := report.get("error_msgs"):
        raise InputError(f"{where}: {str(errors[0]).splitlines()[0]}")
    return unexpected


def check_finite(tensors: Iterable[tuple[str, Any]], where: str) -> None:
    """Raise InputError that names a weight with a NaN or an infinite number."""
    for name, tensor in tensors:
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(f"{where}: {name}: holds numbers that are not finite (NaN or infinite)")


def _few(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
