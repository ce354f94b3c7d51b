"""`triglot encode`: the vectors of texts, as one array or as shards."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triglot import outputs
from triglot.commands.models import lasting, load_model, model_folder, paths_of
from triglot.commands.sources import source_path
from triglot.encoder import protocol
from triglot.encoder.computing import USUAL, Computing
from triglot.encoder.protocol import Encoder
from triglot.files import InputError, check_choice
from triglot.language_tags import language
from triglot.shards.settings import SIDES, ShardSettings

log = logging.getLogger("triglot")


def in_language(encoder: Encoder, lang: str) -> Encoder:
    """An encoder whose texts are in one language, where it makes a difference to it."""
    if not lang:
        return encoder
    if protocol.by_language(encoder):
        return protocol.in_language(encoder, language(lang))
    raise InputError(f"--language: {encoder.name} encodes texts of all languages alike; leave it out")


def encode_file(
    model: str,
    path: str,
    out: str | Path,
    *,
    side: str,
    lang: str = "",
    columns: Sequence[str] = (),
    languages: Sequence[str] = (),
    force: bool = False,
    progress: bool = False,
    computing: Computing = USUAL,
) -> tuple[int, int]:
    """Encode texts into a `.npy` file, row i for text i, with their ids in `.ids.txt` beside it; which texts, see
    `triglot.commands.texts.read_texts`.

    Returns the shape.
    """
    from triglot.commands.texts import read_texts
    from triglot.corpus.formats.vectors import ids_file, write_ids

    check_choice("--side", side, SIDES)
    out = Path(out)
    targets = {"vectors": out, "ids": ids_file(out)}
    with outputs.files(targets, "encode", inputs=[*paths_of(model), source_path(path)], force=force) as place:
        found = read_texts(path, columns=columns, languages=languages)
        vectors = in_language(load_model(model, computing=computing), lang).encode(
            found.texts, side=side, progress=progress
        )
        write_ids(place / out.name, found.ids)
        with (place / out.name).open("wb") as handle:
            np.save(handle, vectors)
    return vectors.shape


def only_of_shards(settings: ShardSettings, engine: str, workers: int) -> None:
    """Raises InputError for settings of shards where one array is written."""
    usual = ShardSettings()
    asked = {
        "--dtype": settings.dtype != usual.dtype,
        "--shard-rows": settings.rows != usual.rows,
        "--debiased": settings.debiased,
        "--chunk-tokens": settings.split.tokens != usual.split.tokens,
        "--chunk-overlap": settings.split.overlap != usual.split.overlap,
        "--engine": engine != "local",
        "--workers": workers > 0,
    }
    given = [name for name, told in asked.items() if told]
    if given:
        raise InputError(f"{given[0]}: goes with a folder of shards (--out FOLDER); a .npy file has none")


def encode_folder(
    model: str,
    source: str,
    out: str | Path,
    settings: ShardSettings,
    *,
    engine: str = "local",
    workers: int = 0,
    force: bool = False,
    progress: bool = False,
    computing: Computing = USUAL,
) -> Mapping[str, Any]:
    """Encode passages into a folder of shards, see `triglot.shards.encode.encode_shards`.

    Returns what the folder says of itself.
    """
    from triglot.shards.encode import encode_shards

    encoder = load_model(model, computing=computing)
    removal = getattr(encoder, "removal", None)
    if settings.debiased and removal is None:
        raise InputError(f"--debiased: {model} has no step for each language; leave it out")
    if removal is not None and not settings.debiased:
        log.info(
            "%s: vectors are those before its step by %s, which `triglot index` applies; --debiased for use without it",
            encoder.name,
            removal.method,
        )
    found = encode_shards(
        encoder,
        source,
        out,
        settings,
        model=lasting(model_folder(model)),
        engine=engine,
        workers=workers,
        inputs=paths_of(model),
        force=force,
        progress=progress,
    )
    return found.manifest
