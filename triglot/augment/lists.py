"""Word lists for every pair of languages of the user's own translations, written as MUSE's are, and judged against a
list that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from triglot.augment.learn import Learned, LearnSettings, learn
from triglot.corpus.parallel import ParallelCorpus
from triglot.files import InputError, atomic_write, nearest, write_json
from triglot.names import check_name

Columns = dict[tuple[str, str], tuple[list[str], list[str]]]
Gold = Mapping[tuple[str, str], tuple[Sequence[str], Sequence[str]]]


@dataclass(frozen=True)
class Verdict:
    """A learned list against a known one.

    Attributes:
        entries: of the learned list.
        known: entries whose word the known list has; nothing can be said of the others.
        precision: share of these that the known list has too.
        first: share of their words whose best translation it has.
        words: words of the known list that occur often enough in the sentences.
        recall: share of these with a translation that the known list has.
    """

    entries: int
    known: int
    precision: float
    first: float
    words: int
    recall: float


def columns(corpora: Iterable[ParallelCorpus], *, pivot: str, languages: Sequence[str] = ()) -> Columns:
    """Sentences side by side: (pivot, language) -> texts of groups that have both.

    Args:
        corpora: training data; of a question and its passage each counts for itself.
        pivot: the language that all lists go through.
        languages: only these; all by default.

    Raises:
        InputError: no text in the pivot or in a language asked for, or nothing in two languages.
    """
    by_pair: Columns = {}
    spoken: set[str] = set()
    for corpus in corpora:
        spoken.update(corpus.languages)
        if pivot not in corpus.languages:
            continue
        left = corpus.text_of[:, corpus.languages.index(pivot)]
        for code in corpus.languages:
            if code == pivot or (languages and code not in languages):
                continue
            right = corpus.text_of[:, corpus.languages.index(code)]
            rows = (left >= 0) & (right >= 0)
            if rows.any():
                sides = by_pair.setdefault((pivot, code), ([], []))
                for side, texts in zip(sides, (left, right), strict=True):
                    side.extend(corpus.texts.take(pa.array(texts[rows])).to_pylist())
    for code in (pivot, *languages):
        if code not in spoken:
            raise InputError(f"no text in {code!r}{nearest(code, spoken)}")
    if not by_pair:
        raise InputError(f"nothing is there in {pivot!r} and in another language")
    return dict(sorted(by_pair.items()))


def learn_lists(sides: Columns, settings: LearnSettings | None = None) -> dict[tuple[str, str], Learned]:
    """A list in both directions for each pair of languages.

    Raises InputError that names the pair of which nothing can be learned.
    """
    learned = {}
    for (a, b), (left, right) in sides.items():
        try:
            learned[a, b] = learn(left, right, settings)
        except InputError as error:
            raise InputError(f"{a}-{b}: {error}") from None
        learned[b, a] = learned[a, b].reverse()
    return learned


def write_lists(folder: str | Path, lists: Mapping[tuple[str, str], Learned]) -> list[Path]:
    """`xx-yy.txt` with word, tab, translation, better translations first, and `scores.json` with how many and how
    sure."""
    folder = Path(folder)
    if folder.is_file():
        raise InputError(f"{folder}: is a file, a folder was expected")
    for code in dict.fromkeys(code for pair in lists for code in pair):
        check_name("language", code)
    paths = []
    for (a, b), learned in lists.items():
        paths.append(folder / f"{a}-{b}.txt")
        with atomic_write(paths[-1]) as handle:
            for word, translation in zip(learned.sources, learned.targets, strict=True):
                handle.write(f"{word}\t{translation}\n")
    scores = {
        f"{a}-{b}": {
            "entries": len(one),
            "sentences": one.sentences,
            "too_long": one.too_long,
            "too_many": one.too_many,
            "mean_score": round(float(one.scores.mean()), 4),
        }
        for (a, b), one in lists.items()
    }
    write_json(folder / "scores.json", scores)
    return paths


def judge(learned: Learned, known: Sequence[str], translations: Sequence[str]) -> Verdict:
    """Entries against those of a known list; letters' case does not count.

    Args:
        learned: the list.
        known: words of the other list.
        translations: theirs, in the same order.
    """
    table: dict[str, set[str]] = {}
    for word, translation in zip(known, translations, strict=True):
        table.setdefault(word.lower(), set()).add(translation.lower())
    entries = right = best = 0
    hit: dict[str, bool] = {}
    for word, translation in zip(learned.sources, learned.targets, strict=True):
        if word in table:
            good = translation in table[word]
            entries += 1
            right += good
            best += good and word not in hit
            hit[word] = hit.get(word, False) or good
    words = sum(word in table for word in learned.source_words)
    return Verdict(
        entries=len(learned),
        known=entries,
        precision=right / max(entries, 1),
        first=best / max(len(hit), 1),
        words=words,
        recall=sum(hit.values()) / max(words, 1),
    )


def judge_lists(lists: Mapping[tuple[str, str], Learned], gold: Gold) -> dict[tuple[str, str], Verdict]:
    """A verdict for each list; what the gold list has in either direction counts as right.

    Pairs that it lacks are left out.
    """
    judged = {}
    for (a, b), learned in lists.items():
        forth, back = gold.get((a, b), ((), ())), gold.get((b, a), ((), ()))
        if len(forth[0]) or len(back[0]):
            judged[a, b] = judge(learned, [*forth[0], *back[1]], [*forth[1], *back[0]])
    return judged
