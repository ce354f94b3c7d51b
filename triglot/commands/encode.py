"""`triglot encode`: the vectors of a file of texts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from triglot import outputs
from triglot.commands.models import load_model, paths_of
from triglot.commands.sources import source_path
from triglot.encoder import protocol
from triglot.encoder.computing import USUAL, Computing
from triglot.encoder.protocol import Encoder
from triglot.files import InputError, nearest
from triglot.language_tags import language

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

    if side not in ("query", "passage"):
        raise InputError(f"--side: {side!r} is not query or passage{nearest(side, ('query', 'passage'))}")
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
