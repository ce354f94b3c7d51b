"""Inference in many languages: XNLI's line-aligned files, `dev-xx.tsv` of premise, hypothesis and label (Conneau et al.
2018)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from triglot.corpus.labelled import Labelled, LabelledData, distinct
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.corpus.tally import Tally
from triglot.files import InputError, check_choice, nearest, read_lines
from triglot.graph import components
from triglot.language_tags import TAG, tag
from triglot.ranges import Portion, Seed
from triglot.seeds import uniform

LABELS = ("entailment", "neutral", "contradiction")
NAME = re.compile(rf"(train|dev|test)-({TAG})\.tsv(\.gz)?")


@dataclass(frozen=True)
class Inference:
    """Premises and hypotheses that are parallel over languages: item i says the same in each.

    Attributes:
        languages: codes.
        premises, hypotheses: language -> (items,) texts. Premise in one language and hypothesis in another make the
            generalised test.
        labels: (items,) int8 index into `LABELS`.
        group: (items,) int32: items that share a premise, in any of the languages.
        line: (items,) int64 line number from 1 in the files.
    """

    languages: tuple[str, ...]
    premises: dict[str, list[str]]
    hypotheses: dict[str, list[str]]
    labels: np.ndarray
    group: np.ndarray
    line: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> Inference:
        """The items at these indices, in every language."""
        return Inference(
            self.languages,
            {code: [texts[i] for i in rows] for code, texts in self.premises.items()},
            {code: [texts[i] for i in rows] for code, texts in self.hypotheses.items()},
            self.labels[rows],
            self.group[rows],
            self.line[rows],
        )

    def split(self, share: float, *, seed: int) -> tuple[Inference, Inference]:
        """Two disjoint parts; the first has about this share of the premises.

        A premise is in one part only, with all its hypotheses and in all languages: XNLI repeats each premise three
        times, so a split by line would show a head the premises on which it is judged.

        Raises:
            InputError: the share is not between 0 and 1, or a part would be empty.
        """
        if not 0 < share < 1:
            raise InputError(f"share is {share}; it must lie between 0 and 1")
        first = np.full(int(self.group.max(initial=-1)) + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, self.group, self.line)
        # Drawn by line and not by group number, so that to read more languages moves no premise to the other part.
        inside = uniform(seed, "split of premises", first[self.group]) < share
        if inside.all() or not inside.any():
            raise InputError(f"a share of {share} of {len(np.unique(self.group))} premises leaves one part empty")
        return self.take(np.flatnonzero(inside)), self.take(np.flatnonzero(~inside))


def find_files(path: Path, split: str, languages: Sequence[str] | None, tally: Tally | None = None) -> dict[str, Path]:
    """Language -> file. Raises InputError where there is none, or a language is missing."""
    if not path.is_dir():
        raise InputError(f"{path}: a folder with files such as {split}-xx.tsv was expected")
    files_of = []
    for file in sorted(path.iterdir()):
        match = NAME.fullmatch(file.name)
        if match and (code := tag(match[2])) is not None:
            files_of.append((match[1], code, file))
        elif tally is not None and file.name.endswith((".tsv", ".tsv.gz")):
            tally.pass_over("file whose name is not split-language.tsv", file)
    if not files_of:
        raise InputError(f"{path}: no file such as {split}-xx.tsv")
    files: dict[str, Path] = {}
    for of, code, p in files_of:
        if of == split and files.setdefault(code, p) != p:
            raise InputError(f"{p}: a second file in {code}, beside {files[code].name}")
    if not files:
        raise InputError(f"{path}: no split {split!r}{nearest(split, [of for of, _, _ in files_of])}")
    for code in languages or ():
        if code not in files:
            raise InputError(f"{path}: no {split} file in {code!r}{nearest(code, files)}")
    return {code: p for code, p in sorted(files.items()) if languages is None or code in languages}


def read(
    path: str | Path, *, split: str = "dev", languages: Sequence[str] | None = None, strict: bool = False
) -> tuple[Inference, Tally]:
    """Read the files of a split.

    A line that cannot be used in one language is left out in all, so the languages stay parallel.

    Args:
        path: the folder.
        split: the first part of the file names.
        languages: read only these.
        strict: a line that cannot be used is an error.

    Raises:
        InputError: a file is missing, the files have different numbers of lines, or a label differs from the same line
            in another language (both mean that the files are not aligned); or nothing can be used.
    """
    tally = Tally(strict=strict)
    files = find_files(Path(path), split, languages, tally)
    if not files:
        raise InputError(f"{path}: no language was asked for")
    columns = {code: list(read_lines(file)) for code, file in files.items()}
    (first, reference), *_ = columns.items()
    usable = np.ones(len(reference), bool)
    labels = np.full(len(reference), -1, np.int8)
    where = np.zeros(len(reference), object)
    rows: dict[str, list[tuple[str, str]]] = {}
    for code, lines in columns.items():
        if len(lines) != len(reference):
            raise InputError(
                f"{files[code]}: {len(lines)} lines, but {files[first].name} has {len(reference)}; they are not aligned"
            )
        rows[code] = []
        for row, (number, line) in enumerate(lines):
            fields = line.split("\t")
            reason = _reason(fields)
            rows[code].append(("", "") if reason else (fields[0], fields[1]))
            if reason:
                if usable[row]:
                    tally.leave_out(f"{reason} (left out in every language)", f"{files[code]}:{number}")
                usable[row] = False
                continue
            label = LABELS.index(fields[2])
            if labels[row] not in (-1, label):
                raise InputError(
                    f"{files[code]}:{number}: label {fields[2]!r}, but {where[row]} has {LABELS[labels[row]]!r}; "
                    "the files are not aligned"
                )
            labels[row], where[row] = label, where[row] or files[code].name
    kept = np.flatnonzero(usable)
    if not len(kept):
        raise InputError(f"{path}: no line can be used; {'; '.join(tally.lines())}")
    premises = {code: [rows[code][i][0] for i in kept] for code in rows}
    hypotheses = {code: [rows[code][i][1] for i in kept] for code in rows}
    tally.count("languages", len(files))
    tally.count("items", len(kept))
    group = _shared(list(premises.values()))
    tally.count("premises", int(group.max()) + 1)
    return Inference(tuple(files), premises, hypotheses, labels[kept], group, kept.astype(np.int64) + 1), tally


def _reason(fields: list[str]) -> str:
    """Why a line cannot be used, or nothing."""
    if len(fields) != 3:
        return "line that has not three columns with tabs between them"
    if not fields[0].strip() or not fields[1].strip():
        return "line with an empty premise or hypothesis"
    return "" if fields[2] in LABELS else f"line whose label is not one of {', '.join(LABELS)}"


def _shared(columns: Sequence[Sequence[str]]) -> np.ndarray:
    """(items,) int32: items whose text is the same in any of the columns, over any chain of them, share a number."""
    a, b = [], []
    for column in columns:
        first: dict[str, int] = {}
        for row, text in enumerate(column):
            a.append(first.setdefault(text, row))
            b.append(row)
    return components(len(columns[0]), a, b)


def labelled(items: Inference) -> Labelled:
    """Premises and hypotheses, each in every language."""
    codes = tuple(sorted(items.languages))
    first, first_at = distinct([items.premises[code] for code in codes])
    second, second_at = distinct([items.hypotheses[code] for code in codes])
    ids, line = [str(line) for line in items.line.tolist()], items.line.astype(np.int64)
    return Labelled(
        codes, LABELS, first, second, first_at, second_at, items.labels, items.group.astype(np.int64), ids, line
    )


def read_classification(
    path: str | Path,
    *,
    languages: Sequence[str] | None = None,
    among: Sequence[str] = (),
    split: str = "",
    train: str = "",
    train_languages: Sequence[str] | None = None,
    share: Portion = 0.5,
    seed: Seed = 1,
    strict: bool = False,
    base: str | Path = "",
    head: Mapping[str, Any] | None = None,
) -> LabelledData:
    """A split to test, and items to train a head on: a part of the split itself (by premise), or those of another
    split, file or folder.

    Arguments are explained in `LabelledData`.

    Raises:
        InputError: as `read`; none of the languages is there; or nothing is left to train on.
    """
    folder, split = Path(path), split or "dev"
    if languages is None and among:
        known = find_files(folder, split, None)
        languages = [code for code in known if code in among]
        if not languages:
            raise InputError(f"{path}: nothing in {', '.join(among)}{nearest('', known)}")
    whole = bool(train) or (head is not None and (head.get("split") != split or "share" not in head))
    # Which premises are one depends on the languages read. A split is made of all that there are, so that it is the
    # same for any of them.
    items, tally = read(folder, split=split, languages=languages if whole else None, strict=strict)
    notes, facts = list(tally.notes()), {"format": "nli", "split": split}
    if train:
        training, more_notes = _training_items(folder, train, train_languages, items, strict, Path(base))
        facts["train"] = Path(train).name
        notes += more_notes
        return _data(items, training, notes, facts, own_languages=True)
    if whole:
        return _data(items, None, notes, facts)
    # A head that was trained on a part of this split is never judged on that part, now or when it is loaded again.
    if head is not None:
        share, seed = float(head["share"]), int(head["split_seed"])
    training, test = items.split(share, seed=seed)
    facts |= {"share": share, "split_seed": seed}
    parts = len(np.unique(training.group)), len(np.unique(test.group))
    notes.append(f"the head is trained on {parts[0]:,} premises and tested on {parts[1]:,} others, in all languages")
    return _data(test, training if head is None else None, notes, facts)


def _data(
    test: Inference,
    train: Inference | None,
    notes: Sequence[str],
    facts: Mapping[str, Any],
    *,
    own_languages: bool = False,
) -> LabelledData:
    counts = {"items": len(test), "premises": len(np.unique(test.group))}
    if train is None:
        return LabelledData(labelled(test), None, notes, facts, counts)
    counts["training_premises"] = len(np.unique(train.group))
    return LabelledData(labelled(test), labelled(train), notes, facts, counts, own_languages)


def _training_items(
    path: Path, train: str, languages: Sequence[str] | None, tested: Inference, strict: bool, base: Path
) -> tuple[Inference, list[str]]:
    """The items of another split, file or folder whose premises are not tested, and notes."""
    training, tally = _another_part(path, train, list(languages) if languages else None, strict, base)
    notes = list(tally.notes())
    shared = [code for code in tested.languages if code in training.languages]
    known = {code: set(tested.premises[code]) for code in shared}
    clean = [i for i in range(len(training)) if not any(training.premises[code][i] in known[code] for code in shared)]
    if len(clean) < len(training):
        notes.append(f"{len(training) - len(clean):,} training items share a premise with the test and are left out")
    if not clean:
        raise InputError(f"{train}: every premise in it is tested too; nothing is left to train on")
    return training.take(np.array(clean)), notes


def _another_part(
    path: Path, train: str, languages: list[str] | None, strict: bool, base: Path
) -> tuple[Inference, Tally]:
    place = base / train
    if place.is_file():
        named = NAME.fullmatch(place.name)
        if not named:
            raise InputError(f"{place}: the name does not tell the language; call it train-xx.tsv")
        if languages and languages != [named[2]]:
            raise InputError(
                f"{place}: is in {named[2]!r}, and train_languages are {', '.join(languages)}; name its folder "
                "for several languages"
            )
        return read(place.parent, split=named[1], languages=[named[2]], strict=strict)
    if place.is_dir():
        return read(place, split="train", languages=languages, strict=strict)
    return read(path, split=train, languages=languages, strict=strict)


ROWS = ("labelled", "entailed")


def read_training(
    path: str | Path,
    *,
    languages: Sequence[str] | None = None,
    split: str = "dev",
    share: Portion | None = None,
    seed: Seed = 1,
    rows: str = "labelled",
    strict: bool = False,
    source: str = "nli",
) -> tuple[ParallelCorpus, Tally]:
    """Premises and hypotheses as rows to train an encoder on; the premise is the query, the hypothesis the passage.

    Args:
        path: the folder.
        languages: read only these.
        split: the first part of the file names.
        share: of the premises that are read. They are those on which a head is trained where a benchmark of the same
            split, share and seed is evaluated, so that none of them is judged. None: all of `train`, and of any other
            split the half that evaluation trains its heads on.
        seed: of that choice, as in evaluation.
        rows: `labelled`, every item, for the loss term `classification`; or `entailed`, hypotheses that follow from
            their premise, with those that contradict it as hard negatives, for a loss that ranks (supervised SimCSE,
            arXiv 2104.08821).
        strict: a line that cannot be used is an error.
        source: the name of the source in the corpus.

    Raises:
        InputError: as `read`; an unknown kind of rows.
    """
    check_choice("rows", rows, ROWS)
    # Which premises are one depends on the languages read: all are, so that the part is that of evaluation.
    items, tally = read(path, split=split, strict=strict)
    known = [code for code in items.languages if languages is None or code in languages]
    for code in languages or ():
        if code not in items.languages:
            raise InputError(f"{path}: no {split} file in {code!r}{nearest(code, items.languages)}")
    share = 0.5 if share is None and split != "train" else share
    if share is not None:
        whole = len(np.unique(items.group))
        items, _ = items.split(share, seed=seed)
        tally.count("premises that are kept for evaluation", whole - len(np.unique(items.group)))
    corpus = _corpus(items, known, source) if rows == "labelled" else _entailed(items, known, source)
    tally.count("rows", len(corpus))
    if not len(corpus):
        raise InputError(f"{path}: no row to train on; {'; '.join(tally.lines())}")
    return corpus, tally


def _texts(builder: CorpusBuilder, items: Inference, codes: Sequence[str], row: int) -> tuple[str, str]:
    """Give a builder the texts of an item; the keys of its premise and of its hypothesis."""
    premise, hypothesis = f"premise/{items.group[row]}", f"hypothesis/{items.line[row]}"
    for code in codes:
        builder.text(premise, code, items.premises[code][row])
        builder.text(hypothesis, code, items.hypotheses[code][row])
    return premise, hypothesis


def _corpus(items: Inference, codes: Sequence[str], source: str) -> ParallelCorpus:
    builder = CorpusBuilder(source)
    for row in range(len(items)):
        builder.row(*_texts(builder, items, codes, row))
    return replace(builder.build(), label=items.labels.astype(np.int8), labels=LABELS)


def _entailed(items: Inference, codes: Sequence[str], source: str) -> ParallelCorpus:
    builder = CorpusBuilder(source)
    entailment, _, contradiction = range(len(LABELS))
    for group in np.unique(items.group):
        of_premise = np.flatnonzero(items.group == group)
        keys = {row: _texts(builder, items, codes, row) for row in of_premise.tolist()}
        against = [keys[row][1] for row in of_premise.tolist() if items.labels[row] == contradiction]
        for row in of_premise.tolist():
            if items.labels[row] == entailment:
                builder.row(*keys[row], against)
    return builder.build()
