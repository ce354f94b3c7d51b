"""Bilingual word lists in the shape of MUSE: `xx-yy.txt[.gz]` or `.tsv[.gz]`, one pair a line, tab or space between."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from triglot.corpus.formats.bitext import Lines, corpus_of, find_pairs
from triglot.corpus.parallel import ParallelCorpus
from triglot.corpus.tally import Tally
from triglot.files import InputError, read_lines
from triglot.language_tags import TAG
from triglot.ranges import Half

NAME = re.compile(rf"({TAG}-{TAG})\.(?:txt|tsv)(?:\.gz)?")


def _entries(file: Path, tally: Tally) -> tuple[list[str], list[str]]:
    """Source and target words of a file, side by side."""
    sources: list[str] = []
    targets: list[str] = []
    for number, line in read_lines(file):
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) != 2:
            tally.leave_out("line that has not two words with a tab or a space between them", f"{file}:{number}")
        elif not (source := fields[0].strip()) or not (target := fields[1].strip()):
            tally.leave_out("line with an empty word", f"{file}:{number}")
        else:
            sources.append(source)
            targets.append(target)
    if not sources:
        raise InputError(f"{file}: no entry in it can be read; {'; '.join(tally.lines())}")
    tally.count("entries", len(sources))
    return sources, targets


def read_lists(
    path: str | Path,
    *,
    languages: Sequence[str] | None = None,
    both: bool = False,
    half: Half | None = None,
    pivot: str = "en",
    strict: bool = False,
) -> tuple[dict[tuple[str, str], tuple[list[str], list[str]]], Tally]:
    """Word lists by (source language, target language): two lists side by side, in the order of the file (MUSE:
    frequent words first).

    Args:
        path: a file or a folder of them.
        languages: read only lists with both sides among these.
        both: add the reverse of a list where the folder has none in that direction.
        half: only entries whose pivot word lies in this half see `half_of`; None for all.
        pivot: the language that halves go by; the left word where a list lacks it.
        strict: a line that cannot be used is an error.

    Raises:
        InputError: no list, or a file in which no entry can be read.
    """
    tally = Tally(strict=strict)
    lists: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for file, a, b in find_pairs(Path(path), languages, tally, pattern=NAME):
        tally.count("files")
        sources, targets = _entries(file, tally)
        if half is not None:
            kept = [i for i, word in enumerate(targets if b == pivot else sources) if half_of(word) == half]
            tally.count(f"entries of the other half than {half}", len(sources) - len(kept))
            sources, targets = [sources[i] for i in kept], [targets[i] for i in kept]
        if (a, b) in lists:  # xx-yy.txt beside xx-yy.tsv
            lists[a, b][0].extend(sources)
            lists[a, b][1].extend(targets)
        else:
            lists[a, b] = (sources, targets)
    if both:
        for a, b in list(lists):
            lists.setdefault((b, a), (lists[a, b][1], lists[a, b][0]))
    return lists, tally


def read_training(
    path: str | Path,
    *,
    languages: Sequence[str] | None = None,
    every: bool = False,
    half: Half | None = None,
    pivot: str = "en",
    strict: bool = False,
    source: str = "wordlist",
) -> tuple[ParallelCorpus, Tally]:
    """Word pairs as training rows, query == passage. The lists of both directions (`de-en`, `en-de`) are one list.

    Args:
        path: a file or a folder of them.
        languages: read only lists with both sides among these.
        every: keep every translation of a word. By default a word enters a list once, with its first free translation.
            With `every`, ambiguous words chain a large part of a list into one family, whose members cannot stand in a
            batch together.
        half: as for `read_lists`.
        pivot: as for `read_lists`.
        strict: a line that cannot be used is an error.
        source: the name of the source in the corpus.
    """
    lists, tally = read_lists(path, languages=languages, half=half, pivot=pivot, strict=strict)
    codes = tuple(sorted({code for pair in lists for code in pair}))
    texts: list[str] = []
    ids: list[str] = []
    langs = []
    for a, b in sorted({(min(pair), max(pair)) for pair in lists}):
        entries: dict[tuple[str, str], None] = {}
        forward, backward = lists.get((a, b)), lists.get((b, a))
        if forward is not None:
            entries.update(dict.fromkeys(zip(*forward, strict=True)))
        if backward is not None:
            entries.update(dict.fromkeys(zip(backward[1], backward[0], strict=True)))
        tally.count(
            "repeated entries (read as one)", sum(len(one[0]) for one in (forward, backward) if one) - len(entries)
        )
        first = len(ids)
        used: tuple[set[str], set[str]] = (set(), set())
        for number, (left, right) in enumerate(entries):
            if not every and (left in used[0] or right in used[1]):
                continue
            used[0].add(left)
            used[1].add(right)
            texts.append(left)
            texts.append(right)
            ids.append(f"{a}-{b}/{number}")
        kept = len(ids) - first
        if kept < len(entries):
            tally.count(
                "entries passed over, a word of theirs has an earlier one (`every` keeps them)", len(entries) - kept
            )
        langs.append(np.tile(np.array([codes.index(a), codes.index(b)], np.int16), kept))
    lines = Lines(codes, texts, np.concatenate(langs), np.repeat(np.arange(len(ids), dtype=np.int32), 2), ids)
    return corpus_of(lines, source, tally), tally


def half_of(word: str) -> int:
    """0 (for training) or 1 (for attacks): a fair coin that depends on the pivot word alone, whatever its case."""
    return hashlib.blake2b(b"half\0" + word.lower().encode(), digest_size=1).digest()[0] & 1
