"""`triglot init`: a fresh encoder from the texts of training data."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.commands.sources import read_source, source_path
from triglot.encoder.settings import EncoderSettings
from triglot.files import InputError
from triglot.ranges import Layers, check_number

log = logging.getLogger("triglot")


def fresh_encoder(
    paths: Sequence[str],
    out: str | Path,
    settings: Mapping[str, Any],
    *,
    format: str = "",
    seed: int = 1,
    force: bool = False,
) -> Path:
    """A fresh encoder with a tokenizer made of the texts of training data, saved as a model folder."""
    from triglot.document import Document
    from triglot.encoder import init_encoder
    from triglot.encoder.card import Card
    from triglot.encoder.tokenizer import word_counts
    from triglot.settings import build

    chosen = build(EncoderSettings, Document(dict(settings), "init"))
    texts: dict[str, list[str]] = {}
    with outputs.folder(out, "init", inputs=map(source_path, paths), force=force) as place:
        for path in paths:
            corpus = read_source(path, format=format)
            for text, lang in zip(corpus.texts.to_pylist(), corpus.text_lang.tolist(), strict=True):
                texts.setdefault(corpus.languages[lang], []).append(text)
        made = (
            f"fresh weights, seed {seed}: not trained; the tokenizer was made of {sum(map(len, texts.values())):,} "
            "texts"
        )
        sources = {Path(source_path(path)).resolve().name: "" for path in paths}
        card = Card(languages=sorted(texts), sources=sources, training=[made])
        init_encoder(chosen, word_counts(texts), seed=seed).save(place, card=card)
    return Path(out)


def layers_of_fresh(asked: str) -> int:
    """The number of layers of a fresh transformer. Raises InputError for what is none."""
    if not asked:
        return EncoderSettings.layers
    if not asked.isdecimal() or len(asked) > 9:
        raise InputError(f"--layers: {asked!r} is not a whole number; which layers to keep goes with --from MODEL")
    check_number("--layers", int(asked), Layers)
    return int(asked)
