"""Sources that only some batches can show, in a run of a mixed kind."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from triglot.batches.kinds import KINDS, parts_of
from triglot.batches.pools import Layout
from triglot.batches.settings import BatchSettings, Rows
from triglot.files import InputError


def in_one_part(rows: Rows, batches: BatchSettings, own: np.ndarray) -> Layout | None:
    """The batches of a source whose rows only one part of a mixed kind can show: comments in two languages have X-Y
    batches among hybrid ones, texts in one language X-X batches. None where no part can, or arms are to be comparable.

    Args:
        rows: of all sources.
        batches: the settings.
        own: (n,) the rows of the source.
    """
    if batches.comparable or KINDS[batches.kind].parts is None:
        return None
    for part in parts_of(batches):
        with suppress(InputError):
            return Layout(rows, replace(batches, kind=part.name, alpha_end=None), own)
    return None


def of_bitext(batches: BatchSettings) -> BatchSettings:
    """The settings for a source of parallel lines."""
    if batches.bitext != "xy":
        return batches
    return replace(batches, kind="xy", by="row", comparable=False, alpha_end=None)
