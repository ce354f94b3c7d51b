"""Nested augmented copies of training pairs; of several draws of a change, the one that throws the model off most.

The search is that of `attack` with one measure of harm that needs no passage: how far the changed text lies from the
clean one in the vectors of the model as it is before training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triglot.augment import expand
from triglot.augment.apply import Augmenter
from triglot.augment.lexicon import Lexicon
from triglot.augment.settings import AugmentSettings
from triglot.corpus.formats.registry import read_training
from triglot.corpus.formats.wordlist import read_lists
from triglot.document import Document
from triglot.encoder import load_encoder
from triglot.encoder.protocol import Encoder
from triglot.files import InputError
from triglot.seeds import generator
from triglot.settings import build

PIVOT = "en"
_FAR = 1_000_003  # between the draws of one copy, so that none is a draw of another copy


class Worst(Augmenter):
    """An augmenter that draws each change several times and keeps the one that lies farthest from the clean text.

    Args:
        encoder: the model.
        tries: draws of a change.
        given: as `Augmenter` takes it.
    """

    def __init__(self, encoder: Encoder, tries: int, **given: Any):
        super().__init__(**given)
        self.encoder, self.tries = encoder, tries
        self.moved: list[float] = []

    def change(
        self, texts: Sequence[str], langs: Sequence[str], keys: np.ndarray, parts: np.ndarray, epoch: int
    ) -> list[str]:
        """As `Augmenter.change`."""
        if not len(texts):
            return []
        drawn = [
            super(Worst, self).change(texts, langs, keys, parts, epoch + _FAR * draw) for draw in range(self.tries)
        ]
        different = list(dict.fromkeys([*texts, *(text for column in drawn for text in column)]))
        place = {text: number for number, text in enumerate(different)}
        vectors = np.asarray(self.encoder.encode(different, side="query"), np.float32)
        clean = vectors[[place[text] for text in texts]]  # (texts, dim)
        near = np.stack([(clean * vectors[[place[text] for text in column]]).sum(1) for column in drawn])
        worst = near.argmin(0)  # (texts,)
        self.moved += (1 - near.min(0)).tolist()
        return [drawn[draw][number] for number, draw in enumerate(worst.tolist())]


def write(
    folder: Path,
    source: Path | None,
    *,
    factors: Sequence[float] = (1, 2, 3, 5, 9),
    parts: Sequence[dict[str, Any]] = ({"kinds": ["insert", "swap"], "share": 1.0},),
    side: str = "query",
    lists: str = "",
    half: int | None = 0,
    model: str = "",
    tries: int = 4,
    limit: int = 0,
    format: str = "",
    languages: Sequence[str] | None = None,
    seed: int = 1,
    **options: Any,
) -> dict[str, Any]:
    """Write `x1.jsonl`, `x2.jsonl` and so on: the pairs, and with factor k also k - 1 changed copies of them.

    Args:
        folder: to write into.
        source: training pairs in any format; None for the built-in corpus.
        factors: increasing, from 1.
        parts: as `augment.parts` of a recipe.
        side: query, passage or both.
        lists: folder of word lists, for code-switching and synonyms.
        half: of the lists.
        model: whose worst of `tries` draws is kept; empty for the first draw.
        tries: see above.
        limit: so many rows, drawn once; 0 for all.
        format: of the source; empty to tell it.
        languages: of the source; None for all.
        seed: of the draws.
        options: of the format's reader.
    """
    wanted = {"languages": list(languages)} if languages else {}
    corpus, _ = read_training(str(source) if source else "atlas", format=format, **wanted, **options)
    if 0 < limit < len(corpus):
        rows = generator(seed, "augmented rows").permutation(len(corpus))[:limit]
        corpus = corpus.select(np.sort(rows))
    value = {"parts": [dict(part) for part in parts], "side": side, "lists": lists, "half": half}
    settings = build(AugmentSettings, Document(value, "options"))
    lexicon = None
    if settings.needs_lists:
        spoken = sorted({*corpus.languages, PIVOT})  # lists lead through it
        lexicon = Lexicon(read_lists(lists, languages=spoken, both=True, half=half)[0])
    given: dict[str, Any] = {"settings": settings, "seed": seed, "lexicon": lexicon}
    if model and tries < 1:
        raise InputError(f"options: tries: {tries} is below 1")
    augmenter = Worst(load_encoder(model), tries, **given) if model else Augmenter(**given)
    files = expand.file_names(folder, expand.check_factors(list(factors)))
    done = expand.write(corpus, augmenter, files)
    facts: dict[str, Any] = {"lines": {f"{factor:g}": count for factor, count in done.lines.items()}}
    how = "changed at random"
    if isinstance(augmenter, Worst) and augmenter.moved:
        facts["drift"] = round(float(np.mean(augmenter.moved)), 4)
        how = f"the worst of {tries} draws for {Path(model).name}, 1 - cosine {facts['drift']:.3f} from the clean text"
    return {**facts, "told": f"nested copies of the training questions, {how}"}
