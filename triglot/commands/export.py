"""`triglot export`: a model or an index as files that other software takes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triglot import outputs
from triglot.commands.models import load_model, paths_of
from triglot.encoder.protocol import inner_of
from triglot.files import InputError
from triglot.registry import Registry

log = logging.getLogger("triglot")
_BLOCK = 16_384


@dataclass(frozen=True)
class Target:
    """What something is exported to.

    Attributes:
        name: to choose it by.
        title: for people.
        help: a phrase about it.
        write: (MODEL or INDEX, temporary folder, precision) -> what was written.
        of_index: whether it takes an index, and not a model.
    """

    name: str
    title: str
    help: str
    write: Callable[[str, Path, str], Mapping[str, Any]]
    of_index: bool = False


def export(source: str, to: str, out: str | Path, *, precision: str = "", force: bool = False) -> Mapping[str, Any]:
    """Write a model or an index for other software.

    Args:
        source: a model, or the folder of an index.
        to: a row of `TARGETS`.
        out: the folder.
        precision: of the numbers; "" for fp32.
        force: replace what was exported of another model.

    Returns:
        what was written.

    Raises:
        InputError: what cannot be exported so, or `out` holds something else.
        MissingExtra: a package is not installed.
    """
    from triglot.index.settings import is_index

    target = TARGETS[to]
    if target.of_index != is_index(source):
        what = "an index" if target.of_index else "a model"
        raise InputError(f"--to {to}: exports {what}, and {source} is none")
    with outputs.folder(out, "export", model=source, inputs=paths_of(source), force=force) as place:
        return target.write(source, place, precision or "fp32")


def _model(backend: str) -> Callable[[str, Path, str], Mapping[str, Any]]:
    def write(model: str, place: Path, precision: str) -> Mapping[str, Any]:
        from triglot.encoder.computing import Computing

        encoder = load_model(model, computing=Computing(device="cpu"))
        inner = inner_of(encoder)
        if inner.kind != "transformer":
            raise InputError(f"{model}: is static: it only adds numbers up, which needs no {backend}")
        from triglot.encoder.backends.whole import export as write_whole

        if inner is not encoder:
            log.warning(
                "%s: its step for each language is not part of what is exported; it lies in languages.safetensors",
                encoder.name,
            )
        encoder.save(place)
        return write_whole(inner, place, backend, precision)

    return write


def _parquet(source: str, place: Path, precision: str) -> Mapping[str, Any]:
    """The passages of an index with their vectors as the model gave them, as shards."""
    from triglot.encoder.probe import packed
    from triglot.index.store import PROBE, DiskIndex
    from triglot.sealed import file_checksum
    from triglot.shards import format as formats
    from triglot.shards.folder import VERSION, Manifest, ShardRecord, shard_name, write_manifest
    from triglot.shards.settings import ShardSettings

    settings = ShardSettings(dtype=precision, rows=_BLOCK)
    index = DiskIndex(source)
    snapshot, stats, shards = index.snapshot, index.stats(), []
    places = snapshot.places_in()
    if not len(places):
        raise InputError(f"{source}: has no passages")
    fields = dict(index.fields)
    for number, first in enumerate(range(0, len(places), _BLOCK)):
        rows = places[first : first + _BLOCK]
        held, name = snapshot.documents(rows), shard_name(number)
        columns = [held.ids, held.texts, held.langs, [None] * len(rows), held.groups]
        columns += [held.fields.get(field, [None] * len(rows)) for field in fields]
        about = {"model": index.model, "shard": number}
        formats.write(place / name, columns, snapshot.vectors(rows), fields=fields, dtype=precision, about=about)
        record: ShardRecord = {
            "name": name,
            "rows": len(rows),
            "digest": file_checksum(place / name),
            "languages": {code: held.langs.count(code) for code in dict.fromkeys(held.langs)},
            "told": 0,
        }
        shards.append(record)
    probe = index.place / PROBE
    kept = np.load(probe, allow_pickle=False) if probe.is_file() else np.zeros((8, index.dim), np.float32)
    manifest: Manifest = {
        "format": "triglot-vectors",
        "version": VERSION,
        "identity": {
            "model": index.model,
            "similarity": index.similarity,
            "dim": index.dim,
            "probe": packed(kept),
            "settings": asdict(settings) | {"languages": [], "columns": []},
            "computing": {},
            "step": "",
            "source": str(Path(source).resolve()),
            "inputs": {},
        },
        "rows": len(places),
        "dtype": precision,
        "fields": fields,
        "languages": stats["languages"],
        "told": 0,
        "shards": shards,
    }
    write_manifest(place, manifest)
    return {"rows": len(places), "shards": len(shards), "dtype": precision, "languages": stats["languages"]}


TARGETS = Registry(
    Target,
    group="exports",
    what="target of an export",
    rows=[
        Target("onnx", "ONNX", "a model as ONNX (extra `onnx`)", _model("onnx")),
        Target("openvino", "OpenVINO", "a model as OpenVINO (extra `openvino`)", _model("openvino")),
        Target("parquet", "Parquet", "passages and vectors of an index as Parquet shards", _parquet, of_index=True),
    ],
)
