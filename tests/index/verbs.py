"""What a process does with an index before it is killed: called by name in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from triglot.index.documents import Documents
from triglot.index.settings import IndexSettings
from triglot.index.store import DiskIndex, create


def some(first: int, count: int, text: str = "text") -> tuple[Documents, np.ndarray]:
    """Passages with ids from a number on."""
    vectors = np.random.default_rng(first).standard_normal((count, 8)).astype(np.float32)
    ids = [f"p{n}" for n in range(first, first + count)]
    return Documents(ids, [f"{text} {one}" for one in ids], ["de"] * count), vectors


def state(place: Path) -> dict[str, str]:
    """Id -> text of all that an index holds."""
    index = DiskIndex(place)
    documents = index.snapshot.documents(index.snapshot.places_in())
    return dict(zip(documents.ids, documents.texts, strict=True))


def run(place: str, verb: str, kind: str = "exact") -> None:
    """One verb. When it has returned, `acknowledged` is printed."""
    if verb == "create":
        create(place, *some(0, 310, "newer"), IndexSettings(kind=kind))
    else:
        index = DiskIndex(place)
        if verb == "add":
            index.add(*some(5, 10, "changed"))
        elif verb == "delete":
            index.delete(["p1", "p2", "p25"])
        else:
            index.compact()
    sys.stdout.write("acknowledged\n")
    sys.stdout.flush()
