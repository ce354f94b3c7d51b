"""Word lists learned from files, and how they compare with lists that are known."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from triglot import outputs
from triglot.augment.learn import Learned, LearnSettings
from triglot.augment.lists import Verdict, columns, judge_lists, learn_lists, write_lists
from triglot.commands.sources import read_source, source_path
from triglot.corpus.formats.wordlist import read_lists
from triglot.language_tags import language, wanted

log = logging.getLogger("triglot")


def lists_from(
    paths: Sequence[str],
    out: str | Path | None,
    settings: LearnSettings,
    *,
    pivot: str = "en",
    languages: Sequence[str] = (),
    format: str = "",
    against: str = "",
    force: bool = False,
) -> dict[tuple[str, str], Verdict]:
    """Learn word lists between a pivot and every other language of the data, and write them.

    Args:
        paths: translations, or anything else that training reads; `FORMAT:PATH` or a path.
        out: folder of the lists; None writes none.
        settings: how they are learned.
        pivot: the language that all lists go through.
        languages: only these.
        format: of the data; empty to tell it from the names.
        against: folder of known lists to judge by.
        force: replace what another command wrote.

    Returns:
        (source, target) -> verdict, for the pairs that `against` has.

    Raises:
        InputError: what cannot be read, a language that is not there, or nothing to learn from.
    """
    if out is not None:
        with outputs.folder(out, "lists", inputs=[*map(source_path, paths), against], force=force) as place:
            learned, verdicts = _learned(paths, settings, pivot, languages, format, against)
            write_lists(place, learned)
        return verdicts
    return _learned(paths, settings, pivot, languages, format, against)[1]


def _learned(
    paths: Sequence[str], settings: LearnSettings, pivot: str, languages: Sequence[str], format: str, against: str
) -> tuple[dict[tuple[str, str], Learned], dict[tuple[str, str], Verdict]]:
    """The lists, and how they compare with known ones."""
    gold = read_lists(against, both=True)[0] if against else {}
    corpora = [read_source(path, format=format) for path in paths]
    pivot = language(pivot)
    learned = learn_lists(
        columns(corpora, pivot=pivot, languages=[code for code in wanted(languages) or () if code != pivot]), settings
    )
    for (a, b), word_list in learned.items():
        if a == pivot:
            left_out = f", {word_list.too_long:,} pairs passed over for their length" if word_list.too_long else ""
            left_out += f", {word_list.too_many:,} left out of the sample" if word_list.too_many else ""
            log.info(
                "%s-%s: %s entries from %s pairs of sentences%s",
                a,
                b,
                f"{len(word_list):,}",
                f"{word_list.sentences:,}",
                left_out,
            )
    return learned, judge_lists(learned, gold)


def verdict_lines(verdicts: Mapping[tuple[str, str], Verdict]) -> list[str]:
    """A table in plain text."""
    head = f"{'list':9s} {'entries':>8s} {'known':>8s} {'precision':>9s} {'first':>7s} {'words':>8s} {'recall':>7s}"
    return [
        head,
        *(
            f"{a + '-' + b:9s} {one.entries:8,d} {one.known:8,d} {one.precision:9.3f} {one.first:7.3f} "
            f"{one.words:8,d} {one.recall:7.3f}"
            for (a, b), one in verdicts.items()
        ),
    ]
