"""What an index in a vector database keeps of itself beside its passages: records of bytes."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import TypedDict

from triglot.encoder.languages import FILE as REMOVAL
from triglot.encoder.languages import Removal, read_removal, write_removal
from triglot.files import InputError, parse_json
from triglot.shapes import shaped, strict

VERSION = 1
META = "meta"


@strict
class Meta(TypedDict):
    """The record that says which collection is the index."""

    format: str
    version: int
    collection: int
    model: str
    similarity: str
    dim: int
    settings: dict[str, Any]
    kind: str
    width: int
    recall: float
    lengths: dict[str, float]


def read_meta(records: Mapping[str, bytes], place: str) -> Meta:
    """The record `meta`. Raises InputError for one that is none, or of another version."""
    meta: Meta = shaped(parse_json(records[META].decode("utf-8", "replace"), place), Meta, place)
    if meta["format"] != "triglot-index" or meta["version"] != VERSION:
        raise InputError(f"{place}: of version {meta['version']}; this Triglot reads {VERSION}: build the index anew")
    return meta


def spoken_records(number: int, langs: Sequence[str], told: Mapping[str, Sequence[int]]) -> dict[str, bytes]:
    """Records of languages: passages, words, passages that BM25 does not read."""
    return {
        f"{number}/lang/{lang}": json.dumps(list(told.get(lang, [0, 0, 0]))).encode() for lang in dict.fromkeys(langs)
    }


def field_records(number: int, fields: Mapping[str, str]) -> dict[str, bytes]:
    """Records of fields: their types."""
    return {f"{number}/field/{name}": kind.encode() for name, kind in fields.items()}


def array_bytes(array: np.ndarray) -> bytes:
    """A float32 array as NumPy writes it."""
    handle = io.BytesIO()
    np.save(handle, np.ascontiguousarray(array, np.float32))
    return handle.getvalue()


def array_of(data: bytes, place: str) -> np.ndarray:
    """What `array_bytes` made. Raises InputError where it is none."""
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{place}: a record that cannot be read ({error})") from None


def removal_bytes(removal: Removal) -> bytes:
    """What takes the language out, as it is written beside models."""
    with tempfile.TemporaryDirectory() as folder:
        write_removal(removal, Path(folder))
        return (Path(folder) / REMOVAL).read_bytes()


def removal_of(data: bytes, place: str) -> Removal:
    """What `removal_bytes` made. Raises InputError where it is none."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / REMOVAL).write_bytes(data)
        try:
            found = read_removal(Path(folder))
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
    assert found is not None
    return found
