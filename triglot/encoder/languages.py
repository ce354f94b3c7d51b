"""A step after an encoder that differs from language to language, saved beside the model; and which language a text is
in.

sentence-transformers knows nothing of a text's language, so it loads such a folder as the model before this step.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from typing_extensions import TypedDict

from triglot.encoder.card import Card
from triglot.encoder.once import encode_once
from triglot.encoder.protocol import SavedEncoder, similarity_of
from triglot.encoder.static import check_side, checked_texts, readable_by_all
from triglot.files import InputError, atomic_folder, parse_json
from triglot.shapes import shaped, strict

log = logging.getLogger("triglot")
_LOCK = threading.Lock()
FILE = "languages.safetensors"
UNKNOWN = -1


@dataclass(frozen=True)
class Removal:
    """What is taken from the unit vectors of each language; the rest is normalised again.

    A vector v in language l becomes v - s offset_l, less s times its part along the directions of l; where there are
    maps it is then drawn to the reference language, (1 - s) v + s v map_l. The strength s is that of the side and the
    language.

    Attributes:
        languages: codes.
        offsets: (languages, dim) float32, subtracted first.
        directions: (languages, rank, dim) float32 orthonormal rows. The rank may be 0.
        method: shown in tables and cards.
        query_offsets: (languages, dim) float32, those of queries; None where they have the same as passages.
        maps: (languages, dim, dim) float32; None for none.
        strengths: (2, languages) float32 in 0 to 1, of queries and of passages; None for 1 everywhere.
    """

    languages: tuple[str, ...]
    offsets: np.ndarray
    directions: np.ndarray
    method: str = ""
    query_offsets: np.ndarray | None = None
    maps: np.ndarray | None = None
    strengths: np.ndarray | None = None

    def __post_init__(self) -> None:
        count, dim = len(self.languages), self.offsets.shape[-1]
        wanted = {
            "offsets": (count, dim),
            "query_offsets": (count, dim),
            "maps": (count, dim, dim),
            "strengths": (2, count),
        }
        wanted["directions"] = (count, *self.directions.shape[1:2], dim)
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise InputError(f"{count} languages: {name} have the shape {array.shape}, {shape} was expected")

    def number(self, code: str) -> int:
        """Index of a language, or of its main language (`zh` for `zh-hant`); `UNKNOWN` where neither is there."""
        for name in (code, code.replace("_", "-").split("-")[0]):
            if name in self.languages:
                return self.languages.index(name)
        return UNKNOWN

    def at(self, strength: float | np.ndarray) -> Removal:
        """The same at another strength: one for all, or (2, languages) for queries and passages of each language."""
        return replace(
            self, strengths=np.broadcast_to(np.float32(strength), (2, len(self.languages))).astype(np.float32)
        )

    def apply(self, vectors: np.ndarray, lang: np.ndarray, side: str = "passage") -> np.ndarray:
        """Unit vectors without what is taken away; zero vectors and those of unknown languages stay.

        Args:
            vectors: (texts, dim) float32 unit vectors.
            lang: (texts,) indices of `languages`, or `UNKNOWN`.
            side: "query" or "passage".
        """
        check_side(side)
        offsets = self.offsets if side == "passage" or self.query_offsets is None else self.query_offsets
        out = vectors.copy()
        for number in np.unique(lang[lang != UNKNOWN]).tolist():
            strength = 1.0 if self.strengths is None else self.strengths[int(side == "passage"), number]
            rows = np.flatnonzero((lang == number) & vectors.any(axis=1))
            part = vectors[rows] - strength * offsets[number]
            part -= strength * (part @ self.directions[number].T) @ self.directions[number]
            if self.maps is not None:
                part = (1 - strength) * part + strength * (part @ self.maps[number])
            out[rows] = part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
        return out


class ByLanguage:
    """An encoder with a step for each language after it.

    Attributes:
        inner: the encoder before it.
        removal: the step.
        language: of all texts, where it is fixed (`in_language`); None to be told by the caller or by the text itself.
        name: shown in tables.
    """

    kind = "by language"
    by_language = True

    def __repr__(self) -> str:
        return f"ByLanguage({self.name!r}, {self.dim} dimensions)"

    def __init__(self, inner: SavedEncoder, removal: Removal, *, name: str = ""):
        """
        Args:
            inner: see the class.
            removal: see the class.
            name: see the class; by default that of `inner`.

        Raises:
            InputError: they have different dimensions.
        """
        if inner.dim != removal.offsets.shape[1]:
            raise InputError(
                f"the step for each language has {removal.offsets.shape[1]} dimensions, the encoder {inner.dim}"
            )
        if (similarity := similarity_of(inner)) != "cosine":
            raise InputError(
                f"{inner.name}: a step for each language takes vectors of unit length, the model compares by "
                f"{similarity}"
            )
        self.inner, self.removal, self.language = inner, removal, None
        self.similarity = "cosine"
        self.name = name or inner.name
        self.dim = int(inner.dim)

    @property
    def parameters(self) -> int:
        """Number of trainable or fitted parameters."""
        return int(self.inner.parameters + sum(array.size for array in _arrays(self.removal).values()))

    def in_language(self, code: str) -> ByLanguage:
        """The same encoder for texts of one language. Raises InputError for one that it was not fitted on."""
        self._numbers([code], strict=True)
        other = copy.copy(self)
        other.language = code
        return other

    def encode(
        self, texts: Sequence[str], *, side: str, langs: Sequence[str] | None = None, progress: bool = False
    ) -> np.ndarray:
        """Unit vectors of texts.

        Args:
            texts: any sequence of str.
            side: "query" or "passage".
            langs: (texts,) codes; None to detect them from the texts, among the languages of the step.
            progress: a bar on stderr.

        Returns:
            (texts, dim) float32. Texts in a language without a step keep the vector of `inner`; how many is logged.
        """
        check_side(side)
        texts = checked_texts(texts)
        vectors = encode_once(self.inner, texts, side, progress)
        if langs is None:
            langs = [self.language] * len(texts) if self.language else detect(texts, self.removal.languages)
        if len(langs) != len(texts):
            raise InputError(f"{len(texts)} texts and {len(langs)} languages")
        return self.removal.apply(vectors, self._numbers(langs), side)

    def _numbers(self, langs: Sequence[str], strict: bool = False) -> np.ndarray:
        number = {code: self.removal.number(code) for code in dict.fromkeys(langs)}
        lacking = [code for code, n in number.items() if n == UNKNOWN]
        if lacking and strict:
            raise InputError(
                f"{self.name}: has no step for {', '.join(lacking)}; fitted on {', '.join(self.removal.languages)}"
            )
        if lacking:
            count = sum(code in lacking for code in langs)
            log.warning(
                "%s: %d texts in %s keep their vectors, it was not fitted on them", self.name, count, ", ".join(lacking)
            )
        return np.array([number[code] for code in langs], np.int64)

    def save(self, path: str | os.PathLike[str], *, card: Card | None = None) -> None:
        """Write the encoder as its kind does, and `languages.safetensors` beside it; whole or not at all."""
        with atomic_folder(path) as folder:
            self.inner.save(folder, card=card)
            write_removal(self.removal, folder)
            readable_by_all(folder)


_REQUIRED, _OPTIONAL = ("offsets", "directions"), ("query_offsets", "maps", "strengths")


def _arrays(removal: Removal) -> dict[str, np.ndarray]:
    return {name: getattr(removal, name) for name in (*_REQUIRED, *_OPTIONAL) if getattr(removal, name) is not None}


def write_removal(removal: Removal, folder: Path) -> None:
    """Put the step of each language into a model folder, in bytes that depend on it alone."""
    about = json.dumps({"languages": removal.languages, "method": removal.method})
    # One entry: safetensors writes several in any order.
    metadata = {"removal": about}
    arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in _arrays(removal).items()}
    save_file(arrays, folder / FILE, metadata=metadata)


def read_removal(folder: Path) -> Removal | None:
    """The step of each language in a model folder, None where there is none. Raises InputError for a broken file."""
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="numpy") as held:
            about = _about(held.metadata() or {}, file)
            there = [*_REQUIRED, *(name for name in _OPTIONAL if name in held.keys())]  # noqa: SIM118 (it is no dictionary)
            arrays = {name: held.get_tensor(name).astype(np.float32, copy=False) for name in there}
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{file}: cannot be read ({error})") from None
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise InputError(f"{file}: {name} has numbers that are not finite")
    try:
        return Removal(tuple(about["languages"]), method=about["method"], **arrays)
    except (InputError, IndexError) as error:
        raise InputError(f"{file}: {error}") from None


@strict
class About(TypedDict):
    """What the file of a step says of it."""

    languages: list[str]
    method: str


def _about(metadata: Mapping[str, str], file: Path) -> About:
    """The words of a file, also as the first version wrote them: an entry each. Raises KeyError or InputError."""
    if "removal" in metadata:
        return shaped(parse_json(metadata["removal"], file), About, str(file))
    languages = shaped(parse_json(metadata["languages"], file), list[str], str(file))
    return {"languages": languages, "method": metadata.get("method", "")}


def detect(texts: Sequence[str], among: Sequence[str] = ()) -> list[str]:
    """The language of each text, by py3langid (naive Bayes over byte n-grams; arXiv 1106.4388, Lui and Baldwin 2012).

    Args:
        texts: any sequence of str; short ones are often taken for another language of the same script.
        among: the languages that may be found, empty for all that py3langid knows (97); those that it does not know are
            never found, which is logged.

    Returns:
        (texts,) codes of `among`.

    Raises:
        InputError: py3langid knows none of the languages.
    """
    return detect_with_confidence(texts, among)[0]


def detect_with_confidence(texts: Sequence[str], among: Sequence[str] = ()) -> tuple[list[str], list[float]]:
    """As `detect`, and how sure it is: the probability of the language among those that may be found, (texts,) from 0
    to 1. A text without any letters gets the least that there is."""
    identifier = _identifier(tuple(among))
    found = [identifier.identifier.classify(text) for text in texts]
    return [identifier.names[name] for name, _ in found], [confidence for _, confidence in found]


def detect_missing(
    texts: Sequence[str], langs: Sequence[str], among: Sequence[str] = ()
) -> tuple[list[str], list[int]]:
    """Languages of texts, with those that are "" told by the text, see `detect`; and the rows of these."""
    found, rows = list(langs), [row for row, lang in enumerate(langs) if not lang]
    for row, lang in zip(rows, detect([texts[row] for row in rows], among) if rows else (), strict=True):
        found[row] = lang
    return found, rows


@dataclass(frozen=True)
class _Told:
    identifier: Any
    names: dict[str, str]


@lru_cache(maxsize=1)
def _every_language() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _identifier(among: tuple[str, ...]) -> _Told:
    # Threads of a service ask at one time: what is read once is read by one of them (a header of NumPy's files that two
    # threads parse at once ends in a SystemError of Python 3.11).
    with _LOCK:
        return _among(among)


@lru_cache(maxsize=16)
def _among(among: tuple[str, ...]) -> _Told:
    identifier = copy.copy(_every_language())
    known = set(identifier.labels)
    names: dict[str, str] = {}
    for code in among or sorted(known):
        names.setdefault(code.replace("_", "-").split("-")[0], code)
    lacking = [code for base, code in names.items() if base not in known]
    if len(lacking) == len(names):
        raise InputError(f"the language of a text cannot be told among {', '.join(among)}; give it")
    if lacking:
        log.warning("texts in %s cannot be told from others; give their language", ", ".join(lacking))
    names = {base: code for base, code in names.items() if base in known}
    identifier.set_languages(list(names))
    return _Told(identifier, names)
