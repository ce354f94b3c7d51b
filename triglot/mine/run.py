"""Mining in blocks of lines, each written when it is done, so that a run that was killed goes on and ends with the same
bytes."""

from __future__ import annotations

import glob
import hashlib
import json
import logging
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from triglot.corpus.parallel import ParallelCorpus
from triglot.encoder.protocol import Encoder, by_language
from triglot.files import InputError, atomic_write
from triglot.memory import check_fits
from triglot.mine.lines import Lines, Pools, lines_of, one_a_row, pools_of, quotas
from triglot.mine.report import report_of
from triglot.mine.search import Embed, Search, vectors_of
from triglot.mine.select import Chosen, choose
from triglot.mine.settings import MineSettings
from triglot.settings import plain
from triglot.topk import RESULT, within

log = logging.getLogger("triglot")
BLOCK = 8192  # lines at most
_HELD = 1 << 30  # bytes of candidates held at a time
_CANDIDATE = 64  # bytes of one while negatives are chosen: its place, text, group, score and order
ENCODED = 4096  # texts of one file of vectors
_FIELDS = ("text", "score", "positive", "rank", "dropped")


@dataclass(frozen=True)
class Mined:
    """What was found.

    Attributes:
        corpus: it was mined from.
        lines: (lines) what was mined for.
        text: (lines, negatives) texts of the corpus, -1 where there were too few.
        score: of the same shape, NaN without.
        positive: (lines,) score of the positive.
        report: counts, as `triglot.mine.report` describes.
    """

    corpus: ParallelCorpus
    lines: Lines
    text: np.ndarray
    score: np.ndarray
    positive: np.ndarray
    report: dict[str, Any]


def mine(
    corpus: ParallelCorpus,
    settings: MineSettings,
    encoder: Encoder | None = None,
    *,
    embed: Embed | None = None,
    lines: Lines | None = None,
    parts: Path | None = None,
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Mined:
    """Hard negatives for the rows of a corpus, out of its passages.

    Args:
        corpus: rows, and passages in one or several languages.
        settings: see `MineSettings`.
        encoder: for `dense` and `both`.
        embed: makes the vectors instead, from numbers of texts and a side.
        lines: mine for these alone; by default all of `lines_of`.
        parts: folder for what is done; a run of the same settings, data and model goes on from there.
        threads: of the search; 0 for the processors at hand. The answer does not depend on it.
        progress: called with (lines done, lines in all).

    Raises:
        InputError: settings that do not fit the corpus, no model where one is needed, or fewer passages than negatives
            are asked for.
    """
    if settings.needs_model and encoder is None and embed is None:
        raise InputError(f"source: {settings.source} needs a model")
    lines = lines_of(corpus) if lines is None else lines
    if not len(lines):
        raise InputError("no row of the corpus has both a question and a passage text to mine for")
    pools = pools_of(corpus, lines, most=settings.pool, seed=settings.seed)
    quota = quotas(corpus, lines, pools, settings)
    check_fits(
        len(lines) * settings.negatives * RESULT, f"negatives: {settings.negatives} of each of {len(lines)} lines"
    )
    vectors = None
    if settings.needs_model:
        vectors = vectors_of(corpus, lines, pools, embed or _embedder(corpus, encoder, parts))
    search = Search(corpus, pools, vectors=vectors, threads=threads)
    # Lines of one language together: with `own` negatives a block then searches in one pool alone.
    order = np.argsort(lines.lang, kind="stable")
    done = {name: np.zeros(0) for name in _FIELDS}
    block = _block_of(settings, pools, quota)
    turns = np.flatnonzero(quota.any(axis=0)).tolist()
    for begin in range(0, len(lines), block):
        rows = order[begin : begin + block]
        file = parts / f"block-{begin // block:05d}.npz" if parts else None
        fields = _load(file)
        if fields is None:
            chosen = choose(corpus, lines.select(rows), pools, quota[rows], search, settings, turns)
            fields = {name: getattr(chosen, name) for name in _FIELDS}
            _save(file, fields)
        for name, value in fields.items():
            if not begin:
                done[name] = np.empty((len(lines), *value.shape[1:]), value.dtype)
            done[name][rows] = value
        if progress:
            progress(min(begin + block, len(lines)), len(lines))
    whole = Chosen(**done)
    return Mined(
        corpus, lines, whole.text, whole.score, whole.positive, report_of(corpus, lines, pools, quota, whole, settings)
    )


def _block_of(settings: MineSettings, pools: Pools, quota: np.ndarray) -> int:
    """Lines that are mined together: fewer where many candidates of each are looked at."""
    depth = within(
        settings.depth if settings.source == "random" else settings.reach, max(len(texts) for texts in pools.texts)
    )
    lists = 2 if settings.negative_languages == "own" else int(quota.any(axis=0).sum())
    lists *= 2 if settings.source in ("both", "random") else 1  # by chance, twice as many are drawn as are looked at
    return int(np.clip(_HELD // (_CANDIDATE * lists * depth), 1, BLOCK))


def negatives_of(mined: Mined) -> np.ndarray:
    """(rows, negatives) int32 groups, -1 for none: the negatives of lines as those of rows.

    The lines of a row take turns, so that its first negatives come from all of them; a group counts once.
    """
    lines, corpus = mined.lines, mined.corpus
    width = mined.text.shape[1]
    out = np.full((len(corpus), width), -1, np.int32)
    group = np.append(corpus.text_group, -1)[mined.text]
    counts = np.bincount(lines.row, minlength=len(corpus))
    if counts.max(initial=0) <= 1:
        out[lines.row] = group
        return out
    first = np.cumsum(counts) - counts
    order = np.argsort(lines.row, kind="stable")
    for row in np.unique(lines.row).tolist():
        here = group[order[first[row] : first[row] + counts[row]]]
        kept = [one for one in dict.fromkeys(here.T.ravel().tolist()) if one >= 0][:width]
        out[row, : len(kept)] = kept
    return out


def refreshed(
    corpus: ParallelCorpus, settings: MineSettings, embed: Embed | None, *, turn: int = 0
) -> tuple[np.ndarray, dict[str, Any]]:
    """Negatives for training: groups as `negatives_of`, and the report.

    Each row is asked in one of its languages, in another one at the next turn.
    """
    mined = mine(corpus, settings, embed=embed, lines=one_a_row(lines_of(corpus), turn))
    return negatives_of(mined), mined.report


def _load(file: Path | None) -> dict[str, np.ndarray] | None:
    if file is None or not file.is_file():
        return None
    try:
        with file.open("rb") as handle, np.load(handle) as held:
            return {name: held[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: cannot be read ({error}); delete it, and it is made again") from None


def _save(file: Path | None, fields: dict[str, np.ndarray]) -> None:
    if file is not None:
        with atomic_write(file, "wb") as handle:
            np.savez(handle, **fields)  # type: ignore[arg-type]


def _embedder(corpus: ParallelCorpus, encoder: Encoder | None, parts: Path | None) -> Embed:
    """Texts to vectors; those of a slow encoder are kept in files, so that they are made once."""

    def encode(texts: np.ndarray, side: str) -> np.ndarray:
        more = {}
        assert encoder is not None
        if by_language(encoder):
            more["langs"] = [corpus.languages[lang] for lang in corpus.text_lang[texts].tolist()]
        strings = corpus.texts.take(pa.array(texts)).to_pylist()
        return np.asarray(encoder.encode(strings, side=side, **more), np.float32)

    def embed(texts: np.ndarray, side: str) -> np.ndarray:
        if parts is None or getattr(encoder, "kind", "") == "static" or not len(texts):
            return encode(texts, side)
        blocks = []
        for begin in range(0, len(texts), ENCODED):
            file = parts / f"{side}-{begin // ENCODED:05d}.npy"
            if not file.is_file():
                vectors = encode(texts[begin : begin + ENCODED], side)
                with atomic_write(file, "wb") as handle:
                    np.save(handle, vectors)
                log.info("encoded %d of %d texts (%s)", min(begin + ENCODED, len(texts)), len(texts), side)
            blocks.append(np.load(file))
        return np.concatenate(blocks)

    return embed


def digest(corpus: ParallelCorpus, settings: MineSettings, encoder: Encoder | None = None) -> str:
    """Sixteen hexadecimal digits that stand for settings, data and model.

    The model is known by the vectors that it gives a few of the texts.
    """
    checksum = hashlib.blake2b(json.dumps(plain(settings), sort_keys=True).encode(), digest_size=8)
    checksum.update(repr((corpus.languages, BLOCK, ENCODED)).encode())
    corpus.hash_into(checksum)
    if settings.needs_model:
        sample = np.unique(np.linspace(0, len(corpus.texts) - 1, 32).astype(np.int64))
        embed = _embedder(corpus, encoder, None)
        for side in ("query", "passage"):
            checksum.update(np.ascontiguousarray(embed(sample, side)).tobytes())
    return checksum.hexdigest()


def parts_folder(out: Path, key: str) -> Path:
    """Where a run that writes `out` keeps what is done."""
    return out.parent / f".{out.name}.{key}.parts"


def clear_parts(out: Path) -> None:
    """Remove what runs that wrote `out` kept, those of other settings too."""
    for folder in out.parent.glob(f".{glob.escape(out.name)}.*.parts"):
        shutil.rmtree(folder, ignore_errors=True)
