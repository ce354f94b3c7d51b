"""By what a model is known again: its vectors of a few texts in several scripts. A checksum of files changes with the
precision and the version of a library; these hardly do."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np

from triglot.encoder.protocol import inner_of
from triglot.files import InputError

PROBES = (
    *("the quick brown fox", "die Kosten der Übertragung", "¿dónde está la biblioteca?", "Книга лежит на столе"),
    *("水は百度で沸騰する", "كم عدد السكان", "नदी का पुल", "2026 10 1.5"),
)
_ALIKE = 0.999  # cosine of a model's vectors with those of the model that something was made with


def probe(encoder: Any) -> np.ndarray:
    """(texts, dim) vectors of a few texts, before the step for each language."""
    return inner_of(encoder).encode(list(PROBES), side="passage")


def is_alike(kept: np.ndarray, now: np.ndarray) -> bool:
    """Whether two models are one, by what `probe` made of them."""
    if kept.shape != now.shape or (kept.any(axis=1) != now.any(axis=1)).any():
        return False
    lengths = np.linalg.norm(kept, axis=1) * np.linalg.norm(now, axis=1)
    return bool(((kept * now).sum(axis=1) >= _ALIKE * lengths).all())


def packed(vectors: np.ndarray) -> str:
    """What `probe` made, as a word of JSON: base64 of little-endian float32."""
    return base64.b64encode(np.ascontiguousarray(vectors, "<f4").tobytes()).decode()


def unpacked(word: str, where: object) -> np.ndarray:
    """What was `packed`. Raises InputError where it is none."""
    try:
        numbers = np.frombuffer(base64.b64decode(word, validate=True), "<f4")
        return numbers.reshape(len(PROBES), -1).astype(np.float32)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{where}: the vectors by which its model is known are damaged ({error})") from None
