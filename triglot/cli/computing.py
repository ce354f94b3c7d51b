"""The options of how a model computes, shared by all commands that load one."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from triglot.cli.app import within
from triglot.encoder.computing import BACKENDS, DEVICE, KINDS
from triglot.files import InputError, SettingError
from triglot.ranges import BatchTexts

Device = Annotated[
    str,
    typer.Option(
        "--device", help="Where the model computes: cpu, cuda, cuda:1, mps; by default on a GPU if there is one."
    ),
]
TrainingDevice = Annotated[
    str,
    typer.Option(
        "--device",
        help="Where to train and to evaluate: cpu, cuda, cuda:1; by default on a GPU if there is one.",
        callback=lambda value: compute_on(value),
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        "--batch-size",
        help="Number of texts in a batch; by default as many as fit in 1,024 tokens on a CPU, 65,536 on a GPU.",
        callback=within(BatchTexts),
        show_default=False,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        help="Precision: fp32 | bf16 | int8 (with --backend onnx or openvino) | auto, the fastest that the backend and "
        "the processor have; fp32 by default.",
    ),
]
Backend = Annotated[
    str,
    typer.Option(
        "--backend",
        help=f"What computes the layers of a transformer: {' | '.join(BACKENDS)}; the last two on the CPU, converted "
        "once.",
    ),
]
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "device": (Device, ""),
    "batch_size": (BatchSize, 0),
    "precision": (Precision, ""),
    "backend": (Backend, "torch"),
}


def compute_on(device: str) -> str:
    """A device for all that this process loads and trains; a word that names none is refused without torch."""
    if device:
        check_word(device)
        os.environ[DEVICE] = device
    return device


def check_word(device: str) -> None:
    """Raises InputError for what names no device anywhere; whether it is here, torch has to say."""
    kind, colon, number = device.partition(":")
    if kind not in KINDS or bool(colon) != number.isdecimal():
        raise InputError(f"--device: {device!r} is unknown; known: {', '.join(KINDS)}, also with a number, cuda:1")


def computes(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that takes `computing: Computing`, with the options that make one in its place."""

    @wraps(command)
    def with_options(**given: Any) -> Any:
        from triglot.encoder.computing import Computing

        asked = {name: given.pop(name) for name in _OPTIONS}
        if asked["device"]:
            check_word(asked["device"])
        try:
            computing = Computing(**asked)
        except SettingError as error:
            raise InputError(f"--{error.key.replace('_', '-')}: {error.what}") from None
        return command(**given, computing=computing)

    hints = get_type_hints(command, include_extras=True)
    parameters = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name == "computing":
            parameters += [
                parameter.replace(name=name, annotation=kind, default=usual) for name, (kind, usual) in _OPTIONS.items()
            ]
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options
