"""BM25 over the segments of an index, each language with its own counts.

A segment keeps how often each word of a language stands in each of its passages; what a word is worth is worked out
when it is asked for, from the counts of all segments, so that passages can come without the others being touched.
Passages that were deleted count until the index is compacted, as in Lucene. Formula and constants are those of
`triglot.bm25`.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from triglot.bm25 import K1, B, count_tokens, tokenise
from triglot.files import InputError

log = logging.getLogger("triglot")
PARTS = ("terms", "starts", "rows", "counts", "lengths")
_TERMS = 2**32 - 1  # that a vector database tells apart
_LONG, _SHARE = 24, 0.5  # letters of a word that nobody writes; share of passages at which a script counts as not read


def term(lang: str, token: str) -> int:
    """The number of a word in a language: 64 bits of BLAKE2b, so that no table of words must be held in memory."""
    return int.from_bytes(hashlib.blake2b(f"{lang}\0{token}".encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Words:
    """The words of a segment.

    Attributes:
        terms: (terms,) uint64, sorted.
        starts: (terms + 1,) int64: where the passages of a term begin in `rows`.
        rows: (postings,) int32, ascending within a term.
        counts: (postings,) uint16.
        lengths: (passages,) int32 words of each.
    """

    terms: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    counts: np.ndarray
    lengths: np.ndarray

    def __post_init__(self) -> None:
        sound = (
            all(array.ndim == 1 for array in (self.terms, self.starts, self.rows, self.counts, self.lengths))
            and len(self.starts) == len(self.terms) + 1
            and len(self.rows) == len(self.counts) == self.starts[-1]
            and self.starts[0] == 0
            and bool((np.diff(self.starts) >= 0).all())
            and (not len(self.rows) or (self.rows.min() >= 0 and self.rows.max() < len(self.lengths)))
            and (self.terms.dtype, self.starts.dtype) == (np.uint64, np.int64)
        )
        if not sound:
            raise InputError("words that do not fit the passages; build the index anew")

    def postings(self, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and counts of a term."""
        place = int(np.searchsorted(self.terms, np.uint64(wanted)))
        if place == len(self.terms) or int(self.terms[place]) != wanted:
            return self.rows[:0], self.counts[:0]
        here = slice(int(self.starts[place]), int(self.starts[place + 1]))
        return self.rows[here], self.counts[here]


def count(texts: Sequence[str], langs: Sequence[str]) -> tuple[Words, dict[str, list[int]]]:
    """The words of passages, and language -> [passages, words, passages whose script BM25 does not read]."""
    numbers: dict[tuple[str, str], int] = {}
    postings: list[list[int]] = []
    often: list[list[int]] = []
    lengths = np.zeros(len(texts), np.int32)
    told: dict[str, list[int]] = {}
    for row, (text, lang) in enumerate(zip(texts, langs, strict=True)):
        tokens = tokenise(text)
        lengths[row] = len(tokens)
        _tell(told, lang, tokens)
        for token, times in Counter(tokens).items():
            number = numbers.setdefault((lang, token), len(numbers))
            if number == len(postings):
                postings.append([])
                often.append([])
            postings[number].append(row)
            often[number].append(min(times, 65535))
    hashed = np.array([term(lang, token) for lang, token in numbers], np.uint64)
    order = np.argsort(hashed, kind="stable")
    sizes = np.array([len(postings[number]) for number in order.tolist()], np.int64)
    return (
        Words(
            hashed[order],
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            np.array([row for number in order.tolist() for row in postings[number]], np.int32),
            np.array([times for number in order.tolist() for times in often[number]], np.uint16),
            lengths,
        ),
        told,
    )


def terms_of(text: str, lang: str, usual: float) -> tuple[dict[int, int], float]:
    """What a vector database keeps of a text's words: number of each, below 2**32 - 1, -> how often it is there; and
    1 - b + b l / m for its l words where a text of that language usually has m; 0 for not known."""
    counted = count_tokens(text)
    total = sum(counted.values())
    terms: dict[int, int] = {}
    for token, times in counted.items():
        number = term(lang, token) % _TERMS
        terms[number] = terms.get(number, 0) + int(times)
    return terms, 1 - B + B * (total / usual if usual else 1.0)


def count_lengths(texts: Sequence[str], langs: Sequence[str]) -> dict[str, list[int]]:
    """Language -> [passages, words, passages whose script BM25 does not read]."""
    told: dict[str, list[int]] = {}
    for text, lang in zip(texts, langs, strict=True):
        _tell(told, lang, tokenise(text))
    return told


def _tell(told: dict[str, list[int]], lang: str, tokens: Sequence[str]) -> None:
    of_lang = told.setdefault(lang, [0, 0, 0])
    of_lang[0] += 1
    of_lang[1] += len(tokens)
    of_lang[2] += not tokens or sum(map(len, tokens)) / len(tokens) > _LONG


def unread(told: Mapping[str, Sequence[int]]) -> list[str]:
    """Languages most of whose passages BM25 sees as one word or none: their script has no spaces, and is not one of
    those that are cut into pairs of letters."""
    return [lang for lang, (passages, _, strange) in told.items() if passages and strange / passages > _SHARE]


def warn_unread(told: Mapping[str, Sequence[int]]) -> None:
    """Say which languages words will not find."""
    if lacking := unread(told):
        log.warning(
            "words: BM25 cannot read the script of %s (no spaces between words); hybrid search goes by vectors there",
            ", ".join(lang or "texts without a language" for lang in lacking),
        )


def scores(
    segments: Sequence[Words], question: str, lang: str, passages: int, words: int, *, k1: float = K1, b: float = B
) -> list[np.ndarray]:
    """BM25 of a question against the passages of one language, (passages of the segment,) float32 for each segment.

    Args:
        segments: of the index.
        question: its words are looked for as they are.
        lang: of the passages.
        passages: of that language in all segments.
        words: of these.
        k1: see `triglot.bm25.build`.
        b: see `triglot.bm25.build`.
    """
    mean = words / passages if passages else 1.0
    found = [np.zeros(len(one.lengths), np.float32) for one in segments]
    for token, weight in count_tokens(question).items():
        number = term(lang, token)
        held = [one.postings(number) for one in segments]
        having = sum(len(rows) for rows, _ in held)
        if not having:
            continue
        idf = np.log1p((passages - having + 0.5) / (having + 0.5))
        for one, (rows, times), total in zip(segments, held, found, strict=True):
            often = times.astype(np.float32)
            bound = k1 * (1 - b + b * one.lengths[rows] / mean)
            total[rows] += (weight * idf * often / (often + bound)).astype(np.float32)
    return found
