"""More rows out of the ones that are there: changed copies, counted and written so that larger samples contain the
smaller ones.

A factor of 4 is the corpus and three changed copies of it; of a factor of 2.5 the second copy has half of the rows.
What a copy looks like depends on the seed, its number and the text alone, so the rows of a smaller factor are also in
every larger one.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from triglot import seeds
from triglot.augment.apply import Augmenter
from triglot.corpus.formats.pair_writer import OutputFormat, Variant, numbered_records
from triglot.corpus.parallel import ParallelCorpus
from triglot.files import InputError, atomic_write

MOST = 1000  # times the corpus
ROWS_AT_ONCE = 20_000
_SHOWN = 300  # texts of a language that a sample is looked for in
SIDES = ("query", "passage")


@dataclass
class Expansion:
    """What was written.

    Attributes:
        lines: factor -> lines of its file.
        changed: (kind, language) -> texts changed.
        unchanged: texts that were to be changed but came out as they were (no word to change in them, or no translation
            for any).
        clean: texts of copies that no part was drawn for. A line of a copy whose two texts are both as they were is not
            written.
    """

    lines: dict[float, int] = field(default_factory=dict)
    changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    unchanged: Counter[tuple[str, str]] = field(default_factory=Counter)
    clean: int = 0


@dataclass(frozen=True)
class Example:
    """A text before and after."""

    kind: str
    lang: str
    side: str
    before: str
    after: str


def check_factors(factors: Sequence[float]) -> tuple[float, ...]:
    """Raises InputError for a factor below 1 or above `MOST`, or factors that do not increase."""
    if not factors:
        raise InputError("factor: none is given")
    for factor in factors:
        if not factor >= 1:
            raise InputError(f"factor: {factor:g} is below 1; a factor of 1 is the data as they are")
        if factor > MOST:
            raise InputError(f"factor: {min(factor, 1e308):g} is above {MOST}; a number from 1 to {MOST} is wanted")
    for before, after in pairwise(factors):
        if after <= before:
            raise InputError(f"factor: {after:g} comes after {before:g}; factors increase")
    return tuple(factors)


def file_names(out: str | Path, factors: Sequence[float]) -> dict[float, Path]:
    """Factor -> file: OUT itself where it is a `.jsonl` file and the only one, else `x2.jsonl`, ... in the folder OUT.

    Raises:
        InputError: several factors and OUT is a file, or one that is called so.
    """
    out = Path(out)
    if out.suffix == ".jsonl":
        if len(factors) > 1:
            raise InputError(f"{out}: {len(factors)} factors need a folder")
        return {factors[0]: out}
    if out.is_file():
        raise InputError(f"{out}: is a file, a folder or a name such as `{out.name}.jsonl` was expected")
    return {factor: out / f"x{factor:g}.jsonl" for factor in factors}


def _touched(augmenter: Augmenter) -> dict[str, bool]:
    """Side -> whether a part may change it."""
    settings = augmenter.settings
    allowed = {part.side or settings.side for part in settings.parts}
    return {side: bool(allowed & {side, "both"}) for side in SIDES}


def _change(
    corpus: ParallelCorpus,
    augmenter: Augmenter,
    groups: np.ndarray,
    side: str,
    copy: int,
    expansion: Expansion,
    only: int | None = None,
) -> dict[int, tuple[str, str]]:
    """Number of a text -> (changed text, kind), of these groups in all languages or in one."""
    group, lang = np.nonzero(corpus.text_of[groups] >= 0)
    if only is not None:
        group, lang = group[lang == only], lang[lang == only]
    group = groups[group]
    sides = np.full(len(group), side == "passage")
    keys = (group.astype(np.int64) * 64 + lang) * 2 + sides  # as in training, where an epoch stands for the copy
    part = augmenter.choose(keys, sides, copy)
    rows = np.flatnonzero(part >= 0)
    expansion.clean += len(part) - len(rows)
    numbers = corpus.text_of[group[rows], lang[rows]]
    before = corpus.texts.take(pa.array(numbers)).to_pylist()
    codes = [corpus.languages[code] for code in lang[rows]]
    after = augmenter.change(before, codes, keys[rows], part[rows], copy)
    kinds = augmenter.kinds(keys[rows], part[rows], copy)
    result = {}
    for number, code, old, new, kind in zip(numbers.tolist(), codes, before, after, kinds, strict=True):
        if new == old or not new.strip():
            expansion.unchanged[kind, code] += 1
        else:
            expansion.changed[kind, code] += 1
            result[number] = (new, kind)
    return result


def _copies(augmenter: Augmenter | None, factors: Sequence[float]) -> int:
    copies = math.ceil(check_factors(factors)[-1]) - 1
    if copies and (augmenter is None or not augmenter.settings.parts):
        raise InputError("kind: no kind of change is given, so there are no copies for a factor above 1")
    return copies


def lines(
    corpus: ParallelCorpus,
    augmenter: Augmenter | None,
    factors: Sequence[float],
    *,
    output_format: OutputFormat = "tevatron",
    origins: Mapping[int, str] | None = None,
    expansion: Expansion | None = None,
    advance: Callable[[int], Any] = lambda rows: None,
) -> Iterator[tuple[float, dict[str, Any]]]:
    """The lines of all factors, each with the smallest factor that it belongs to.

    Args:
        corpus: what there is.
        augmenter: makes the copies; None where the largest factor is 1.
        factors: increasing, from 1.
        output_format: of the lines.
        origins: as in `numbered_records`.
        expansion: counts are kept here.
        advance: told how many rows of a copy are done.

    Raises:
        InputError: bad factors, or nothing that could make a copy.
    """
    copies = _copies(augmenter, factors)
    expansion = Expansion() if expansion is None else expansion
    for copy in range(copies + 1):
        draw = (
            seeds.uniform(augmenter.seed, "augment-row", copy, np.arange(len(corpus)))
            if copy and augmenter
            else np.zeros(len(corpus))
        )
        # The first of `factors` above it: 2.5 has half of copy 2.
        smallest = np.searchsorted(factors, copy + draw, side="right")
        chosen = np.flatnonzero(smallest < len(factors))
        for start in range(0, len(chosen), ROWS_AT_ONCE):
            rows = chosen[start : start + ROWS_AT_ONCE]
            part = corpus.select(rows)
            variant = None
            if copy:
                assert augmenter is not None
                touched = _touched(augmenter)
                groups = {"query": np.unique(part.query), "passage": np.unique(part.passage)}
                sides = {
                    s: _change(corpus, augmenter, groups[s], s, copy, expansion) if touched[s] else None for s in SIDES
                }
                variant = Variant(copy, **sides)
            for row, record in numbered_records(part, output_format=output_format, variant=variant, origins=origins):
                yield factors[int(smallest[rows[row]])], record
            advance(len(rows))


def write(
    corpus: ParallelCorpus,
    augmenter: Augmenter | None,
    files: Mapping[float, Path],
    *,
    output_format: OutputFormat = "tevatron",
    origins: Mapping[int, str] | None = None,
    advance: Callable[[int], Any] = lambda rows: None,
) -> Expansion:
    """Write a file for each factor, all of them whole or none.

    Args:
        corpus: what there is.
        augmenter: as for `lines`.
        files: factor -> file.
        output_format: of the lines.
        origins: as for `lines`.
        advance: as for `lines`.
    """
    _copies(augmenter, list(files))
    expansion = Expansion(dict.fromkeys(files, 0))
    with ExitStack() as stack:
        handles = {factor: stack.enter_context(atomic_write(path)) for factor, path in files.items()}
        for smallest, record in lines(
            corpus,
            augmenter,
            list(files),
            output_format=output_format,
            origins=origins,
            expansion=expansion,
            advance=advance,
        ):
            line = json.dumps(record, ensure_ascii=False) + "\n"
            for factor, handle in handles.items():
                if factor >= smallest:
                    handle.write(line)
                    expansion.lines[factor] += 1
    return expansion


def examples(corpus: ParallelCorpus, augmenter: Augmenter, number: int) -> list[Example]:
    """Texts that the first copy changes: of each kind, language and side so many at most, by kind.

    Args:
        corpus: what there is.
        augmenter: changes it.
        number: of each kind and language.
    """
    shown_of: dict[tuple[str, str], list[Example]] = {}
    for side, touched in _touched(augmenter).items():
        if not touched:
            continue
        groups = np.unique(corpus.query if side == "query" else corpus.passage)
        for code in range(len(corpus.languages)):
            has = groups[corpus.text_of[groups, code] >= 0]
            step = max(len(has) // _SHOWN, 1)
            for text, (after, kind) in _change(
                corpus, augmenter, has[::step][:_SHOWN], side, 1, Expansion(), code
            ).items():
                shown = shown_of.setdefault((kind, corpus.languages[code]), [])
                if len(shown) < number:
                    shown.append(Example(kind, corpus.languages[code], side, corpus.texts[text].as_py(), after))
    kinds = [kind for part in augmenter.settings.parts for kind in part.kinds]
    return [one for key in sorted(shown_of, key=lambda key: (kinds.index(key[0]), key[1])) for one in shown_of[key]]
